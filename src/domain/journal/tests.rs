//! The journal's rules: which record may follow which, and what a damaged file is taken for.

use proptest::prelude::*;

use super::*;
use crate::domain::plan::{Action, PLAN_FORMAT, Plan, Step, Undo};

fn plan() -> Plan {
    let step = |id: &str, action| Step { id: id.into(), action, because: "a test".into(), undo: Undo::NotNeeded };
    Plan {
        format: PLAN_FORMAT,
        release: "shop".into(),
        namespace: "prod".into(),
        newest_revision: Some(1),
        title: "shop 1.0.0 -> 2.0.0".into(),
        steps: vec![
            step("helm-upgrade", Action::HelmUpgrade { from_revision: 1, to_revision: 2 }),
            step("verify", Action::Verify { timeout_secs: 60 }),
        ],
        point_of_no_return: None,
        warnings: vec![],
        accepted: vec![],
        replay: None,
        following: None,
        before: vec![],
    }
}

fn begun() -> Record {
    Record::Begun { plan: Box::new(plan()), holder: "alice@host/1/boot/2".into() }
}

fn started(step: &str) -> Record {
    Record::StepStarted { step: step.into() }
}

fn succeeded(step: &str) -> Record {
    Record::StepSucceeded { step: step.into(), note: "well".into() }
}

fn failed(step: &str) -> Record {
    Record::StepFailed { step: step.into(), because: "it broke".into(), problems: vec![] }
}

fn undo_started(step: &str) -> Record {
    Record::UndoStarted { step: step.into() }
}

fn undone(step: &str) -> Record {
    Record::UndoSucceeded { step: step.into(), note: "back".into(), left_behind: vec![], to_do: vec![] }
}

fn undo_failed(step: &str) -> Record {
    Record::UndoFailed { step: step.into(), because: "no way back".into() }
}

fn finished() -> Record {
    Record::Finished { exit: ExitStatus::Done, headline: "done".into() }
}

fn journal(records: Vec<Record>) -> Journal {
    let mut journal = Journal::new("20260101-000000-aaaa", "shop", "prod");
    for record in records {
        journal.append("2026-01-01T00:00:00Z".into(), record).expect("a legal record");
    }
    journal
}

#[test]
fn a_run_that_goes_well_ends_ready_and_finished() {
    let mut journal = journal(vec![
        begun(),
        started("helm-upgrade"),
        Record::ProcessStarted { step: "helm-upgrade".into(), pid: 7, start_ticks: 9 },
        succeeded("helm-upgrade"),
        started("verify"),
        succeeded("verify"),
    ]);
    assert_eq!(journal.state(), &RunState::Ready { done: 2 });
    assert_eq!(journal.last_process(), Some((7, 9)));
    journal.append(String::new(), finished()).expect("a run may end when all is done");
    assert_eq!(journal.state(), &RunState::Finished { exit: ExitStatus::Done });
}

#[test]
fn a_failed_step_is_undone_first_and_then_those_before_it() {
    let mut journal =
        journal(vec![begun(), started("helm-upgrade"), succeeded("helm-upgrade"), started("verify"), failed("verify")]);
    assert_eq!(journal.state(), &RunState::Unwinding { left: 2 });
    assert!(journal.append(String::new(), undo_started("helm-upgrade")).is_err(), "newest first");
    for record in [undo_started("verify"), undone("verify"), undo_started("helm-upgrade"), undone("helm-upgrade")] {
        journal.append(String::new(), record).expect("the order of the undo");
    }
    assert_eq!(journal.state(), &RunState::Unwinding { left: 0 });
    assert_eq!(journal.failure(), Some("it broke"));
}

#[test]
fn a_stuck_undo_may_be_tried_again() {
    let mut journal = journal(vec![
        begun(),
        started("helm-upgrade"),
        failed("helm-upgrade"),
        undo_started("helm-upgrade"),
        undo_failed("helm-upgrade"),
    ]);
    assert_eq!(journal.state(), &RunState::Stuck { step: 0 });
    for record in [undo_started("helm-upgrade"), undone("helm-upgrade"), finished()] {
        journal.append(String::new(), record).expect("it is tried again");
    }
}

