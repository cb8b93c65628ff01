//! What a program writes, read behind it line by line.
//!
//! It writes to files, not to pipes: a pipe would break if we are killed, and what it says after our death is then there to be
//! read.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use tokio::process::Child;

use super::HelmError;

/// The most that is kept in memory of one stream, in bytes, newest kept; the file holds all.
const KEPT_BYTES: usize = 4 * 1024 * 1024;

/// How often the files are looked at while a program runs.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A line longer than this, in bytes, is handed on in pieces.
const LINE_LIMIT_BYTES: usize = 64 * 1024;

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// A line that a program wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelmLine {
    /// Where it came from.
    pub stream: Stream,
    /// Without its line end. May hold secrets.
    pub text: String,
}

/// Both streams of one program.
#[derive(Debug)]
pub(super) struct Tails {
    out: Tail,
    err: Tail,
    lines: VecDeque<HelmLine>,
}

impl Tails {
    /// Creates the next free pair of files `STEM.N.out` and `.err` in `folder`, mode 0600; returns them for the program.
    ///
    /// # Errors
    /// [`HelmError::File`].
    pub(super) fn create(folder: &Path, stem: &str) -> Result<(Self, File, File), HelmError> {
        let (out, err) = create_log_files(folder, stem)?;
        let tails =
            Self { out: Tail::open(out.0, Stream::Out)?, err: Tail::open(err.0, Stream::Err)?, lines: VecDeque::new() };
        Ok((tails, out.1, err.1))
    }

    /// Waits for the next line of `child`; nothing once it has ended, with its `status` kept, and every line was returned. May be
    /// dropped and called again.
    ///
    /// # Errors
    /// [`HelmError`] if a file cannot be read or the process cannot be waited for.
    pub(super) async fn follow(
        &mut self,
        child: &mut Child,
        status: &mut Option<ExitStatus>,
        verb: &'static str,
    ) -> Result<Option<HelmLine>, HelmError> {
        loop {
            // What was written before the end must be read after it was seen.
            let has_ended = status.is_some();
            if let Some(line) = self.next_line(has_ended)? {
                return Ok(Some(line));
            }
            if has_ended {
                return Ok(None);
            }
            tokio::select! {
                ended = child.wait() => {
                    *status = Some(ended.map_err(|source| HelmError::Process { doing: "watch", verb, source })?);
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Returns the files of standard output and standard error.
    pub(super) fn files(&self) -> [&Path; 2] {
        [&self.out.path, &self.err.path]
    }

    /// Returns the next line that is there; with `has_ended` also the last one without its end.
    ///
    /// # Errors
    /// [`HelmError::File`].
    pub(super) fn next_line(&mut self, has_ended: bool) -> Result<Option<HelmLine>, HelmError> {
        if self.lines.is_empty() {
            self.out.read_into(&mut self.lines, has_ended)?;
            self.err.read_into(&mut self.lines, has_ended)?;
        }
        Ok(self.lines.pop_front())
    }

    /// Returns the newest 4 MiB of standard output.
    pub(super) fn kept_out(&self) -> String {
        self.out.kept_text()
    }

    /// Returns the newest 4 MiB of standard error.
    pub(super) fn kept_err(&self) -> String {
        self.err.kept_text()
    }
}

type LogFile = (PathBuf, File);

/// Creates the next free pair of files.
fn create_log_files(folder: &Path, stem: &str) -> Result<(LogFile, LogFile), HelmError> {
    let create = |path: &Path| OpenOptions::new().append(true).create_new(true).mode(0o600).open(path);
    let mut number = 1_u32;
    loop {
        let out = folder.join(format!("{stem}.{number}.out"));
        match create(&out) {
            Ok(out_file) => {
                let err = folder.join(format!("{stem}.{number}.err"));
                let err_file =
                    create(&err).map_err(|source| HelmError::File { doing: "create", path: err.clone(), source })?;
                return Ok(((out, out_file), (err, err_file)));
            }
            Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(source) => return Err(HelmError::File { doing: "create", path: out, source }),
        }
    }
}

/// Reads behind the writer of a file.
#[derive(Debug)]
struct Tail {
    path: PathBuf,
    file: File,
    stream: Stream,
    unfinished: Vec<u8>,
    kept: VecDeque<u8>,
}

impl Tail {
    fn open(path: PathBuf, stream: Stream) -> Result<Self, HelmError> {
        match File::open(&path) {
            Ok(file) => Ok(Self { path, file, stream, unfinished: Vec::new(), kept: VecDeque::new() }),
            Err(source) => Err(HelmError::File { doing: "read", path, source }),
        }
    }

    /// Appends the lines that were written since; with `is_last` also the unfinished one.
    fn read_into(&mut self, lines: &mut VecDeque<HelmLine>, is_last: bool) -> Result<(), HelmError> {
        let mut fresh = Vec::new();
        self.file.read_to_end(&mut fresh).map_err(|source| HelmError::File {
            doing: "read",
            path: self.path.clone(),
            source,
        })?;
        self.kept.extend(&fresh);
        self.kept.drain(..self.kept.len().saturating_sub(KEPT_BYTES));
        for byte in fresh {
            if byte == b'\n' {
                self.finish_line(lines);
            } else {
                self.unfinished.push(byte);
                if self.unfinished.len() >= LINE_LIMIT_BYTES {
                    self.finish_line(lines);
                }
            }
        }
        if is_last && !self.unfinished.is_empty() {
            self.finish_line(lines);
        }
        Ok(())
    }

    fn finish_line(&mut self, lines: &mut VecDeque<HelmLine>) {
        let line = std::mem::take(&mut self.unfinished);
        let text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned();
        lines.push_back(HelmLine { stream: self.stream, text });
    }

    fn kept_text(&self) -> String {
        let (front, back) = self.kept.as_slices();
        String::from_utf8_lossy(&[front, back].concat()).into_owned()
    }
}
