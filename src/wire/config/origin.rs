//! Origins of web pages, as browsers send them.

use std::{fmt, str::FromStr};

use reqwest::Url;
use serde::{Deserialize, Serialize};

/// The origin of a web page, exactly as browsers send it in the header `Origin`: scheme, host and, where it is not the scheme's own, port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

/// Why a text is no origin that may be allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOrigin {
    /// Every page.
    #[error("lets every web page in: name the origins of your agents' pages")]
    Any,
    /// Not the origin of a page, or of one that comes over a connection that anybody may read.
    #[error(
        "is no origin of a page: write https://host or https://host:port, or http://localhost:port for a page on the agent's own machine"
    )]
    NotAnOrigin,
    /// Written in another way than browsers do.
    #[error("is never sent like this: browsers write {0}")]
    Written(String),
}

impl Origin {
    /// As browsers send it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        if text.contains('*') {
            return Err(InvalidOrigin::Any);
        }
        let url = Url::parse(text).map_err(|_| InvalidOrigin::NotAnOrigin)?;
        let is_own_machine = url.host_str().is_some_and(|host| {
            let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
            host == "localhost" || address.is_ok_and(|address| address.is_loopback())
        });
        let is_origin = url.path() == "/"
            && (url.query(), url.fragment(), url.username(), url.password()) == (None, None, "", None)
            && (url.scheme() == "https" || (url.scheme() == "http" && is_own_machine));
        if !is_origin {
            return Err(InvalidOrigin::NotAnOrigin);
        }
        match url.origin().ascii_serialization() {
            written if written == text => Ok(Self(written)),
            written => Err(InvalidOrigin::Written(written)),
        }
    }
}

impl TryFrom<String> for Origin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|fault| format!("{text:?} {fault}"))
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_written_as_browsers_send_them() {
        let written = |text: &str| Err(InvalidOrigin::Written(text.into()));
        let cases = [
            ("https://desk.example.com", Ok(())),
            ("https://desk.example.com:8443", Ok(())),
            ("https://[2001:db8::1]:8443", Ok(())),
            ("https://xn--bcher-kva.example", Ok(())),
            ("http://localhost", Ok(())),
            ("http://localhost:5173", Ok(())),
            ("http://127.0.0.1:5173", Ok(())),
            ("http://[::1]:5173", Ok(())),
            ("*", Err(InvalidOrigin::Any)),
            ("https://*.example.com", Err(InvalidOrigin::Any)),
            ("https://Desk.example.com", written("https://desk.example.com")),
            ("https://desk.example.com/", written("https://desk.example.com")),
            ("https://desk.example.com:443", written("https://desk.example.com")),
            ("https://b\u{fc}cher.example", written("https://xn--bcher-kva.example")),
            ("http://localhost:80", written("http://localhost")),
            ("http://desk.example.com", Err(InvalidOrigin::NotAnOrigin)),
            ("http://localhost.example.com", Err(InvalidOrigin::NotAnOrigin)),
            ("https://desk.example.com/page", Err(InvalidOrigin::NotAnOrigin)),
            ("https://desk.example.com?", Err(InvalidOrigin::NotAnOrigin)),
            ("https://ana@desk.example.com", Err(InvalidOrigin::NotAnOrigin)),
            ("desk.example.com", Err(InvalidOrigin::NotAnOrigin)),
            ("file:///", Err(InvalidOrigin::NotAnOrigin)),
            ("null", Err(InvalidOrigin::NotAnOrigin)),
            ("", Err(InvalidOrigin::NotAnOrigin)),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Origin>().map(drop), expected, "{text}");
        }
    }
}
