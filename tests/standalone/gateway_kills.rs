//! The gateway dies again and again, as in a power cut, with requests in flight. Judged from outside: what the provider and the engine saw.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use aldis::wire::outbound::SendOutcome;

use crate::support::{
    engine_fake::{EngineFake, Mood},
    gateway::{ENGINE, Gateway, NUMBER, PUBLIC_URL, request},
    twilio_fake::{Fault, TOKEN, TwilioFake, call_webhook, number},
};

/// How often the gateway dies.
const KILLS: usize = 25;
/// Messages that are under way at once, in each direction.
const AT_ONCE: u64 = 8;

/// What an engine believes of its messages.
type Outcomes = BTreeMap<u64, SendOutcome>;

/// Sends one message as an engine does: asks about the same attempt until there is an answer, makes a new one only after `NotSent`.
async fn send(client: &reqwest::Client, internal: &str, token: &str, message_id: u64) -> SendOutcome {
    let (mut attempt, mut begun, mut asked_before) = (1, Instant::now(), false);
    loop {
        let mut message = request(message_id, attempt, &format!("message {message_id}"));
        (message.asked_before, message.begun_millis_ago) = (asked_before, Some(begun.elapsed().as_millis() as u64));
        let post = client.post(format!("{internal}/internal/messages")).bearer_auth(token).json(&message);
        let answer = match post.timeout(Duration::from_secs(20)).send().await {
            Ok(response) if response.status().is_success() => response.json::<SendOutcome>().await.ok(),
            Ok(_) | Err(_) => None,
        };
        match answer {
            Some(SendOutcome::NotSent { retry_after_millis, .. }) => {
                (attempt, begun, asked_before) = (attempt + 1, Instant::now(), false);
                tokio::time::sleep(Duration::from_millis(retry_after_millis.clamp(5, 200))).await;
            }
            Some(outcome) => return outcome,
            None => {
                asked_before = true;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_message_is_sent_twice_and_none_is_lost() {
    let twilio = TwilioFake::start().await;
    twilio.account(|account| account.numbers.push(number(NUMBER, true, "")));
    let mut gateway = Gateway::start(twilio.provider(), &[("authToken", TOKEN)]).await;
    gateway.route(NUMBER, "http://127.0.0.1:9", ENGINE).await;

    let (stop, next) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(1)));
    let token: Arc<str> = gateway.issuer.token(ENGINE, crate::support::gateway::AUDIENCE).into();
    let senders: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (stop, next, internal, token) = (stop.clone(), next.clone(), gateway.internal.clone(), token.clone());
            tokio::spawn(async move {
                let client = reqwest::Client::new();
                let mut outcomes = Outcomes::new();
                while !stop.load(Ordering::Relaxed) {
                    let message_id = next.fetch_add(1, Ordering::Relaxed);
                    outcomes.insert(message_id, send(&client, &internal, &token, message_id).await);
                }
                outcomes
            })
        })
        .collect();
    for kill in 0..KILLS {
        // Twilio is slow now and then, so that the kill finds requests at every stage.
        twilio.account(|account| {
            account.faults.extend([Fault::Slow(Duration::from_millis(30)), Fault::Slow(Duration::from_millis(60))])
        });
        tokio::time::sleep(Duration::from_millis(100 + 17 * (kill as u64 % 13))).await;
        gateway.kill_and_restart();
        gateway.until("is back", |_| true).await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut outcomes = Outcomes::new();
    for sender in senders {
        outcomes.extend(sender.await.unwrap());
    }

    let sent = twilio.account(|account| account.sent.clone());
    let mut arrived: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for message in sent {
        let body = &message.form.iter().find(|(name, _)| name == "Body").unwrap().1;
        arrived.entry(body.rsplit_once(' ').unwrap().1.parse().unwrap()).or_default().push(message.sid);
    }
    let twice: Vec<_> = arrived.iter().filter(|(_, sids)| sids.len() > 1).collect();
    assert!(twice.is_empty(), "sent more than once: {twice:?}");
    let mut unknown = 0;
    for (message_id, outcome) in &outcomes {
        match outcome {
            SendOutcome::Accepted { provider_message_ids, .. } => {
                assert_eq!(arrived.get(message_id), Some(provider_message_ids))
            }
            SendOutcome::Unknown { .. } => unknown += 1,
            other => panic!("message {message_id}: {other:?}"),
        }
    }
    let believed: BTreeSet<_> = outcomes.keys().collect();
    assert!(arrived.keys().all(|message_id| believed.contains(message_id)));
    assert!(unknown <= KILLS * AT_ONCE as usize, "{unknown} unknown after {KILLS} kills");
    assert!(outcomes.len() > KILLS, "{} messages", outcomes.len());
    println!("{} messages, {} arrived, {unknown} unknown, {KILLS} kills", outcomes.len(), arrived.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_reaches_the_engine_once_and_in_order() {
    let twilio = TwilioFake::start().await;
    let mut gateway = Gateway::start(twilio.provider(), &[("authToken", TOKEN)]).await;
    let engine = EngineFake::start(&gateway.issuer).await;
    gateway.route(NUMBER, &engine.url, ENGINE).await;

    let stop = Arc::new(AtomicBool::new(false));
    let customers: Vec<_> = (0..AT_ONCE)
        .map(|customer| {
            let (stop, public) = (stop.clone(), gateway.public.clone());
            tokio::spawn(async move {
                let client = reqwest::Client::new();
                let from = format!("+1555987{customer:04}");
                let mut acknowledged = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let id = format!("SM{customer}-{}", acknowledged.len());
                    let form = [("MessageSid", &*id), ("To", NUMBER), ("From", &*from), ("Body", &*id)];
                    // The carrier brings a message until it is acknowledged, then the next.
                    while !matches!(
                        call_webhook(&client, &public, PUBLIC_URL, "/hooks/inbound", &form).await,
                        Ok((200, _))
                    ) {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                    acknowledged.push(id);
                }
                (from, acknowledged)
            })
        })
        .collect();
    for kill in 0..KILLS {
        match kill % 5 {
            1 => engine.away(),
            2 => engine.back().await,
            3 => engine.mood(Mood::Answers(503)),
            4 => engine.mood(Mood::Well),
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(100 + 17 * (kill as u64 % 13))).await;
        gateway.kill_and_restart();
        gateway.until("is back", |_| true).await;
    }
    if KILLS % 5 == 2 {
        engine.back().await;
    }
    engine.mood(Mood::Well);
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = BTreeMap::new();
    for customer in customers {
        let (from, ids) = customer.await.unwrap();
        acknowledged.insert(from, ids);
    }
    let total: usize = acknowledged.values().map(Vec::len).sum();
    engine.until("has all", |messages| messages.len() >= total).await;
    gateway.until("nothing waits", |status| status.spool.waiting == 0).await;
    for (from, ids) in &acknowledged {
        let theirs: Vec<_> =
            engine.messages().into_iter().filter(|message| &message.from == from).map(|m| m.text).collect();
        assert_eq!(&theirs, ids);
    }
    assert!(total > KILLS, "{total} messages");
    println!("{total} messages, {} posts, {KILLS} kills", engine.posts());
}
