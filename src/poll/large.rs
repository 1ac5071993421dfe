//! The threads that read large documents. What such a document has taken, the heap of its thread keeps; so a thread that is done
//! waits for the next one, and does not leave its heap to whatever thread begins then.

use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};

use tokio::sync::oneshot;

type Work = Box<dyn FnOnce() + Send>;

/// Threads that wait for a document: no more than were ever read at a time.
#[derive(Default)]
pub(super) struct Large {
    idle: Mutex<Vec<mpsc::Sender<Work>>>,
}

impl Large {
    /// Runs `work` on one of them; none if it panics. If this is given up, its thread does no more work than that.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let waiting = self.idle().pop();
        let thread = waiting.map_or_else(begin, Some)?;
        let (send, done) = oneshot::channel();
        thread.send(Box::new(move || drop(send.send(work())))).ok()?;
        let done = done.await.ok()?;
        self.idle().push(thread);
        Some(done)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<mpsc::Sender<Work>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread that works until nobody can give it work any more, or a panic ends it.
fn begin() -> Option<mpsc::Sender<Work>> {
    let (give, given) = mpsc::channel::<Work>();
    let thread = std::thread::Builder::new().name("large-document".to_owned());
    thread.spawn(move || given.into_iter().for_each(|work| work())).ok()?;
    Some(give)
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn me() -> thread::ThreadId {
        thread::current().id()
    }

    #[tokio::test]
    async fn one_document_after_the_other_is_read_on_one_thread() {
        let large = Large::default();
        let first = large.run(me).await;
        assert_ne!(first, Some(me()));
        for _ in 0..50 {
            assert_eq!(large.run(me).await, first);
        }
        assert_eq!(large.idle().len(), 1);
    }

    #[tokio::test]
    async fn two_documents_at_once_are_read_at_once() {
        let large = Large::default();
        let (tell, told) = mpsc::channel();
        // On one thread, the first would wait for the second for ever.
        let (first, second) =
            tokio::join!(large.run(move || told.recv().is_ok()), large.run(move || tell.send(()).is_ok()));
        assert_eq!((first, second), (Some(true), Some(true)));
        assert_eq!(large.idle().len(), 2);
    }

    #[tokio::test]
    async fn a_panic_is_told_and_the_next_document_is_read() {
        let large = Large::default();
        assert_eq!(large.run(|| -> u8 { panic!("as a bug would") }).await, None);
        assert_eq!(large.run(|| 7).await, Some(7));
    }

    #[tokio::test]
    async fn a_document_that_hangs_has_its_thread_for_itself() {
        let large = Large::default();
        let (end, held) = mpsc::channel::<()>();
        let hangs = large.run(move || held.recv().is_ok());
        assert!(tokio::time::timeout(Duration::from_millis(50), hangs).await.is_err());
        assert_eq!(large.run(|| 7).await, Some(7));
        assert_eq!(large.idle().len(), 1);
        drop(end);
    }
}
