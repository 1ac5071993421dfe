//! The routers: which routes stand on which listener.

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::{Extension, Router, middleware};

use super::writes::Access;
use super::{State, api, archive, events, guard, pages, probes, search, writes};
use crate::store::{FeedOrder, HookOrder};

/// Everything on one listener; writes ask for the admin token.
pub fn whole(state: &State) -> Router {
    finish(outward().merge(inward()), state, Access::Token)
}

/// What subscribers need, where there is a private listener: feeds and pages, no status, no API, no probes.
pub fn public(state: &State) -> Router {
    finish(outward(), state, Access::Token)
}

/// The rest, for the private listener; writes ask for the admin token.
pub fn private(state: &State) -> Router {
    finish(inward(), state, Access::Token)
}

/// The control socket: as the private listener, but the door is the check and no token is asked for.
pub fn control(state: &State) -> Router {
    finish(inward(), state, Access::Socket)
}

fn outward() -> Router<State> {
    Router::new()
        .route("/", get(pages::front))
        .route("/feeds", get(pages::feeds))
        .route("/feeds.opml", get(pages::opml))
        .route("/item/{item}", get(pages::item))
        .route("/{stream}/subscribe", get(pages::subscribe))
        .route("/{stream}/subscribe.opml", get(pages::subscribe_opml))
        .route("/{stream}/archive/{file}", get(archive::archive))
        .route("/search", get(search::page))
        .route("/search.atom", get(search::atom))
        .route("/search.rss", get(search::rss))
        .route("/search.json", get(search::json))
        .route("/events", get(events::events))
        .route("/static/style.css", get(pages::style))
        .route("/static/live.js", get(pages::script))
        .route("/static/icon.svg", get(pages::icon))
        .route("/favicon.ico", get(pages::icon))
        .route("/robots.txt", get(pages::robots))
        // axum has one parameter a segment: the handler splits at the last dot.
        .route("/{file}", get(pages::file))
}

fn inward() -> Router<State> {
    Router::new()
        .route("/status", get(pages::status))
        .route("/healthz", get(probes::healthz))
        .route("/readyz", get(probes::readyz))
        .route("/metrics", get(probes::metrics))
        .route("/api/v1/feeds", get(api::feeds))
        .route("/api/v1/items", get(api::items))
        .route("/api/v1/items/{item}", get(api::item))
        .route("/api/v1/explain", get(api::explain))
        .route("/api/v1/items/{item}/unmerge", post(writes::unmerge))
        .route("/api/v1/merges", get(api::merges))
        .route("/api/v1/matches", get(api::matches))
        .route("/api/v1/streams", get(api::streams))
        .route("/api/v1/fill", get(api::fill))
        .route("/api/v1/webhooks", get(api::webhooks))
        .route("/api/v1/deliveries", get(api::deliveries))
        .route("/api/v1/deliveries/{id}", get(api::delivery))
        .route("/api/v1/openapi.json", get(api::openapi))
        .route("/api/v1/poll", post(writes::poll_many))
        .route("/api/v1/feeds/{name}/poll", post(writes::poll_one))
        .route("/api/v1/feeds/{name}/pause", post(writes::order_feed).layer(Extension(FeedOrder::Pause)))
        .route("/api/v1/feeds/{name}/resume", post(writes::order_feed).layer(Extension(FeedOrder::Resume)))
        .route("/api/v1/webhooks/{name}/test", post(writes::test_webhook))
        .route("/api/v1/webhooks/{name}/pause", post(writes::order_webhook).layer(Extension(HookOrder::Pause)))
        .route("/api/v1/webhooks/{name}/resume", post(writes::order_webhook).layer(Extension(HookOrder::Resume)))
        .route("/api/v1/webhooks/{name}/drop", post(writes::order_webhook).layer(Extension(HookOrder::Drop)))
        .route("/api/v1/webhooks/{name}/replay", post(writes::replay))
        .route("/api/v1/reload", post(writes::reload))
        .route("/api/v1/log", post(writes::log_level))
}

fn finish(routes: Router<State>, state: &State, access: Access) -> Router {
    routes
        .fallback(pages::nothing)
        .layer(DefaultBodyLimit::max(guard::MAX_BODY_BYTES))
        .layer(Extension(access))
        .layer(middleware::from_fn_with_state((state.clone(), access), guard::guard))
        .with_state(state.clone())
}
