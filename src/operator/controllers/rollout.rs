//! The children of a gateway or engine, whose pod is replaced when its turn in a roll-out has come.

use k8s_openapi::api::core::v1::Pod;

use crate::operator::{
    observed::{context::Context, rollouts, targets::Target},
    resources::{
        apply,
        child::{Applied, Children, Owner, Prepared},
        kinds::ChildKind,
    },
    runtime::error::{Error, Transient},
};

/// The server did not decide in time: what was asked for may have happened.
const GATEWAY_TIMEOUT: u16 = 504;

/// Applies the children; leaves the StatefulSet out while its turn has not come.
///
/// # Errors
/// As [`apply::apply`].
pub(super) async fn apply(
    context: &Context,
    owner: &Owner,
    target: Target,
    pod: Option<&Pod>,
    planned: Children<Prepared>,
) -> Result<Children<Applied>, Error> {
    let turn = rollouts::turn(context, owner, target, pod, &planned);
    let children = if turn.has_come { planned } else { planned.without(ChildKind::StatefulSet) };
    let applied = apply::apply(&context.writer, &context.cluster.children, owner, children).await;
    rollouts::applied(context, owner, &turn, is_decided(&applied));
    applied
}

/// Whether it is known what became of the request. One without an answer may have been obeyed.
fn is_decided(applied: &Result<Children<Applied>, Error>) -> bool {
    match applied {
        Err(Error::Transient(Transient::Api(kube::Error::Api(status)))) => status.code != GATEWAY_TIMEOUT,
        Err(Error::Transient(Transient::Api(_))) => false,
        Ok(_) | Err(_) => true,
    }
}
