//! Progress notices as lines.

use std::time::Duration;

use textwrap::core::display_width;

use super::layout::{hang_at, shorten, text_of, wrap};
use super::options::Verbosity;
use super::style::{Mark, Style};
use crate::domain::event::{Event, Stage};

/// Lines of a container's log that are shown; the evidence has all.
const LOG_LINES: usize = 5;
/// Columns of mark and stage, before what is said of it.
const STAGE_INDENT: usize = 13;
/// Fewer columns than these say nothing.
const FEWEST_COLUMNS: usize = 8;

/// Returns the lines for `event`; nothing if `verbosity` hides it.
#[must_use]
pub fn render_event(event: &Event, style: &Style, verbosity: Verbosity) -> String {
    let style = *style;
    let needs = match event {
        Event::StageFailed { .. } => Verbosity::Quiet,
        Event::Detail { .. } => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    if verbosity < needs {
        return String::new();
    }
    text_of(&match event {
        // What is over in a moment is told once, at its end.
        Event::StageStarted { stage, .. } if !takes_its_time(*stage) => vec![],
        Event::StageStarted { stage, what } => stage_lines(style, Mark::None, *stage, what, ""),
        Event::Progress { stage, what, elapsed } => {
            stage_lines(style, Mark::None, *stage, what, &whole_seconds(*elapsed))
        }
        Event::StageFinished { stage, what, elapsed } => {
            stage_lines(style, Mark::Good, *stage, what, &tenths(*elapsed))
        }
        Event::StageFailed { stage, what, elapsed } => {
            stage_lines(style, Mark::Failure, *stage, what, &tenths(*elapsed))
        }
        Event::Trouble { object, what, log } => {
            trouble_lines(style, 0, &style.mark(Mark::Warning), &format!("{object}: {what}"), log)
        }
        Event::Note { what } => hang_at(style, &format!("{} ", style.strong("note:")), 6, what),
        Event::Detail { what } => vec![style.dim(&format!("  | {}", super::style::plain(what)))],
    })
}

fn takes_its_time(stage: Stage) -> bool {
    matches!(stage, Stage::Helm | Stage::Verify | Stage::Undo)
}

/// Returns the one line for a stage that runs, cut so that it stays one row of the terminal.
#[must_use]
pub fn render_live_line(stage: Stage, what: &str, elapsed: Duration, style: &Style) -> String {
    let time = whole_seconds(elapsed);
    // A character in the last column makes some terminals begin a new row.
    let room = style.width.saturating_sub(STAGE_INDENT + 2 + display_width(&time) + 1);
    if room < FEWEST_COLUMNS {
        return shorten(*style, &format!("  {}  {time}", stage_name(stage)), style.width.saturating_sub(1));
    }
    let what = shorten(*style, what, room);
    let gap = room.saturating_sub(display_width(&what)) + 2;
    format!("  {:<9}  {what}{:gap$}{}", stage_name(stage), "", style.dim(&time))
}

/// Returns the lines for trouble with an object: what is said, and below it the last lines of a log, cut to the width.
pub(super) fn trouble_lines(style: Style, indent: usize, mark: &str, said: &str, log: &[String]) -> Vec<String> {
    let first = if mark.is_empty() { " ".repeat(indent) } else { format!("{:indent$}{mark} ", "") };
    let indent = display_width(&first) + 2;
    let mut lines = hang_at(style, &first, indent, said);
    let log = log.iter().skip(log.len().saturating_sub(LOG_LINES));
    let room = style.width.saturating_sub(indent + 2);
    lines.extend(log.map(|line| style.dim(&format!("{:indent$}| {}", "", shorten(style, line, room)))));
    lines
}

fn stage_lines(style: Style, mark: Mark, stage: Stage, what: &str, time: &str) -> Vec<String> {
    let room = style.width.saturating_sub(STAGE_INDENT);
    let first_room = room.saturating_sub(display_width(time) + 2);
    let name = format!("{:<9}", stage_name(stage));
    let name = if mark == Mark::Failure { style.failure(&name) } else { name };
    let mut lines = wrap(what, first_room, room).into_iter();
    let first = lines.next().unwrap_or_default();
    let gap = first_room.saturating_sub(display_width(&first)) + 2;
    let mut staged = vec![format!("{} {name}  {first}{:gap$}{}", style.mark(mark), "", style.dim(time))];
    staged.extend(lines.map(|line| format!("{:STAGE_INDENT$}{line}", "")));
    staged
}

pub(super) fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Gather => "gather",
        Stage::Preflight => "preflight",
        Stage::Rehearse => "rehearse",
        Stage::Plan => "plan",
        Stage::Confirm => "confirm",
        Stage::Prepare => "prepare",
        Stage::Helm => "helm",
        Stage::Verify => "verify",
        Stage::Evidence => "evidence",
        Stage::Undo => "undo",
    }
}

