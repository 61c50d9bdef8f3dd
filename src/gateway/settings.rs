//! A gateway's documents, checked and made into types that cannot be wrong.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use reqwest::Url;

use super::{
    providers::Account,
    public_url::{InvalidPublicUrl, PublicUrl},
};
use crate::{
    sms::PhoneNumber,
    wire::{
        config::{
            ConfigHash, ObjectIdentity, RateLimit,
            gateway::{GatewayConfig, Provider, Routes, WebhookManagement},
        },
        mount::Loaded,
        tokens::{InvalidKeys, Verifier},
    },
};

/// Everything that the documents say.
#[derive(Debug)]
pub(super) struct Settings {
    /// Hash of the main document, which covers the others.
    pub hash: ConfigHash,
    /// The SmsConnector.
    pub connector: ObjectIdentity,
    /// False: nothing is sent; webhooks are answered and kept as always.
    pub enabled: bool,
    /// The provider, as the member of `spec.provider` is called.
    pub provider: String,
    /// The account at the provider.
    pub account: Account,
    /// Numbers offered to channels; none = every SMS-capable one.
    pub offered: Option<BTreeSet<PhoneNumber>>,
    /// Numbers that channels ask for and that have no route yet.
    pub asked: BTreeSet<PhoneNumber>,
    /// What the provider calls.
    pub public_url: PublicUrl,
    /// Whether the provider's webhooks are compared.
    pub webhook_management: WebhookManagement,
    /// Limit of the account, in segments.
    pub account_limit: RateLimit,
    /// Between two checks of credentials and numbers that went well.
    pub check_interval: Duration,
    /// How long an unrouted message is kept.
    pub retention: Duration,
    /// Judges the tokens of engines and of the operator.
    pub verifier: Verifier,
    /// Who may ask for the status.
    pub operator_user: String,
    /// Where each number's messages go, and who may send from it.
    pub routes: HashMap<PhoneNumber, Arc<Route>>,
}

/// Where a number's messages go, and who may send from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// The channel, as the engine's paths name it.
    pub channel: String,
    /// Base URL of the engine, without a slash at the end.
    pub engine_url: String,
    /// The engine's ServiceAccount.
    pub engine_user: String,
}

