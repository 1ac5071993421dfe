//! The accept loop. `axum::serve` never cuts a client that sends nothing, or half a request, or does not read
//! its answer, and hyper's own deadline is off without a timer. Here everything has a deadline: the first byte,
//! the request's head, the writing of an answer, the drain.
//!
//! The number of connections has a cap. When it is reached, the connection that has been waiting longest
//! without a request makes room for the one at the door; if all are at work, nothing is accepted until one ends.
//! So thousands of silent clients keep nobody out.

use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::door::Door;
use super::patient::Patient;
use super::visitor::Peer;
use super::waiting::{Seat, Waiting};

/// Start line and headers of a request, in bytes: more is answered with 431.
pub const MAX_HEAD_BYTES: usize = 32 * 1024;
/// What hyper buffers of a connection, in bytes.
const BUFFER_BYTES: usize = 64 * 1024;
/// First pause after an accept that failed for want of descriptors or memory; doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long the one at the door waits before one more silent connection is cut for it.
const DOOR_PATIENCE: Duration = Duration::from_millis(100);

/// What a client may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Connections at a time; one more is accepted while it waits for its place.
    pub connections: usize,
    /// From the connection to its first byte.
    pub first_byte: Duration,
    /// For the head of a request, and between two requests.
    pub header: Duration,
    /// For the reading of one answer by the client, once it does not take it as fast as it comes.
    pub answer: Duration,
    /// On a stop: for a next request that is on its way already.
    pub grace: Duration,
    /// On a stop: for requests that are being answered.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            first_byte: Duration::from_secs(10),
            header: Duration::from_secs(20),
            answer: Duration::from_secs(60),
            grace: Duration::from_secs(1),
            drain: Duration::from_secs(10),
        }
    }
}

/// Accepts and serves until `stop`; then returns, while the connections drain on the tracker. What of the door's
/// backlog was not accepted stays there, for the next process if systemd holds the socket.
pub async fn serve<D: Door>(door: D, router: Router, limits: Limits, tracker: TaskTracker, stop: CancellationToken) {
    let hall = Hall {
        places: Arc::new(Semaphore::new(limits.connections.max(1))),
        waiting: Arc::new(Waiting::default()),
        builder: builder(&limits),
        limits,
    };
    let mut pause = FIRST_PAUSE;
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = door.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                pause = FIRST_PAUSE;
                let Some(place) = hall.place().await else { return };
                let seat = Seat::take(&hall.waiting);
                let io = TokioIo::new(Patient::new(stream, limits.first_byte, limits.answer));
                let attend = attend(hall.builder.clone(), io, (router.clone(), peer), seat, limits, stop.clone());
                tracker.spawn(async move {
                    attend.await;
                    drop(place);
                });
            }
            // The client was gone before it was accepted: nobody's fault, and no reason to wait.
            Err(error) if is_of_one_connection(&error) => debug!(%error, "a connection was lost at the door"),
            // EMFILE, ENFILE, ENOBUFS, ENOMEM: the connection stays in the backlog, and accepting again at once
            // would fail again at once, in a busy loop.
            Err(error) => {
                if pause == FIRST_PAUSE {
                    warn!(%error, "no connection can be accepted for now");
                }
                hall.waiting.cut_oldest();
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

struct Hall {
    places: Arc<Semaphore>,
    waiting: Arc<Waiting>,
    builder: http1::Builder,
    limits: Limits,
}

impl Hall {
    /// A place for the connection that was just accepted. `None`: never, the semaphore is not closed.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(place);
        }
        debug!(connections = self.limits.connections, "all places are taken");
        loop {
            self.waiting.cut_oldest();
            let place = Arc::clone(&self.places).acquire_owned();
            if let Ok(place) = tokio::time::timeout(DOOR_PATIENCE, place).await {
                return place.ok();
            }
        }
    }
}

fn builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_header_size(MAX_HEAD_BYTES)
        .max_buf_size(BUFFER_BYTES);
    // Not pipeline_flush: hyper 1.12 would then not flush a 431, the head being still in its buffer.
    builder
}

