//! The end of a run as text: at most 25 rows, the most important first.

use super::findings::{finding_lines, help_lines, waive_hint};
use super::layout::{cut, hang, hang_at, headline, rows_of, text_of};
use super::options::Verbosity;
use super::plan::section;
use super::style::{Mark, Style};
use crate::domain::preflight::Finding;
use crate::domain::report::{ExitStatus, Fate, LeftBehind, Problem, RunReport};
use crate::domain::wording::counted;

/// Rows that the whole output of a failure may take.
const ROWS: usize = 25;
/// Rows that one cause may take.
const CAUSE_ROWS: usize = 4;
/// Ways on that are shown.
const WAYS: usize = 3;
/// Rows that the headline may take.
const HEADLINE_ROWS: usize = 5;

/// Returns how a run ended: the state of the release, what is wrong, what was left, what to do, where the evidence is.
///
/// At most 25 rows of the terminal, unless `verbosity` asks for all: a list that does not fit says how many are left to the evidence.
/// Where a person is needed, what to do comes before what is wrong.
#[must_use]
pub fn render_report(report: &RunReport, style: &Style, verbosity: Verbosity) -> String {
    let style = *style;
    let first = format!("{} ", style.mark(mark_of(report.exit)));
    let mut lines = cut(style, headline(style, &first, &report.headline), HEADLINE_ROWS);
    let footer = footer(style, report);
    let room = ROWS.saturating_sub(lines.iter().chain(&footer).map(|line| rows_of(style, line)).sum());
    let elsewhere = if report.evidence.is_some() { "see the evidence" } else { "`-v` shows all" };
    let mut lists = lists(style, report);
    if verbosity < Verbosity::Verbose {
        shorten_lists(style, &mut lists, room, elsewhere);
    }
    lines.extend(lists.iter().flat_map(|list| list.lines(style, elsewhere)));
    lines.extend(footer);
    text_of(&lines)
}

/// What a list of the report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Problems,
    Findings,
    LeftBehind,
    ToDo,
}

/// The order in which lists give way when there are too many lines: each down to so many entries. The acts of a person go last.
const GIVE_WAY: [(About, usize); 10] = [
    (About::LeftBehind, 3),
    (About::Findings, 3),
    (About::Problems, 3),
    (About::LeftBehind, 0),
    (About::Findings, 1),
    (About::Problems, 1),
    (About::Findings, 0),
    (About::ToDo, 8),
    (About::Problems, 0),
    (About::ToDo, 0),
];

/// A list of the report, of which the last entries may have to go.
struct List {
    about: About,
    title: Option<&'static str>,
    /// One entry, its lines.
    entries: Vec<Vec<String>>,
    shown: usize,
}

impl List {
    fn new(about: About, title: Option<&'static str>, entries: Vec<Vec<String>>) -> Self {
        Self { about, title, shown: entries.len(), entries }
    }

    /// Returns its lines; `elsewhere` says where those are that do not fit.
    fn lines(&self, style: Style, elsewhere: &str) -> Vec<String> {
        if self.entries.is_empty() {
            return vec![];
        }
        if self.shown == 0 {
            return hang_at(style, "  ", 4, &format!("{}: {elsewhere}", self.about.count(self.entries.len())));
        }
        let mut lines: Vec<String> = self.title.map(|title| section(style, title)).into_iter().flatten().collect();
        lines.extend(self.entries.iter().take(self.shown).flatten().cloned());
        let hidden = self.entries.len().saturating_sub(self.shown);
        if hidden > 0 {
            lines.extend(hang_at(style, "  ", 4, &format!("and {hidden} more: {elsewhere}")));
        }
        lines
    }
}

impl About {
    fn count(self, count: usize) -> String {
        match self {
            Self::Problems => counted(count, "problem"),
            Self::Findings => counted(count, "finding"),
            Self::LeftBehind => format!("{} left behind", counted(count, "object")),
            Self::ToDo => format!("{} to do", counted(count, "thing")),
        }
    }
}

fn shorten_lists(style: Style, lists: &mut [List], room: usize, elsewhere: &str) {
    let is_too_long = |lists: &[List]| {
        lists.iter().flat_map(|list| list.lines(style, elsewhere)).map(|line| rows_of(style, &line)).sum::<usize>()
            > room
    };
    for (about, keep) in GIVE_WAY {
        while is_too_long(lists) {
            match lists.iter_mut().find(|list| list.about == about && list.shown > keep) {
                Some(list) => list.shown -= 1,
                None => break,
            }
        }
    }
}

