//! What happens to volumes, under traffic on a real cluster: they are full, put back from an older copy, or lost, and a connector is deleted over
//! a spool in which texts wait. What was acknowledged is there, nothing is sent twice, a condition names the cause, and the desk works again by itself
//! or by the hand that docs/operations.md describes.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use aldis::simulator::{Entry, Event};

use super::{
    load::{at_work, desk, nothing_is_lost_or_repeated},
    quickstart::{NUMBER, Quickstart, Running},
};
use crate::support::{
    engine::sqlite,
    judge::acknowledged,
    process::{eventually, until_none_is_left},
    traffic::{Pace, Traffic},
    volume::Volume,
};

const CHANNEL: &str = "smschannel/support";
const CONNECTOR: &str = "smsconnector/simulator";
const CUSTOMERS: u64 = 6;
pub(super) const PACE: Pace =
    Pace { customers: CUSTOMERS, customer_pause: Duration::from_millis(500), agent_pause: Duration::from_millis(50) };
/// Size of a small volume, in MiB. An engine keeps a quarter of it free.
const SMALL: u32 = 64;

/// A role with a volume.
#[derive(Clone, Copy)]
struct Role {
    object: &'static str,
    /// Its StatefulSet and its claim.
    name: &'static str,
}

const ENGINE: Role = Role { object: CHANNEL, name: "sms-support" };
const GATEWAY: Role = Role { object: CONNECTOR, name: "smsc-simulator" };

impl Quickstart {
    fn kubectl(&self, arguments: &[&str]) {
        let mut all = vec!["-n", &self.namespace];
        all.extend(arguments);
        self.cluster.kubectl(&all).ok();
    }

    /// Takes a role's pod away, as before a volume is restored; the operator leaves it so.
    fn take_away(&self, role: Role) {
        self.kubectl(&["annotate", role.object, "--overwrite", "aldis.dev/reconcile=disabled"]);
        self.kubectl(&["scale", "statefulset", role.name, "--replicas=0"]);
        let pod = format!("pod/{}-0", role.name);
        self.kubectl(&["wait", "--for=delete", &pod, "--timeout=120s"]);
    }

    /// Has the operator bring it back.
    fn bring_back(&self, role: Role) {
        self.kubectl(&["annotate", role.object, "aldis.dev/reconcile-"]);
        let pod = format!("pod/{}-0", role.name);
        self.kubectl(&["wait", "--for=create", &pod, "--timeout=120s"]);
        self.kubectl(&["wait", "--for=condition=Ready", &pod, "--timeout=120s"]);
    }

    /// The host's folder of a role's volume.
    fn volume(&self, role: Role) -> PathBuf {
        self.cluster.volume_folder(&self.namespace, role.name)
    }

    /// Has a role that is away go on with a small volume.
    fn make_small(&self, role: Role) -> SmallVolume<'_> {
        let at = self.cluster.limit_volume(&self.namespace, role.name, SMALL);
        SmallVolume { quickstart: self, role, volume: Volume::mounted(&at) }
    }

    /// Waits until the channel's status remembers much more of the store than this copy of it has. What the copy gains until it is asked for its
    /// status must be less.
    async fn until_status_knows_far_more_than(&self, store: &Path) {
        let copied = sqlite(store, "SELECT commits FROM store")[0]["commits"].as_u64().unwrap();
        eventually("status remembers more commits than the copy will have", || async {
            let path = "-o=jsonpath={.status.engine.storeCommits}";
            let known = self.cluster.kubectl(&["-n", &self.namespace, "get", CHANNEL, path]).ok();
            if known.parse::<u64>().is_ok_and(|known| known > copied + 500) { Ok(()) } else { Err((known, copied)) }
        })
        .await;
    }

    /// Accepts the store that the condition names.
    fn accept_storage(&self, message: &str) {
        let (_, id) = message.rsplit_once(' ').expect("a message with an id");
        self.kubectl(&["annotate", CHANNEL, "--overwrite", &format!("aldis.dev/accept-storage={id}")]);
    }
}

/// A small file system in the place of a role's volume.
struct SmallVolume<'a> {
    quickstart: &'a Quickstart,
    role: Role,
    volume: Volume,
}

