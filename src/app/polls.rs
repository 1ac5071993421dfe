//! The thread for crowds of polls: a runtime of its own, on which nothing wakes another thread.

use std::io;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::poll::Poller;

/// Begins to poll: the loop with the other loops, and crowds on the thread. It ends after the last poll, or when the loop is
/// aborted; what is under way there is then cut off.
///
/// # Errors
/// The system gives no thread.
pub(super) fn begin(poller: Arc<Poller>, stop: CancellationToken, tasks: &TaskTracker) -> io::Result<()> {
    let runtime = super::small_runtime()?;
    let (alone, end) = (runtime.handle().clone(), CancellationToken::new());
    let ended = end.clone();
    std::thread::Builder::new().name("poller".to_owned()).spawn(move || {
        runtime.block_on(ended.cancelled());
        // A document whose reading hangs is not waited for.
        runtime.shutdown_background();
    })?;
    tasks.spawn(async move {
        let _end = end.drop_guard();
        let polls = TaskTracker::new();
        poller.run(stop, polls.clone(), Some(alone)).await;
        polls.close();
        polls.wait().await;
    });
    Ok(())
}
