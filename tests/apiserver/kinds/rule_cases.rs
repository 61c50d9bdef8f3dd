//! The table: for each rule one object that keeps it and one that breaks it, as patches of the smallest object of its kind.

use std::sync::LazyLock;

use aldis::api::provider::{DefaultBaseUrl, FACTS, NumberList};
use serde_json::{Value, json};

use crate::support::provider_fake::{DIALECTS, Dialect};

/// A rule, where it stands, and what keeps and breaks it.
pub struct Case {
    /// The kind.
    pub kind: &'static str,
    /// Path of the schema that has the rule; empty for the object itself.
    pub at: &'static str,
    /// What the API server must say.
    pub message: &'static str,
    /// What is tried.
    pub change: Change,
}

/// What is tried: patches of the smallest spec.
pub enum Change {
    /// Two new objects.
    Create { good: Value, bad: Value },
    /// Two new objects that differ in their name.
    Name { good: &'static str, bad: &'static str },
    /// Two changes of an object that exists.
    Update { before: Value, good: Value, bad: Value },
    /// Two changes of an object that has this status.
    Grown { before: Value, status: Value, good: Value, bad: Value },
}

fn case(kind: &'static str, at: &'static str, message: &'static str, change: Change) -> Case {
    Case { kind, at, message, change }
}

/// Every case.
pub fn cases() -> Vec<Case> {
    let all = [names(), connector(), accounts(), declared(), http(), channel(), opt_out(), shared(), campaign(), bot()];
    all.into_iter().flatten().collect()
}

fn names() -> Vec<Case> {
    let message = "metadata.name must be at most 45 lower-case letters, digits and dashes, without dots: choose a shorter, simpler name";
    vec![
        case(
            "SmsConnector",
            "",
            message,
            Change::Name { good: "twilio-us-0123456789-0123456789-0123456789012", bad: "twilio.us" },
        ),
        case(
            "SmsChannel",
            "",
            message,
            Change::Name { good: "support", bad: "support-0123456789-0123456789-0123456789-01234" },
        ),
    ]
}

static SET_EXACTLY_ONE: LazyLock<String> = LazyLock::new(|| {
    let members: Vec<_> = FACTS.iter().map(|facts| facts.member).collect();
    format!("set exactly one of {}", members.join(", "))
});

/// The account of a connector stays the same, at every provider whose API is simulated.
fn accounts() -> Vec<Case> {
    let case_of = |dialect: &&dyn Dialect| {
        let (member, (field, other)) = (dialect.member(), dialect.other_account());
        let settings = |secret: &str| {
            let mut settings = dialect.settings();
            settings["credentialsSecretRef"] = json!({ "name": secret });
            let facts = FACTS.iter().find(|facts| facts.member == member).unwrap();
            if facts.default_base_url == DefaultBaseUrl::None {
                settings["baseUrl"] = json!("https://carrier.example");
            }
            settings
        };
        let provider = |settings: &Value| {
            let mut spec = json!({"provider": {"simulator": null, member: settings}});
            if !dialect.lists_numbers() {
                spec["numbers"] = json!([{"number": "+15551230001"}]);
            }
            spec
        };
        let mut moved = settings("account");
        moved[field] = json!(other);
        // The names of a table live as long as the tests.
        let at = format!("spec.provider.{member}.{field}").leak();
        let message = format!("{field} cannot change: create a new SmsConnector for the other account").leak();
        let (before, good, bad) = (provider(&settings("account")), provider(&settings("other")), provider(&moved));
        case("SmsConnector", at, message, Change::Update { before, good, bad })
    };
    DIALECTS.iter().filter(|dialect| dialect.names_its_account()).map(case_of).collect()
}

/// The member `http` with this over its smallest form.
fn over_http(change: &Value) -> Value {
    let mut http = json!({
        "account": "demo", "baseUrl": "https://carrier.example", "credentialsSecretRef": {"name": "carrier"}, "send": {"path": "/send"},
    });
    http.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    json!({"provider": {"simulator": null, "http": http}, "numbers": [{"number": "+15551230001"}]})
}

static DECLARE_NUMBERS: LazyLock<String> = LazyLock::new(|| {
    let asked = FACTS.iter().filter(|facts| facts.capabilities.numbers == NumberList::NotListable);
    let members: Vec<_> = asked.map(|facts| format!("spec.provider.{}", facts.member)).collect();
    format!("{} cannot be asked which numbers the account has: list them in spec.numbers", members.join(" or "))
});

/// Numbers are declared where the provider cannot be asked for them.
fn declared() -> Vec<Case> {
    let good = over_http(&json!({}));
    let mut bad = good.clone();
    bad.as_object_mut().unwrap().remove("numbers");
    vec![case("SmsConnector", "spec", &DECLARE_NUMBERS, Change::Create { good, bad })]
}

