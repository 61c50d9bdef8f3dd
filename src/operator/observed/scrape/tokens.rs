//! Tokens that the operator shows to gateways and engines: one per namespace, so that one shown to a tenant is worthless to
//! another.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{Api, Client, api::PostParams};
use parking_lot::Mutex;

use crate::operator::{resources::policy::OPERATOR_TOKEN_SECONDS, runtime::settings::Settings};

struct Held {
    token: String,
    renew: Instant,
}

/// Tokens by audience.
pub(super) struct Tokens {
    namespace: String,
    service_account: String,
    held: Mutex<HashMap<String, Held>>,
}

impl Tokens {
    /// Tokens of the operator's own ServiceAccount.
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            namespace: settings.namespace.clone(),
            service_account: settings.service_account.clone(),
            held: Mutex::default(),
        }
    }

    /// A token for the audience, asked for anew when four fifths of its time are over.
    pub(super) async fn get(&self, client: &Client, audience: &str) -> Result<String, kube::Error> {
        let known =
            self.held.lock().get(audience).filter(|held| Instant::now() < held.renew).map(|held| held.token.clone());
        if let Some(token) = known {
            return Ok(token);
        }
        let api: Api<ServiceAccount> = Api::namespaced(client.clone(), &self.namespace);
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: vec![audience.to_owned()],
                // The API server may give less.
                expiration_seconds: Some(OPERATOR_TOKEN_SECONDS.into()),
                bound_object_ref: None,
            },
            ..TokenRequest::default()
        };
        let answer = api.create_token_request(&self.service_account, &PostParams::default(), &request).await?;
        // The API server always answers with a status.
        let Some(status) = answer.status else { return Ok(String::new()) };
        let lasts = status.expiration_timestamp.0.duration_since(jiff::Timestamp::now());
        let lasts = Duration::try_from(lasts).unwrap_or_default();
        let held = Held { token: status.token.clone(), renew: Instant::now() + lasts.mul_f64(0.8) };
        self.held.lock().insert(audience.to_owned(), held);
        Ok(status.token)
    }

    /// The token was refused.
    pub(super) fn forget(&self, audience: &str) {
        self.held.lock().remove(audience);
    }
}
