//! The five kinds on a real API server.

use crate::support::testbed::Cluster;

/// Installs the checked-in definitions and waits until the API server serves them. Doing it again changes nothing.
pub fn install(cluster: &Cluster) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");
    cluster.kubectl(&["apply", "--server-side", "-f", folder]).ok();
    cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=120s", "-f", folder]).ok();
}
