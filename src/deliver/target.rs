//! Whom deliveries go to: a webhook's settings, as this room needs them. The app makes them of the configuration.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use reqwest::Method;
use secrecy::SecretString;
use url::Url;

use crate::domain::reach::Reach;
use crate::domain::webhook::{Rate, WebhookId};
use crate::message::Format;

/// `{id}` in the path of an address, as the parser of URLs writes it.
const ID_PLACE: &str = "%7Bid%7D";

/// One webhook to be called.
#[derive(Clone)]
pub struct Target {
    /// Its row.
    pub id: WebhookId,
    /// Its name, for logs and sentences.
    pub name: String,
    /// Where it is called.
    pub url: Url,
    /// Keys to sign with, decoded; several while one is being replaced. None: calls are not signed.
    pub secrets: Vec<Vec<u8>>,
    /// Headers to add.
    pub headers: Vec<(String, SecretString)>,
    /// The form of its calls.
    pub format: Format,
    /// Whether it gets the content as clean HTML, and not as text.
    pub html: bool,
    /// Private networks that it may be on.
    pub allow_networks: Vec<IpNet>,
    /// Waits between attempts: one attempt more than there are waits.
    pub retry: Vec<Duration>,
    /// For one whole attempt.
    pub timeout: Duration,
    /// Attempts at a time; 0 counts as 1.
    pub concurrency: usize,
    /// One at a time, the oldest first; the others wait until it is settled.
    pub strict: bool,
    /// How often it is called at the most.
    pub max_rate: Option<Rate>,
    /// How its server is reached.
    pub reach: Arc<Reach>,
    /// After so long of nothing but failures it is paused.
    pub pause_after: Duration,
    /// Who is told that it was paused or disabled.
    pub alerts: Arc<[WebhookId]>,
}

impl Target {
    /// One without secrets, headers and retries, called one at a time.
    #[must_use]
    pub fn to(id: WebhookId, name: &str, url: Url) -> Self {
        Self {
            id,
            name: name.to_owned(),
            url,
            secrets: Vec::new(),
            headers: Vec::new(),
            format: Format::Standard,
            html: false,
            allow_networks: Vec::new(),
            retry: Vec::new(),
            timeout: Duration::from_secs(20),
            concurrency: 1,
            strict: false,
            max_rate: None,
            reach: Arc::default(),
            pause_after: Duration::from_secs(5 * 86_400),
            alerts: Arc::default(),
        }
    }
}

impl Target {
    /// The method and the address of a call: where `{id}` stands in the path, the `webhook-id` does, and what has a name of
    /// its own is PUT (RFC 9110 9.3.4).
    #[must_use]
    pub fn request(&self, id: &str) -> (Method, Url) {
        let path = self.url.path();
        if !path.contains(ID_PLACE) {
            return (Method::POST, self.url.clone());
        }
        let mut url = self.url.clone();
        url.set_path(&path.replace(ID_PLACE, id));
        (Method::PUT, url)
    }

    /// Scheme, host and path; user name, password and query are left out, for they may be secrets, and so is the path of
    /// a chat's address.
    #[must_use]
    pub fn shown_url(&self) -> String {
        if !matches!(self.format, Format::Standard) {
            return format!("{}://{}/…", self.url.scheme(), self.url.host_str().unwrap_or_default());
        }
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let query = if self.url.query().is_some() { "?…" } else { "" };
        format!("{}://{host}{port}{}{query}", self.url.scheme(), self.url.path())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_shows_no_secret_of_its_own() {
        let url = Url::parse("https://user:hunter2@hooks.example.org:8443/desk?token=hunter2#hunter2").unwrap();
        let target = Target {
            secrets: vec![b"hunter2".to_vec()],
            headers: vec![("X-Key".to_owned(), "hunter2".to_owned().into())],
            ..Target::to(WebhookId(1), "desk", url)
        };
        assert_eq!(target.shown_url(), "https://hooks.example.org:8443/desk?…");
        assert!(!format!("{target:?}").contains("hunter2"));
        assert!(!format!("{target:?}").contains("104, 117"));
    }
    #[test]
    fn the_address_of_a_chat_is_shown_without_its_path() {
        let url = Url::parse("https://hooks.example.org/services/hunter2/hunter2").unwrap();
        let target = Target { format: Format::Slack, ..Target::to(WebhookId(1), "desk", url) };
        assert_eq!(target.shown_url(), "https://hooks.example.org/…");
    }

    #[test]
    fn an_address_with_a_place_for_the_id_is_put() {
        let request = |url: &str| Target::to(WebhookId(1), "m", Url::parse(url).unwrap()).request("msg_a2");
        let (method, url) = request("https://m.example/rooms/!r:m.example/send/m.room.message/{id}?x={id}");
        assert_eq!(method, Method::PUT);
        assert_eq!(url.path(), "/rooms/!r:m.example/send/m.room.message/msg_a2");
        assert_eq!(request("https://m.example/id").0, Method::POST);
    }
}
