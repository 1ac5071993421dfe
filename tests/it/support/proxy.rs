//! A proxy that resolves every name to one origin, and keeps what it was asked for.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What a proxy was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Tunnel {
    /// Host and port, as they came.
    pub(crate) to: String,
    /// `user:password` of SOCKS 5, or the `Proxy-Authorization` of CONNECT.
    pub(crate) login: Option<String>,
}

/// How a proxy speaks.
#[derive(Clone, Copy)]
enum Speech {
    Connect,
    Socks5,
}

/// The proxy. It ends with the test's process.
pub(crate) struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Tunnel>>>,
}

impl Proxy {
    /// One for CONNECT (RFC 9110 9.3.6).
    pub(crate) fn connect(origin: SocketAddr) -> Self {
        Self::start(Speech::Connect, origin)
    }

    /// One for SOCKS 5 (RFC 1928), with a password (RFC 1929) if the client has one.
    pub(crate) fn socks5(origin: SocketAddr) -> Self {
        Self::start(Speech::Socks5, origin)
    }

    fn start(speech: Speech, origin: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<Tunnel>>>::default();
        let shared = Arc::clone(&asked);
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let asked = Arc::clone(&shared);
                thread::spawn(move || {
                    let tunnel = match speech {
                        Speech::Connect => connect(&mut stream),
                        Speech::Socks5 => socks5(&mut stream),
                    };
                    let Some(tunnel) = tunnel else { return };
                    asked.lock().unwrap().push(tunnel);
                    if let Ok(origin) = TcpStream::connect(origin) {
                        join(&stream, &origin);
                    }
                });
            }
        });
        Self { address, asked }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn asked(&self) -> Vec<Tunnel> {
        self.asked.lock().unwrap().clone()
    }
}

fn connect(stream: &mut TcpStream) -> Option<Tunnel> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(byte(stream)?);
    }
    let head = String::from_utf8(head).ok()?;
    let to = head.strip_prefix("CONNECT ")?.split(' ').next()?.to_owned();
    let login = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("proxy-authorization").then(|| value.to_owned())
    });
    stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").ok()?;
    Some(Tunnel { to, login })
}

fn socks5(stream: &mut TcpStream) -> Option<Tunnel> {
    let [_, count] = take(stream)?;
    let mut methods = vec![0; count.into()];
    stream.read_exact(&mut methods).ok()?;
    let login = if methods.contains(&2) {
        stream.write_all(&[5, 2]).ok()?;
        let [_] = take(stream)?;
        let login = format!("{}:{}", text(stream)?, text(stream)?);
        stream.write_all(&[1, 0]).ok()?;
        Some(login)
    } else {
        stream.write_all(&[5, 0]).ok()?;
        None
    };
    let [_, _, _, kind] = take(stream)?;
    let host = match kind {
        1 => Ipv4Addr::from(take::<4>(stream)?).to_string(),
        3 => text(stream)?,
        _ => return None,
    };
    let port = u16::from_be_bytes(take(stream)?);
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
    Some(Tunnel { to: format!("{host}:{port}"), login })
}

fn take<const N: usize>(stream: &mut TcpStream) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

fn byte(stream: &mut TcpStream) -> Option<u8> {
    take::<1>(stream).map(|[byte]| byte)
}

/// A length, and so many bytes.
fn text(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = vec![0; byte(stream)?.into()];
    stream.read_exact(&mut bytes).ok()?;
    String::from_utf8(bytes).ok()
}

/// Carries bytes both ways until either side is done.
fn join(one: &TcpStream, other: &TcpStream) {
    let carry = |from: &TcpStream, to: &TcpStream| {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        }
    };
    let back = thread::spawn(carry(other, one));
    carry(one, other)();
    let _ = back.join();
}
