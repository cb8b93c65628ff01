//! A watch of the rehearsed command: the server's events and those of the overlay, one after the other.

use std::sync::Arc;
use std::time::Instant;

use futures::{Stream, StreamExt as _};
use hyper::body::Bytes;
use tokio::sync::watch;

use super::answer::{self, Broken};
use super::counters;
use super::door::{Door, stop};
use crate::edge::cluster::{ClusterError, UpstreamBody};
use crate::rehearsal::Watch;

/// The longest event that is taken, in bytes: etcd holds objects of 1.5 MB.
const LONGEST_EVENT: usize = 128 * 1024 * 1024;

/// Where events come from that are not the overlay's.
pub(super) enum Source {
    /// The server.
    Server(UpstreamBody),
    /// Nobody: the server does not know the kind. The watch ends then, if ever.
    Nobody {
        /// When.
        until: Option<Instant>,
    },
}

impl Source {
    /// Returns the next piece; nothing at the end.
    async fn next(&mut self) -> Option<Result<Bytes, ClusterError>> {
        match self {
            Self::Server(body) => body.next().await,
            Self::Nobody { until: Some(until) } => {
                tokio::time::sleep_until((*until).into()).await;
                None
            }
            Self::Nobody { until: None } => std::future::pending().await,
        }
    }
}

/// A watch that is open. Given up when it is dropped.
pub(super) struct Watching {
    door: Arc<Door>,
    watch: Watch,
    source: Source,
    /// The beginning of an event whose end has not come yet.
    unfinished: Vec<u8>,
    changes: watch::Receiver<u64>,
    stopped: watch::Receiver<bool>,
    has_begun: bool,
    has_ended: bool,
}

impl Watching {
    pub(super) fn new(door: Arc<Door>, watch: Watch, source: Source) -> Self {
        let (changes, stopped) = (door.changes(), door.stopped.clone());
        Self { door, watch, source, unfinished: Vec::new(), changes, stopped, has_begun: false, has_ended: false }
    }

    /// Returns the events: first those of the overlay, then the server's as they come, and those of the overlay whenever it has
    /// changed, before any later one of the server's.
    ///
    /// It ends when the server ends it or the rehearsal is over. A connection that breaks breaks it too: half an event is never handed on as
    /// if it were the last.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Bytes, Broken>> + Send {
        futures::stream::unfold(self, async |mut watching| {
            watching.next_events().await.map(|events| (events, watching))
        })
    }

    async fn next_events(&mut self) -> Option<Result<Bytes, Broken>> {
        let events = loop {
            if self.has_ended {
                return None;
            }
            if !self.has_begun || self.changes.has_changed().unwrap_or(false) {
                self.has_begun = true;
                self.changes.mark_unchanged();
                let Some(events) = self.door.in_core(|rehearsal| rehearsal.overlay_events(&mut self.watch)) else {
                    self.has_ended = true;
                    continue;
                };
                let events = events.concat();
                if !events.is_empty() {
                    break events;
                }
            }
            tokio::select! {
                biased;
                () = stop(&mut self.stopped) => self.has_ended = true,
                _ = self.changes.changed() => self.changes.mark_changed(),
                piece = self.source.next() => match piece {
                    Some(Ok(piece)) => match self.take(&piece) {
                        Ok(events) if events.is_empty() => {}
                        Ok(events) => break events,
                        Err(error) => {
                            self.has_ended = true;
                            return Some(Err(error));
                        }
                    },
                    Some(Err(error)) => {
                        self.has_ended = true;
                        // A watch may end at any time; the client begins another.
                        return Some(Err(answer::unanswered(&error).1.into()));
                    }
                    None => {
                        self.has_ended = true;
                        let last = std::mem::take(&mut self.unfinished);
                        let events = if last.is_empty() { Vec::new() } else { self.pass(last) };
                        if !events.is_empty() {
                            break events;
                        }
                    }
                },
            }
        };
        counters::add(&self.door.tally.bytes_out, events.len() as u64);
        Some(Ok(Bytes::from(events)))
    }

    /// Returns what becomes of the events that a piece of the server's answer completes.
    fn take(&mut self, piece: &[u8]) -> Result<Vec<u8>, Broken> {
        let mut events = Vec::new();
        let mut lines = piece.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = lines.next() {
            self.unfinished.extend_from_slice(part);
            if self.unfinished.len() > LONGEST_EVENT {
                return Err(format!("an event of the server is longer than {LONGEST_EVENT} bytes").into());
            }
            if lines.peek().is_some() {
                let line = std::mem::take(&mut self.unfinished);
                if !line.is_empty() {
                    events.extend(self.pass(line));
                }
            }
        }
        Ok(events)
    }

    /// Returns what becomes of one event of the server's, with its line end; nothing if it is hidden.
    fn pass(&mut self, line: Vec<u8>) -> Vec<u8> {
        let event = self.door.in_core(|rehearsal| rehearsal.upstream_event(&mut self.watch, line)).flatten();
        let mut event = event.unwrap_or_default();
        if event.last().is_some_and(|last| *last != b'\n') {
            event.push(b'\n');
        }
        event
    }
}
