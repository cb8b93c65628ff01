//! Who runs us, and whether such a process still lives.

use std::fmt;
use std::fs;
use std::str::FromStr;

/// A process of some machine, so that another can tell whether it is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Login name.
    pub user: String,
    /// Host name.
    pub host: String,
    /// Process id.
    pub pid: u32,
    /// Id of the boot: a pid of an earlier boot is gone.
    pub boot_id: String,
    /// When the process started, in clock ticks since boot: pids are used again.
    pub start_ticks: u64,
}

impl Identity {
    /// Returns this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        let pid = std::process::id();
        let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
        Self {
            user: plain(&user.unwrap_or_else(|_| format!("uid{}", rustix::process::getuid().as_raw()))),
            host: plain(&rustix::system::uname().nodename().to_string_lossy()),
            pid,
            boot_id: boot_id(),
            start_ticks: start_ticks(pid).unwrap_or(0),
        }
    }

    /// Tells whether the process is proven gone: same machine, and another boot, or no such process.
    /// False means no more than "not proven".
    #[must_use]
    pub fn is_proven_gone(&self) -> bool {
        let here = Self::of_this_process();
        if self.host != here.host || here.boot_id.is_empty() {
            return false;
        }
        self.boot_id != here.boot_id || !is_process_alive(self.pid, self.start_ticks)
    }

    /// Returns `user@host`, for people.
    #[must_use]
    pub fn who(&self) -> String {
        format!("{}@{}", self.user, self.host)
    }
}

/// Writes `user@host/pid/boot/start`.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}/{}/{}/{}", self.user, self.host, self.pid, self.boot_id, self.start_ticks)
    }
}

impl FromStr for Identity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || -> Option<Self> {
            let mut parts = text.split('/');
            let (user, host) = parts.next()?.split_once('@')?;
            let pid = parts.next()?.parse().ok()?;
            let boot_id = parts.next()?.to_owned();
            let start_ticks = parts.next()?.parse().ok()?;
            if parts.next().is_some() {
                return None;
            }
            Some(Self { user: user.to_owned(), host: host.to_owned(), pid, boot_id, start_ticks })
        };
        parse().ok_or_else(|| format!("`{text}` names no process of ours"))
    }
}

/// Tells whether a process of that pid and start time lives on this machine. Without `/proc` the answer is yes: nothing is proven.
#[must_use]
pub fn is_process_alive(pid: u32, ticks: u64) -> bool {
    if !fs::exists("/proc/self/stat").unwrap_or(false) {
        return true;
    }
    start_ticks(pid) == Some(ticks)
}

/// Returns when a living process started, in clock ticks since boot; nothing if there is none, or if it is a zombie.
///
/// Source: proc(5), `/proc/pid/stat` fields 3 and 22; field 2 is in parentheses and may hold any character.
#[must_use]
pub fn start_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// Keeps what the text form uses as separators out of its parts.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_survives_its_text() {
        let here = Identity::of_this_process();
        assert_eq!(here.to_string().parse::<Identity>(), Ok(here));
    }

    #[test]
    fn a_process_of_another_boot_or_start_is_gone_and_one_of_another_host_is_not_proven() {
        let here = Identity::of_this_process();
        assert!(!here.is_proven_gone());
        assert!(Identity { boot_id: "other".into(), ..here.clone() }.is_proven_gone());
        assert!(Identity { start_ticks: here.start_ticks + 1, ..here.clone() }.is_proven_gone());
        assert!(!Identity { host: "elsewhere".into(), ..here }.is_proven_gone());
    }

    #[test]
    fn foreign_text_is_no_identity() {
        for text in ["", "alice", "a@b/1/2", "a@b/x/boot/3", "a@b/1/boot/3/4"] {
            assert!(text.parse::<Identity>().is_err(), "{text}");
        }
    }
}
