//! What a gateway promises is so at every provider whose API is simulated here: each test goes through all of them.

use std::{future::Future, time::Duration};

use aldis::wire::{
    outbound::{NotSentReason, RefusalClass, SendOutcome},
    receipt::DeliveryState,
    status::{CredentialsStatus, GatewayStatus, ProviderStatus, Trouble, WebhookStatus},
};
use futures::future::join_all;
use serde_json::json;

use crate::support::{
    engine_fake::{EngineFake, Mood},
    gateway::{ENGINE, Gateway, NUMBER, PUBLIC_URL, request},
    process::eventually,
    provider_fake::{Call, DIALECTS, Dialect, Fault, Inbound, Number, Reply, Reported, Sent, server::ProviderFake},
};

const CUSTOMER: &str = "+15559870001";
const OTHER_NUMBERS: [&str; 4] = ["+15551230002", "+15551230003", "+15551230004", "+15551230005"];

/// A gateway at a provider, and an engine for [`NUMBER`].
struct Desk {
    provider: ProviderFake,
    gateway: Gateway,
    engine: EngineFake,
}

impl Desk {
    async fn open(dialect: &'static dyn Dialect) -> Self {
        let provider = ProviderFake::start(dialect).await;
        let number = |number: &str, sms| Number { number: number.into(), sms, webhook: None };
        provider.account(|account| {
            account.numbers = vec![number(NUMBER, true)];
            // More than a page, the last of them without SMS.
            account.numbers.extend(OTHER_NUMBERS.iter().map(|other| number(other, *other != OTHER_NUMBERS[3])));
        });
        let mut gateway = Gateway::start(provider.provider(), &dialect.secret()).await;
        let engine = EngineFake::start(&gateway.issuer).await;
        gateway.route(NUMBER, &engine.url, ENGINE).await;
        gateway.until("is valid", is_valid).await;
        Self { provider, gateway, engine }
    }

    fn dialect(&self) -> &'static dyn Dialect {
        self.provider.dialect
    }

    async fn called(&self, call: &Call) -> (u16, String) {
        call.made_to(&self.gateway.public).await
    }

    fn inbound(&self, id: &str, text: &str) -> Call {
        let message = Inbound { id: id.into(), from: CUSTOMER.into(), to: NUMBER.into(), text: text.into() };
        self.dialect().inbound(PUBLIC_URL, &message)
    }

    async fn send(&self, message_id: u64, text: &str) -> SendOutcome {
        self.gateway.send(ENGINE, &request(message_id, 1, text)).await.unwrap()
    }

    fn last_sent(&self) -> Sent {
        self.provider.account(|account| account.sent.last().cloned().unwrap())
    }

    fn next_fault(&self, fault: Fault) {
        self.provider.account(|account| account.faults.push_back(fault));
    }
}

fn is_valid(status: &GatewayStatus) -> bool {
    matches!(status.credentials, CredentialsStatus::Valid { .. })
        && matches!(status.provider, ProviderStatus::Answers { .. })
        && status.numbers_error.is_none()
        && status.numbers_listed_at.is_some()
}

/// At every provider at the same time.
async fn at_each<F: Future<Output = ()>>(test: impl Fn(Desk) -> F) {
    let run = DIALECTS.iter().map(|dialect| async { test(Desk::open(*dialect).await).await });
    join_all(run).await;
}

