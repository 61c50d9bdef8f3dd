//! The ledger of outbound messages.

use std::num::{NonZeroU32, NonZeroU64};

use jiff::SignedDuration;

use super::desk::{Desk, config, number};
use crate::engine::core::{
    blocklist::{Blocklist, Direction, Entry},
    command::{Answer, Command, ReceiptAnswer, Refusal, SendResult},
    config::{ChannelConfig, RateLimit},
    delivery::{DeliveryState, FailureClass, MessageStatus, SendOutcome},
    ids::{Attempt, Epoch, MessageId},
};

fn limited(segments: u32, per_seconds: u64) -> ChannelConfig {
    let mut config = config();
    config.per_number =
        RateLimit { segments: NonZeroU32::new(segments).unwrap(), per_seconds: NonZeroU64::new(per_seconds).unwrap() };
    config
}

/// A desk where Ana has the interactions of customers 1 and 2.
fn two_customers(config: ChannelConfig) -> Desk {
    let mut desk = Desk::with_agents(config, &["ana"]);
    desk.text(1, "TEXT-hello");
    desk.text(2, "TEXT-hello");
    desk
}

fn reply_to(desk: &mut Desk, customer: u32) -> MessageId {
    let open = desk.open(customer).unwrap();
    desk.reply("ana", open).unwrap()
}

#[test]
fn a_customer_has_one_message_at_the_gateway_and_gets_them_in_order() {
    let mut desk = two_customers(config());
    let a1 = reply_to(&mut desk, 1);
    let a2 = reply_to(&mut desk, 1);
    let b1 = reply_to(&mut desk, 2);
    assert_eq!(desk.at_gateway(), [a1, b1]);
    desk.answer(b1, SendOutcome::Accepted).unwrap();
    assert_eq!(desk.at_gateway(), [a1]);
    desk.answer(a1, SendOutcome::Accepted).unwrap();
    assert_eq!(desk.at_gateway(), [a2]);
}

#[test]
fn what_was_not_sent_is_tried_again_first_after_the_wait() {
    let mut desk = two_customers(config());
    let a1 = reply_to(&mut desk, 1);
    let a2 = reply_to(&mut desk, 1);
    desk.answer(a1, SendOutcome::NotSent { retry_after: SignedDuration::from_secs(5) }).unwrap();
    let b1 = reply_to(&mut desk, 2);
    desk.pass(SignedDuration::from_millis(4999));
    assert_eq!((desk.at_gateway(), desk.status(a1)), (vec![], MessageStatus::Waiting));
    desk.pass(SignedDuration::from_millis(1));
    assert_eq!(desk.at_gateway(), [a1, b1]);
    assert_eq!(desk.attempt(a1), Attempt(2));
    desk.answer(a1, SendOutcome::Accepted).unwrap();
    assert_eq!(desk.at_gateway(), [a2, b1]);
}

#[test]
fn no_answer_makes_a_channel_wait_for_ever() {
    let mut desk = two_customers(config());
    let a1 = reply_to(&mut desk, 1);
    desk.answer(a1, SendOutcome::NotSent { retry_after: SignedDuration::MAX }).unwrap();
    desk.pass_seconds(600);
    assert_eq!(desk.at_gateway(), [a1]);
    desk.answer(a1, SendOutcome::NotSent { retry_after: SignedDuration::MIN }).unwrap();
    assert_eq!(desk.attempt(a1), Attempt(3));
}

#[test]
fn an_answer_counts_once_and_for_its_own_attempt() {
    let mut desk = two_customers(config());
    let message = reply_to(&mut desk, 1);
    desk.answer(message, SendOutcome::NotSent { retry_after: SignedDuration::ZERO }).unwrap();
    let late = |attempt| {
        Command::SendResult(SendResult { message, attempt, outcome: SendOutcome::Accepted, parked: Vec::new() })
    };
    let refusal = |attempt| Err(Refusal::NotWaiting { message, attempt });
    assert_eq!(desk.execute(&late(Attempt(1))).answer, refusal(Attempt(1)));
    assert_eq!(desk.execute(&late(Attempt(2))).answer, Ok(Answer::Done));
    assert_eq!(desk.execute(&late(Attempt(2))).answer, refusal(Attempt(2)));
}

