//! What the simulator starts with: accounts, handsets, and how fast and how stubborn it is.

use crate::sms::PhoneNumber;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

/// The configuration file (YAML or JSON). All of it can be changed at run time by the control API.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// Accounts at this provider.
    #[serde(default)]
    pub accounts: Vec<AccountConfig>,
    /// Customers' handsets that are there from the start. Others appear when they are written to.
    #[serde(default)]
    pub handsets: Vec<HandsetConfig>,
    /// Speed and stubbornness.
    #[serde(default)]
    pub settings: Settings,
}

/// An account: who may use the provider API, and with which numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccountConfig {
    /// The account's name in tokens and paths; 1 to 64 letters, digits, `-` or `_`.
    pub account: String,
    /// Tokens that are accepted. The first one signs webhooks.
    #[serde(default)]
    pub tokens: Vec<String>,
    /// A file with one more token, which then is the first. It is read at each use, so that a replaced Secret counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// The service numbers that belong to it.
    #[serde(default)]
    pub numbers: Vec<NumberConfig>,
}

/// A number of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NumberConfig {
    /// In canonical form.
    pub number: PhoneNumber,
    /// Whether it can send and receive text messages.
    #[serde(default = "yes")]
    pub sms_capable: bool,
    /// Where inbound messages are posted. It is called and signed exactly as written here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<String>,
}

/// A customer's handset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HandsetConfig {
    /// In canonical form.
    pub number: PhoneNumber,
    /// Whose it is, for people.
    #[serde(default)]
    pub name: String,
    /// False: messages to it end as `Undelivered`.
    #[serde(default = "yes")]
    pub reachable: bool,
    /// True: messages to it are refused with `OptedOut`, as a provider does that handles STOP itself.
    #[serde(default)]
    pub opted_out: bool,
}

const fn yes() -> bool {
    true
}

/// How fast messages move and how stubborn webhooks are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// From `Accepted` to `Sent`.
    pub sent_after_millis: u64,
    /// From `Sent` to `Delivered` or `Undelivered`.
    pub delivered_after_millis: u64,
    /// How often a webhook is tried in all, at least once. Providers are not patient: a few times within seconds.
    pub webhook_attempts: u32,
    /// How long one try may take.
    pub webhook_timeout_millis: u64,
    /// From a failed try to the second one; each later pause is twice as long.
    pub webhook_retry_after_millis: u64,
    /// True: of one customer's messages to one number, the next is posted when the one before is settled; the same for
    /// the receipts of one message. False: all at once, as many providers do.
    pub ordered: bool,
    /// Where webhooks really go: the longest key that a URL begins with is replaced by its value for the connection. The
    /// signature keeps the URL as configured.
    pub webhook_bases: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sent_after_millis: 300,
            delivered_after_millis: 700,
            webhook_attempts: 3,
            webhook_timeout_millis: 15_000,
            webhook_retry_after_millis: 1_000,
            ordered: true,
            webhook_bases: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// The pause after a failed attempt, counted from 1; a minute at most.
    pub(super) fn pause_after(&self, attempt: u32) -> Duration {
        let factor = 1_u64.checked_shl(attempt.saturating_sub(1)).unwrap_or(u64::MAX);
        Duration::from_millis(self.webhook_retry_after_millis.saturating_mul(factor).min(60_000))
    }

    /// The address that stands for a configured URL.
    pub(super) fn address_of(&self, url: &str) -> String {
        self.webhook_bases
            .iter()
            .filter_map(|(base, to)| url.strip_prefix(base.as_str()).map(|rest| (base.len(), format!("{to}{rest}"))))
            .max_by_key(|(length, _)| *length)
            .map_or_else(|| url.to_owned(), |(_, address)| address)
    }
}

/// Why a configuration is not usable.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is not YAML of the documented form.
    #[error("the configuration cannot be read: {0}")]
    Syntax(String),
    /// Two accounts have one name.
    #[error("account {0:?} is listed twice")]
    AccountTwice(String),
    /// An account has an unusable name.
    #[error("account {0:?}: a name has 1 to 64 letters, digits, - or _")]
    AccountName(String),
    /// Nobody could tell whose message it is.
    #[error("number {0} is listed twice; a number belongs to one account")]
    NumberTwice(PhoneNumber),
    /// One token would stand for two accounts, or for none.
    #[error("account {0:?} has an empty token, or one that another account has too")]
    Token(String),
    /// A webhook that could never be called.
    #[error("number {number}: webhookUrl {url:?} does not begin with http:// or https://")]
    WebhookUrl {
        /// The number.
        number: PhoneNumber,
        /// The URL that was given.
        url: String,
    },
}

