//! `resume`: goes on with a run whose process is gone, from its journal.

use anyhow::Context as _;

use super::execute::{self, Helpers};
use super::failure::Failure;
use super::gather;
use super::inputs::{Inputs, SavedInputs};
use super::rendering;
use super::report;
use super::run::Run;
use super::session::Session;
use crate::domain::helm_flags;
use crate::domain::journal::{Journal, Record, RunState};
use crate::domain::plan::{Action, Step};
use crate::domain::report::{ExitStatus, RunReport};
use crate::edge::cluster::{self, RecordHandle, RecordName, RecordPart};
use crate::edge::disk::RunFolder;
use crate::edge::helm::PulledChart;

/// How a run whose process is gone is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// On with the plan; where a step has failed, on with the undo.
    Forward,
    /// Back: undo what was done.
    Back,
}

/// An unfinished run, as its record beside the release tells it.
pub struct Unfinished {
    /// Its journal.
    pub journal: Journal,
    record: RecordHandle,
}

/// Returns the unfinished run of a release, if there is one.
///
/// # Errors
/// The records cannot be read, or a journal is damaged.
pub async fn find_unfinished(session: &Session, release: &str) -> Result<Option<Unfinished>, Failure> {
    let cluster = &session.cluster;
    let records = cluster.list_run_records(&session.namespace, Some(release), RecordPart::Journal).await?;
    let unfinished = records.into_iter().find(|record| record.text.state == cluster::RunState::Running);
    let Some(record) = unfinished else { return Ok(None) };
    let text = String::from_utf8_lossy(&record.text.content).into_owned();
    let journal = Journal::parse(&text).map_err(|error| {
        Failure::new(ExitStatus::NotUndone, error)
            .while_doing(format!("read the journal of run {}", record.name.run_id))
            .hint("`helm history` and the objects of the release tell what state it is in")
    })?;
    Ok(Some(Unfinished { journal, record: record.handle }))
}

/// Ends an unfinished run.
///
/// # Errors
/// Exit 60 if its owner may still be alive and `is_forced` is false, or if somebody else was faster.
pub async fn end_unfinished(
    session: &Session,
    unfinished: Unfinished,
    direction: Direction,
    is_forced: bool,
) -> Result<RunReport, Failure> {
    let Unfinished { journal, record } = unfinished;
    let header = journal.header.clone();
    let folder = RunFolder::open_or_create(&session.runs_root, &header.run_id)?;
    let mut run = Run::take_over(session, folder, journal, record, is_forced).await?;
    register_secrets(session, &header.release).await;
    let saved = saved_inputs(session, &header.release, &header.run_id).await;
    let prepared = match &saved {
        Ok(saved) => restore(&run, saved).await,
        Err(error) => Err(anyhow::anyhow!("{error:#}")),
    };
    let (inputs, chart) = match prepared {
        Ok((inputs, chart)) => (Some(inputs), Some(chart)),
        Err(error) => {
            session.note(format!("the inputs of the run cannot be had here: {error:#}"));
            (None, None)
        }
    };
    let helpers = Helpers { inputs: inputs.as_ref(), chart: chart.as_ref() };
    let reason_to_turn = match direction {
        Direction::Back => Some("rolled back by the user"),
        // Without them Helm's step cannot begin; that is no failure of a step, and what comes before it would be done for nothing.
        Direction::Forward if inputs.is_none() && is_before_helm(&run) => {
            Some("its inputs are gone, and Helm had not begun")
        }
        Direction::Forward => None,
    };
    let turned = match reason_to_turn {
        Some(because) => turn_back(&mut run, because).await,
        None => Ok(()),
    };
    let ended = match turned {
        Ok(()) => execute::execute(&mut run, &helpers).await,
        Err(error) => Err(error),
    };
    report::end(run, ended, Vec::new()).await
}

/// Tells whether the run stands before the step that needs the inputs.
fn is_before_helm(run: &Run<'_>) -> bool {
    let Some(plan) = run.journal().plan() else { return false };
    let is_helm = |step: &Step| matches!(step.action, Action::HelmUpgrade { .. } | Action::HelmInstall);
    let helm = plan.steps.iter().position(is_helm);
    match run.state() {
        RunState::Ready { done } => helm.is_some_and(|helm| *done <= helm),
        RunState::Stepping { step } => helm.is_some_and(|helm| *step < helm),
        _ => false,
    }
}

/// Between two steps, or within one, the run turns round; a run that unwinds already goes on with that.
async fn turn_back(run: &mut Run<'_>, because: &str) -> anyhow::Result<()> {
    match run.state() {
        RunState::Ready { .. } | RunState::Stepping { .. } => {
            run.record(Record::UnwindStarted { because: because.to_owned() }).await
        }
        _ => Ok(()),
    }
}

async fn register_secrets(session: &Session, release: &str) {
    if let Ok(history) = gather::read_history(session, release).await {
        for revision in &history {
            gather::register_secrets(session, Some(&revision.release), None);
        }
    }
}

async fn saved_inputs(session: &Session, release: &str, run_id: &str) -> anyhow::Result<SavedInputs> {
    let name = RecordName {
        namespace: session.namespace.clone(),
        release: release.to_owned(),
        run_id: run_id.to_owned(),
        part: RecordPart::Inputs,
    };
    let record = session.cluster.read_run_record(&name).await?.context("the Secret with the run's inputs is gone")?;
    serde_json::from_slice(&record.text.content).context("read the Secret with the run's inputs")
}

/// The chart comes from the run folder, else from the Secret, else from where it came from; its digest decides.
async fn restore(run: &Run<'_>, saved: &SavedInputs) -> anyhow::Result<(Inputs, PulledChart)> {
    let session = run.session;
    let table = session.helm.upgrade_flag_table().await?;
    let args = helm_flags::split(&saved.words, &table, &[])?;
    let inputs = Inputs::restore(saved, args).map_err(|failure| failure.error)?;
    let chart = gather::pull(session, &inputs, &run.folder).await.map_err(|failure| failure.error)?;
    anyhow::ensure!(
        chart.digest == saved.chart_digest,
        "chart `{}` is not the one that the run began with",
        inputs.args.chart
    );
    if let Some(replay) = run.plan()?.replay {
        anyhow::ensure!(
            rendering::is_kept(&run.folder, &replay),
            "the rehearsed manifests, which hold what is random, are on the machine that began the run alone"
        );
    }
    Ok((inputs, chart))
}
