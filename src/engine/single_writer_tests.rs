//! Which answers are given again under their key, and which requests are decided anew.

use std::path::Path;

use super::*;
use crate::engine::{
    core::{command::Contact, config::ChannelConfig, tests::config},
    inbox::Render,
    store::{
        idempotency::{RecordedAnswer, RequestId},
        open::Belongs,
    },
};

const CUSTOMER: &str = "+15559870001";

/// A channel that ana may write from, and the requests that she repeats.
struct Channel {
    store: Store,
    state: State,
}

impl Channel {
    fn new(dir: &Path) -> Self {
        let belongs = Belongs { account: "AC1".into(), number: "+15551230001".parse().unwrap() };
        let mut state = State::new(Arc::new(config()));
        state.set_storage_accepted(true);
        Self { store: Store::open(&dir.join("store.db"), &belongs).unwrap(), state }
    }

    /// Ana starts an interaction, under the same key each time; what she is told is made by `render`.
    fn ask(&mut self, render: Render) -> Keyed {
        let id = RequestId { user: "ana".into(), key: "k-1".into(), request_hash: [1; 32] };
        let (answer, mut answered) = oneshot::channel();
        let tokens = self.store.receipt_tokens().clone();
        let mut transaction = self.store.begin().unwrap();
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24);
        let mut batch = Batch { state: &mut self.state, tokens: &tokens, now, events: Vec::new(), owed: Vec::new() };
        let contact = Contact { address: CUSTOMER.parse().unwrap(), customer: None };
        let request = Request::Command(Command::Start { user: "ana".into(), contact, text: "hello".into() });
        batch.answer(&mut transaction, request, None, Waiting::Keyed { id, render, answer }).unwrap();
        let owed = batch.owed;
        transaction.commit(&self.state).unwrap();
        owed.into_iter().for_each(Owed::pay);
        answered.try_recv().unwrap()
    }
}

fn answer(status: u16, body: &str) -> RecordedAnswer {
    RecordedAnswer { status, body: body.into() }
}

#[test]
fn a_fault_of_the_engine_is_not_given_again_under_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&str, Render, bool); 5] = [
        ("200", |_| answer(200, "first"), true),
        ("409", |_| answer(409, "first"), true),
        ("499", |_| answer(499, "first"), true),
        ("500", |_| answer(500, "first"), false),
        ("503", |_| answer(503, "first"), false),
    ];
    for (name, first, is_given_again) in cases {
        let path = dir.path().join(name);
        std::fs::create_dir(&path).unwrap();
        let mut channel = Channel::new(&path);
        let Keyed::First(told) = channel.ask(first) else { panic!("{name}: nobody asked before") };
        let expected = if is_given_again { Keyed::Again(told) } else { Keyed::First(answer(201, "second")) };
        assert_eq!(channel.ask(|_| answer(201, "second")), expected, "{name}");
    }
}

#[test]
fn what_a_disabled_channel_refuses_is_decided_anew_when_it_is_enabled() {
    let dir = tempfile::tempdir().unwrap();
    let mut channel = Channel::new(dir.path());
    let refused: Render = |outcome| answer(409, &format!("{outcome:?}"));
    let enable = |channel: &mut Channel, enabled| {
        let config = ChannelConfig { enabled, ..config() };
        channel.state.set_config(Arc::new(config));
    };
    enable(&mut channel, false);
    assert_eq!(channel.ask(refused), Keyed::First(answer(409, "Err(Disabled)")));
    enable(&mut channel, true);
    assert_eq!(channel.ask(|_| answer(201, "second")), Keyed::First(answer(201, "second")));
}
