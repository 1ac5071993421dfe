//! Content codings undone as they stream (RFC 9110 8.4.1), each checked for its end.
//!
//! What follows a complete coding is looked at: a further member or frame goes on with the body, anything else
//! (a stray line end is common) is read and dropped, so that the message below is still seen to be whole.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_compression::tokio::bufread::{BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt, BufReader, ReadBuf};

/// 8 MiB, the most that RFC 9659 lets `zstd` ask for.
const ZSTD_WINDOW_LOG: u32 = 23;

/// Members or frames of one body. Each costs a fresh state, and may hold nothing.
const MAX_MEMBERS: u32 = 1000;

/// Why reading stops, other than for a coding that is broken.
#[derive(thiserror::Error, Debug)]
pub(super) enum Halt {
    /// There are more bytes than allowed, on the wire or decoded.
    #[error("too large")]
    TooLarge,
    /// The connection broke, or the message was cut.
    #[error("broken")]
    Broken(reqwest::Error),
}

/// What is read from, coded or not.
pub(super) type Reader = Pin<Box<dyn AsyncBufRead + Send>>;

/// The first bytes of a body, looked at, and the rest.
type Peeked = tokio::io::Chain<io::Cursor<Vec<u8>>, Reader>;

/// A content coding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Coding {
    Gzip,
    /// In either of its forms.
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    pub(super) fn parse(token: &str) -> Option<Self> {
        Some(match token {
            "gzip" | "x-gzip" => Self::Gzip,
            "deflate" => Self::Deflate,
            "br" => Self::Brotli,
            "zstd" => Self::Zstd,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// Undoes one coding; reading fails beyond `max_bytes` of what comes out of it.
///
/// # Errors
/// Those of the reader, and a window larger than its standard allows.
pub(super) async fn decoder(coding: Coding, mut reader: Reader, max_bytes: u64) -> io::Result<Reader> {
    let mut head = Vec::with_capacity(2);
    (&mut reader).take(2).read_to_end(&mut head).await?;
    let zlib = is_zlib(&head);
    if coding == Coding::Brotli && is_large_window(&head) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "its window is too large"));
    }
    let reader: Peeked = io::Cursor::new(head).chain(reader);
    let decoding = match coding {
        Coding::Gzip => Decoder::Gzip(GzipDecoder::new(reader)),
        Coding::Deflate if zlib => Decoder::Zlib(ZlibDecoder::new(reader)),
        Coding::Deflate => Decoder::Bare(DeflateDecoder::new(reader)),
        Coding::Brotli => Decoder::Brotli(BrotliDecoder::new(reader)),
        Coding::Zstd => Decoder::zstd(reader),
    };
    let undo = Undo { state: State::Decoding(Box::new(decoding)), members: 1, left: max_bytes };
    Ok(Box::pin(BufReader::new(undo)))
}

/// `deflate` means zlib (RFC 9110 8.4.1.2), but some servers send the bare stream. A zlib head has method 8, a
/// window of at most 32 KiB and a check in it (RFC 1950 2.2); a bare stream that looks like that is a stored
/// block with junk in its padding, which no encoder writes.
fn is_zlib(head: &[u8]) -> bool {
    matches!(head, [cmf, flg] if cmf & 0x0f == 8 && cmf >> 4 <= 7 && u16::from_be_bytes([*cmf, *flg]).is_multiple_of(31))
}

/// Brotli with windows up to a gigabyte is an extension; RFC 7932 9.1 has no window with this head.
fn is_large_window(head: &[u8]) -> bool {
    matches!(head, [first, ..] if first & 0x7f == 0x11)
}

enum Decoder {
    Gzip(GzipDecoder<Peeked>),
    Zlib(ZlibDecoder<Peeked>),
    Bare(DeflateDecoder<Peeked>),
    Brotli(BrotliDecoder<Peeked>),
    Zstd(ZstdDecoder<Peeked>),
}