fn lists(style: Style, report: &RunReport) -> Vec<List> {
    let problems = report.problems.iter().map(|problem| problem_lines(style, problem)).collect();
    let findings = untold(report).iter().map(|finding| finding_lines(style, 2, finding)).collect();
    let left_behind = grouped(&report.left_behind).iter().map(|group| left_behind_lines(style, group)).collect();
    let numbered = |(index, act): (usize, &String)| hang(style, &format!("{:>3}. ", index + 1), act);
    let to_do = report.to_do.iter().enumerate().map(numbered).collect();
    let findings = List::new(About::Findings, None, findings);
    let left_behind = List::new(About::LeftBehind, Some("Left behind"), left_behind);
    if report.exit == ExitStatus::NotUndone {
        let problems = List::new(About::Problems, Some("Why"), problems);
        vec![List::new(About::ToDo, None, to_do), problems, findings, left_behind]
    } else {
        let problems = List::new(About::Problems, None, problems);
        vec![problems, findings, left_behind, List::new(About::ToDo, Some("To do"), to_do)]
    }
}

/// Returns the findings that stopped the run, where no problem tells the same.
fn untold(report: &RunReport) -> Vec<&Finding> {
    use crate::domain::preflight::Outcome::{CouldNotTell, Fail};
    let is_told = |finding: &Finding| match &finding.outcome {
        Fail { found: cause, .. } | CouldNotTell { because: cause } => {
            report.problems.iter().any(|problem| problem.cause.contains(cause.as_str()))
        }
        _ => true,
    };
    let blocking: Vec<&Finding> = report.findings.iter().filter(|finding| finding.is_blocking()).collect();
    // A check that could not run because of what another check found says "see" that one: one of them is enough.
    let points_on = |finding: &Finding| match &finding.outcome {
        CouldNotTell { because } => blocking.iter().any(|other| because.contains(&format!("see `{}`", other.check))),
        _ => false,
    };
    blocking.iter().copied().filter(|finding| !is_told(finding) && !points_on(finding)).collect()
}

fn problem_lines(style: Style, problem: &Problem) -> Vec<String> {
    let field = problem.field.as_ref().map(|field| format!(", {field}")).unwrap_or_default();
    let told = format!("{}{field}: {}", problem.object, problem.cause);
    let mut lines = cut(style, hang_at(style, "  ", 4, &told), CAUSE_ROWS);
    if let Some(remedy) = &problem.remedy {
        lines.extend(help_lines(style, 4, remedy));
    }
    lines
}

/// Objects with the same fate for the same reason are one entry.
fn grouped(left_behind: &[LeftBehind]) -> Vec<Vec<&LeftBehind>> {
    let mut groups: Vec<Vec<&LeftBehind>> = Vec::new();
    for left in left_behind {
        let is_like = |group: &&mut Vec<&LeftBehind>| {
            group.first().is_some_and(|first| first.fate == left.fate && first.because == left.because)
        };
        match groups.iter_mut().find(is_like) {
            Some(group) => group.push(left),
            None => groups.push(vec![left]),
        }
    }
    groups
}

fn left_behind_lines(style: Style, group: &[&LeftBehind]) -> Vec<String> {
    let Some(left) = group.first() else { return vec![] };
    let names: Vec<String> = group.iter().map(|left| left.object.to_string()).collect();
    let fate = match left.fate {
        Fate::Removed => "removed",
        Fate::Kept => "kept   ",
    };
    hang(style, &format!("  {}  ", style.dim(fate)), &format!("{}: {}", names.join(", "), left.because))
}

/// Returns where the evidence is, and what goes on from here.
fn footer(style: Style, report: &RunReport) -> Vec<String> {
    let blocking: Vec<&Finding> = report.findings.iter().filter(|finding| finding.is_blocking()).collect();
    let waive = (report.exit == ExitStatus::Blocked).then(|| waive_hint(&blocking)).flatten();
    let rows = [("evidence: ", report.evidence.clone()), ("next:     ", next(report)), ("or:       ", waive)];
    let ways = report.ways_on.iter().take(WAYS).map(|way| ("or:       ", Some(way.clone())));
    let more = report.ways_on.len().saturating_sub(WAYS);
    let rest = (more > 0).then(|| ("          ", Some(format!("and {more} more: `-o json` has all"))));
    let told = rows
        .into_iter()
        .chain(ways)
        .chain(rest)
        .filter_map(|(label, said)| Some(hang(style, &style.dim(label), &said?)));
    let lines: Vec<String> = told.flatten().collect();
    if lines.is_empty() { lines } else { std::iter::once(String::new()).chain(lines).collect() }
}

