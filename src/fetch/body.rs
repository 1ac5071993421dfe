//! A body from the wire to bytes: decoded as it streams, counted on the wire and decoded, whole or a failure.

use std::io;

use bytes::Bytes;
use futures_util::StreamExt;
use reqwest::header::{CONTENT_ENCODING, HeaderMap};
use reqwest::{Response, StatusCode};
use tokio_util::io::StreamReader;
use url::Url;

use super::decode::{Coding, Halt, Reader, decoder};
use super::failure::{answered, explain, root};
use super::held::Held;
use super::memory::Memory;
use crate::domain::feed::{ErrorKind, PollError};

/// What we decode. `deflate` comes in both of its forms.
pub(super) const ACCEPT_ENCODING: &str = "gzip, deflate, br, zstd";

/// Codings on top of each other that are undone; each one more multiplies what a bomb can do.
const MAX_CODINGS: usize = 2;

/// Where a body comes from: what its failures are told with.
struct Source {
    url: Url,
    status: StatusCode,
    max_bytes: u64,
}

/// Reads the front of a body, at most `max_bytes` on the wire and as many decoded: enough to see what a page says of
/// itself.
pub(super) async fn front(response: Response, max_bytes: u64, memory: &Memory) -> Result<Bytes, PollError> {
    let source = Source { url: response.url().clone(), status: response.status(), max_bytes };
    let codings = codings(response.headers()).map_err(|message| source.broken(message))?;
    let mut reader = wire(response, max_bytes);
    for coding in codings.iter().rev() {
        reader = decoder(*coding, reader, max_bytes).await.map_err(|error| source.explain(error, &codings))?;
    }
    let mut held = Held::new(memory.grant());
    match fill(reader, max_bytes, &mut held).await.map_err(io::Error::downcast::<Halt>) {
        Ok(()) | Err(Ok(Halt::TooLarge)) => Ok(Bytes::from_owner(held)),
        Err(Ok(halt)) => Err(source.explain(io::Error::other(halt), &codings)),
        Err(Err(error)) => Err(source.explain(error, &codings)),
    }
}

/// Reads the whole body, at most `max_bytes` on the wire and as many decoded.
pub(super) async fn read(response: Response, max_bytes: u64, memory: &Memory) -> Result<Bytes, PollError> {
    let source = Source { url: response.url().clone(), status: response.status(), max_bytes };
    let codings = codings(response.headers()).map_err(|message| source.broken(message))?;
    if response.content_length().is_some_and(|length| length > max_bytes) {
        return Err(source.too_large());
    }
    let mut reader = wire(response, max_bytes);
    for coding in codings.iter().rev() {
        reader = decoder(*coding, reader, max_bytes).await.map_err(|error| source.explain(error, &codings))?;
    }
    collect(reader, max_bytes, memory).await.map_err(|error| source.explain(error, &codings))
}

impl Source {
    fn broken(&self, message: impl Into<String>) -> PollError {
        answered(ErrorKind::Body, self.status, message)
    }

    fn too_large(&self) -> PollError {
        let message =
            format!("the body is larger than {} bytes. If it is meant to be, raise max_body.", self.max_bytes);
        answered(ErrorKind::TooLarge, self.status, message)
    }

    fn explain(&self, error: io::Error, codings: &[Coding]) -> PollError {
        let names = || codings.iter().map(|coding| coding.name()).collect::<Vec<_>>().join(", ");
        match error.downcast::<Halt>() {
            Ok(Halt::TooLarge) => self.too_large(),
            Ok(Halt::Broken(error)) => {
                let status = Some(self.status.as_u16());
                PollError { http_status: status, kind: ErrorKind::Body, ..explain(error, &self.url) }
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.broken(format!("the body ended early, within its coding ({})", names()))
            }
            Err(error) => self.broken(format!("the body's coding ({}) is broken: {}", names(), root(&error))),
        }
    }
}

/// The codings in the order in which they were applied.
fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, String> {
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        for token in value.to_str().unwrap_or("?").split(',').map(|token| token.trim().to_ascii_lowercase()) {
            match Coding::parse(&token) {
                Some(coding) => codings.push(coding),
                // A charset in the wrong field is an old mistake of servers and means that nothing was coded.
                None if matches!(token.as_str(), "" | "identity" | "utf-8") => {}
                None => return Err(format!("the body has a coding that was not asked for: {}", token.escape_debug())),
            }
            if codings.len() > MAX_CODINGS {
                return Err(format!("the body is coded more than {MAX_CODINGS} times over"));
            }
        }
    }
    Ok(codings)
}

/// The body as it comes, an error in it after `max_bytes`.
fn wire(response: Response, max_bytes: u64) -> Reader {
    let mut left = max_bytes;
    let counted = response.bytes_stream().map(move |piece| {
        let piece = piece.map_err(|error| io::Error::other(Halt::Broken(error)))?;
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        left = left.checked_sub(length).ok_or_else(|| io::Error::other(Halt::TooLarge))?;
        Ok::<_, io::Error>(piece)
    });
    Box::pin(StreamReader::new(counted))
}

/// Reads to the end into memory that is asked for as it is needed.
async fn collect(reader: Reader, max_bytes: u64, memory: &Memory) -> io::Result<Bytes> {
    let mut held = Held::new(memory.grant());
    fill(reader, max_bytes, &mut held).await?;
    held.finish();
    Ok(Bytes::from_owner(held))
}

