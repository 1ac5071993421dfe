//! Certificates of every kind, made at run time, and servers that show them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A private authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: Vec<u8>,
}

/// Where tests listen.
pub(crate) const HERE: &[&str] = &["127.0.0.1", "localhost"];
const YEARS: (i32, i32) = (2020, 2090);

impl Authority {
    pub(crate) fn new() -> Self {
        Self::named("A private authority")
    }

    pub(crate) fn named(name: &str) -> Self {
        let mut params = params(name, &[], YEARS);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self { issuer: Issuer::new(params, key), der }
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        self.der.clone()
    }

    pub(crate) fn pem(&self) -> String {
        pem(&self.der)
    }

    /// A server for these names, from the first to the last of these years.
    pub(crate) fn server(&self, names: &[&str], years: (i32, i32)) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let certificate = params("A server", names, years).signed_by(&key, &self.issuer).unwrap();
        config(certificate.der().to_vec(), &key, b"http/1.1")
    }

    /// A server that is as it should be.
    pub(crate) fn good_server(&self) -> Arc<ServerConfig> {
        self.server(HERE, YEARS)
    }

    fn h2_server(&self) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let certificate = params("A server", HERE, YEARS).signed_by(&key, &self.issuer).unwrap();
        config(certificate.der().to_vec(), &key, b"h2")
    }
}

/// A server with a certificate of its own, made as an authority's (`CA:TRUE`, as `openssl req -x509` does) or not;
/// and the certificate.
pub(crate) fn self_signed(names: &[&str], years: (i32, i32), as_authority: bool) -> (Arc<ServerConfig>, Vec<u8>) {
    let mut params = params("Myself", names, years);
    if as_authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let key = KeyPair::generate().unwrap();
    let der = params.self_signed(&key).unwrap().der().to_vec();
    (config(der.clone(), &key, b"http/1.1"), der)
}

pub(crate) fn pem(der: &[u8]) -> String {
    let coded = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{coded}\n-----END CERTIFICATE-----\n")
}

fn params(name: &str, names: &[&str], (first, last): (i32, i32)) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(first, 1, 1);
    params.not_after = date_time_ymd(last, 12, 31);
    params
}

fn config(certificate: Vec<u8>, key: &KeyPair, protocol: &[u8]) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut config =
        config.with_no_client_auth().with_single_cert(vec![CertificateDer::from(certificate)], key).unwrap();
    config.alpn_protocols = vec![protocol.to_vec()];
    Arc::new(config)
}

/// What an HTTP/2 server does with a request.
#[derive(Clone)]
pub(crate) enum Act {
    /// A status, fields, and a body in pieces.
    Answer(u16, Vec<(&'static str, Vec<u8>)>, Vec<Bytes>),
    /// The head and these bytes, and then `RST_STREAM`.
    Reset(&'static str),
    /// The head and these bytes, and then GOAWAY and the end of the connection.
    Leave(&'static str),
    /// Data until nobody takes it any more.
    Endless,
    /// Interim answers until nobody takes them any more.
    Informational,
}

type Seen = Arc<Mutex<Vec<hyper::Request<()>>>>;

/// An HTTP/2 server over TLS, on a thread of its own.
pub(crate) struct H2Server {
    address: SocketAddr,
    seen: Seen,
}

impl H2Server {
    /// Does one after the other; the last one stays. It ends with the test's process.
    pub(crate) fn start(authority: &Authority, acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Seen::default();
        let acceptor = tokio_rustls::TlsAcceptor::from(authority.h2_server());
        let (shared, acts) = (Arc::clone(&seen), Arc::new(Mutex::new(acts)));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    let Ok(stream) = acceptor.accept(stream).await else { continue };
                    let Ok(mut connection) = h2::server::handshake(stream).await else { continue };
                    // One after the other: tests ask one thing at a time.
                    serve(&mut connection, &shared, &acts).await;
                }
            });
        });
        Self { address, seen }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<hyper::Request<()>> {
        self.seen.lock().unwrap().clone()
    }
}

type Connection = h2::server::Connection<tokio_rustls::server::TlsStream<tokio::net::TcpStream>, Bytes>;

async fn serve(connection: &mut Connection, seen: &Seen, acts: &Mutex<Vec<Act>>) {
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        seen.lock().unwrap().push(request.map(drop));
        let act = {
            let mut acts = acts.lock().unwrap();
            if acts.len() > 1 { acts.remove(0) } else { acts[0].clone() }
        };
        let head = |status: u16| hyper::Response::builder().status(status);
        match act {
            Act::Answer(status, fields, pieces) => {
                let mut response = head(status);
                for (name, value) in fields {
                    response = response.header(name, value);
                }
                let mut body = respond.send_response(response.body(()).unwrap(), pieces.is_empty()).unwrap();
                let last = pieces.len().saturating_sub(1);
                for (n, piece) in pieces.into_iter().enumerate() {
                    // Whoever has had enough resets the stream.
                    let _ = body.send_data(piece, n == last);
                }
            }
            Act::Reset(part) => {
                let mut body = respond.send_response(head(200).body(()).unwrap(), false).unwrap();
                body.send_data(Bytes::from_static(part.as_bytes()), false).unwrap();
                flush(connection).await;
                body.send_reset(h2::Reason::INTERNAL_ERROR);
            }
            Act::Leave(part) => {
                let mut body = respond.send_response(head(200).body(()).unwrap(), false).unwrap();
                body.send_data(Bytes::from_static(part.as_bytes()), false).unwrap();
                flush(connection).await;
                connection.abrupt_shutdown(h2::Reason::NO_ERROR);
                flush(connection).await;
                return;
            }
            Act::Endless => {
                let mut body = respond.send_response(head(200).body(()).unwrap(), false).unwrap();
                while body.send_data(Bytes::from(vec![b'x'; 16 * 1024]), false).is_ok() {
                    flush(connection).await;
                }
            }
            Act::Informational => {
                // What is sent to nobody is gathered without end.
                while respond.send_informational(head(103).body(()).unwrap()).is_ok() && flush(connection).await {}
            }
        }
    }
}

/// Gives what was queued a moment to go out; nothing else is accepted meanwhile. False: the connection is closed.
async fn flush(connection: &mut Connection) -> bool {
    let moment = std::time::Duration::from_millis(2);
    tokio::time::timeout(moment, std::future::poll_fn(|cx| connection.poll_closed(cx))).await.is_err()
}
