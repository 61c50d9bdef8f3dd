//! `spec.provider` of an `SmsConnector`: one member for each provider, and what there is to know of it.
//!
//! The list below is the only one: the field, its rules, the operator's allow-list, the scope of claims, the admission policy and the page of
//! capabilities follow from it. A provider has one file here, and one folder at the gateway.

mod facts;

use std::{borrow::Cow, fmt};

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

pub use facts::{Capabilities, DefaultBaseUrl, Facts, HostPattern, NumberList, SecretKey, WebhookCheck};
pub use http::{
    HttpAlgorithm, HttpAnswer, HttpAuthentication, HttpCheck, HttpCovered, HttpDeliveryState, HttpEncoding, HttpField,
    HttpInbound, HttpMeaning, HttpMessageId, HttpMethod, HttpProof, HttpProofBy, HttpSend, HttpState, HttpStatus,
    HttpWebhooks,
};

use super::reference::SecretRef;

/// A member of `spec.provider`: an account at a provider.
pub trait ProviderMember: fmt::Debug + Send + Sync {
    /// What is so for every account at this provider.
    fn facts(&self) -> &'static Facts;

    /// The account. It never changes.
    fn account(&self) -> &str;

    /// The Secret with the credentials.
    fn credentials(&self) -> &SecretRef;

    /// `baseUrl`, if it is given.
    fn given_base_url(&self) -> Option<&str>;

    /// Whether there is a call by which the provider can be asked about the credentials.
    fn is_checked(&self) -> bool {
        true
    }

    /// The value of the field that is part of the provider's own address; empty where the address is the same for all.
    fn base_url_field(&self) -> &str {
        ""
    }
}

impl dyn ProviderMember + '_ {
    /// The provider as its member is called: `twilio`, `simulator`.
    pub fn kind(&self) -> &'static str {
        self.facts().member
    }

    /// Whether the address is the one that the provider gives to this account, where each account has its own.
    pub fn is_at_its_accounts_address(&self) -> bool {
        match (self.given_base_url(), self.facts().default_base_url) {
            (Some(given), DefaultBaseUrl::With { before, after, .. }) => {
                given.trim_end_matches('/') == format!("{before}{}{after}", self.base_url_field())
            }
            (_, _) => true,
        }
    }

    /// The address of the provider's API, without a slash at its end.
    pub fn base_url(&self) -> Cow<'_, str> {
        match (self.given_base_url(), self.facts().default_base_url) {
            (Some(given), _) => Cow::Borrowed(given.trim_end_matches('/')),
            (None, DefaultBaseUrl::None) => Cow::Borrowed(""),
            (None, DefaultBaseUrl::Fixed(url)) => Cow::Borrowed(url),
            (None, DefaultBaseUrl::With { before, after, .. }) => {
                Cow::Owned(format!("{before}{}{after}", self.base_url_field()))
            }
        }
    }
}

/// The CEL rule of a connector's spec: numbers are declared where the provider cannot be asked for them.
pub(super) fn numbers_are_declared() -> String {
    facts::numbers_are_declared(FACTS)
}

/// What somebody is told who did not declare any.
pub(super) fn declare_numbers() -> String {
    facts::declare_numbers(FACTS)
}

/// Makes the union and the list of facts: `/// documentation`, then `member: Type in module`.
macro_rules! providers {
    ($($(#[$doc:meta])+ $member:ident: $type:ident in $module:ident),+ $(,)?) => {
        $(mod $module; pub use $module::$type;)+

        /// The provider and the account: exactly one member.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
        #[serde(rename_all = "camelCase")]
        #[x_kube(
            validation = Rule::new(facts::exactly_one(FACTS)).message(facts::set_exactly_one(FACTS).as_str()),
            validation = Rule::new(facts::unchanged(FACTS))
                .message("the provider of a connector cannot change: create a new SmsConnector, and a new SmsChannel for each number")
        )]
        pub struct Provider {
            $(
                $(#[$doc])+
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $member: Option<$type>,
            )+
        }

        /// What there is to know of each provider, in the order of the documentation.
        pub const FACTS: &[&Facts] = &[$(&$module::FACTS),+];

        impl Provider {
            /// The one member that is set. `None` for an object that the API server would refuse (none or several).
            pub fn member(&self) -> Option<&dyn ProviderMember> {
                let members = [$(self.$member.as_ref().map(|member| member as &dyn ProviderMember)),+];
                let mut set = members.into_iter().flatten();
                match (set.next(), set.next()) {
                    (Some(member), None) => Some(member),
                    (_, _) => None,
                }
            }
        }
    };
}

pub use vonage::SignatureMethod;

providers! {
    /// An account (or subaccount) of Twilio.
    twilio: Twilio in twilio,
    /// The carrier that comes with Aldis (`aldis simulator`), to try things without a provider.
    simulator: Simulator in simulator,
    /// A messaging application of an account at Bandwidth.
    bandwidth: Bandwidth in bandwidth,
    /// An account at a carrier with a plain HTTP API, which is described here field by field: how a message is sent, what answers mean, and what the
    /// carrier's calls look like.
    http: Http in http,
    /// An account at Infobip.
    infobip: Infobip in infobip,
    /// An account at MessageBird (the classic REST API).
    messagebird: MessageBird in messagebird,
    /// An account (or subaccount) of Plivo.
    plivo: Plivo in plivo,
    /// A service plan of Sinch's SMS REST API.
    sinch: Sinch in sinch,
    /// A messaging profile of an account at Telnyx.
    telnyx: Telnyx in telnyx,
    /// An account at Vonage, used by its SMS API.
    vonage: Vonage in vonage,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn provider(json: serde_json::Value) -> Provider {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn exactly_one_member_counts() {
        let twilio = json!({"accountSid": "AC1", "credentialsSecretRef": {"name": "s"}});
        let simulator = json!({"credentialsSecretRef": {"name": "s"}, "baseUrl": "http://s:8090"});
        let one = provider(json!({"twilio": twilio}));
        assert_eq!(one.member().map(|member| (member.kind(), member.account())), Some(("twilio", "AC1")));
        assert!(provider(json!({})).member().is_none());
        assert!(provider(json!({"twilio": twilio, "simulator": simulator})).member().is_none());
    }

    #[test]
    fn the_base_url_is_the_given_one_or_the_providers_own() {
        let base_url = |json| provider(json).member().unwrap().base_url().into_owned();
        let secret = json!({"name": "s"});
        let own = json!({"twilio": {"accountSid": "AC1", "credentialsSecretRef": secret}});
        assert_eq!(base_url(own), "https://api.twilio.com");
        let given = json!({"simulator": {"credentialsSecretRef": secret, "baseUrl": "http://s:8090/"}});
        assert_eq!(base_url(given), "http://s:8090");
        let with_field = json!({"sinch": {"servicePlanId": "p", "region": "eu", "credentialsSecretRef": secret}});
        assert_eq!(base_url(with_field), "https://eu.sms.api.sinch.com");
    }

    #[test]
    fn facts_speak_of_fields_that_there_are() {
        let schema = serde_json::to_value(schemars::schema_for!(Provider)).unwrap();
        let members = schema["properties"].as_object().unwrap();
        assert_eq!(members.len(), FACTS.len());
        for facts in FACTS {
            assert!(members.contains_key(facts.member), "{}", facts.member);
            assert!(!facts.secret_keys.is_empty() && !facts.title.is_empty(), "{}", facts.member);
        }
    }
}
