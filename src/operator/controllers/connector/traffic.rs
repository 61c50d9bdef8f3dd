//! Whether inbound traffic finds its way: what a gateway says of its spool. Pure.

use crate::{
    api::Reason,
    operator::runtime::desired_condition::DesiredCondition,
    wire::status::{GatewayStatus, RoomState},
};

/// Numbers that a message names.
const NAMED: usize = 5;

/// `TrafficRouted`: nothing is unrouted but what has a route on its way, nothing parked, the spool works and has room. The gravest cause is
/// the reason; the message has all.
pub(super) fn routed(said: &GatewayStatus, is_coming: impl Fn(&str) -> bool) -> DesiredCondition {
    let unrouted = unrouted(said, is_coming);
    let causes = [failing(said), full(said), full_ledgers(said), damaged(said), parked(said), unrouted];
    let mut causes = causes.into_iter().flatten();
    let Some((reason, mut message)) = causes.next() else {
        let message = "every inbound message found a channel".to_owned();
        return DesiredCondition::yes(Reason::AllRouted, with_clocks(message, said));
    };
    for (_, further) in causes {
        message = format!("{message}; {further}");
    }
    DesiredCondition::no(reason, with_clocks(message, said))
}

fn failing(said: &GatewayStatus) -> Option<(Reason, String)> {
    let failure = said.spool.failure.as_ref()?;
    let message = format!(
        "the spool's database fails ({failure}): texts for engines that are away are turned away, and what waits may not be delivered; look at \
         the log of the gateway's pod and at the pod's volume"
    );
    Some((Reason::SpoolFailing, message))
}

fn full(said: &GatewayStatus) -> Option<(Reason, String)> {
    let message = match said.spool.room.state {
        RoomState::Enough => return None,
        RoomState::Full => "the spool's volume is full: get the engines that are away running, or enlarge \
                            spec.gateway.spool.size; messages for numbers whose engine is away are turned away"
            .to_owned(),
        RoomState::NumbersFull => format!(
            "{} has as much in the spool as one number may have: get its engine running, or enlarge \
             spec.gateway.spool.size; further messages for it are turned away",
            named(said.spool.room.full_numbers.iter())
        ),
    };
    Some((Reason::SpoolFull, message))
}

fn full_ledgers(said: &GatewayStatus) -> Option<(Reason, String)> {
    let full = &said.spool.room.full_ledgers;
    if full.is_empty() {
        return None;
    }
    let message = format!(
        "the spool has as many attempts to send from {} as one number may have, all of the last ten minutes: send fewer, or enlarge \
         spec.gateway.spool.size; further ones wait in the engine",
        named(full.iter())
    );
    Some((Reason::SpoolFull, message))
}

fn damaged(said: &GatewayStatus) -> Option<(Reason, String)> {
    let file = said.spool.set_aside.first()?;
    let message = format!(
        "the spool was damaged and set aside as {file}; what could be read was taken over: look at the file, remove it \
         from the volume and restart the gateway's pod"
    );
    Some((Reason::SpoolDamaged, message))
}

fn parked(said: &GatewayStatus) -> Option<(Reason, String)> {
    let parked = said.spool.parked;
    if parked == 0 {
        return None;
    }
    let why = said
        .spool
        .parked_numbers
        .iter()
        .next()
        .map_or_else(String::new, |(number, parked)| format!(", for example of {number}: {}", parked.reason));
    let message = format!(
        "engines do not take {parked} messages{why}; they are kept and tried again every minute: mend the cause"
    );
    Some((Reason::Parked, message))
}

fn unrouted(said: &GatewayStatus, is_coming: impl Fn(&str) -> bool) -> Option<(Reason, String)> {
    let coming = |number: &&String| is_coming(number);
    let rows: u64 = said.spool.unrouted_numbers.iter().filter(|(number, _)| coming(number)).map(|(_, rows)| rows).sum();
    // Only some are named.
    if said.spool.unrouted <= rows {
        return None;
    }
    let numbers = named(said.spool.unrouted_numbers.keys().filter(|number| !coming(number)));
    let example = if numbers.is_empty() { numbers } else { format!(", for example {numbers}") };
    let message = format!("messages wait for a channel of their number{example}: create an SmsChannel");
    Some((Reason::Unrouted, message))
}

/// Clocks that differ do no harm to messages, only to tokens; whoever looks should know.
fn with_clocks(message: String, said: &GatewayStatus) -> String {
    let Some(skew) = &said.clock_skew else { return message };
    let seconds = skew.ahead_seconds();
    if seconds == 0 {
        return message;
    }
    let direction = if seconds > 0 { "ahead of" } else { "behind" };
    let seconds = seconds.unsigned_abs();
    format!(
        "{message}; the clock of the engine of {} is {seconds} s {direction} the gateway's: synchronize the nodes' clocks",
        skew.number
    )
}

