//! What passed through the proxy, and where its time went.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Serialize, Serializer};

/// What passed through the proxy in one run. As JSON times are in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Requests with the run's token.
    pub requests: u64,
    /// Requests without it.
    pub unauthorized: u64,
    /// Questions of the core to the server.
    pub asks: u64,
    /// Requests whose answers were handed on unread.
    pub forwards: u64,
    /// Watches.
    pub watches: u64,
    /// Requests to the server without an answer: what the command then did says nothing of the upgrade.
    pub unanswered: u64,
    /// The first of them, and why.
    pub first_unanswered: Option<String>,
    /// Whether the command edited its kubeconfig: what it did then may have been done for real, on any cluster.
    pub kubeconfig_edited: bool,
    /// Bytes of requests' bodies.
    pub bytes_in: u64,
    /// Bytes of answers' bodies.
    pub bytes_out: u64,
    /// Time in the core.
    #[serde(rename = "in_core_us", serialize_with = "micros")]
    pub in_core: Duration,
    /// Time of the proxy itself: from a request that was read to its answer's headers, without the core and the waiting. TLS
    /// and the sockets are not in it.
    #[serde(rename = "in_proxy_us", serialize_with = "micros")]
    pub in_proxy: Duration,
    /// Time of waiting for the server: that of parallel requests counts twice, that of watches once they are open not at all.
    #[serde(rename = "upstream_us", serialize_with = "micros")]
    pub upstream: Duration,
}

/// The counters while the proxy runs.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) requests: AtomicU64,
    pub(super) unauthorized: AtomicU64,
    pub(super) asks: AtomicU64,
    pub(super) forwards: AtomicU64,
    pub(super) watches: AtomicU64,
    pub(super) bytes_in: AtomicU64,
    pub(super) bytes_out: AtomicU64,
    unanswered: AtomicU64,
    first_unanswered: Mutex<Option<String>>,
    core_nanos: AtomicU64,
    proxy_nanos: AtomicU64,
    upstream_nanos: AtomicU64,
}

fn micros<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(time.as_micros().try_into().unwrap_or(u64::MAX))
}

/// Adds one.
pub(super) fn count(counter: &AtomicU64) {
    add(counter, 1);
}

/// Adds a number of bytes or nanoseconds.
pub(super) fn add(counter: &AtomicU64, number: u64) {
    counter.fetch_add(number, Ordering::Relaxed);
}

fn nanos(time: Duration) -> u64 {
    time.as_nanos().try_into().unwrap_or(u64::MAX)
}

impl Tally {
    /// Counts a request without an answer.
    pub(super) fn unanswered(&self, why: &str) {
        count(&self.unanswered);
        self.first_unanswered.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| why.to_owned());
    }

    pub(super) fn in_core(&self, time: Duration) {
        add(&self.core_nanos, nanos(time));
    }

    pub(super) fn in_proxy(&self, time: Duration) {
        add(&self.proxy_nanos, nanos(time));
    }

    pub(super) fn upstream(&self, time: Duration) {
        add(&self.upstream_nanos, nanos(time));
    }

    /// Returns what was counted until now; the kubeconfig is not looked at.
    pub(super) fn read(&self) -> Counters {
        let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let time = |counter: &AtomicU64| Duration::from_nanos(number(counter));
        Counters {
            requests: number(&self.requests),
            unauthorized: number(&self.unauthorized),
            asks: number(&self.asks),
            forwards: number(&self.forwards),
            watches: number(&self.watches),
            unanswered: number(&self.unanswered),
            first_unanswered: self.first_unanswered.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            kubeconfig_edited: false,
            bytes_in: number(&self.bytes_in),
            bytes_out: number(&self.bytes_out),
            in_core: time(&self.core_nanos),
            in_proxy: time(&self.proxy_nanos),
            upstream: time(&self.upstream_nanos),
        }
    }
}
