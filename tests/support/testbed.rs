//! A real Kubernetes for a test: started by `testbed/cluster`, ended when the handle is dropped or the test process dies.
//!
//! With `ALDIS_KUBECONFIG` set, [`Cluster::node`] and [`Cluster::apiserver`] are that cluster instead.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A cluster and how to reach it.
pub struct Cluster {
    dir: Option<tempfile::TempDir>,
    owner: Option<Child>,
    kubeconfig: PathBuf,
}

/// What a command said.
#[derive(Debug)]
pub struct Output {
    command: String,
    /// Whether it ended with status 0.
    pub success: bool,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

/// A port on the host's loopback that leads to a Service or an address in the cluster; closed on drop.
pub struct Forward {
    relay: Child,
    port: u16,
}

impl Cluster {
    /// The cluster with a kubelet that the tests of this binary share. Tests keep to namespaces of their own in it.
    pub fn node() -> Arc<Cluster> {
        static SHARED: LazyLock<Arc<Cluster>> =
            LazyLock::new(|| Arc::new(Cluster::external().unwrap_or_else(|| Cluster::start("node", &[]))));
        Arc::clone(&SHARED)
    }

    /// The API server with controller manager, scheduler and simulated nodes that the tests of this binary share.
    /// Pods of it become Ready without running; nothing answers at their addresses.
    pub fn apiserver() -> &'static Cluster {
        static SHARED: LazyLock<Cluster> =
            LazyLock::new(|| Cluster::external().unwrap_or_else(|| Cluster::start("kwok", &[])));
        &SHARED
    }

