//! A filter in front of the tables of terms.

/// Tells cheaply that a word is certainly no term: bits under a quick hash. It may err on the other side only, and
/// then the table answers; so its hash needs no secret, while the table's has one.
#[derive(Debug, Default)]
pub(super) struct Filter {
    bits: Vec<u64>,
    /// Whether there is a prefix of 1, 2, 3, or 4 and more bytes.
    lengths: [bool; LONGEST + 1],
}

/// Bytes of a prefix that the filter looks at.
const LONGEST: usize = 4;

impl Filter {
    /// Of the keys of words and of prefixes.
    pub(super) fn new<'a>(words: &[u64], prefixes: impl ExactSizeIterator<Item = &'a Box<str>>) -> Self {
        let terms = words.len() + prefixes.len();
        if terms == 0 {
            return Self::default();
        }
        // Sixteen bits a term, so that one word in sixteen at most is looked up in vain.
        let mut filter = Self { bits: vec![0; (terms / 4).next_power_of_two().max(16)], lengths: [false; LONGEST + 1] };
        for word in words {
            filter.set(*word);
        }
        for prefix in prefixes {
            let bytes = prefix.as_bytes();
            let length = bytes.len().min(LONGEST);
            if let Some(known) = filter.lengths.get_mut(length) {
                *known = true;
            }
            filter.set(prefix_key(head(bytes), u32::try_from(length).unwrap_or(0)));
        }
        filter
    }

    /// Whether a word of this key may be a term.
    pub(super) fn may_be_word(&self, key: u64) -> bool {
        self.has(key)
    }

    pub(super) fn may_have_prefix(&self, word: &str) -> bool {
        let bytes = word.as_bytes();
        let head = bytes.first_chunk::<LONGEST>().map_or_else(|| head(bytes), |four| u32::from_be_bytes(*four));
        let lengths = self.lengths.iter().zip(0_u32..).skip(1).take(bytes.len());
        lengths.filter(|(known, _)| **known).any(|(_, length)| self.has(prefix_key(head, length)))
    }

    fn place(&self, key: u64) -> (usize, u64) {
        let mask = self.bits.len().wrapping_sub(1);
        (usize::try_from(key >> 32).unwrap_or(0) & mask, 1 << ((key >> 26) & 63))
    }

    fn set(&mut self, key: u64) {
        let (at, bit) = self.place(key);
        if let Some(bits) = self.bits.get_mut(at) {
            *bits |= bit;
        }
    }

    fn has(&self, key: u64) -> bool {
        let (at, bit) = self.place(key);
        self.bits.get(at).is_some_and(|bits| bits & bit != 0)
    }
}

const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// The words of one item, as a set that errs on one side: it may have a word that the item has not.
#[derive(Debug)]
pub(super) struct Present {
    bits: Vec<u64>,
}

impl Present {
    /// Room for so many words: 32 bits each, so that one query in thirty at most is looked at in vain.
    pub(super) fn new(words: usize) -> Self {
        Self { bits: vec![0; (words / 2).next_power_of_two().max(16)] }
    }

    pub(super) fn add(&mut self, key: u64) {
        let (at, bit) = self.place(need(key));
        if let Some(bits) = self.bits.get_mut(at) {
            *bits |= bit;
        }
    }

    /// Whether a word that a query needs may be there.
    pub(super) fn has(&self, need: u32) -> bool {
        let (at, bit) = self.place(need);
        self.bits.get(at).is_some_and(|bits| bits & bit != 0)
    }

    fn place(&self, need: u32) -> (usize, u64) {
        (usize::try_from(need >> 6).unwrap_or(0) & self.bits.len().wrapping_sub(1), 1 << (need & 63))
    }
}

/// What a query keeps of the key of a word that it needs.
pub(super) fn need(key: u64) -> u32 {
    u32::try_from(key >> 32).unwrap_or(0)
}

/// A quick hash of a folded word: of its first and last bytes, and the length.
pub(super) fn word_key(word: &str) -> u64 {
    let bytes = word.as_bytes();
    let (a, b) = if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last)) << 32)
    } else {
        let byte = |at: usize| u64::from(bytes.get(at).copied().unwrap_or(0));
        (byte(0) | byte(1) << 8 | byte(2) << 16, 0)
    };
    let length = u64::try_from(bytes.len()).unwrap_or(0);
    spread(a ^ b.rotate_left(23) ^ length.wrapping_mul(SPREAD))
}

/// The first four bytes, or as many as there are.
fn head(bytes: &[u8]) -> u32 {
    let mut four = [0; LONGEST];
    for (to, from) in four.iter_mut().zip(bytes) {
        *to = *from;
    }
    u32::from_be_bytes(four)
}

/// For the first 1 to 4 bytes of a head.
fn prefix_key(head: u32, length: u32) -> u64 {
    let bytes = head.checked_shr(32 - 8 * length).unwrap_or(0);
    spread(u64::from(bytes) | u64::from(length) << 40)
}

fn spread(key: u64) -> u64 {
    let mixed = key.wrapping_mul(SPREAD);
    (mixed ^ (mixed >> 29)).wrapping_mul(SPREAD)
}
