//! `feedmill webhooks verify`: what is wrong with the signature of a captured request.

use std::io::Read as _;
use std::path::Path;

use super::{Failure, Place, out, unknown};
use crate::deliver::verify;
use crate::domain::shape::VerifyShape;
use crate::domain::time::{Clock as _, SystemClock};

/// Of a captured request.
const MAX_REQUEST_BYTES: u64 = 64 << 20;

pub(super) fn run(file: Option<&Path>, webhook: Option<&str>, json: bool, place: &Place) -> Result<(), Failure> {
    let hooks = &place.settings()?.webhooks;
    let meant: Vec<_> = hooks.iter().filter(|hook| webhook.is_none_or(|name| hook.name.as_str() == name)).collect();
    if let (Some(name), true) = (webhook, meant.is_empty()) {
        return Err(unknown(name));
    }
    let mut request = Vec::new();
    let read = match file {
        Some(path) => std::fs::File::open(path).and_then(|file| file.take(MAX_REQUEST_BYTES).read_to_end(&mut request)),
        None => std::io::stdin().lock().take(MAX_REQUEST_BYTES).read_to_end(&mut request),
    };
    read.map_err(|e| Failure::new(format!("the request cannot be read: {e}.")))?;
    let now = SystemClock.now();
    let mut found = VerifyShape { ok: false, webhook: None, notes: Vec::new() };
    for hook in meant {
        let secrets: Vec<Vec<u8>> = hook.secrets.iter().map(|secret| secret.0.clone()).collect();
        let findings = verify::verify(&request, &secrets, now);
        let name = findings.good.then(|| hook.name.to_string());
        found = VerifyShape { ok: findings.good, webhook: name, notes: findings.notes };
        if found.ok {
            break;
        }
    }
    if json {
        out::json(&found)?;
    }
    match &found.webhook {
        Some(_) if json => Ok(()),
        Some(name) => {
            for note in &found.notes {
                out::line(&out::printable(note))?;
            }
            out::line(&format!("the signature is right: {name} was called with this"))
        }
        None => Err(Failure::new(format!("the signature is wrong. {}", out::printable(&found.notes.join(" "))))),
    }
}
