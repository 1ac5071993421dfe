//! The way of one request: hop by hop to a status, and from the status to an outcome.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use reqwest::header::{CONTENT_LOCATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Method, Request, Response, StatusCode};
use secrecy::SecretString;
use url::Url;

use super::clients::Clients;
use super::failure::{answered, explain_through, failure, place, status_words};
use super::guard::Guard;
use super::memory::Memory;
use super::outcome::{Answer, Outcome};
use super::redirect::Route;
use super::{body, conditional, freshness, request};
use crate::domain::address::Address;
use crate::domain::feed::{ErrorKind, PollError, Validators};
use crate::domain::reach::Reach;
use crate::domain::time::Timestamp;

/// What is asked for, and how.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The URL.
    pub url: Address,
    /// What the last answer from it gave.
    pub validators: Option<Validators>,
    /// For the whole request, redirects and body included.
    pub timeout: Duration,
    /// Of the body on the wire, and of the decoded body.
    pub max_body_bytes: u64,
    /// In place of ours.
    pub user_agent: Option<String>,
    /// Headers that are sent to the origin of `private_origin` only (Authorization, Cookie, the feed's own headers).
    pub private_headers: Vec<(String, SecretString)>,
    /// The origin that these headers are for: the configured URL.
    pub private_origin: Address,
    /// How the servers on the way are reached.
    pub reach: Arc<Reach>,
}

/// Asks for feeds.
#[derive(Debug)]
pub struct Fetcher {
    clients: Clients,
    /// For what is no feed: pages behind short links.
    general: Arc<Reach>,
    contact: Option<String>,
    agent: RwLock<(u64, HeaderValue)>,
    pub(super) memory: Memory,
}

impl Fetcher {
    /// A fetcher behind `guard`; `contact` goes into the User-Agent; `memory_bytes` bounds the decoded bodies in
    /// flight, all together: a body counts until its last clone is dropped.
    ///
    /// # Errors
    /// A sentence, if the contact cannot be sent.
    pub fn new(guard: &Guard, contact: Option<&str>, memory_bytes: u64) -> Result<Self, String> {
        Ok(Self {
            clients: Clients::new(guard),
            general: Arc::default(),
            agent: RwLock::new((0, request::user_agent(contact, 0)?)),
            contact: contact.map(str::to_owned),
            memory: Memory::new(memory_bytes),
        })
    }

    /// The same, and what is no feed is reached in this way.
    #[must_use]
    pub fn through(self, reach: Arc<Reach>) -> Self {
        Self { general: reach, ..self }
    }

    /// How what is no feed is reached.
    #[must_use]
    pub fn reach(&self) -> &Arc<Reach> {
        &self.general
    }

    /// How many follow what is fetched here: it goes into the User-Agent.
    pub fn tell_readers(&self, readers: u64) {
        let mut agent = self.agent.write().unwrap_or_else(PoisonError::into_inner);
        if agent.0 != readers
            && let Ok(made) = request::user_agent(self.contact.as_deref(), readers)
        {
            *agent = (readers, made);
        }
    }

    pub(super) fn agent(&self) -> HeaderValue {
        self.agent.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Asks once, following redirects by hand. Never fails otherwise than in an [`Outcome`].
    pub async fn fetch(&self, ask: &Ask, now: Timestamp) -> Outcome {
        let exchange = std::pin::pin!(self.exchange(ask, now));
        match tokio::time::timeout(ask.timeout, exchange).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Outcome::Failed { error, retry_after: None },
            Err(_) => {
                let seconds = ask.timeout.as_secs_f64();
                let message = format!("no whole answer from {} within {seconds} s", place(ask.url.url()));
                Outcome::Failed { error: failure(ErrorKind::Timeout, message), retry_after: None }
            }
        }
    }

