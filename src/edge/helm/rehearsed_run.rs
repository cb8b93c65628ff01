//! A rehearsed command: Helm or any other program, with nothing in reach but the proxy.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal};
use thiserror::Error;
use tokio::process::{Child, ChildStdin};

use super::guard::SUPERVISE_COMMAND;
use super::tail::{HelmLine, Tails};
use super::{Helm, HelmError, find_program};
use crate::domain::rehearsed::command::{self, RefusedWord};

/// What is shown for the command in errors.
const VERB: &str = "(rehearsed)";

/// Where a rehearsed command goes in: what the proxy offers.
#[derive(Debug, Clone, Copy)]
pub struct RehearsalEntry<'a> {
    /// The proxy's kubeconfig.
    pub kubeconfig: &'a Path,
    /// A folder of the run's own for client-go's discovery cache.
    pub cache_folder: &'a Path,
}

/// A rehearsed command could not be started.
#[derive(Debug, Error)]
pub enum RehearsedError {
    /// It would not stay within the rehearsal.
    #[error(transparent)]
    Refused(#[from] RefusedWord),
    /// There is no word at all.
    #[error("there is no command to rehearse")]
    Empty,
    /// It cannot be found, started or watched.
    #[error(transparent)]
    Helm(#[from] HelmError),
}

/// How a rehearsed command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RehearsedEnd {
    /// Exit status: 128 and the number of the signal if one ended it.
    pub status: ExitStatus,
    /// The newest 4 MiB of standard output. May hold secrets.
    pub stdout: String,
    /// The newest 4 MiB of standard error. May hold secrets.
    pub stderr: String,
}

/// A rehearsed command that runs. Dropped, or if we are killed, it is killed with everything that it started and that has stayed
/// in its process group: it changes nothing, so nothing is left half done.
#[derive(Debug)]
pub struct RehearsedRun {
    child: Child,
    group: Option<Pid>,
    /// Closed when we end, however that is: the supervisor then ends the group.
    _alive: Option<ChildStdin>,
    tails: Tails,
    status: Option<ExitStatus>,
}

impl Helm {
    /// Starts a rehearsed command, program first: this Helm's own file, or any program that honours KUBECONFIG. A name without a
    /// slash is looked up on PATH. It gets Helm's environment, in which nothing leads to a cluster but `entry`; standard input is
    /// empty; what it writes goes to new files `rehearsed.N.out` and `.err` in `log_folder`, mode 0600.
    ///
    /// # Errors
    /// [`RehearsedError`]; nothing runs then.
    pub fn rehearse(
        &self,
        entry: RehearsalEntry<'_>,
        words: &[String],
        log_folder: &Path,
    ) -> Result<RehearsedRun, RehearsedError> {
        let words = command::scrub(words)?;
        let (name, arguments) = words.split_first().ok_or(RehearsedError::Empty)?;
        command::check_driver(&self.environment.driver())?;
        let failed = |source| HelmError::Process { doing: "start", verb: VERB, source };
        let cwd = std::env::current_dir().map_err(failed)?;
        let program = find_program(OsStr::new(name), &cwd, &std::env::var_os("PATH").unwrap_or_default())?;
        let environment = self.environment.clone().rehearsed(entry.kubeconfig, entry.cache_folder, std::env::vars_os());
        let (tails, out, err) = Tails::create(log_folder, "rehearsed")?;
        let mut command = tokio::process::Command::new(&self.guard);
        command.arg(SUPERVISE_COMMAND).arg(program).args(arguments);
        command.process_group(0).stdin(Stdio::piped()).stdout(out).stderr(err);
        environment.apply_to(command.as_std_mut());
        let mut child = command.spawn().map_err(failed)?;
        let group = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let alive = child.stdin.take();
        Ok(RehearsedRun { child, group, _alive: alive, tails, status: None })
    }
}

impl RehearsedRun {
    /// Returns the files that hold all of standard output and standard error.
    pub fn log_files(&self) -> [&Path; 2] {
        self.tails.files()
    }

    /// Waits for the next line; nothing once the command has ended and every line was returned. May be dropped and called again.
    ///
    /// # Errors
    /// [`HelmError`] if a file cannot be read or the process cannot be waited for.
    pub async fn next_line(&mut self) -> Result<Option<HelmLine>, HelmError> {
        self.tails.follow(&mut self.child, &mut self.status, VERB).await
    }

    /// Waits until the command has ended. Lines that were not asked for are dropped.
    ///
    /// # Errors
    /// As [`Self::next_line`].
    pub async fn wait(&mut self) -> Result<RehearsedEnd, HelmError> {
        loop {
            if self.next_line().await?.is_none()
                && let Some(status) = self.status
            {
                return Ok(RehearsedEnd { status, stdout: self.tails.kept_out(), stderr: self.tails.kept_err() });
            }
        }
    }
}

impl Drop for RehearsedRun {
    fn drop(&mut self) {
        // Once its end was seen the number may be another's.
        if let (None, Some(group)) = (self.status, self.group) {
            // Nobody is left to hear of a failure.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
    }
}
