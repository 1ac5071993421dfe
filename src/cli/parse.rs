//! `feedmill parse`: what Feedmill reads out of a feed.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use url::Url;

use super::reach::Place;
use super::{Failure, out};
use crate::domain::address::Address;
use crate::domain::time::{Clock as _, SystemClock};
use crate::fetch::client::{Ask, Fetcher};
use crate::fetch::guard::Guard;
use crate::fetch::outcome::Outcome;
use crate::parse;

/// A document that is read here may be as large as this.
const MAX_BYTES: u64 = 20_000_000;

#[derive(Args, Debug)]
pub(super) struct Options {
    /// A file, an http(s) URL, or - for standard input
    #[arg(value_name = "FILE|URL|-")]
    what: String,
    /// The Content-Type that it came with
    #[arg(long, value_name = "T")]
    content_type: Option<String>,
    /// What relative links hang on
    #[arg(long, value_name = "URL")]
    base: Option<Url>,
    /// Print JSON (this command prints nothing else; the option is there for symmetry)
    #[arg(long)]
    json: bool,
}

struct Document {
    bytes: Vec<u8>,
    content_type: Option<String>,
    base: Option<Url>,
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    let document = if options.what.starts_with("http://") || options.what.starts_with("https://") {
        fetch(&options.what, place)?
    } else {
        Document { bytes: read(&options.what)?, content_type: None, base: None }
    };
    let content_type = options.content_type.as_deref().or(document.content_type.as_deref());
    let base = options.base.as_ref().or(document.base.as_ref());
    let parsed = parse::parse(&document.bytes, content_type, base);
    out::json(&parse::shape(&parsed))?;
    parsed.map(|_| ()).map_err(|e| Failure::new(e.message))
}

/// The bytes of a file, or of standard input for `-`; at most 20 MB.
pub(super) fn read(what: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let said = |e: std::io::Error| Failure::new(format!("{what} cannot be read: {e}."));
    if what == "-" {
        std::io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(said)?;
    } else {
        std::fs::File::open(what).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(said)?;
    }
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_BYTES {
        return Err(Failure::new(format!("{what} is larger than {} MB.", MAX_BYTES / 1_000_000)));
    }
    Ok(bytes)
}

fn fetch(what: &str, place: &Place) -> Result<Document, Failure> {
    let url = Url::parse(what).map_err(|e| Failure::new(format!("{what} is no URL: {e}.")))?;
    let url = Address::from(url);
    // The configuration says which private networks may be asked and who we are; without one, none and nobody.
    let poll = place.settings().ok().map(|settings| settings.poll.clone());
    let (allow, contact, reach) = poll.map(|poll| (poll.allow_networks, poll.contact, poll.reach)).unwrap_or_default();
    let fetcher = Fetcher::new(&Guard::new(allow), contact.as_deref(), MAX_BYTES).map_err(Failure::new)?.through(reach);
    let ask = Ask {
        url: url.clone(),
        validators: None,
        timeout: Duration::from_secs(30),
        max_body_bytes: MAX_BYTES,
        user_agent: None,
        private_headers: Vec::new(),
        private_origin: url,
        reach: Arc::clone(fetcher.reach()),
    };
    match place.block_on(async { Ok(fetcher.fetch(&ask, SystemClock.now()).await) })? {
        Outcome::Body(answer) => {
            Ok(Document { bytes: answer.body.to_vec(), content_type: answer.content_type, base: Some(answer.base) })
        }
        Outcome::Gone(error) | Outcome::Failed { error, .. } => Err(Failure::new(error.message)),
        Outcome::NotModified { .. } => Err(Failure::new("the server answered 304 to an unconditional request.")),
    }
}
