//! Names of parameters as they are compared: decoded, in lower case, without the `?` of a query that was appended to a query.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use super::parts::name;
use super::percent;

/// The longest name that is looked up, in bytes.
pub(super) const LONGEST_NAME: usize = 64;

/// A name as it is compared; on the stack, for it is made for each parameter of each URL.
pub(super) struct Folded {
    buffer: [u8; LONGEST_NAME],
    length: usize,
    whole: bool,
}

impl Folded {
    /// The name of a parameter.
    pub(super) fn of(param: &str) -> Self {
        let mut folded = Self { buffer: [0; LONGEST_NAME], length: 0, whole: true };
        let mut rest = name(param);
        // Almost every name is as it should be but for its letter case.
        if rest.len() <= LONGEST_NAME && !rest.bytes().any(|byte| matches!(byte, b'%' | b'?')) {
            for (place, byte) in folded.buffer.iter_mut().zip(rest.bytes()) {
                *place = byte.to_ascii_lowercase();
            }
            folded.length = rest.len();
            return folded;
        }
        while let Some(first) = rest.as_bytes().first() {
            let (byte, after) = match percent::triplet(rest) {
                Some((byte, _, after)) => (byte, after),
                // No known name is other than ASCII, so where the cut falls in a longer character does not matter.
                None => (*first, rest.get(1..).unwrap_or_default()),
            };
            rest = after;
            // `?a=1&?utm_source=x`: someone has appended a whole query.
            if folded.length == 0 && byte == b'?' {
                continue;
            }
            let Some(place) = folded.buffer.get_mut(folded.length) else {
                folded.whole = false;
                break;
            };
            *place = byte.to_ascii_lowercase();
            folded.length += 1;
        }
        folded
    }

    /// Its bytes; a name that is too long to be known is cut.
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }

    /// True if it is this name.
    pub(super) fn is(&self, name: &str) -> bool {
        self.whole && self.bytes() == name.as_bytes()
    }
}

/// Several look-ups are made for each URL. What is in these maps and sets is ours or the operator's, so nobody can fill them with
/// what collides, and a hash need not be keyed.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Quick(u64);

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let word = chunk.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
            self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }

    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }
}

/// A set of names and of beginnings of names.
#[derive(Clone, Default, Debug)]
pub(super) struct Names {
    exact: HashSet<Box<[u8]>, BuildHasherDefault<Quick>>,
    beginnings: Vec<Box<str>>,
    /// The first letters of the beginnings, a bit each: most names begin with none of them.
    letters: u128,
}

/// The bit of a first letter. Names are ASCII.
fn letter(byte: u8) -> u128 {
    1_u128.checked_shl(byte.into()).unwrap_or(0)
}

impl Names {
    /// Those of a list: each a name, or a beginning with `*` behind it. Letter case means nothing.
    pub(super) fn of(list: &[String]) -> Self {
        let mut names = Self::default();
        for name in list {
            names.add(&name.to_ascii_lowercase());
        }
        names
    }

    pub(super) fn add(&mut self, name: &str) {
        match name.strip_suffix('*') {
            None => drop(self.exact.insert(name.as_bytes().into())),
            Some(beginning) if self.beginnings.iter().any(|known| **known == *beginning) => {}
            Some(beginning) => {
                self.letters |= beginning.bytes().next().map_or(0, letter);
                self.beginnings.push(beginning.into());
            }
        }
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        let exact = self.exact.iter().map(|name| std::str::from_utf8(name).unwrap());
        exact.chain(self.beginnings.iter().map(|name| &**name))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.beginnings.is_empty()
    }

    #[cfg(test)]
    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.exact.contains(name)
    }

    /// True if the name is in it.
    pub(super) fn hold(&self, name: &Folded) -> bool {
        let bytes = name.bytes();
        let first = bytes.first().copied().map_or(0, letter);
        let begins = |known: &str| bytes.starts_with(known.as_bytes());
        (self.letters & first != 0 && self.beginnings.iter().any(|known| begins(known)))
            || (name.whole && self.exact.contains(bytes))
    }
}
