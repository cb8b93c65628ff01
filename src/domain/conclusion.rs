//! What a run came to: read off its journal alone, so that `upgrade`, `resume` and `status` say the same.

use super::journal::{Journal, Record, RunState};
use super::plan::{Action, Plan};
use super::report::{ExitStatus, LeftBehind, Problem};

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Conclusion {
    /// The documented exit code.
    pub exit: ExitStatus,
    /// One sentence: what state the release is in now.
    pub headline: String,
    /// What went wrong, object by object.
    pub problems: Vec<Problem>,
    /// Objects that the failed revision brought, and what became of them.
    pub left_behind: Vec<LeftBehind>,
    /// What a person must still do, one sentence each.
    pub to_do: Vec<String>,
    /// Whether the run may be closed; a stuck run stays open, so that `resume` can try its undo again.
    pub is_closed: bool,
}

/// Returns what the run came to; nothing while it can still go on.
#[must_use]
pub fn conclude(journal: &Journal) -> Option<Conclusion> {
    let plan = journal.plan()?;
    let problems = problems(journal);
    let (left_behind, to_do) = undone(journal);
    let is_whole = to_do.is_empty();
    let ended = |exit, headline| Conclusion { exit, headline, problems, left_behind, to_do, is_closed: true };
    let subject = subject(plan);
    match journal.state() {
        RunState::Ready { done } if *done == plan.steps.len() => Some(ended(ExitStatus::Done, success(journal, plan))),
        RunState::Unwinding { left: 0 } => {
            let has_started = journal.entries().iter().any(|entry| matches!(entry.record, Record::StepStarted { .. }));
            let why = if is_stopped(journal) { "was stopped" } else { "failed" };
            Some(if !has_started {
                ended(ExitStatus::Stopped, format!("{subject} was stopped before anything was changed"))
            } else if is_whole {
                ended(ExitStatus::Undone, format!("{subject} {why} and is undone: {}", restored(plan)))
            } else {
                let headline = format!("{subject} {why}: {}, but not all is undone", restored(plan));
                ended(ExitStatus::NotUndone, headline)
            })
        }
        RunState::Stuck { .. } => {
            let mut conclusion =
                ended(ExitStatus::NotUndone, format!("{subject} failed and could not be undone: a person is needed"));
            conclusion.is_closed = false;
            if let Some(because) = stuck(journal) {
                conclusion.to_do.insert(0, because.to_owned());
            }
            conclusion.to_do.push(format!(
                "when the cause is gone, run `helm csghub resume {} -n {}`: it tries the undo again",
                plan.release, plan.namespace
            ));
            Some(conclusion)
        }
        _ => None,
    }
}

/// `upgrade of shop`, `rollback of shop`, ...
fn subject(plan: &Plan) -> String {
    let what = plan.steps.iter().find_map(|step| match step.action {
        Action::HelmUpgrade { .. } => Some("upgrade"),
        Action::HelmInstall => Some("install"),
        Action::HelmRollback { .. } => Some("rollback"),
        Action::RemoveJob { .. } | Action::Verify { .. } => None,
    });
    format!("{} of {}", what.unwrap_or("run"), plan.release)
}

fn success(journal: &Journal, plan: &Plan) -> String {
    let note = journal.entries().iter().rev().find_map(|entry| match &entry.record {
        Record::StepSucceeded { note, .. } => Some(note.as_str()),
        _ => None,
    });
    format!("{} is done: {}", plan.title, note.unwrap_or("every step succeeded"))
}

/// What the undo brought back, in the words of the plan.
fn restored(plan: &Plan) -> String {
    use super::plan::Undo;
    let back = plan.steps.iter().rev().find_map(|step| match &step.undo {
        Undo::HelmRollback { revision, .. } => {
            Some(format!("{} is at revision {revision}'s state again", plan.release))
        }
        Undo::HelmUninstall { .. } => Some(format!("{} is removed again", plan.release)),
        Undo::NotNeeded | Undo::Leave { .. } | Undo::Impossible { .. } => None,
    });
    back.unwrap_or_else(|| "nothing was changed".to_owned())
}

