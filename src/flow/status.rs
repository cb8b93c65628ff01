//! `status`: where the release stands, by Helm's storage and by the journal of the last run. Reads only.

use std::collections::BTreeMap;

use super::failure::Failure;
use super::gather;
use super::hold;
use super::session::Session;
use crate::domain::conclusion;
use crate::domain::journal::{Journal, Record, RunState};
use crate::domain::plan::explain;
use crate::domain::report::ExitStatus;
use crate::domain::view::StatusView;
use crate::edge::cluster::{self, RecordPart};
use crate::edge::host::Identity;

/// Returns where the release stands.
///
/// # Errors
/// Helm's storage or the records of runs cannot be read.
pub async fn status(session: &Session, release: &str) -> Result<StatusView, Failure> {
    let history = gather::read_history(session, release).await?;
    let part = RecordPart::Journal;
    let records = session.cluster.list_run_records(&session.namespace, Some(release), part).await?;
    let mut rows = Vec::new();
    let newest = history.last().map(|newest| &newest.release);
    match newest {
        Some(newest) => {
            let chart = &newest.chart.metadata;
            rows.push((
                "revision".to_owned(),
                format!("{} is {}, chart {} {}", newest.revision, newest.info.status, chart.name, chart.version),
            ));
        }
        None if records.is_empty() => {
            let error = anyhow::anyhow!("release {release} does not exist in namespace {}", session.namespace);
            return Err(Failure::blocked(error).hint(format!("`helm list -A --filter {release}` looks everywhere")));
        }
        None => rows.push(("revision".to_owned(), "Helm has no record of it".to_owned())),
    }
    let last = records.iter().find(|record| record.text.state == cluster::RunState::Running).or(records.last());
    let journal = last.map(|record| Journal::parse(&String::from_utf8_lossy(&record.text.content)));
    let mut next = Vec::new();
    let headline = match &journal {
        None => newest.map_or_else(String::new, |newest| {
            format!("{release} is {}; no run of ours on record", newest.info.status)
        }),
        Some(Err(error)) => {
            rows.push(("journal".to_owned(), error.to_string()));
            format!("the journal of the last run on {release} cannot be read")
        }
        Some(Ok(journal)) => {
            describe(session, journal, &mut rows, &mut next).await?;
            headline(journal)
        }
    };
    if journal.is_none() && newest.is_some_and(|newest| newest.info.status.is_pending()) {
        next.push(format!("`helm csghub rollback {release} -n {}` ends the interrupted operation", session.namespace));
    }
    Ok(StatusView { release: release.to_owned(), namespace: session.namespace.clone(), headline, rows, next })
}

/// Returns one row for each release of the namespace that a run of ours has touched.
///
/// # Errors
/// The records of runs cannot be read.
pub async fn overview(session: &Session) -> Result<StatusView, Failure> {
    let records = session.cluster.list_run_records(&session.namespace, None, RecordPart::Journal).await?;
    // Oldest first, so the newest run of a release is the one that stays.
    let newest: BTreeMap<String, &cluster::RunRecord> =
        records.iter().map(|record| (record.name.release.clone(), record)).collect();
    let rows: Vec<(String, String)> = newest
        .iter()
        .map(|(release, record)| {
            let said = match Journal::parse(&String::from_utf8_lossy(&record.text.content)) {
                Ok(journal) => headline(&journal),
                Err(error) => format!("the journal of run {} cannot be read: {error}", record.name.run_id),
            };
            (release.clone(), said)
        })
        .collect();
    let headline = match rows.len() {
        0 => format!("no run of ours is on record in namespace {}", session.namespace),
        1 => "1 release has runs on record".to_owned(),
        count => format!("{count} releases have runs on record"),
    };
    let next = vec![format!("`helm csghub status RELEASE -n {}` tells more", session.namespace)];
    Ok(StatusView { release: String::new(), namespace: session.namespace.clone(), headline, rows, next })
}

