//! What is shown to others: streams as feeds and pages, the state of things as JSON.
//!
//! [`render`] makes documents of items and is pure; [`serve`] answers HTTP. Between them, without HTTP, so
//! that the command line can print what the API answers: [`lists`] (feeds, streams, webhooks, deliveries),
//! [`items`] (what is stored, or what meets a query, which [`meet`] and `search` find), [`trace`] (the way of one story), [`merges`]
//! (stories that are one), [`mod@matches`] (a query tried before it goes live) and [`views`] (items made fit to be published). [`published`] is what of the configuration is
//! shown.
//!
//! Never polls, never calls a webhook, never reads the configuration: it is handed plain data, and what the
//! operator asks for goes through [`serve::control::Control`].
//!
//! Invariant: nothing that a publisher wrote leaves here but through `sanitize` and `render`.

pub mod cursor;
pub mod gate;
pub mod items;
pub mod lists;
pub mod matches;
pub mod meet;
pub mod merges;
pub mod published;
pub mod render;
mod search;
pub mod serve;
pub mod trace;
pub mod views;
