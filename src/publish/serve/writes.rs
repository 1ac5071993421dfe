//! The writing side of the API: with the admin token over TCP, without over the control socket, whose door lets
//! nobody else in. Only POST changes anything, and a browser cannot be made to send the token by another site.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State as Extract};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::State;
use super::api::json;
use super::control::{LogRequest, PollRequest};
use super::problem::Problem;
use crate::publish::published::TokenHash;
use crate::store::HookOrder;

/// How who asks has shown that they may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// They came through the control socket.
    Socket,
    /// They must show the token.
    Token,
}

type Named = Result<Path<String>, PathRejection>;

/// `POST /api/v1/poll`: all feeds, or those that the body names.
pub(crate) async fn poll_many(
    Extract(state): Extract<State>,
    Extension(access): Extension<Access>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refused> {
    admit(&state, access, &headers)?;
    let body = whole(body)?;
    let asked = read(&body)?;
    answer(state.parts().control.poll(asked.feeds).await)
}

/// `POST /api/v1/feeds/{name}/poll`.
pub(crate) async fn poll_one(
    Extract(state): Extract<State>,
    Extension(access): Extension<Access>,
    headers: HeaderMap,
    name: Named,
) -> Result<Response, Refused> {
    admit(&state, access, &headers)?;
    let name = read_name(name)?;
    answer(state.parts().control.poll(Some(vec![name])).await)
}

/// `POST /api/v1/webhooks/{name}/test`.
pub(crate) async fn test_webhook(
    Extract(state): Extract<State>,
    Extension(access): Extension<Access>,
    headers: HeaderMap,
    name: Named,
) -> Result<Response, Refused> {
    admit(&state, access, &headers)?;
    let name = read_name(name)?;
    answer(state.parts().control.test_webhook(name).await)
}

/// `POST /api/v1/webhooks/{name}/pause`, `resume`, `drop`.
pub(crate) async fn order_webhook(
    Extract(state): Extract<State>,
    Extension(access): Extension<Access>,
    Extension(order): Extension<HookOrder>,
    headers: HeaderMap,
    name: Named,
) -> Result<Response, Refused> {
    admit(&state, access, &headers)?;
    answer(state.parts().control.order_webhook(read_name(name)?, order).await)
}

/// `POST /api/v1/webhooks/{name}/replay`: the window in the body.
pub(crate) async fn replay(
    Extract(state): Extract<State>,
    Extension(access): Extension<Access>,
    headers: HeaderMap,
    name: Named,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refused> {
    admit(&state, access, &headers)?;
    let name = read_name(name)?;
    let body = whole(body)?;
    let asked = serde_json::from_slice(&body).map_err(|error| {
        Problem::bad_request(format!("The body is not {{\"since\": \"3d\", \"until\": …, \"all\": …}}: {error}."))
    })?;
    answer(state.parts().control.replay(name, asked).await)
}

/// `POST /api/v1/items/{item}/unmerge`.
pub(crate) async fn unmerge(
    Extract(state): Extract<State>,
    Extension(access): Extension<Access>,
    headers: HeaderMap,
    item: Result<Path<i64>, PathRejection>,
) -> Result<Response, Refused> {
    admit(&state, access, &headers)?;
    let Path(item) = item.map_err(|_| Problem::not_found("There is no item of that number."))?;
    answer(state.parts().control.unmerge(item).await)
}

/// `POST /api/v1/reload`.
pub(crate) async fn reload(
    Extract(state): Extract<State>,
    Extension(access): Extension<Access>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    admit(&state, access, &headers)?;
    answer(state.parts().control.reload().await)
}

/// `POST /api/v1/log`.
pub(crate) async fn log_level(
    Extract(state): Extract<State>,
    Extension(access): Extension<Access>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refused> {
    admit(&state, access, &headers)?;
    let body = whole(body)?;
    let asked: LogRequest = serde_json::from_slice(&body)
        .map_err(|error| Problem::bad_request(format!("The body is not {{\"level\": \"…\"}}: {error}.")))?;
    answer(state.parts().control.log_level(asked.level).await)
}

fn whole(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Problem> {
    body.map_err(|error| Problem::new(error.status(), format!("The body cannot be read: {error}.")))
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

fn answer<T: serde::Serialize>(done: Result<T, super::control::ControlError>) -> Result<Response, Refused> {
    Ok(json(&done?)?)
}

fn admit(state: &State, access: Access, headers: &HeaderMap) -> Result<(), Problem> {
    if access == Access::Socket {
        return Ok(());
    }
    check(state.parts().live.get().published.admin.as_ref(), headers)
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

fn read(body: &[u8]) -> Result<PollRequest, Problem> {
    if body.is_empty() {
        return Ok(PollRequest::default());
    }
    let wrong = |cause: &str| Problem::bad_request(format!("The body is not {{\"feeds\": [\"name\", …]}}: {cause}."));
    if !body.trim_ascii_start().starts_with(b"{") {
        // serde takes a list for an object, and an empty one would poll all feeds.
        return Err(wrong("it is no object"));
    }
    serde_json::from_slice(body).map_err(|error| wrong(&error.to_string()))
}

fn read_name(name: Named) -> Result<String, Problem> {
    name.map(|Path(name)| name).map_err(|_| Problem::not_found("There is nothing of that name."))
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
        assert_eq!(read(b"").unwrap().feeds, None);
        assert_eq!(read(b"{}").unwrap().feeds, None);
        assert_eq!(read(br#"{"feeds":["a","b"]}"#).unwrap().feeds, Some(vec!["a".to_owned(), "b".to_owned()]));
        for bad in [&b"a"[..], b"[]", br#"{"feed":"a"}"#, br#"{"feeds":"a"}"#, b"\xff"] {
            assert_eq!(read(bad).unwrap_err().status, 400);
        }
    }
}
