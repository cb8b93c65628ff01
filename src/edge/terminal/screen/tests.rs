use anyhow::anyhow;

use super::super::options::Stream;
use super::super::report::tests::report;
use super::*;
use crate::domain::event::Stage;
use crate::domain::report::ExitStatus;
use crate::domain::view::PlanView;

const STREAM: Stream =
    Stream { is_terminal: false, can_rewrite: false, style: Style { width: 60, colour: false, unicode: true } };
const LOG: Options = Options {
    format: Format::Human,
    verbosity: Verbosity::Normal,
    stdin_is_terminal: false,
    stdout: STREAM,
    stderr: STREAM,
};
const TERMINAL: Options =
    Options { stdin_is_terminal: true, stderr: Stream { is_terminal: true, can_rewrite: true, ..STREAM }, ..LOG };

fn json(verbosity: Verbosity) -> Options {
    Options { format: Format::Json, verbosity, ..LOG }
}

fn run() -> Vec<Event> {
    let elapsed = Duration::from_secs(12);
    vec![
        Event::StageStarted { stage: Stage::Gather, what: "read release shop".into() },
        Event::StageFinished { stage: Stage::Gather, what: "260 objects, 3 revisions".into(), elapsed },
        Event::StageStarted { stage: Stage::Verify, what: "40 objects".into() },
        Event::Progress { stage: Stage::Verify, what: "31 of 40 objects current".into(), elapsed },
        Event::Note { what: "the Lease was renewed".into() },
        Event::Detail { what: "GET /version".into() },
        Event::StageFailed { stage: Stage::Verify, what: "9 objects are not current".into(), elapsed },
    ]
}

fn show_all(screen: &Screen) {
    for event in &run() {
        screen.show(event);
    }
}

/// What a terminal shows in the end: of each line, what was written after the last rewrite.
fn seen(written: &str) -> String {
    written.lines().map(|line| line.rsplit(REWRITE).next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

struct Broken(io::ErrorKind);

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_log_gets_one_line_after_the_other() {
    let (screen, written) = Screen::to_buffers(LOG);
    show_all(&screen);
    insta::assert_snapshot!(written.stderr());
    assert_eq!(written.stdout(), "");
}

#[test]
fn a_terminal_sees_one_line_a_stage_in_the_end() {
    let (screen, written) = Screen::to_buffers(TERMINAL);
    show_all(&screen);
    insta::assert_snapshot!(seen(&written.stderr()));
    assert!(written.stderr().contains("31 of 40 objects current"), "it was shown while it was so");
}

#[test]
fn a_tick_rewrites_the_line_of_the_stage_that_runs() {
    let (screen, written) = Screen::to_buffers(TERMINAL);
    screen.shared.tick();
    assert_eq!(written.stderr(), "");
    screen.show(&Event::StageStarted { stage: Stage::Helm, what: "helm upgrade".into() });
    screen.shared.tick();
    assert_eq!(written.stderr().matches(&format!("{REWRITE}  helm       helm upgrade ")).count(), 2);
}

#[test]
fn a_stage_that_did_not_end_stays_above_the_error() {
    let (screen, written) = Screen::to_buffers(TERMINAL);
    screen.show(&Event::StageStarted { stage: Stage::Helm, what: "helm upgrade".into() });
    screen.error(&Failure::from(anyhow!("the connection was lost")));
    assert!(written.stderr().ends_with("0s\nerror: the connection was lost\n"), "{}", written.stderr());
}

#[test]
fn a_screen_that_goes_away_leaves_the_cursor_on_a_new_line() {
    let (screen, written) = Screen::to_buffers(TERMINAL);
    screen.show(&Event::StageStarted { stage: Stage::Helm, what: "helm upgrade".into() });
    drop(screen);
    assert!(written.stderr().ends_with("0s\n"), "{}", written.stderr());
}

#[test]
fn quiet_tells_failures_and_the_result() {
    let (screen, written) = Screen::to_buffers(Options { verbosity: Verbosity::Quiet, ..TERMINAL });
    show_all(&screen);
    screen.message(&PlanView { title: "Upgrade shop".into(), ..PlanView::default() });
    assert_eq!(written.stderr(), "✗ verify     9 objects are not current                 12.0s\n");
    screen.report(&report(ExitStatus::Done)).expect("a buffer can be written");
    assert!(written.stdout().starts_with("✓ Release shop runs chart 1.3.0"));
}

#[test]
fn the_result_is_set_off_from_the_messages_and_stdout_stays_clean() {
    let (screen, written) = Screen::to_buffers(LOG);
    screen.show(&Event::Note { what: "so".into() });
    screen.report(&report(ExitStatus::Done)).expect("a buffer can be written");
    assert_eq!(written.stderr(), "note: so\n\n");
    assert!(written.stdout().starts_with("✓ "));
}

#[test]
fn json_is_one_document_on_stdout_and_nothing_on_stderr() {
    let (screen, written) = Screen::to_buffers(json(Verbosity::Normal));
    show_all(&screen);
    screen.message(&PlanView::default());
    screen.report(&report(ExitStatus::Undone)).expect("a buffer can be written");
    screen.result(&PlanView::default()).expect("a buffer can be written");
    let document: Value = serde_json::from_str(&written.stdout()).expect("exactly one document");
    assert_eq!(document["exit"], "undone");
    assert_eq!(written.stderr(), "");
}

#[test]
fn verbose_json_has_every_event_as_a_line_on_stderr() {
    let (screen, written) = Screen::to_buffers(json(Verbosity::Verbose));
    show_all(&screen);
    screen.message(&PlanView::default());
    screen.error(&Failure::from(anyhow!("odd")));
    let events: Vec<String> = written
        .stderr()
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).expect("a JSON line")["event"].as_str().expect("a name").to_owned()
        })
        .collect();
    assert_eq!(
        events,
        [
            "stage-started",
            "stage-finished",
            "stage-started",
            "progress",
            "note",
            "detail",
            "stage-failed",
            "plan",
            "error"
        ]
    );
}

