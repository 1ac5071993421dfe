//! Percent triplets in one form (RFC 3986 6.2.2.1 and 6.2.2.2): hex digits in upper case, unreserved characters
//! decoded. WHATWG parsers, and so the `url` crate, leave both as they find them.

/// The text in its one form, or `None` where it has it already.
pub(super) fn normal(text: &str) -> Option<String> {
    let start = text.find('%')?;
    let mut out = String::with_capacity(text.len());
    let (before, mut rest) = text.split_at(start);
    out.push_str(before);
    let mut changed = false;
    // A bare `%` and what follows it must not become a triplet that was not there: `%%34%31` is not `%41`, nor `A`.
    let mut held = 0u8;
    while let Some(first) = rest.chars().next() {
        let Some((byte, triplet, after)) = triplet(rest) else {
            held = if first == '%' { 2 } else { held.saturating_sub(1) };
            out.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
            continue;
        };
        rest = after;
        if held == 0 && is_unreserved(byte) {
            out.push(char::from(byte));
            changed = true;
        } else {
            changed |= triplet.bytes().any(|digit| digit.is_ascii_lowercase());
            out.extend(triplet.chars().map(|digit| digit.to_ascii_uppercase()));
            held = 0;
        }
    }
    changed.then_some(out)
}

/// The triplet at the start of `text`: its byte, its text, what follows.
pub(super) fn triplet(text: &str) -> Option<(u8, &str, &str)> {
    let [b'%', high, low, ..] = text.as_bytes() else { return None };
    let byte = hex(*high)? << 4 | hex(*low)?;
    let (triplet, after) = text.split_at_checked(3)?;
    Some((byte, triplet, after))
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// RFC 3986 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn unreserved_is_decoded_and_the_rest_has_upper_case_digits() {
        for (given, wanted) in [
            ("/%7euser", Some("/~user")),
            ("/a%2fb", Some("/a%2Fb")),
            ("/%c3%a9", Some("/%C3%A9")),
            ("/%2541", None),
            ("/100%", None),
            ("/%zz", None),
            ("/plain", None),
            ("/%%34%31", Some("/%%341")),
            ("/%a%62", None),
            ("/%%41b%63", Some("/%%41bc")),
        ] {
            assert_eq!(normal(given).as_deref(), wanted, "{given}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_normal_form_is_its_own_normal_form(text in "[%0-9a-fA-F/~.x]{0,24}") {
            if let Some(once) = normal(&text) {
                assert_eq!(normal(&once), None, "{text} gave {once}");
            }
        }
    }
}