fn next(report: &RunReport) -> Option<String> {
    let command = |verb: &str| format!("`helm csghub {verb} {} -n {}`", report.release, report.namespace);
    match report.exit {
        ExitStatus::Done | ExitStatus::Usage | ExitStatus::ChangesPending => None,
        ExitStatus::Unexpected => report.run_id.as_ref().map(|_| command("status")),
        ExitStatus::Stopped => Some("run the same command again".to_owned()),
        ExitStatus::Blocked | ExitStatus::Undone => Some("fix that, then run the same command again".to_owned()),
        ExitStatus::NotUndone if report.is_open => Some(format!("do that, then {}", command("resume"))),
        ExitStatus::NotUndone => Some("see to that, fix the cause, then run the same command again".to_owned()),
        ExitStatus::VerifyFound => Some(command("verify")),
        ExitStatus::Locked => Some(format!("see who holds it: {}", command("status"))),
    }
}

fn mark_of(exit: ExitStatus) -> Mark {
    match exit {
        ExitStatus::Done => Mark::Good,
        ExitStatus::ChangesPending | ExitStatus::Stopped | ExitStatus::VerifyFound => Mark::Warning,
        ExitStatus::Unexpected
        | ExitStatus::Usage
        | ExitStatus::Blocked
        | ExitStatus::Undone
        | ExitStatus::NotUndone
        | ExitStatus::Locked => Mark::Failure,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::findings::tests::{finding, findings};
    use super::super::gallery::{gallery, object};
    use super::*;
    use crate::domain::preflight::Outcome;
    use crate::domain::report::REPORT_FORMAT;

    const EVIDENCE: &str = "/home/ops/.local/state/helm-csghub/runs/20260728-0312-shop";
    const PLAIN: Style = Style { width: 100, colour: false, unicode: true };

    pub(in super::super) fn report(exit: ExitStatus) -> RunReport {
        RunReport {
            format: REPORT_FORMAT,
            run_id: Some("20260728-0312-shop".into()),
            release: "shop".into(),
            namespace: "shop".into(),
            exit,
            headline: match exit {
                ExitStatus::Done => "Release shop runs chart 1.3.0, revision 4; all 40 objects are current.",
                ExitStatus::NotUndone => "Release shop is half upgraded: chart 1.3.0 runs, database shop is still at schema 12. A person is needed.",
                ExitStatus::Blocked => "Release shop was not touched: it runs chart 1.2.0, revision 3. The upgrade is blocked.",
                _ => "Release shop is back on chart 1.2.0, revision 3: the upgrade to 1.3.0 failed and was undone.",
            }
            .into(),
            problems: vec![
                problem("Job shop/template-importer"),
                Problem {
                    field: None,
                    cause: "its pods crash: CrashLoopBackOff, 3 restarts; last line of the log: no such table: orders".into(),
                    remedy: None,
                    ..problem("Deployment shop/web")
                },
            ],
            left_behind: vec![
                left("Secret", "web-token", Fate::Kept, "the chart marks it `helm.sh/resource-policy: keep`"),
                left("Job", "migrate", Fate::Removed, "revision 4 brought it"),
            ],
            to_do: vec![],
            is_open: exit == ExitStatus::NotUndone,
            evidence: Some(EVIDENCE.into()),
            ways_on: vec![],
            findings: vec![],
        }
    }

    fn problem(object: &str) -> Problem {
        Problem {
            object: object.into(),
            field: Some("spec.template".into()),
            cause: "field is immutable, and chart 1.3.0 changes it".into(),
            remedy: Some("`helm csghub upgrade shop ./shop --delete job/shop/template-importer`".into()),
        }
    }

    fn left(kind: &str, name: &str, fate: Fate, because: &str) -> LeftBehind {
        LeftBehind { object: object("v1", kind, name), fate, because: because.into() }
    }

    fn not_undone() -> RunReport {
        RunReport {
            to_do: vec![
                "Restore database shop: `helm csghub restore shop b-20260728-0312 -n shop`".into(),
                "Scale Deployment shop/web to 2 again: `kubectl -n shop scale deployment/web --replicas=2`".into(),
            ],
            ..report(ExitStatus::NotUndone)
        }
    }

    /// More of everything than fits, in text that wraps.
    fn overwhelming(exit: ExitStatus) -> RunReport {
        let long = "the server refused it, and said why at such length that nobody would read it all: ".repeat(8);
        RunReport {
            headline: long.clone(),
            problems: (0..30)
                .map(|n| Problem { cause: long.clone(), ..problem(&format!("Job shop/job-{n}")) })
                .collect(),
            left_behind: (0..30).map(|n| left("Job", &format!("job-{n}"), Fate::Kept, &long)).collect(),
            to_do: (0..30).map(|n| format!("Act {n}: `kubectl -n shop delete job/job-{n}`")).collect(),
            findings: findings(),
            ..report(exit)
        }
    }

    #[test]
    fn an_undone_run_says_the_state_the_cause_and_the_help_in_its_first_lines() {
        insta::assert_snapshot!(gallery(|style| render_report(&report(ExitStatus::Undone), style, Verbosity::Normal)));
    }

    #[test]
    fn where_a_person_is_needed_the_acts_come_first() {
        insta::assert_snapshot!(gallery(|style| render_report(&not_undone(), style, Verbosity::Normal)));
    }

    #[test]
    fn a_blocked_run_tells_the_findings_that_block() {
        let blocked = RunReport {
            problems: vec![],
            left_behind: vec![],
            evidence: None,
            run_id: None,
            findings: findings(),
            ..report(ExitStatus::Blocked)
        };
        insta::assert_snapshot!(gallery(|style| render_report(&blocked, style, Verbosity::Normal)));
    }

    #[test]
    fn a_run_that_its_rehearsal_blocks_tells_the_ways_on() {
        let blocked = RunReport {
            left_behind: vec![],
            to_do: vec![],
            evidence: None,
            run_id: None,
            ways_on: vec![
                "`--delete persistentvolumeclaim/shop/data`: loss of data, its volume is given back".into(),
                "`--waive rehearsal-quota=REASON`, if the rehearsal is wrong there".into(),
                "`--waive rehearsal-rights=REASON`, if the rehearsal is wrong there".into(),
                "`--waive rehearsal-allocator=REASON`, if the rehearsal is wrong there".into(),
            ],
            ..report(ExitStatus::Blocked)
        };
        insta::assert_snapshot!(gallery(|style| render_report(&blocked, style, Verbosity::Normal)));
    }

    #[test]
    fn success_is_short() {
        let done = RunReport { problems: vec![], left_behind: vec![], evidence: None, ..report(ExitStatus::Done) };
        assert_eq!(
            render_report(&done, &PLAIN, Verbosity::Normal),
            "✓ Release shop runs chart 1.3.0, revision 4; all 40 objects are current.\n"
        );
    }

    #[test]
    fn a_finding_that_a_problem_tells_is_not_told_twice() {
        let twice = RunReport {
            findings: vec![finding(
                "job-template",
                Outcome::Fail { found: "field is immutable".into(), fix: "delete it".into() },
            )],
            ..report(ExitStatus::Blocked)
        };
        assert!(!render_report(&twice, &PLAIN, Verbosity::Normal).contains("job-template: "));
    }

    #[test]
    fn what_does_not_fit_is_said_to_be_in_the_run_folder() {
        let many = RunReport {
            problems: (1..=14).map(|n| problem(&format!("Job shop/job-{n}"))).collect(),
            ..report(ExitStatus::Undone)
        };
        insta::assert_snapshot!(render_report(&many, &PLAIN, Verbosity::Normal));
    }

    #[test]
    fn no_failure_takes_more_than_25_rows() {
        for exit in ExitStatus::ALL {
            for width in [40, 60, 80, 100] {
                let style = Style { width, ..PLAIN };
                for report in [overwhelming(exit), RunReport { evidence: None, ..overwhelming(exit) }, not_undone()] {
                    let text = render_report(&report, &style, Verbosity::Normal);
                    let rows: usize = text.lines().map(|line| rows_of(style, line)).sum();
                    assert!(rows <= ROWS, "{rows} rows at {width}:\n{text}");
                }
            }
        }
    }

    #[test]
    fn verbose_tells_all() {
        let text = render_report(&overwhelming(ExitStatus::Undone), &PLAIN, Verbosity::Verbose);
        assert!(text.contains("job-29: ") && !text.contains("more in"), "{text}");
    }

    #[test]
    fn the_acts_of_a_person_are_the_last_to_be_cut() {
        let report = RunReport { headline: "Half upgraded.".into(), ..overwhelming(ExitStatus::NotUndone) };
        let text = render_report(&report, &PLAIN, Verbosity::Normal);
        let acts = text.lines().filter(|line| line.contains("Act ")).count();
        assert!(acts >= 8, "{text}");
    }
}