#[test]
fn what_may_have_been_sent_is_never_repeated_and_a_receipt_settles_it() {
    let mut desk = two_customers(config());
    let first = reply_to(&mut desk, 1);
    let second = reply_to(&mut desk, 1);
    desk.answer(first, SendOutcome::Unknown).unwrap();
    assert_eq!((desk.status(first), desk.at_gateway()), (MessageStatus::Unknown, vec![second]));
    desk.restart();
    desk.pass_seconds(10_000);
    assert_eq!(desk.at_gateway(), [second]);
    assert_eq!(desk.receipt(first, true, DeliveryState::Delivered), ReceiptAnswer::Applied);
    assert_eq!(desk.status(first), MessageStatus::Delivered);
}

#[test]
fn a_message_at_the_gateway_is_still_there_after_a_restart() {
    let mut desk = two_customers(config());
    let message = reply_to(&mut desk, 1);
    desk.restart();
    assert_eq!((desk.at_gateway(), desk.attempt(message)), (vec![message], Attempt(1)));
    desk.answer(message, SendOutcome::Refused(FailureClass::InvalidNumber)).unwrap();
    assert_eq!(desk.status(message), MessageStatus::Failed(FailureClass::InvalidNumber));
}

#[test]
fn a_receipt_before_the_answer_waits_for_it() {
    let mut desk = two_customers(config());
    let message = reply_to(&mut desk, 1);
    assert_eq!(desk.receipt(message, false, DeliveryState::Sent), ReceiptAnswer::Parked);
    assert_eq!(desk.receipt(message, false, DeliveryState::Delivered), ReceiptAnswer::Parked);
    desk.answer(message, SendOutcome::Accepted).unwrap();
    assert_eq!(desk.status(message), MessageStatus::Delivered);
    assert_eq!(desk.receipt(message, false, DeliveryState::Sent), ReceiptAnswer::Ignored);
    assert_eq!(desk.status(message), MessageStatus::Delivered);
}

#[test]
fn a_receipt_with_our_token_is_further_than_any_answer() {
    let not_sent = SendOutcome::NotSent { retry_after: SignedDuration::ZERO };
    for answer in [SendOutcome::Accepted, SendOutcome::Unknown, not_sent, SendOutcome::Refused(FailureClass::Failed)] {
        let mut desk = two_customers(config());
        let message = reply_to(&mut desk, 1);
        assert_eq!(desk.receipt(message, true, DeliveryState::Delivered), ReceiptAnswer::Applied);
        assert_eq!(desk.at_gateway(), [message], "the answer is still awaited");
        desk.restart();
        desk.answer(message, answer).unwrap();
        assert_eq!((desk.status(message), desk.at_gateway()), (MessageStatus::Delivered, vec![]));
    }
}

#[test]
fn a_receipt_for_what_waits_says_that_it_was_sent() {
    let mut desk = two_customers(config());
    let message = reply_to(&mut desk, 1);
    desk.answer(message, SendOutcome::NotSent { retry_after: SignedDuration::from_secs(5) }).unwrap();
    desk.receipt(message, true, DeliveryState::Sent);
    desk.pass_seconds(60);
    assert_eq!((desk.at_gateway(), desk.status(message)), (vec![], MessageStatus::Sent));
}

#[test]
fn the_number_sends_within_its_limit() {
    /// Limit, texts in segments, and when each is handed over, in milliseconds.
    type Case = ((u32, u64), &'static [usize], &'static [i64]);
    let cases: [Case; 5] = [
        ((1, 1), &[1, 1, 1], &[0, 1000, 2000]),
        ((2, 1), &[1, 1, 1, 1], &[0, 0, 500, 1000]),
        ((10, 1), &[2, 2, 2, 2, 2, 2], &[0, 0, 0, 0, 0, 200]),
        // A message that is larger than the bucket goes when it is full; the next waits until it is paid for.
        ((1, 1), &[3, 1], &[0, 3000]),
        ((3, 60), &[1, 2, 1], &[0, 0, 20_000]),
    ];
    for ((segments, per_seconds), texts, expected) in cases {
        let mut config = limited(segments, per_seconds);
        config.members = [super::desk::member("ana", 1, 100)].into_iter().collect();
        let mut desk = Desk::with_agents(config, &["ana"]);
        desk.pass_seconds(3600);
        for customer in 0..texts.len() {
            desk.text(customer as u32, "TEXT-hello");
        }
        let began = desk.now;
        for (customer, parts) in (0..).zip(texts) {
            let interaction = desk.open(customer).unwrap();
            let text = "a".repeat(if *parts == 1 { 1 } else { parts * 153 });
            let command = Command::Reply { user: "ana".into(), interaction, epoch: Epoch(1), text: text.into() };
            desk.execute(&command).answer.unwrap();
        }
        desk.pass_seconds(120);
        let attempts = desk.log.iter().filter(|event| event.name() == "AttemptStarted");
        let at: Vec<i64> = attempts.map(|event| event.at.duration_since(began).as_millis() as i64).collect();
        assert_eq!(at, expected, "{segments} in {per_seconds} s, texts of {texts:?}");
    }
}

