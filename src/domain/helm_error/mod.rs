//! Helm's walls of text, explained: what is wrong with which field of which object, and what helps.
//!
//! Helm prints the API server's answers as they come, joined by ` && `, dumps of whole pod templates included (20 kB and
//! more). Known sentences are taken apart; of anything else only the first line is kept, cut short. What Helm said in full
//! belongs into the run folder.

mod sentences;
mod server;
mod wall;

pub use sentences::{MISSING_KIND_REMEDY, missing_kinds};
pub(crate) use server::{is_about_immutability, parse_right, remedy_for_immutable, told_briefly, wrong_go_type};
pub(crate) use wall::{between, quoted, split_top, without_value};

use super::report::Problem;

/// A cause is never longer than this, in characters.
const CAUSE_LIMIT: usize = 200;

/// What Helm was doing when it failed: it often leaves out names that the remedy needs. Empty where not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ErrorScene<'a> {
    /// Name of the release.
    pub release: &'a str,
    /// Namespace of the release.
    pub namespace: &'a str,
}

impl ErrorScene<'_> {
    /// Returns ` -n NAMESPACE` for a command; empty where the namespace is not known.
    fn namespace_flag(&self) -> String {
        if self.namespace.is_empty() { String::new() } else { format!(" -n {}", self.namespace) }
    }

    /// Returns what is to blame where no object is: `release shop`.
    fn release_object(&self) -> String {
        if self.release.is_empty() { "release".to_owned() } else { format!("release {}", self.release) }
    }
}

/// Returns what went wrong, each thing once, in Helm's order; never empty unless `text` is. `text` is Helm's standard
/// error, or the description of a failed revision.
pub fn explain(text: &str, scene: &ErrorScene<'_>) -> Vec<Problem> {
    let message = error_message(text);
    if message.is_empty() {
        return Vec::new();
    }
    let mut problems: Vec<Problem> = Vec::new();
    for problem in sentences::explain_message(&message, scene) {
        let is_known = problems.iter().any(|known| {
            (&known.object, &known.field, &known.cause) == (&problem.object, &problem.field, &problem.cause)
        });
        if !is_known {
            problems.push(problem);
        }
    }
    problems
}

/// Returns Helm's last word without its log lines and without the words that say only that it failed.
fn error_message(text: &str) -> String {
    const FAILED: [&str; 3] = ["Error: UPGRADE FAILED: ", "Error: INSTALLATION FAILED: ", "Error: ROLLBACK FAILED: "];
    let lines: Vec<&str> = text.lines().filter(|line| !is_log_line(line)).collect();
    let start = lines
        .iter()
        .rposition(|line| FAILED.iter().any(|failed| line.starts_with(failed)))
        .or_else(|| lines.iter().position(|line| line.starts_with("Error: ") || line.starts_with("error: ")));
    let message = lines.get(start.unwrap_or(0)..).unwrap_or_default().join("\n");
    let mut message = message.trim();
    for prefix in FAILED.into_iter().chain(["Error: ", "error: "]) {
        message = message.strip_prefix(prefix).unwrap_or(message);
    }
    // The description of a revision: `Upgrade "shop" failed: ...`.
    if let Some((head, rest)) = message.split_once("\" failed: ")
        && ["Upgrade \"", "Release \"", "Rollback \""].iter().any(|word| head.starts_with(word))
        && !head.contains('\n')
    {
        message = rest;
    }
    message.trim().to_owned()
}

/// Tells whether the line is a notice: structured logs (Helm 4), klog (`W1121 12:49:09.8 ...`), warnings.
fn is_log_line(line: &str) -> bool {
    let is_klog = || {
        let mut letters = line.chars();
        letters.next().is_some_and(|c| "IWEF".contains(c))
            && letters.by_ref().take(4).filter(char::is_ascii_digit).count() == 4
            && letters.next() == Some(' ')
    };
    line.starts_with("level=") || line.starts_with("WARNING: ") || line.starts_with("Warning: ") || is_klog()
}

/// Returns the text on one line, at most [`CAUSE_LIMIT`] characters long.
pub(crate) fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= CAUSE_LIMIT {
        return line;
    }
    let mut cut: String = line.chars().take(CAUSE_LIMIT - 4).collect();
    cut.push_str(" ...");
    cut
}

#[cfg(test)]
mod tests;
