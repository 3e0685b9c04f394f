//! TLS of the listener: a certificate and its key, read from files.

use std::fmt::Display;
use std::path::Path;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::settings::{ServerTlsSettings, SettingsError};
use crate::wiring::choose_cryptography;

/// What the listener speaks TLS with; `None` where it does not.
pub fn of_listener(settings: &ServerTlsSettings) -> Result<Option<ServerConfig>, SettingsError> {
    let (Some(certificate), Some(key)) = (&settings.certificate, &settings.key) else {
        return Ok(None);
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable("certificate", certificate, error))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable("key", key, error))?;
    choose_cryptography();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, private);
    config.map(Some).map_err(|error| unusable("certificate", certificate, error))
}

fn unusable(setting: &str, file: &Path, error: impl Display) -> SettingsError {
    let file = file.display();
    SettingsError::new(vec![format!("server.tls.{setting}: {file} cannot be used: {error}")])
}
