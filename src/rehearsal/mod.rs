//! A Helm command, played through before it is run: the proxy's pure core. A request and the overlay go in, an answer and
//! findings come out. No sockets, no clock.
//!
//! `edge::proxy` carries what is said here to and fro: it gives a request to [`Rehearsal::receive`], does what the returned
//! [`Next`] says, and gives the server's answer to [`Rehearsal::resume`] where that was asked for.

mod call;
#[cfg_attr(not(test), expect(dead_code, reason = "the core calls it"))]
mod diff;
#[cfg_attr(not(test), expect(dead_code, reason = "the core calls it"))]
mod immutable;
mod message;
#[cfg_attr(not(test), expect(dead_code, reason = "the core calls it"))]
mod patch;

pub use call::Denied;
pub use message::{Continuation, Next, Request, Response, Watch};

use call::Call;

/// A rehearsal that runs.
#[derive(Debug, Default)]
pub struct Rehearsal {}

impl Rehearsal {
    /// Takes a request of the rehearsed command.
    pub fn receive(&mut self, request: Request) -> Next {
        match Call::read(&request) {
            Ok(call) if call.verb.reads() => Next::Forward(request),
            Ok(call) => Next::Answer(Denied::write(&call).into_response()),
            Err(denied) => Next::Answer(denied.into_response()),
        }
    }

    /// Takes the server's answer to what [`Next::Ask`] asked.
    pub fn resume(&mut self, then: Continuation, _answer: Response) -> Next {
        match then {}
    }

    /// Returns the events of the overlay since `watch` was last asked for, one JSON line each with its line end; it is asked
    /// again whenever any other request was received or resumed.
    pub fn overlay_events(&mut self, _watch: &mut Watch) -> Vec<Vec<u8>> {
        Vec::new()
    }

    /// Returns what becomes of one line (an event as JSON) that the server sent to this watch; nothing if it is hidden.
    pub fn upstream_event(&mut self, _watch: &mut Watch, line: Vec<u8>) -> Option<Vec<u8>> {
        Some(line)
    }
}
