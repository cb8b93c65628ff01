//! Programs that a test writes.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes a program by a process of its own: a file that we have open for writing while another test's thread forks is busy until
/// that child has become its program, and cannot be started ("text file busy").
pub(crate) fn executable(path: &Path, text: &str) {
    let mut child = Command::new("sh")
        .args(["-c", "cat >\"$1\" && chmod 755 \"$1\"", "sh"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("sh starts");
    child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("a program");
    assert!(child.wait().expect("sh ends").success());
}

/// Writes a script of `sh`.
pub(crate) fn script(path: &Path, lines: &str) {
    executable(path, &format!("#!/bin/sh\n{lines}\n"));
}
