//! The drill of docs/backup.md, with the commands that stand there, under traffic on a real cluster.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    load::{at_work, desk},
    quickstart::{NUMBER, Quickstart, Running},
    volumes::{PACE, nothing_is_sent_twice, sent, until_another_is_sent},
};
use crate::support::{engine::sqlite, process::eventually, traffic::Traffic};

/// The commands of the page, a block each.
fn blocks() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/backup.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let fenced = page.split("\n```bash\n").skip(1);
    fenced.map(|rest| rest.split_once("\n```\n").expect("the end of a block").0.to_owned()).collect()
}

/// A person at a shell, which keeps what the page has it keep from one block to the next.
struct Person<'a> {
    quickstart: &'a Quickstart,
    folder: TempDir,
}

impl Person<'_> {
    /// Types a block; what it said, on standard output and on standard error.
    fn types(&self, block: &str) -> (String, String) {
        let commands = format!(
            "NAME=support\n[ ! -e variables ] || . ./variables\n{block}\n[ -z \"${{COPY-}}\" ] || declare -p COPY >variables"
        );
        let said = self.quickstart.cluster.shell(&self.quickstart.namespace, self.folder.path(), &commands);
        assert!(said.success, "{block}\n{}{}", said.stdout, said.stderr);
        (said.stdout, said.stderr)
    }
}

/// The line of JSON in what was said.
fn report(said: &str) -> Value {
    let line = said.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("no report: {said}"));
    serde_json::from_str(line).expect("JSON")
}

/// The provider's ids of the texts in a store.
fn stored(store: &str) -> BTreeSet<String> {
    let rows = sqlite(Path::new(store), "SELECT provider_id AS id FROM message WHERE direction = 'Inbound'");
    rows.iter().map(|row| row["id"].to_string()).collect()
}

async fn count_of_sent(running: &Running) -> usize {
    sent(&running.carrier.ledger().await).len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn the_commands_of_the_documentation_bring_a_backup_back() {
    let blocks = blocks();
    let [take, compare, away, bring, back, accept, remove] = blocks.as_slice() else {
        panic!("{} blocks", blocks.len())
    };
    let (quickstart, running) = desk(Quickstart::new()).await;
    let traffic = Traffic::start_unwatched(&running.carrier, &running.ana, NUMBER, PACE);
    at_work(&running, &traffic).await;
    let person = Person { quickstart: &quickstart, folder: tempfile::tempdir().unwrap() };

    let before = stored(quickstart.store().to_str().unwrap());
    let taken = report(&person.types(take).1);
    let (sum, _) = person.types(compare);
    assert_eq!(sum.split_whitespace().next(), taken["sha256"].as_str(), "{sum}");
    at_work(&running, &traffic).await;

    person.types(away);
    let after = count_of_sent(&running).await;
    running.carrier.until_another_is_acknowledged().await;
    let restored = report(&person.types(bring).0);
    assert_eq!((&restored["of"], &restored["commits"]), (&taken["store"], &taken["commits"]), "{restored}");
    assert_eq!(restored["replaced"], "/var/lib/aldis/before-restore");
    let copy = stored(&format!("file:{}?immutable=1", quickstart.store().display()));
    assert!(copy.is_superset(&before), "the copy lacks texts that were in the store before it was taken");

    person.types(back);
    let [_, reason, message] = quickstart.condition("smschannel/support", "StorageIntact");
    assert_eq!(reason, "StorageRolledBack", "{message}");
    for _ in 0..5 {
        running.carrier.until_another_is_acknowledged().await;
    }
    assert_eq!(count_of_sent(&running).await, after, "nothing is sent from a restored copy by itself");

    person.types(accept);
    running.ana.set_presence(true).await;
    until_another_is_sent(&running).await;
    nothing_is_sent_twice(&running).await;
    let kept = quickstart.store().with_file_name("before-restore");
    assert!(kept.exists());
    person.types(remove);
    assert!(!kept.exists());
    eventually("the channel is well", || async {
        let condition = quickstart.condition("smschannel/support", "Ready");
        if condition[0] == "True" { Ok(()) } else { Err(condition) }
    })
    .await;
}
