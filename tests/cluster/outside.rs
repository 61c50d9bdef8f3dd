//! Servers of the test, outside of the cluster, that pods reach by the name of a Service.

use serde_json::json;

use crate::support::testbed::{Cluster, Forward};

/// Has pods reach a server at this port of the machine's 127.0.0.1 as `NAME.NAMESPACE:PORT`, as long as the relay is kept.
pub(super) fn serve(cluster: &Cluster, namespace: &str, name: &str, port: u16, host_port: u16) -> Forward {
    let relay = cluster.expose(0, host_port);
    cluster.apply(&service(name, namespace, port, &node_address(cluster), relay.port())).ok();
    relay
}

/// Where the machine's relays listen.
fn node_address(cluster: &Cluster) -> String {
    let path = r#"jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}"#;
    cluster.kubectl(&["get", "nodes", "-o", path]).ok()
}

/// A Service whose only endpoint is no pod.
fn service(name: &str, namespace: &str, port: u16, address: &str, endpoint_port: u16) -> String {
    let metadata = json!({"name": name, "namespace": namespace, "labels": {"kubernetes.io/service-name": name}});
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": metadata,
        "spec": {"ports": [{"name": "http", "port": port}]},
    });
    let endpoints = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata, "addressType": "IPv4",
        "endpoints": [{"addresses": [address]}], "ports": [{"name": "http", "port": endpoint_port}],
    });
    json!({"apiVersion": "v1", "kind": "List", "items": [service, endpoints]}).to_string()
}
