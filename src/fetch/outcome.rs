//! How a request ended. What is to be expected (304, 410, a failure) is a value, not an error.

use std::time::Duration;

use bytes::Bytes;
use url::Url;

use crate::domain::feed::{PollError, Validators};

/// How a request ended.
#[allow(clippy::large_enum_variant, reason = "one is made a poll, and taken apart at once")]
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// 304.
    NotModified {
        /// Other validators than were sent: the fields of the 304 put in place of the old ones (RFC 9111 3.2). `None`: it brought
        /// none, or the same, as most do.
        validators: Option<Validators>,
        /// For how long it is fresh.
        fresh_for: Option<Duration>,
        /// The leading permanent redirects, as in [`Answer::moved`]: its validators show that there is a feed.
        moved: Option<(u16, Url)>,
    },
    /// A whole body.
    Body(Answer),
    /// 410, from the URL or from where it moved permanently.
    Gone(PollError),
    /// Anything else.
    Failed {
        /// Why.
        error: PollError,
        /// `Retry-After` of a 429 or 503, as a span from now; never zero.
        retry_after: Option<Duration>,
    },
}

/// A whole body that came with a 2xx.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// Decoded. It counts against the memory of all bodies until the last clone is dropped.
    pub body: Bytes,
    /// `Content-Type` as given.
    pub content_type: Option<String>,
    /// `Content-Location` resolved, else the URL that answered: what relative links hang on.
    pub base: Url,
    /// What to recognise it by; `None`: nothing was given.
    pub validators: Option<Validators>,
    /// For how long it is fresh.
    pub fresh_for: Option<Duration>,
    /// The leading permanent redirects (301, 308), if there were any: the first status, and where they led.
    pub moved: Option<(u16, Url)>,
}
