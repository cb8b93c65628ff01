//! An error that ends a command: what, because of what, what helps. Printed once.

use serde::Serialize;

use super::findings::help_lines;
use super::layout::{cut, hang_at, text_of};
use super::style::Style;
use crate::domain::report::{ExitStatus, REPORT_FORMAT};

/// Rows that one line of a chain may take: Helm's errors can be long, and are kept whole in the run folder.
const ROWS: usize = 6;

/// An error that ends a command, with the exit status and what helps.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong.
    pub error: anyhow::Error,
    /// How the command ends.
    pub exit: ExitStatus,
    /// What helps, one sentence or command each.
    pub hints: Vec<String>,
}

impl Failure {
    /// Returns a failure without hints.
    #[must_use]
    pub fn new(exit: ExitStatus, error: impl Into<anyhow::Error>) -> Self {
        Self { error: error.into(), exit, hints: Vec::new() }
    }

    /// Adds something that helps.
    #[must_use]
    pub fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Returns the error, then its causes, each in its own words.
    #[must_use]
    pub fn chain(&self) -> Vec<String> {
        self.error.chain().map(ToString::to_string).collect()
    }

    /// Returns the JSON document: `format`, `error`, `because`, `hints`, `exit` by name, and `exit_code`.
    ///
    /// # Errors
    /// None in practice: it is plain data.
    pub fn document(&self) -> serde_json::Result<serde_json::Value> {
        #[derive(Serialize)]
        struct Document {
            format: u32,
            error: String,
            because: Vec<String>,
            hints: Vec<String>,
            exit: ExitStatus,
            exit_code: u8,
        }
        let mut chain = told_once(&self.chain()).into_iter();
        serde_json::to_value(Document {
            format: REPORT_FORMAT,
            error: chain.next().unwrap_or_default(),
            because: chain.collect(),
            hints: self.hints.clone(),
            exit: self.exit,
            exit_code: self.exit.code(),
        })
    }
}

/// An error that nothing foresaw.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(ExitStatus::Unexpected, error)
    }
}

/// Returns the lines for an error: `chain` is the error and its causes, outermost first.
#[must_use]
pub fn render_error(chain: &[String], hints: &[String], style: &Style) -> String {
    let style = *style;
    let mut lines = Vec::new();
    for (index, text) in told_once(chain).iter().enumerate() {
        let (first, indent) =
            if index == 0 { (format!("{} ", style.failure("error:")), 2) } else { ("  because: ".to_owned(), 4) };
        lines.extend(cut(style, hang_at(style, &first, indent, text), ROWS));
    }
    for hint in hints {
        lines.extend(help_lines(style, 0, hint));
    }
    text_of(&lines)
}

/// Drops each cause that the line above it already tells, as errors do that end with their source's text.
fn told_once(chain: &[String]) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for text in chain {
        let text = text.trim();
        let is_told = told.last().is_some_and(|above| above.contains(text));
        if !is_told {
            told.push(text.to_owned());
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::super::gallery::gallery;
    use super::*;

    fn failure() -> Failure {
        let error = Err::<(), _>(anyhow!("secrets is forbidden: User \"ci\" cannot list resource \"secrets\" in the namespace \"shop\""))
            .context("ApiError: secrets is forbidden: User \"ci\" cannot list resource \"secrets\" in the namespace \"shop\" (403)")
            .context("cannot read the Secrets where Helm keeps release `shop`")
            .expect_err("it is an error");
        Failure::new(ExitStatus::Blocked, error).hinted(
            "give the user the verb: `kubectl -n shop create rolebinding ci-secrets --clusterrole=admin --user=ci`",
        )
    }

    #[test]
    fn a_cause_that_the_line_above_tells_is_dropped() {
        insta::assert_snapshot!(gallery(|style| render_error(&failure().chain(), &failure().hints, style)));
    }

    #[test]
    fn a_wall_of_text_is_cut() {
        let style = Style { width: 80, colour: false, unicode: true };
        let text = render_error(&["helm failed".into(), "a wall of text ".repeat(1500)], &[], &style);
        assert_eq!(text.lines().count(), 1 + ROWS);
        assert!(text.ends_with(" …\n"), "{text}");
    }

    #[test]
    fn the_document_says_the_same_as_the_text() {
        insta::assert_snapshot!(
            serde_json::to_string_pretty(&failure().document().expect("plain data")).expect("json")
        );
    }

    #[test]
    fn an_error_that_nothing_foresaw_ends_with_1() {
        assert_eq!(Failure::from(anyhow!("odd")).exit.code(), 1);
    }
}
