//! Which account a connector may use.

use crate::{
    api::{Reason, SmsConnector},
    operator::runtime::{accounts::Accounts, error::Error},
};

/// Checks that the platform team lets the connector's namespace use its account.
///
/// # Errors
/// [`Error::Stalled`] with `AccountNotAllowed`.
pub(crate) fn check(connector: &SmsConnector, accounts: &Accounts) -> Result<(), Error> {
    let Some(member) = connector.spec.provider.member() else { return Ok(()) };
    let namespace = connector.metadata.namespace.as_deref().unwrap_or_default();
    accounts.check(member.kind(), member.account(), namespace).map_err(|message| {
        Error::stalled(Reason::AccountNotAllowed, format!("spec.provider.{}: {message}", member.kind()))
    })
}
