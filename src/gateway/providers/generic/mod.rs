//! A carrier with a plain HTTP API, as the connector describes it: [`crate::carrier`].

mod proof;
mod repeats;
mod send;
mod webhooks;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use futures::{FutureExt, future::BoxFuture};
use parking_lot::Mutex;
use reqwest::Method;
use serde::Deserialize;

use super::{
    Answer, CallHead, CheckError, Client, MissingKeys, NumberList, Provider, Received, Rejected, Unverified,
    WebhookCall,
};
use crate::{
    carrier::{Carrier, WEBHOOK_SECRET},
    gateway::{
        credentials::{Credentials, Secret},
        public_url::PublicUrl,
    },
    sms::PhoneNumber,
    wire::outbound::SendRequest,
};
use repeats::Repeats;

/// Where there is no call by which the carrier says whether the credentials are good, an attempt that was refused for them stops others for so
/// long. Then one is tried again.
const REFUSAL_COUNTS: Duration = Duration::from_secs(60);

/// What the configuration says of the account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Settings(Carrier);

/// An account at a carrier.
#[derive(Debug)]
pub(crate) struct Generic {
    carrier: Carrier,
    secrets: BTreeMap<String, Secret>,
    client: Client,
    /// When an attempt was last refused for the credentials, and the carrier's words.
    refused: Mutex<Option<(Instant, String)>>,
    repeats: Repeats,
}

impl Generic {
    /// An account with its credentials.
    ///
    /// # Errors
    /// Which keys are missing.
    pub(crate) fn new(settings: &Settings, credentials: &Credentials, client: &Client) -> Result<Self, MissingKeys> {
        let carrier = settings.0.clone();
        let (mut secrets, mut missing) = (BTreeMap::new(), Vec::new());
        for key in carrier.keys() {
            if let Some(secret) = credentials.get(key) {
                secrets.insert(key.to_owned(), secret.clone());
            } else {
                missing.push(key.to_owned());
            }
        }
        if !missing.is_empty() {
            return Err(MissingKeys(missing));
        }
        Ok(Self { carrier, secrets, client: client.clone(), refused: Mutex::default(), repeats: Repeats::default() })
    }

    /// The value of a key; all that are needed are there.
    fn secret(&self, key: &str) -> &str {
        self.secrets.get(key).map_or("", Secret::reveal)
    }

    /// Whether the carrier made the call.
    fn verify(&self, head: &CallHead, body: Option<&[u8]>) -> Result<(), Unverified> {
        let webhooks = self.carrier.webhooks.as_ref().ok_or(Unverified::Signature)?;
        proof::verify(&webhooks.proof, self.secret(WEBHOOK_SECRET), head, body)
    }
}

impl Provider for Generic {
    fn methods(&self) -> &'static [Method] {
        &[Method::GET, Method::POST]
    }

    fn claims_to_be_ours(&self, head: &CallHead) -> bool {
        self.verify(head, None).is_ok()
    }

    fn receive<'a>(&'a self, call: &'a WebhookCall) -> BoxFuture<'a, Result<Received, Rejected>> {
        async {
            self.verify(&call.head, Some(&call.body))?;
            let Some(webhooks) = &self.carrier.webhooks else { return Err(Unverified::Signature.into()) };
            let items = webhooks::items(webhooks, &self.repeats, call)?;
            Ok(Received { items, acknowledgement: webhooks::acknowledgement(webhooks) })
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), CheckError>> {
        async {
            if let Some(check) = &self.carrier.check {
                return self.ask(check).await;
            }
            match &*self.refused.lock() {
                Some((at, message)) if at.elapsed() < REFUSAL_COUNTS => Err(CheckError::Invalid(message.clone())),
                Some(_) | None => Ok(()),
            }
        }
        .boxed()
    }

    fn numbers<'a>(&'a self, _: &'a BTreeSet<PhoneNumber>) -> BoxFuture<'a, Result<NumberList, CheckError>> {
        async { Ok(NumberList::NotListable) }.boxed()
    }

    fn send<'a>(&'a self, request: &'a SendRequest, public_url: &'a PublicUrl) -> BoxFuture<'a, Answer> {
        self.make_attempt(request, public_url).boxed()
    }
}