impl SmallVolume<'_> {
    /// Has the role go on with a large one, and with what is in this.
    fn make_large(&self) {
        self.quickstart.take_away(self.role);
        self.quickstart.cluster.unlimit_volume(&self.quickstart.namespace, self.role.name).ok();
        self.quickstart.bring_back(self.role);
    }
}

/// Copies a folder with all that the files say of themselves.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().expect("cp");
    assert!(copied.success());
}

fn empty(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        std::fs::remove_file(entry.expect("an entry").path()).expect("a file");
    }
}

/// How often each text reached the provider.
pub(super) fn sent(ledger: &[Entry]) -> BTreeMap<(String, String), usize> {
    let mut sent = BTreeMap::new();
    for entry in ledger {
        if let Event::ApiRequest { message: Some(message), text: Some(text), .. } = &entry.event
            && message.message_id.is_some()
        {
            *sent.entry((message.to.clone(), text.clone())).or_default() += 1;
        }
    }
    sent
}

/// Waits until texts come in and none goes out. The engine learns from its configuration that its store is an older copy, some
/// moments after the condition says so; until then the gateway's ledger alone keeps it from sending twice.
async fn until_nothing_is_sent(running: &Running) {
    eventually("nothing is sent any more", || async {
        let before = sent(&running.carrier.ledger().await).len();
        for _ in 0..5 {
            running.carrier.until_another_is_acknowledged().await;
        }
        let more = sent(&running.carrier.ledger().await).len() - before;
        if more == 0 { Ok(()) } else { Err(more) }
    })
    .await;
}

/// Waits until all that has been acknowledged is in the engine's store: nothing waits on the gateway's volume any more, and what comes
/// is acknowledged after the engine has it.
async fn until_nothing_waits(quickstart: &Quickstart, running: &Running) {
    until_none_is_left("acknowledged texts that are not in the store", || async {
        let acknowledged = acknowledged(&running.carrier.ledger().await);
        let rows = sqlite(&quickstart.store(), "SELECT provider_id AS id FROM message WHERE direction = 'Inbound'");
        let stored: BTreeSet<_> = rows.iter().filter_map(|row| row["id"].as_str()).collect();
        acknowledged.iter().filter(|id| !stored.contains(id.as_str())).count()
    })
    .await;
}

/// Takes the gateway away with nothing on its volume that the engine does not have. A text is on that volume alone when the engine needs more
/// than a second for it, as it may on a machine that has other things to do.
async fn take_away_with_nothing_waiting(quickstart: &Quickstart, running: &Running) {
    loop {
        until_nothing_waits(quickstart, running).await;
        quickstart.take_away(GATEWAY);
        let looked_at = tempfile::tempdir().unwrap();
        copy(&quickstart.volume(GATEWAY), looked_at.path());
        if sqlite(&looked_at.path().join("spool.db"), "SELECT 1 FROM waiting").is_empty() {
            return;
        }
        quickstart.bring_back(GATEWAY);
    }
}

pub(super) async fn until_another_is_sent(running: &Running) {
    let before = sent(&running.carrier.ledger().await).len();
    eventually("another reply is sent", || async {
        let now = sent(&running.carrier.ledger().await).len();
        if now > before { Ok(()) } else { Err(now) }
    })
    .await;
}

