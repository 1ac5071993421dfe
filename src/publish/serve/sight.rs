//! How much who asks may see: what anybody may, or private feeds and their stories, too.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::writes::Access;
use super::{State, visitor};
use crate::store::Store;

/// The store as who asks may see it: whole over the control socket and with the admin token.
pub(crate) struct Sight(pub(crate) Arc<dyn Store>);

impl Sight {
    pub(crate) fn store(&self) -> &dyn Store {
        &*self.0
    }
}

impl FromRequestParts<State> for Sight {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Infallible> {
        let whole = parts.extensions.get() == Some(&Access::Socket) || is_admin(parts, state);
        Ok(Self(Arc::clone(if whole { &state.parts().store } else { &state.0.public })))
    }
}

/// Whether the admin token came along. One that is wrong is noted, for this is a door like any other.
fn is_admin(parts: &Parts, state: &State) -> bool {
    let published = state.parts().live.get().published;
    // Behind a read token the gate has looked at it. Without one, a password is a proxy's in front of us, and not for us.
    let gated = published.gate.read.is_some();
    let offered = visitor::token(&parts.headers).filter(|_| gated || is_bearer(&parts.headers));
    let (Some(admin), Some(offered)) = (&published.admin, offered) else { return false };
    let admitted = admin.admits(&offered);
    if !admitted && !gated {
        let client = visitor::client(&published.gate, &parts.extensions, &parts.headers);
        state.0.wrong.note(client, Instant::now());
    }
    admitted
}

fn is_bearer(headers: &HeaderMap) -> bool {
    let value = headers.get(axum::http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    value.and_then(|value| value.split_once(' ')).is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
}
