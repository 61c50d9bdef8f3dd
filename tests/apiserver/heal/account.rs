//! An account at a provider that can be away, slow, and without a number: a simulator as a process, or a provider of our own.

use std::{fmt, fs, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    carrier::Carrier,
    process::{self, Role},
    provider_fake::{self, Dialect, server::ProviderFake},
    twilio_fake::{self, TwilioFake},
};

/// Far beyond the time that a gateway gives its provider.
const LATE: Duration = Duration::from_secs(600);
const SIMULATOR_TOKEN: &str = "it is a token";

/// The provider.
#[derive(Clone, Copy, Debug)]
pub enum Provider {
    Twilio,
    Simulator,
    Other(&'static dyn Dialect),
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Twilio => "twilio",
            Self::Simulator => "simulator",
            Self::Other(dialect) => dialect.member(),
        })
    }
}

impl Provider {
    /// Whether it can be asked which numbers the account has.
    pub fn lists_numbers(self) -> bool {
        match self {
            Self::Twilio | Self::Simulator => true,
            Self::Other(dialect) => dialect.lists_numbers(),
        }
    }
}

/// A number, and whether it can do SMS.
pub type Number = (String, bool);

/// An account at a provider of its own.
pub struct Account {
    /// Its member of `spec.provider`.
    pub provider: Provider,
    /// What a connector's `baseUrl` says.
    pub base_url: String,
    at: At,
}

enum At {
    Twilio(TwilioFake),
    Other(ProviderFake),
    Simulator { role: Role, carrier: Carrier, folder: TempDir },
}

impl Account {
    /// Opens one.
    pub async fn open(provider: Provider) -> Self {
        match provider {
            Provider::Twilio => {
                let twilio = TwilioFake::start().await;
                Self { provider, base_url: twilio.url.clone(), at: At::Twilio(twilio) }
            }
            Provider::Other(dialect) => {
                let other = ProviderFake::start(dialect).await;
                Self { provider, base_url: other.url.clone(), at: At::Other(other) }
            }
            Provider::Simulator => {
                let (address, folder) = (process::address(), tempfile::tempdir().unwrap());
                let config = folder.path().join("config.json");
                let accounts = json!([{"account": "simulator", "tokens": [SIMULATOR_TOKEN]}]);
                fs::write(&config, json!({ "accounts": accounts }).to_string()).unwrap();
                let arguments =
                    ["simulator", &format!("--address={address}"), &format!("--config={}", config.display())];
                let role = Role::start(arguments.map(Into::into).into(), &folder.path().join("log"));
                let base_url = format!("http://{address}:{}", aldis::wire::ports::SIMULATOR);
                let carrier = Carrier::new(&base_url);
                carrier.ready().await;
                Self { provider, base_url, at: At::Simulator { role, carrier, folder } }
            }
        }
    }

    /// `spec.provider` of a connector of this account, with the credentials in Secret `sim`.
    pub fn spec(&self) -> String {
        let more = format!("baseUrl: \"{}\", credentialsSecretRef: {{name: sim}}", self.base_url);
        match &self.at {
            At::Twilio(_) => format!("{{twilio: {{accountSid: {}, {more}}}}}", twilio_fake::ACCOUNT),
            At::Other(other) => {
                let mut member = other.dialect.settings();
                member["baseUrl"] = json!(self.base_url);
                member["credentialsSecretRef"] = json!({"name": "sim"});
                json!({ other.dialect.member(): member }).to_string()
            }
            At::Simulator { .. } => format!("{{simulator: {{{more}}}}}"),
        }
    }

    /// The key of the Secret that decides whether the provider believes the gateway, and its value.
    pub fn deciding_key(&self) -> (&'static str, &'static str) {
        match &self.at {
            At::Twilio(_) => ("authToken", twilio_fake::TOKEN),
            At::Simulator { .. } => ("token", SIMULATOR_TOKEN),
            At::Other(other) => {
                let key = other.dialect.deciding_key();
                other.dialect.secret().into_iter().find(|(name, _)| *name == key).unwrap()
            }
        }
    }

    /// The other keys of the Secret, and their values.
    pub fn other_keys(&self) -> Vec<(&'static str, &'static str)> {
        let At::Other(other) = &self.at else { return Vec::new() };
        let key = other.dialect.deciding_key();
        other.dialect.secret().into_iter().filter(|(name, _)| *name != key).collect()
    }

    /// Has these numbers from now on, also after it was away.
    pub async fn set_numbers(&self, numbers: Vec<Number>) {
        match &self.at {
            At::Twilio(twilio) => twilio.account(|account| {
                account.numbers = numbers.iter().map(|(number, sms)| twilio_fake::number(number, *sms, "")).collect();
            }),
            At::Other(other) => other.account(|account| {
                let number = |(number, sms)| provider_fake::Number { number, sms, webhook: None };
                account.numbers = numbers.into_iter().map(number).collect();
            }),
            At::Simulator { carrier, folder, .. } => {
                let numbers: Vec<Value> =
                    numbers.iter().map(|(number, sms)| json!({"number": number, "smsCapable": sms})).collect();
                let mut account = json!({"tokens": [SIMULATOR_TOKEN], "numbers": numbers});
                carrier.control(Method::PUT, "/control/accounts/simulator", &account).await;
                account["account"] = json!("simulator");
                fs::write(folder.path().join("config.json"), json!({"accounts": [account]}).to_string()).unwrap();
            }
        }
    }

    /// Nobody listens at its address any more, or again.
    pub async fn set_away(&mut self, away: bool) {
        match (&mut self.at, away) {
            (At::Twilio(twilio), true) => twilio.leave().await,
            (At::Twilio(twilio), false) => twilio.come_back().await,
            (At::Other(other), true) => other.leave().await,
            (At::Other(other), false) => other.come_back().await,
            (At::Simulator { role, .. }, true) => role.kill(),
            (At::Simulator { role, carrier, .. }, false) => {
                role.start_again();
                carrier.ready().await;
            }
        }
    }

    /// Its answers come late, or in time again.
    pub async fn set_slow(&self, slow: bool) {
        match &self.at {
            At::Twilio(twilio) => twilio.account(|account| account.delay = if slow { LATE } else { Duration::ZERO }),
            At::Other(other) => other.account(|account| account.delay = if slow { LATE } else { Duration::ZERO }),
            At::Simulator { carrier, .. } if slow => {
                let delay = json!({"Delay": {"millis": LATE.as_secs() * 1000}});
                for route in ["Account", "Numbers"] {
                    let fault = json!({"route": route, "action": delay});
                    carrier.control(Method::POST, "/control/faults", &fault).await;
                }
            }
            At::Simulator { carrier, .. } => {
                carrier.control(Method::DELETE, "/control/faults", &Value::Null).await;
            }
        }
    }
}