#[test]
fn a_json_error_is_the_document_and_text_beside_it() {
    let (screen, written) = Screen::to_buffers(json(Verbosity::Normal));
    screen.error(&Failure::new(ExitStatus::Locked, anyhow!("another run holds release `shop`")));
    let document: Value = serde_json::from_str(&written.stdout()).expect("exactly one document");
    assert_eq!(document["exit_code"], 60);
    assert_eq!(written.stderr(), "error: another run holds release `shop`\n");
}

#[test]
fn an_error_after_the_report_is_no_second_document() {
    let (screen, written) = Screen::to_buffers(json(Verbosity::Normal));
    screen.report(&report(ExitStatus::Undone)).expect("a buffer can be written");
    screen.error(&Failure::from(anyhow!("odd")));
    assert!(serde_json::from_str::<RunReport>(&written.stdout()).is_ok());
    assert_eq!(written.stderr(), "error: odd\n");
}

#[test]
fn a_reader_that_went_away_is_no_error_and_a_full_disk_is() {
    let written = |kind| {
        Screen::writing_to(LOG, false, Box::new(Broken(kind)), Box::new(Broken(kind))).report(&report(ExitStatus::Done))
    };
    assert!(written(io::ErrorKind::BrokenPipe).is_ok());
    let lost = written(io::ErrorKind::StorageFull).expect_err("the result is lost");
    assert_eq!(lost.source.kind(), io::ErrorKind::StorageFull);
}

#[test]
fn a_message_that_nobody_reads_stops_nothing() {
    let screen = Screen::writing_to(TERMINAL, false, Box::new(io::sink()), Box::new(Broken(io::ErrorKind::BrokenPipe)));
    show_all(&screen);
    assert!(screen.report(&report(ExitStatus::Done)).is_ok());
}

#[test]
fn without_a_terminal_the_plan_is_shown_and_nobody_is_asked() {
    let (screen, written) = Screen::to_buffers(LOG);
    let plan = PlanView { title: "Upgrade shop".into(), way_back: "nothing to do".into(), ..PlanView::default() };
    assert_eq!(screen.confirm(&plan, "Go on?", &AtomicBool::new(false)), Consent::NoTerminal);
    assert_eq!(written.stderr(), "Upgrade shop\nNothing to do.\n");
}

#[test]
fn a_question_is_asked_on_stderr_and_the_cursor_leaves_its_line() {
    let (screen, written) = Screen::to_buffers(TERMINAL);
    let (mut reader, mut writer) = io::pipe().expect("a pipe");
    writer.write_all(b"yes\n").expect("room in the pipe");
    let interrupted = AtomicBool::new(false);
    assert_eq!(screen.ask(&mut reader, "Go on?", &interrupted), Consent::Yes);
    assert_eq!(written.stderr(), "\nGo on? [y/N] ");
    drop(writer);
    assert_eq!(screen.ask(&mut reader, "Go on?", &interrupted), Consent::No);
    assert_eq!(written.stderr(), "\nGo on? [y/N] \nGo on? [y/N] \n");
}

#[test]
fn markdown_is_the_result_and_messages_stay_text() {
    let (screen, written) = Screen::to_buffers(Options { format: Format::Markdown, ..LOG });
    let plan = PlanView { title: "Upgrade shop".into(), way_back: "nothing to do".into(), ..PlanView::default() };
    screen.message(&plan);
    assert_eq!(written.stderr(), "Upgrade shop\nNothing to do.\n");
    screen.result(&plan).expect("a buffer can be written");
    screen.error(&Failure::from(anyhow!("odd")));
    assert_eq!(written.stdout(), "### Upgrade shop\n\nNothing to do.\n");
}

#[test]
fn an_error_before_the_result_is_the_markdown() {
    let (screen, written) = Screen::to_buffers(Options { format: Format::Markdown, ..LOG });
    screen.error(&Failure::from(anyhow!("odd")));
    assert_eq!(written.stdout(), "```text\nerror: odd\n```\n");
    assert_eq!(written.stderr(), "error: odd\n");
}
