//! A webhook receiver that answers by script: raw sockets on a loopback port, its own threads, no HTTP library in
//! between. It checks each call with the reference library of Standard Webhooks and keeps what it heard.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use standardwebhooks::Webhook;

use super::daemon::PATIENCE;

/// What is done about one call.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// A status, with headers.
    Status(u16, Vec<(&'static str, String)>),
    /// 200, some time later.
    Slow(Duration),
    /// 200 after the gate opens.
    Gate,
    /// Nothing, and the connection stays open.
    Hang,
    /// This status at once, then a byte of the body now and then without end.
    Drip(u16),
    /// The connection is reset before the body is read.
    Reset,
    /// The call is taken, and the connection closed without a word: the answer is lost.
    Lost,
    /// 200 and a body without end.
    Endless,
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self::Status(status, Vec::new())
    }
}

/// A call as it came.
#[derive(Clone, Debug)]
#[allow(dead_code, reason = "a tool box: not every test uses every tool")]
pub(crate) struct Call {
    /// When it was complete.
    pub(crate) at: Instant,
    /// The request line.
    pub(crate) line: String,
    /// Headers, names as sent.
    pub(crate) headers: HeaderMap,
    /// `webhook-id`.
    pub(crate) id: String,
    /// `webhook-timestamp`.
    pub(crate) timestamp: i64,
    /// The body; empty if the answer is a reset.
    pub(crate) body: Vec<u8>,
    /// Whether the reference library accepts it, for each of the receiver's secrets.
    pub(crate) accepted: Vec<bool>,
}

#[derive(Default)]
struct Inner {
    secrets: Vec<Vec<u8>>,
    script: Mutex<VecDeque<Answer>>,
    calls: Mutex<Vec<Call>>,
    /// Calls that are being answered now, and the most that there were at a time.
    busy: Mutex<(usize, usize)>,
    streams: Mutex<Vec<TcpStream>>,
    gate: AtomicBool,
    stop: AtomicBool,
    sent: AtomicU64,
}

