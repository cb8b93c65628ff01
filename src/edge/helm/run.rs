//! A running Helm that changes a release: watched line by line, interrupted once, always waited for.
//!
//! Helm writes to files, not to pipes, and we read behind it. If we are killed, a pipe would break, and Helm, told to
//! stop, would die of its own next line (Go ends a program that writes to a broken pipe on standard output) before it
//! has marked the revision failed. Besides, what it says after our death is then there to be read.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::process::Child;
use tokio::time::Instant;

use super::ask::upgrade_words;
use super::{Helm, HelmError, UpgradeRequest};
use crate::domain::report::Problem;

/// How often the files are looked at while Helm runs.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The most that is kept in memory of one stream, in bytes, newest kept; the file holds all.
const KEPT_BYTES: usize = 4 * 1024 * 1024;

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

/// A line that Helm wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelmLine {
    /// Where it came from.
    pub stream: Stream,
    /// Without its line end. May hold secrets.
    pub text: String,
}

/// How Helm ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelmEnd {
    /// Exit status.
    pub status: ExitStatus,
    /// Whether [`HelmRun::interrupt`] was called.
    pub was_interrupted: bool,
    /// Its error, explained; empty if it ended well.
    pub problems: Vec<Problem>,
    /// The newest 4 MiB of standard output. May hold secrets.
    pub stdout: String,
    /// The newest 4 MiB of standard error. May hold secrets.
    pub stderr: String,
}

impl HelmEnd {
    /// Tells whether Helm did what it was asked for.
    pub fn is_success(&self) -> bool {
        self.status.success()
    }
}

/// A running Helm that changes a release.
///
/// Dropped before its end it is interrupted, but not waited for: whoever starts one waits for it.
#[derive(Debug)]
pub struct HelmRun {
    helm: Helm,
    release: String,
    verb: &'static str,
    child: Child,
    pid: Option<Pid>,
    out: Tail,
    err: Tail,
    lines: VecDeque<HelmLine>,
    status: Option<ExitStatus>,
    was_interrupted: bool,
}

impl Helm {
    /// Starts `helm upgrade`. What it writes goes to new files `helm-upgrade.N.out` and `.err` in `log_folder`, mode 0600.
    ///
    /// # Errors
    /// [`HelmError::File`] and [`HelmError::Process`]; nothing runs then.
    pub fn upgrade(&self, request: &UpgradeRequest<'_>, log_folder: &Path) -> Result<HelmRun, HelmError> {
        self.start("upgrade", request.release, &upgrade_words(request), Signal::INT, log_folder)
    }

    /// Starts `helm rollback` to this revision, which is always named: Helm's default may be a failed one. `flags` are for
    /// Helm, such as `--no-hooks`. Files as in [`Helm::upgrade`].
    ///
    /// Helm does not handle signals here: interrupted, it leaves `pending-rollback`, which another rollback clears.
    ///
    /// # Errors
    /// As [`Helm::upgrade`].
    pub fn rollback(
        &self,
        release: &str,
        revision: u32,
        flags: &[String],
        log_folder: &Path,
    ) -> Result<HelmRun, HelmError> {
        let mut words: Vec<OsString> = vec!["rollback".into(), release.into(), revision.to_string().into()];
        words.extend(flags.iter().map(OsString::from));
        self.start("rollback", release, &words, Signal::TERM, log_folder)
    }

    /// Starts `helm uninstall`. `flags` are for Helm, such as `--keep-history`. Files as in [`Helm::upgrade`].
    ///
    /// Helm does not handle signals here: interrupted, it leaves `uninstalling`, which another uninstall clears.
    ///
    /// # Errors
    /// As [`Helm::upgrade`].
    pub fn uninstall(&self, release: &str, flags: &[String], log_folder: &Path) -> Result<HelmRun, HelmError> {
        let mut words: Vec<OsString> = vec!["uninstall".into(), release.into()];
        words.extend(flags.iter().map(OsString::from));
        self.start("uninstall", release, &words, Signal::TERM, log_folder)
    }

    fn start(
        &self,
        verb: &'static str,
        release: &str,
        words: &[OsString],
        on_our_death: Signal,
        log_folder: &Path,
    ) -> Result<HelmRun, HelmError> {
        let failed = |source| HelmError::Process { doing: "start", verb, source };
        let (out, err) = create_log_files(log_folder, verb)?;
        let mut command = self.command(words, on_our_death);
        command.stdout(out.1).stderr(err.1);
        let child = command.spawn().map_err(failed)?;
        let pid = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        Ok(HelmRun {
            helm: self.clone(),
            release: release.to_owned(),
            verb,
            child,
            pid,
            out: Tail::open(out.0, Stream::Out)?,
            err: Tail::open(err.0, Stream::Err)?,
            lines: VecDeque::new(),
            status: None,
            was_interrupted: false,
        })
    }
}

