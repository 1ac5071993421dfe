//! An origin that misbehaves on demand: raw sockets on a loopback port, its own threads, no HTTP library in
//! between. It sends the bytes that a test scripts, and keeps the bytes that it received.
//!
//! ```ignore
//! let origin = Origin::start();
//! origin.route("/feed", Reply::ok("<rss/>").header("ETag", "\"x\""));
//! origin.script("/flaky", [Reply::status(503), Reply::ok("<rss/>")]); // one each request, the last one stays
//! origin.answer("/echo", |request| Reply::ok(request.raw.clone()));
//! // … ask for origin.url("/feed") …
//! assert_eq!(origin.requests("/feed")[0].text("if-none-match"), Some("\"x\"".to_owned()));
//! ```
//!
//! Threads and not tasks, so that it serves a test of any kind: async, blocking, with a paused clock, or with a
//! daemon in another process. Dropping it cuts all connections.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::daemon::PATIENCE;

/// A request as it came.
#[allow(dead_code, reason = "a tool box: tests come and go, the tools stay")]
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// When its head was complete.
    pub(crate) at: Instant,
    /// Which connection it came on, counted from 1.
    pub(crate) connection: usize,
    /// `GET`, `POST` …
    pub(crate) method: String,
    /// The request target as sent: path and query.
    pub(crate) target: String,
    /// Field names as sent, values byte for byte.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// The body, unchunked.
    pub(crate) body: Vec<u8>,
    /// Head and body as they came on the wire.
    pub(crate) raw: Vec<u8>,
}

#[allow(dead_code, reason = "a tool box: tests come and go, the tools stay")]
impl Request {
    /// The path without its query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The first field of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
    }

    /// The same as text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.header(name).map(|value| String::from_utf8_lossy(value).into_owned())
    }
}

/// What is done on the connection, one after the other.
#[derive(Clone, Debug)]
enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    /// Sends the block until the other side is gone.
    Endless(Vec<u8>),
    /// Sends nothing more and keeps the connection open.
    Hang,
    /// Ends the connection in order: over TLS it is said (RFC 8446 6.1).
    Close,
    /// Ends it without a word.
    Cut,
}

/// How a body's end is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Framing {
    Length,
    Claimed(usize),
    Chunked,
    UntilClose,
    None,
}

/// An answer, and how it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    framing: Framing,
    before: Option<Duration>,
    pieces: Option<(usize, Duration)>,
    cut: Option<usize>,
    endless: Option<Vec<u8>>,
    hang: bool,
    close: bool,
    raw: Option<Vec<u8>>,
}

