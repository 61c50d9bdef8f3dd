//! The five kinds on a real API server.

use std::{collections::BTreeSet, path::PathBuf};

use parking_lot::Mutex;

use crate::support::testbed::Cluster;

/// Clusters of this process that have them.
static INSTALLED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Installs the checked-in definitions, once on each cluster, and waits until the API server serves them.
pub fn install(cluster: &Cluster) {
    let mut installed = INSTALLED.lock();
    if !installed.insert(cluster.kubeconfig().to_owned()) {
        return;
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");
    cluster.kubectl(&["apply", "--server-side", "-f", folder]).ok();
    cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=120s", "-f", folder]).ok();
}