#[test]
fn what_was_not_sent_takes_nothing_of_the_limit() {
    let mut desk = two_customers(limited(1, 60));
    let a = reply_to(&mut desk, 1);
    for _ in 0..10 {
        desk.answer(a, SendOutcome::NotSent { retry_after: SignedDuration::ZERO }).unwrap();
    }
    assert_eq!(desk.attempt(a), Attempt(11));
    desk.answer(a, SendOutcome::Accepted).unwrap();
    reply_to(&mut desk, 2);
    assert_eq!(desk.at_gateway(), []);
    desk.pass_seconds(60);
    assert_eq!(desk.at_gateway().len(), 1);
}

#[test]
fn the_limit_is_kept_over_a_restart() {
    let mut desk = two_customers(limited(1, 60));
    reply_to(&mut desk, 1);
    desk.accept_all();
    desk.restart();
    reply_to(&mut desk, 2);
    assert_eq!(desk.at_gateway(), []);
}

#[test]
fn a_limit_that_is_lifted_holds_nothing_back_any_more() {
    let mut desk = two_customers(limited(1, 3600));
    reply_to(&mut desk, 1);
    desk.accept_all();
    reply_to(&mut desk, 2);
    assert_eq!(desk.at_gateway(), []);
    desk.configure(|config| config.per_number = limited(10, 1).per_number);
    desk.pass_seconds(1);
    assert_eq!(desk.at_gateway().len(), 1);
}

/// A desk where Ana has two replies to customer 1, of which the first is `Unknown`; with a supervisor, and Bo.
fn with_unknown() -> (Desk, MessageId, MessageId) {
    let mut config = config();
    config.supervisors = ["eva".into()].into();
    let mut desk = two_customers(config);
    let (first, second) = (reply_to(&mut desk, 1), reply_to(&mut desk, 1));
    desk.answer(first, SendOutcome::Unknown).unwrap();
    (desk, first, second)
}

#[test]
fn what_is_unknown_goes_once_more_when_its_owner_or_a_supervisor_says_so() {
    for user in ["ana", "eva"] {
        let (mut desk, message, other) = with_unknown();
        assert_eq!(desk.resend("bo", message), Err(Refusal::NotOwner));
        assert_eq!(desk.resend(user, message), Ok(Attempt(2)));
        assert_eq!(desk.at_gateway(), [other], "another one of the customer is on its way");
        assert_eq!(desk.resend(user, message), Err(Refusal::NotUnknown { message, status: MessageStatus::Waiting }));
        desk.restart();
        desk.answer(other, SendOutcome::Accepted).unwrap();
        assert_eq!((desk.at_gateway(), desk.attempt(message)), (vec![message], Attempt(2)));
        desk.answer(message, SendOutcome::NotSent { retry_after: SignedDuration::ZERO }).unwrap();
        assert_eq!((desk.at_gateway(), desk.attempt(message)), (vec![message], Attempt(3)), "as any message");
        desk.answer(message, SendOutcome::Accepted).unwrap();
        assert_eq!(desk.status(message), MessageStatus::Accepted);
        assert_eq!(desk.resend(user, message), Err(Refusal::NotUnknown { message, status: MessageStatus::Accepted }));
    }
}

#[test]
fn what_was_resent_stands_before_what_waits() {
    let (mut desk, first, second) = with_unknown();
    let third = reply_to(&mut desk, 1);
    desk.answer(second, SendOutcome::NotSent { retry_after: SignedDuration::from_secs(5) }).unwrap();
    desk.resend("ana", first).unwrap();
    desk.pass_seconds(5);
    for message in [first, second, third] {
        assert_eq!(desk.at_gateway(), [message]);
        desk.answer(message, SendOutcome::Accepted).unwrap();
    }
}

