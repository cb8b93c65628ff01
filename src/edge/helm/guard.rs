//! The way that a child process is started so that it cannot outlive us unseen.
//!
//! Linux sends a process a signal of its choice when its parent dies (`PR_SET_PDEATHSIG`), even by SIGKILL. Only the
//! process itself can ask for it, so each child is first our own program again, with the hidden command
//! [`EXEC_COMMAND`]: it asks, makes sure that the parent is still there, and becomes the program that was wanted.
//!
//! The kernel means the parent *thread*: children must be started from a thread that lives as long as the process. That
//! holds because the async runtime is a current-thread one on the main thread. On systems without the call (macOS) a
//! child of a killed parent runs on.
//!
//! Source: prctl(2), `PR_SET_PDEATHSIG`.
//!
//! That reaches one process. A rehearsed command may be a script that starts others, and all of them must go: there our own program
//! stays above them, with the hidden command [`SUPERVISE_COMMAND`]. Its standard input is a pipe whose other end we hold; when that
//! closes, however we ended, it kills its process group. This works on every system.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Pid, Signal};
use thiserror::Error;

/// The hidden command: `csghub __exec PARENT_PID SIGNAL PROGRAM ARGS...`.
pub const EXEC_COMMAND: &str = "__exec";

/// The other hidden command: `csghub __supervise PROGRAM ARGS...`, in a process group of its own.
pub const SUPERVISE_COMMAND: &str = "__supervise";

/// The program did not take our place.
#[derive(Debug, Error)]
pub enum GuardError {
    /// Not called by ourselves.
    #[error("`{EXEC_COMMAND}` and `{SUPERVISE_COMMAND}` are called by csghub alone")]
    Usage,
    /// The parent was gone before the program could be started.
    #[error("the process that wanted `{program}` is gone")]
    ParentGone {
        /// The program.
        program: String,
    },
    /// It was told to stop before the program could be started.
    #[error("told to stop before `{program}` was started")]
    Stopped {
        /// The program.
        program: String,
    },
    /// The system refused.
    #[error("cannot {doing} `{program}`")]
    Refused {
        /// `guard`, `start`, `watch`.
        doing: &'static str,
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
}

/// Returns the words that stand between our own program and the one to start.
pub(super) fn guard_words(on_our_death: Signal) -> [String; 3] {
    [EXEC_COMMAND.to_owned(), std::process::id().to_string(), on_our_death.as_raw().to_string()]
}

/// Becomes the program that `args` name; returns only if that fails. `args` are the words after [`EXEC_COMMAND`]:
/// the process id of the parent, the number of the signal to get at its death, the program and its arguments.
pub fn exec_guarded(args: impl IntoIterator<Item = OsString>) -> GuardError {
    let mut args = args.into_iter();
    let mut next_number = || args.next().and_then(|word| word.to_str()?.parse::<i32>().ok());
    let (parent, signal) = (next_number().and_then(Pid::from_raw), next_number().and_then(Signal::from_named_raw));
    let (Some(parent), Some(signal), Some(program)) = (parent, signal, args.next()) else {
        return GuardError::Usage;
    };
    let name = program.to_string_lossy().into_owned();
    if let Err(source) = ask_for_signal(signal) {
        return GuardError::Refused { doing: "guard", program: name, source };
    }
    // The parent may have died before the request; the signal would then never come.
    if rustix::process::getppid() != Some(parent) {
        return GuardError::ParentGone { program: name };
    }
    let stopped = match heed_signals() {
        Ok(stopped) => stopped,
        Err(source) => return GuardError::Refused { doing: "guard", program: name, source },
    };
    if stopped.load(Ordering::Relaxed) {
        return GuardError::Stopped { program: name };
    }
    let source = Command::new(program).args(args).exec();
    GuardError::Refused { doing: "start", program: name, source }
}

/// Runs the program that `args` name (the words after [`SUPERVISE_COMMAND`]) to its end, and returns its exit code: 128 and the
/// number of the signal if one ended it, as a shell does. When standard input ends before, everything in this process group is
/// killed at once; what the program leaves behind is told to end.
///
/// # Errors
/// [`GuardError`] if the program cannot be started or watched.
pub fn supervise(args: impl IntoIterator<Item = OsString>) -> Result<u8, GuardError> {
    let mut args = args.into_iter();
    let Some(program) = args.next() else { return Err(GuardError::Usage) };
    let group = rustix::process::getpgrp();
    if group != rustix::process::getpid() {
        return Err(GuardError::Usage);
    }
    let name = program.to_string_lossy().into_owned();
    let refused = |doing| {
        let program = name.clone();
        move |source| GuardError::Refused { doing, program, source }
    };
    // The signal at the end is for the others.
    signal_hook::flag::register(signal_hook::consts::SIGTERM, Arc::new(AtomicBool::new(false)))
        .map_err(refused("guard"))?;
    std::thread::spawn(move || {
        let mut rest = [0_u8; 64];
        while io::stdin().read(&mut rest).is_ok_and(|read| read > 0) {}
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    });
    let mut child = Command::new(program).args(args).stdin(Stdio::null()).spawn().map_err(refused("start"))?;
    let status = child.wait().map_err(refused("watch"))?;
    let _ = rustix::process::kill_process_group(group, Signal::TERM);
    let code = status.code().or_else(|| Some(status.signal()?.saturating_add(128)));
    Ok(code.and_then(|code| code.try_into().ok()).unwrap_or(1))
}

/// Gives SIGINT and SIGTERM their effect back: a shell starts its background jobs with SIGINT ignored, a program that takes our
/// place keeps ignoring it, and Helm would not hear that it must stop. What has a handler instead gets its default effect
/// with the new program (source: execve(2)). Returns whether one came since.
fn heed_signals() -> io::Result<Arc<AtomicBool>> {
    let came = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&came))?;
    }
    Ok(came)
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn ask_for_signal(signal: Signal) -> io::Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(signal))?)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn ask_for_signal(_signal: Signal) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(words: &[&str]) -> String {
        exec_guarded(words.iter().map(OsString::from)).to_string()
    }

    #[test]
    fn nothing_is_started_for_a_parent_that_is_gone() {
        let ourselves = std::process::id().to_string();
        assert_eq!(refusal(&[&ourselves, "15", "/bin/true"]), "the process that wanted `/bin/true` is gone");
    }

    #[test]
    fn the_hidden_command_is_not_for_people() {
        for words in [vec![], vec!["helm"], vec!["1", "2"], vec!["1", "9999", "x"], vec!["0", "2", "x"]] {
            assert_eq!(refusal(&words), "`__exec` and `__supervise` are called by csghub alone", "{words:?}");
        }
        assert!(matches!(supervise([]), Err(GuardError::Usage)));
    }
}
