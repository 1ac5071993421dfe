//! A small HTTP server for the demo's publisher and receiver: the daemon's counterparts must be real.

use std::future::Future;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A request whose body was read.
pub(super) type Request = hyper::Request<Bytes>;
/// An answer.
pub(super) type Response = hyper::Response<Full<Bytes>>;

/// A call of the daemon is never larger.
const MAX_BODY_BYTES: usize = 4 << 20;

/// Answers until `stop`.
pub(super) async fn serve<F>(listener: TcpListener, answer: F, tasks: TaskTracker, stop: CancellationToken)
where
    F: Fn(Request) -> Response + Clone + Send + Sync + 'static,
{
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let Ok((stream, _)) = accepted else { return };
        let connection = connection(stream, answer.clone());
        let stop = stop.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = connection => {}
                () = stop.cancelled() => {}
            }
        });
    }
}

fn connection<F>(stream: TcpStream, answer: F) -> impl Future<Output = ()> + Send
where
    F: Fn(Request) -> Response + Clone + Send + Sync + 'static,
{
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let answer = answer.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = Limited::new(body, MAX_BODY_BYTES).collect().await.map_err(std::io::Error::other)?.to_bytes();
            Ok::<_, std::io::Error>(answer(hyper::Request::from_parts(head, body)))
        }
    });
    async move {
        // A connection that breaks is the daemon's to notice.
        let _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
    }
}
