//! Preflight findings as text.

use super::layout::{self, hang, hang_at, text_of};
use super::options::Verbosity;
use super::style::{Mark, Style};
use crate::domain::preflight::{Finding, Outcome};
use crate::domain::wording::counted;

/// Returns what blocks first, then warnings; what is well is one line, unless `verbosity` asks for all.
#[must_use]
pub fn render_findings(findings: &[Finding], style: &Style, verbosity: Verbosity) -> String {
    let style = *style;
    let mut lines = headline(style, findings);
    let blocking: Vec<&Finding> = findings.iter().filter(|finding| finding.is_blocking()).collect();
    let is_told = |finding: &&Finding| !finding.is_blocking() && is_noteworthy(finding);
    for finding in blocking.iter().copied().chain(findings.iter().filter(is_told)) {
        lines.extend(finding_lines(style, 0, finding));
    }
    let is_well = |finding: &&Finding| !is_noteworthy(finding);
    if verbosity == Verbosity::Verbose {
        lines.extend(findings.iter().filter(is_well).flat_map(|finding| finding_lines(style, 0, finding)));
    } else if lines.len() > 1 {
        lines.extend(folded(style, findings));
    }
    lines.extend(waive_hint(&blocking).map(|hint| hang(style, "  or ", &hint)).unwrap_or_default());
    text_of(&lines)
}

/// Returns the lines for one finding: its check, what was found, and what helps.
pub(super) fn finding_lines(style: Style, indent: usize, finding: &Finding) -> Vec<String> {
    let check = &finding.check;
    let waived = finding.waived.as_ref().map(|reason| format!(" (waived: {reason})")).unwrap_or_default();
    let (mark, said, fix) = match &finding.outcome {
        Outcome::Pass { found } => (Mark::Good, found.clone(), None),
        Outcome::Warn { found, fix } => (Mark::Warning, found.clone(), Some(fix)),
        Outcome::Fail { found, fix } => (Mark::Failure, found.clone(), Some(fix)),
        Outcome::Skip { because } => (Mark::None, format!("skipped, {because}"), None),
        Outcome::CouldNotTell { because } => (Mark::CouldNotTell, format!("could not tell: {because}"), None),
    };
    let mark = if finding.waived.is_some() { Mark::Warning } else { mark };
    let first = format!("{:indent$}{} ", "", style.mark(mark));
    let mut lines = hang_at(style, &first, indent + 4, &format!("{check}: {said}{waived}"));
    if let Some(fix) = fix.filter(|_| finding.waived.is_none()) {
        lines.extend(help_lines(style, indent + 4, fix));
    }
    lines
}

/// Returns the lines that say what helps.
pub(super) fn help_lines(style: Style, indent: usize, help: &str) -> Vec<String> {
    hang_at(style, &format!("{:indent$}{} ", "", style.strong("help:")), indent + 2, help)
}

/// Returns how the user can go on in spite of what blocks; nothing if nothing does.
pub(super) fn waive_hint(blocking: &[&Finding]) -> Option<String> {
    match blocking {
        [] => None,
        [finding] => Some(format!("go on in spite of it with `--waive {}=REASON`", finding.check)),
        _ => Some("go on in spite of them with `--waive CHECK=REASON`, once for each".to_owned()),
    }
}

fn headline(style: Style, findings: &[Finding]) -> Vec<String> {
    let count = |is: fn(&Finding) -> bool| findings.iter().filter(|finding| is(finding)).count();
    let told = |count: usize, text: String| (count > 0).then_some(text);
    let failed = count(|finding| finding.is_blocking() && matches!(finding.outcome, Outcome::Fail { .. }));
    let unknown = count(|finding| finding.is_blocking() && matches!(finding.outcome, Outcome::CouldNotTell { .. }));
    let warned = count(|finding| matches!(finding.outcome, Outcome::Warn { .. }) && finding.waived.is_none());
    let waived = count(|finding| finding.waived.is_some());
    let join = |parts: [Option<String>; 2]| parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let all = counted(findings.len(), "check");
    if findings.is_empty() {
        return hang(style, &format!("{} ", style.mark(Mark::Warning)), "no check was run");
    }
    if failed + unknown > 0 {
        let said = match (failed, unknown) {
            (1, 0) => format!("1 of {all} blocks: it failed"),
            (0, 1) => format!("1 of {all} blocks: it could not tell"),
            _ => {
                let parts =
                    [told(failed, format!("{failed} failed")), told(unknown, format!("{unknown} could not tell"))];
                format!("{} of {all} block: {}", failed + unknown, join(parts))
            }
        };
        return layout::headline(style, &format!("{} ", style.mark(Mark::Failure)), &said);
    }
    if warned + waived > 0 {
        let parts = [told(warned, counted(warned, "warning")), told(waived, format!("{waived} waived"))];
        let said = format!("nothing blocks; {all}: {}", join(parts));
        return layout::headline(style, &format!("{} ", style.mark(Mark::Warning)), &said);
    }
    folded(style, findings)
}

