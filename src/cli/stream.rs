//! Standard input and output as streams of data: manifests, and texts that are files. Messages and results are the terminal's.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd;

use anyhow::Context as _;

use crate::domain::report::ExitStatus;
use crate::edge::terminal::Failure;

/// Returns standard input without the library's buffer, which would only copy.
///
/// # Errors
/// It is closed.
pub(super) fn input() -> Result<File, Failure> {
    file(io::stdin()).context("read standard input").map_err(|error| Failure::new(ExitStatus::Unexpected, error))
}

/// Returns standard output without the library's buffer.
///
/// # Errors
/// It is closed.
pub(super) fn output() -> Result<File, Failure> {
    file(io::stdout()).context("write to standard output").map_err(|error| Failure::new(ExitStatus::Unexpected, error))
}

/// Bytes that a pipe is asked to hold, 16 times as many as by itself: whoever is at its other end then waits less.
///
/// Source: `pipe(7)`: as many as anybody may ask for (`/proc/sys/fs/pipe-max-size`).
const PIPE: usize = 1024 * 1024;

fn file(stream: impl AsFd) -> io::Result<File> {
    let file = File::from(stream.as_fd().try_clone_to_owned()?);
    // What is no pipe, or may not grow, does as well.
    #[cfg(target_os = "linux")]
    let _ = rustix::pipe::fcntl_setpipe_size(&file, PIPE);
    Ok(file)
}

/// Writes all of it to standard output.
///
/// # Errors
/// It is closed, or full.
pub(super) fn write(bytes: &[u8]) -> Result<(), Failure> {
    output()?
        .write_all(bytes)
        .context("write to standard output")
        .map_err(|error| Failure::new(ExitStatus::Unexpected, error))
}
