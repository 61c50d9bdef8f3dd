//! Bots talk to customers before, while and after these wait for agents.

use serde_json::json;

use super::desk::{Desk, ask, config, member};
use crate::{
    bot::{CallFailure, CallResult},
    engine::core::{
        bot_run::Bots,
        command::{Command, Refusal},
        config::{ChannelConfig, OfferMode},
        event::{BotEndReason, CloseReason, Event, Happened, InboundOutcome, InteractionEvent},
        ids::{InteractionId, UserId},
    },
};

/// Greets, asks for a topic of two, and hands off; says how it went in a note.
fn greeting() -> serde_json::Value {
    json!({
        "idleSeconds": 60, "idleMessage": "TEXT-idle",
        "steps": [
            {"name": "hello", "say": {"text": "TEXT-hello {{ message.text }}"}},
            {"name": "topic", "ask": {
                "text": "TEXT-topic?", "into": "topic", "attempts": 2, "invalidText": "TEXT-invalid",
                "answers": [{"value": "1"}, {"value": "2"}],
            }},
            {"name": "by-topic", "branch": {
                "cases": [{"name": "done", "when": [{"variable": "topic", "equals": "2"}], "next": "bye"}],
                "otherwise": "agent",
            }},
            {"name": "agent", "handOff": {"priority": 3, "note": "TEXT-topic {{ topic }}"}},
            {"name": "bye", "finish": {}},
        ],
    })
}

/// A desk where new interactions meet the greeting first.
fn greeted(config: ChannelConfig, users: &[&str]) -> Desk {
    let mut desk = Desk::with_agents(config, users);
    let on_start = Some(desk.bot("greeting", greeting()));
    desk.configure(|config| config.bots = Bots { on_start, ..Bots::default() });
    desk
}

/// A customer writes, and the bot does what it does.
fn text(desk: &mut Desk, customer: u32, text: &str) -> InteractionId {
    desk.text(customer, text);
    let open = desk.open(customer).expect("it is open");
    desk.bot_turns();
    open
}

/// The reasons for which bots ended, in order.
fn ends(desk: &Desk) -> Vec<BotEndReason> {
    let reason = |what: &Happened| match what {
        Happened::Interaction(InteractionEvent::BotEnded { reason, .. }) => Some(*reason),
        _ => None,
    };
    desk.log.iter().filter_map(|event| reason(&event.what)).collect()
}

/// At which step the last bot to end failed.
fn failed_at(desk: &Desk) -> Option<&str> {
    let step = desk.log.iter().rev().find_map(|event| match &event.what {
        Happened::Interaction(InteractionEvent::BotEnded { step, .. }) => Some(step.as_deref()),
        _ => None,
    });
    step.expect("a bot ended")
}

/// How the last interaction was closed, and whose it was.
fn closed(desk: &Desk) -> Option<(CloseReason, Option<UserId>)> {
    desk.log.iter().rev().find_map(|event| match &event.what {
        Happened::Interaction(InteractionEvent::InteractionClosed { reason, owner, .. }) => {
            Some((*reason, owner.clone()))
        }
        _ => None,
    })
}

#[test]
fn a_customer_meets_the_bot_before_the_queue_and_is_handed_off() {
    let mut desk = greeted(config(), &["ana"]);
    assert_eq!(desk.text(1, "TEXT-one"), InboundOutcome::Bot);
    let open = desk.open(1).unwrap();
    desk.pass_seconds(1);
    let now = desk.state.statistics(desk.now);
    assert_eq!((now.waiting, now.with_bot, now.active), (0, 1, 0));
    desk.bot_turns();
    assert_eq!(desk.said(open), ["TEXT-hello TEXT-one", "TEXT-topic?"]);
    assert_eq!(desk.owner(open), None, "Ana is available, and it is not hers yet");
    assert_eq!(desk.text(1, "TEXT-three"), InboundOutcome::Joined);
    assert_eq!(desk.text(1, "1"), InboundOutcome::Joined, "comes before the question is put again");
    desk.bot_turns();
    assert_eq!(desk.said(open)[2..], ["TEXT-invalid\nTEXT-topic?"]);
    desk.restart();
    desk.online("ana");
    text(&mut desk, 1, " 1 ");
    assert_eq!(ends(&desk), [BotEndReason::HandedOff]);
    assert_eq!(desk.owner(open), Some("ana"));
    assert_eq!(desk.notes.iter().map(AsRef::as_ref).collect::<Vec<_>>(), ["TEXT-topic 1"]);
    desk.reply("ana", open).unwrap();
    assert_eq!(desk.state.service_level(desk.now).answered, 1, "the wait began when it entered the queue");
}

