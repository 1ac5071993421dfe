//! The database's own keyed hash: nobody outside can make two texts meet.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;
use siphasher::sip128::{Hasher128 as _, SipHasher13 as SipHasher128};

/// SipHash with this database's key.
#[derive(Clone, Copy)]
pub(super) struct Hasher {
    key: [u8; 16],
}

impl Hasher {
    pub(super) fn new(key: [u8; 16]) -> Self {
        Self { key }
    }

    /// 64 bits, for places where the text is compared on a hit.
    pub(super) fn short(self, parts: &[&[u8]]) -> i64 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        for part in parts {
            hasher.write_usize(part.len());
            hasher.write(part);
        }
        i64::from_ne_bytes(hasher.finish().to_ne_bytes())
    }

    /// 128 bits, for places where nothing stands behind the hash.
    pub(super) fn long(self, text: &str) -> [u8; 16] {
        self.long_of(text.as_bytes())
    }

    /// The same of bytes.
    pub(super) fn long_of(self, bytes: &[u8]) -> [u8; 16] {
        let mut hasher = SipHasher128::new_with_key(&self.key);
        hasher.write(bytes);
        hasher.finish128().as_bytes()
    }
}
