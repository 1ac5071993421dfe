//! The running daemon, over its control socket: the same HTTP API as over TCP.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio_util::task::AbortOnDropHandle;

use super::Failure;

/// How long a list may take.
pub(super) const READING: Duration = Duration::from_secs(60);
/// An answer of the API is never larger.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// A daemon that was found running.
pub(super) struct Client {
    stream: UnixStream,
}

impl Client {
    /// Connects; `None` if no daemon listens there.
    pub(super) async fn connect(socket: &Path) -> Option<Self> {
        UnixStream::connect(socket).await.ok().map(|stream| Self { stream })
    }

    /// Reads a list.
    pub(super) async fn get<T: DeserializeOwned>(self, path: &str) -> Result<T, Failure> {
        let body = self.ask(Method::GET, path, Bytes::new(), READING).await?;
        serde_json::from_slice(&body).map_err(|e| Failure::new(format!("the daemon's answer cannot be read: {e}.")))
    }

    /// One request, one answer. Problem documents (RFC 9457) become failures.
    pub(super) async fn ask(
        self,
        method: Method,
        path: &str,
        body: Bytes,
        patience: Duration,
    ) -> Result<Bytes, Failure> {
        let (status, body) = self.within(patience, method, path, body).await?;
        if status.is_success() {
            return Ok(body);
        }
        Err(problem(status, &body))
    }

    /// Reads an answer that may be a problem document: its status and its body.
    pub(super) async fn look(self, path: &str) -> Result<(StatusCode, Bytes), Failure> {
        self.within(READING, Method::GET, path, Bytes::new()).await
    }

    async fn within(
        self,
        patience: Duration,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let asked = tokio::time::timeout(patience, self.exchange(method, path, body)).await;
        asked.map_err(|_| Failure::new(format!("the daemon did not answer within {} s.", patience.as_secs())))?
    }

    async fn exchange(self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Bytes), Failure> {
        let lost = |e: &dyn std::fmt::Display| Failure::new(format!("the daemon broke off: {e}."));
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(self.stream)).await.map_err(|e| lost(&e))?;
        #[allow(clippy::disallowed_methods, reason = "ends with this call: the handle aborts it when dropped")]
        let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Full::new(body))
            .map_err(|e| Failure::new(e.to_string()))?;
        let answer = sender.send_request(request).await.map_err(|e| lost(&e))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await.map_err(|e| lost(&e))?;
        Ok((status, body.to_bytes()))
    }
}

/// What a problem document says.
pub(super) fn problem(status: StatusCode, body: &[u8]) -> Failure {
    let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let said = problem.get("detail").or_else(|| problem.get("title")).and_then(serde_json::Value::as_str);
    Failure::new(said.map_or_else(|| format!("the daemon answered {status}."), str::to_owned))
}
