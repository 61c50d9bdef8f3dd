//! Which implementations of cryptography the process uses.

use std::sync::Once;

/// Installs ring for TLS and RustCrypto for tokens. Both libraries panic at first use when several could serve and none was
/// named, so this comes first in `main` and in tests that use either. Calling it again does nothing.
pub fn install_providers() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        // Both only fail when a provider was installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let _ = jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER.install_default();
    });
}
