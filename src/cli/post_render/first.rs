//! The user's own post-renderer: Helm allows one, so that ours runs it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::domain::post_rendering::{FIRST_VARIABLE, FOLDER_VARIABLE, FirstRenderer, MODE_VARIABLE, RULES_VARIABLE};

/// How much of its complaint is told, in characters from the end.
const COMPLAINT: usize = 600;

/// Returns what it makes of the manifests.
///
/// # Errors
/// It cannot be started, ends badly, or writes nothing: the error names it and shows the end of its complaint.
pub(super) fn run(first: &FirstRenderer, input: &[u8]) -> anyhow::Result<Vec<u8>> {
    let name = &first.name;
    let mut child = Command::new(&first.program)
        .args(&first.arguments)
        .envs(&first.environment)
        // It may be ours again, as an ordinary post-renderer: the order of this run is not for it.
        .env_remove(MODE_VARIABLE)
        .env_remove(FOLDER_VARIABLE)
        .env_remove(FIRST_VARIABLE)
        .env_remove(RULES_VARIABLE)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start your post-renderer `{name}`"))?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // It may end, or stop reading, before all is written: its exit code tells whether that is well.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
        child.wait_with_output()
    });
    let output = output.with_context(|| format!("wait for your post-renderer `{name}`"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    let complaint = complaint.trim();
    if !output.status.success() {
        let skipped = complaint.chars().count().saturating_sub(COMPLAINT);
        let shown: String = complaint.chars().skip(skipped).collect();
        bail!("your post-renderer `{name}` ended with {}: {shown}", output.status);
    }
    if output.stdout.trim_ascii().is_empty() {
        bail!("your post-renderer `{name}` wrote nothing");
    }
    Ok(output.stdout)
}