impl HelmRun {
    /// Returns Helm's process id; nothing once it has ended.
    pub fn process_id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Returns the files that hold all of standard output and standard error.
    pub fn log_files(&self) -> [&Path; 2] {
        [&self.out.path, &self.err.path]
    }

    /// Waits for the next line; nothing once Helm has ended and every line was returned. May be dropped and called again.
    ///
    /// # Errors
    /// [`HelmError`] if a file cannot be read or the process cannot be waited for.
    pub async fn next_line(&mut self) -> Result<Option<HelmLine>, HelmError> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Ok(Some(line));
            }
            // What was written before the end must be read after it was seen.
            let has_ended = self.status.is_some();
            self.out.read_into(&mut self.lines, has_ended)?;
            self.err.read_into(&mut self.lines, has_ended)?;
            if !self.lines.is_empty() {
                continue;
            }
            if has_ended {
                return Ok(None);
            }
            tokio::select! {
                status = self.child.wait() => {
                    let verb = self.verb;
                    self.status = Some(status.map_err(|source| HelmError::Process { doing: "watch", verb, source })?);
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Sends Helm SIGINT, once however often it is called: `helm upgrade` then marks the revision failed and ends. Wait for
    /// it all the same: a hook's or `--wait`'s waiting ends at once, a request in flight does not.
    ///
    /// # Errors
    /// [`HelmError::Process`] if the signal cannot be sent.
    pub fn interrupt(&mut self) -> Result<(), HelmError> {
        if self.was_interrupted || self.status.is_some() {
            return Ok(());
        }
        self.was_interrupted = true;
        let Some(pid) = self.pid else { return Ok(()) };
        // A process that has ended but was not waited for yet still takes signals, so the id cannot be another's.
        rustix::process::kill_process(pid, Signal::INT).map_err(|errno| HelmError::Process {
            doing: "signal",
            verb: self.verb,
            source: errno.into(),
        })
    }

    /// Kills Helm and everything that it started, and waits. The last resort: the release is left `pending-*`.
    ///
    /// # Errors
    /// [`HelmError::Process`] if it cannot be killed or waited for.
    pub async fn kill(&mut self) -> Result<(), HelmError> {
        let failed = |source| HelmError::Process { doing: "kill", verb: self.verb, source };
        if self.status.is_none() {
            if let Some(pid) = self.pid {
                rustix::process::kill_process_group(pid, Signal::KILL).map_err(|errno| failed(errno.into()))?;
            }
            self.status = Some(self.child.wait().await.map_err(failed)?);
        }
        Ok(())
    }

    /// Waits until Helm has ended, at most until `deadline`; nothing if it still runs then. Lines that were not asked for
    /// are dropped. May be called again.
    ///
    /// # Errors
    /// As [`Self::next_line`].
    pub async fn wait(&mut self, deadline: Option<Instant>) -> Result<Option<HelmEnd>, HelmError> {
        let drained = async {
            while self.next_line().await?.is_some() {}
            Ok::<(), HelmError>(())
        };
        match deadline {
            None => drained.await?,
            Some(deadline) => match tokio::time::timeout_at(deadline, drained).await {
                Ok(ended) => ended?,
                Err(_) => return Ok(None),
            },
        }
        Ok(self.status.map(|status| {
            let stderr = self.err.kept_text();
            HelmEnd {
                status,
                was_interrupted: self.was_interrupted,
                problems: if status.success() { Vec::new() } else { self.helm.explain(&stderr, &self.release) },
                stdout: self.out.kept_text(),
                stderr,
            }
        }))
    }
}

impl Drop for HelmRun {
    fn drop(&mut self) {
        // Nobody is left to hear of a failure.
        let _ = self.interrupt();
    }
}

type LogFile = (PathBuf, File);

/// Creates the next free pair of files.
fn create_log_files(folder: &Path, verb: &str) -> Result<(LogFile, LogFile), HelmError> {
    let create = |path: &Path| OpenOptions::new().append(true).create_new(true).mode(0o600).open(path);
    let mut number = 1_u32;
    loop {
        let out = folder.join(format!("helm-{verb}.{number}.out"));
        match create(&out) {
            Ok(out_file) => {
                let err = folder.join(format!("helm-{verb}.{number}.err"));
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
