//! Which addresses a gateway may be told to talk to. A tenant writes `baseUrl`; without a list it could point the gateway, and
//! the credentials with it, anywhere inside the cluster.

use std::net::IpAddr;

use reqwest::Url;

use crate::{api::provider::Facts, process::addresses::is_never_allowed as is_never_allowed_address};

/// Allowed origins.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllowList {
    listed: Vec<String>,
    /// Those behind which a provider itself answers.
    providers: Vec<String>,
}

/// An entry of the list is no address.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no base URL: write scheme, host and port, as http://aldis-simulator.default:8090")]
pub struct InvalidEntry(String);

impl AllowList {
    /// The providers' own hosts and `further` ones.
    ///
    /// # Errors
    /// When an entry is no URL.
    pub(crate) fn new(further: &[String]) -> Result<Self, InvalidEntry> {
        Ok(Self { listed: origins(further)?, providers: Vec::new() })
    }

    /// And addresses behind which a provider itself answers, such as an egress proxy of the platform team's.
    ///
    /// # Errors
    /// When an entry is no URL.
    pub(crate) fn with_providers(self, further: &[String]) -> Result<Self, InvalidEntry> {
        Ok(Self { providers: origins(further)?, ..self })
    }

    /// Whether a provider itself answers at the address, and not something that stands in for it.
    pub(crate) fn is_providers_own(&self, provider: &Facts, base_url: &str) -> bool {
        Url::parse(base_url).is_ok_and(|url| is_provider(provider, &url) || self.providers.contains(&origin(&url)))
    }

    /// Says why an address must not be used, unless it is on the list itself.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to do.
    pub(crate) fn check_listed(&self, address: &str) -> Result<(), String> {
        let url = Url::parse(address).map_err(|error| format!("{address:?} is no URL: {error}"))?;
        if is_never_allowed(&url) {
            return Err(format!("{address:?} is a link-local or metadata address, which is never allowed"));
        }
        let origin = origin(&url);
        if self.listed.contains(&origin) {
            return Ok(());
        }
        Err(format!(
            "{address:?} is not on the operator's list: ask the platform team to add {origin} (flag --allow-bot-urls)"
        ))
    }

    /// Says why a connector to this provider must not use an address.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to do.
    pub(crate) fn check(&self, provider: &Facts, base_url: &str) -> Result<(), String> {
        let url = Url::parse(base_url).map_err(|error| format!("baseUrl {base_url:?} is no URL: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("baseUrl {base_url:?} must begin with https:// or http://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("baseUrl must not hold a user or password: put credentials into the Secret".into());
        }
        if is_never_allowed(&url) {
            return Err(format!("baseUrl {base_url:?} is a link-local or metadata address, which is never allowed"));
        }
        if is_provider(provider, &url) || self.providers.contains(&origin(&url)) || self.listed.contains(&origin(&url))
        {
            return Ok(());
        }
        let origin = origin(&url);
        Err(format!(
            "baseUrl {base_url:?} is not on the operator's list of allowed addresses: ask the platform team to add {origin} (flag --allow-base-urls)"
        ))
    }
}

fn origins(entries: &[String]) -> Result<Vec<String>, InvalidEntry> {
    let origin = |text: &String| {
        let url = Url::parse(text).map_err(|_| InvalidEntry(text.clone()))?;
        if url.has_host() { Ok(origin(&url)) } else { Err(InvalidEntry(text.clone())) }
    };
    entries.iter().filter(|text| !text.is_empty()).map(origin).collect()
}

fn origin(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or(0);
    format!("{}://{}:{port}", url.scheme(), url.host_str().unwrap_or_default().trim_end_matches('.').to_lowercase())
}

/// One of the provider's own hosts.
fn is_provider(provider: &Facts, url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    url.scheme() == "https"
        && url.port_or_known_default() == Some(443)
        && provider.own_hosts.iter().any(|pattern| pattern.matches(host))
}

/// Addresses that answer with a machine's own credentials, or lie on its link.
fn is_never_allowed(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    if ["metadata.google.internal", "metadata", "instance-data"].contains(&host) {
        return true;
    }
    host.parse::<IpAddr>().is_ok_and(is_never_allowed_address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::provider::FACTS;

    fn twilio() -> &'static Facts {
        FACTS.iter().find(|facts| facts.member == "twilio").unwrap()
    }

    #[test]
    fn providers_and_listed_origins_are_allowed_and_nothing_else() {
        let list =
            AllowList::new(&["http://aldis-simulator.demo:8090/".into(), "https://mock.example.com".into()]).unwrap();
        for allowed in [
            "https://api.twilio.com",
            "https://api.dublin.ie1.twilio.com",
            "http://aldis-simulator.demo:8090",
            "http://aldis-simulator.demo:8090/path",
            "https://mock.example.com:443",
        ] {
            assert_eq!(list.check(twilio(), allowed), Ok(()), "{allowed}");
        }
        for refused in [
            // Another provider's own.
            "https://api.telnyx.com",
            "http://api.twilio.com",
            "https://api.twilio.com:8443",
            "https://api.twilio.com.evil.example",
            "https://evil-twilio.com",
            "http://aldis-simulator.demo:8091",
            "https://aldis-simulator.demo:8090",
            "http://mock.example.com",
            "https://user:password@api.twilio.com",
            "ftp://api.twilio.com",
            "kubernetes.default",
        ] {
            assert!(list.check(twilio(), refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn metadata_addresses_are_refused_even_when_listed() {
        for address in [
            "http://169.254.169.254",
            "http://0xa9fea9fe",
            "http://2852039166",
            "http://[fe80::1]",
            "http://[::ffff:169.254.169.254]",
            "http://[fd00:ec2::254]",
            "http://metadata.google.internal",
            "http://metadata.google.internal.",
            "http://100.100.100.200",
            "http://0.0.0.0",
        ] {
            let list = AllowList::new(&[address.to_owned()]).unwrap();
            assert!(list.check(twilio(), address).is_err_and(|message| message.contains("never allowed")), "{address}");
        }
    }
}
