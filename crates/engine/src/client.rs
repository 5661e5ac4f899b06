//! Connections that we make: where to, and whom to believe there.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
};

use crate::rtsp::Limits;

pub type Fingerprint = [u8; 32];

/// The arguments of `Engine::connect`; the fields are those of `engine.Connect`.
#[derive(Debug)]
pub struct Connect {
    pub address: SocketAddr,
    pub tls: Option<ClientTls>,
    pub limits: Limits,
    pub read_timeout: Duration,
    pub write_timeout: Duration,
}

#[derive(Debug)]
pub struct ClientTls {
    /// What the certificate must be for, and what the server is told that we want.
    pub server_name: String,
    /// SHA-256 of the only certificate to believe; `None`: what the system's authorities have signed.
    pub fingerprint: Option<Fingerprint>,
}

impl ClientTls {
    /// Says what is wrong with the name, or with the system's authorities.
    pub fn start(&self) -> Result<ClientConnection, String> {
        let name = ServerName::try_from(self.server_name.clone())
            .map_err(|_| format!("{:?} is not a server's name", self.server_name))?;
        let config = match self.fingerprint {
            Some(fingerprint) => pinned(fingerprint)?,
            None => of_the_system()?,
        };
        ClientConnection::new(config, name).map_err(|error| error.to_string())
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The system's store and not one compiled in: whoever runs the server adds authorities and takes
/// them away there, and the distribution keeps it up to date. Read once, when it is first needed.
fn of_the_system() -> Result<Arc<ClientConfig>, String> {
    static CONFIG: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        // Single certificates that nobody can read are left out, as every client does.
        let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if added == 0 {
            return Err("the system has no certificate authorities (ca-certificates)".into());
        }
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
    });
    config.clone()
}

fn pinned(fingerprint: Fingerprint) -> Result<Arc<ClientConfig>, String> {
    let provider = provider();
    let verifier = Pinned { fingerprint, algorithms: provider.signature_verification_algorithms };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    Ok(Arc::new(builder.with_no_client_auth()))
}

/// Believes one certificate, whatever it says and whoever signed it: cameras sign their own. That the
/// server has its key is checked all the same.
#[derive(Debug)]
struct Pinned {
    fingerprint: Fingerprint,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if digest(&SHA256, end_entity).as_ref() == self.fingerprint {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