async fn attend<S>(
    builder: http1::Builder,
    io: TokioIo<Patient<S>>,
    (router, peer): (Router, Option<IpAddr>),
    seat: Seat,
    limits: Limits,
    stop: CancellationToken,
) where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let seat = Arc::new(seat);
    let answers = TowerToHyperService::new(router);
    let service = service_fn({
        let seat = Arc::clone(&seat);
        move |mut request: hyper::Request<Incoming>| {
            seat.busy();
            if let Some(peer) = peer {
                request.extensions_mut().insert(Peer(peer));
            }
            let (answer, seat) = (answers.call(request), Arc::clone(&seat));
            async move {
                let answer = answer.await;
                seat.idle();
                answer
            }
        }
    });
    let mut connection = pin!(builder.serve_connection(io, service));
    tokio::select! {
        ended = connection.as_mut() => return log_end(ended),
        () = seat.cut() => return,
        () = stop.cancelled() => {}
    }
    // hyper would close at once what is between two requests, or before the first one, although one may be on its
    // way: a client must not see a reset because we restart. So it gets a moment, and `connection: close` with
    // the answer to what still comes.
    tokio::select! {
        biased;
        () = seat.at_work() => {}
        ended = connection.as_mut() => return log_end(ended),
        () = seat.cut() => return,
        () = tokio::time::sleep(limits.grace) => {}
    }
    connection.as_mut().graceful_shutdown();
    match tokio::time::timeout(limits.drain, connection).await {
        Ok(ended) => log_end(ended),
        Err(_) => debug!("an answer was cut by the stop"),
    }
}

