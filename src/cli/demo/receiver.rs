//! The demo's webhook receiver: it checks signatures, drops repeats by id, and refuses every third call at
//! first, so that a retry can be seen.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use bytes::Bytes;
use http_body_util::Full;
use hyper::StatusCode;

use super::Terminal;
use super::server::{Request, Response};
use crate::deliver::sign;
use crate::domain::shape::CallShape;

/// Of the demo alone; a real one is made with `openssl rand -base64 32`.
pub(super) const SECRET: &str = "whsec_ZmVlZG1pbGwtZGVtby1zZWNyZXQtb2YtMzItYnl0ZXM=";

/// What came in.
#[derive(Clone, Copy, Default)]
pub(super) struct Heard {
    /// Calls that were accepted, repeats not counted.
    pub(super) received: usize,
    /// Those of them that were refused before.
    pub(super) retried: usize,
    /// Calls whose signature did not fit.
    pub(super) forged: usize,
}

#[derive(Default)]
struct Ledger {
    heard: Heard,
    tries: HashMap<String, usize>,
    done: HashSet<String>,
}

#[derive(Clone)]
pub(super) struct Receiver {
    key: Arc<[u8]>,
    terminal: Arc<Terminal>,
    ledger: Arc<Mutex<Ledger>>,
}

impl Receiver {
    pub(super) fn new(secret: &str, terminal: Arc<Terminal>) -> Self {
        let coded = secret.trim_start_matches("whsec_");
        let key = base64::engine::general_purpose::STANDARD.decode(coded).unwrap_or_default();
        Self { key: key.into(), terminal, ledger: Arc::default() }
    }

    pub(super) fn heard(&self) -> Heard {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).heard
    }

    pub(super) fn answer(&self, request: &Request) -> Response {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (id, signature) = (header(sign::ID), header(sign::SIGNATURE));
        let expected = header(sign::TIMESTAMP)
            .parse()
            .map(|at| sign::signature(&[self.key.to_vec()], id, at, request.body()))
            .unwrap_or_default();
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        if expected.is_empty() || !signature.split(' ').any(|one| one == expected) {
            ledger.heard.forged += 1;
            self.terminal.tell("desk", "a call with a bad signature was refused");
            return status(StatusCode::UNAUTHORIZED);
        }
        let known = ledger.tries.len();
        let tries = ledger.tries.entry(id.to_owned()).or_insert(0);
        *tries += 1;
        let (first, again) = (*tries == 1, *tries > 1);
        let title = title(request.body());
        if first && known % 3 == 1 {
            self.terminal.tell("desk", &format!("refused on purpose (500), it will come again: {title}"));
            return status(StatusCode::INTERNAL_SERVER_ERROR);
        }
        if ledger.done.insert(id.to_owned()) {
            ledger.heard.received += 1;
            ledger.heard.retried += usize::from(again);
            let how = if again { "received at the second try" } else { "received, signature good" };
            self.terminal.tell("desk", &format!("{how}: {title}"));
        }
        status(StatusCode::NO_CONTENT)
    }
}

fn status(status: StatusCode) -> Response {
    let mut response = Response::new(Full::<Bytes>::default());
    *response.status_mut() = status;
    response
}

fn title(body: &[u8]) -> String {
    let call: Option<CallShape> = serde_json::from_slice(body).ok();
    call.map(|call| format!("{} {}", call.kind, call.data.item.title.unwrap_or_default())).unwrap_or_default()
}
