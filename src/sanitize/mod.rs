//! What may be published of other people's HTML, and the text of it.
//!
//! Never fetches and never trusts a list of what is dangerous: what is not on the list of what is allowed goes. Cleaning
//! is slow (some 25 MB/s) and done once, when an item is first published; the text is on the way of every item.
//!
//! Invariant: [`clean()`] gives no script, no handler, no style, no frame, no relative link, only characters of XML 1.0, and
//! not more than its limit; neither function panics, recurses or takes more than linear time.

mod allow;
mod clean;
mod cost;
mod media;
mod page;
mod refs;
mod scan;
mod shorten;
mod text;

pub use self::clean::{MAX_CLEAN_BYTES, MAX_HTML_BYTES, clean};
pub use self::media::media;
pub use self::page::{OwnAddress, own_address};
pub use self::shorten::{plain, shorten, units};
pub use self::text::text;

/// Version of the rules: clean HTML that an older version made is made again.
pub const VERSION: u32 = 1;
