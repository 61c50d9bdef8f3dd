//! One number, one channel: a claim is a Lease in the operator's namespace, named by a hash of what is claimed.
//!
//! Creating it is atomic. Who holds it is in `holderIdentity`; it never runs out by time. It is released when the holder's
//! engine is gone, and swept only after a live read says that the holder does not exist any more.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::{Api, ResourceExt, api::ObjectMeta};
use sha2::{Digest, Sha256};
use tracing::info;

use crate::{
    api::{SmsChannel, names, sms_connector::ProviderMember},
    operator::{
        observed::context::Context,
        runtime::{allow_list::AllowList, cache::ObjectKey, error::Error},
    },
};

/// Label of every claim.
pub const LABEL: &str = "aldis.dev/claim";
/// Value of [`LABEL`].
pub const LABEL_VALUE: &str = "number";
const ANNOTATION_NUMBER: &str = "aldis.dev/number";
const ANNOTATION_PROVIDER: &str = "aldis.dev/provider";
const ANNOTATION_ACCOUNT: &str = "aldis.dev/account";
const FIELD_MANAGER: &str = "aldis/claim";

/// What is claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    provider: &'static str,
    account: String,
    number: String,
    /// Set where nobody can say whose number it is: the claim then holds within the namespace only.
    namespace: Option<String>,
}

impl Claim {
    /// The claim of a number of a connector's account. It holds in the whole cluster where the provider itself says whose the number
    /// is; anything else that answers at a `baseUrl` could say what it likes, so that it counts in its namespace only.
    pub fn new(provider: ProviderMember<'_>, allowed: &AllowList, namespace: &str, number: &str) -> Self {
        let local = match provider {
            ProviderMember::Twilio(_) if allowed.is_providers_own(provider.base_url()) => None,
            ProviderMember::Twilio(_) | ProviderMember::Simulator(_) => Some(namespace.to_owned()),
        };
        Self {
            provider: provider.kind(),
            account: provider.account().to_owned(),
            number: number.to_owned(),
            namespace: local,
        }
    }

    /// Name of the Lease: each part goes into the hash behind its length, so that no two claims share one.
    pub fn name(&self) -> String {
        let mut hash = Sha256::new();
        let parts =
            [Some(self.provider), Some(self.account.as_str()), Some(self.number.as_str()), self.namespace.as_deref()];
        for part in parts.into_iter().flatten() {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("number-{}", &hex[..40])
    }
}

/// Who holds a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Namespace of the channel.
    pub namespace: String,
    /// Name of the channel.
    pub name: String,
    /// UID of the channel.
    pub uid: String,
}

impl Holder {
    /// This channel.
    pub fn channel(channel: &SmsChannel) -> Self {
        Self {
            namespace: channel.namespace().unwrap_or_default(),
            name: channel.name_any(),
            uid: channel.uid().unwrap_or_default(),
        }
    }

    /// The holder of a claim; none when it is not one of ours.
    pub fn of(lease: &Lease) -> Option<Self> {
        let identity = lease.spec.as_ref()?.holder_identity.as_deref()?;
        let mut parts = identity.split('/');
        let (namespace, name, uid) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { namespace: namespace.into(), name: name.into(), uid: uid.into() })
    }

    fn identity(&self) -> String {
        format!("{}/{}/{}", self.namespace, self.name, self.uid)
    }
}

/// Whose a number is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// This channel's.
    Ours,
    /// Another channel's.
    Other(Holder),
}

/// Whether this channel holds the claim, by the cache.
pub fn is_held(context: &Context, claim: &Claim, holder: &Holder) -> bool {
    lease(context, claim).and_then(|lease| Holder::of(&lease)).as_ref() == Some(holder)
}

fn lease(context: &Context, claim: &Claim) -> Option<Arc<Lease>> {
    context.cluster.claims.get(&ObjectKey::new(&context.settings.namespace, claim.name()))
}

