//! Words by a quick hash, and sets of them that may err on one side.

/// A set of keys, two bits of one word for each: it may have one that it was not given. So its hash needs no secret: what is
/// found by it is looked at again.
#[derive(Debug, Default)]
pub(super) struct Bits {
    bits: Vec<u64>,
}

impl Bits {
    /// Room for so many keys: 16 to 32 bits each, so that of others one in seventy at most is there.
    pub(super) fn new(keys: usize) -> Self {
        let words = if keys == 0 { 0 } else { (keys / 4).next_power_of_two().max(16) };
        Self { bits: vec![0; words] }
    }

    pub(super) fn add(&mut self, key: u32) {
        let (at, two) = self.place(key);
        if let Some(bits) = self.bits.get_mut(at) {
            *bits |= two;
        }
    }

    pub(super) fn has(&self, key: u32) -> bool {
        let (at, two) = self.place(key);
        self.bits.get(at).is_some_and(|bits| bits & two == two)
    }

    fn place(&self, key: u32) -> (usize, u64) {
        let at = usize::try_from(key >> 12).unwrap_or(0) & self.bits.len().wrapping_sub(1);
        (at, 1 << (key & 63) | 1 << (key >> 6 & 63))
    }
}

/// Tells cheaply that a word certainly begins with no prefix of a table, by the first `BYTES` of both.
#[derive(Debug, Default)]
pub(super) struct Heads<const BYTES: usize> {
    bits: Bits,
    /// The lengths of prefixes, in bytes; `BYTES` is for all that are longer, too.
    lengths: Vec<usize>,
}

impl<const BYTES: usize> Heads<BYTES> {
    pub(super) fn new<'a>(prefixes: impl ExactSizeIterator<Item = &'a Box<str>>) -> Self {
        let mut heads = Self { bits: Bits::new(prefixes.len()), lengths: Vec::new() };
        for prefix in prefixes {
            let length = prefix.len().min(BYTES);
            heads.lengths.push(length);
            heads.bits.add(head_key(eight(prefix.as_bytes()), length));
        }
        heads.lengths.sort_unstable();
        heads.lengths.dedup();
        heads
    }

    /// `head`: the word's first bytes, and whatever is behind it, for to ask first how long it is would cost more.
    pub(super) fn may_begin(&self, head: u64) -> bool {
        self.lengths.iter().any(|length| self.bits.has(head_key(head, *length)))
    }

    /// Which of these heads may have a prefix, at most 64: a bit for each. Without a branch for those that have none.
    pub(super) fn of(&self, heads: impl DoubleEndedIterator<Item = u64>) -> u64 {
        let bits = |bits: u64, known: bool| bits << 1 | u64::from(known);
        match *self.lengths {
            // Prefixes of the same length, or long ones alone.
            [length] => {
                let (kept, salt) = (first(length), salt(length));
                let key = |head: u64| finish((head & kept).wrapping_mul(SPREAD[1]) ^ salt);
                heads.rev().fold(0, |all, head| bits(all, self.bits.has(key(head))))
            }
            _ => heads.rev().fold(0, |all, head| bits(all, self.may_begin(head))),
        }
    }
}

/// The first eight bytes of a word.
pub(super) fn eight(word: &[u8]) -> u64 {
    let mut eight = [0; 8];
    match word.first_chunk() {
        Some(bytes) => eight = *bytes,
        None => eight.iter_mut().zip(word).for_each(|(to, from)| *to = *from),
    }
    u64::from_le_bytes(eight)
}

/// The first bytes of a word, four at most, of eight.
pub(super) fn first_bytes(eight: u64, length: usize) -> u32 {
    u32::try_from(eight & first(length.min(4))).unwrap_or(0)
}

/// Of the first bytes of a word.
fn head_key(head: u64, length: usize) -> u32 {
    finish((head & first(length)).wrapping_mul(SPREAD[1]) ^ salt(length))
}

/// Tells beginnings of one length from those of another.
fn salt(length: usize) -> u64 {
    count(length) << 40
}

/// Odd numbers without a pattern: digits of the golden ratio and of π.
const SPREAD: [u64; 3] = [0x9E37_79B9_7F4A_7C15, 0x2437_F6A8_885A_308D, 0x3131_98A2_E037_0735];

/// A quick hash of the folded word that is the first `length` bytes of a text, never 0. It has no secret: two words that share it are
/// told apart by who looks at them.
#[inline(always)]
pub(super) fn word_key(text: &[u8], length: usize) -> u32 {
    if length > 16 {
        return long_key(text.get(..length).unwrap_or(text));
    }
    let sixteen = text.first_chunk::<16>().copied().unwrap_or_else(|| {
        let mut padded = [0; 16];
        padded.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
        padded
    });
    let eight = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let low = eight(sixteen.first_chunk()) & first(length);
    let high = eight(sixteen.last_chunk()) & first(length.saturating_sub(8));
    finish(low.wrapping_mul(SPREAD[1]) ^ (high.rotate_left(29) ^ count(length)).wrapping_mul(SPREAD[2]))
}

/// The first of eight bytes in little-endian order.
fn first(bytes: usize) -> u64 {
    const MASKS: [u64; 9] =
        [0, 0xFF, 0xFFFF, 0xFF_FFFF, 0xFFFF_FFFF, 0xFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF, 0xFF_FFFF_FFFF_FFFF, u64::MAX];
    MASKS.get(bytes).copied().unwrap_or(u64::MAX)
}

#[cold]
fn long_key(word: &[u8]) -> u32 {
    let mut hash = 0_u64;
    for part in word.chunks(8) {
        let mut eight = [0; 8];
        eight.iter_mut().zip(part).for_each(|(to, from)| *to = *from);
        hash = (hash.rotate_left(23) ^ u64::from_le_bytes(eight)).wrapping_mul(SPREAD[1]);
    }
    finish(hash ^ count(word.len()))
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// All bits of a hash in the highest half, but for 0.
fn finish(hash: u64) -> u32 {
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(SPREAD[0]);
    u32::try_from(mixed >> 32).unwrap_or(0).max(1)
}