/// The rules of a carrier with a plain HTTP API.
fn http() -> Vec<Case> {
    let send = |change: Value| {
        let mut send = json!({"path": "/send"});
        send.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        over_http(&json!({ "send": send }))
    };
    let proof = |proof: Value| over_http(&json!({"webhooks": {"proof": proof}}));
    let form = json!([{"name": "to", "value": "{{to}}"}]);
    let created = |at, message, good, bad| case("SmsConnector", at, message, Change::Create { good, bad });
    vec![
        created(
            "spec.provider.http.send",
            "form and json are sent with method Post only: remove them, or change method",
            send(json!({"method": "Post", "form": form})),
            send(json!({"method": "Get", "form": form})),
        ),
        created(
            "spec.provider.http.send",
            "a call has one body: set form or json, not both",
            send(json!({"json": "{}"})),
            send(json!({"json": "{}", "form": form})),
        ),
        created(
            "spec.provider.http.send.messageId",
            "set exactly one of pointer and pattern",
            send(json!({"messageId": {"pointer": "/id"}})),
            send(json!({"messageId": {}})),
        ),
        created(
            "spec.provider.http.webhooks.proof",
            "name is that of the header or parameter: set it for Header, Query and Hmac, and remove it for Basic",
            proof(json!({"by": "Basic"})),
            proof(json!({"by": "Header"})),
        ),
        created(
            "spec.provider.http.webhooks.proof",
            "algorithm, encoding and covers are for Hmac: remove them, or set by to Hmac",
            proof(json!({"by": "Hmac", "name": "X-Sign", "algorithm": "Sha1"})),
            proof(json!({"by": "Query", "name": "token", "covers": "Body"})),
        ),
    ]
}

fn connector() -> Vec<Case> {
    let account_sid = "AC0123456789abcdef0123456789abcdef";
    let twilio = json!({"accountSid": account_sid, "credentialsSecretRef": {"name": "twilio"}});
    let only_twilio = json!({"provider": {"simulator": null, "twilio": twilio}});
    vec![
        case(
            "SmsConnector",
            "spec.provider",
            &SET_EXACTLY_ONE,
            Change::Create { good: only_twilio.clone(), bad: json!({"provider": {"twilio": twilio}}) },
        ),
        case(
            "SmsConnector",
            "spec.provider",
            "the provider of a connector cannot change: create a new SmsConnector, and a new SmsChannel for each number",
            Change::Update {
                before: json!({}),
                good: json!({"provider": {"simulator": {"baseUrl": "http://other:8090"}}}),
                bad: only_twilio.clone(),
            },
        ),
        case(
            "SmsConnector",
            "spec.provider.twilio.accountSid",
            "accountSid cannot change: create a new SmsConnector for the other account",
            Change::Update {
                before: only_twilio,
                good: json!({"provider": {"twilio": {"accountSid": account_sid, "credentialsSecretRef": {"name": "other"}}}}),
                bad: json!({"provider": {"twilio": {"accountSid": "AC1123456789abcdef0123456789abcdef"}}}),
            },
        ),
        case(
            "SmsConnector",
            "spec.provider.simulator.account",
            "account cannot change: create a new SmsConnector for the other account",
            Change::Update {
                before: json!({"provider": {"simulator": {"account": "demo"}}}),
                good: json!({"provider": {"simulator": {"account": "demo", "credentialsSecretRef": {"name": "other"}}}}),
                bad: json!({"provider": {"simulator": {"account": "other"}}}),
            },
        ),
    ]
}

fn channel() -> Vec<Case> {
    vec![
        case(
            "SmsChannel",
            "spec",
            "strategy RingAll asks everybody: set offer.mode to Ask, or choose another strategy",
            Change::Create {
                good: json!({"strategy": "RingAll", "offer": {"mode": "Ask"}}),
                bad: json!({"strategy": "RingAll"}),
            },
        ),
        case(
            "SmsChannel",
            "spec",
            "automations.onQueueTimeout would never run: set maxQueueSeconds above 0, or remove the bot",
            Change::Create {
                good: json!({"automations": {"onQueueTimeout": {"name": "sorry"}}, "maxQueueSeconds": 600}),
                bad: json!({"automations": {"onQueueTimeout": {"name": "sorry"}}}),
            },
        ),
        case(
            "SmsChannel",
            "spec.offer",
            "timeoutSeconds is for mode Ask: remove it, or set mode to Ask",
            Change::Create {
                good: json!({"offer": {"mode": "Ask", "timeoutSeconds": 20}}),
                bad: json!({"offer": {"timeoutSeconds": 20}}),
            },
        ),
        case(
            "SmsChannel",
            "spec.connectorRef",
            "connectorRef cannot change, since conversations belong to their number: create a new SmsChannel",
            Change::Update {
                before: json!({}),
                good: json!({"campaignRef": {"name": "sales"}}),
                bad: json!({"connectorRef": {"name": "other"}}),
            },
        ),
        case(
            "SmsChannel",
            "spec.number",
            "number cannot change, since conversations belong to their number: create a new SmsChannel",
            Change::Update {
                before: json!({}),
                good: json!({"number": "+15551230001"}),
                bad: json!({"number": "US:72345"}),
            },
        ),
    ]
}

