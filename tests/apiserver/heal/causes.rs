//! What can be wrong around a connector and its channel, and what is said of it then.

/// All that a cause may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct World {
    /// The Secret.
    pub secret: Secret,
    /// The number at the provider, if it is there: whether it can do SMS.
    pub number: Option<bool>,
    /// The connector.
    pub connector: Connector,
    /// Whether another channel has the number.
    pub taken: bool,
    /// Whether nobody listens at the provider's address.
    pub away: bool,
    /// Whether the provider answers late.
    pub slow: bool,
}

/// A Secret with credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    Absent,
    WithoutTheKey,
    Wrong,
    Right,
}

/// A connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connector {
    Absent,
    OffersAnotherNumber,
    OffersAll,
}

impl World {
    /// Nothing is there.
    pub const EMPTY: Self = Self {
        secret: Secret::Absent,
        number: None,
        connector: Connector::Absent,
        taken: false,
        away: false,
        slow: false,
    };
    /// Nothing is wrong.
    pub const WELL: Self =
        Self { secret: Secret::Right, number: Some(true), connector: Connector::OffersAll, ..Self::EMPTY };
}

/// A cause, and what is said of it. In messages `{…}` stands for what differs from case to case.
pub struct Cause {
    pub name: &'static str,
    pub comes: fn(&mut World),
    /// The object that says so, and its condition.
    pub condition: (&'static str, &'static str),
    pub status: &'static str,
    pub reason: &'static str,
    /// The condition that tools read beside `Ready`: `Stalled` when a person must act, `Reconciling` when it may come by itself.
    pub summary: &'static str,
    /// What is wrong, where, and what to do.
    pub message: &'static [&'static str],
    /// The condition's reason when all is well.
    pub well: &'static str,
    /// Whether it can come over a channel that runs.
    pub comes_later: bool,
}

impl Cause {
    /// Whether it can only be where the provider lists the numbers of the account.
    pub fn needs_a_list(&self) -> bool {
        matches!(self.reason, "NumberNotAtProvider" | "NumberNotSmsCapable")
    }
}

const NUMBER: (&str, &str) = ("smschannel/support", "NumberValid");
const CLAIM: (&str, &str) = ("smschannel/support", "NumberClaimed");
const CREDENTIALS: (&str, &str) = ("smsconnector/sim", "CredentialsValid");
const PROVIDER: (&str, &str) = ("smsconnector/sim", "ProviderReachable");

/// Every cause.
pub const CAUSES: [Cause; 9] = [
    Cause {
        name: "the number is not at the provider",
        comes: |world| world.number = None,
        condition: NUMBER,
        status: "False",
        reason: "NumberNotAtProvider",
        summary: "Stalled",
        message: &[
            "the account of connector sim does not have {number}",
            "buy or move it there, or correct spec.number",
        ],
        well: "Verified",
        comes_later: true,
    },
    Cause {
        name: "the number is not in the connector",
        comes: |world| world.connector = Connector::OffersAnotherNumber,
        condition: NUMBER,
        status: "False",
        reason: "NumberNotInConnector",
        summary: "Stalled",
        message: &["connector sim does not list {number} in spec.numbers", "add it there, or correct spec.number"],
        well: "Verified",
        comes_later: true,
    },
    Cause {
        name: "the number cannot do SMS",
        comes: |world| world.number = Some(false),
        condition: NUMBER,
        status: "False",
        reason: "NumberNotSmsCapable",
        summary: "Stalled",
        message: &["the provider says that {number} cannot do SMS", "enable it there, or use another number"],
        well: "Verified",
        comes_later: true,
    },
    Cause {
        name: "another channel has the number",
        comes: |world| world.taken = true,
        condition: CLAIM,
        status: "False",
        reason: "HeldByOther",
        summary: "Stalled",
        message: &["channel first has the number {number}", "takes over by itself when that one is deleted"],
        well: "Claimed",
        // Who has a number keeps it.
        comes_later: false,
    },
    Cause {
        name: "the credentials are wrong",
        comes: |world| world.secret = Secret::Wrong,
        condition: CREDENTIALS,
        status: "False",
        reason: "CredentialsRejected",
        summary: "Stalled",
        message: &[
            "refuses the credentials of Secret sim",
            "{credentialsSecretRef}",
            "HTTP 401",
            "put the right ones into it",
        ],
        well: "Accepted",
        comes_later: true,
    },
    Cause {
        name: "the Secret is missing",
        comes: |world| world.secret = Secret::Absent,
        condition: CREDENTIALS,
        status: "False",
        reason: "SecretMissing",
        summary: "Reconciling",
        message: &["Secret sim", "{credentialsSecretRef}", "does not exist or is empty", "create it with", "{key}"],
        well: "Accepted",
        comes_later: true,
    },
    Cause {
        name: "the Secret lacks a key",
        comes: |world| world.secret = Secret::WithoutTheKey,
        condition: CREDENTIALS,
        status: "False",
        reason: "SecretKeyMissing",
        summary: "Stalled",
        message: &["Secret sim", "{credentialsSecretRef}", "lacks {key}", "add what is missing"],
        well: "Accepted",
        comes_later: true,
    },
    Cause {
        name: "the provider cannot be reached",
        comes: |world| world.away = true,
        condition: PROVIDER,
        status: "False",
        reason: "ProviderUnreachable",
        summary: "Reconciling",
        message: &["the provider at {url} cannot be reached", "{baseUrl}", "refused", "tries again by itself"],
        well: "Reachable",
        comes_later: true,
    },
    Cause {
        name: "the provider is slow",
        comes: |world| world.slow = true,
        condition: PROVIDER,
        status: "False",
        reason: "ProviderSlow",
        summary: "Reconciling",
        message: &["the provider at {url} does not answer in time", "not within 10 s", "tries again by itself"],
        well: "Reachable",
        comes_later: true,
    },
];
