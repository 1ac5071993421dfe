//! `proxy` and `ca`: how servers are reached.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::ExposeSecret as _;

use super::secret;
use super::section::Section;
use super::source::read_bytes;
use crate::domain::reach::{Authorities, Proxy, Reach};

/// The system's own bundle has a quarter of it.
const MAX_CA_BYTES: u64 = 1 << 20;

/// What a section makes of `before`: each key takes the place of the one there.
pub(super) fn refined(section: &Section<'_>, before: &Arc<Reach>) -> Arc<Reach> {
    match (proxy(section), authorities(section)) {
        (None, None) => Arc::clone(before),
        (proxy, authorities) => Arc::new(Reach {
            proxy: proxy.unwrap_or_else(|| before.proxy.clone()),
            authorities: authorities.unwrap_or_else(|| before.authorities.clone()),
        }),
    }
}

/// `proxy`: a URL, or "none". It may hold a password, so it is read like a secret and no message shows it.
fn proxy(section: &Section<'_>) -> Option<Option<Proxy>> {
    let value = section.value("proxy")?;
    let text = secret::read(&value)?;
    if text.expose_secret() == "none" {
        return Some(None);
    }
    match Proxy::parse(text.expose_secret()) {
        Ok(proxy) => Some(Some(proxy)),
        Err(why) => value.refuse(
            format!("`proxy` cannot be used: {why}."),
            Some("\"http://proxy.example:3128\", or \"none\" for none".to_owned()),
        ),
    }
}

/// `ca`: a file with certificates in PEM.
fn authorities(section: &Section<'_>) -> Option<Authorities> {
    let value = section.value("ca")?;
    let path = section.source.folder().join(value.text()?);
    let bytes = match read_bytes(&path, MAX_CA_BYTES) {
        Ok((bytes, _)) => bytes,
        Err(why) => return value.refuse(why, None),
    };
    let shown = path.display();
    let hint = Some("a text file with one or more -----BEGIN CERTIFICATE----- blocks".to_owned());
    let mut certificates = Vec::new();
    for read in CertificateDer::pem_slice_iter(&bytes) {
        let sound = read.ok().filter(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok());
        let Some(certificate) = sound else {
            let number = certificates.len() + 1;
            return value.refuse(format!("Certificate {number} in {shown} is broken."), hint);
        };
        certificates.push(certificate.to_vec());
    }
    if certificates.is_empty() {
        return value.refuse(format!("{shown} holds no certificate."), hint);
    }
    Some(Authorities::new(certificates))
}
