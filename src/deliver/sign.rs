//! The signature of a call: Standard Webhooks 1.0.0, "Signature scheme", symmetric (`v1`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The header that names a call.
pub const ID: &str = "webhook-id";
/// The header that says when this attempt was made.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The header that holds the signatures.
pub const SIGNATURE: &str = "webhook-signature";

/// The value of `webhook-signature`: one signature a secret, separated by spaces, so that a receiver that knows
/// the old or the new secret accepts the call while the secret is being replaced. Empty without a secret.
///
/// `timestamp` is in whole seconds since the epoch.
#[must_use]
pub fn signature(secrets: &[Vec<u8>], id: &str, timestamp: i64, body: &[u8]) -> String {
    // HMAC takes keys of every length (RFC 2104 2), so nothing is filtered out here.
    let signed = secrets.iter().filter_map(|secret| sign(secret, id, timestamp, body));
    signed.collect::<Vec<_>>().join(" ")
}

fn sign(secret: &[u8], id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use standardwebhooks::Webhook;

    #[test]
    fn the_published_example_is_signed_as_published() {
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = signature(&[secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn without_a_secret_there_is_no_signature() {
        assert_eq!(signature(&[], "msg_1", 0, b"{}"), "");
    }

    proptest! {
        #[test]
        fn the_reference_library_signs_alike(
            secrets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 1..4),
            id in "msg_[a-z2-7]{0,40}",
            timestamp in any::<i64>(),
            body in ".{0,200}",
        ) {
            let theirs: Vec<String> = secrets
                .iter()
                .map(|s| Webhook::from_bytes(s.clone()).unwrap().sign(&id, timestamp, body.as_bytes()).unwrap())
                .collect();
            prop_assert_eq!(signature(&secrets, &id, timestamp, body.as_bytes()), theirs.join(" "));
        }
    }
}
