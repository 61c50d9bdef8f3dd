//! What the operator is told when it starts.

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;

use super::cache::Scope;

/// Flags of `aldis operator`. Every flag can be given by the environment variable that its help names.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// Namespaces to look after, comma separated; none = all. Nothing else is watched
    #[arg(long = "watch-namespaces", env = "ALDIS_WATCH_NAMESPACES", value_delimiter = ',')]
    pub watch_namespaces: Vec<String>,

    /// Kubeconfig file, outside a cluster; by default KUBECONFIG, or the pod's own account
    #[arg(long)]
    pub kubeconfig: Option<PathBuf>,

    /// Image of engines and gateways: the operator's own image
    #[arg(long, env = "ALDIS_IMAGE")]
    pub image: String,

    /// Pull policy of that image: Always, IfNotPresent or Never
    #[arg(long, env = "ALDIS_IMAGE_PULL_POLICY", default_value = "IfNotPresent")]
    pub image_pull_policy: String,

    /// Secrets with which that image is pulled, comma separated names; each must exist in every namespace that has gateways or engines
    #[arg(long = "image-pull-secrets", env = "ALDIS_IMAGE_PULL_SECRETS", value_delimiter = ',')]
    pub image_pull_secrets: Vec<String>,

    /// Namespace of the operator: its leader lease and the claims of numbers lie here
    #[arg(long, env = "POD_NAMESPACE", default_value = "aldis-system")]
    pub namespace: String,

    /// Name of this replica; holds the leader lease
    #[arg(long, env = "POD_NAME", default_value_t = fallback_identity())]
    pub identity: String,

    /// ServiceAccount of the operator; engines and gateways let it read their status
    #[arg(long, env = "POD_SERVICE_ACCOUNT", default_value = "aldis-operator")]
    pub service_account: String,

    /// Further `baseUrl`s that connectors may use, comma separated: scheme, host and port are compared. The providers' own
    /// hosts are always allowed; link-local and metadata addresses never are
    #[arg(long = "allow-base-urls", env = "ALDIS_ALLOW_BASE_URLS", value_delimiter = ',')]
    pub allow_base_urls: Vec<String>,

    /// Further addresses of the providers themselves, comma separated, such as an egress proxy of the platform team's: connectors may use
    /// them as `baseUrl`, and what is claimed through them holds in the whole cluster
    #[arg(long = "provider-base-urls", env = "ALDIS_PROVIDER_BASE_URLS", value_delimiter = ',')]
    pub provider_base_urls: Vec<String>,

    /// JSON file that binds accounts of providers to namespaces: a list of {"provider", "account", "namespaces"}; account `*` stands
    /// for those that are not listed. Without it, every namespace may use every account whose credentials it has
    #[arg(long, env = "ALDIS_ACCOUNTS")]
    pub accounts: Option<PathBuf>,

    /// Addresses that bots may call, comma separated: scheme, host and port are compared; none = none
    #[arg(long = "allow-bot-urls", env = "ALDIS_ALLOW_BOT_URLS", value_delimiter = ',')]
    pub allow_bot_urls: Vec<String>,

    /// JSON file that lists the issuers of agents' tokens besides the cluster itself: a list of
    /// {"issuer", "audience", "userClaim", "userPrefix", "jwksUri"}
    #[arg(long = "agent-issuers", env = "ALDIS_AGENT_ISSUERS")]
    pub agent_issuers: Option<PathBuf>,

    /// PEM file of further certificate authorities for the issuers of agents' tokens
    #[arg(long = "ca-file", env = "ALDIS_CA_FILE")]
    pub ca_file: Option<PathBuf>,

    /// Seconds between two status writes of a channel, campaign or bot that differ in samples only
    #[arg(long, env = "ALDIS_SAMPLE_INTERVAL_SECONDS", default_value_t = 60)]
    pub sample_interval_seconds: u64,

    /// Seconds between two readings of an engine's or gateway's status
    #[arg(long, env = "ALDIS_SCRAPE_INTERVAL_SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub scrape_interval_seconds: u64,

    /// Seconds that a leader may be silent before another replica takes over
    #[arg(long, env = "ALDIS_LEASE_DURATION_SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(3..))]
    pub lease_duration_seconds: u64,

    /// Seconds that a channel's outbox is given to empty when the channel is deleted
    #[arg(long, env = "ALDIS_DRAIN_SECONDS", default_value_t = 60)]
    pub drain_seconds: u64,

    /// Seconds that a condition of queue or service level must hold before it is written
    #[arg(long, env = "ALDIS_CONDITION_HOLD_SECONDS", default_value_t = 30)]
    pub condition_hold_seconds: u64,

    /// Seconds that a channel may be on its way (its pod gets a node and a volume and starts, its configuration is being loaded) before
    /// status says so; one that is Ready sooner is written once
    #[arg(long, env = "ALDIS_PROGRESS_HOLD_SECONDS", default_value_t = 10)]
    pub progress_hold_seconds: u64,

    /// Pods that are replaced at a time when there is a new image, at most half of them (but at least one) in one namespace; the next
    /// begins when one of them is ready again
    #[arg(long, env = "ALDIS_ROLLOUT_BUDGET", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub rollout_budget: u32,

    /// Reconciles of one kind at a time
    #[arg(long, env = "ALDIS_CONCURRENCY", default_value_t = 8)]
    pub concurrency: usize,

    /// Address of /livez, /readyz and /metrics
    #[arg(long, env = "ALDIS_ADMIN_ADDRESS", default_value = "0.0.0.0:9090")]
    pub admin_address: SocketAddr,

    /// For tests outside the cluster: reach every Service at this address; the Host header keeps the Service's name
    #[arg(long, env = "ALDIS_RESOLVE_SERVICES_TO")]
    pub resolve_services_to: Option<SocketAddr>,
}

