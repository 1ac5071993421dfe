//! What every request and every answer passes: limits before, security headers after, and a count.

use std::time::{Duration, Instant};

use axum::extract::{Request, State as Extract};
use axum::http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST,
    REFERRER_POLICY, RETRY_AFTER, TRANSFER_ENCODING, USER_AGENT, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::writes::Access;
use super::{State, conditional, feeds, pages, visitor};
use crate::ops::health::Part;

/// Longest path and query, in bytes: more is answered with 414.
pub(crate) const MAX_URL_BYTES: usize = 8 * 1024;
/// Longest body of a request, in bytes: more is answered with 413.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;
/// For making the answer to a read.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// For a write: polling every feed takes its time.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Pages run our one script, which listens to us alone, load our style and pictures from anywhere, send forms to us, and
/// stand in no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; \
                      img-src http: https:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Refuses what is too large or unclear, cuts what takes too long, and finishes every answer.
pub(crate) async fn guard(
    Extract((state, access)): Extract<(State, Access)>,
    request: Request,
    next: Next,
) -> Response {
    let route = class(request.method(), request.uri().path());
    let for_people =
        !matches!(route, "api" | "write" | "probe" | "metrics") && conditional::accepts_html(request.headers());
    let limit = if route == "write" { WRITE_TIMEOUT } else { READ_TIMEOUT };
    let refused = refusal(&request).map(|problem| and_close(problem.into_response()));
    let refused = refused.or_else(|| (access == Access::Token).then(|| turned_away(&state, &request)).flatten());
    let answered = match refused {
        Some(response) => Ok(response),
        None => tokio::time::timeout(limit, run(&state, request, next)).await,
    };
    let mut response = answered.unwrap_or_else(|_| {
        let sentence = "It took too long to make the answer. Try again in a moment.";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, sentence).into_response()
    });
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        response = wrong_method(&response);
    }
    if let Some(problem) = response.extensions_mut().remove::<Problem>()
        && for_people
    {
        as_page(&state, &problem, &mut response);
    }
    finish(response.headers_mut());
    let parts = state.parts();
    parts.metrics.request(route, response.status().as_u16());
    parts.progress.mark(Part::Http, Instant::now());
    response
}

/// Answers, and notes who showed a wrong token.
async fn run(state: &State, request: Request, next: Next) -> Response {
    let client = {
        let published = state.parts().live.get().published;
        visitor::client(&published.gate, request.extensions(), request.headers())
    };
    let shown = request.headers().contains_key(AUTHORIZATION);
    let reader = reader(&request);
    let response = next.run(request).await;
    if let Some((file, agent)) = reader
        && matches!(response.status(), StatusCode::OK | StatusCode::NOT_MODIFIED)
        && let Some(feed) = feeds::split(&file)
        && state.parts().live.get().published.stream(feed.0).is_some()
    {
        state.parts().readers.note(feed, client, &agent, state.parts().clock.now());
    }
    if shown && response.status() == StatusCode::UNAUTHORIZED {
        state.0.wrong.note(client, Instant::now());
    }
    response
}

/// The feed that a reader follows and what reads it: not one who looks at it, nor at older pages of it.
fn reader(request: &Request) -> Option<(String, String)> {
    let (uri, headers) = (request.uri(), request.headers());
    let older = uri.query().is_some_and(|query| query.split('&').any(|pair| pair.starts_with("before=")));
    let file = uri.path().strip_prefix('/').filter(|file| !file.contains('/'))?;
    if request.method() != Method::GET || older || conditional::is_navigation(headers) {
        return None;
    }
    feeds::split(file)?;
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Some((file.to_owned(), agent.to_owned()))
}

/// Whom the gate does not let in: under a name that is not ours, after too many wrong tokens, without the token.
fn turned_away(state: &State, request: &Request) -> Option<Response> {
    let published = state.parts().live.get().published;
    let (gate, headers) = (&published.gate, request.headers());
    // RFC 9112 3.2.2: the host of an absolute address counts more than the header. HTTP/1.0 may have neither; no
    // browser speaks it.
    let host = request.uri().host().or_else(|| headers.get(HOST)?.to_str().ok());
    if headers.contains_key(HOST) && !host.is_some_and(|host| gate.knows(host)) {
        let sentence = "This server does not answer to that name. The operator can add it to [server] hosts.";
        return Some(bare(StatusCode::MISDIRECTED_REQUEST, sentence));
    }
    let client = visitor::client(gate, request.extensions(), headers);
    let shown = headers.contains_key(AUTHORIZATION);
    if let Some(wait) = state.0.wrong.wait(client, Instant::now()).filter(|_| shown) {
        let seconds = wait.as_secs().max(1);
        let sentence = format!("Too many wrong tokens came from your address. Try again in {seconds} s.");
        let mut response = bare(StatusCode::TOO_MANY_REQUESTS, sentence);
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
        return Some(response);
    }
    // Probes say that it lives, and nothing else.
    let open = matches!(request.uri().path(), "/healthz" | "/readyz");
    if open || gate.admits(visitor::token(headers).as_deref(), published.admin.as_ref()) {
        return None;
    }
    if shown {
        state.0.wrong.note(client, Instant::now());
    }
    let sentence = "This server is private: give [server] read_token as the password, with any user name.";
    let mut response = bare(StatusCode::UNAUTHORIZED, sentence);
    let ask = HeaderValue::from_static("Basic realm=\"feedmill\", charset=\"UTF-8\"");
    response.headers_mut().insert(WWW_AUTHENTICATE, ask);
    Some(response)
}

