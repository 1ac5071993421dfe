//! One attempt: a signed POST through the guard, and what came back. Never fails otherwise than in a [`Sent`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ipnet::IpNet;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use reqwest::{Client, Request, StatusCode};
use secrecy::ExposeSecret;
use tokio::time::Instant;

use super::body;
use super::retry::Ending;
use super::sign;
use super::target::Target;
use crate::domain::item::Item;
use crate::domain::reach::{Proxy, Reach};
use crate::domain::time::{Timestamp, retry_after};
use crate::domain::webhook::Attempt;
use crate::fetch::failure::{explain_through, is_down};
use crate::fetch::guard::{self, Guard, Lookups, Roots};
use crate::message::{self, Rendered};

/// Bytes of an answer that are read and kept; the connection is closed on the rest.
pub const MAX_RESPONSE_BYTES: usize = 16 * 1024;

/// These frame the request or name its host: they follow from the body and the URL.
const FRAMING: [&str; 6] = ["connection", "content-length", "host", "te", "transfer-encoding", "upgrade"];
/// Headers whose value the log may show; every other one may be a secret.
const SHOWN: [&str; 4] = ["content-type", "user-agent", sign::ID, sign::TIMESTAMP];

/// A finished attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    /// For the log.
    pub attempt: Attempt,
    /// What the verdict depends on.
    pub ending: Ending,
}

/// Sends calls. Keeps one client, and so one pool of connections, for each list of allowed networks and each way to
/// reach a server: a connection that one webhook was allowed to make is not used by another that was not.
#[derive(Debug, Default)]
pub struct Sender {
    clients: Mutex<Clients>,
}

#[derive(Debug, Default)]
struct Clients {
    made: Vec<Made>,
    roots: Roots,
    lookups: Lookups,
}

#[derive(Debug)]
struct Made {
    allow: Vec<IpNet>,
    reach: Arc<Reach>,
    /// It speaks TLS, and has read the certificates for that.
    secure: bool,
    client: Client,
}

/// What was heard before the attempt ended, however it ended.
#[derive(Default)]
struct Heard {
    status: Option<StatusCode>,
    retry_after: Option<String>,
    body: Vec<u8>,
}

impl Sender {
    /// A sender without connections.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes one attempt, which begins at `now`. `body` is signed anew and sent as it is.
    pub async fn send(&self, target: &Target, message_id: &str, body: Bytes, now: Timestamp) -> Sent {
        let started = Instant::now();
        let mut attempt = Attempt { at: now, ..Attempt::default() };
        let mut heard = Heard::default();
        let mut unreachable = false;
        match self.prepare(target, message_id, body, now) {
            Err(sentence) => attempt.error = Some(sentence),
            Ok((client, request)) => {
                attempt.request = shown(target, &request);
                // The answer's status counts even if its body is cut or breaks off: the receiver has spoken.
                let talk = tokio::time::timeout(target.timeout, talk(&client, request, &mut heard)).await;
                unreachable = heard.status.is_none() && talk.as_ref().map_or(true, unreached);
                attempt.error = match (heard.status, talk) {
                    (Some(status), _) => refusal(target, status),
                    (None, Err(_)) => Some(timed_out(target)),
                    (None, Ok(failed)) => failed.err().map(|error| sentence(error, target)),
                };
            }
        }
        let took = started.elapsed();
        attempt.duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        attempt.http_status = heard.status.map(|status| status.as_u16());
        attempt.response = readable(&heard.body);
        let retry_after = heard.retry_after.and_then(|value| retry_after(&value, now.plus(took)));
        Sent { ending: Ending { http_status: attempt.http_status, retry_after, unreachable }, attempt }
    }

    /// Makes a signed test call, once, with an item to look at: its `webhook-id`, and the attempt, whose error says what
    /// was wrong and whose request has the body, too.
    pub async fn send_test(&self, target: &Target, item: Option<&Item>, now: Timestamp) -> (String, Attempt) {
        let id = format!("msg_test_{}", now.as_ms());
        let call = body::test(&target.name, item, target.html, now);
        let rendered = match message::render(&target.format, &call, &id, &target.name) {
            Ok(rendered) => rendered,
            Err(error) => Rendered { body: Vec::new(), failed: Some(error.to_string()) },
        };
        let shown = String::from_utf8_lossy(&rendered.body).into_owned();
        let mut attempt = self.send(target, &id, rendered.body.into(), now).await.attempt;
        attempt.request = format!("{}\n\n{shown}", attempt.request);
        attempt.error = attempt.error.or(rendered.failed);
        (id, attempt)
    }

