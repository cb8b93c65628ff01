//! Ctrl-C, SIGTERM and a closed terminal: counted, never fatal by themselves, so that the flow decides what to do.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// The interrupts that this process received.
#[derive(Debug, Clone, Default)]
pub struct Interrupts {
    inner: Rc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    count: Cell<u32>,
    arrived: Notify,
    /// Set within the signal handler itself: also seen while no runtime turns, as in a prompt.
    flag: Arc<AtomicBool>,
}

impl Interrupts {
    /// Starts to listen for SIGINT, SIGTERM and SIGHUP. Must be called within a `LocalSet`.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn listen() -> std::io::Result<Self> {
        let interrupts = Self::default();
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            let mut stream = signal(kind)?;
            signal_hook::flag::register(kind.as_raw_value(), Arc::clone(&interrupts.inner.flag))?;
            let inner = Rc::clone(&interrupts.inner);
            tokio::task::spawn_local(async move {
                while stream.recv().await.is_some() {
                    inner.count.set(inner.count.get() + 1);
                    inner.arrived.notify_waiters();
                }
            });
        }
        Ok(interrupts)
    }

    /// Returns how many came so far.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.inner.count.get()
    }

    /// Tells whether any came.
    #[must_use]
    pub fn any(&self) -> bool {
        self.count() > 0
    }

    /// Returns a flag that is set as soon as one arrives, even while no runtime turns.
    #[must_use]
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.inner.flag)
    }

    /// Returns as soon as more than `seen` have come.
    pub async fn more_than(&self, seen: u32) {
        loop {
            let arrived = self.inner.arrived.notified();
            if self.count() > seen {
                return;
            }
            arrived.await;
        }
    }
}
