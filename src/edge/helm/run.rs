//! A running Helm that changes a release: watched line by line, interrupted once, always waited for.
//!
//! Its output goes to files, see `tail`: if we are killed, a pipe would break, and Helm, told to stop, would die of its own next
//! line (Go ends a program that writes to a broken pipe on standard output) before it has marked the revision failed.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal};
use tokio::process::Child;
use tokio::time::Instant;

use super::ask::upgrade_words;
use super::tail::{HelmLine, Tails};
use super::{Helm, HelmError, UpgradeRequest};
use crate::domain::report::Problem;

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
    tails: Tails,
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
        let (tails, out, err) = Tails::create(log_folder, &format!("helm-{verb}"))?;
        let mut command = self.command(words, on_our_death);
        command.stdout(out).stderr(err);
        let child = command.spawn().map_err(failed)?;
        let pid = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        Ok(HelmRun {
            helm: self.clone(),
            release: release.to_owned(),
            verb,
            child,
            pid,
            tails,
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
        self.tails.files()
    }

    /// Waits for the next line; nothing once Helm has ended and every line was returned. May be dropped and called again.
    ///
    /// # Errors
    /// [`HelmError`] if a file cannot be read or the process cannot be waited for.
    pub async fn next_line(&mut self) -> Result<Option<HelmLine>, HelmError> {
        self.tails.follow(&mut self.child, &mut self.status, self.verb).await
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
            let stderr = self.tails.kept_err();
            HelmEnd {
                status,
                was_interrupted: self.was_interrupted,
                problems: if status.success() { Vec::new() } else { self.helm.explain(&stderr, &self.release) },
                stdout: self.tails.kept_out(),
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