    /// Closes the connections of allow lists that no target has any more, and those over TLS: whom the system trusts is
    /// read anew.
    pub(super) fn keep_only(&self, targets: &[Target]) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let used = |made: &Made, target: &Target| target.allow_networks == made.allow && target.reach == made.reach;
        clients.made.retain(|made| !made.secure && targets.iter().any(|target| used(made, target)));
    }

    fn prepare(&self, target: &Target, id: &str, body: Bytes, now: Timestamp) -> Result<(Client, Request), String> {
        let guard = Guard::new(target.allow_networks.clone());
        guard.check_url(&target.url)?;
        if let Some(proxy) = &target.reach.proxy {
            guard.check_through(&target.url, proxy)?;
        }
        let client = self.client(target, &guard)?;
        let headers = headers(target, id, &body, now)?;
        let (method, url) = target.request(id);
        let request = client.request(method, url).headers(headers).body(body).build();
        let request = request.map_err(|error| sentence(error, target))?;
        Ok((client, request))
    }

    fn client(&self, target: &Target, guard: &Guard) -> Result<Client, String> {
        let (allow, reach) = (&target.allow_networks, &target.reach);
        let secure = target.url.scheme() != "http" || reach.proxy.as_ref().is_some_and(Proxy::is_secure);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if secure && clients.roots.changed() {
            clients.made.retain(|made| !made.secure);
        }
        let known = |made: &&Made| made.secure == secure && made.allow == *allow && made.reach == *reach;
        if let Some(made) = clients.made.iter().find(known) {
            return Ok(made.client.clone());
        }
        let client = guard::client_through(guard, reach, secure, &clients.lookups)?;
        clients.made.push(Made { allow: allow.clone(), reach: Arc::clone(reach), secure, client: client.clone() });
        Ok(client)
    }
}

fn headers(target: &Target, id: &str, body: &[u8], now: Timestamp) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("Feedmill/", env!("CARGO_PKG_VERSION"))));
    for (name, value) in &target.headers {
        let unfit =
            || format!("the header `{name}` of webhook `{}` cannot be sent: correct it in the file", target.name);
        let name = HeaderName::try_from(name.as_str()).map_err(|_| unfit())?;
        if FRAMING.contains(&name.as_str()) {
            continue;
        }
        let mut value = HeaderValue::try_from(value.expose_secret()).map_err(|_| unfit())?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    // Last, so that no configured header takes their place.
    let seconds = now.as_secs();
    let signature = sign::signature(&target.secrets, id, seconds, body);
    let id = HeaderValue::try_from(id).map_err(|_| "the id of the call cannot be sent as a header".to_owned())?;
    headers.insert(sign::ID, id);
    headers.insert(sign::TIMESTAMP, HeaderValue::from(seconds));
    headers.remove(sign::SIGNATURE);
    if let Ok(mut value) = HeaderValue::try_from(signature)
        && !value.is_empty()
    {
        value.set_sensitive(true);
        headers.insert(sign::SIGNATURE, value);
    }
    Ok(headers)
}

async fn talk(client: &Client, request: Request, heard: &mut Heard) -> Result<(), reqwest::Error> {
    let mut response = client.execute(request).await?;
    heard.status = Some(response.status());
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    heard.retry_after = retry_after.map(ToOwned::to_owned);
    while heard.body.len() < MAX_RESPONSE_BYTES {
        let Some(chunk) = response.chunk().await? else { break };
        let room = MAX_RESPONSE_BYTES - heard.body.len();
        heard.body.extend(chunk.iter().take(room));
    }
    Ok(())
}

/// The request's headers for the log, a line each. Only values that are known to be harmless are shown.
fn shown(target: &Target, request: &Request) -> String {
    let mut lines = format!("{} {}", request.method(), target.shown_url());
    for (name, value) in request.headers() {
        let value = if SHOWN.contains(&name.as_str()) && !configured(target, name) {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        } else {
            "(masked)".to_owned()
        };
        lines.push_str(&format!("\n{name}: {value}"));
    }
    lines
}

fn configured(target: &Target, name: &HeaderName) -> bool {
    let ours = [sign::ID, sign::TIMESTAMP].contains(&name.as_str());
    !ours && target.headers.iter().any(|(configured, _)| configured.eq_ignore_ascii_case(name.as_str()))
}

fn refusal(target: &Target, status: StatusCode) -> Option<String> {
    let host = target.url.host_str().unwrap_or_default();
    if status.is_success() {
        None
    } else if status.is_redirection() {
        Some(format!(
            "{host} answered {status}; redirects are not followed: name the final address as the webhook's url"
        ))
    } else {
        Some(format!("{host} answered {status}"))
    }
}

