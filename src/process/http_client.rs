//! The HTTP clients of every role: they go exactly where a URL says (no proxy, no redirect), and trust the same authorities.

use std::{error::Error, path::Path, sync::Arc};

use reqwest::{ClientBuilder, redirect};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// A client that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The file of further authorities.
    #[error("{path} holds no certificates that can be trusted: {message}")]
    Authorities {
        /// The file.
        path: String,
        /// What the file's reader says.
        message: String,
    },
    /// TLS or the client itself.
    #[error("no HTTP client: {0}")]
    Build(String),
}

impl From<reqwest::Error> for ClientError {
    fn from(error: reqwest::Error) -> Self {
        Self::Build(chain(&error))
    }
}

/// Begins a client for machines outside of the cluster: it trusts the public roots, which are compiled in since the image holds none, and
/// the authorities of a PEM file. The caller sets the time limits.
///
/// # Errors
/// When the file cannot be used.
pub(crate) fn to_the_world(further_authorities: Option<&Path>) -> Result<ClientBuilder, ClientError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = further_authorities {
        let refused = |message: String| ClientError::Authorities { path: path.display().to_string(), message };
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| refused(error.to_string()))?;
        let before = roots.len();
        for certificate in certificates {
            let certificate = certificate.map_err(|error| refused(error.to_string()))?;
            roots.add(certificate).map_err(|error| refused(error.to_string()))?;
        }
        if roots.len() == before {
            return Err(refused("no certificate in it".into()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Build(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(plain().tls_backend_preconfigured(tls))
}

/// Begins a client for the other roles of the same cluster, where no TLS is spoken. The caller sets the time limits.
pub(crate) fn within_the_cluster() -> ClientBuilder {
    // Without this the client looks for roots, which the image does not have.
    plain().tls_certs_only([])
}

fn plain() -> ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("aldis/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .no_proxy()
}

/// An error with its causes, which reqwest does not show by itself.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_authorities_are_checked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        let refusal = || to_the_world(Some(&path)).err().unwrap().to_string();
        assert!(refusal().contains("ca.pem holds no certificates"));
        std::fs::write(&path, "").unwrap();
        assert!(refusal().ends_with("no certificate in it"));
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(refusal().contains("ca.pem holds no certificates"));
        assert!(to_the_world(None).is_ok());
    }
}
