//! A gateway that really runs, in place of a pod that is simulated: its volumes are mounted as the kubelet mounts them.

use std::{
    collections::BTreeMap,
    fs, io,
    net::{IpAddr, SocketAddr},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::Arc,
};

use aldis::wire::ports;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, ProjectedVolumeSource, Secret, SecretVolumeSource, Volume};
use kube::{
    Api, Client, ResourceExt,
    runtime::{WatchStreamExt, watcher},
};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::process::{Role, address, eventually};

/// The files of a volume.
type Files = BTreeMap<String, Vec<u8>>;

/// Where a gateway will listen, before there is one.
#[derive(Clone, Copy, Debug)]
pub struct Place(IpAddr);

impl Place {
    /// An address of its own.
    pub fn reserve() -> Self {
        Self(address())
    }

    /// Its internal API.
    pub fn internal(self) -> SocketAddr {
        SocketAddr::new(self.0, ports::INTERNAL)
    }
}

/// The process of a pod. It ends with the test.
pub struct GatewayPod {
    mounts: Arc<Mounts>,
    _role: Role,
    _kubelet: DropGuard,
}

impl GatewayPod {
    /// Waits until the pod is there, and runs what it runs. As with a kubelet, a change of a ConfigMap or Secret is seen when an
    /// annotation of the pod changes; the kubelet's own look, once a minute or so, is left to [`Self::sync`].
    pub async fn start(client: &Client, namespace: &str, name: &str, place: Place) -> Self {
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let pod = eventually(&format!("pod {name}"), || async {
            pods.get_opt(name).await.map_err(|error| error.to_string())?.ok_or_else(|| "not there".to_owned())
        })
        .await;
        let mounts = Arc::new(Mounts::new(client, namespace, &pod));
        mounts.refresh().await;
        let role = Role::start(arguments(&pod, mounts.folder.path(), place), &mounts.folder.path().join("gateway.log"));
        let end = CancellationToken::new();
        tokio::spawn(end.clone().run_until_cancelled_owned(mounts.clone().follow(pods, pod)));
        Self { mounts, _role: role, _kubelet: end.drop_guard() }
    }

    /// The kubelet looks by itself.
    pub async fn sync(&self) {
        self.mounts.refresh().await;
    }
}

/// What the container is told, with the paths of the pod where they are on this machine.
fn arguments(pod: &Pod, folder: &Path, place: Place) -> Vec<String> {
    let container = &pod.spec.as_ref().unwrap().containers[0];
    let here = |path: &str| {
        let mut mounts = container.volume_mounts.iter().flatten();
        let found = mounts.find(|mount| Path::new(path).starts_with(&mount.mount_path));
        let mount = found.unwrap_or_else(|| panic!("the pod mounts nothing at {path}"));
        let rest = Path::new(path).strip_prefix(&mount.mount_path).unwrap();
        folder.join(&mount.name).join(rest).display().to_string()
    };
    let mut arguments = container.args.clone().unwrap();
    arguments.extend([
        format!("--address={}", place.0),
        format!("--config-dir={}", here(ports::CONFIG_DIR)),
        format!("--credentials-dir={}", here(ports::CREDENTIALS_DIR)),
        format!("--token-file={}", here(ports::TOKEN_FILE)),
        format!("--data-dir={}", here(ports::DATA_DIR)),
    ]);
    arguments
}

/// The volumes of a pod, each in a folder of its name.
struct Mounts {
    configs: Api<ConfigMap>,
    secrets: Api<Secret>,
    volumes: Vec<Volume>,
    folder: TempDir,
}

impl Mounts {
    fn new(client: &Client, namespace: &str, pod: &Pod) -> Self {
        let volumes = pod.spec.as_ref().unwrap().volumes.clone().unwrap();
        let folder = tempfile::tempdir().unwrap();
        for volume in &volumes {
            fs::create_dir(folder.path().join(&volume.name)).unwrap();
        }
        let (configs, secrets) =
            (Api::namespaced(client.clone(), namespace), Api::namespaced(client.clone(), namespace));
        Self { configs, secrets, volumes, folder }
    }

    /// Mounts anew whenever an annotation of the pod has changed.
    async fn follow(self: Arc<Self>, pods: Api<Pod>, mut known: Pod) {
        let config = watcher::Config::default().fields(&format!("metadata.name={}", known.name_any()));
        let mut seen = watcher(pods, config).default_backoff().applied_objects().boxed();
        while let Some(pod) = seen.next().await {
            let Ok(pod) = pod else { continue };
            if pod.annotations() != known.annotations() {
                self.refresh().await;
                known = pod;
            }
        }
    }

    async fn refresh(&self) {
        for volume in &self.volumes {
            let files = match (&volume.projected, &volume.secret) {
                (Some(projected), _) => self.projected(projected).await,
                (_, Some(secret)) => self.secret(secret).await,
                // A folder that is written by the pod.
                (None, None) => continue,
            };
            swap(&self.folder.path().join(&volume.name), &files).unwrap();
        }
    }

    /// ConfigMaps only: the gateways of these tests need no token, since no engine is theirs.
    async fn projected(&self, volume: &ProjectedVolumeSource) -> Files {
        let mut files = Files::new();
        for source in volume.sources.iter().flatten().filter_map(|source| source.config_map.as_ref()) {
            let Some(map) = self.configs.get_opt(&source.name).await.unwrap() else {
                assert_eq!(source.optional, Some(true), "the pod would wait for ConfigMap {}", source.name);
                continue;
            };
            let data = map.data.unwrap_or_default();
            for item in source.items.iter().flatten() {
                if let Some(text) = data.get(&item.key) {
                    files.insert(item.path.clone(), text.clone().into());
                }
            }
        }
        files
    }

    async fn secret(&self, volume: &SecretVolumeSource) -> Files {
        let name = volume.secret_name.as_deref().unwrap();
        let Some(secret) = self.secrets.get_opt(name).await.unwrap() else {
            assert_eq!(volume.optional, Some(true), "the pod would wait for Secret {name}");
            return Files::new();
        };
        assert!(volume.items.is_none(), "Secret {name} is mounted whole");
        secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0)).collect()
    }
}

/// All files change at one instant, when the link to their folder does.
fn swap(mount: &Path, files: &Files) -> io::Result<()> {
    let data = mount.join("..data");
    let old = fs::read_link(&data).ok();
    if old.as_ref().is_some_and(|old| read(&mount.join(old)).is_ok_and(|known| known == *files)) {
        return Ok(());
    }
    let new = PathBuf::from(format!("..{:016x}", fastrand::u64(..)));
    fs::create_dir(mount.join(&new))?;
    for (name, bytes) in files {
        fs::write(mount.join(&new).join(name), bytes)?;
    }
    symlink(&new, mount.join("..data_tmp"))?;
    fs::rename(mount.join("..data_tmp"), &data)?;
    for name in files.keys().filter(|name| mount.join(name).symlink_metadata().is_err()) {
        symlink(Path::new("..data").join(name), mount.join(name))?;
    }
    let Some(old) = old else { return Ok(()) };
    for name in read(&mount.join(&old))?.keys().filter(|name| !files.contains_key(*name)) {
        fs::remove_file(mount.join(name))?;
    }
    fs::remove_dir_all(mount.join(old))
}

fn read(folder: &Path) -> io::Result<Files> {
    let file = |entry: io::Result<fs::DirEntry>| {
        let entry = entry?;
        Ok((entry.file_name().into_string().expect("a key"), fs::read(entry.path())?))
    };
    fs::read_dir(folder)?.map(file).collect()
}