#[tokio::test]
async fn credentials_are_judged_and_heal() {
    at_each(|desk| async move {
        let (dialect, gateway) = (desk.dialect(), &desk.gateway);
        let key = dialect.deciding_key();
        let with = |value: Option<&'static str>| {
            let others = dialect.secret().into_iter().filter(|(name, _)| *name != key);
            others.chain(value.map(|value| (key, value))).collect::<Vec<_>>()
        };
        gateway.credentials(&with(Some("wrong")));
        let invalid = |status: &GatewayStatus| matches!(status.credentials, CredentialsStatus::Invalid { .. });
        gateway.until(&format!("{dialect:?} refuses what is wrong"), invalid).await;
        gateway.credentials(&with(None));
        let missing = |status: &GatewayStatus| match &status.credentials {
            CredentialsStatus::Missing { keys, .. } => keys == &[key],
            _ => false,
        };
        gateway.until(&format!("{dialect:?} misses {key}"), missing).await;
        gateway.credentials(&dialect.secret());
        gateway.until(&format!("{dialect:?} is valid again"), is_valid).await;
        if !dialect.shows_suspension() {
            return;
        }

        desk.provider.account(|account| account.suspended = true);
        let suspended = |status: &GatewayStatus| matches!(status.credentials, CredentialsStatus::Suspended { .. });
        gateway.until(&format!("{dialect:?} sees a suspension"), suspended).await;
        desk.provider.account(|account| account.suspended = false);
        gateway.until(&format!("{dialect:?} is valid again"), is_valid).await;
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_is_away_broken_or_slow_is_told_apart() {
    at_each(|desk| async move {
        let (dialect, gateway) = (desk.dialect(), &desk.gateway);
        let silent = |status: &GatewayStatus, so: Trouble| {
            matches!(&status.provider, ProviderStatus::Silent { why, .. } if why.trouble == so)
        };
        for (answer, so) in [(503, Trouble::Fault), (429, Trouble::RateLimited)] {
            desk.provider.account(|account| account.broken = Some(answer));
            gateway.until(&format!("{dialect:?} {so:?}"), |status| silent(status, so)).await;
            desk.provider.account(|account| account.broken = None);
            gateway.until(&format!("{dialect:?} is well again"), is_valid).await;
        }
        desk.provider.account(|account| account.delay = Duration::from_secs(60));
        gateway.until(&format!("{dialect:?} is slow"), |status| silent(status, Trouble::Slow)).await;
        desk.provider.account(|account| account.delay = Duration::ZERO);
        gateway.until(&format!("{dialect:?} is well again"), is_valid).await;
        desk.provider.leave().await;
        gateway.until(&format!("{dialect:?} is away"), |status| silent(status, Trouble::Unreachable)).await;
        desk.provider.come_back().await;
        gateway.until(&format!("{dialect:?} is back"), is_valid).await;
    })
    .await;
}

#[tokio::test]
async fn all_numbers_are_listed_with_what_they_can_do() {
    at_each(|mut desk| async move {
        let declared = [NUMBER, OTHER_NUMBERS[0]];
        let mut wanted = declared.map(|number| (number, true)).to_vec();
        if desk.dialect().lists_numbers() {
            wanted.extend(OTHER_NUMBERS[1..].iter().map(|number| (*number, *number != OTHER_NUMBERS[3])));
        } else {
            desk.gateway.configure("/numbers", json!(declared)).await;
        }
        let all = |status: &GatewayStatus| status.numbers.len() == wanted.len();
        let status = desk.gateway.until(&format!("{:?} has all numbers", desk.dialect()), all).await;
        let listed: Vec<_> = status.numbers.iter().map(|number| (number.number.as_str(), number.sms_capable)).collect();
        assert_eq!(listed, wanted, "{:?}", desk.dialect());
        assert!(status.numbers.iter().all(|number| number.at_provider), "{:?}", desk.dialect());
        if !desk.dialect().lists_numbers() {
            assert!(status.numbers.iter().all(|number| number.webhook == WebhookStatus::Unchecked));
        }
    })
    .await;
}

#[tokio::test]
async fn a_customers_text_reaches_the_engine_once_and_a_forged_one_never() {
    at_each(|desk| async move {
        let dialect = desk.dialect();
        let call = desk.inbound("in-1", "Grüße, 世界 & more + 100%");
        for _ in 0..2 {
            let (status, body) = desk.called(&call).await;
            assert!((200..300).contains(&status), "{dialect:?}: {status} {body}\n{}", desk.gateway.log());
        }
        let taken = desk.engine.messages();
        assert_eq!(taken.len(), 1, "{dialect:?}");
        let message = &taken[0];
        assert_eq!((&*message.from, &*message.to), (CUSTOMER, NUMBER), "{dialect:?}");
        assert_eq!(message.text, "Grüße, 世界 & more + 100%", "{dialect:?}");

        // Another provider's number, another text, no headers: none of it is what was signed.
        let other = desk.inbound("in-2", "Hello");
        let without_headers = Call { headers: Vec::new(), ..other.clone() };
        let with_others_headers = Call { headers: call.headers.clone(), ..other };
        for forged in [without_headers, with_others_headers] {
            let believed_by_headers_alone = !dialect.signs_the_body() && forged.headers == call.headers;
            let (status, body) = desk.called(&forged).await;
            if !believed_by_headers_alone {
                assert_eq!(status, 403, "{dialect:?}: {body}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_is_acknowledged_that_is_on_no_disk() {
    at_each(|desk| async move {
        let dialect = desk.dialect();
        desk.engine.mood(Mood::Answers(503));
        let (status, body) = desk.called(&desk.inbound("in-1", "Hello")).await;
        assert!((200..300).contains(&status), "{dialect:?}: the spool has it: {status} {body}");
        desk.engine.mood(Mood::Well);
        eventually("the engine has it", || async {
            let texts: Vec<_> = desk.engine.messages().into_iter().map(|message| message.text).collect();
            if texts == ["Hello"] { Ok(()) } else { Err(texts) }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_reply_leaves_as_it_was_written_and_its_receipts_find_it() {
    at_each(|desk| async move {
        let dialect = desk.dialect();
        let outcome = desk.send(7, "Grüße, 世界 & more + 100%").await;
        let sent = desk.last_sent();
        let SendOutcome::Accepted { provider_message_ids, .. } = outcome else { panic!("{dialect:?}: {outcome:?}") };
        assert_eq!(provider_message_ids, [sent.id.as_str()], "{dialect:?}");
        let digits = |number: &str| number.trim_start_matches('+').to_owned();
        assert_eq!(digits(&sent.wanted.from), digits(NUMBER), "{dialect:?}");
        assert_eq!(digits(&sent.wanted.to), digits(CUSTOMER), "{dialect:?}");
        assert_eq!(sent.wanted.text, "Grüße, 世界 & more + 100%", "{dialect:?}");

        let reported = [
            (Reported::Sent, DeliveryState::Sent),
            (Reported::Delivered, DeliveryState::Delivered),
            (Reported::Failed, DeliveryState::Failed),
        ];
        for (at, (state, expected)) in reported.into_iter().enumerate() {
            let (status, body) = desk.called(&dialect.receipt(PUBLIC_URL, &sent, state)).await;
            assert!((200..300).contains(&status), "{dialect:?}: {status} {body}\n{}", desk.gateway.log());
            let receipts = desk.engine.receipts();
            assert_eq!(receipts.len(), at + 1, "{dialect:?} {state:?}");
            let receipt = &receipts[at];
            assert_eq!((&*receipt.provider_message_id, &*receipt.from), (sent.id.as_str(), NUMBER), "{dialect:?}");
            assert_eq!((receipt.token.as_deref(), receipt.state), (Some("7.abc"), expected), "{dialect:?}");
            assert_eq!(receipt.class.is_some(), state == Reported::Failed, "{dialect:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_not_sent_is_told_from_what_may_have_been_and_from_what_is_refused() {
    at_each(|desk| async move {
        let dialect = desk.dialect();
        if let Some(reply) = dialect.opted_out() {
            desk.next_fault(Fault::Answer(reply));
            let outcome = desk.send(1, "Hello").await;
            let is_so = matches!(outcome, SendOutcome::Refused { class: RefusalClass::OptedOut, .. });
            assert!(is_so, "{dialect:?}: {outcome:?}");
        }
        desk.next_fault(Fault::TakeAndDrop);
        let outcome = desk.send(2, "Hello").await;
        assert!(matches!(outcome, SendOutcome::Unknown { .. }), "{dialect:?}: {outcome:?}");
        // Its receipt settles it: it carries our token.
        let taken = desk.last_sent();
        let (status, body) = desk.called(&dialect.receipt(PUBLIC_URL, &taken, Reported::Delivered)).await;
        assert!((200..300).contains(&status), "{dialect:?}: {status} {body}");
        assert_eq!(desk.engine.receipts()[0].token.as_deref(), Some("2.abc"), "{dialect:?}");

        // By HTTP status: why nothing was sent; nothing where nobody knows.
        let answers = [(429, Some(NotSentReason::RateLimited)), (500, None), (401, Some(NotSentReason::Credentials))];
        for ((status, wanted), message_id) in answers.into_iter().zip(3..) {
            // The account's circuit breaker may still be open because of the answer before.
            eventually("an attempt reaches the provider", || async {
                let reply = Reply { status, media_type: "text/plain", body: Vec::new() };
                desk.provider.account(|account| account.faults = [Fault::Answer(reply)].into());
                let attempt = request(message_id, fastrand::u32(1..), "Hello");
                let outcome = desk.gateway.send(ENGINE, &attempt).await.unwrap();
                let asked = desk.provider.account(|account| account.faults.is_empty());
                let is_so = match &outcome {
                    SendOutcome::NotSent { reason, .. } => wanted == Some(*reason),
                    SendOutcome::Unknown { .. } => wanted.is_none(),
                    SendOutcome::Accepted { .. } | SendOutcome::Refused { .. } => false,
                };
                if asked && is_so { Ok(()) } else { Err(format!("{dialect:?}: {status}: {outcome:?}")) }
            })
            .await;
        }
    })
    .await;
}