/// Takes the claim for the channel, or says who has it.
///
/// # Errors
/// Faults of the API server.
pub async fn take(context: &Context, claim: &Claim, holder: &Holder) -> Result<Ownership, Error> {
    let key = ObjectKey::new(&holder.namespace, &holder.name);
    let name = claim.name();
    if let Some(lease) = lease(context, claim) {
        let found = judge(context, &lease, holder).await?;
        if let Some(ownership) = found {
            note_contender(context, &name, &key, &ownership);
            return Ok(ownership);
        }
    }
    let made = context.writer.create("Lease", FIELD_MANAGER, &manifest(context, claim, holder)).await?;
    let ownership = match made {
        Some(lease) => {
            info!(claim = name, holder = holder.identity(), "claimed");
            context.cluster.claims.wrote(lease);
            // The route appears in the gateway's configuration.
            wake_connector(context, &key);
            Some(Ownership::Ours)
        }
        None => {
            let api: Api<Lease> = Api::namespaced(context.writer.client().clone(), &context.settings.namespace);
            match api.get_opt(&name).await? {
                Some(lease) => {
                    context.cluster.claims.wrote(lease.clone());
                    judge(context, &lease, holder).await?
                }
                None => None,
            }
        }
    };
    // Neither ours nor anybody's: it went this moment. The next look takes it.
    let ownership = ownership.ok_or_else(|| {
        Error::waiting(
            crate::api::Reason::Progressing,
            "the claim on the number is being released",
            std::time::Duration::from_millis(500),
        )
    })?;
    note_contender(context, &name, &key, &ownership);
    Ok(ownership)
}

fn note_contender(context: &Context, claim: &str, key: &ObjectKey, ownership: &Ownership) {
    match ownership {
        Ownership::Ours => context.contenders.remove(claim, key),
        Ownership::Other(_) => context.contenders.add(claim, key.clone()),
    }
}

fn wake_connector(context: &Context, channel: &ObjectKey) {
    if let Some(channel) = context.cluster.channels.get(channel) {
        let namespace = channel.namespace().unwrap_or_default();
        context.queues.connectors.add(ObjectKey::new(namespace, &channel.spec.connector_ref.name));
    }
}

/// Whose the claim is. None when it was nobody's any more and is swept.
async fn judge(context: &Context, lease: &Lease, asking: &Holder) -> Result<Option<Ownership>, Error> {
    match Holder::of(lease) {
        Some(holder) if holder == *asking => Ok(Some(Ownership::Ours)),
        Some(holder) => {
            if sweep(context, lease, &holder).await? {
                return Ok(None);
            }
            Ok(Some(Ownership::Other(holder)))
        }
        None => Err(Error::stalled(
            crate::api::Reason::NameConflict,
            format!(
                "Lease {} in namespace {} is no claim of Aldis: delete it",
                lease.name_any(),
                context.settings.namespace
            ),
        )),
    }
}

/// Deletes the claim if its holder is gone for certain: the cache does not know it, and a live read says so too. A read that
/// fails says nothing.
async fn sweep(context: &Context, lease: &Lease, holder: &Holder) -> Result<bool, Error> {
    let key = ObjectKey::new(&holder.namespace, &holder.name);
    let known = context.cluster.channels.get(&key);
    if known.is_some_and(|channel| channel.metadata.uid.as_deref() == Some(holder.uid.as_str())) {
        return Ok(false);
    }
    let api: Api<SmsChannel> = Api::namespaced(context.writer.client().clone(), &holder.namespace);
    let gone = match api.get_metadata_opt(&holder.name).await {
        Ok(None) => true,
        Ok(Some(channel)) => channel.metadata.uid.as_deref() != Some(holder.uid.as_str()),
        Err(_) => false,
    };
    if gone {
        info!(claim = lease.name_any(), holder = holder.identity(), "sweeping the claim of a channel that is gone");
        remove(context, lease).await?;
    }
    Ok(gone)
}

/// Sweeps every claim whose holder is gone.
///
/// # Errors
/// Faults of the API server.
pub async fn sweep_all(context: &Context) -> Result<(), Error> {
    for lease in context.cluster.claims.select(|_| true) {
        if let Some(holder) = Holder::of(&lease) {
            sweep(context, &lease, &holder).await?;
        }
    }
    Ok(())
}

