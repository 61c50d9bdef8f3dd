//! The power of engine and gateway fails, before any of their steps to the disk: what was not brought to the disk is gone, or not, sector by
//! sector. What was acknowledged is there, nothing is sent twice, and no database is damaged.

use std::{
    fs,
    time::{Duration, Instant},
};

use super::world::{CUSTOMERS, World};
use crate::support::{disk::Disk, engine::Engine, gateway_fake::FakeGateway, judge::Judge, process::ready};

/// How often the power fails, unless `ALDIS_POWER_FAILURES` says otherwise.
const FAILURES: u64 = 40;
/// Steps to the disk, one of which is the last of a process.
const STEPS: u64 = 300;
/// A process that did not get to its last step by then has its power fail there.
const LONGEST_LIFE: Duration = Duration::from_secs(3);

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| text.parse().expect("a number"))
}

/// The disks of both, and when their processes were started.
struct Disks {
    engine: Disk,
    gateway: Disk,
    since: [Instant; 2],
    random: fastrand::Rng,
    /// Bytes that were written and not brought to the disk.
    unsynced: usize,
}

impl Disks {
    /// Puts disks under engine and gateway that lose what was not brought to them.
    fn under(world: &mut World, seed: u64) -> Self {
        world.engine.role.kill();
        world.gateway.kill();
        let engine = Disk::under(&world.engine.dir.path().join("data"));
        let gateway = Disk::under(&world.gateway.path("data"));
        let since = [Instant::now(); 2];
        let mut disks = Self { engine, gateway, since, random: fastrand::Rng::with_seed(seed), unsynced: 0 };
        disks.start_engine(world, Some(STEPS));
        disks.start_gateway(world, Some(STEPS));
        disks
    }

    fn start_engine(&mut self, world: &mut World, kill_at: Option<u64>) {
        self.since[0] = Instant::now();
        world.engine.role.environment = self.engine.environment(kill_at);
        world.engine.role.start_again();
    }

    fn start_gateway(&mut self, world: &mut World, kill_at: Option<u64>) {
        self.since[1] = Instant::now();
        world.gateway.environment = self.gateway.environment(kill_at);
        world.gateway.start_again();
    }

    /// The step before which the next process dies. Half of them do not outlive their start by much.
    fn last_step(&mut self) -> u64 {
        let most = if self.random.bool() { 20 } else { STEPS };
        self.random.u64(1..=most)
    }

    fn engine_fails(&mut self, world: &mut World, kill_at: Option<u64>) {
        world.engine.role.kill();
        self.unsynced += self.engine.lose_power(&mut self.random);
        self.start_engine(world, kill_at);
    }

    fn gateway_fails(&mut self, world: &mut World, kill_at: Option<u64>) {
        world.gateway.kill();
        self.unsynced += self.gateway.lose_power(&mut self.random);
        self.start_gateway(world, kill_at);
    }

    /// Waits until a process has died or lived long enough, and has its power fail; now and then that of both.
    async fn next_failure(&mut self, world: &mut World) {
        loop {
            let lives = self.since.map(|since| since.elapsed() < LONGEST_LIFE);
            let fails = [!world.engine.role.is_running() || !lives[0], !world.gateway.is_running() || !lives[1]];
            let both = fails != [false; 2] && self.random.u32(0..4) == 0;
            if fails[0] || both {
                let step = self.last_step();
                self.engine_fails(world, Some(step));
            }
            if fails[1] || both {
                let step = self.last_step();
                self.gateway_fails(world, Some(step));
            }
            if fails != [false; 2] {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_sent_twice_by_power_failures() {
    let seed = variable("ALDIS_POWER_SEED").unwrap_or_else(|| fastrand::u64(..));
    let failures = variable("ALDIS_POWER_FAILURES").unwrap_or(FAILURES);
    println!("ALDIS_POWER_SEED={seed} ALDIS_POWER_FAILURES={failures}");
    let mut world = World::start().await;
    let mut disks = Disks::under(&mut world, seed);
    let mut work = world.work();
    for _ in 0..failures {
        disks.next_failure(&mut world).await;
    }
    disks.engine_fails(&mut world, None);
    disks.gateway_fails(&mut world, None);
    work.stop().await;
    let (ledger, store) = (world.settle().await, world.engine.store());
    let judge = Judge { ledger: &ledger, store: &store };
    judge.every_message_is_stored_once_and_in_order();
    judge.every_reply_arrived_once(&work.replies(), (2 * failures + 2) * CUSTOMERS);
    work.showed_once(&judge.inbound()).await;
    assert!(work.replies().len() > 20, "too little was going on: {} replies", work.replies().len());
    assert!(disks.unsynced > 0, "nothing was ever on its way to a disk");
    let files = fs::read_dir(world.gateway.path("data")).unwrap().map(|file| file.unwrap().file_name());
    let damaged: Vec<_> = files.filter(|name| name.to_str().unwrap().contains("damaged")).collect();
    assert!(damaged.is_empty(), "{damaged:?}");
    assert!(!world.engine.role.log().contains("the file is damaged"), "{}", world.engine.role.log());
}

/// The test above would see it.
#[tokio::test]
async fn what_a_disk_only_says_that_it_has_is_lost() {
    let gateway = FakeGateway::start().await;
    let mut engine = Engine::start(&gateway.url, |_| {}).await;
    for (lies, kept) in [(false, 1), (true, 0)] {
        engine.role.kill();
        let mut disk = Disk::under(&engine.dir.path().join("data"));
        engine.role.environment = if lies { disk.lying_environment() } else { disk.environment(None) };
        engine.role.start_again();
        ready(engine.address).await;
        let id = format!("SM-{lies}");
        assert_eq!(engine.inbound(&id, "+15559870001", "hello").await.0, 200);
        engine.role.kill();
        disk.lose_power_and_all_else();
        engine.role.environment = Vec::new();
        engine.role.start_again();
        ready(engine.address).await;
        let stored = format!("SELECT count(*) AS n FROM message WHERE provider_id = '{id}'");
        assert_eq!(engine.sqlite(&stored)[0]["n"], kept, "lies: {lies}");
    }
}