    /// A cluster of one's own: `mode` is `node` or `kwok`; for further arguments see `testbed/cluster up`.
    pub fn start(mode: &str, arguments: &[&str]) -> Cluster {
        trust_ring();
        let dir = tempfile::Builder::new().prefix("aldis-cluster-").tempdir().expect("a folder for the cluster");
        let mut owner = Command::new(script("cluster"))
            .args(["up", "--mode", mode, "--until-stdin-closes", "--dir"])
            .arg(dir.path())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("testbed/cluster starts");
        let lines = BufReader::new(owner.stdout.take().expect("its output"));
        let kubeconfig = lines
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("ready kubeconfig=").map(PathBuf::from))
            .unwrap_or_else(|| {
                panic!("no cluster: read what testbed/cluster said above; testbed/install installs what is missing")
            });
        Cluster { dir: Some(dir), owner: Some(owner), kubeconfig }
    }

    /// The cluster that `ALDIS_KUBECONFIG` names.
    fn external() -> Option<Cluster> {
        let kubeconfig = PathBuf::from(std::env::var_os("ALDIS_KUBECONFIG")?);
        trust_ring();
        Some(Cluster { dir: None, owner: None, kubeconfig })
    }

    /// Whether this is the user's own cluster, whose nodes are out of reach.
    pub fn is_external(&self) -> bool {
        self.owner.is_none()
    }

    /// An administrator's kubeconfig that works from the host.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// An administrator's kubeconfig that works inside the cluster's network only; see [`Cluster::exec_in_network`].
    pub fn kubeconfig_in_network(&self) -> PathBuf {
        self.dir().join("kubeconfig.internal")
    }

    /// The folder of the cluster: kubeconfig, logs.
    pub fn dir(&self) -> &Path {
        self.dir.as_ref().expect("not with ALDIS_KUBECONFIG: this test needs the testbed's own cluster").path()
    }

    /// The process id of `testbed/cluster up`.
    pub fn owner_pid(&self) -> u32 {
        self.owner.as_ref().expect("not with ALDIS_KUBECONFIG: this test needs the testbed's own cluster").id()
    }

    /// The client configuration of an administrator.
    pub async fn client_config(&self) -> kube::Config {
        trust_ring();
        let kubeconfig = kube::config::Kubeconfig::read_from(&self.kubeconfig).expect("a kubeconfig");
        kube::Config::from_custom_kubeconfig(kubeconfig, &kube::config::KubeConfigOptions::default())
            .await
            .expect("a client configuration")
    }

    /// An administrator's client. It belongs to the runtime of the calling test.
    pub async fn client(&self) -> kube::Client {
        kube::Client::try_from(self.client_config().await).expect("a client")
    }

    /// Runs kubectl as administrator.
    pub fn kubectl<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Output {
        run(self.with_kubeconfig(tool("kubernetes", "kubectl")).args(arguments), None)
    }

    /// Runs commands in bash as a person would type them, in a folder, with kubectl and a context of this namespace.
    pub fn shell(&self, namespace: &str, folder: &Path, commands: &str) -> Output {
        let kubectl = tool("kubernetes", "kubectl");
        let kubeconfig = folder.join("kubeconfig");
        if !kubeconfig.exists() {
            std::fs::copy(&self.kubeconfig, &kubeconfig).expect("a copy of the kubeconfig");
            let mut context = Command::new(&kubectl);
            context.env("KUBECONFIG", &kubeconfig).args([
                "config",
                "set-context",
                "--current",
                "--namespace",
                namespace,
            ]);
            run(&mut context, None).ok();
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let tools = kubectl.parent().expect("its folder");
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", commands]).current_dir(folder);
        run(bash.env("KUBECONFIG", &kubeconfig).env("PATH", format!("{}:{path}", tools.display())), None)
    }

    /// `kubectl apply --server-side -f -` with these documents.
    pub fn apply(&self, yaml: &str) -> Output {
        let mut kubectl = self.with_kubeconfig(tool("kubernetes", "kubectl"));
        run(kubectl.args(["apply", "--server-side", "-f", "-"]), Some(yaml))
    }

    /// Runs helm as administrator.
    pub fn helm<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Output {
        run(self.with_kubeconfig(tool("helm", "helm")).args(arguments), None)
    }

    fn with_kubeconfig(&self, program: PathBuf) -> Command {
        let mut command = Command::new(program);
        command.env("KUBECONFIG", &self.kubeconfig);
        command
    }

    /// Creates a namespace with a name of its own that begins with `prefix`, ready for pods.
    pub fn namespace(&self, prefix: &str) -> String {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let name = format!("{prefix}-{}-{}", std::process::id(), LAST.fetch_add(1, Ordering::Relaxed));
        self.kubectl(&["create", "namespace", &name]).ok();
        let created = ["wait", "--for=create", "serviceaccount/default", "--timeout=120s", "-n", &name];
        self.kubectl(&created).ok();
        name
    }

    /// A port on the host's loopback that leads to `port` of the Service's ClusterIP.
    pub fn forward(&self, namespace: &str, service: &str, port: u16) -> Forward {
        if self.is_external() {
            let mut kubectl = self.with_kubeconfig(tool("kubernetes", "kubectl"));
            kubectl.args(["port-forward", "-n", namespace, &format!("service/{service}"), &format!(":{port}")]);
            return Forward::start(kubectl, |line| {
                line.strip_prefix("Forwarding from 127.0.0.1:")?.split(' ').next()?.parse().ok()
            });
        }
        self.forward_to(&format!("{service}.{namespace}:{port}"))
    }

    /// A port on the host's loopback that leads to `ADDRESS:PORT` or `SERVICE.NAMESPACE:PORT` in the cluster's network.
    pub fn forward_to(&self, target: &str) -> Forward {
        let mut relay = Command::new(script("cluster"));
        relay.args(["forward", "--until-stdin-closes"]).arg(self.dir()).args(["0", target]);
        Forward::start(relay, |line| line.strip_prefix("listening ")?.parse().ok())
    }

    /// The other way: connections to `port` of any address in the cluster's network arrive at `host_port` of the host's
    /// loopback. In a cluster started with `--cidr-local` one stub thus answers for every pod and Service.
    pub fn expose(&self, port: u16, host_port: u16) -> Forward {
        let mut relay = Command::new(script("cluster"));
        relay.args(["expose", "--until-stdin-closes"]).arg(self.dir()).args([port.to_string(), host_port.to_string()]);
        Forward::start(relay, |line| line.strip_prefix("listening ")?.parse().ok())
    }

    /// Makes the images of an archive known to the node.
    pub fn load_image(&self, archive: &Path) {
        if self.is_external() {
            eprintln!(
                "bring {} to the cluster: `kind load image-archive FILE`, `k3d image import FILE`, or push it to a registry and \
                 set ALDIS_IMAGE to its name there",
                archive.display()
            );
            return;
        }
        run(Command::new(script("cluster")).arg("load").arg(self.dir()).arg(archive), None).ok();
    }

    /// The name of Aldis's own image, built and loaded.
    pub fn aldis_image(&self) -> String {
        if let (true, Ok(image)) = (self.is_external(), std::env::var("ALDIS_IMAGE")) {
            return image;
        }
        let built = run(&mut Command::new(script("image")), None).ok();
        let (name, archive) = built.trim().split_once(' ').expect("testbed/image prints NAME ARCHIVE");
        self.load_image(Path::new(archive));
        name.to_owned()
    }

    /// Loads a small image with a shell, `httpd`, `wget` and `nslookup`; returns its name.
    pub fn busybox_image(&self) -> &'static str {
        self.load_image(&tool("images", "busybox.tar"));
        "localhost/testbed/busybox:1"
    }

    /// A command that will run in the cluster's network, with its names and the host's files; its pid is the program's own.
    pub fn exec_in_network(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(script("cluster"));
        command.arg("exec").arg(self.dir()).arg("--").arg(program);
        command
    }

    /// The host's folder of the volume that a claim is bound to.
    pub fn volume_folder(&self, namespace: &str, claim: &str) -> PathBuf {
        self.dir().join("state/volumes").join(self.volume_of(namespace, claim))
    }

    fn volume_of(&self, namespace: &str, claim: &str) -> String {
        let volume = self.kubectl(&["get", "pvc", "-n", namespace, claim, "-o", "jsonpath={.spec.volumeName}"]).ok();
        assert!(!volume.is_empty(), "claim {claim} is not bound");
        volume
    }

    /// Gives the volume of a claim so many MiB, with what is in it. The next pod that mounts it sees that; so does who looks into the
    /// folder that is returned.
    pub fn limit_volume(&self, namespace: &str, claim: &str, mebibytes: u32) -> PathBuf {
        let volume = self.volume_of(namespace, claim);
        let mut command = Command::new(script("cluster"));
        command.arg("limit").arg(self.dir()).args([&volume, &mebibytes.to_string()]);
        run(&mut command, None).ok();
        let pid = std::fs::read_to_string(self.dir().join("state/pid")).expect("the node's first process");
        PathBuf::from(format!("/proc/{}/root/run/volumes/{volume}", pid.trim()))
    }

    /// Takes the limit away; what is in the volume stays. No pod may have it mounted.
    pub fn unlimit_volume(&self, namespace: &str, claim: &str) -> Output {
        let mut command = Command::new(script("cluster"));
        run(command.arg("unlimit").arg(self.dir()).arg(self.volume_of(namespace, claim)), None)
    }

    /// The host's process ids of a container of a pod.
    pub fn pids(&self, namespace: &str, pod: &str, container: &str) -> Vec<u32> {
        let mut command = Command::new(script("cluster"));
        let output = run(command.arg("pids").arg(self.dir()).args([namespace, pod, container]), None).ok();
        output.split_whitespace().map(|pid| pid.parse().expect("a pid")).collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut owner) = self.owner.take() {
            // The end of its input is the owner's signal to sweep and leave.
            drop(owner.stdin.take());
            drop(owner.wait());
        }
    }
}

