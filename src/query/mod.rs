//! The one language of streams, rules and searches: syntax, folding and splitting, and the word index that
//! finds which of many queries an item meets.
//!
//! A query goes `grammar` (with `atom`) → [`syntax::Query`] → [`compile::Index`]; an item goes [`text`] →
//! [`scan::Folded`]; [`scan`] brings them together with `evaluate`, and [`explain`] says why or why not. `narrow` says
//! what an index of stored words can look for.
//!
//! Never reads HTML (text comes in), a clock or the store.
//!
//! Invariant: one function folds and splits text, on queries and on items alike, so the two cannot disagree.

mod atom;
pub mod compile;
mod evaluate;
pub mod explain;
mod filter;
mod grammar;
mod narrow;
mod prefixes;
pub mod scan;
mod script;
mod snippet;
pub mod syntax;
mod term;
pub mod text;
mod words;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod reference;