/// Gives up every claim of the channel. Reads past the cache, since none may stay behind.
///
/// # Errors
/// Faults of the API server.
pub async fn release(context: &Context, claim: Option<&Claim>, holder: &Holder) -> Result<bool, Error> {
    let mut held = context.cluster.claims.select(|lease| Holder::of(lease).as_ref() == Some(holder));
    if let Some(claim) = claim {
        let api: Api<Lease> = Api::namespaced(context.writer.client().clone(), &context.settings.namespace);
        let live = api.get_opt(&claim.name()).await?;
        held.retain(|lease| lease.name_any() != claim.name());
        held.extend(live.filter(|lease| Holder::of(lease).as_ref() == Some(holder)).map(Arc::new));
        context.contenders.remove(&claim.name(), &ObjectKey::new(&holder.namespace, &holder.name));
    }
    for lease in &held {
        remove(context, lease).await?;
    }
    Ok(!held.is_empty())
}

async fn remove(context: &Context, lease: &Lease) -> Result<(), Error> {
    context.writer.delete("Lease", lease).await?;
    context.cluster.claims.removed(&ObjectKey::of(lease), &lease.uid().unwrap_or_default());
    for key in context.contenders.of(&lease.name_any()) {
        context.queues.channels.add(key);
    }
    Ok(())
}

fn manifest(context: &Context, claim: &Claim, holder: &Holder) -> Lease {
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    Lease {
        metadata: ObjectMeta {
            name: Some(claim.name()),
            namespace: Some(context.settings.namespace.clone()),
            labels: Some(BTreeMap::from([
                label(LABEL, LABEL_VALUE),
                label(names::LABEL_MANAGED_BY, names::MANAGED_BY),
            ])),
            annotations: Some(BTreeMap::from([
                label(ANNOTATION_NUMBER, &claim.number),
                label(ANNOTATION_PROVIDER, claim.provider),
                label(ANNOTATION_ACCOUNT, &claim.account),
            ])),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec { holder_identity: Some(holder.identity()), ..LeaseSpec::default() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::sms_connector::{Simulator, Twilio};

    fn twilio(account: &str, base_url: &str) -> Twilio {
        Twilio { account_sid: account.into(), base_url: Some(base_url.into()), ..Twilio::default() }
    }

    fn name(provider: ProviderMember<'_>, namespace: &str, number: &str) -> String {
        let further = ["https://proxy.example.com:8443".to_owned()];
        let allowed =
            AllowList::new(&["http://twilio-fake.a:80".to_owned()]).unwrap().with_providers(&further).unwrap();
        Claim::new(provider, &allowed, namespace, number).name()
    }

    #[test]
    fn a_claim_holds_in_the_whole_cluster_only_where_the_provider_itself_answers() {
        let cases = [
            ("https://api.twilio.com", true),
            ("https://api.dublin.ie1.twilio.com", true),
            ("https://proxy.example.com:8443/", true),
            ("http://twilio-fake.a", false),
            ("https://api.twilio.com.example.org", false),
        ];
        for (base_url, in_cluster) in cases {
            let twilio = twilio("AC1", base_url);
            let of = |namespace| name(ProviderMember::Twilio(&twilio), namespace, "+15551230001");
            assert_eq!(of("a") == of("b"), in_cluster, "{base_url}");
        }
        let simulator: Simulator =
            serde_json::from_value(serde_json::json!({"baseUrl": "http://x", "credentialsSecretRef": {"name": "s"}}))
                .unwrap();
        let of = |namespace| name(ProviderMember::Simulator(&simulator), namespace, "+15551230001");
        assert_ne!(of("a"), of("b"));
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let at = "https://api.twilio.com";
        let (one, other) = (twilio("AC1", at), twilio("AC1+", at));
        let of = |account, number| name(ProviderMember::Twilio(account), "a", number);
        assert_ne!(of(&one, "+15551230001"), of(&other, "15551230001"));
        assert_eq!(of(&one, "+15551230001").len(), "number-".len() + 40);
    }

    #[test]
    fn the_holder_survives_its_text_form() {
        let holder = Holder { namespace: "n".into(), name: "c".into(), uid: "u".into() };
        let spec = LeaseSpec { holder_identity: Some(holder.identity()), ..LeaseSpec::default() };
        assert_eq!(Holder::of(&Lease { spec: Some(spec), ..Lease::default() }), Some(holder));
        assert_eq!(Holder::of(&Lease::default()), None);
    }
}