fn headline(journal: &Journal) -> String {
    let release = &journal.header.release;
    let step = |index: &usize| {
        journal.plan().and_then(|plan| plan.steps.get(*index)).map_or_else(String::new, |step| step.id.clone())
    };
    match journal.state() {
        RunState::Finished { .. } => journal
            .entries()
            .last()
            .and_then(|entry| match &entry.record {
                Record::Finished { headline, .. } => Some(headline.clone()),
                _ => None,
            })
            .unwrap_or_default(),
        RunState::Empty => format!("the run on {release} had not begun"),
        RunState::Ready { done: 0 } => format!("the run on {release} has begun and changed nothing yet"),
        RunState::Ready { done } => format!("the run on {release} has completed {done} steps"),
        RunState::Stepping { step: index } => format!("the run on {release} is in step {}", step(index)),
        RunState::Unwinding { .. } => format!("the run on {release} failed and is being undone"),
        RunState::Undoing { step: index } => {
            format!("the run on {release} failed; step {} is being undone", step(index))
        }
        RunState::Stuck { step: index } => {
            format!("the undo of step {} on {release} failed: a person is needed", step(index))
        }
    }
}

async fn describe(
    session: &Session,
    journal: &Journal,
    rows: &mut Vec<(String, String)>,
    next: &mut Vec<String>,
) -> Result<(), Failure> {
    let header = &journal.header;
    let target = format!("{} -n {}", header.release, header.namespace);
    let state = journal.state();
    rows.push(("run".to_owned(), format!("{}, {}", header.run_id, state.word())));
    if let Some(plan) = journal.plan() {
        rows.push(("plan".to_owned(), plan.title.clone()));
        for step in &plan.steps {
            rows.push((
                step.id.clone(),
                format!("{}: {}", step_state(journal, &step.id), explain::action(&step.action)),
            ));
        }
    }
    if let Some(failure) = journal.failure() {
        rows.push(("failure".to_owned(), failure.to_owned()));
    }
    if let Some(conclusion) = conclusion::conclude(journal) {
        rows.extend(conclusion.to_do.into_iter().map(|line| ("to do".to_owned(), line)));
    }
    if let RunState::Finished { exit } = state {
        rows.push(("exit".to_owned(), format!("{} ({})", exit.code(), exit.meaning())));
        if *exit == ExitStatus::NotUndone {
            next.push(format!("see `{}` in the run folder", super::evidence::FOLDER));
        }
        return Ok(());
    }
    let holder = journal.holder().unwrap_or_default();
    let identity = holder.parse::<Identity>();
    let lease = session.cluster.read_lease(&session.namespace, &header.release).await?;
    let is_gone = hold::is_proven_gone(holder) || lease.is_none_or(|lease| hold::is_abandoned(&lease));
    let who =
        identity.map_or_else(|_| holder.to_owned(), |identity| format!("{}, process {}", identity.who(), identity.pid));
    if is_gone {
        rows.push(("holder".to_owned(), format!("{who}: gone")));
        next.push(format!("`helm csghub resume {target}` goes on"));
        next.push(format!("`helm csghub rollback {target}` undoes what was done"));
    } else {
        rows.push(("holder".to_owned(), format!("{who}: at work")));
        next.push("wait for it to end".to_owned());
    }
    Ok(())
}

/// Returns how far a step is, by the newest entry that speaks of it.
fn step_state(journal: &Journal, id: &str) -> &'static str {
    let newest = journal.entries().iter().rev().find_map(|entry| match &entry.record {
        Record::StepStarted { step } if step == id => Some("begun, its end is not known"),
        Record::StepSucceeded { step, .. } if step == id => Some("done"),
        Record::StepFailed { step, .. } if step == id => Some("failed"),
        Record::UndoStarted { step } if step == id => Some("being undone"),
        Record::UndoSucceeded { step, .. } if step == id => Some("undone"),
        Record::UndoFailed { step, .. } if step == id => Some("could not be undone"),
        _ => None,
    });
    newest.unwrap_or("not begun")
}
