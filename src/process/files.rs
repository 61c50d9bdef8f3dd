//! How many files the process may have open: each connection is one.

use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use super::serve::Limits;

/// The limits of open files before and after [`raise`]; none is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Raised {
    soft_before: Option<u64>,
    hard: Option<u64>,
}

/// Raises the soft limit of open files, which is often 1,024, to the hard one, and says so in the log when that is less than a role
/// needs: a connection for each that its ports may have, and `own` files for its volume and what it opens to others.
pub(crate) fn raise(ports: &[Limits], own: usize) {
    let needed = (ports.iter().map(|port| port.connections).sum::<usize>() + own) as u64;
    match to_the_hard_limit() {
        Ok(Raised { soft_before, hard: Some(hard) }) if hard < needed => tracing::warn!(
            soft_before,
            hard,
            needed,
            "fewer files may be open than the ports may have connections: raise the hard limit of open files (RLIMIT_NOFILE) of the container runtime"
        ),
        Ok(Raised { soft_before, hard }) => tracing::debug!(soft_before, hard, needed, "the limit of open files"),
        Err(error) => {
            let Rlimit { current: soft, maximum: hard } = getrlimit(Resource::Nofile);
            tracing::warn!(%error, soft, hard, needed, "the limit of open files cannot be raised");
        }
    }
}

fn to_the_hard_limit() -> Result<Raised, Errno> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    }
    Ok(Raised { soft_before: current, hard: maximum })
}
