//! Errors as programs read them: RFC 9457 problem documents. Browsers get the same as a page.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tracing::error;

use super::control::ControlError;
use crate::domain::trace::UnkeptShape;
use crate::publish::lists::{ListError, QueryError};
use crate::store::StoreError;

/// A problem document. The command line reads it from the control socket.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Problem {
    /// `about:blank`: the status says what sort it is (RFC 9457 4.2.1).
    #[serde(rename = "type")]
    pub kind: String,
    /// The sort of problem, a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong and the way out, in sentences.
    pub detail: String,
    /// All mistakes of a configuration that was refused, a text each.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub errors: Vec<String>,
    /// The place in a query that cannot be read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub query: Option<Box<QueryError>>,
    /// What was asked to be explained, and why it is not kept.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unkept: Option<Box<UnkeptShape>>,
}

impl Problem {
    /// With a status and a sentence; the title follows from the status.
    #[must_use]
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error").to_owned();
        let kind = "about:blank".to_owned();
        let (status, detail) = (status.as_u16(), detail.into());
        Self { kind, title, status, detail, errors: Vec::new(), query: None, unkept: None }
    }

    /// 404.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 404, for what is not kept.
    #[must_use]
    pub fn unkept(unkept: Box<UnkeptShape>) -> Self {
        let detail = unkept.reasons.join(" ");
        Self { unkept: Some(unkept), ..Self::not_found(detail) }
    }

    /// 400.
    #[must_use]
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.status(), body).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        // `guard` makes a page of it for a browser.
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        // Those who ask learn that it failed; what exactly is the operator's to know.
        error!(%error, "a request failed at the database");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "The database does not answer. Try again in a moment.")
    }
}

impl From<ListError> for Problem {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Asked(sentence) => Self::bad_request(sentence),
            ListError::Query(query) => {
                let detail = query.to_string();
                Self { query: Some(Box::new(query)), ..Self::bad_request(detail) }
            }
            ListError::Store(error) => error.into(),
        }
    }
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        let detail = error.to_string();
        match error {
            ControlError::UnknownFeed(_) | ControlError::UnknownWebhook(_) | ControlError::NotMerged(_) => {
                Self::not_found(detail)
            }
            ControlError::Asked(_) => Self::bad_request(detail),
            ControlError::Refused { errors } => Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail) },
            ControlError::Unreadable(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail),
            ControlError::Busy(_) | ControlError::Ambiguous(_) => Self::new(StatusCode::CONFLICT, detail),
            ControlError::Stopping => Self::new(StatusCode::SERVICE_UNAVAILABLE, detail),
            ControlError::Failed(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_configuration_lists_every_mistake() {
        let errors = vec!["a.toml:3: one".to_owned(), "a.toml:9: two".to_owned()];
        let problem = Problem::from(ControlError::Refused { errors: errors.clone() });
        assert_eq!((problem.status, &problem.errors), (422, &errors));
        let json = serde_json::to_string(&problem).unwrap();
        assert_eq!(serde_json::from_str::<Problem>(&json).unwrap(), problem);
    }

    #[test]
    fn the_cause_of_a_failed_database_is_not_told_to_those_who_ask() {
        let problem = Problem::from(StoreError::Failed("/var/lib/secret.db is locked".into()));
        assert_eq!(problem.status, 503);
        assert!(!problem.detail.contains("secret"));
    }

    #[test]
    fn a_wrong_query_shows_its_place() {
        let query = QueryError {
            message: "A bracket is not closed.".into(),
            start: 0,
            end: 1,
            hint: Some("Add `)`.".into()),
            marked: "(a\n^".into(),
        };
        let problem = Problem::from(ListError::Query(query.clone()));
        assert_eq!(problem.detail, "A bracket is not closed. Add `)`.\n(a\n^");
        assert_eq!((problem.status, problem.query), (400, Some(Box::new(query))));
    }
}
