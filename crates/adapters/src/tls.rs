//! The process's cryptography for TLS.

/// Chooses *ring* for every TLS connection of this process; a choice made earlier stays.
pub fn choose_cryptography() {
    let _made_earlier = rustls::crypto::ring::default_provider().install_default();
}