fn named<'n>(numbers: impl Iterator<Item = &'n String>) -> String {
    numbers.take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::ConditionStatus,
        wire::status::{
            ClockSkew, ConfigStatus, CredentialsStatus, ParkedNumber, ProviderStatus, SpoolRoom, SpoolStatus,
        },
    };

    const NUMBER: &str = "+15551230001";
    /// Its route is on its way.
    const COMING: &str = "+15551230000";

    fn said(change: impl FnOnce(&mut GatewayStatus)) -> DesiredCondition {
        let mut said = GatewayStatus {
            version: "1".into(),
            config: ConfigStatus::default(),
            credentials: CredentialsStatus::Unchecked,
            provider: ProviderStatus::default(),
            numbers_listed_at: None,
            numbers_error: None,
            numbers: Vec::new(),
            spool: SpoolStatus::default(),
            clock_skew: None,
            traffic: None,
            sampled_at: jiff::Timestamp::UNIX_EPOCH,
        };
        change(&mut said);
        routed(&said, |number| number == COMING)
    }

    #[test]
    fn each_cause_has_its_reason_and_says_what_to_do() {
        let parked = |spool: &mut SpoolStatus| {
            spool.parked = 2;
            let reason = "HTTP 422: no".to_owned();
            spool.parked_numbers.insert(NUMBER.into(), ParkedNumber { rows: 2, reason });
        };
        let unrouted_of = |spool: &mut SpoolStatus, number: &str| {
            spool.unrouted += 1;
            spool.unrouted_numbers.insert(number.into(), 1);
        };
        let unrouted = |spool: &mut SpoolStatus| unrouted_of(spool, NUMBER);
        let room =
            |state| SpoolRoom { state, used_percent: 90, full_numbers: vec![NUMBER.into()], ..SpoolRoom::default() };
        let cases = [
            (said(|_| {}), ConditionStatus::True, Reason::AllRouted, "every inbound message"),
            (said(|said| unrouted(&mut said.spool)), ConditionStatus::False, Reason::Unrouted, NUMBER),
            (
                said(|said| unrouted_of(&mut said.spool, COMING)),
                ConditionStatus::True,
                Reason::AllRouted,
                "every inbound message",
            ),
            (said(|said| parked(&mut said.spool)), ConditionStatus::False, Reason::Parked, "HTTP 422: no"),
            (
                said(|said| said.spool.room = room(RoomState::NumbersFull)),
                ConditionStatus::False,
                Reason::SpoolFull,
                "+15551230001 has as much",
            ),
            (
                said(|said| said.spool.room = room(RoomState::Full)),
                ConditionStatus::False,
                Reason::SpoolFull,
                "spec.gateway.spool.size",
            ),
            (
                said(|said| said.spool.room.full_ledgers.push(NUMBER.into())),
                ConditionStatus::False,
                Reason::SpoolFull,
                "attempts to send from +15551230001",
            ),
            (
                said(|said| said.spool.failure = Some("SystemIoFailure".into())),
                ConditionStatus::False,
                Reason::SpoolFailing,
                "fails (SystemIoFailure)",
            ),
            (
                said(|said| said.spool.set_aside.push("spool.db.damaged-1".into())),
                ConditionStatus::False,
                Reason::SpoolDamaged,
                "spool.db.damaged-1",
            ),
        ];
        for (condition, status, reason, words) in cases {
            assert_eq!((condition.status, condition.reason), (status, reason));
            assert!(condition.message.contains(words), "{}", condition.message);
        }
        let all = said(|said| {
            parked(&mut said.spool);
            unrouted(&mut said.spool);
        });
        assert_eq!(all.reason, Reason::Parked);
        assert!(all.message.contains("create an SmsChannel"), "{}", all.message);
        let both = said(|said| {
            unrouted(&mut said.spool);
            unrouted_of(&mut said.spool, COMING);
        });
        assert!(both.message.contains(NUMBER) && !both.message.contains(COMING), "{}", both.message);
        let more_than_named = said(|said| {
            unrouted_of(&mut said.spool, COMING);
            said.spool.unrouted += 1;
        });
        assert_eq!(more_than_named.reason, Reason::Unrouted);
    }

    #[test]
    fn clocks_that_differ_are_mentioned() {
        let skew = |engine_ahead_millis| {
            said(|said| said.clock_skew = Some(ClockSkew { number: NUMBER.into(), engine_ahead_millis })).message
        };
        assert!(!skew(2400).contains("clock"));
        assert!(skew(29_990).contains("is 30 s ahead of the gateway's"));
        assert!(skew(-86_400_000).contains("is 86400 s behind the gateway's"));
    }
}
