//! The certificate of a run: an authority and a server certificate that nobody else has. No key ever leaves the memory.
//!
//! client-go sends no credentials to a plain http server, so the proxy needs TLS.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls;

use super::ProxyError;

/// Clocks of one machine may be set back a little between two processes' looks at them.
const VALID_BEFORE: Duration = Duration::from_mins(5);
/// Longer than any rehearsal.
const VALID_AFTER: Duration = Duration::from_hours(24);

/// What a run shows to its clients.
pub(super) struct RunCertificate {
    /// The authority's certificate, PEM: for the kubeconfig.
    pub(super) authority_pem: String,
    /// TLS for the listener: the server's certificate and its key, HTTP/2 and HTTP/1.1.
    pub(super) server: Arc<rustls::ServerConfig>,
}

impl RunCertificate {
    /// Returns a new one for 127.0.0.1, valid from five minutes ago for a day. The authority's key is forgotten at once.
    ///
    /// # Errors
    /// [`ProxyError::Certificate`].
    pub(super) fn generate() -> Result<Self, ProxyError> {
        let now = SystemTime::now();
        let params = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, name);
            params.not_before = (now - VALID_BEFORE).into();
            params.not_after = (now + VALID_AFTER).into();
            params
        };
        let mut authority = params("helm-csghub rehearsal authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority_key = KeyPair::generate()?;
        let authority_pem = authority.self_signed(&authority_key)?.pem();

        let mut server = params("helm-csghub rehearsal");
        server.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))];
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.use_authority_key_identifier_extension = true;
        let server_key = KeyPair::generate()?;
        let certificate = server.signed_by(&server_key, &Issuer::from_params(&authority, &authority_key))?;

        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
        let mut config =
            rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_single_cert(vec![certificate.der().clone()], key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { authority_pem, server: Arc::new(config) })
    }
}