/// A problem document for browsers too: the page would list the streams.
fn bare(status: StatusCode, sentence: impl Into<String>) -> Response {
    let mut response = Problem::new(status, sentence).into_response();
    response.extensions_mut().remove::<Problem>();
    response
}

fn refusal(request: &Request) -> Option<Problem> {
    let headers = request.headers();
    if request.uri().path_and_query().is_some_and(|url| url.as_str().len() > MAX_URL_BYTES) {
        let sentence = format!("The address is longer than {MAX_URL_BYTES} bytes.");
        return Some(Problem::new(StatusCode::URI_TOO_LONG, sentence));
    }
    // RFC 9112 3.2: none or more than one Host must be answered with 400.
    if request.version() == Version::HTTP_11 && headers.get_all(HOST).iter().count() != 1 {
        return Some(Problem::bad_request("A request of HTTP/1.1 has exactly one Host header."));
    }
    // A message with both Transfer-Encoding and Content-Length may be two requests to one of two servers in a row
    // (RFC 9112 6.1, 11.2), and hyper does not show that both were there. No route here needs a body of unknown length.
    if headers.contains_key(TRANSFER_ENCODING) {
        let sentence = "Send the body with Content-Length and without Transfer-Encoding.";
        return Some(Problem::new(StatusCode::LENGTH_REQUIRED, sentence));
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > MAX_BODY_BYTES)) {
        let sentence = format!("The body is longer than {MAX_BODY_BYTES} bytes.");
        return Some(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, sentence));
    }
    None
}

/// What follows a request that was refused unread may be anything but a request.
fn and_close(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn wrong_method(answer: &Response) -> Response {
    let allow = answer.headers().get(ALLOW).cloned();
    let named = allow.as_ref().and_then(|allow| allow.to_str().ok()).unwrap_or("other methods");
    let sentence = format!("This address answers to {named}.");
    let mut response = Problem::new(StatusCode::METHOD_NOT_ALLOWED, sentence).into_response();
    if let Some(allow) = allow {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

fn as_page(state: &State, problem: &Problem, response: &mut Response) {
    *response.body_mut() = pages::error(state, problem).into();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(pages::HTML));
    response.headers_mut().remove(CONTENT_LENGTH);
}

fn finish(headers: &mut HeaderMap) {
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// The kind of route, for counting: a closed set, however many paths are tried.
fn class(method: &Method, path: &str) -> &'static str {
    match path {
        "/healthz" | "/readyz" => "probe",
        "/metrics" => "metrics",
        _ if path.starts_with("/api/") && method == Method::POST => "write",
        _ if path.starts_with("/api/") => "api",
        _ if path.starts_with("/static/") => "static",
        _ if [".atom", ".rss", ".json", ".opml"].iter().any(|end| path.ends_with(end)) => "feed",
        _ => "page",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn refused(request: axum::http::request::Builder) -> Option<u16> {
        refusal(&request.body(Body::empty()).unwrap()).map(|problem| problem.status)
    }

    #[test]
    fn what_is_too_large_or_unclear_is_refused() {
        let request = || Request::builder().header(HOST, "x");
        assert_eq!(refused(request().uri("/all.atom?before=1-2")), None);
        assert_eq!(refused(request().uri(format!("/?{}", "a".repeat(MAX_URL_BYTES)))), Some(414));
        assert_eq!(refused(Request::builder().uri("/")), Some(400));
        assert_eq!(refused(request().header(HOST, "y")), Some(400));
        assert_eq!(refused(Request::builder().version(Version::HTTP_10)), None);
        assert_eq!(refused(request().header(TRANSFER_ENCODING, "chunked")), Some(411));
        assert_eq!(refused(request().header(CONTENT_LENGTH, "65536")), None);
        assert_eq!(refused(request().header(CONTENT_LENGTH, "65537")), Some(413));
        assert_eq!(refused(request().header(CONTENT_LENGTH, u64::MAX.to_string())), Some(413));
    }

    #[test]
    fn any_path_falls_into_one_of_a_few_kinds() {
        for (method, path, kind) in [
            (Method::GET, "/", "page"),
            (Method::GET, "/all.atom", "feed"),
            (Method::HEAD, "/x.json", "feed"),
            (Method::GET, "/api/v1/feeds", "api"),
            (Method::POST, "/api/v1/reload", "write"),
            (Method::POST, "/", "page"),
            (Method::GET, "/readyz", "probe"),
            (Method::GET, "/metrics", "metrics"),
            (Method::GET, "/static/style.css", "static"),
            (Method::GET, "/../../etc/passwd", "page"),
        ] {
            assert_eq!(class(&method, path), kind, "{path}");
        }
    }
}
