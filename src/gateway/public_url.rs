//! [`PublicUrl`].

use std::fmt;

use reqwest::Url;

use crate::wire::ports::{HOOK_INBOUND_PATH, HOOK_STATUS_PATH};

/// The parameter of a status webhook's address with the receipt token.
pub(super) const TOKEN_PARAMETER: &str = "t";
/// The parameter of a status webhook's address with our number in canonical form: not every provider says in a receipt which of our
/// numbers sent the message, or says it in a form that only fits one number (a short code comes without its country).
pub(super) const NUMBER_PARAMETER: &str = "n";

/// The URL under which the provider reaches the gateway, without `/hooks/…` and without a slash at the end.
///
/// Signatures are checked over it, character by character. What a proxy says in `Host` or `X-Forwarded-…` counts for nothing.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct PublicUrl {
    text: String,
    path: String,
}

/// Which of the two webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Hook {
    /// A customer's message.
    Inbound,
    /// A receipt.
    Status,
}

/// A URL that a provider cannot call, or that would make signatures ambiguous.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("webhook.publicUrl {url:?} {problem}")]
pub(super) struct InvalidPublicUrl {
    url: String,
    problem: &'static str,
}

impl Hook {
    const fn path(self) -> &'static str {
        match self {
            Self::Inbound => HOOK_INBOUND_PATH,
            Self::Status => HOOK_STATUS_PATH,
        }
    }
}

impl PublicUrl {
    /// Checks a URL from the configuration.
    ///
    /// # Errors
    /// When it is no plain http or https URL; query, fragment and user information are refused.
    pub(super) fn new(text: &str) -> Result<Self, InvalidPublicUrl> {
        let refused = |problem| Err(InvalidPublicUrl { url: text.to_owned(), problem });
        let text = text.trim_end_matches('/');
        let Ok(url) = Url::parse(text) else {
            return refused("is not a URL; write it as https://sms.example.com/path");
        };
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return refused("must begin with https:// (or http://) and a host");
        }
        if !url.username().is_empty() || url.password().is_some() || text.contains('@') {
            return refused("must not contain a user name or password");
        }
        if text.contains(['?', '#']) {
            return refused("must not contain a query or fragment; the gateway adds its own");
        }
        if text.chars().any(|character| !character.is_ascii_graphic()) {
            return refused("must consist of printable ASCII characters without spaces; percent-encode others");
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return refused("must begin with https:// (or http://)");
        };
        let host = rest.split('/').next().unwrap_or_default();
        if host.ends_with(':') {
            return refused("has a colon without a port");
        }
        let path = rest[host.len()..].to_owned();
        Ok(Self { text: format!("{}://{rest}", scheme.to_lowercase()), path })
    }

    /// What the provider is to be given.
    pub(super) fn hook(&self, hook: Hook) -> String {
        format!("{}{}", self.text, hook.path())
    }

    /// What the provider called, given the query as it came.
    pub(super) fn called(&self, hook: Hook, query: Option<&str>) -> String {
        match query {
            Some(query) => format!("{}?{query}", self.hook(hook)),
            None => self.hook(hook),
        }
    }

    /// The address for the receipts of one message. It carries token and number of the message back to us, covered by the signature.
    pub(super) fn status_callback(&self, token: &str, number: &str) -> String {
        let mut url = self.hook(Hook::Status);
        for (at, (name, value)) in [(TOKEN_PARAMETER, token), (NUMBER_PARAMETER, number)].into_iter().enumerate() {
            url.push(if at == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            value.bytes().for_each(|byte| match byte {
                // The unreserved characters of RFC 3986.
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => url.push(char::from(byte)),
                byte => url.push_str(&format!("%{byte:02X}")),
            });
        }
        url
    }

    /// Which webhook a request's path means. A proxy in front may take the public URL's own path away or leave it.
    pub(super) fn hook_of(&self, path: &str) -> Option<Hook> {
        let below = path.strip_prefix(self.path.as_str());
        // As it came first: where the public URL's own path is /hooks, a proxy that took it away leaves a path that begins with it again.
        let known = |path: &str| [Hook::Inbound, Hook::Status].into_iter().find(|hook| hook.path() == path);
        known(path).or_else(|| below.and_then(known))
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_below_the_url() {
        let url = PublicUrl::new("HTTPS://sms.example.com/twilio-us/").unwrap();
        assert_eq!(url.to_string(), "https://sms.example.com/twilio-us");
        assert_eq!(url.hook(Hook::Inbound), "https://sms.example.com/twilio-us/hooks/inbound");
        assert_eq!(
            url.called(Hook::Status, Some("t=1.a%2F")),
            "https://sms.example.com/twilio-us/hooks/status?t=1.a%2F"
        );
        assert_eq!(
            url.status_callback("7.a_b", "+1 &é"),
            "https://sms.example.com/twilio-us/hooks/status?t=7.a_b&n=%2B1%20%26%C3%A9"
        );
        assert_eq!(url.called(Hook::Status, None), "https://sms.example.com/twilio-us/hooks/status");
    }

    #[test]
    fn a_proxy_may_keep_the_path_or_take_it_away() {
        let url = PublicUrl::new("https://sms.example.com/twilio-us").unwrap();
        let cases = [
            ("/hooks/inbound", Some(Hook::Inbound)),
            ("/hooks/status", Some(Hook::Status)),
            ("/twilio-us/hooks/inbound", Some(Hook::Inbound)),
            ("/twilio-us/hooks/status", Some(Hook::Status)),
            ("/twilio-us2/hooks/inbound", None),
            ("/other/hooks/inbound", None),
            ("/hooks/inbound/", None),
            ("/twilio-ushooks/inbound", None),
            ("/", None),
        ];
        for (path, hook) in cases {
            assert_eq!(url.hook_of(path), hook, "{path}");
        }
        let hooks = PublicUrl::new("https://sms.example.com/hooks").unwrap();
        assert_eq!(hooks.hook_of("/hooks/inbound"), Some(Hook::Inbound), "a proxy took /hooks away");
        assert_eq!(hooks.hook_of("/hooks/hooks/status"), Some(Hook::Status), "a proxy left it");
        assert_eq!(hooks.hook_of("/hooks/hooks/hooks/status"), None);
        let bare = PublicUrl::new("https://sms.example.com").unwrap();
        assert_eq!(bare.hook_of("/hooks/inbound"), Some(Hook::Inbound));
        assert_eq!(bare.hook_of("/x/hooks/inbound"), None);
    }

    #[test]
    fn what_would_be_ambiguous_is_refused() {
        for text in [
            "",
            "sms.example.com",
            "ftp://sms.example.com",
            "https://",
            "https://ana@sms.example.com",
            "https://sms.example.com?x=1",
            "https://sms.example.com#x",
            "https://sms.example.com:/x",
            "https://sms.example.com/a b",
            "https://sms.example.com/ä",
        ] {
            let error = PublicUrl::new(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("webhook.publicUrl {text:?} ")), "{error}");
        }
    }
}