#[test]
fn nothing_follows_the_end_and_nothing_precedes_the_beginning() {
    let mut over = journal(vec![begun(), Record::UnwindStarted { because: "stopped".into() }, finished()]);
    assert!(over.append(String::new(), started("helm-upgrade")).is_err());
    let error = Journal::new("r", "shop", "prod").append(String::new(), started("verify")).expect_err("not begun");
    assert_eq!(error.to_string(), "entry 1 of the journal cannot follow: step-started in state empty");
}

#[test]
fn a_take_over_changes_the_holder_and_not_the_state() {
    let mut journal = journal(vec![begun(), started("helm-upgrade")]);
    journal.append(String::new(), Record::TakenOver { holder: "bob@other/2/boot/3".into() }).expect("legal");
    assert_eq!(journal.state(), &RunState::Stepping { step: 0 });
    assert_eq!(journal.holder(), Some("bob@other/2/boot/3"));
}

#[test]
fn a_line_that_was_cut_off_is_dropped_and_one_in_the_middle_is_damage() {
    let journal = journal(vec![begun(), started("helm-upgrade"), succeeded("helm-upgrade")]);
    let text = journal.text();
    let cut = &text[..text.len() - 5];
    assert_eq!(Journal::parse(cut).expect("readable").state(), &RunState::Stepping { step: 0 });
    let damaged = text.replacen("step-started", "step-st\u{0}arted", 1);
    assert!(matches!(Journal::parse(&damaged), Err(JournalError::Damaged { line: 3, .. })));
    let lines: Vec<&str> = text.lines().collect();
    let gap = format!("{}\n{}\n{}\n", lines[0], lines[1], lines[3]);
    assert!(matches!(Journal::parse(&gap), Err(JournalError::Gap { line: 3, found: 3, expected: 2 })));
}

#[test]
fn a_foreign_or_newer_file_is_told_from_a_journal() {
    assert!(matches!(Journal::parse(""), Err(JournalError::Empty)));
    assert!(matches!(Journal::parse("hello\n"), Err(JournalError::Foreign(_))));
    let newer = "{\"format\":99,\"run_id\":\"r\",\"release\":\"shop\",\"namespace\":\"prod\"}\n";
    assert!(matches!(Journal::parse(newer), Err(JournalError::Newer { found: 99 })));
}

/// What a released version wrote must be read by every later one.
#[test]
fn journals_of_format_1_keep_loading() {
    let text = include_str!("../../../tests/journals/format-1.jsonl");
    let journal = Journal::parse(text).expect("format 1");
    assert_eq!(journal.state(), &RunState::Finished { exit: ExitStatus::NotUndone });
    assert_eq!(journal.entries().len(), text.lines().count() - 1, "nothing is lost");
    assert_eq!(Journal::parse(&journal.text()).expect("rewritten"), journal, "and nothing when it is written again");
}

fn any_record() -> impl Strategy<Value = Record> {
    let step = prop_oneof![Just("helm-upgrade".to_owned()), Just("verify".to_owned()), Just("other".to_owned())];
    (0..9_u8, step).prop_map(|(kind, step)| match kind {
        0 => begun(),
        1 => started(&step),
        2 => succeeded(&step),
        3 => failed(&step),
        4 => Record::UnwindStarted { because: "stopped".into() },
        5 => undo_started(&step),
        6 => undone(&step),
        7 => undo_failed(&step),
        _ => finished(),
    })
}

proptest! {
    #[test]
    fn whatever_was_accepted_is_read_back_to_the_same_state(records in prop::collection::vec(any_record(), 0..40)) {
        let mut journal = Journal::new("r", "shop", "prod");
        for record in records {
            let before = journal.clone();
            if journal.append("2026-01-01T00:00:00Z".into(), record).is_err() {
                prop_assert_eq!(&journal, &before, "a refused record leaves no trace");
            }
        }
        let read = Journal::parse(&journal.text()).expect("our own text");
        prop_assert_eq!(read, journal);
    }

    #[test]
    fn any_prefix_of_a_journal_is_read_or_refused_and_never_panics(cut in 0..2000_usize) {
        let text = journal(vec![begun(), started("helm-upgrade"), failed("helm-upgrade"), undo_started("helm-upgrade")]).text();
        let mut cut = cut.min(text.len());
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        let _ = Journal::parse(&text[..cut]);
    }
}