pub(super) async fn nothing_is_sent_twice(running: &Running) {
    let sent = sent(&running.carrier.ledger().await);
    let twice: Vec<_> = sent.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_desk_outlives_its_engines_volume_full_and_free_again() {
    let (quickstart, running) = desk(Quickstart::new()).await;
    let traffic = Traffic::start(&running.carrier, &running.ana, NUMBER, PACE);
    at_work(&running, &traffic).await;
    quickstart.take_away(ENGINE);
    let small = quickstart.make_small(ENGINE);
    quickstart.bring_back(ENGINE);
    at_work(&running, &traffic).await;

    small.volume.leave("others", 6 << 10);
    let message = quickstart.until(CHANNEL, "StorageIntact", "False", "StorageFull").await;
    assert!(message.contains("spec.engine.storage.volume.size"), "{message}");
    for _ in 0..5 {
        running.carrier.until_another_is_acknowledged().await;
    }
    small.volume.free("others");
    quickstart.until(CHANNEL, "StorageIntact", "True", "Intact").await;
    at_work(&running, &traffic).await;
    small.make_large();
    at_work(&running, &traffic).await;
    nothing_is_lost_or_repeated(&quickstart, &running, traffic, 2 * CUSTOMERS).await;
}

/// What came after the copy is forgotten, as the documentation says; the rest holds for it, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_desk_outlives_an_older_copy_and_the_loss_of_its_engines_volume() {
    let (quickstart, running) = desk(Quickstart::new()).await;
    let traffic = Traffic::start_unwatched(&running.carrier, &running.ana, NUMBER, PACE);
    at_work(&running, &traffic).await;
    let (volume, snapshot) = (quickstart.volume(ENGINE), tempfile::tempdir().unwrap());
    quickstart.take_away(ENGINE);
    copy(&volume, snapshot.path());
    quickstart.bring_back(ENGINE);
    at_work(&running, &traffic).await;
    quickstart.until_status_knows_far_more_than(&snapshot.path().join("engine.db")).await;

    for (reason, older) in [("StorageRolledBack", true), ("StorageReplaced", false)] {
        quickstart.take_away(ENGINE);
        let before = sent(&running.carrier.ledger().await).len();
        empty(&volume);
        if older {
            copy(snapshot.path(), &volume);
        }
        quickstart.bring_back(ENGINE);
        let message = quickstart.until(CHANNEL, "StorageIntact", "False", reason).await;
        until_nothing_is_sent(&running).await;
        if !older {
            let now = sent(&running.carrier.ledger().await).len();
            assert_eq!(now, before, "an engine sees by itself that its store is another one, and never sends from it");
        }
        quickstart.accept_storage(&message);
        quickstart.until(CHANNEL, "StorageIntact", "True", "Intact").await;
        // A store that is new knows no agent.
        running.ana.set_presence(true).await;
        until_another_is_sent(&running).await;
        nothing_is_sent_twice(&running).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_desk_outlives_what_happens_to_its_gateways_volume() {
    let (quickstart, running) = desk(Quickstart::new()).await;
    let traffic = Traffic::start(&running.carrier, &running.ana, NUMBER, PACE);
    at_work(&running, &traffic).await;
    quickstart.take_away(GATEWAY);
    let small = quickstart.make_small(GATEWAY);
    quickstart.bring_back(GATEWAY);
    at_work(&running, &traffic).await;

    // Full, while the engine is away. What is turned away comes again.
    quickstart.take_away(ENGINE);
    small.volume.occupy("others", None);
    let message = quickstart.until(CONNECTOR, "TrafficRouted", "False", "SpoolFull").await;
    assert!(message.contains("spec.gateway.spool.size"), "{message}");
    small.volume.free("others");
    quickstart.until(CONNECTOR, "TrafficRouted", "True", "AllRouted").await;
    small.make_large();

    // An older copy, with texts that have been delivered since.
    running.carrier.until_another_is_acknowledged().await;
    let (volume, snapshot) = (quickstart.volume(GATEWAY), tempfile::tempdir().unwrap());
    quickstart.take_away(GATEWAY);
    copy(&volume, snapshot.path());
    quickstart.bring_back(GATEWAY);
    quickstart.bring_back(ENGINE);
    at_work(&running, &traffic).await;
    take_away_with_nothing_waiting(&quickstart, &running).await;
    empty(&volume);
    copy(snapshot.path(), &volume);
    quickstart.bring_back(GATEWAY);
    at_work(&running, &traffic).await;

    // Lost, while nothing waits in it.
    take_away_with_nothing_waiting(&quickstart, &running).await;
    empty(&volume);
    quickstart.bring_back(GATEWAY);
    at_work(&running, &traffic).await;

    // The connector is deleted over texts that wait, and made again.
    quickstart.take_away(ENGINE);
    for _ in 0..5 {
        running.carrier.until_another_is_acknowledged().await;
    }
    quickstart.kubectl(&["delete", CONNECTOR, "--wait=false"]);
    let message = quickstart.until(CONNECTOR, "Ready", "False", "Draining").await;
    assert!(message.contains("support"), "it waits for its channel: {message}");
    quickstart.kubectl(&["annotate", CONNECTOR, "aldis.dev/drain=skip"]);
    quickstart.kubectl(&["wait", "--for=delete", CONNECTOR, "--timeout=120s"]);
    quickstart.apply_file("connector");
    quickstart.bring_back(ENGINE);
    at_work(&running, &traffic).await;
    nothing_is_lost_or_repeated(&quickstart, &running, traffic, 6 * CUSTOMERS).await;
}