impl Config {
    /// Reads YAML, of which JSON is a part.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_yaml(text: &str) -> Result<Self, ConfigError> {
        let config: Self = serde_saphyr::from_str(text).map_err(|error| ConfigError::Syntax(error.to_string()))?;
        config.check()?;
        Ok(config)
    }

    /// What to start with when nothing is configured: one account with one number, and a handset.
    pub fn demo(token: &str) -> Self {
        #[expect(clippy::expect_used, reason = "the two numbers are constants in canonical form")]
        let number = |text: &str| text.parse::<PhoneNumber>().expect("a canonical number");
        Self {
            accounts: vec![AccountConfig {
                account: "simulator".into(),
                tokens: vec![token.into()],
                token_file: None,
                numbers: vec![NumberConfig { number: number("+15551230001"), sms_capable: true, webhook_url: None }],
            }],
            handsets: vec![HandsetConfig {
                number: number("+15559870001"),
                name: "Mia".into(),
                reachable: true,
                opted_out: false,
            }],
            settings: Settings::default(),
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        check_accounts(&self.accounts)
    }
}

/// Checks what must hold over all accounts together.
pub(super) fn check_accounts<'a>(accounts: impl IntoIterator<Item = &'a AccountConfig>) -> Result<(), ConfigError> {
    let (mut names, mut numbers, mut tokens) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for account in accounts {
        let name = &account.account;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if !(1..=64).contains(&name.len()) || !name.chars().all(fits) {
            return Err(ConfigError::AccountName(name.clone()));
        }
        if !names.insert(name) {
            return Err(ConfigError::AccountTwice(name.clone()));
        }
        if account.tokens.iter().any(|token| token.is_empty() || !tokens.insert(token)) {
            return Err(ConfigError::Token(name.clone()));
        }
        for number in &account.numbers {
            if !numbers.insert(&number.number) {
                return Err(ConfigError::NumberTwice(number.number.clone()));
            }
            if let Some(url) = number.webhook_url.as_ref().filter(|url| !is_http(url)) {
                return Err(ConfigError::WebhookUrl { number: number.number.clone(), url: url.clone() });
            }
        }
    }
    Ok(())
}

/// Whether a URL could be called at all.
pub(super) fn is_http(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_with_defaults() {
        let config = Config::from_yaml(
            r#"
accounts:
  - account: demo
    tokenFile: /etc/aldis/token
    numbers:
      - number: "+15551230001"
        webhookUrl: http://smsc-simulator.default.svc:8080/hooks/inbound
      - {number: "US:72345", smsCapable: false}
handsets:
  - {number: "+15559870001", name: Mia}
settings:
  webhookAttempts: 5
"#,
        )
        .unwrap();
        let [one, two] = config.accounts[0].numbers.as_slice() else { panic!("two numbers") };
        assert!(one.sms_capable && !two.sms_capable && two.webhook_url.is_none());
        assert!(config.handsets[0].reachable && !config.handsets[0].opted_out);
        assert_eq!(config.settings, Settings { webhook_attempts: 5, ..Settings::default() });
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("accounts: [{account: a}, {account: a}]", "account \"a\" is listed twice"),
            ("accounts: [{account: \"a b\"}]", "account \"a b\": a name has 1 to 64 letters, digits, - or _"),
            (
                "accounts: [{account: a, numbers: [{number: \"+15551230001\"}]}, {account: b, numbers: [{number: \"+15551230001\"}]}]",
                "number +15551230001 is listed twice; a number belongs to one account",
            ),
            (
                "accounts: [{account: a, tokens: [x]}, {account: b, tokens: [x]}]",
                "account \"b\" has an empty token, or one that another account has too",
            ),
            (
                "accounts: [{account: a, numbers: [{number: \"+15551230001\", webhookUrl: \"ftp://x\"}]}]",
                "number +15551230001: webhookUrl \"ftp://x\" does not begin with http:// or https://",
            ),
        ];
        for (yaml, message) in cases {
            assert_eq!(Config::from_yaml(yaml).unwrap_err().to_string(), message);
        }
        let typo = Config::from_yaml("accounts: [{account: a, numbres: []}]").unwrap_err().to_string();
        assert!(typo.contains("numbres"), "{typo}");
        let bad = Config::from_yaml("handsets: [{number: \"15559870001\"}]").unwrap_err().to_string();
        assert!(bad.contains("has no country code"), "{bad}");
    }

    #[test]
    fn pauses_double_up_to_a_minute() {
        let settings = Settings::default();
        let pauses = [1, 2, 3, 7, 64, 65].map(|attempt| settings.pause_after(attempt).as_millis());
        assert_eq!(pauses, [1_000, 2_000, 4_000, 60_000, 60_000, 60_000]);
    }

    #[test]
    fn the_longest_base_says_where_a_webhook_really_goes() {
        let bases = [("https://sms.example.com", "http://a:1"), ("https://sms.example.com/desk", "http://b:2/x")];
        let webhook_bases = bases.map(|(from, to)| (from.to_owned(), to.to_owned())).into();
        let settings = Settings { webhook_bases, ..Settings::default() };
        assert_eq!(settings.address_of("https://sms.example.com/desk/hooks/inbound"), "http://b:2/x/hooks/inbound");
        assert_eq!(settings.address_of("https://sms.example.com/hooks/status?t=1"), "http://a:1/hooks/status?t=1");
        assert_eq!(settings.address_of("http://other/hooks"), "http://other/hooks");
    }
}