#[allow(dead_code, reason = "a tool box: tests come and go, the tools stay")]
impl Reply {
    /// A status with an empty body.
    pub(crate) fn status(status: u16) -> Self {
        let bodiless = matches!(status, 100..=199 | 204 | 304);
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            framing: if bodiless { Framing::None } else { Framing::Length },
            before: None,
            pieces: None,
            cut: None,
            endless: None,
            hang: false,
            close: false,
            raw: None,
        }
    }

    /// 200 with this body.
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::status(200).body(body)
    }

    /// A redirect.
    pub(crate) fn redirect(status: u16, to: impl AsRef<str>) -> Self {
        Self::status(status).header("Location", to.as_ref())
    }

    /// No answer at all: the connection stays open and silent.
    pub(crate) fn hang() -> Self {
        Self::raw("").then_hang()
    }

    /// These bytes and nothing around them; then the connection is closed.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { raw: Some(bytes.into()), close: true, ..Self::status(200) }
    }

    /// A field, value byte for byte.
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// The body, as it is on the wire.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Chunked instead of with a length.
    pub(crate) fn chunked(mut self) -> Self {
        self.framing = Framing::Chunked;
        self
    }

    /// Without a length: the end of the connection is the end of the body.
    pub(crate) fn until_close(mut self) -> Self {
        self.framing = Framing::UntilClose;
        self
    }

    /// Says that the body has this length, whatever it has. The connection is closed after what there is.
    pub(crate) fn claim_length(mut self, length: usize) -> Self {
        self.framing = Framing::Claimed(length);
        self.close = true;
        self
    }

    /// Waits before the first byte.
    pub(crate) fn after(mut self, wait: Duration) -> Self {
        self.before = Some(wait);
        self
    }

    /// Sends head and body in pieces, with a pause before each.
    pub(crate) fn trickle(mut self, piece: usize, pause: Duration) -> Self {
        self.pieces = Some((piece, pause));
        self
    }

    /// Closes after so many bytes of the framed body.
    pub(crate) fn cut_after(mut self, bytes: usize) -> Self {
        self.cut = Some(bytes);
        self
    }

    /// After the body, sends this block over and over, until the other side hangs up.
    pub(crate) fn endless(mut self, block: impl Into<Vec<u8>>) -> Self {
        self.endless = Some(block.into());
        self
    }

    /// After what there is to send, keeps the connection open and silent.
    pub(crate) fn then_hang(mut self) -> Self {
        self.hang = true;
        self
    }

    /// Closes the connection afterwards.
    pub(crate) fn close(mut self) -> Self {
        self.close = true;
        self
    }

    fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Whatever\r\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        }
        let framing = match self.framing {
            Framing::Length => format!("Content-Length: {}\r\n", self.body.len()),
            Framing::Claimed(length) => format!("Content-Length: {length}\r\n"),
            Framing::Chunked => "Transfer-Encoding: chunked\r\n".to_owned(),
            Framing::UntilClose => "Connection: close\r\n".to_owned(),
            Framing::None => String::new(),
        };
        head.extend_from_slice(framing.as_bytes());
        head.extend_from_slice(b"\r\n");
        head
    }

    fn framed_body(&self) -> Vec<u8> {
        if self.framing != Framing::Chunked {
            return self.body.clone();
        }
        let mut framed = Vec::new();
        for chunk in self.body.chunks(1000) {
            framed.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            framed.extend_from_slice(chunk);
            framed.extend_from_slice(b"\r\n");
        }
        if self.endless.is_none() {
            framed.extend_from_slice(b"0\r\n\r\n");
        }
        framed
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps: Vec<_> = self.before.map(Step::Wait).into_iter().collect();
        let bytes = self.raw.clone().unwrap_or_else(|| {
            let mut body = self.framed_body();
            body.truncate(self.cut.unwrap_or(usize::MAX));
            [self.head(), body].concat()
        });
        match self.pieces {
            Some((piece, pause)) => {
                let pieces = bytes.chunks(piece.max(1));
                steps.extend(pieces.flat_map(|piece| [Step::Wait(pause), Step::Send(piece.to_vec())]));
            }
            None => steps.push(Step::Send(bytes)),
        }
        if let Some(block) = &self.endless {
            let framed = if self.framing == Framing::Chunked {
                [format!("{:x}\r\n", block.len()).as_bytes(), block, b"\r\n"].concat()
            } else {
                block.clone()
            };
            steps.push(Step::Endless(framed));
        }
        if self.hang {
            steps.push(Step::Hang);
        } else if self.cut.is_some() {
            steps.push(Step::Cut);
        } else if self.close || self.framing == Framing::UntilClose {
            steps.push(Step::Close);
        }
        steps
    }
}

type Answerer = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

#[derive(Default)]
struct State {
    routes: Mutex<HashMap<String, Answerer>>,
    requests: Mutex<Vec<Request>>,
    arrived: Condvar,
    open: Mutex<Vec<TcpStream>>,
    connections: AtomicUsize,
    stopped: AtomicBool,
}

/// The origin. Unknown paths are answered with 404.
pub(crate) struct Origin {
    address: SocketAddr,
    scheme: &'static str,
    state: Arc<State>,
    thread: Option<thread::JoinHandle<()>>,
}

#[allow(dead_code, reason = "a tool box: tests come and go, the tools stay")]
impl Origin {
    /// Listens on a free port of 127.0.0.1.
    pub(crate) fn start() -> Self {
        Self::listen(Ipv4Addr::LOCALHOST, None)
    }

