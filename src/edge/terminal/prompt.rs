//! Asking for consent.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How soon an interruption ends a question.
const LOOK_UP_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// Longer answers than this are none.
const LONGEST: usize = 4096;

/// What the user said to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Consent {
    /// `y` or `yes`.
    Yes,
    /// Anything else: an empty line, the end of the input, Ctrl-C.
    No,
    /// Nobody could be asked.
    NoTerminal,
}

/// Waits for one line of `input`, until `interrupted`; none if the input ends or the wait is interrupted before the line does.
///
/// # Errors
/// If `input` cannot be read.
pub(super) fn read_consent(input: &mut (impl Read + AsFd), interrupted: &AtomicBool) -> io::Result<Option<Consent>> {
    let mut answer = Vec::new();
    while !answer.contains(&b'\n') && answer.len() < LONGEST {
        if interrupted.load(Ordering::Relaxed) {
            return Ok(None);
        }
        if !has_input(input)? {
            continue;
        }
        let mut chunk = [0; 256];
        match input.read(&mut chunk) {
            Ok(0) => return Ok(None),
            Ok(length) => answer.extend(chunk.iter().take(length)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(parse(&String::from_utf8_lossy(&answer))))
}

/// Forgets what was typed before the question was seen.
pub(super) fn forget_typed(input: impl AsFd) {
    // Not a terminal after all: nothing was typed.
    let _ = rustix::termios::tcflush(input, rustix::termios::QueueSelector::IFlush);
}

fn has_input(input: &impl AsFd) -> io::Result<bool> {
    let mut polled = [PollFd::new(input, PollFlags::IN)];
    match poll(&mut polled, Some(&LOOK_UP_EVERY)) {
        Ok(count) => Ok(count > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn parse(answer: &str) -> Consent {
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Consent::Yes,
        _ => Consent::No,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn consent_to(answer: &[u8]) -> Option<Consent> {
        let (mut reader, mut writer) = io::pipe().expect("a pipe");
        writer.write_all(answer).expect("room in the pipe");
        drop(writer);
        read_consent(&mut reader, &AtomicBool::new(false)).expect("a pipe can be read")
    }

    #[test]
    fn only_yes_is_yes() {
        for answer in ["y\n", "yes\n", " YES \r\n"] {
            assert_eq!(consent_to(answer.as_bytes()), Some(Consent::Yes), "{answer:?}");
        }
        for answer in ["\n", "n\n", "yep\n", "yes please\n", "\u{3}\n"] {
            assert_eq!(consent_to(answer.as_bytes()), Some(Consent::No), "{answer:?}");
        }
        assert_eq!(consent_to(b"\xff\n"), Some(Consent::No));
    }

    #[test]
    fn an_answer_without_its_line_end_is_none() {
        assert_eq!(consent_to(b""), None);
        assert_eq!(consent_to(b"y"), None);
    }

    #[test]
    fn an_interruption_ends_the_question() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let interrupted = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| read_consent(&mut reader, &interrupted));
            interrupted.store(true, Ordering::Relaxed);
            let consent = asking.join().expect("no panic").expect("a pipe can be read");
            assert_eq!(consent, None);
        });
        drop(writer);
    }

    #[test]
    fn an_endless_line_is_no_answer() {
        assert_eq!(consent_to(&[b'y'; LONGEST + 1]), Some(Consent::No));
    }
}