impl Decoder {
    fn zstd(reader: Peeked) -> Self {
        Self::Zstd(ZstdDecoder::with_params(reader, &[DParameter::window_log_max(ZSTD_WINDOW_LOG)]))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Gzip(reader) => Pin::new(reader).poll_read(cx, buf),
            Self::Zlib(reader) => Pin::new(reader).poll_read(cx, buf),
            Self::Bare(reader) => Pin::new(reader).poll_read(cx, buf),
            Self::Brotli(reader) => Pin::new(reader).poll_read(cx, buf),
            Self::Zstd(reader) => Pin::new(reader).poll_read(cx, buf),
        }
    }

    fn rest(&mut self) -> Pin<&mut Peeked> {
        Pin::new(match self {
            Self::Gzip(reader) => reader.get_mut(),
            Self::Zlib(reader) => reader.get_mut(),
            Self::Bare(reader) => reader.get_mut(),
            Self::Brotli(reader) => reader.get_mut(),
            Self::Zstd(reader) => reader.get_mut(),
        })
    }

    /// After its end: makes it the decoder of the next member, if what follows begins like one (RFC 1952 2.2
    /// and 2.3.1; RFC 8878 3.1, skippable frames included). Whether it does.
    fn begin_next(&mut self, follows: u8) -> bool {
        let empty = || -> Peeked { io::Cursor::new(Vec::new()).chain(Box::pin(tokio::io::empty())) };
        match self {
            Self::Gzip(reader) if follows == 0x1f => {
                *reader = GzipDecoder::new(std::mem::replace(reader.get_mut(), empty()));
            }
            Self::Zstd(reader) if matches!(follows, 0x28 | 0x50..=0x5f) => {
                let rest = std::mem::replace(reader.get_mut(), empty());
                *self = Self::zstd(rest);
            }
            _ => return false,
        }
        true
    }
}

/// A coding that is being undone.
struct Undo {
    state: State,
    members: u32,
    /// Bytes that may still come out.
    left: u64,
}

enum State {
    Decoding(Box<Decoder>),
    /// Complete; the rest is dropped.
    Draining(Box<Decoder>),
    Done,
}

impl Undo {
    fn count(&mut self, bytes: usize) -> io::Result<()> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(bytes).ok_or_else(|| io::Error::other(Halt::TooLarge))?;
        Ok(())
    }

    /// What comes after a coding that is complete and is followed by this byte, if by any.
    fn after(&mut self, mut decoder: Box<Decoder>, follows: Option<u8>) -> io::Result<State> {
        let Some(first) = follows else { return Ok(State::Done) };
        if !decoder.begin_next(first) {
            return Ok(State::Draining(decoder));
        }
        self.members += 1;
        if self.members > MAX_MEMBERS {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it has too many parts"));
        }
        Ok(State::Decoding(decoder))
    }
}

impl AsyncRead for Undo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Decoding(mut decoder) => {
                    let before = buf.filled().len();
                    let read = decoder.poll_read(cx, buf);
                    let more = buf.filled().len() - before;
                    if !matches!(read, Poll::Ready(Ok(()))) || more > 0 || buf.remaining() == 0 {
                        self.state = State::Decoding(decoder);
                        self.count(more)?;
                        return read;
                    }
                    // Nothing was read: the coding is complete.
                    let follows = match decoder.rest().poll_fill_buf(cx)? {
                        Poll::Ready(bytes) => bytes.first().copied(),
                        Poll::Pending => {
                            self.state = State::Decoding(decoder);
                            return Poll::Pending;
                        }
                    };
                    self.state = self.after(decoder, follows)?;
                }
                State::Draining(mut decoder) => match decoder.rest().poll_fill_buf(cx)? {
                    Poll::Ready([]) => {}
                    Poll::Ready(bytes) => {
                        let length = bytes.len();
                        decoder.rest().consume(length);
                        self.state = State::Draining(decoder);
                    }
                    Poll::Pending => {
                        self.state = State::Draining(decoder);
                        return Poll::Pending;
                    }
                },
                State::Done => return Poll::Ready(Ok(())),
            }
        }
    }
}
