//! Looks at a captured request as a receiver would, and says what is wrong with its signature. Pure.

use std::time::Duration;

use super::sign;
use crate::domain::time::Timestamp;

/// Receivers refuse what is older or newer than this (Standard Webhooks 1.0.0, "Verifying webhook authenticity").
const TOLERANCE: Duration = Duration::from_secs(300);

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Findings {
    /// A secret signed this very request.
    pub good: bool,
    /// What is wrong, or worth knowing: a sentence each.
    pub notes: Vec<String>,
}

/// Checks a request (headers, an empty line, the body; a request line may stand before them) against secrets: the
/// decoded bytes of each.
#[must_use]
pub fn verify(request: &[u8], secrets: &[Vec<u8>], now: Timestamp) -> Findings {
    let (headers, body) = split(request);
    let mut notes = Vec::new();
    let mut header = |name: &str| {
        let values: Vec<&str> = headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| *v).collect();
        if let [value] = values.as_slice() {
            return Some(*value);
        }
        notes.push(if values.is_empty() {
            format!("The header `{name}` is missing: did something between sender and receiver drop it?")
        } else {
            format!("The header `{name}` is there {} times.", values.len())
        });
        None
    };
    let (id, timestamp, signature) = (header(sign::ID), header(sign::TIMESTAMP), header(sign::SIGNATURE));
    let (Some(id), Some(timestamp), Some(signature)) = (id, timestamp, signature) else {
        return Findings { good: false, notes };
    };
    let Ok(seconds) = timestamp.parse::<i64>() else {
        notes.push(format!("`{}` is no whole number of seconds.", sign::TIMESTAMP));
        return Findings { good: false, notes };
    };
    let offered = tokens(signature, &mut notes);
    let signed_by = |secret: &Vec<u8>, id: &str, body: &[u8]| {
        offered.iter().any(|token| *token == sign::signature(std::slice::from_ref(secret), id, seconds, body))
    };
    let good = secrets.iter().position(|secret| signed_by(secret, id, body));
    let any = |id: &str, body: &[u8]| secrets.iter().any(|secret| signed_by(secret, id, body));
    match good {
        Some(0) => {}
        Some(n) => notes.push(format!("It is signed with secret {} of the webhook, not with the newest.", n + 1)),
        None if offered.is_empty() => {}
        None => notes.push(diagnosis(id, body, &any)),
    }
    let at = Timestamp::from_secs(seconds);
    let (age, ahead) = (now.since(at), at.since(now));
    if age > TOLERANCE {
        notes.push(format!(
            "It was signed {} s ago: a receiver that allows five minutes refuses it now. Each attempt has a new time.",
            age.as_secs()
        ));
    } else if ahead > TOLERANCE {
        notes.push(format!("It was signed {} s ahead of this machine's clock: is one of them wrong?", ahead.as_secs()));
    }
    Findings { good: good.is_some(), notes }
}

/// The `v1` signatures; what else stands there is noted.
fn tokens<'a>(signature: &'a str, notes: &mut Vec<String>) -> Vec<&'a str> {
    let mut found = Vec::new();
    for token in signature.split_whitespace() {
        match token.split_once(',') {
            Some(("v1", _)) => found.push(token),
            Some((version, _)) => notes.push(format!("A signature of version `{}` is not looked at.", shown(version))),
            None => notes.push(format!(
                "`{}` has no signature of the form v1,<base64>: signatures are separated by spaces, version and value by a comma.",
                sign::SIGNATURE
            )),
        }
    }
    if found.is_empty() && notes.is_empty() {
        notes.push(format!("`{}` is empty.", sign::SIGNATURE));
    }
    found
}

fn shown(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(20).collect()
}

/// Why no secret fits: the usual ways in which a request is changed between being signed and being looked at.
fn diagnosis(id: &str, body: &[u8], any: &dyn Fn(&str, &[u8]) -> bool) -> String {
    let text = String::from_utf8_lossy(body);
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let compact = json.as_ref().and_then(|json| serde_json::to_vec(json).ok());
    let tried: [(&str, Option<Vec<u8>>); 5] = [
        ("a line end was added behind it", Some(text.trim_end_matches(['\r', '\n']).as_bytes().to_vec())),
        ("a line end behind it was taken away", Some([body, b"\n"].concat())),
        ("its line ends were changed", Some(text.replace("\r\n", "\n").into_bytes())),
        ("it was decoded and written again", compact),
        ("it is empty here", Some(Vec::new())),
    ];
    for (what, changed) in tried {
        if changed.is_some_and(|changed| changed != body && any(id, &changed)) {
            return format!(
                "The body is not the one that was signed: {what}. Check the raw bytes, before any parsing."
            );
        }
    }
    if id.trim() != id && any(id.trim(), body) {
        return format!("`{}` has spaces around it that were not signed.", sign::ID);
    }
    "No secret fits: either it is another secret, or id, time or body were changed. The secret is whsec_ and base64; the \
     key is what the base64 stands for, not the text."
        .to_owned()
}