fn opt_out() -> Vec<Case> {
    let keywords = |keywords: Value| json!({"optOut": {"keywords": keywords}});
    vec![
        case(
            "SmsChannel",
            "spec.optOut",
            "with answeredBy Provider the provider's texts go out: remove messages, or set answeredBy to Aldis",
            Change::Create {
                good: json!({"optOut": {"messages": {"stopped": "Bye."}}}),
                bad: json!({"optOut": {"answeredBy": "Provider", "messages": {"stopped": "Bye."}}}),
            },
        ),
        case(
            "SmsChannel",
            "spec.optOut.keywords",
            "a word stands in two of stop, start and help: keep it in one",
            Change::Create {
                good: keywords(json!({"stop": ["BAJA"], "start": ["ALTA"], "help": ["AYUDA"]})),
                bad: keywords(json!({"start": ["ALTA", "INFO"], "help": ["AYUDA", "INFO"]})),
            },
        ),
    ]
}

/// A kind that has a pod: where two rules stand in it and what a third one says, and how a scheduling and a volume become a patch of its spec.
type Place = (&'static str, [&'static str; 3], fn(Value) -> Value, fn(Value) -> Value);

/// The rules of types that connector and channel share.
fn shared() -> Vec<Case> {
    let places: [Place; 2] = [
        (
            "SmsConnector",
            [
                "spec.gateway.scheduling.tolerations[]",
                "spec.gateway.spool",
                "spec.gateway.spool.size cannot be less than what the volume has (status.volumeSize): keep the size, or make it larger",
            ],
            |scheduling| json!({"gateway": {"scheduling": scheduling}}),
            |volume| json!({"gateway": {"spool": volume}}),
        ),
        (
            "SmsChannel",
            [
                "spec.engine.scheduling.tolerations[]",
                "spec.engine.storage.volume",
                "spec.engine.storage.volume.size cannot be less than what the volume has (status.volumeSize): keep the size, or make it larger",
            ],
            |scheduling| json!({"engine": {"scheduling": scheduling}}),
            |volume| json!({"engine": {"storage": {"volume": volume}}}),
        ),
    ];
    places.into_iter().flat_map(|(kind, at, scheduling, volume)| pod_rules(kind, at, scheduling, volume)).collect()
}

