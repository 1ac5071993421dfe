//! A stream whose patience ends: with a client that sends no first byte, and with one that does not read.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// A stream with deadlines. Between the first byte and an answer the deadline of the head holds, which is
/// hyper's.
#[derive(Debug)]
pub(crate) struct Patient<S> {
    stream: S,
    timer: Pin<Box<Sleep>>,
    answer: Duration,
    waits_for: Wait,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wait {
    /// The first byte; the timer runs.
    FirstByte,
    /// Nothing that has a deadline here.
    Nothing,
    /// The client's reading of an answer; the timer runs since the first write that could not go on.
    Reader,
}

impl<S> Patient<S> {
    /// Patient for `first_byte` until a byte came, then for `answer` with each answer that stalls.
    pub(crate) fn new(stream: S, first_byte: Duration, answer: Duration) -> Self {
        Self { stream, timer: Box::pin(sleep(first_byte)), answer, waits_for: Wait::FirstByte }
    }

    fn out_of_patience(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        ready!(self.timer.as_mut().poll(cx));
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }

    fn wrote(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if wrote.is_ready() {
            return wrote;
        }
        if self.waits_for != Wait::Reader {
            self.waits_for = Wait::Reader;
            self.timer.as_mut().reset(Instant::now() + self.answer);
        }
        self.out_of_patience(cx).map(Err)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if read.is_pending() && this.waits_for == Wait::FirstByte {
            return this.out_of_patience(cx).map(Err);
        }
        if buf.filled().len() > before {
            // A next request: the answer before it was read to its end.
            this.waits_for = Wait::Nothing;
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let wrote = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.wrote(cx, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let wrote = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.wrote(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
