//! What a connector needs in the cluster. Pure.

use crate::{
    operator::{
        controllers::connector::{observe::Observed, validate::Valid},
        resources::{
            child::{ANNOTATION_ACCOUNT, Bond, Children, Owner, Prepared},
            configuration::{self, PartKind},
            volume::Content,
            workload::{Secrets, Workload},
        },
        runtime::{error::Error, settings::Settings},
    },
    wire::config::{
        ConfigHash, FORMAT, ObjectIdentity,
        gateway::{GatewayConfig, Routes},
    },
};

/// Routes in one part; eight parts hold the 10,000 numbers that a connector may have.
const ROUTES_PER_PART: usize = 1_250;
/// Days that a message without a route is kept: as long as a channel keeps its own by default.
const UNROUTED_DAYS: u32 = 90;

/// What a connector needs.
pub(crate) struct Plan {
    pub children: Children<Prepared>,
    /// Hash of the configuration that the gateway shall have.
    pub hash: ConfigHash,
}

/// Plans.
///
/// # Errors
/// [`Error::Stalled`] when the configuration does not fit.
pub(crate) fn plan(owner: &Owner, valid: &Valid<'_>, observed: &Observed, settings: &Settings) -> Result<Plan, Error> {
    let spec = &observed.connector.spec;
    let routes: Vec<Routes> = observed
        .routes()
        .chunks(ROUTES_PER_PART)
        .map(|routes| Routes { format: FORMAT, routes: routes.to_vec() })
        .collect();
    let documents = configuration::write(owner, PartKind::Routes, &routes, |parts| GatewayConfig {
        format: FORMAT,
        connector: ObjectIdentity {
            namespace: owner.namespace.clone(),
            name: owner.name.clone(),
            uid: owner.uid.clone(),
        },
        enabled: spec.enabled,
        provider: valid.provider.clone(),
        numbers: valid.numbers.clone(),
        asked: observed.routed.asked.clone(),
        webhook: valid.webhook.clone(),
        account_limit: valid.account_limit,
        check_interval_seconds: u32::try_from(spec.check_interval_seconds).unwrap_or(300),
        retention_days: UNROUTED_DAYS,
        role_issuers: observed.role_issuers.clone(),
        operator_user: settings.operator_user(),
        parts,
    })?;
    let workload = Workload {
        owner,
        role: "gateway",
        image: &settings.image,
        image_pull_policy: &settings.image_pull_policy,
        image_pull_secrets: &settings.image_pull_secrets(),
        resources: spec.gateway.resources.as_ref(),
        scheduling: spec.gateway.scheduling.as_ref(),
        volume: &spec.gateway.spool,
        volume_bond: Bond::Retained,
        volume_content: Content { annotation: ANNOTATION_ACCOUNT, value: &valid.content },
        parts: PartKind::Routes,
        secrets: Secrets::Credentials(&valid.member.credentials().name),
    };
    let mut children = workload.children();
    children.extend(documents.children);
    Ok(Plan { children: Children::planned(children), hash: documents.hash })
}