fn pod_rules(
    kind: &'static str,
    [tolerations, class, shrinking]: [&'static str; 3],
    scheduling: fn(Value) -> Value,
    volume: fn(Value) -> Value,
) -> Vec<Case> {
    let tolerating = |operator, value| {
        scheduling(
            json!({"tolerations": [{"key": "sms", "operator": operator, "value": value, "effect": "NoSchedule"}]}),
        )
    };
    vec![
        case(
            kind,
            tolerations,
            "operator Exists takes no value: remove value, or set operator to Equal",
            Change::Create { good: tolerating("Equal", "only"), bad: tolerating("Exists", "only") },
        ),
        case(
            kind,
            class,
            "className cannot change: a volume stays in its storage class",
            Change::Update {
                before: volume(json!({"className": "fast"})),
                good: volume(json!({"className": "fast", "size": "2Gi"})),
                bad: volume(json!({"className": null})),
            },
        ),
        case(
            kind,
            "",
            shrinking,
            Change::Grown {
                // 5Gi were asked for, and the storage class could not give them.
                before: volume(json!({"size": "5Gi"})),
                status: json!({"volumeSize": "1Gi"}),
                good: volume(json!({"size": "1Gi"})),
                bad: volume(json!({"size": "1G"})),
            },
        ),
    ]
}

fn campaign() -> Vec<Case> {
    let days: [(&'static str, &'static str, &'static str); 7] = [
        ("monday", "spec.schedule.weekly.monday", "spec.schedule.weekly.monday[]"),
        ("tuesday", "spec.schedule.weekly.tuesday", "spec.schedule.weekly.tuesday[]"),
        ("wednesday", "spec.schedule.weekly.wednesday", "spec.schedule.weekly.wednesday[]"),
        ("thursday", "spec.schedule.weekly.thursday", "spec.schedule.weekly.thursday[]"),
        ("friday", "spec.schedule.weekly.friday", "spec.schedule.weekly.friday[]"),
        ("saturday", "spec.schedule.weekly.saturday", "spec.schedule.weekly.saturday[]"),
        ("sunday", "spec.schedule.weekly.sunday", "spec.schedule.weekly.sunday[]"),
    ];
    let mut cases: Vec<Case> = days
        .into_iter()
        .flat_map(|(day, list, item)| {
            range_rules(list, item, move |ranges| json!({"schedule": {"weekly": {day: ranges}}}))
        })
        .collect();
    cases.extend(range_rules(
        "spec.schedule.exceptions[].ranges",
        "spec.schedule.exceptions[].ranges[]",
        |ranges| json!({"schedule": {"exceptions": [{"date": "2026-12-24", "ranges": ranges}]}}),
    ));
    cases.push(case(
        "Campaign",
        "spec",
        "dispositionRequired needs something to choose from: add dispositions, or set it to false",
        Change::Create {
            good: json!({"dispositionRequired": true, "dispositions": [{"name": "sold", "path": "Sold"}]}),
            bad: json!({"dispositionRequired": true}),
        },
    ));
    let origins = |origin: &str| json!({"allowedOrigins": [origin]});
    cases.push(case(
        "Campaign",
        "spec.allowedOrigins[]",
        "* lets every web page in: name the origins of your agents' pages",
        Change::Create { good: origins("https://desk.example.com"), bad: origins("*") },
    ));
    cases.push(case(
        "Campaign",
        "spec.allowedOrigins[]",
        "write https://host or https://host:port in lower case, as browsers send it, or http://localhost:port",
        Change::Create { good: origins("http://[::1]:5173"), bad: origins("http://desk.example.com") },
    ));
    cases
}

fn range_rules(list: &'static str, item: &'static str, spec: impl Fn(Value) -> Value) -> [Case; 2] {
    [
        case(
            "Campaign",
            list,
            "the ranges of a day overlap: join or separate them",
            Change::Create {
                good: spec(json!(["13:00-24:00", "09:00-13:00"])),
                bad: spec(json!(["09:00-13:00", "12:59-15:00"])),
            },
        ),
        case(
            "Campaign",
            item,
            "a range must end after it starts, on the same day: for a night shift write two, as 22:00-24:00 and 00:00-06:00",
            Change::Create { good: spec(json!(["22:00-24:00", "00:00-06:00"])), bad: spec(json!(["22:00-06:00"])) },
        ),
    ]
}

fn bot() -> Vec<Case> {
    let step = |step: Value| json!({"steps": [step]});
    let http = |http: Value| step(json!({"name": "call", "http": http}));
    let when = |condition: Value| {
        step(
            json!({"name": "by", "branch": {"cases": [{"name": "a", "when": [condition], "next": "end"}], "otherwise": "end"}}),
        )
    };
    vec![
        case(
            "Bot",
            "spec.steps[]",
            "a step does exactly one thing: set one of say, ask, branch, set, inHours, http, handOff, finish",
            Change::Create {
                good: step(json!({"name": "end", "handOff": {}})),
                bad: step(json!({"name": "end", "handOff": {}, "finish": {}})),
            },
        ),
        case(
            "Bot",
            "spec.steps[]",
            "next has no meaning here: branch and inHours name their own steps, handOff and finish end the bot; remove next",
            Change::Create {
                good: step(json!({"name": "hello", "say": {"text": "Hello"}, "next": "end"})),
                bad: step(json!({"name": "end", "finish": {}, "next": "end"})),
            },
        ),
        case(
            "Bot",
            "spec.steps[].ask",
            "set answers or matches, not both",
            Change::Create {
                good: step(json!({"name": "q", "ask": {"text": "?", "into": "a", "matches": "[0-9]"}})),
                bad: step(
                    json!({"name": "q", "ask": {"text": "?", "into": "a", "matches": "[0-9]", "answers": [{"value": "1"}]}}),
                ),
            },
        ),
        case(
            "Bot",
            "spec.steps[].branch.cases[].when[]",
            "compare the variable with something: set equals, oneOf, matches, present, lessThan or greaterThan",
            Change::Create {
                good: when(json!({"variable": "a", "present": true})),
                bad: when(json!({"variable": "a"})),
            },
        ),
        case(
            "Bot",
            "spec.steps[].http",
            "json is sent with POST, PUT and PATCH only: remove json, or change method",
            Change::Create {
                good: http(
                    json!({"method": "POST", "url": "https://x", "json": [{"field": "a", "value": "b"}], "onError": "end"}),
                ),
                bad: http(json!({"url": "https://x", "json": [{"field": "a", "value": "b"}], "onError": "end"})),
            },
        ),
        case(
            "Bot",
            "spec.steps[].http.headers[]",
            "set exactly one of value and secretKeyRef",
            Change::Create {
                good: http(json!({"url": "https://x", "headers": [{"name": "X", "value": "y"}], "onError": "end"})),
                bad: http(json!({"url": "https://x", "headers": [{"name": "X"}], "onError": "end"})),
            },
        ),
    ]
}