impl Settings {
    /// Those of a usual installation, with these flags.
    #[cfg(test)]
    pub(crate) fn for_test(flags: &[String]) -> Self {
        #[derive(clap::Parser)]
        struct Cli {
            #[command(flatten)]
            settings: Settings,
        }
        let usual = ["aldis", "--image=aldis:1", "--namespace=aldis-system", "--identity=test"].map(str::to_owned);
        let account = ["--service-account=aldis-operator".to_owned()];
        <Cli as clap::Parser>::parse_from(usual.iter().chain(&account).chain(flags)).settings
    }

    /// The operator's user name, as its tokens carry it.
    pub fn operator_user(&self) -> String {
        service_account_user(&self.namespace, &self.service_account)
    }

    /// Secrets with which gateways and engines pull their image, each once: another order changes no pod.
    pub fn image_pull_secrets(&self) -> BTreeSet<&str> {
        self.image_pull_secrets.iter().map(String::as_str).filter(|name| !name.is_empty()).collect()
    }

    /// Between two readings of a pod's status.
    pub const fn scrape_interval(&self) -> Duration {
        Duration::from_secs(self.scrape_interval_seconds)
    }

    /// The least between two writes of what changes all the time.
    pub const fn sample_interval(&self) -> Duration {
        Duration::from_secs(self.sample_interval_seconds)
    }

    /// What each watch of a kind sees: the whole cluster, or one of the namespaces that are looked after.
    pub fn scopes(&self) -> Vec<Scope> {
        if self.watch_namespaces.is_empty() {
            return vec![Scope::Cluster];
        }
        let namespaces: BTreeSet<_> = self.watch_namespaces.iter().cloned().collect();
        namespaces.into_iter().map(Scope::Namespace).collect()
    }
}

/// The user name of a ServiceAccount.
pub(crate) fn service_account_user(namespace: &str, name: &str) -> String {
    format!("system:serviceaccount:{namespace}:{name}")
}

fn fallback_identity() -> String {
    format!("operator-{:08x}", fastrand::u32(..))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        settings: Settings,
    }

    #[test]
    fn an_operator_that_would_never_rest_does_not_start() {
        let start = |flag: &str| Cli::try_parse_from(["aldis", "--image=aldis:1", flag]);
        for flag in ["--lease-duration-seconds=0", "--lease-duration-seconds=2", "--scrape-interval-seconds=0"] {
            assert!(start(flag).is_err(), "{flag}");
        }
        assert_eq!(start("--lease-duration-seconds=3").unwrap().settings.lease_duration_seconds, 3);
    }

    #[test]
    fn secrets_for_pulling_are_named_once_each_whatever_their_order() {
        for (flag, names) in
            [("", vec![]), ("registry", vec!["registry"]), ("mirror,registry,mirror,", vec!["mirror", "registry"])]
        {
            let cli =
                Cli::try_parse_from(["aldis", "--image=aldis:1", &format!("--image-pull-secrets={flag}")]).unwrap();
            assert_eq!(cli.settings.image_pull_secrets().into_iter().collect::<Vec<_>>(), names, "{flag:?}");
        }
    }
}
