//! The testbed leaves the machine as it found it, however a cluster ends, and clusters do not disturb each other.

use crate::support::testbed::{Cluster, eventually};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a cluster could leave on the host that is recognisably its own.
fn remains(dir: &Path, group: &str) -> BTreeSet<String> {
    let dir = dir.to_str().expect("a readable path");
    let lines = |text: String, mark: &str| {
        text.lines().filter(|line| line.contains(mark)).map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let output = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().expect(program);
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let mut found = lines(output("ps", &["-eo", "pid,args"]), dir);
    found.extend(lines(std::fs::read_to_string("/proc/mounts").expect("mounts"), dir));
    found.extend(lines(output("find", &["/sys/fs/cgroup", "-maxdepth", "2", "-name", group]), group));
    found.extend(lines(output("find", &[dir]), dir));
    found
}

/// The names of the host's links.
fn links() -> BTreeSet<String> {
    std::fs::read_dir("/sys/class/net")
        .expect("links")
        .map(|link| link.expect("a link").file_name().to_string_lossy().into_owned())
        .collect()
}

fn group(cluster: &Cluster) -> String {
    std::fs::read_to_string(cluster.dir().join("state/cgroup")).expect("its control group").trim().to_owned()
}

/// Brings a pod up, so that there are containers, mounts, links and groups to leave behind.
fn occupy(cluster: &Cluster) {
    let namespace = cluster.namespace("occupied");
    let image = "--image=localhost/testbed/pause:1";
    cluster.kubectl(&["run", "-n", &namespace, "pause", image, "--image-pull-policy=Never"]).ok();
    cluster.kubectl(&["wait", "-n", &namespace, "--for=condition=Ready", "pod/pause", "--timeout=120s"]).ok();
    assert!(!cluster.pids(&namespace, "pause", "pause").is_empty());
}

fn nothing_remains(dir: PathBuf, group: &str, links_before: &BTreeSet<String>) {
    eventually("the sweep's end", || {
        let found = remains(&dir, group);
        // The handle's own folder goes with the handle.
        found.iter().all(|line| Path::new(line) == dir).then_some(())
    });
    assert_eq!(&links(), links_before);
}

#[test]
fn a_cluster_that_ends_leaves_nothing_behind() {
    let before = links();
    let cluster = Cluster::start("node", &[]);
    occupy(&cluster);
    let (dir, group) = (cluster.dir().to_owned(), group(&cluster));
    assert!(!remains(&dir, &group).is_empty());
    drop(cluster);
    nothing_remains(dir, &group, &before);
}

#[test]
fn a_cluster_whose_owner_is_killed_leaves_nothing_behind_and_its_neighbour_alone() {
    let before = links();
    let neighbour = Cluster::start("node", &["--name", "neighbour"]);
    let cluster = Cluster::start("node", &[]);
    occupy(&neighbour);
    occupy(&cluster);
    let (dir, group) = (cluster.dir().to_owned(), group(&cluster));
    let kill = Command::new("kill").args(["-9", &cluster.owner_pid().to_string()]).status();
    assert!(kill.expect("kill").success());
    nothing_remains(dir, &group, &before);
    neighbour.kubectl(&["wait", "-A", "--for=condition=Ready", "pod", "--all", "--timeout=120s"]).ok();
}

#[test]
fn a_cluster_ends_when_its_starter_is_killed() {
    let before = links();
    let dir = tempfile::tempdir().expect("a folder");
    // The starter holds the cluster's input open and does nothing else.
    let up = format!(
        "sleep 1000 | exec {}/testbed/cluster up --mode kwok --until-stdin-closes --dir {} >{}",
        env!("CARGO_MANIFEST_DIR"),
        dir.path().join("cluster").display(),
        dir.path().join("out").display()
    );
    let mut starter = Command::new("bash").args(["-c", &up]).spawn().expect("a starter");
    eventually("the cluster", || {
        std::fs::read_to_string(dir.path().join("out")).ok().filter(|out| out.contains("ready")).map(drop)
    });
    let group = std::fs::read_to_string(dir.path().join("cluster/state/cgroup")).expect("its control group");
    let sleep = Command::new("pgrep").args(["-P", &starter.id().to_string(), "sleep"]).output().expect("pgrep");
    let sleep = String::from_utf8_lossy(&sleep.stdout).trim().to_owned();
    assert!(Command::new("kill").args(["-9", &sleep]).status().expect("kill").success());
    nothing_remains(dir.path().join("cluster"), group.trim(), &before);
    assert!(starter.wait().expect("its end").success());
}