fn folded(style: Style, findings: &[Finding]) -> Vec<String> {
    let passed = findings.iter().filter(|finding| matches!(finding.outcome, Outcome::Pass { .. })).count();
    let skipped = findings.iter().filter(|finding| matches!(finding.outcome, Outcome::Skip { .. })).count();
    let said = match (passed, skipped) {
        (0, 0) => return vec![],
        (0, _) => format!("{} skipped", counted(skipped, "check")),
        (_, 0) => format!("{} passed", counted(passed, "check")),
        _ => format!("{} passed, {skipped} skipped", counted(passed, "check")),
    };
    let mark = if passed > 0 { Mark::Good } else { Mark::None };
    hang(style, &format!("{} ", style.mark(mark)), &said)
}

fn is_noteworthy(finding: &Finding) -> bool {
    !matches!(finding.outcome, Outcome::Pass { .. } | Outcome::Skip { .. })
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::gallery::gallery;
    use super::*;

    pub(in super::super) fn finding(check: &str, outcome: Outcome) -> Finding {
        Finding { check: check.into(), outcome, waived: None }
    }

    pub(in super::super) fn findings() -> Vec<Finding> {
        let pass = |check: &str| finding(check, Outcome::Pass { found: "revision 3 is deployed".into() });
        vec![
            pass("release-deployed"),
            finding(
                "values-read",
                Outcome::Warn {
                    found: "values key `web.replicaCount` is not read by chart shop 1.3.0".into(),
                    fix: "run `helm csghub values migrate shop ./shop`".into(),
                },
            ),
            finding(
                "job-template",
                Outcome::Fail {
                    found: "Job shop/migrate, spec.template: immutable, and chart 1.3.0 changes it".into(),
                    fix: "wait 300 s until its TTL removes it, or run `helm csghub upgrade shop ./shop --delete job/shop/migrate`".into(),
                },
            ),
            pass("helm-version"),
            finding("server-version", Outcome::Skip { because: "the chart names no Kubernetes version".into() }),
            finding("crd-served", Outcome::CouldNotTell { because: "CustomResourceDefinitions cannot be listed: forbidden".into() }),
            Finding {
                waived: Some("restored from last night's dump, ticket 4711".into()),
                ..finding(
                    "backup",
                    Outcome::Fail { found: "database shop has no verified backup".into(), fix: "run `helm csghub backup shop`".into() },
                )
            },
        ]
    }

    #[test]
    fn what_blocks_is_told_first() {
        insta::assert_snapshot!(gallery(|style| render_findings(&findings(), style, Verbosity::Normal)));
    }

    #[test]
    fn verbose_tells_passes_one_by_one() {
        let style = Style { width: 100, colour: false, unicode: true };
        insta::assert_snapshot!(render_findings(&findings(), &style, Verbosity::Verbose));
    }

    #[test]
    fn passes_alone_are_one_line() {
        let style = Style { width: 100, colour: false, unicode: true };
        let passes: Vec<Finding> = findings().into_iter().filter(|finding| !is_noteworthy(finding)).collect();
        assert_eq!(render_findings(&passes, &style, Verbosity::Normal), "✓ 2 checks passed, 1 skipped\n");
    }

    #[test]
    fn warnings_do_not_look_like_passes() {
        let style = Style { width: 100, colour: false, unicode: true };
        let warnings: Vec<Finding> = findings().into_iter().filter(|finding| !finding.is_blocking()).collect();
        insta::assert_snapshot!(render_findings(&warnings, &style, Verbosity::Normal));
    }

    #[test]
    fn no_check_at_all_is_not_well() {
        let style = Style { width: 100, colour: false, unicode: true };
        assert_eq!(render_findings(&[], &style, Verbosity::Normal), "! no check was run\n");
    }

    #[test]
    fn one_check_that_blocks_is_waived_by_name() {
        let style = Style { width: 100, colour: false, unicode: true };
        let one = [finding("crd-served", Outcome::CouldNotTell { because: "forbidden".into() })];
        insta::assert_snapshot!(render_findings(&one, &style, Verbosity::Normal));
    }
}
