//! The client for other machines: no redirects, trust in the public roots and, if told, in further authorities.

use std::{path::Path, sync::Arc, time::Duration};

use reqwest::{Client, redirect};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// The client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The file of authorities cannot be used.
    #[error("{path}: {message}")]
    Authorities {
        /// The file.
        path: String,
        /// Why.
        message: String,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    /// The client cannot be built.
    #[error(transparent)]
    Build(#[from] reqwest::Error),
}

/// Makes the client. The image holds no certificates, so the public roots are compiled in.
///
/// # Errors
/// When the file of authorities cannot be used.
pub(crate) fn client(further_authorities: Option<&Path>) -> Result<Client, HttpError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = further_authorities {
        let refused = |message: String| HttpError::Authorities { path: path.display().to_string(), message };
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| refused(error.to_string()))? {
            let certificate = certificate.map_err(|error| refused(error.to_string()))?;
            roots.add(certificate).map_err(|error| refused(error.to_string()))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(Duration::from_secs(2))
        .timeout(Duration::from_secs(5))
        .pool_idle_timeout(Duration::from_secs(20));
    Ok(builder.build()?)
}
