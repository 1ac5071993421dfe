//! The writing side of the API: with the admin token over TCP, without over the control socket, whose door lets
//! nobody else in. Only POST changes anything, and a browser cannot be made to send the token by another site.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::State;
use super::api::json;
use super::control::{Control, Doing, LogRequest, PollRequest};
use super::problem::Problem;
use crate::publish::hooks::ReplayRequest;
use crate::publish::published::TokenHash;
use crate::store::{FeedOrder, HookOrder};

/// How who asks has shown that they may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// They came through the control socket.
    Socket,
    /// They must show the token.
    Token,
}

type Done = Result<Response, Refused>;

/// `POST /api/v1/poll`: all feeds, or those that the body names.
pub(crate) async fn poll_many(admitted: Admitted, Whole(body): Whole) -> Done {
    let asked = read_poll(&body)?;
    answer(admitted.control().poll(asked.feeds)).await
}

/// `POST /api/v1/feeds/{name}/poll`.
pub(crate) async fn poll_one(admitted: Admitted, Named(feed): Named) -> Done {
    answer(admitted.control().poll(Some(vec![feed]))).await
}

/// `POST /api/v1/feeds/{name}/pause`, `resume`.
pub(crate) async fn order_feed(admitted: Admitted, Extension(order): Extension<FeedOrder>, Named(feed): Named) -> Done {
    answer(admitted.control().order_feed(feed, order)).await
}

/// `POST /api/v1/webhooks/{name}/test`.
pub(crate) async fn test_webhook(admitted: Admitted, Named(webhook): Named) -> Done {
    answer(admitted.control().test_webhook(webhook)).await
}

/// `POST /api/v1/webhooks/{name}/pause`, `resume`, `drop`.
pub(crate) async fn order_webhook(
    admitted: Admitted,
    Extension(order): Extension<HookOrder>,
    Named(webhook): Named,
) -> Done {
    answer(admitted.control().order_webhook(webhook, order)).await
}

/// `POST /api/v1/webhooks/{name}/replay`: the window in the body.
pub(crate) async fn replay(admitted: Admitted, Named(webhook): Named, Whole(body): Whole) -> Done {
    let asked: ReplayRequest = read(&body, "{\"since\": \"3d\", \"until\": …, \"all\": …}")?;
    answer(admitted.control().replay(webhook, asked)).await
}

/// `POST /api/v1/items/{item}/unmerge`.
pub(crate) async fn unmerge(admitted: Admitted, Named(item): Named) -> Done {
    let item = item.parse().map_err(|_| Problem::not_found("There is no item of that number."))?;
    answer(admitted.control().unmerge(item)).await
}

/// `POST /api/v1/reload`.
pub(crate) async fn reload(admitted: Admitted) -> Done {
    answer(admitted.control().reload()).await
}

/// `POST /api/v1/log`.
pub(crate) async fn log_level(admitted: Admitted, Whole(body): Whole) -> Done {
    let asked: LogRequest = read(&body, "{\"level\": \"…\"}")?;
    answer(admitted.control().log_level(asked.level)).await
}

/// Who asks may write. It stands first among what a handler takes: who may not learns nothing else.
pub(crate) struct Admitted(State);

impl Admitted {
    fn control(&self) -> &dyn Control {
        self.0.parts().control.as_ref()
    }
}

impl FromRequestParts<State> for Admitted {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Refused> {
        if parts.extensions.get() != Some(&Access::Socket) {
            check(state.parts().live.get().published.admin.as_ref(), &parts.headers)?;
        }
        Ok(Self(state.clone()))
    }
}

/// What the path names.
pub(crate) struct Named(String);

impl FromRequestParts<State> for Named {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Refused> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        Ok(name.map(|Path(name)| Self(name)).map_err(|_| Problem::not_found("There is nothing of that name."))?)
    }
}

/// The body, within its limit.
pub(crate) struct Whole(Bytes);

