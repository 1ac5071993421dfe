//! What is the same story: the canonical key of a link ([`canonical`], its rules as data in `table/`), entries made
//! ready for the commit ([`prepare`]), what a feed's guids and links have shown to be worth (`habits`), and the
//! decision about each entry ([`decide`]).
//!
//! Never fetches a key, never reads a clock, never looks at the store: what is known is an argument.
//!
//! Invariant: precision first. A rule merges only what a named list covers; whatever is unknown stays in the
//! key, for a false merge loses an article.

pub use self::habits::is_front_page;

#[cfg(test)]
#[path = "adversary/tests.rs"]
mod adversary;
pub mod canonical;
mod clearurls;
pub mod decide;
mod habits;
mod markers;
mod names;
pub mod own;
mod params;
mod parts;
mod percent;
pub mod prepare;
mod rules;
mod site;
mod table;
#[cfg(test)]
mod tests;
mod unwrap;