/// Peers vanish, stall and send nonsense all day long: that is no news.
fn log_end(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        debug!(%error, "a connection ended early");
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
            | io::ErrorKind::PermissionDenied
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::Notify;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    const LONG: Duration = Duration::from_secs(30);

    struct House {
        address: SocketAddr,
        tracker: TaskTracker,
        stop: CancellationToken,
        release: Arc<Notify>,
        entered: Arc<Notify>,
    }

    fn limits() -> Limits {
        Limits { connections: 64, first_byte: LONG, header: LONG, answer: LONG, grace: LONG, drain: LONG }
    }

    async fn open(limits: Limits) -> House {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tracker, stop, release) = (TaskTracker::new(), CancellationToken::new(), Arc::new(Notify::new()));
        let entered = Arc::new(Notify::new());
        let (wait, enter) = (Arc::clone(&release), Arc::clone(&entered));
        let router = Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/big", get(|| async { "x".repeat(64 << 20) }))
            .route(
                "/slow",
                get(move || async move {
                    enter.notify_one();
                    wait.notified().await;
                    "slow"
                }),
            );
        tracker.spawn(serve(listener, router, limits, tracker.clone(), stop.clone()));
        House { address, tracker, stop, release, entered }
    }

    impl House {
        async fn connect(&self) -> TcpStream {
            TcpStream::connect(self.address).await.unwrap()
        }

        async fn gone(self) {
            self.tracker.close();
            tokio::time::timeout(LONG, self.tracker.wait()).await.expect("everything ends after a stop");
        }
    }

    async fn ask(stream: &mut TcpStream, path: &str) {
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    }

    /// What comes until the other side closes, or `until` is there.
    async fn read(stream: &mut TcpStream, until: &str) -> String {
        let mut all = Vec::new();
        let mut part = [0; 4096];
        while let Ok(n) = tokio::time::timeout(LONG, stream.read(&mut part)).await.expect("an answer or an end") {
            all.extend_from_slice(&part[..n]);
            if n == 0 || (!until.is_empty() && String::from_utf8_lossy(&all).contains(until)) {
                break;
            }
        }
        String::from_utf8_lossy(&all).into_owned()
    }

    #[tokio::test]
    async fn requests_on_one_connection_are_answered_in_turn_also_when_they_come_at_once() {
        let house = open(limits()).await;
        let mut client = house.connect().await;
        client.write_all(&REQUEST.repeat(3)).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        assert_eq!(read(&mut client, "").await.matches("hello").count(), 4);
    }

    #[tokio::test]
    async fn a_silent_client_is_cut_at_the_deadline_of_the_first_byte() {
        let house = open(Limits { first_byte: Duration::from_millis(50), ..limits() }).await;
        let mut silent = house.connect().await;
        assert_eq!(read(&mut silent, "").await, "");
    }

    #[tokio::test]
    async fn half_a_head_is_cut_at_its_deadline_although_bytes_keep_dripping() {
        let house = open(Limits { header: Duration::from_millis(100), ..limits() }).await;
        let (mut reader, mut writer) = house.connect().await.into_split();
        let drip = async {
            writer.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
            while writer.write_all(b"a").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let mut rest = Vec::new();
        let cut = async { reader.read_to_end(&mut rest).await };
        tokio::select! {
            () = drip => {}
            ended = tokio::time::timeout(LONG, cut) => { let _ = ended.expect("the drip is cut"); }
        }
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_its_answer_is_cut() {
        let house = open(Limits { answer: Duration::from_millis(100), ..limits() }).await;
        let mut client = house.connect().await;
        ask(&mut client, "/big").await;
        house.tracker.close();
        // Nothing is read: the connection's task must end all the same, and only the accept loop stay.
        let alone = async {
            client.peek(&mut [0]).await.unwrap();
            while house.tracker.len() > 1 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LONG, alone).await.expect("the connection is cut");
        let mut all = Vec::new();
        let _ = client.read_to_end(&mut all).await;
        assert!(all.len() < 64 << 20, "the answer was cut short");
    }

    #[tokio::test]
    async fn silent_connections_make_room_when_all_places_are_taken() {
        let house = open(Limits { connections: 4, ..limits() }).await;
        let mut silent = Vec::new();
        for _ in 0..40 {
            silent.push(house.connect().await);
        }
        let mut client = house.connect().await;
        ask(&mut client, "/").await;
        assert!(read(&mut client, "hello").await.contains("hello"));
        assert_eq!(read(&mut silent[0], "").await, "", "the oldest one was cut");
    }

    #[tokio::test]
    async fn connections_at_work_are_not_cut_for_newcomers_who_wait_for_a_place() {
        let house = open(Limits { connections: 2, ..limits() }).await;
        let mut busy = [house.connect().await, house.connect().await];
        for client in &mut busy {
            ask(client, "/slow").await;
            house.entered.notified().await;
        }
        let mut newcomer = house.connect().await;
        ask(&mut newcomer, "/").await;
        let early = tokio::time::timeout(Duration::from_millis(300), newcomer.readable()).await;
        assert!(early.is_err(), "it waits at the door");
        house.release.notify_waiters();
        for client in &mut busy {
            assert!(read(client, "slow").await.ends_with("slow"));
        }
        assert!(read(&mut newcomer, "hello").await.ends_with("hello"));
    }

    #[tokio::test]
    async fn a_stop_answers_what_was_asked_and_closes_the_rest() {
        let house = open(Limits { grace: Duration::from_millis(200), ..limits() }).await;
        let (mut busy, mut idle, mut silent) = (house.connect().await, house.connect().await, house.connect().await);
        ask(&mut idle, "/").await;
        read(&mut idle, "hello").await;
        ask(&mut busy, "/slow").await;
        house.entered.notified().await;
        house.stop.cancel();
        assert_eq!(read(&mut idle, "").await, "");
        assert_eq!(read(&mut silent, "").await, "");
        house.release.notify_one();
        let answer = read(&mut busy, "").await;
        assert!(answer.ends_with("slow") && answer.contains("connection: close"), "{answer}");
        house.gone().await;
    }

    #[tokio::test]
    async fn a_request_that_was_on_its_way_at_the_stop_is_answered() {
        let house = open(limits()).await;
        let mut client = house.connect().await;
        while house.tracker.len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        house.stop.cancel();
        ask(&mut client, "/").await;
        assert!(read(&mut client, "").await.ends_with("hello"));
        assert!(TcpStream::connect(house.address).await.is_err(), "nothing new is accepted");
        house.gone().await;
    }

    #[tokio::test]
    async fn a_stop_does_not_wait_for_ever() {
        let house =
            open(Limits { grace: Duration::from_millis(10), drain: Duration::from_millis(50), ..limits() }).await;
        let mut stuck = house.connect().await;
        ask(&mut stuck, "/slow").await;
        house.entered.notified().await;
        house.stop.cancel();
        house.gone().await;
    }

    #[tokio::test]
    async fn a_head_that_is_too_long_is_refused() {
        let house = open(limits()).await;
        let mut client = house.connect().await;
        let head = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(MAX_HEAD_BYTES));
        client.write_all(head.as_bytes()).await.unwrap();
        let answer = read(&mut client, "").await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer:?}");
    }

    struct Exhausted(Arc<AtomicUsize>);

    impl Door for Exhausted {
        type Stream = TcpStream;

        async fn accept(&self) -> io::Result<(TcpStream, Option<IpAddr>)> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Err(io::Error::from_raw_os_error(24)) // EMFILE
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_descriptors_the_loop_waits_between_attempts() {
        let attempts = Arc::new(AtomicUsize::new(0));
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let door = Exhausted(Arc::clone(&attempts));
        tracker.spawn(serve(door, Router::new(), limits(), tracker.clone(), stop.clone()));
        tokio::time::sleep(Duration::from_secs(60)).await;
        let made = attempts.load(Ordering::Relaxed);
        assert!((10..100).contains(&made), "{made} attempts in a minute");
        stop.cancel();
        tracker.close();
        tracker.wait().await;
    }
}