    async fn exchange(&self, ask: &Ask, now: Timestamp) -> Result<Outcome, PollError> {
        let mut route = Route::new(ask.url.url());
        loop {
            let (response, conditional) = self.send(ask, route.url()).await?;
            let status = response.status();
            match status.as_u16() {
                301 | 302 | 303 | 307 | 308 => {
                    let location = response.headers().get(LOCATION).map(HeaderValue::as_bytes);
                    route.follow(status, location)?;
                }
                304 => return not_modified(&response, conditional, route, now),
                // Only for what was asked for, or for where it moved to: a detour that is gone is no such word.
                410 if route.is_permanent() => return Ok(Outcome::Gone(error_status(status))),
                // No content, or a part of it: taken as a feed, it would be a shorter one.
                204 | 205 | 206 | 226 => {
                    let message = format!("the server answered {}: that is no whole feed", status_words(status));
                    return Err(answered(ErrorKind::Http, status, message));
                }
                // Apart, for most answers have nothing to be read.
                200..=299 => return Box::pin(self.answer(ask, route, response, now)).await.map(Outcome::Body),
                _ => {
                    let retry_after =
                        matches!(status.as_u16(), 429 | 503).then(|| freshness::retry_after(response.headers(), now));
                    return Ok(Outcome::Failed { error: error_status(status), retry_after: retry_after.flatten() });
                }
            }
        }
    }

    /// One hop, and the validators that it was made conditional with.
    async fn send<'a>(&self, ask: &'a Ask, url: &Url) -> Result<(Response, Option<&'a Validators>), PollError> {
        let mut headers = request::headers(ask, &self.agent(), url)?;
        let validators = ask.validators.as_ref();
        let conditional = conditional::ask(&mut headers, validators, url);
        let response = self.get(url, headers, &ask.reach).await?;
        Ok((response, validators.filter(|_| conditional)))
    }

    /// One request, if it may go there.
    pub(super) async fn get(&self, url: &Url, headers: HeaderMap, reach: &Arc<Reach>) -> Result<Response, PollError> {
        let client = self.clients.client(url, reach)?;
        let mut request = Request::new(Method::GET, url.clone());
        *request.headers_mut() = headers;
        client.execute(request).await.map_err(|error| explain_through(error, url, reach.proxy.as_ref()))
    }

    async fn answer(&self, ask: &Ask, route: Route, response: Response, now: Timestamp) -> Result<Answer, PollError> {
        let headers = response.headers();
        let content_type =
            headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let base = base(headers, route.url());
        let validators = conditional::given(headers, route.url());
        let fresh_for = freshness::fresh_for(headers, now);
        let body = body::read(response, ask.max_body_bytes, &self.memory).await?;
        Ok(Answer { body, content_type, base, validators, fresh_for, moved: route.moved() })
    }
}

/// A 304 is an answer to a condition; without one, the server has no feed for us (RFC 9110 15.4.5).
fn not_modified(
    response: &Response,
    conditional: Option<&Validators>,
    route: Route,
    now: Timestamp,
) -> Result<Outcome, PollError> {
    let headers = response.headers();
    match conditional {
        Some(old) => Ok(Outcome::NotModified {
            validators: conditional::merged(old, headers),
            fresh_for: freshness::fresh_for(headers, now),
            moved: route.moved(),
        }),
        None => {
            let message = "the server answered 304 Not Modified to a request without a condition";
            Err(answered(ErrorKind::Http, response.status(), message))
        }
    }
}

pub(super) fn error_status(status: StatusCode) -> PollError {
    answered(ErrorKind::Http, status, format!("the server answered {}", status_words(status)))
}

/// What relative links hang on (RFC 3986 5.1). A `Content-Location` of another origin is not to be trusted
/// (RFC 9110 8.7): behind proxies it often names an inner host.
fn base(headers: &HeaderMap, url: &Url) -> Url {
    let given = headers.get(CONTENT_LOCATION).and_then(|value| value.to_str().ok());
    let resolved = given.and_then(|given| url.join(given).ok());
    resolved.filter(|base| base.origin() == url.origin()).unwrap_or_else(|| url.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_hang_on_a_content_location_of_the_same_origin_else_on_the_url() {
        let url = Url::parse("https://a.test/x/feed").unwrap();
        for (location, expected) in [
            (None, "https://a.test/x/feed"),
            (Some("/y/feed.atom"), "https://a.test/y/feed.atom"),
            (Some("feed.de.atom"), "https://a.test/x/feed.de.atom"),
            (Some("http://10.0.0.1/feed"), "https://a.test/x/feed"),
            (Some("https://[::"), "https://a.test/x/feed"),
            (Some("javascript:alert(1)"), "https://a.test/x/feed"),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(location) = location {
                headers.insert(CONTENT_LOCATION, HeaderValue::from_static(location));
            }
            assert_eq!(base(&headers, &url).as_str(), expected);
        }
    }
}