#[test]
fn each_way_in_which_a_bot_on_start_ends_leads_somewhere() {
    type Way = fn(&mut Desk, InteractionId);
    type Then<'a> = &'a dyn Fn(&Desk, InteractionId);
    let to_ana = |desk: &Desk, open| assert_eq!((desk.owner(open), closed(desk)), (Some("ana"), None));
    let is_closed = |reason: CloseReason| move |desk: &Desk, _| assert_eq!(closed(desk), Some((reason, None)));
    let cases: [(BotEndReason, Way, Then<'_>); 7] = [
        (
            BotEndReason::HandedOff,
            |desk, _| {
                text(desk, 1, "1");
            },
            &to_ana,
        ),
        (
            BotEndReason::Finished,
            |desk, _| {
                desk.text(1, "2");
                desk.bot_turns();
            },
            &is_closed(CloseReason::BotFinished),
        ),
        (
            BotEndReason::NoAnswer,
            |desk, _| {
                text(desk, 1, "3");
                text(desk, 1, "4");
            },
            &to_ana,
        ),
        (
            BotEndReason::TimedOut,
            |desk, open| {
                desk.pass_seconds(59);
                assert_eq!(desk.said(open).len(), 2);
                desk.pass_seconds(1);
                desk.bot_turns();
                assert_eq!(desk.said(open)[2..], ["TEXT-idle"]);
            },
            &to_ana,
        ),
        (
            BotEndReason::OptedOut,
            |desk, open| {
                desk.text(1, "STOP");
                desk.bot_turns();
                assert_eq!(desk.said(open).len(), 2);
            },
            &is_closed(CloseReason::OptedOut),
        ),
        (
            BotEndReason::Assigned,
            |desk, interaction| {
                let (user, epoch, to) = ("eva".into(), desk.epoch(interaction), "ana".into());
                desk.execute(&Command::Assign { user, interaction, epoch, to }).answer.unwrap();
            },
            &to_ana,
        ),
        (
            BotEndReason::Closed,
            |desk, interaction| {
                let (user, epoch) = ("eva".into(), desk.epoch(interaction));
                desk.execute(&Command::Close { user, interaction, epoch, disposition: None }).answer.unwrap();
            },
            &is_closed(CloseReason::BySupervisor),
        ),
    ];
    for (reason, way, check) in cases {
        let mut desk = greeted(ChannelConfig { supervisors: ["eva".into()].into(), ..config() }, &["ana"]);
        let open = text(&mut desk, 1, "TEXT-one");
        way(&mut desk, open);
        assert_eq!(ends(&desk), [reason]);
        let fails = matches!(reason, BotEndReason::NoAnswer | BotEndReason::TimedOut);
        assert_eq!(failed_at(&desk), fails.then_some("topic"), "{reason:?}");
        check(&desk, open);
        desk.pass_seconds(400);
        desk.bot_turns();
        assert_eq!(ends(&desk), [reason], "it is over");
        assert!(desk.values.is_empty(), "what it had set is gone");
    }
}

#[test]
fn conversations_are_counted_by_the_version_that_they_keep_to() {
    let mut desk = greeted(config(), &["ana"]);
    for customer in [1, 2] {
        text(&mut desk, customer, "TEXT-one");
    }
    let old = desk.state.config().bots.on_start.clone().unwrap();
    let mut edited = greeting();
    edited["idleSeconds"] = 90.into();
    let new = desk.bot("greeting", edited);
    desk.configure(|config| config.bots = Bots { on_start: Some(new.clone()), ..Bots::default() });
    text(&mut desk, 3, "TEXT-one");
    desk.restart();
    let counted = |desk: &Desk| -> Vec<_> {
        let all = desk.state.conversations_with_bots();
        [&old, &new].map(|bot| all.get(&(bot.name.clone(), bot.version.clone())).copied()).into()
    };
    assert_eq!(counted(&desk), [Some(2), Some(1)]);
    text(&mut desk, 1, "2");
    assert_eq!(counted(&desk), [Some(1), Some(1)], "one is finished");
    text(&mut desk, 2, "1");
    assert_eq!(counted(&desk), [None, Some(1)], "one waits for an agent");
}

#[test]
fn a_version_that_is_lost_fails_at_the_step_at_which_it_waited() {
    let mut desk = greeted(config(), &["ana"]);
    text(&mut desk, 1, "TEXT-one");
    desk.versions.clear();
    text(&mut desk, 1, "1");
    assert_eq!((ends(&desk), failed_at(&desk)), (vec![BotEndReason::Lost], Some("topic")));
    text(&mut desk, 2, "TEXT-one");
    assert_eq!((ends(&desk).len(), failed_at(&desk)), (2, None), "it had not begun");
}

#[test]
fn an_answer_at_the_instant_at_which_the_time_is_over_comes_too_late() {
    let mut desk = greeted(config(), &[]);
    let open = text(&mut desk, 1, "TEXT-one");
    desk.now += jiff::SignedDuration::from_secs(60);
    desk.text(1, "1");
    desk.bot_turns();
    assert_eq!((ends(&desk), desk.said(open).last().copied()), (vec![BotEndReason::TimedOut], Some("TEXT-idle")));
}

#[test]
fn who_cannot_be_answered_meets_no_bot() {
    let mut desk = greeted(config(), &["ana"]);
    desk.text(1, "STOP");
    assert_eq!(desk.text(1, "TEXT-but"), InboundOutcome::Queued);
    let name = crate::sms::Sender::from("Acme".to_owned());
    assert_eq!(desk.text_from(&name, "TEXT-promo", None), InboundOutcome::Queued);
    desk.bot_turns();
    assert_eq!(begun(&desk), 0);
}

/// How many bots began.
fn begun(desk: &Desk) -> usize {
    let has_begun = |event: &&Event| matches!(event.what, Happened::Interaction(InteractionEvent::BotStarted { .. }));
    desk.log.iter().filter(has_begun).count()
}

#[test]
fn two_machines_do_not_talk_to_each_other_for_ever() {
    // Each text begins an interaction, and the bot ends it: five in an hour.
    let mut desk = greeted(config(), &["ana"]);
    for at in 1..=5 {
        assert_eq!(desk.text(1, "TEXT-away"), InboundOutcome::Bot, "{at}");
        desk.bot_turns();
        desk.pass_seconds(50);
        desk.text(1, "2");
        desk.bot_turns();
    }
    assert_eq!(desk.text(1, "TEXT-away"), InboundOutcome::Queued);
    assert_eq!(desk.text(2, "TEXT-hello"), InboundOutcome::Bot, "others meet it");
    let open = desk.open(1).unwrap();
    desk.finish("ana", open).unwrap();
    desk.pass_seconds(3400);
    assert_eq!(desk.text(1, "TEXT-back"), InboundOutcome::Bot, "an hour after the first");

    // Or one conversation goes on and on.
    let mut desk = Desk::with_agents(config(), &["ana"]);
    let spec = json!({"steps": [
        {"name": "ask", "ask": {"text": "TEXT-more?", "into": "more", "answers": [{"value": "no"}], "onInvalid": "ask", "attempts": 1}},
        {"name": "end", "finish": {}},
    ]});
    let on_start = Some(desk.bot("endless", spec));
    desk.configure(|config| config.bots = Bots { on_start, ..Bots::default() });
    let open = text(&mut desk, 1, "TEXT-hello");
    for _ in 0..99 {
        assert_eq!(desk.owner(open), None);
        text(&mut desk, 1, "TEXT-yes");
    }
    text(&mut desk, 1, "TEXT-yes");
    assert_eq!((desk.owner(open), desk.said(open).len()), (Some("ana"), 100));
    assert_eq!((ends(&desk), failed_at(&desk)), (vec![BotEndReason::TooManyTurns], Some("ask")));
}

#[test]
fn where_bots_may_take_no_step_all_goes_on_as_without() {
    type Keeps = fn(&mut Desk);
    let cases: [(&str, Keeps); 2] = [
        ("a full volume", |desk| desk.state.set_volume_full(true)),
        ("storage that nobody accepted", |desk| desk.state.set_storage_accepted(false)),
    ];
    for (what, keep) in cases {
        let mut desk = with_survey();
        let open = text(&mut desk, 1, "TEXT-one");
        keep(&mut desk);
        desk.finish("ana", open).unwrap();
        assert_eq!(closed(&desk), Some((CloseReason::Finished, Some("ana".into()))), "{what}");

        let mut desk = with_apology(OfferMode::Assign, &[]);
        let open = text(&mut desk, 1, "TEXT-one");
        keep(&mut desk);
        desk.pass_seconds(100);
        desk.online("ana");
        desk.present("ana", true);
        assert_eq!(desk.owner(open), Some("ana"), "{what}: it waits for an agent, not for a bot");
    }
    let mut desk = with_survey();
    let open = text(&mut desk, 1, "TEXT-one");
    desk.configure(|config| config.enabled = false);
    desk.finish("ana", open).unwrap();
    assert_eq!(desk.open(1), None, "a disabled channel asks nobody how it was");

    let mut desk = greeted(config(), &["ana"]);
    desk.state.set_storage_accepted(false);
    assert_eq!(desk.text(1, "TEXT-one"), InboundOutcome::Queued);
}

#[test]
fn those_on_their_way_to_the_queue_have_a_place_in_it() {
    let mut desk = greeted(ChannelConfig { max_queued: Some(2.try_into().unwrap()), ..config() }, &[]);
    text(&mut desk, 1, "TEXT-one");
    text(&mut desk, 1, "1");
    text(&mut desk, 2, "TEXT-two");
    assert_eq!(desk.text(3, "TEXT-three"), InboundOutcome::QueueFull);
    text(&mut desk, 2, "1");
    assert_eq!(desk.state.queue_len(), 2, "the hand-off fits");
}

#[test]
fn a_higher_priority_comes_first_and_then_the_arrival() {
    let mut desk = greeted(config(), &[]);
    desk.configure(|config| config.bots = Bots::default());
    let plain = text(&mut desk, 1, "TEXT-one");
    let on_start = Some(desk.bot("greeting", greeting()));
    desk.configure(|config| config.bots = Bots { on_start, ..Bots::default() });
    let [second, third] = [2, 3].map(|customer| {
        desk.pass_seconds(1);
        text(&mut desk, customer, "TEXT-hi");
        text(&mut desk, customer, "1")
    });
    assert_eq!(desk.state.queue().collect::<Vec<_>>(), [second, third, plain]);
    desk.restart();
    assert_eq!(desk.state.queue().collect::<Vec<_>>(), [second, third, plain]);
}

#[test]
fn while_the_channel_is_disabled_no_bot_takes_a_step_and_its_time_stands_still() {
    let mut desk = greeted(config(), &[]);
    let open = text(&mut desk, 1, "TEXT-one");
    desk.pass_seconds(59);
    desk.configure(|config| config.enabled = false);
    desk.pass_seconds(1000);
    assert_eq!(desk.text(1, "1"), InboundOutcome::Disabled);
    assert!(!desk.bot_turn(0));
    desk.configure(|config| config.enabled = true);
    assert_eq!(desk.said(open).len(), 2, "what came while it was disabled is no answer");
    desk.text(1, "1");
    desk.state.set_volume_full(true);
    assert!(!desk.bot_turn(0));
    desk.state.set_volume_full(false);
    desk.bot_turns();
    assert_eq!(ends(&desk), [BotEndReason::HandedOff]);
}

#[test]
fn a_conversation_keeps_the_version_that_it_began_with() {
    let mut desk = greeted(config(), &[]);
    let old = text(&mut desk, 1, "TEXT-one");
    let mut edited = greeting();
    edited["steps"][0]["say"]["text"] = "TEXT-welcome".into();
    edited["steps"][2]["branch"]["cases"][0]["when"][0]["equals"] = "3".into();
    edited["steps"][1]["ask"]["answers"][0]["value"] = "3".into();
    let on_start = Some(desk.bot("greeting", edited));
    desk.configure(|config| config.bots = Bots { on_start, ..Bots::default() });
    let new = text(&mut desk, 2, "TEXT-two");
    assert_eq!(desk.said(new)[0], "TEXT-welcome");
    desk.restart();
    desk.text(1, "2");
    desk.bot_turns();
    assert_eq!(closed(&desk), Some((CloseReason::BotFinished, None)), "only the old version finishes");
    assert_eq!(desk.state.interaction(old), None);
    text(&mut desk, 2, "2");
    assert!(desk.state.interaction(new).unwrap().is_queued());
}

/// A desk where what waits for 100 s meets a bot that asks whether to wait on.
fn with_apology(mode: OfferMode, users: &[&str]) -> Desk {
    let members = [member("ana", 1, 1), member("bo", 2, 1)].into_iter().collect();
    let max_queue = Some(jiff::SignedDuration::from_secs(100));
    let mut desk = Desk::with_agents(ChannelConfig { members, max_queue, offer: mode, ..config() }, users);
    let spec = json!({"steps": [
        {"name": "sorry", "ask": {"text": "TEXT-sorry", "into": "on", "answers": [{"value": "on"}, {"value": "off"}]}},
        {"name": "by-answer", "branch": {
            "cases": [{"name": "on", "when": [{"variable": "on", "equals": "on"}], "next": "wait"}], "otherwise": "end"}},
        {"name": "wait", "handOff": {"priority": 1}},
        {"name": "end", "finish": {}},
    ]});
    let on_queue_timeout = Some(desk.bot("apology", spec));
    desk.configure(|config| config.bots = Bots { on_queue_timeout, ..Bots::default() });
    desk
}

#[test]
fn who_waits_too_long_is_asked_and_goes_on_waiting_or_ends() {
    let mut desk = with_apology(OfferMode::Assign, &[]);
    let first = text(&mut desk, 1, "TEXT-one");
    desk.pass_seconds(1);
    let second = text(&mut desk, 2, "TEXT-two");
    desk.pass_seconds(100);
    desk.bot_turns();
    assert_eq!((desk.said(first), desk.said(second)), (vec!["TEXT-sorry"], vec!["TEXT-sorry"]));
    assert_eq!(desk.state.statistics(desk.now).waiting, 2, "they wait all the same");
    desk.online("ana");
    desk.present("ana", true);
    assert_eq!((desk.owner(first), desk.owner(second)), (None, None), "a bot talks to them");
    text(&mut desk, 2, "on");
    assert_eq!(desk.owner(second), Some("ana"), "the other one is not given yet");
    desk.text(1, "off");
    desk.bot_turns();
    assert_eq!(closed(&desk), Some((CloseReason::QueueTimeout, None)));
    let level = desk.state.service_level(desk.now);
    assert_eq!((level.unanswered, level.answered), (1, 0));
    desk.pass_seconds(1000);
    desk.bot_turns();
    assert_eq!(ends(&desk), [BotEndReason::HandedOff, BotEndReason::Finished], "once for each interaction");
}

#[test]
fn a_bot_for_those_who_wait_keeps_their_place() {
    let mut desk = with_apology(ask(20), &[]);
    let [first, second] = [1, 2].map(|customer| {
        desk.pass_seconds(1);
        text(&mut desk, customer, "TEXT-hi")
    });
    desk.pass_seconds(100);
    desk.bot_turns();
    text(&mut desk, 2, "on");
    text(&mut desk, 1, "on");
    assert_eq!(desk.state.queue().collect::<Vec<_>>(), [first, second], "both with the same priority now");
}

/// A desk where customers are asked how it was.
fn with_survey() -> Desk {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    let spec = json!({"steps": [
        {"name": "how", "ask": {"text": "TEXT-how?", "into": "mark", "matches": "[1-5]", "attempts": 1}},
        {"name": "by-mark", "branch": {
            "cases": [{"name": "bad", "when": [{"variable": "mark", "lessThan": 3}], "next": "agent"}], "otherwise": "thanks"}},
        {"name": "agent", "handOff": {"priority": 9}},
        {"name": "thanks", "finish": {"note": "TEXT-mark {{ mark }}"}},
    ]});
    let on_end = Some(desk.bot("survey", spec));
    desk.configure(|config| config.bots = Bots { on_end, ..Bots::default() });
    desk
}

/// Ana has answered and finished.
fn finished(desk: &mut Desk) -> InteractionId {
    let open = text(desk, 1, "TEXT-one");
    desk.reply("ana", open).unwrap();
    desk.finish("ana", open).unwrap();
    open
}

#[test]
fn after_the_end_the_agent_is_free_and_the_customer_is_asked() {
    let mut desk = with_survey();
    let open = finished(&mut desk);
    let ana = desk.state.agent(&"ana".into()).unwrap();
    assert!(ana.open.is_empty() && ana.last_finish.is_some());
    assert_eq!(desk.reply("ana", open), Err(Refusal::NotOwner));
    let now = desk.state.statistics(desk.now);
    assert_eq!((now.waiting, now.with_bot, now.active), (0, 0, 0));
    desk.bot_turns();
    desk.restart();
    desk.text(1, "5");
    desk.bot_turns();
    assert_eq!(closed(&desk), Some((CloseReason::Finished, Some("ana".into()))));
    assert_eq!(desk.customer(1).last_agent.map(|last| last.user), Some("ana".into()));
    assert_eq!(desk.state.service_level(desk.now).answered, 1, "counted once");
    let on = desk.state.config().schedule.date(desk.now);
    assert_eq!(desk.state.agent(&"ana".into()).unwrap().completed_on(on), 1, "counted once");
}

#[test]
fn a_survey_hands_off_what_comes_up_and_ends_when_nobody_answers() {
    let mut desk = with_survey();
    let open = finished(&mut desk);
    desk.bot_turns();
    text(&mut desk, 1, "1");
    assert_eq!(desk.owner(open), Some("ana"), "it is an agent's again");
    assert_eq!(desk.state.interaction(open).unwrap().waiting_since, None, "its wait was counted before");

    let mut desk = with_survey();
    finished(&mut desk);
    desk.bot_turns();
    desk.pass_seconds(600);
    desk.bot_turns();
    assert_eq!(ends(&desk), [BotEndReason::TimedOut]);
    assert_eq!(closed(&desk), Some((CloseReason::Finished, Some("ana".into()))));
}

/// Asks for an order's number, looks it up, and says what is known of it.
fn order_status() -> serde_json::Value {
    json!({"steps": [
        {"name": "ask", "ask": {"text": "TEXT-order?", "into": "number"}},
        {"name": "look-up", "http": {"url": "https://crm/orders/{{ number }}", "into": "order", "onError": "agent"}},
        {"name": "tell", "say": {"text": "TEXT-order {{ order.state }}"}},
        {"name": "end", "finish": {}},
        {"name": "agent", "handOff": {"note": "TEXT-no answer"}},
    ]})
}

#[test]
fn a_bot_goes_on_with_what_its_service_answers_and_otherwise_where_it_says() {
    let answered = |body: &str| CallResult::Answered(body.as_bytes().to_vec());
    let cases = [
        (answered(r#"{"state": "TEXT-paid"}"#), "TEXT-order TEXT-paid", BotEndReason::Finished),
        (answered("<html>"), "", BotEndReason::HandedOff),
        (answered(""), "", BotEndReason::HandedOff),
        (CallResult::Failed(CallFailure::TimedOut), "", BotEndReason::HandedOff),
    ];
    for (result, said, end) in cases {
        let mut desk = Desk::with_agents(config(), &["ana"]);
        let on_start = Some(desk.bot("order-status", order_status()));
        desk.configure(|config| config.bots = Bots { on_start, ..Bots::default() });
        let open = text(&mut desk, 1, "TEXT-hello");
        desk.text(1, "17");
        assert!(desk.bot_turn(0), "the turn that ends at the call");
        assert!(desk.state.bot_turns().next().is_none(), "it waits for the service");
        assert_eq!(desk.text(1, "TEXT-are you there?"), InboundOutcome::Joined, "that answers nothing");
        desk.restart();
        desk.online("ana");
        assert_eq!(desk.state.bot_calls().count(), 1, "the call is made again after a restart");
        desk.services.push_back(result);
        desk.bot_turns();
        assert_eq!(desk.said(open)[1..].join(""), said);
        assert_eq!(ends(&desk), [end]);
        assert_eq!(desk.owner(open), (end == BotEndReason::HandedOff).then_some("ana"), "never lost");
    }
}

#[test]
fn the_answer_of_a_service_is_of_no_use_after_the_conversation_has_ended() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    let on_start = Some(desk.bot("order-status", order_status()));
    desk.configure(|config| config.bots = Bots { on_start, ..Bots::default() });
    let open = text(&mut desk, 1, "TEXT-hello");
    desk.text(1, "17");
    desk.bot_turn(0);
    desk.text(1, "STOP");
    assert_eq!(desk.state.bot_calls().count(), 0);
    desk.bot_turns();
    assert_eq!(desk.said(open).len(), 1, "the question");
    assert_eq!(ends(&desk), [BotEndReason::OptedOut]);
}
