//! What the other tests take for granted: pods, volumes, Services, names, tokens.

use crate::support::testbed::{Cluster, eventually};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;

/// A web server under Pod Security's strictest rules, with its page on a claimed volume, behind a Service.
fn web(image: &str) -> String {
    format!(
        r#"
apiVersion: apps/v1
kind: StatefulSet
metadata: {{ name: web }}
spec:
  serviceName: web
  replicas: 1
  selector: {{ matchLabels: {{ app: web }} }}
  template:
    metadata: {{ labels: {{ app: web }} }}
    spec:
      securityContext: {{ runAsNonRoot: true, runAsUser: 65532, fsGroup: 65532, seccompProfile: {{ type: RuntimeDefault }} }}
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: {image}
        command: [sh, -c, "echo hello >> /data/index.html; exec httpd -f -p 8080 -h /data"]
        securityContext: {{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {{ drop: [ALL] }} }}
        readinessProbe: {{ httpGet: {{ path: /, port: 8080 }}, periodSeconds: 1 }}
        volumeMounts: [{{ name: data, mountPath: /data }}, {{ name: token, mountPath: /token }}]
      volumes:
      - name: token
        projected: {{ sources: [{{ serviceAccountToken: {{ audience: "aldis:somewhere", path: token }} }}] }}
  volumeClaimTemplates:
  - metadata: {{ name: data }}
    spec: {{ accessModes: [ReadWriteOnce], resources: {{ requests: {{ storage: 1Gi }} }} }}
---
apiVersion: v1
kind: Service
metadata: {{ name: web }}
spec: {{ selector: {{ app: web }}, ports: [{{ port: 80, targetPort: 8080 }}] }}
"#
    )
}

#[tokio::test]
async fn a_restricted_pod_serves_from_its_volume_behind_a_service() {
    let cluster = Cluster::node();
    let namespace = cluster.namespace("smoke");
    let label = "pod-security.kubernetes.io/enforce=restricted";
    cluster.kubectl(&["label", "namespace", &namespace, label]).ok();
    let manifest = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(manifest.path(), web(cluster.busybox_image())).unwrap();
    cluster.kubectl(&["apply", "-n", &namespace, "-f", manifest.path().to_str().unwrap()]).ok();
    let ready = || {
        eventually("the pod", || {
            let wait = ["wait", "-n", &namespace, "--for=condition=Ready", "pod/web-0", "--timeout=10s"];
            cluster.kubectl(&wait).success.then_some(())
        })
    };
    ready();

    // By the Service's name from a pod, and by the relay from the host.
    let inside = ["exec", "-n", &namespace, "web-0", "--", "wget", "-qO-", "http://web/"];
    let by_name = || {
        // The proxy learns the address of a pod after the API server says that the pod is Ready.
        let page = eventually("the Service by its name", || Some(cluster.kubectl(&inside)).filter(|it| it.success));
        page.stdout
    };
    assert_eq!(by_name(), "hello\n");
    let relay = cluster.forward(&namespace, "web", 80);
    let page = reqwest::get(relay.url()).await.unwrap().text().await.unwrap();
    assert_eq!(page, "hello\n");

    let token = cluster.kubectl(&["exec", "-n", &namespace, "web-0", "--", "cat", "/token/token"]).ok();
    assert!(claims(&token).contains("\"aldis:somewhere\""), "{}", claims(&token));

    // Data outlives a killed container and a deleted pod.
    if !cluster.is_external() {
        for pid in cluster.pids(&namespace, "web-0", "main") {
            drop(std::process::Command::new("kill").args(["-9", &pid.to_string()]).status());
        }
        let pods: Api<Pod> = Api::namespaced(cluster.client().await, &namespace);
        let mut restarts = 0;
        while restarts == 0 {
            let status = pods.get("web-0").await.unwrap().status.unwrap();
            restarts = status.container_statuses.unwrap()[0].restart_count;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        ready();
        let stored =
            std::fs::read_to_string(cluster.volume_folder(&namespace, "data-web-0").join("index.html")).unwrap();
        assert_eq!(stored, "hello\nhello\n");
    }
    cluster.kubectl(&["delete", "pod", "-n", &namespace, "web-0"]).ok();
    ready();
    assert!(by_name().starts_with("hello\nhello\n"));
    cluster.kubectl(&["delete", "namespace", &namespace, "--wait=false"]).ok();
}

fn claims(token: &str) -> String {
    use base64::Engine;
    let payload = token.split('.').nth(1).expect("three parts");
    String::from_utf8(base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(payload).expect("base64")).expect("text")
}
