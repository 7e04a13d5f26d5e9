//! Which certificates are trusted when a connection to a database is encrypted.

use perennial_core::contract::{Access, Tls};
use perennial_core::error::{Error, Result};
use perennial_core::regular_file;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::path::Path;
use std::sync::Arc;

/// The configuration of an encrypted connection: with [`Tls::Verify`] the authorities of this machine and of `ca_file` are
/// trusted, with [`Tls::Encrypt`] any certificate. TLS 1.2 or newer.
///
/// # Errors
/// Of kind `Project` when `ca_file` cannot be read or contains no certificate.
pub(crate) fn client_config(access: &Access) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::bug(format!("TLS cannot be set up: {e}")))?;
    if access.tls == Tls::Encrypt {
        let verifier = Arc::new(AnyCertificate(provider));
        return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    // A machine without certificates can still reach servers that `ca_file` vouches for.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = &access.ca_file {
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|e| {
                Error::project(format!("a certificate in `{}` cannot be used: {e}", path.display())).because(e)
            })?;
        }
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The certificates of a PEM file.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let unreadable =
        |e: String| Error::project(format!("the certificates in `{}` cannot be read: {e}", path.display()));
    let pem = regular_file::read(path).map_err(|e| unreadable(e.to_string()))?;
    let found = CertificateDer::pem_slice_iter(&pem).collect::<std::result::Result<Vec<_>, _>>();
    let found = found.map_err(|e| unreadable(e.to_string()))?;
    if found.is_empty() {
        return Err(Error::project(format!("`{}` contains no certificate", path.display()))
            .hint("`ca_file` must be in PEM format: -----BEGIN CERTIFICATE-----"));
    }
    Ok(found)
}

/// Accepts every certificate; that the server has its key is still verified.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