/// The same, into `held`, which keeps what had come where it fails.
async fn fill(mut reader: Reader, max_bytes: u64, held: &mut Held) -> io::Result<()> {
    // One more than allowed, to see whether there is more than allowed.
    let limit = usize::try_from(max_bytes.saturating_add(1)).unwrap_or(usize::MAX);
    loop {
        if held.len() >= limit {
            return Err(io::Error::other(Halt::TooLarge));
        }
        // A bomb is decoded from a few bytes without ever waiting: let the others run in between.
        tokio::task::coop::consume_budget().await;
        if held.more(&mut reader, limit).await? == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::*;

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(data: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn bare(data: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    /// Decodes what comes in pieces of `piece` bytes.
    fn decode(codings: &[Coding], data: &[u8], piece: usize, max_bytes: u64) -> io::Result<Bytes> {
        let pieces: Vec<_> =
            data.chunks(piece).map(|piece| Ok::<_, io::Error>(Bytes::copy_from_slice(piece))).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut reader: Reader = Box::pin(StreamReader::new(futures_util::stream::iter(pieces)));
            for coding in codings.iter().rev() {
                reader = decoder(*coding, reader, max_bytes).await?;
            }
            collect(reader, max_bytes, &Memory::new(1 << 20)).await
        })
    }

    #[test]
    fn codings_are_read_in_order_and_unknown_ones_refused() {
        use Coding::{Brotli, Deflate, Gzip, Zstd};
        for (fields, expected) in [
            (&[][..], Some(vec![])),
            (&["gzip"], Some(vec![Gzip])),
            (&["X-GZIP"], Some(vec![Gzip])),
            (&["deflate, br"], Some(vec![Deflate, Brotli])),
            (&["zstd", " gzip "], Some(vec![Zstd, Gzip])),
            (&["identity,,utf-8"], Some(vec![])),
            (&["gzip, gzip, gzip"], None),
            (&["compress"], None),
            (&["\u{e9}"], None),
        ] {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(CONTENT_ENCODING, reqwest::header::HeaderValue::from_bytes(field.as_bytes()).unwrap());
            }
            assert_eq!(codings(&headers).ok(), expected, "{fields:?}");
        }
    }

    #[test]
    fn several_members_of_gzip_are_one_body_and_what_else_follows_is_dropped() {
        let data = [gzip(b"one "), gzip(b""), gzip(b"two"), b"\r\n ".to_vec()].concat();
        for piece in 1..data.len() {
            assert_eq!(&decode(&[Coding::Gzip], &data, piece, 100).unwrap()[..], b"one two");
        }
        assert!(decode(&[Coding::Gzip], &[gzip(b"one"), vec![0x1f]].concat(), 100, 100).is_err(), "a cut member");
    }

    #[test]
    fn a_window_that_no_standard_allows_is_refused() {
        assert!(decode(&[Coding::Brotli], &[0x11, 0x1e, 0, 0, 0], 5, 100).is_err());
    }

    #[test]
    fn an_empty_body_in_a_coding_is_broken() {
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd] {
            assert!(decode(&[coding], b"", 1, 100).is_err(), "{coding:?}");
        }
    }

    #[test]
    fn a_bomb_within_a_bomb_stops_at_the_limit() {
        let inner = gzip(&vec![0; 10 << 20]);
        let error = decode(&[Coding::Gzip, Coding::Gzip], &gzip(&inner), 1 << 16, 1 << 16).unwrap_err();
        assert!(matches!(error.downcast::<Halt>(), Ok(Halt::TooLarge)));
    }

    #[test]
    fn a_bomb_that_decodes_to_nothing_stops_as_well() {
        let nothing = gzip(b"");
        let error = decode(&[Coding::Gzip], &nothing.repeat(10_000), 1 << 16, 1 << 20).unwrap_err();
        assert!(error.to_string().contains("parts"), "{error}");
        // Between two codings the limit holds too.
        let inner = [gzip(b"x"), vec![0; 10 << 20]].concat();
        let error = decode(&[Coding::Gzip, Coding::Gzip], &gzip(&inner), 1 << 16, 1 << 16).unwrap_err();
        assert!(matches!(error.downcast::<Halt>(), Ok(Halt::TooLarge)));
    }

    proptest! {
        #[test]
        fn what_was_deflated_in_either_form_comes_back(data: Vec<u8>, level in 0_u32..=9, piece in 1_usize..40) {
            for coded in [zlib(&data, level), bare(&data, level)] {
                prop_assert_eq!(&decode(&[Coding::Deflate], &coded, piece, 1 << 20).unwrap()[..], &data[..]);
            }
        }

        #[test]
        fn a_cut_body_never_passes_for_a_whole_one(data: Vec<u8>, cut in 0.0..1.0_f64, piece in 1_usize..40) {
            for (coding, coded) in [
                (Coding::Gzip, gzip(&data)), (Coding::Deflate, zlib(&data, 6)), (Coding::Deflate, bare(&data, 6)),
            ] {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place within a short body")]
                let end = (coded.len() as f64 * cut) as usize;
                prop_assert!(decode(&[coding], &coded[..end], piece, 1 << 20).is_err());
            }
        }

        #[test]
        fn junk_in_any_coding_ends_in_bounds(data: Vec<u8>, piece in 1_usize..40) {
            for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd] {
                if let Ok(body) = decode(&[coding], &data, piece, 1000) {
                    prop_assert!(body.len() <= 1000);
                }
            }
        }
    }
}
