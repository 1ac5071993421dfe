//! Log lines on their way out, handed to a thread of their own: who logs never waits for who reads. What does not fit
//! is dropped and counted, and the count is told as soon as a line gets through again.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Lines that may wait.
const MAX_LINES: usize = 4096;
/// Bytes that may wait.
const MAX_BYTES: usize = 4 << 20;
/// While lines are being lost it is told so at most this often.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Where lines end. It may block, and it may fail; a line that it does not take is lost.
pub(super) trait Sink: Send + 'static {
    /// Takes a whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<()>;
    /// Says in its own format that so many lines were lost.
    fn lost(&mut self, count: u64) -> io::Result<()>;
}

enum Order {
    Line(Vec<u8>),
    Flush(Sender<()>),
}

#[derive(Default)]
struct Counts {
    waiting_bytes: AtomicUsize,
    lost: AtomicU64,
}

/// The near end: takes lines without ever waiting. A clone is the same end.
#[derive(Clone)]
pub(super) struct Lines {
    queue: SyncSender<Order>,
    counts: Arc<Counts>,
}

impl Lines {
    /// Starts the thread that writes to `sink`. It ends when the last clone is gone.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(sink: impl Sink) -> io::Result<Self> {
        let (queue, orders) = sync_channel(MAX_LINES);
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        thread::Builder::new().name("log".to_owned()).spawn(move || carry(sink, &orders, &shared))?;
        Ok(Self { queue, counts })
    }

    /// Hands a line over, or drops and counts it.
    pub(super) fn hand(&self, line: Vec<u8>) {
        let size = line.len();
        let waiting = self.counts.waiting_bytes.fetch_add(size, Ordering::Relaxed);
        if waiting + size > MAX_BYTES || self.queue.try_send(Order::Line(line)).is_err() {
            self.counts.waiting_bytes.fetch_sub(size, Ordering::Relaxed);
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lines that were lost so far.
    pub(super) fn lost(&self) -> u64 {
        self.counts.lost.load(Ordering::Relaxed)
    }

    /// Waits until what was handed over is written, for so long at the most.
    pub(super) fn flush(&self, patience: Duration) {
        let (done, heard) = channel();
        if self.queue.try_send(Order::Flush(done)).is_ok() {
            let _ = heard.recv_timeout(patience);
        }
    }
}

fn carry(mut sink: impl Sink, orders: &Receiver<Order>, counts: &Counts) {
    let mut told = 0;
    let mut told_at: Option<Instant> = None;
    while let Ok(order) = orders.recv() {
        let line = match order {
            Order::Line(line) => line,
            Order::Flush(done) => {
                let _ = done.send(());
                continue;
            }
        };
        let written = sink.write(&line);
        let waiting = counts.waiting_bytes.fetch_sub(line.len(), Ordering::Relaxed) - line.len();
        if written.is_err() {
            counts.lost.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let lost = counts.lost.load(Ordering::Relaxed);
        let may = waiting == 0 || told_at.is_none_or(|at| at.elapsed() >= TELL_EVERY);
        if lost > told && may && sink.lost(lost - told).is_ok() {
            (told, told_at) = (lost, Some(Instant::now()));
        }
    }
}

/// What the formatters write a line to. They give a line in one piece.
impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.hand(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Condvar, Mutex};

    /// A sink that can be held, and fail.
    #[derive(Clone, Default)]
    struct Pipe(Arc<(Mutex<State>, Condvar)>);

    #[derive(Default)]
    struct State {
        held: bool,
        full: bool,
        written: Vec<String>,
    }

    impl Pipe {
        fn set(&self, held: bool, full: bool) {
            let mut state = self.0.0.lock().unwrap();
            (state.held, state.full) = (held, full);
            self.0.1.notify_all();
        }

        fn written(&self) -> Vec<String> {
            self.0.0.lock().unwrap().written.clone()
        }
    }

    impl Sink for Pipe {
        fn write(&mut self, line: &[u8]) -> io::Result<()> {
            let mut state = self.0.1.wait_while(self.0.0.lock().unwrap(), |state| state.held).unwrap();
            if state.full {
                return Err(io::ErrorKind::StorageFull.into());
            }
            state.written.push(String::from_utf8_lossy(line).into_owned());
            Ok(())
        }

        fn lost(&mut self, count: u64) -> io::Result<()> {
            self.write(format!("lost {count}").as_bytes())
        }
    }

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn a_reader_that_stands_still_holds_nobody_and_what_was_lost_is_told() {
        let pipe = Pipe::default();
        pipe.set(true, false);
        let lines = Lines::start(pipe.clone()).unwrap();
        for n in 0..3 * MAX_LINES {
            lines.hand(n.to_string().into_bytes());
        }
        let lost = lines.lost();
        assert!(lost >= u64::try_from(2 * MAX_LINES - 1).unwrap(), "{lost}");
        pipe.set(false, false);
        // The queue may still be full at this moment: a flush that finds no room returns at once.
        while pipe.written().len() < MAX_LINES {
            lines.flush(LONG);
        }
        lines.flush(LONG);
        let written = pipe.written();
        let (told, kept): (Vec<&String>, Vec<&String>) = written.iter().partition(|line| line.starts_with("lost "));
        let told: u64 = told.iter().map(|line| line["lost ".len()..].parse::<u64>().unwrap()).sum();
        assert_eq!(told, lost);
        assert_eq!(u64::try_from(kept.len()).unwrap() + lost, u64::try_from(3 * MAX_LINES).unwrap());
        // One more had room if the thread took the first one late.
        let mut oldest = kept.iter().take(MAX_LINES).enumerate();
        assert!(oldest.all(|(at, line)| **line == at.to_string()), "the oldest are kept, in order");
        assert!(kept.len() <= MAX_LINES + 1, "{}", kept.len());
    }

    #[test]
    fn large_lines_are_bounded_by_their_bytes() {
        let pipe = Pipe::default();
        pipe.set(true, false);
        let lines = Lines::start(pipe.clone()).unwrap();
        for _ in 0..10 {
            lines.hand(vec![b'x'; 1 << 20]);
        }
        assert!(lines.lost() >= 6, "{}", lines.lost());
        pipe.set(false, false);
    }

    #[test]
    fn a_full_disk_loses_lines_and_says_so_when_there_is_room() {
        let pipe = Pipe::default();
        pipe.set(false, true);
        let lines = Lines::start(pipe.clone()).unwrap();
        lines.hand(b"one".to_vec());
        lines.hand(b"two".to_vec());
        lines.flush(LONG);
        assert_eq!(lines.lost(), 2);
        pipe.set(false, false);
        lines.hand(b"three".to_vec());
        lines.flush(LONG);
        assert_eq!(pipe.written(), ["three", "lost 2"]);
    }
}