/// Documents that cannot be loaded. The message names the field, what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    /// A URL that cannot be called.
    #[error("{field}: {url:?} is not an http or https URL without user, query and fragment")]
    Url {
        /// The field.
        field: &'static str,
        url: String,
    },
    /// The public URL.
    #[error(transparent)]
    PublicUrl(#[from] InvalidPublicUrl),
    /// A number that must be positive.
    #[error("{field}: must be at least 1")]
    Zero {
        /// The field.
        field: &'static str,
    },
    /// Two routes for one number.
    #[error("routes: {number} is there twice; a number belongs to one channel")]
    DuplicateRoute {
        /// The number.
        number: PhoneNumber,
    },
    /// A provider that this version does not know, or that lacks what it needs.
    #[error("provider: {0}")]
    Provider(serde_json::Error),
    /// Keys that cannot be used.
    #[error("roleIssuers: {0}")]
    Issuers(#[from] InvalidKeys),
}

impl Settings {
    /// Checks a main document and its parts.
    ///
    /// # Errors
    /// When any of them cannot be used; nothing of them is in force then.
    pub(super) fn new(loaded: Loaded<GatewayConfig>) -> Result<Self, SettingsError> {
        let Loaded { hash, document: config, parts } = loaded;
        positive("accountLimit.segments", config.account_limit.segments)?;
        positive("accountLimit.perSeconds", config.account_limit.per_seconds)?;
        Ok(Self {
            hash,
            connector: config.connector,
            enabled: config.enabled,
            provider: config.provider.kind.clone(),
            account: account(config.provider)?,
            offered: config.numbers.map(BTreeSet::from_iter),
            asked: config.asked.into_iter().collect(),
            public_url: PublicUrl::new(&config.webhook.public_url)?,
            webhook_management: config.webhook.management,
            account_limit: config.account_limit,
            check_interval: Duration::from_secs(
                positive("checkIntervalSeconds", config.check_interval_seconds)?.into(),
            ),
            retention: Duration::from_secs(u64::from(positive("retentionDays", config.retention_days)?) * 24 * 60 * 60),
            verifier: Verifier::new(&config.role_issuers)?,
            operator_user: config.operator_user,
            routes: routes(parts)?,
        })
    }

    /// Numbers that somebody wants of the provider: they are reported whether it has them or not.
    pub(super) fn wanted(&self) -> BTreeSet<PhoneNumber> {
        self.offered.iter().flatten().chain(&self.asked).chain(self.routes.keys()).cloned().collect()
    }

    /// Our short code with these digits: providers name one without its country, which the connector or a channel knows. None where several countries
    /// have it.
    pub(super) fn short_code(&self, digits: &str) -> Option<PhoneNumber> {
        if !(3..=8).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let wanted = self.wanted().into_iter();
        let mut fitting = wanted.filter(|number| number.short_code_country().is_some() && number.digits() == digits);
        match (fitting.next(), fitting.next()) {
            (Some(number), None) => Some(number),
            (_, _) => None,
        }
    }

    /// The route of a number in its canonical form.
    pub(super) fn route(&self, number: &str) -> Option<&Arc<Route>> {
        number.parse::<PhoneNumber>().ok().and_then(|number| self.routes.get(&number))
    }
}

fn routes(parts: Vec<Routes>) -> Result<HashMap<PhoneNumber, Arc<Route>>, SettingsError> {
    let mut routes = HashMap::new();
    for route in parts.into_iter().flat_map(|part| part.routes) {
        let engine_url = base_url("routes[].engineUrl", &route.engine_url)?;
        let entry = Arc::new(Route { channel: route.channel, engine_url, engine_user: route.engine_user });
        if routes.insert(route.number.clone(), entry).is_some() {
            return Err(SettingsError::DuplicateRoute { number: route.number });
        }
    }
    Ok(routes)
}

fn positive(field: &'static str, value: u32) -> Result<u32, SettingsError> {
    if value == 0 { Err(SettingsError::Zero { field }) } else { Ok(value) }
}

fn account(provider: Provider) -> Result<Account, SettingsError> {
    let provider = Provider { base_url: base_url("provider.baseUrl", &provider.base_url)?, ..provider };
    let document = serde_json::to_value(provider).map_err(SettingsError::Provider)?;
    serde_json::from_value(document).map_err(SettingsError::Provider)
}

fn base_url(field: &'static str, text: &str) -> Result<String, SettingsError> {
    let plain = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    };
    match Url::parse(text) {
        Ok(url) if plain(&url) => Ok(text.trim_end_matches('/').to_owned()),
        Ok(_) | Err(_) => Err(SettingsError::Url { field, url: text.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn document() -> Value {
        json!({
            "format": 1,
            "connector": {"namespace": "default", "name": "twilio-us", "uid": "1"},
            "enabled": true,
            "provider": {"kind": "twilio", "accountSid": "AC1", "baseUrl": "https://api.twilio.com/"},
            "webhook": {"publicUrl": "https://sms.example.com/twilio-us", "management": "Observe"},
            "accountLimit": {"segments": 10, "perSeconds": 1},
            "checkIntervalSeconds": 300,
            "retentionDays": 30,
            "roleIssuers": [],
            "operatorUser": "system:serviceaccount:aldis-system:aldis-operator",
            "somethingNew": true,
        })
    }

    fn load(document: &Value, numbers: &[&str]) -> Result<Settings, SettingsError> {
        let routes: Vec<_> = numbers
            .iter()
            .map(|number| json!({"number": number, "channel": "a", "engineUrl": "http://sms-a.default.svc:8081", "engineUser": "u"}))
            .collect();
        Settings::new(Loaded {
            hash: ConfigHash::of(b"1"),
            document: serde_json::from_value(document.clone()).unwrap(),
            parts: vec![serde_json::from_value(json!({"format": 1, "routes": routes})).unwrap()],
        })
    }

    #[test]
    fn documents_become_settings() {
        let settings = load(&document(), &["+15551230001", "US:72345"]).unwrap();
        assert_eq!(settings.retention, Duration::from_secs(30 * 86400));
        assert_eq!(settings.route("US:72345").unwrap().engine_url, "http://sms-a.default.svc:8081");
        assert!(settings.route("+15551230002").is_none());
        let without_slash: Account =
            serde_json::from_value(json!({"kind": "twilio", "accountSid": "AC1", "baseUrl": "https://api.twilio.com"}))
                .unwrap();
        assert_eq!(settings.account, without_slash);
    }

    #[test]
    fn a_short_code_is_known_by_its_digits_if_one_country_has_it() {
        let settings = load(&document(), &["+15551230001", "US:72345", "US:555", "GB:555"]).unwrap();
        let of = |digits| settings.short_code(digits).map(String::from);
        assert_eq!(of("72345").as_deref(), Some("US:72345"));
        for other in ["555", "72346", "+15551230001", "15551230001", "US:72345", ""] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases: &[(&str, Value, &str)] = &[
            ("/provider/baseUrl", json!("ftp://x"), "provider.baseUrl: \"ftp://x\" is not"),
            ("/provider/baseUrl", json!("https://u@x"), "provider.baseUrl: \"https://u@x\" is not"),
            ("/provider/kind", json!("carrier-pigeon"), "provider: unknown variant `carrier-pigeon`, expected"),
            ("/provider", json!({"kind": "twilio", "baseUrl": "https://x"}), "provider: missing field `accountSid`"),
            ("/webhook/publicUrl", json!("sms.example.com"), "webhook.publicUrl \"sms.example.com\" is not a URL"),
            ("/accountLimit/segments", json!(0), "accountLimit.segments: must be at least 1"),
            ("/accountLimit/perSeconds", json!(0), "accountLimit.perSeconds: must be at least 1"),
            ("/checkIntervalSeconds", json!(0), "checkIntervalSeconds: must be at least 1"),
            ("/retentionDays", json!(0), "retentionDays: must be at least 1"),
        ];
        for (pointer, value, message) in cases {
            let mut changed = document();
            *changed.pointer_mut(pointer).unwrap() = value.clone();
            let error = load(&changed, &[]).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
        let error = load(&document(), &["+15551230001", "+15551230001"]).unwrap_err().to_string();
        assert_eq!(error, "routes: +15551230001 is there twice; a number belongs to one channel");
    }
}