#[test]
fn what_may_not_be_said_is_not_resent() {
    let (mut desk, message, _) = with_unknown();
    let no_such = MessageId(999);
    assert_eq!(desk.resend("ana", no_such), Err(Refusal::NoSuchMessage(no_such)));
    desk.configure(|config| config.enabled = false);
    assert_eq!(desk.resend("ana", message), Err(Refusal::Disabled));
    desk.configure(|config| config.enabled = true);
    let open = desk.open(1).unwrap();
    desk.text(1, "STOP");
    assert_eq!(desk.resend("ana", message), Err(Refusal::OptedOut));
    desk.finish("ana", open).unwrap();
    assert_eq!(desk.resend("ana", message), Err(Refusal::NotOpen(open)));

    let (mut desk, _, _) = with_unknown();
    desk.text(1, "HELP");
    let help = *desk.messages.keys().next_back().unwrap();
    while desk.at_gateway() != [help] {
        let message = desk.at_gateway()[0];
        desk.answer(message, SendOutcome::Accepted).unwrap();
    }
    desk.answer(help, SendOutcome::Unknown).unwrap();
    assert_eq!(desk.resend("ana", help), Err(Refusal::NotResendable(help)), "a text of the engine's own");
}

#[test]
fn the_first_message_of_an_interaction_is_not_resent_to_who_is_on_a_blocklist_by_now() {
    let mut desk = Desk::with_agents(config(), &["ana"]);
    let (_, start) = desk.start("ana", 7).unwrap();
    desk.answer(start, SendOutcome::Unknown).unwrap();
    let open = desk.open(7).unwrap();
    let reply = desk.reply("ana", open).unwrap();
    desk.answer(reply, SendOutcome::Unknown).unwrap();
    desk.configure(|config| {
        let entry = Entry { number: number(7), direction: Direction::Outbound, expires_at: None };
        config.blocklist = Blocklist::new(true, true, [entry]);
    });
    assert_eq!(desk.resend("ana", start), Err(Refusal::Blocked));
    assert_eq!(desk.resend("ana", reply), Ok(Attempt(2)), "what is under way goes on");
    desk.configure(|config| config.blocklist = Blocklist::default());
    assert_eq!(desk.resend("ana", start), Ok(Attempt(2)));
}

#[test]
fn a_receipt_of_the_first_attempt_settles_what_is_resent() {
    let first = Some(Attempt(1));
    let failed = DeliveryState::Failed(FailureClass::Failed);
    for state in [DeliveryState::Sent, DeliveryState::Delivered, failed] {
        let settled = MessageStatus::Unknown.after(state).unwrap();
        let (mut desk, message, _) = with_unknown();
        desk.receipt_of(message, first, state);
        let status = settled;
        assert_eq!(desk.resend("ana", message), Err(Refusal::NotUnknown { message, status }), "before it is asked");
    }
    for state in [DeliveryState::Sent, DeliveryState::Delivered] {
        let settled = MessageStatus::Unknown.after(state).unwrap();
        let (mut waiting, message, other) = with_unknown();
        waiting.resend("ana", message).unwrap();
        waiting.receipt_of(message, first, state);
        waiting.restart();
        waiting.answer(other, SendOutcome::Accepted).unwrap();
        assert_eq!((waiting.at_gateway(), waiting.status(message)), (vec![], settled), "before it leaves");

        for outcome in [
            SendOutcome::Unknown,
            SendOutcome::NotSent { retry_after: SignedDuration::ZERO },
            SendOutcome::Refused(FailureClass::Filtered),
        ] {
            let (mut flying, message) = with_resend_at_gateway();
            flying.receipt_of(message, first, state);
            flying.restart();
            flying.answer(message, outcome).unwrap();
            assert_eq!((flying.at_gateway(), flying.status(message)), (vec![], settled), "while it is on its way");
        }
    }
}

/// A desk where Ana has had a reply sent once more, which is at the gateway.
fn with_resend_at_gateway() -> (Desk, MessageId) {
    let (mut desk, message, other) = with_unknown();
    desk.answer(other, SendOutcome::Accepted).unwrap();
    desk.resend("ana", message).unwrap();
    assert_eq!(desk.at_gateway(), [message]);
    (desk, message)
}

