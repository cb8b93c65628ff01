//! Helm: the only code that starts `helm`, and any other command that is rehearsed.
//!
//! Short questions ([`Helm::version`], [`Helm::dry_run`], ...) run to their end and are killed when nobody waits for them
//! any more. Operations that change a release ([`Helm::upgrade`], ...) are a [`HelmRun`]: they are watched, interrupted
//! and waited for, and never outlive us unseen. Both start through a guard, see [`exec_guarded`]. A command before the proxy is
//! a [`RehearsedRun`]: it changes nothing, so it is killed with all that it started once nobody watches it.

mod ask;
mod chart;
mod environment;
mod fetch;
mod guard;
mod post_renderer;
mod rehearsed_run;
mod run;
mod tail;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::domain::helm_error::{self, ErrorScene};
use crate::domain::report::Problem;

pub use ask::DryRun;
pub use chart::{PullRequest, PulledChart};
pub use environment::HelmEnvironment;
pub use guard::{EXEC_COMMAND, GuardError, SUPERVISE_COMMAND, exec_guarded, supervise};
pub use post_renderer::{PostRendererError, PostRendering};
pub use rehearsed_run::{RehearsalEntry, RehearsedEnd, RehearsedError, RehearsedRun};
pub use run::{HelmEnd, HelmRun};
pub use tail::{HelmLine, Stream};

/// The user's Helm: a program, and the way to start it.
#[derive(Debug, Clone)]
pub struct Helm {
    program: PathBuf,
    guard: PathBuf,
    environment: HelmEnvironment,
}

/// `helm upgrade`: what to upgrade, to what.
#[derive(Debug, Clone, Copy)]
pub struct UpgradeRequest<'a> {
    /// Name of the release.
    pub release: &'a str,
    /// The pulled chart: folder or archive.
    pub chart: &'a Path,
    /// Flags for Helm, from [`crate::domain::helm_flags::HelmArgs::upgrade_words`].
    pub flags: &'a [String],
}

/// Helm could not be found, started or understood, or it failed.
#[derive(Debug, Error)]
pub enum HelmError {
    /// No such program.
    #[error("no program `{name}`, neither as a path nor on PATH")]
    NotFound {
        /// As `HELM_BIN` named it.
        name: String,
    },
    /// Our own program cannot be named, so that nothing can be started through it.
    #[error("cannot find the program file of this process")]
    NoGuard(#[source] io::Error),
    /// It cannot be started, watched or signalled.
    #[error("cannot {doing} `helm {verb}`")]
    Process {
        /// `start`, `watch`, `signal`.
        doing: &'static str,
        /// The command.
        verb: &'static str,
        /// Why.
        source: io::Error,
    },
    /// It ended with an error.
    #[error("`helm {verb}` failed ({status})")]
    Failed {
        /// The command.
        verb: &'static str,
        /// `exit status: 1`, `signal: 9 (SIGKILL)`.
        status: String,
        /// Its error, explained.
        problems: Vec<Problem>,
        /// All of its standard error, for the run folder: may hold secrets.
        stderr: String,
    },
    /// It ended well but its answer makes no sense.
    #[error("`helm {verb}` answered something unexpected: {what}")]
    Answer {
        /// The command.
        verb: &'static str,
        /// What was expected, or what was found.
        what: String,
    },
    /// The release in its answer does not decode.
    #[error("the release in the answer of `helm {verb}` does not decode")]
    Release {
        /// The command.
        verb: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// A file or folder cannot be read or written.
    #[error("cannot {doing} `{}`", path.display())]
    File {
        /// `read`, `copy`, `create`.
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What was named is no chart.
    #[error("`{chart}` is no chart: {because}")]
    NoChart {
        /// As the user named it.
        chart: String,
        /// What is missing or wrong.
        because: String,
    },
}

impl Helm {
    /// Returns the Helm that `helm_bin` names: Helm sets `HELM_BIN` to its own `argv[0]` verbatim, so a name without a slash
    /// is looked up in `search_path` (the value of PATH), any other is taken from `cwd`.
    ///
    /// # Errors
    /// [`HelmError::NotFound`], and [`HelmError::NoGuard`] if this process cannot tell its own program file.
    pub fn locate(helm_bin: &OsStr, cwd: &Path, search_path: &OsStr) -> Result<Self, HelmError> {
        let program = find_program(helm_bin, cwd, search_path)?;
        let guard = std::env::current_exe().map_err(HelmError::NoGuard)?;
        Ok(Self { program, guard, environment: HelmEnvironment::default() })
    }

    /// Returns the same Helm, started through another program file that answers [`EXEC_COMMAND`].
    #[must_use]
    pub fn with_guard(mut self, guard: PathBuf) -> Self {
        self.guard = guard;
        self
    }

    /// Returns the same Helm with other environment variables for its processes.
    #[must_use]
    pub fn with_environment(mut self, environment: HelmEnvironment) -> Self {
        self.environment = environment;
        self
    }

    /// Returns the program file, absolute if the working directory was.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Returns what Helm's standard error says, with the names that Helm leaves out.
    fn explain(&self, stderr: &str, release: &str) -> Vec<Problem> {
        let namespace = self.environment.namespace();
        helm_error::explain(stderr, &ErrorScene { release, namespace: &namespace })
    }

    /// Returns `helm WORDS...`, ready to start in a process group of its own: a Ctrl-C of the terminal then reaches us
    /// alone, and we decide. Standard input is empty. `on_our_death` is what Helm gets if we are killed.
    fn command(&self, words: &[OsString], on_our_death: rustix::process::Signal) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(&self.guard);
        command.args(guard::guard_words(on_our_death)).arg(&self.program).args(words);
        command.process_group(0).stdin(std::process::Stdio::null());
        self.environment.apply_to(command.as_std_mut());
        command
    }
}

/// Returns the program file of that name: one without a slash is looked up in `search_path`, any other is taken from `cwd`.
fn find_program(name: &OsStr, cwd: &Path, search_path: &OsStr) -> Result<PathBuf, HelmError> {
    let named = Path::new(name);
    let found = if named.components().count() > 1 || named.is_absolute() {
        Some(cwd.join(named)).filter(|path| is_program(path))
    } else {
        std::env::split_paths(search_path).map(|folder| cwd.join(folder).join(named)).find(|path| is_program(path))
    };
    found.ok_or_else(|| HelmError::NotFound { name: name.to_string_lossy().into_owned() })
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with_helm() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("bin")).expect("bin");
        let program = folder.path().join("bin/helm");
        std::fs::write(&program, "#!/bin/sh\n").expect("a file");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("mode");
        std::fs::write(folder.path().join("helm"), "no program").expect("a file");
        folder
    }

    #[test]
    fn a_bare_name_is_looked_up_on_the_path() {
        let folder = folder_with_helm();
        let path = std::env::join_paths([folder.path(), &folder.path().join("bin")]).expect("a path list");
        let helm = Helm::locate(OsStr::new("helm"), Path::new("/"), &path).expect("found");
        assert_eq!(helm.program(), folder.path().join("bin/helm"), "a file that cannot be run is passed over");
    }

    #[test]
    fn a_relative_name_is_taken_from_the_working_directory() {
        let folder = folder_with_helm();
        let helm = Helm::locate(OsStr::new("./bin/helm"), folder.path(), OsStr::new("")).expect("found");
        assert_eq!(helm.program(), folder.path().join("bin/helm"));
        let missing =
            Helm::locate(OsStr::new("./helm"), folder.path(), OsStr::new("/usr/bin")).expect_err("no program");
        assert_eq!(missing.to_string(), "no program `./helm`, neither as a path nor on PATH");
    }
}