impl FromRequest<State> for Whole {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &State) -> Result<Self, Refused> {
        let body = Bytes::from_request(request, state).await;
        Ok(body.map(Self).map_err(|e| Problem::new(e.status(), format!("The body cannot be read: {e}.")))?)
    }
}

/// A problem; 401 says how to do better (RFC 9110 11.6.1).
#[derive(Debug)]
pub(crate) struct Refused(Problem);

impl<E: Into<Problem>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let unknown = self.0.status == StatusCode::UNAUTHORIZED.as_u16();
        let mut response = self.0.into_response();
        if unknown {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"feedmill\""));
        }
        response
    }
}

/// 202 with what became of it: what it sets off (polls, calls, a schedule) goes on after the answer.
async fn answer<T: serde::Serialize>(doing: Doing<'_, T>) -> Done {
    let mut response = json(&doing.await?)?;
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

fn check(token: Option<&TokenHash>, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(token) = token else {
        let sentence = "The write side of the API is off: [server] admin_token is not set. \
                        The feedmill command works without it, on the same machine.";
        return Err(Problem::new(StatusCode::FORBIDDEN, sentence));
    };
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let offered = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().and_then(bearer),
        _ => None,
    };
    if offered.is_some_and(|offered| token.admits(offered)) {
        return Ok(());
    }
    let sentence = "This needs the admin token, as `Authorization: Bearer …`.";
    Err(Problem::new(StatusCode::UNAUTHORIZED, sentence))
}

/// The token of RFC 6750 2.1; the scheme's case counts for nothing (RFC 9110 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_matches(' '))
}

/// Reads a body that has this form.
fn read<T: serde::de::DeserializeOwned>(body: &[u8], form: &str) -> Result<T, Problem> {
    let wrong = |cause: &str| Problem::bad_request(format!("The body is not {form}: {cause}."));
    if !body.trim_ascii_start().starts_with(b"{") {
        // serde takes a list for an object, and an empty one would poll all feeds.
        return Err(wrong("it is no object"));
    }
    serde_json::from_slice(body).map_err(|error| wrong(&error.to_string()))
}

fn read_poll(body: &[u8]) -> Result<PollRequest, Problem> {
    if body.is_empty() {
        return Ok(PollRequest::default());
    }
    read(body, "{\"feeds\": [\"name\", …]}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    #[test]
    fn only_the_right_token_opens_the_write_side() {
        let token = TokenHash::of("s3cret");
        for (values, status) in [
            (&["Bearer s3cret"][..], None),
            (&["bearer s3cret"], None),
            (&["Bearer  s3cret"], None),
            (&[], Some(401)),
            (&["Bearer wrong"], Some(401)),
            (&["Bearer "], Some(401)),
            (&["s3cret"], Some(401)),
            (&["Basic s3cret"], Some(401)),
            (&["Bearer s3cret", "Bearer s3cret"], Some(401)),
            (&["Bearer \u{e4}"], Some(401)),
        ] {
            assert_eq!(check(Some(&token), &with(values)).err().map(|p| p.status), status, "{values:?}");
        }
    }

    #[test]
    fn without_a_configured_token_no_token_opens_it() {
        for values in [&[][..], &["Bearer "], &["Bearer x"]] {
            assert_eq!(check(None, &with(values)).unwrap_err().status, 403);
        }
    }

    #[test]
    fn a_poll_names_feeds_or_means_all() {
        assert_eq!(read_poll(b"").unwrap().feeds, None);
        assert_eq!(read_poll(b"{}").unwrap().feeds, None);
        assert_eq!(read_poll(br#"{"feeds":["a","b"]}"#).unwrap().feeds, Some(vec!["a".to_owned(), "b".to_owned()]));
        for bad in [&b"a"[..], b"[]", br#"{"feed":"a"}"#, br#"{"feeds":"a"}"#, b"\xff"] {
            assert_eq!(read_poll(bad).unwrap_err().status, 400);
        }
    }
}
