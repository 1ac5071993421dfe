//! TLS: whose certificates are trusted, and in a sentence what is wrong with the others.
//!
//! There is no way to switch the check off. It is the platform's; all that is added is that a certificate which was
//! named in the configuration itself is trusted, and that a self-signed one is called so.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore,
    SignatureScheme,
};
use rustls_platform_verifier::Verifier as Platform;
use webpki::EndEntityCert;

use super::failure::one_line;
use crate::domain::reach::Authorities;
use crate::domain::time::Timestamp;

/// Names of a certificate that a message lists.
const NAMES_TOLD: usize = 3;

/// TLS that trusts whom the system trusts, and these.
pub(super) fn trusting(authorities: &Authorities) -> Result<ClientConfig, String> {
    let named: Vec<CertificateDer<'static>> =
        authorities.iter().map(|der| CertificateDer::from(der.to_vec())).collect();
    let provider = provider();
    let platform = Platform::new_with_extra_roots(named.iter().cloned(), Arc::clone(&provider))
        .map_err(|error| format!("the certificates that this machine trusts cannot be read: {error}"))?;
    let verifier = Verifier { platform, named };
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| format!("TLS cannot be set up: {error}"))?;
    let verified = config.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    Ok(with_protocols(verified.with_no_client_auth()))
}

/// TLS that trusts nobody, for clients that never speak it.
pub(super) fn trusting_nobody() -> Result<ClientConfig, String> {
    let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let config = config.map_err(|error| format!("TLS cannot be set up: {error}"))?;
    Ok(with_protocols(config.with_root_certificates(RootCertStore::empty()).with_no_client_auth()))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// HTTP/2 where the server speaks it (RFC 9113 3.2).
fn with_protocols(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// The platform's check, and a closer look at what it refuses.
#[derive(Debug)]
struct Verifier {
    platform: Platform,
    named: Vec<CertificateDer<'static>>,
}

/// A certificate that nobody vouches for but itself.
#[derive(thiserror::Error, Debug)]
#[error("self-signed")]
struct SelfSigned;

impl Verifier {
    /// What a refused certificate is refused for in the end.
    fn look_closer(
        &self,
        certificate: &CertificateDer<'_>,
        server: &ServerName<'_>,
        error: Error,
    ) -> Result<ServerCertVerified, Error> {
        let as_authority = is_authority(&error);
        if !as_authority && error != Error::InvalidCertificate(CertificateError::UnknownIssuer) {
            return Err(error);
        }
        let Ok(read) = EndEntityCert::try_from(certificate) else { return Err(error) };
        // `openssl req -x509` makes servers certificates of an authority (CA:TRUE), which no path may end in (RFC
        // 5280 4.2.1.9). This very certificate was named, so there is no path to look for; its dates were checked
        // before it was found to be an authority's, and who it is for is checked here.
        if as_authority && self.named.iter().any(|named| named == certificate) {
            return match read.verify_is_valid_for_subject_name(server) {
                Ok(()) => Ok(ServerCertVerified::assertion()),
                Err(webpki::Error::CertNotValidForName(context)) => {
                    let (expected, presented) = (context.expected, context.presented);
                    Err(CertificateError::NotValidForNameContext { expected, presented }.into())
                }
                Err(_) => Err(CertificateError::NotValidForName.into()),
            };
        }
        if read.issuer() == read.subject() {
            return Err(CertificateError::Other(OtherError(Arc::new(SelfSigned))).into());
        }
        Err(error)
    }
}

fn is_authority(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) = error else { return false };
    matches!(inner.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.platform
            .verify_server_cert(certificate, intermediates, server, ocsp_response, now)
            .or_else(|error| self.look_closer(certificate, server, error))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.platform.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.platform.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.platform.supported_verify_schemes()
    }
}

/// What TLS with `host`, at `place`, died of.
pub(super) fn sentence(error: &Error, host: &str, place: &str) -> String {
    match error {
        Error::InvalidCertificate(wrong) => certificate(wrong, host, place),
        Error::InvalidMessage(_) => format!("what {place} answers is no TLS; is it meant to be http://?"),
        Error::AlertReceived(AlertDescription::ProtocolVersion) | Error::PeerIncompatible(_) => {
            format!("{place} speaks neither TLS 1.2 nor TLS 1.3, or no cipher that is safe")
        }
        Error::AlertReceived(alert) => format!("{place} refused TLS with the alert {alert:?}"),
        other => format!("TLS with {place} failed: {}", one_line(&other.to_string())),
    }
}

fn certificate(wrong: &CertificateError, host: &str, place: &str) -> String {
    const WAY_OUT: &str = "If you trust it, name its file: ca = \"….pem\".";
    let date = |at: &UnixTime| {
        let at = Timestamp::from_secs(i64::try_from(at.as_secs()).unwrap_or(i64::MAX)).rfc3339();
        at.split('T').next().unwrap_or_default().to_owned()
    };
    let whose = format!("the certificate of {place}");
    match wrong {
        CertificateError::ExpiredContext { not_after, .. } => format!("{whose} expired on {}", date(not_after)),
        CertificateError::Expired => format!("{whose} has expired"),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("{whose} is not valid before {}; is this machine's clock right?", date(not_before))
        }
        CertificateError::NotValidYet => format!("{whose} is not valid yet; is this machine's clock right?"),
        CertificateError::NotValidForNameContext { presented, .. } => {
            format!("{whose} is for {}, not for {host}", names(presented))
        }
        CertificateError::NotValidForName => format!("{whose} is not for {host}"),
        CertificateError::UnknownIssuer => {
            format!("{whose} is from an authority that this machine does not know. {WAY_OUT}")
        }
        CertificateError::BadSignature => {
            format!("{whose} was not signed with its authority's key; was that one made anew? Renew the file of `ca`.")
        }
        CertificateError::Other(OtherError(inner)) if inner.is::<SelfSigned>() => {
            format!("{whose} is self-signed. {WAY_OUT}")
        }
        other => format!("{whose} is refused: {}", one_line(&other.to_string())),
    }
}

/// `DnsName("a.test")`, `IpAddress(192.0.2.1)`: as the verifier lists what a certificate is for.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
        one_line(inner.trim_matches('"'))
    };
    let mut told: Vec<String> = presented.iter().take(NAMES_TOLD).map(bare).collect();
    match presented.len().saturating_sub(NAMES_TOLD) {
        0 if told.is_empty() => "no name at all".to_owned(),
        0 => told.join(", "),
        more => {
            told.push(format!("{more} more"));
            told.join(", ")
        }
    }
}