#[test]
fn that_the_first_attempt_failed_says_nothing_of_what_is_resent() {
    let failed = DeliveryState::Failed(FailureClass::Failed);
    // A token of an older version names no attempt: it was made before anything was sent once more.
    for older in [Attempt(1), Attempt(0)] {
        let (mut waiting, message, other) = with_unknown();
        waiting.resend("ana", message).unwrap();
        assert_eq!(waiting.receipt_of(message, Some(older), failed), ReceiptAnswer::Ignored);
        waiting.restart();
        waiting.answer(other, SendOutcome::Accepted).unwrap();
        assert_eq!(waiting.at_gateway(), [message], "it still goes");

        let (mut desk, message) = with_resend_at_gateway();
        assert_eq!(desk.receipt_of(message, Some(older), failed), ReceiptAnswer::Ignored);
        desk.restart();
        desk.answer(message, SendOutcome::Accepted).unwrap();
        assert_eq!(desk.receipt_of(message, Some(older), failed), ReceiptAnswer::Ignored);
        assert_eq!(desk.status(message), MessageStatus::Accepted);
        assert_eq!(desk.receipt_of(message, Some(Attempt(2)), DeliveryState::Delivered), ReceiptAnswer::Applied);
        assert_eq!(desk.status(message), MessageStatus::Delivered);
    }
}

#[test]
fn that_the_second_attempt_failed_leaves_open_whether_the_first_arrived() {
    const FAILED: DeliveryState = DeliveryState::Failed(FailureClass::Failed);
    let refused = |desk: &mut Desk, message| {
        desk.answer(message, SendOutcome::Refused(FailureClass::Filtered)).unwrap();
    };
    let failed_later = |desk: &mut Desk, message| {
        desk.answer(message, SendOutcome::Accepted).unwrap();
        assert_eq!(desk.receipt(message, true, FAILED), ReceiptAnswer::Applied);
        assert_eq!(desk.receipt(message, true, FAILED), ReceiptAnswer::Ignored, "said twice");
    };
    let failed_before_the_answer = |desk: &mut Desk, message| {
        assert_eq!(desk.receipt(message, true, FAILED), ReceiptAnswer::Parked);
        desk.restart();
        desk.answer(message, SendOutcome::Accepted).unwrap();
    };
    let ways: [fn(&mut Desk, MessageId); 3] = [refused, failed_later, failed_before_the_answer];
    for (n, fails) in ways.into_iter().enumerate() {
        let (mut desk, message) = with_resend_at_gateway();
        fails(&mut desk, message);
        desk.restart();
        assert_eq!((n, desk.at_gateway(), desk.status(message)), (n, vec![], MessageStatus::Unknown));
        let mut again = desk.clone();
        assert_eq!(again.resend("ana", message), Ok(Attempt(3)));
        desk.receipt_of(message, Some(Attempt(1)), DeliveryState::Delivered);
        assert_eq!((n, desk.status(message)), (n, MessageStatus::Delivered));
    }
}

#[test]
fn who_opted_out_at_the_provider_did_so_whichever_attempt_says_it() {
    let opted_out = DeliveryState::Failed(FailureClass::OptedOut);
    let (mut desk, message, other) = with_unknown();
    desk.resend("ana", message).unwrap();
    assert_eq!(desk.receipt_of(message, Some(Attempt(1)), opted_out), ReceiptAnswer::Ignored);
    assert!(desk.customer(1).opted_out);
    desk.answer(other, SendOutcome::Accepted).unwrap();
    assert_eq!((desk.at_gateway(), desk.status(message)), (vec![], MessageStatus::Unknown));
}

#[test]
fn what_is_resent_and_given_up_is_unknown_as_before() {
    let (mut desk, message, other) = with_unknown();
    desk.resend("ana", message).unwrap();
    desk.text(1, "STOP");
    assert_eq!(desk.status(message), MessageStatus::Unknown);
    desk.answer(other, SendOutcome::Accepted).unwrap();
    assert!(!desk.at_gateway().contains(&message));
    desk.receipt(message, true, DeliveryState::Delivered);
    assert_eq!(desk.status(message), MessageStatus::Delivered);
}

#[test]
fn a_resend_that_nobody_knows_the_end_of_can_be_asked_for_again() {
    let (mut desk, message, other) = with_unknown();
    desk.answer(other, SendOutcome::Accepted).unwrap();
    for attempt in 2..5 {
        assert_eq!(desk.resend("ana", message), Ok(Attempt(attempt)));
        desk.answer(message, SendOutcome::Unknown).unwrap();
        assert_eq!(desk.status(message), MessageStatus::Unknown);
    }
}