    /// On every address of the loopback network, as many hosts: [`Self::url_at`].
    pub(crate) fn everywhere() -> Self {
        Self::listen(Ipv4Addr::UNSPECIFIED, None)
    }

    /// The same over TLS; it misbehaves above TLS, not within it.
    pub(crate) fn start_tls(config: Arc<rustls::ServerConfig>) -> Self {
        Self::listen(Ipv4Addr::LOCALHOST, Some(config))
    }

    fn listen(on: Ipv4Addr, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind((on, 0)).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, listener.local_addr().unwrap().port()));
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let thread = thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.stopped.load(Ordering::SeqCst) {
                    break;
                }
                let number = shared.connections.fetch_add(1, Ordering::SeqCst) + 1;
                lock(&shared.open).push(stream.try_clone().unwrap());
                let state = Arc::clone(&shared);
                match tls.clone() {
                    None => thread::spawn(move || serve(stream, number, &state)),
                    Some(tls) => thread::spawn(move || {
                        let session = rustls::ServerConnection::new(tls).unwrap();
                        serve(rustls::StreamOwned::new(session, stream), number, &state);
                    }),
                };
            }
        });
        Self { address, scheme, state, thread: Some(thread) }
    }

    /// `http://127.0.0.1:port`, or `https:`, and this path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// The URL of a path at the loopback host with this number.
    pub(crate) fn url_at(&self, host: u8, path: &str) -> String {
        format!("http://127.0.1.{host}:{}{path}", self.address.port())
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers each request for this path (query aside) in this way, from now on.
    pub(crate) fn route(&self, path: &str, reply: Reply) {
        self.answer(path, move |_| reply.clone());
    }

    /// Answers one after the other; the last one stays.
    pub(crate) fn script(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        let replies: Vec<_> = replies.into_iter().collect();
        let next = AtomicUsize::new(0);
        self.answer(path, move |_| {
            let at = next.fetch_add(1, Ordering::SeqCst);
            replies.get(at).or(replies.last()).cloned().unwrap_or_else(|| Reply::status(500))
        });
    }

    /// Answers as the function says.
    pub(crate) fn answer(&self, path: &str, answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) {
        lock(&self.state.routes).insert(path.to_owned(), Arc::new(answer));
    }

    /// The requests for this path so far, oldest first.
    pub(crate) fn requests(&self, path: &str) -> Vec<Request> {
        let requests = lock(&self.state.requests);
        requests.iter().filter(|request| request.path() == path).cloned().collect()
    }

    /// All requests so far, oldest first.
    pub(crate) fn all_requests(&self) -> Vec<Request> {
        lock(&self.state.requests).clone()
    }

    /// Waits until there were so many requests for this path, and gives them.
    pub(crate) fn wait_for(&self, path: &str, count: usize) -> Vec<Request> {
        let deadline = Instant::now() + PATIENCE;
        let mut requests = lock(&self.state.requests);
        loop {
            let found: Vec<_> = requests.iter().filter(|request| request.path() == path).cloned().collect();
            if found.len() >= count {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} of {count} requests for {path} came", found.len());
            requests = self.state.arrived.wait_timeout(requests, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Connections so far, whether or not anything was asked on them.
    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Cuts every connection that is open now; new ones are still accepted.
    pub(crate) fn cut_all(&self) {
        for stream in lock(&self.state.open).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        // Wakes the accept.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        for stream in lock(&self.state.open).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection, in the clear or over TLS.
trait Wire: Read + Write {
    /// Ends it; in order, if there is a word for that.
    fn end(&mut self, in_order: bool);
}

impl Wire for TcpStream {
    fn end(&mut self, _: bool) {
        let _ = self.shutdown(Shutdown::Both);
    }
}

impl Wire for rustls::StreamOwned<rustls::ServerConnection, TcpStream> {
    fn end(&mut self, in_order: bool) {
        if in_order {
            self.conn.send_close_notify();
            let _ = self.flush();
        }
        let _ = self.sock.shutdown(Shutdown::Both);
    }
}

/// Serves one connection until either side is done.
fn serve(mut stream: impl Wire, connection: usize, state: &State) {
    let mut buffer = Vec::new();
    while let Some(request) = receive(&mut stream, &mut buffer, connection) {
        let answer = lock(&state.routes).get(request.path()).cloned();
        lock(&state.requests).push(request.clone());
        state.arrived.notify_all();
        let reply = answer.map_or_else(|| Reply::status(404), |answer| answer(&request));
        if !perform(&mut stream, &reply.steps()) {
            return;
        }
    }
    stream.end(false);
}

/// Whether the connection goes on.
fn perform(stream: &mut impl Wire, steps: &[Step]) -> bool {
    for step in steps {
        let sent = match step {
            Step::Send(bytes) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Step::Wait(pause) => {
                thread::sleep(*pause);
                Ok(())
            }
            Step::Endless(block) => loop {
                if let Err(error) = stream.write_all(block) {
                    break Err(error);
                }
            },
            // Ends when the other side, or the origin's drop, ends the connection.
            Step::Hang => {
                while stream.read(&mut [0; 1024]).is_ok_and(|count| count > 0) {}
                stream.end(false);
                return false;
            }
            Step::Close | Step::Cut => {
                stream.end(matches!(step, Step::Close));
                return false;
            }
        };
        if sent.is_err() {
            stream.end(false);
            return false;
        }
    }
    true
}

/// Reads one request; `None` at the end of the connection.
fn receive(stream: &mut impl Wire, buffer: &mut Vec<u8>, connection: usize) -> Option<Request> {
    let end = loop {
        if let Some(at) = find(buffer, b"\r\n\r\n") {
            break at + 4;
        }
        fill(stream, buffer)?;
    };
    let at = Instant::now();
    let head = buffer[..end].to_vec();
    let mut lines = head.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = String::from_utf8_lossy(lines.next()?).into_owned();
    let (method, rest) = first.split_once(' ')?;
    let target = rest.rsplit_once(' ').map_or(rest, |(target, _)| target);
    let headers: Vec<_> = lines
        .filter_map(|line| {
            let colon = line.iter().position(|b| *b == b':')?;
            Some((String::from_utf8_lossy(&line[..colon]).into_owned(), line[colon + 1..].trim_ascii().to_vec()))
        })
        .collect();
    let mut request = Request {
        at,
        connection,
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
        body: Vec::new(),
        raw: Vec::new(),
    };
    let end = if request.text("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        let (body, end) = receive_chunks(stream, buffer, end)?;
        request.body = body;
        end
    } else {
        let length = request.text("content-length").and_then(|length| length.parse::<usize>().ok()).unwrap_or(0);
        while buffer.len() < end + length {
            fill(stream, buffer)?;
        }
        request.body = buffer[end..end + length].to_vec();
        end + length
    };
    request.raw = buffer.drain(..end).collect();
    Some(request)
}

/// The unchunked body that begins at `at`, and where it ends.
fn receive_chunks(stream: &mut impl Wire, buffer: &mut Vec<u8>, mut at: usize) -> Option<(Vec<u8>, usize)> {
    let mut body = Vec::new();
    loop {
        let line = loop {
            match find(&buffer[at..], b"\r\n") {
                Some(length) => break String::from_utf8_lossy(&buffer[at..at + length]).into_owned(),
                None => fill(stream, buffer)?,
            }
        };
        let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
        at += line.len() + 2;
        while buffer.len() < at + size + 2 {
            fill(stream, buffer)?;
        }
        body.extend_from_slice(&buffer[at..at + size]);
        at += size + 2;
        if size == 0 {
            return Some((body, at));
        }
    }
}

fn fill(stream: &mut impl Wire, buffer: &mut Vec<u8>) -> Option<()> {
    let mut piece = [0; 16 * 1024];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return None,
            Ok(count) => {
                buffer.extend_from_slice(&piece[..count]);
                return Some(());
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
