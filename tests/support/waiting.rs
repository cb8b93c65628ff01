//! Waiting for what comes a moment later: on a busy machine the moment may be long.

use std::thread;
use std::time::{Duration, Instant};

/// How long it may take.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// How long is waited before the next look.
pub const PAUSE: Duration = Duration::from_millis(200);

/// Tries again and again until it goes well, and returns what came of it. If it never does, the last complaint is told.
#[track_caller]
pub fn eventually<T>(mut attempt: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match attempt() {
            Ok(came) => return came,
            Err(complaint) => assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {complaint}"),
        }
        thread::sleep(PAUSE);
    }
}

/// Looks again and again until `is_there` likes what it sees, and returns the last look, whatever it saw: it is the caller who says
/// what is wrong with it.
pub fn last_look<T>(mut look: impl FnMut() -> T, mut is_there: impl FnMut(&T) -> bool) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = look();
        if is_there(&seen) || Instant::now() >= deadline {
            return seen;
        }
        thread::sleep(PAUSE);
    }
}
