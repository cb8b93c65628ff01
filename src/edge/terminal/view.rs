//! Everything that can be a command's result.

use serde_json::{Map, Value, json};

use super::findings::render_findings;
use super::options::Verbosity;
use super::plan::render_plan;
use super::profiles::render_profiles;
use super::rehearsal::render_rehearsal;
use super::report::render_report;
use super::status::render_status;
use super::style::Style;
use super::verify::render_verify;
use crate::domain::preflight::Finding;
use crate::domain::profile::Profile;
use crate::domain::rehearsed::Rehearsed;
use crate::domain::report::{REPORT_FORMAT, RunReport};
use crate::domain::view::{PlanView, StatusView, VerifyView};

/// What a command can end with, or show before it asks.
#[derive(Debug, Clone, Copy)]
pub enum View<'a> {
    /// How a run ended.
    Report(&'a RunReport),
    /// Answers of the preflight checks.
    Findings(&'a [Finding]),
    /// What would be done.
    Plan(&'a PlanView),
    /// What a rehearsal found.
    Rehearsal(&'a Rehearsed),
    /// Where a release stands.
    Status(&'a StatusView),
    /// How far its objects are.
    Verify(&'a VerifyView),
    /// What is known of products.
    Profiles(&'a [Profile]),
}

impl View<'_> {
    /// Returns the text for people.
    #[must_use]
    pub fn render(self, style: &Style, verbosity: Verbosity) -> String {
        match self {
            View::Report(report) => render_report(report, style, verbosity),
            View::Findings(findings) => render_findings(findings, style, verbosity),
            View::Plan(plan) => render_plan(plan, style, verbosity),
            View::Rehearsal(rehearsed) => render_rehearsal(rehearsed, style, verbosity),
            View::Status(status) => render_status(status, style),
            View::Verify(verify) => render_verify(verify, style, verbosity),
            View::Profiles(profiles) => render_profiles(profiles, style),
        }
    }

    /// Returns the JSON document for programs: the value's own fields, and `format`, its version ([`REPORT_FORMAT`]).
    ///
    /// A report also has `exit_code`, the number of its `exit`. Findings are the list `findings`, profiles the list `profiles`.
    ///
    /// # Errors
    /// None in practice: all of these are plain data with text keys.
    pub fn document(self) -> serde_json::Result<Value> {
        let mut document = Map::from_iter([("format".to_owned(), json!(REPORT_FORMAT))]);
        let fields = match self {
            View::Report(report) => {
                document.insert("exit_code".to_owned(), json!(report.exit.code()));
                serde_json::to_value(report)?
            }
            View::Findings(findings) => json!({ "findings": findings }),
            View::Plan(plan) => serde_json::to_value(plan)?,
            View::Rehearsal(rehearsed) => serde_json::to_value(rehearsed)?,
            View::Status(status) => serde_json::to_value(status)?,
            View::Verify(verify) => serde_json::to_value(verify)?,
            View::Profiles(profiles) => json!({ "profiles": profiles }),
        };
        if let Value::Object(fields) = fields {
            document.extend(fields);
        }
        Ok(Value::Object(document))
    }

    /// Returns the name of this kind of view, for streams that mix them.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            View::Report(_) => "report",
            View::Findings(_) => "findings",
            View::Plan(_) => "plan",
            View::Rehearsal(_) => "rehearsal",
            View::Status(_) => "status",
            View::Verify(_) => "verify",
            View::Profiles(_) => "profiles",
        }
    }
}

impl<'a> From<&'a RunReport> for View<'a> {
    fn from(report: &'a RunReport) -> Self {
        View::Report(report)
    }
}

impl<'a> From<&'a [Profile]> for View<'a> {
    fn from(profiles: &'a [Profile]) -> Self {
        View::Profiles(profiles)
    }
}

impl<'a> From<&'a [Finding]> for View<'a> {
    fn from(findings: &'a [Finding]) -> Self {
        View::Findings(findings)
    }
}

impl<'a> From<&'a Vec<Finding>> for View<'a> {
    fn from(findings: &'a Vec<Finding>) -> Self {
        View::Findings(findings)
    }
}

impl<'a> From<&'a PlanView> for View<'a> {
    fn from(plan: &'a PlanView) -> Self {
        View::Plan(plan)
    }
}

impl<'a> From<&'a Rehearsed> for View<'a> {
    fn from(rehearsed: &'a Rehearsed) -> Self {
        View::Rehearsal(rehearsed)
    }
}

impl<'a> From<&'a StatusView> for View<'a> {
    fn from(status: &'a StatusView) -> Self {
        View::Status(status)
    }
}

impl<'a> From<&'a VerifyView> for View<'a> {
    fn from(verify: &'a VerifyView) -> Self {
        View::Verify(verify)
    }
}

#[cfg(test)]
mod tests {
    use super::super::findings::tests::findings;
    use super::super::report::tests::report;
    use super::super::samples;
    use super::*;
    use crate::domain::report::ExitStatus;

    #[test]
    fn every_document_carries_its_format_version() {
        let views = [
            View::Report(&report(ExitStatus::Undone)),
            View::Findings(&findings()),
            View::Plan(&PlanView::default()),
            View::Rehearsal(&samples::clean()),
            View::Status(&StatusView::default()),
            View::Verify(&VerifyView::default()),
        ];
        for view in views {
            assert_eq!(view.document().expect("plain data")["format"], REPORT_FORMAT, "{}", view.name());
        }
    }

    #[test]
    fn a_rehearsal_survives_its_document() {
        for (name, rehearsed) in samples::all() {
            let document = View::Rehearsal(&rehearsed).document().expect("plain data");
            assert_eq!(
                serde_json::from_value::<Rehearsed>(document).expect("the same fields").findings,
                rehearsed.findings,
                "{name}"
            );
        }
    }

    #[test]
    fn a_report_survives_its_document() {
        let report = report(ExitStatus::NotUndone);
        let document = View::Report(&report).document().expect("plain data");
        assert_eq!(document["exit_code"], 41);
        assert_eq!(document["exit"], "not-undone");
        assert_eq!(serde_json::from_value::<RunReport>(document).expect("the same fields"), report);
    }
}