/// Headers and body. A head may end its lines either way.
fn split(request: &[u8]) -> (Vec<(&str, &str)>, &[u8]) {
    let end = |needle: &[u8]| request.windows(needle.len()).position(|at| at == needle).map(|at| (at, needle.len()));
    let cut = [end(b"\r\n\r\n"), end(b"\n\n")].into_iter().flatten().min();
    let (head, body) = match cut {
        Some((at, length)) => (request.get(..at).unwrap_or_default(), request.get(at + length..).unwrap_or_default()),
        None => (request, &[][..]),
    };
    let head = std::str::from_utf8(head).unwrap_or_default();
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    (fields.map(|(name, value)| (name.trim(), value.trim_start_matches(' ').trim_end_matches('\r'))).collect(), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"a secret of twenty-four b";
    const BODY: &str = "{\"type\": \"item.new\"}";

    fn captured(body: &str, signed: &str, secret: &[u8]) -> Vec<u8> {
        let signature = sign::signature(&[secret.to_vec()], "msg_a", 1_700_000_000, signed.as_bytes());
        format!(
            "POST /desk HTTP/1.1\r\nHost: x\r\nWebhook-Id: msg_a\r\nwebhook-timestamp: 1700000000\r\n\
             webhook-signature: v1a,xyz {signature}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    fn look(request: &[u8], seconds: i64) -> Findings {
        verify(request, &[b"the new secret of the hook".to_vec(), KEY.to_vec()], Timestamp::from_secs(seconds))
    }

    fn notes(request: &[u8]) -> String {
        let found = look(request, 1_700_000_010);
        assert!(!found.good, "{found:?}");
        found.notes.join(" ")
    }

    #[test]
    fn what_was_signed_is_found_to_be_whatever_secret_and_line_ends() {
        let request = captured(BODY, BODY, KEY);
        let found = look(&request, 1_700_000_010);
        assert!(found.good && found.notes.join(" ").contains("secret 2 of the webhook"), "{found:?}");
        let text = String::from_utf8(request).unwrap();
        assert!(look(text.replace("\r\n", "\n").as_bytes(), 1_700_000_010).good);
        let (_, bare) = text.split_once("\r\n").unwrap();
        assert!(look(bare.as_bytes(), 1_700_000_010).good, "without a request line");
        let late = look(text.as_bytes(), 1_700_000_301);
        assert!(late.good && late.notes.iter().any(|note| note.contains("301 s ago")), "{late:?}");
        let early = look(text.as_bytes(), 1_699_999_000);
        assert!(early.notes.iter().any(|note| note.contains("1000 s ahead")), "{early:?}");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (body, cause) in [
            ("{\"type\": \"item.new\"}\n", "a line end was added"),
            ("{\"type\": \"item.old\"}", "No secret fits"),
            ("", "No secret fits"),
        ] {
            let said = notes(&captured(body, BODY, KEY));
            assert!(said.contains(cause), "{body:?}: {said}");
        }
        let compact = "{\"type\":\"item.new\"}";
        assert!(notes(&captured(BODY, compact, KEY)).contains("decoded and written again"));
        assert!(notes(&captured(BODY, &format!("{BODY}\n"), KEY)).contains("was taken away"));
        assert!(notes(&captured("a\r\nb", "a\nb", KEY)).contains("line ends were changed"));
        assert!(notes(&captured(BODY, "", KEY)).contains("it is empty here"));
        assert!(notes(&captured(BODY, BODY, b"somebody else's secret....")).contains("No secret fits"));
    }

    #[test]
    fn headers_that_are_missing_double_or_malformed_are_named() {
        let text = String::from_utf8(captured(BODY, BODY, KEY)).unwrap();
        for (from, to, cause) in [
            ("Webhook-Id: msg_a\r\n", "", "`webhook-id` is missing"),
            ("Host: x", "webhook-id: other", "`webhook-id` is there 2 times"),
            ("1700000000", "2023-11-14T22:13:20Z", "no whole number"),
            ("v1a,xyz v1,", "sha256=", "of the form v1,<base64>"),
        ] {
            let said = notes(text.replace(from, to).as_bytes());
            assert!(said.contains(cause), "{cause}: {said}");
        }
        assert!(notes(b"").contains("is missing") && notes(b"\xff\xfe\r\n\r\n").contains("is missing"));
    }
}