/// The receiver. Dropping it cuts all connections.
pub(crate) struct Receiver {
    address: SocketAddr,
    inner: Arc<Inner>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Receiver {
    /// One that answers 200 and knows these secrets.
    pub(crate) fn start(secrets: &[&[u8]]) -> Self {
        Self::start_at(IpAddr::V4(Ipv4Addr::LOCALHOST), secrets)
    }

    /// The same, at this address.
    pub(crate) fn start_at(ip: IpAddr, secrets: &[&[u8]]) -> Self {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let secrets = secrets.iter().map(|secret| secret.to_vec()).collect();
        let inner = Arc::new(Inner { secrets, ..Inner::default() });
        let shared = Arc::clone(&inner);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.stop.load(Ordering::SeqCst) {
                    return;
                }
                lock(&shared.streams).push(stream.try_clone().unwrap());
                let shared = Arc::clone(&shared);
                thread::spawn(move || shared.serve(stream));
            }
        });
        Self { address, inner }
    }

    pub(crate) fn url(&self, path: &str) -> url::Url {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    /// One answer a call; the last one stays.
    pub(crate) fn script(&self, answers: impl IntoIterator<Item = Answer>) {
        *lock(&self.inner.script) = answers.into_iter().collect();
    }

    /// Lets the calls at the gate go.
    pub(crate) fn open_gate(&self) {
        self.inner.gate.store(true, Ordering::SeqCst);
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        lock(&self.inner.calls).clone()
    }

    /// Most calls at a time.
    pub(crate) fn peak(&self) -> usize {
        lock(&self.inner.busy).1
    }

    /// Bytes of endless bodies that the other side's kernel took.
    pub(crate) fn bytes_sent(&self) -> u64 {
        self.inner.sent.load(Ordering::SeqCst)
    }

    /// Waits until `enough` says so, and gives the calls.
    pub(crate) async fn wait(&self, enough: impl Fn(&[Call]) -> bool) -> Vec<Call> {
        let end = Instant::now() + PATIENCE;
        loop {
            let calls = self.calls();
            if enough(&calls) {
                return calls;
            }
            assert!(
                Instant::now() < end,
                "waited in vain; {} calls came: {:?}",
                calls.len(),
                calls.iter().map(|call| &call.id).collect::<Vec<_>>()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.inner.stop.store(true, Ordering::SeqCst);
        for stream in lock(&self.inner.streams).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        let _ = TcpStream::connect(self.address);
    }
}

impl Inner {
    fn serve(&self, mut stream: TcpStream) {
        // One call after the other on a connection, as HTTP/1.1 keeps it open.
        while let Some(head) = read_head(&mut stream) {
            let answer = self.next_answer();
            {
                let mut busy = lock(&self.busy);
                busy.0 += 1;
                busy.1 = busy.1.max(busy.0);
            }
            let goes_on = self.take(&mut stream, &head, &answer) && self.answer(&mut stream, &answer);
            lock(&self.busy).0 -= 1;
            if !goes_on {
                // A drop alone would not do: the list of streams holds a copy.
                if !matches!(answer, Answer::Reset) {
                    let _ = stream.shutdown(Shutdown::Both);
                }
                let port = stream.peer_addr().ok();
                lock(&self.streams).retain(|other| other.peer_addr().ok() != port);
                return;
            }
        }
    }

    fn next_answer(&self) -> Answer {
        let mut script = lock(&self.script);
        let next = if script.len() > 1 { script.pop_front() } else { script.front().cloned() };
        next.unwrap_or_else(|| Answer::status(200))
    }

    fn take(&self, stream: &mut TcpStream, head: &str, answer: &Answer) -> bool {
        let (line, fields) = head.split_once("\r\n").unwrap_or((head, ""));
        let mut headers = HeaderMap::new();
        for (name, value) in fields.lines().filter_map(|field| field.split_once(": ")) {
            headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let text = |name: &str| headers.get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
        let mut body = Vec::new();
        if !matches!(answer, Answer::Reset) {
            body.resize(text("content-length").parse().unwrap_or(0), 0);
            if stream.read_exact(&mut body).is_err() {
                return false;
            }
        }
        let accepts = |secret: &Vec<u8>| Webhook::from_bytes(secret.clone()).unwrap().verify(&body, &headers).is_ok();
        let call = Call {
            at: Instant::now(),
            line: line.to_owned(),
            id: text("webhook-id"),
            timestamp: text("webhook-timestamp").parse().unwrap_or(0),
            accepted: self.secrets.iter().map(accepts).collect(),
            headers: headers.clone(),
            body,
        };
        lock(&self.calls).push(call);
        true
    }

    /// Whether the connection goes on.
    fn answer(&self, stream: &mut TcpStream, answer: &Answer) -> bool {
        match answer {
            Answer::Status(status, headers) => {
                let fields: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
                let body = "heard";
                let length = if *status == 204 || *status == 304 { None } else { Some(body.len()) };
                let length_field = length.map(|n| format!("Content-Length: {n}\r\n")).unwrap_or_default();
                let head = format!("HTTP/1.1 {status} Scripted\r\n{fields}{length_field}\r\n");
                let body = if length.is_some() { body } else { "" };
                stream.write_all(format!("{head}{body}").as_bytes()).is_ok()
            }
            Answer::Slow(wait) => {
                thread::sleep(*wait);
                self.answer(stream, &Answer::status(200))
            }
            Answer::Gate => {
                self.idle(|| self.gate.load(Ordering::SeqCst));
                self.answer(stream, &Answer::status(200))
            }
            Answer::Hang => {
                self.idle(|| gone(stream));
                false
            }
            Answer::Drip(status) => {
                let head = format!("HTTP/1.1 {status} Scripted\r\nContent-Length: 1000000\r\n\r\n");
                let mut alive = stream.write_all(head.as_bytes()).is_ok();
                while alive && !self.stop.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(20));
                    alive = stream.write_all(b".").is_ok();
                }
                false
            }
            Answer::Reset | Answer::Lost => false,
            Answer::Endless => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
                let block = [b'x'; 8192];
                while !self.stop.load(Ordering::SeqCst) && stream.write_all(&block).is_ok() {
                    self.sent.fetch_add(8192, Ordering::SeqCst);
                }
                false
            }
        }
    }

    fn idle(&self, done: impl Fn() -> bool) {
        while !done() && !self.stop.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Byte by byte, so that the body stays in the kernel: closing on unread bytes is what resets a connection.
fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.extend(byte);
        assert!(head.len() < 64 * 1024, "a head without end");
    }
    Some(String::from_utf8(head).unwrap().trim_end().to_owned())
}

fn gone(stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(5))).is_ok() && matches!(stream.peek(&mut [0]), Ok(0))
}
