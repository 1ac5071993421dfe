//! The bytes of a body as it grows, with the memory that they are granted.

use std::io;

use memmap2::MmapMut;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::memory::Grant;

/// The first piece of memory a body gets; it doubles from there.
const FIRST_BYTES: usize = 16 * 1024;
/// A longer body has pages of its own, which go back to the system with it. The allocator would keep them: what glibc keeps
/// grows with the largest block that it was ever given back, for each thread.
const MAX_SHORT_BYTES: usize = 64 * 1024;
/// What a connection takes beside the body while its server is faster than we are: two of hyper's read buffers, which grow to so
/// much each. Short bodies do not get there.
const WIRE_BYTES: usize = 2 * (8_192 + 100 * 4_096);

/// The grant goes back when the last clone of the bytes is dropped.
pub(super) struct Held {
    bytes: Kept,
    grant: Grant,
}

enum Kept {
    Short(Vec<u8>),
    /// Pages for as much as a body may have: what was not written takes no memory.
    Long {
        pages: MmapMut,
        length: usize,
        granted: usize,
    },
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        match &self.bytes {
            Kept::Short(bytes) => bytes,
            Kept::Long { pages, length, .. } => pages.get(..*length).unwrap_or_default(),
        }
    }
}

impl Held {
    /// Nothing yet.
    pub(super) fn new(grant: Grant) -> Self {
        Self { bytes: Kept::Short(Vec::new()), grant }
    }

    /// How much there is, in bytes.
    pub(super) fn len(&self) -> usize {
        self.as_ref().len()
    }

    /// Reads some bytes more, once there is memory for them; of a body that has at most `limit`. None: it has ended.
    pub(super) async fn more(&mut self, reader: &mut (impl AsyncRead + Unpin), limit: usize) -> io::Result<usize> {
        if let Kept::Short(bytes) = &mut self.bytes
            && bytes.len() == bytes.capacity()
        {
            let length = bytes.len();
            let step = length.max(FIRST_BYTES).min(limit.saturating_sub(length));
            if length + step <= MAX_SHORT_BYTES {
                self.grant.grow(step).await;
                bytes.reserve_exact(step);
            } else {
                self.grant.grow(step + WIRE_BYTES).await;
                let mut pages = MmapMut::map_anon(limit)?;
                if let Some(start) = pages.get_mut(..length) {
                    start.copy_from_slice(bytes);
                }
                self.bytes = Kept::Long { pages, length, granted: length + step };
            }
        }
        match &mut self.bytes {
            Kept::Short(bytes) => reader.read_buf(bytes).await,
            Kept::Long { pages, length, granted } => {
                if length == granted {
                    let step = MAX_SHORT_BYTES.min(limit.saturating_sub(*length));
                    self.grant.grow(step).await;
                    *granted += step;
                }
                let read = reader.read(pages.get_mut(*length..*granted).unwrap_or_default()).await?;
                *length += read;
                Ok(read)
            }
        }
    }

    /// Gives back what was not needed.
    pub(super) fn finish(&mut self) {
        if let Kept::Short(bytes) = &mut self.bytes {
            bytes.shrink_to_fit();
        }
        let length = self.len();
        self.grant.shrink(length);
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::Memory;
    use super::*;

    #[tokio::test]
    async fn a_body_is_what_was_read_however_long_it_is() {
        for length in [0, 1, FIRST_BYTES, MAX_SHORT_BYTES - 1, MAX_SHORT_BYTES, MAX_SHORT_BYTES + 1, 200_000] {
            let body: Vec<u8> = (0..=255).cycle().take(length).collect();
            for limit in [length.max(1), length + 1, length * 3 + 1] {
                let mut held = Held::new(Memory::new(1 << 20).grant());
                let mut rest = &body[..];
                while held.len() < limit && held.more(&mut rest, limit).await.unwrap() > 0 {}
                held.finish();
                assert_eq!(held.as_ref(), body, "{length} of at most {limit} bytes");
            }
        }
    }
}