fn tenths(elapsed: Duration) -> String {
    let tenths = (elapsed.as_millis() + 50) / 100;
    if tenths < 600 { format!("{}.{}s", tenths / 10, tenths % 10) } else { whole_seconds(elapsed) }
}

fn whole_seconds(elapsed: Duration) -> String {
    match elapsed.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        seconds => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::super::gallery::{deployment, gallery};
    use super::*;

    fn run() -> Vec<Event> {
        let second = Duration::from_secs(1);
        vec![
            Event::StageStarted { stage: Stage::Gather, what: "read release shop".into() },
            Event::StageFinished {
                stage: Stage::Gather,
                what: "260 objects, 3 revisions".into(),
                elapsed: second * 6 / 5,
            },
            Event::Note { what: "the chart is pulled once, and every later call uses that copy".into() },
            Event::Progress {
                stage: Stage::Verify,
                what: "31 of 40 objects current; waiting for Deployment shop/web: 1 of 2 replicas ready".into(),
                elapsed: second * 95,
            },
            Event::Detail {
                what: "GET /apis/apps/v1/namespaces/shop/deployments?limit=500&resourceVersion=0 -> 200".into(),
            },
            Event::Trouble {
                object: deployment("web"),
                what: "CrashLoopBackOff, 3 restarts".into(),
                log: vec![
                    "1 not shown".into(),
                    "2 starting".into(),
                    "3 \u{1b}[31mERROR\u{1b}[0m connecting to postgres://shop:***@db:5432/shop?sslmode=require failed"
                        .into(),
                    "4 \tretrying".into(),
                    "5 retrying".into(),
                    "6 giving up".into(),
                ],
            },
            Event::StageFailed {
                stage: Stage::Verify,
                what: "Deployment shop/web is not current: its pods crash (CrashLoopBackOff)".into(),
                elapsed: second * 600,
            },
        ]
    }

    fn rendered(style: &Style, verbosity: Verbosity) -> String {
        run().iter().map(|event| render_event(event, style, verbosity)).collect()
    }

    #[test]
    fn a_run_reads_well_at_every_width() {
        insta::assert_snapshot!(gallery(|style| rendered(style, Verbosity::Verbose)));
    }

    #[test]
    fn a_quiet_run_tells_only_its_failures() {
        let style = Style { width: 100, colour: false, unicode: true };
        insta::assert_snapshot!(rendered(&style, Verbosity::Quiet));
    }

    #[test]
    fn details_need_verbose() {
        let detail = Event::Detail { what: "GET /version".into() };
        let style = Style { width: 100, colour: false, unicode: true };
        assert_eq!(render_event(&detail, &style, Verbosity::Normal), "");
        assert_eq!(render_event(&detail, &style, Verbosity::Verbose), "  | GET /version\n");
    }

    #[test]
    fn a_live_line_never_fills_its_row() {
        for width in 20..120 {
            let style = Style { width, colour: true, unicode: true };
            let line = render_live_line(Stage::Verify, &"objects ".repeat(20), Duration::from_secs(3700), &style);
            assert!(display_width(&line) < width, "{width}: {line}");
        }
    }

    #[test]
    fn times_are_as_precise_as_they_are_short() {
        let text = |millis| tenths(Duration::from_millis(millis));
        assert_eq!([text(0), text(1234), text(59_940)], ["0.0s", "1.2s", "59.9s"]);
        assert_eq!([text(59_999), text(125_000), text(3_720_000)], ["59s", "2m 05s", "1h 02m"]);
    }
}