fn is_stopped(journal: &Journal) -> bool {
    journal.entries().iter().any(|entry| matches!(entry.record, Record::UnwindStarted { .. }))
}

fn problems(journal: &Journal) -> Vec<Problem> {
    let failed = journal.entries().iter().find_map(|entry| match &entry.record {
        Record::StepFailed { problems, because, step } => Some((problems, because, step)),
        _ => None,
    });
    match failed {
        None => Vec::new(),
        Some((problems, because, step)) if problems.is_empty() => {
            vec![Problem { object: format!("step {step}"), field: None, cause: because.clone(), remedy: None }]
        }
        Some((problems, ..)) => problems.clone(),
    }
}

fn undone(journal: &Journal) -> (Vec<LeftBehind>, Vec<String>) {
    let mut all = (Vec::new(), Vec::new());
    for entry in journal.entries() {
        if let Record::UndoSucceeded { left_behind, to_do, .. } = &entry.record {
            all.0.extend(left_behind.iter().cloned());
            all.1.extend(to_do.iter().cloned());
        }
    }
    all
}

fn stuck(journal: &Journal) -> Option<&str> {
    journal.entries().iter().rev().find_map(|entry| match &entry.record {
        Record::UndoFailed { because, .. } => Some(because.as_str()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sample run, cut after each of its entries: what it says while it can go on, and at its end.
    fn sample(entries: usize) -> Journal {
        let text = include_str!("../../tests/journals/format-1.jsonl");
        let text: String = text.lines().take(entries + 1).flat_map(|line| [line, "\n"]).collect();
        Journal::parse(&text).expect("a sample")
    }

    #[test]
    fn a_run_that_can_go_on_has_no_conclusion() {
        for entries in [1, 2, 3, 4, 5, 6, 8] {
            assert_eq!(conclude(&sample(entries)), None, "after {entries} entries");
        }
    }

    #[test]
    fn a_stuck_run_stays_open_and_says_how_to_go_on() {
        let conclusion = conclude(&sample(7)).expect("stuck");
        assert_eq!(conclusion.exit, ExitStatus::NotUndone);
        assert!(!conclusion.is_closed);
        assert_eq!(conclusion.to_do.first().map(String::as_str), Some("the API server went away"));
        assert!(conclusion.to_do.iter().any(|line| line.contains("`helm csghub resume shop -n prod`")));
    }

    #[test]
    fn undone_is_said_only_when_nothing_is_left() {
        let conclusion = conclude(&sample(9)).expect("all steps were undone");
        assert_eq!(conclusion.exit, ExitStatus::NotUndone, "a Job's data was not brought back");
        assert_eq!(
            conclusion.headline,
            "upgrade of shop failed: shop is at revision 1's state again, but not all is undone"
        );
        let mut whole = sample(8);
        let record = Record::UndoSucceeded {
            step: "helm-upgrade".into(),
            note: "back".into(),
            left_behind: vec![],
            to_do: vec![],
        };
        whole.append("2026-01-01T00:00:00Z".into(), record).expect("legal");
        let conclusion = conclude(&whole).expect("undone");
        assert_eq!(conclusion.exit, ExitStatus::Undone);
        assert_eq!(conclusion.problems.first().map(|problem| problem.object.as_str()), Some("Job prod/migrate"));
    }

    #[test]
    fn a_run_that_was_stopped_before_its_first_step_changed_nothing() {
        let mut journal = sample(1);
        journal.append(String::new(), Record::UnwindStarted { because: "stopped by the user".into() }).expect("legal");
        let conclusion = conclude(&journal).expect("over");
        assert_eq!((conclusion.exit, conclusion.is_closed), (ExitStatus::Stopped, true));
    }
}
