//! The testbed itself: API server, controllers and simulated nodes.

use crate::support::testbed::{Cluster, eventually};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;

#[tokio::test]
async fn a_pod_with_a_claim_becomes_ready_on_a_simulated_node() {
    let cluster = Cluster::apiserver();
    let namespace = cluster.namespace("smoke");
    cluster
        .apply(&format!(
            r#"
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{ name: data, namespace: {namespace} }}
spec: {{ accessModes: [ReadWriteOnce], resources: {{ requests: {{ storage: 1Gi }} }} }}
---
apiVersion: v1
kind: Pod
metadata: {{ name: sleeper, namespace: {namespace} }}
spec:
  containers: [{{ name: main, image: localhost/any, volumeMounts: [{{ name: data, mountPath: /data }}] }}]
  volumes: [{{ name: data, persistentVolumeClaim: {{ claimName: data }} }}]
"#
        ))
        .ok();
    cluster.kubectl(&["wait", "-n", &namespace, "--for=condition=Ready", "pod/sleeper", "--timeout=120s"]).ok();

    let namespaces: Api<Namespace> = Api::all(cluster.client().await);
    assert_eq!(namespaces.get(&namespace).await.unwrap().metadata.name, Some(namespace.clone()));

    cluster.kubectl(&["delete", "namespace", &namespace, "--wait=false"]).ok();
    eventually("the namespace's end", || (!cluster.kubectl(&["get", "namespace", &namespace]).success).then_some(()));
}