impl Output {
    /// What was printed, if the command succeeded.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.success, "{}\n{}{}", self.command, self.stdout, self.stderr);
        self.stdout
    }

    /// What it complained of, if the command failed.
    ///
    /// # Panics
    /// If it succeeded.
    #[track_caller]
    pub fn refused(self) -> String {
        assert!(!self.success, "{} was to be refused\n{}", self.command, self.stdout);
        self.stderr
    }
}

impl Forward {
    fn start(mut relay: Command, port: impl Fn(&str) -> Option<u16>) -> Forward {
        let mut relay = relay.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a relay");
        let mut lines = BufReader::new(relay.stdout.take().expect("its output"));
        let mut line = String::new();
        lines.read_line(&mut line).expect("a line");
        let port = port(line.trim()).unwrap_or_else(|| panic!("no relay: {line}"));
        // kubectl goes on talking, and would end if nobody listened.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Forward { relay, port }
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        drop(self.relay.kill());
        drop(self.relay.wait());
    }
}

/// Asks again until there is an answer, with the patience of a slow machine.
///
/// # Panics
/// After two minutes without one.
#[track_caller]
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: not within two minutes");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Gives every HTTP client of the test its cryptography; another test of this binary may have done so already.
fn trust_ring() {
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// A script of testbed/.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testbed").join(name)
}

/// A file of what `testbed/build` builds, built if it is missing.
pub fn tool(name: &str, file: &str) -> PathBuf {
    static FOLDERS: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut folders = FOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = folders.entry(name.to_owned()).or_insert_with(|| {
        PathBuf::from(run(Command::new(script("build")).args(["--path", name]), None).ok().trim_end())
    });
    folder.join(file)
}

fn run(command: &mut Command, input: Option<&str>) -> Output {
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    let name = format!("{command:?}");
    let mut child = command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{name}: {error}; testbed/install installs what is missing"));
    if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
        // A program that ends early says why itself.
        drop(pipe.write_all(input.as_bytes()));
    }
    let output = child.wait_with_output().expect("its end");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Output { command: name, success: output.status.success(), stdout: text(output.stdout), stderr: text(output.stderr) }
}