fn timed_out(target: &Target) -> String {
    format!("{} gave no answer within {}", target.url.host_str().unwrap_or_default(), in_words(target.timeout))
}

fn in_words(span: Duration) -> String {
    if span.subsec_millis() == 0 { format!("{} s", span.as_secs()) } else { format!("{} ms", span.as_millis()) }
}

/// What a call died of; neither path nor query of the URL is in it.
fn sentence(error: reqwest::Error, target: &Target) -> String {
    explain_through(error, &target.url, target.reach.proxy.as_ref()).message
}

/// Whether there was no connection. One that was refused by the guard or by TLS is no sign that the server is down.
fn unreached(failed: &Result<(), reqwest::Error>) -> bool {
    failed.as_ref().is_err_and(|error| error.is_connect() && is_down(error))
}

/// An answer as text of at most [`MAX_RESPONSE_BYTES`], without characters that steer a terminal.
fn readable(body: &[u8]) -> String {
    let mut text = String::with_capacity(body.len());
    for c in String::from_utf8_lossy(body).chars() {
        let c = if c.is_control() && !matches!(c, '\n' | '\r' | '\t') { char::REPLACEMENT_CHARACTER } else { c };
        if text.len() + c.len_utf8() > MAX_RESPONSE_BYTES {
            break;
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::webhook::WebhookId;
    use url::Url;

    fn target(headers: &[(&str, &str)]) -> Target {
        let url = Url::parse("https://hooks.example.org/desk?key=hunter2").unwrap();
        Target {
            secrets: vec![b"first".to_vec(), b"second".to_vec()],
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned().into())).collect(),
            ..Target::to(WebhookId(1), "desk", url)
        }
    }

    #[test]
    fn configured_headers_are_added_but_replace_neither_signature_nor_framing() {
        let target = target(&[
            ("X-Key", "hunter2"),
            ("Content-Type", "application/vnd.desk+json"),
            ("Webhook-Signature", "v1,forged"),
            ("webhook-id", "forged"),
            ("Host", "elsewhere.example"),
            ("content-length", "0"),
        ]);
        let now = Timestamp::from_ms(1_700_000_000_999);
        let headers = headers(&target, "msg_a", b"{}", now).unwrap();
        assert_eq!(headers["x-key"], "hunter2");
        assert_eq!(headers["content-type"], "application/vnd.desk+json");
        assert_eq!(headers["webhook-id"], "msg_a");
        assert_eq!(headers["webhook-timestamp"], "1700000000");
        assert_eq!(headers["webhook-signature"].to_str().unwrap().matches("v1,").count(), 2);
        assert!(!headers["webhook-signature"].to_str().unwrap().contains("forged"));
        assert!(!headers.contains_key("host") && !headers.contains_key("content-length"));
    }

    #[test]
    fn the_log_shows_no_value_that_may_be_a_secret() {
        let target = target(&[("X-Key", "hunter2"), ("User-Agent", "hunter2"), ("Authorization", "Bearer hunter2")]);
        let headers = headers(&target, "msg_a", b"{}", Timestamp::from_secs(1_700_000_000)).unwrap();
        let request = Client::new().post(target.url.clone()).headers(headers).build().unwrap();
        let log = shown(&target, &request);
        assert!(!log.contains("hunter2") && !log.contains("v1,"), "{log}");
        for line in ["POST https://hooks.example.org/desk?…", "webhook-id: msg_a", "webhook-timestamp: 1700000000"] {
            assert!(log.lines().any(|l| l == line), "{line} in {log}");
        }
        assert!(log.contains("webhook-signature: (masked)"), "{log}");
    }

    #[test]
    fn a_header_that_cannot_be_sent_is_named_without_its_value() {
        for (name, value) in [("X-Key", "hunter2\r\nX: y"), ("X Key", "hunter2")] {
            let error = headers(&target(&[(name, value)]), "msg_a", b"", Timestamp::default()).unwrap_err();
            assert!(error.contains(name) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn an_answer_becomes_text_that_is_bounded_and_steers_no_terminal() {
        assert_eq!(readable(b"ok\n\tfine \x1b[31m\0"), "ok\n\tfine \u{fffd}[31m\u{fffd}");
        assert!(readable(&[0xff; MAX_RESPONSE_BYTES]).len() <= MAX_RESPONSE_BYTES);
        assert_eq!(readable("ä".as_bytes()), "ä");
    }
}
