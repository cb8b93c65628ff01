//! Runs a plan: journal, act, journal. Decides nothing: one `match` on the run's state, one on the action.

use super::cure;
use super::evidence;
use super::helm_step;
use super::inputs::Inputs;
use super::probe::{self, Probed};
use super::run::Run;
use super::undo;
use super::verify;
use crate::domain::journal::{Record, RunState};
use crate::domain::plan::{Action, Plan, Step};
use crate::domain::report::{LeftBehind, Problem};
use crate::edge::helm::PulledChart;

/// What the steps need besides the plan.
pub struct Helpers<'a> {
    /// The command line's flags and files; absent when a run is resumed where they cannot be had.
    pub inputs: Option<&'a Inputs>,
    /// The chart of the run; absent likewise.
    pub chart: Option<&'a PulledChart>,
}

/// How a step ended.
pub enum StepEnd {
    /// Well.
    Succeeded {
        /// What came of it.
        note: String,
    },
    /// Badly.
    Failed {
        /// One line.
        because: String,
        /// Object by object.
        problems: Vec<Problem>,
    },
    /// The user stopped it.
    Stopped,
}

/// How the undo of a step ended, where it went through.
#[derive(Default)]
pub struct Undone {
    /// What came of it.
    pub note: String,
    /// What the step brought, and what became of it.
    pub left_behind: Vec<LeftBehind>,
    /// What is not brought back.
    pub to_do: Vec<String>,
}

/// Goes on with a run from wherever its journal stands, until it is done, undone or stuck.
///
/// # Errors
/// The journal could not be written, or another process took the run over: nothing more was changed.
pub async fn execute(run: &mut Run<'_>, helpers: &Helpers<'_>) -> anyhow::Result<()> {
    let plan = run.plan()?;
    let mut has_tried_undo = false;
    loop {
        match run.state().clone() {
            RunState::Ready { done } => {
                let Some(step) = plan.steps.get(done) else { return Ok(()) };
                if run.session.interrupts.any() {
                    run.record(Record::UnwindStarted { because: "stopped by the user".to_owned() }).await?;
                } else {
                    run.record(Record::StepStarted { step: step.id.clone() }).await?;
                    let end = take(run, step, &plan, helpers).await?;
                    record_end(run, step, end).await?;
                }
            }
            // Only at the beginning: the process that started the step is gone.
            RunState::Stepping { step } => {
                let Some(step) = plan.steps.get(step) else { return Ok(()) };
                let end = match probe::probe(run, step).await? {
                    Probed::Ended(end) => end,
                    Probed::NotBegun => {
                        run.record(Record::StepStarted { step: step.id.clone() }).await?;
                        take(run, step, &plan, helpers).await?
                    }
                };
                record_end(run, step, end).await?;
            }
            RunState::Unwinding { left: 0 } | RunState::Empty | RunState::Finished { .. } => return Ok(()),
            RunState::Unwinding { left } => {
                let Some(step) = plan.steps.get(left - 1) else { return Ok(()) };
                evidence::collect_once(run, &plan).await;
                undo_step(run, step, &plan).await?;
                has_tried_undo = true;
            }
            RunState::Stuck { .. } if has_tried_undo => return Ok(()),
            RunState::Undoing { step } | RunState::Stuck { step } => {
                let Some(step) = plan.steps.get(step) else { return Ok(()) };
                undo_step(run, step, &plan).await?;
                has_tried_undo = true;
            }
        }
    }
}

async fn take(run: &mut Run<'_>, step: &Step, plan: &Plan, helpers: &Helpers<'_>) -> anyhow::Result<StepEnd> {
    match &step.action {
        Action::RemoveJob { object, uid } => Ok(cure::remove_job(run, object, uid).await),
        Action::HelmUpgrade { from_revision, to_revision } => {
            helm_step::upgrade(run, step, plan, helpers, Some(*from_revision), *to_revision).await
        }
        Action::HelmInstall => helm_step::upgrade(run, step, plan, helpers, None, 1).await,
        Action::HelmRollback { from_revision, to_revision } => {
            helm_step::rollback(run, step, plan, *from_revision, *to_revision).await
        }
        Action::Verify { timeout_secs } => Ok(verify::verify_step(run, plan, *timeout_secs).await),
    }
}

async fn record_end(run: &mut Run<'_>, step: &Step, end: StepEnd) -> anyhow::Result<()> {
    let step = step.id.clone();
    let mask = |text: &str| run.session.mask(text);
    let record = match end {
        StepEnd::Succeeded { note } => Record::StepSucceeded { step, note: mask(&note) },
        StepEnd::Failed { because, problems } => {
            let problems = problems
                .into_iter()
                .map(|problem| Problem {
                    object: mask(&problem.object),
                    field: problem.field,
                    cause: mask(&problem.cause),
                    remedy: problem.remedy.as_deref().map(mask),
                })
                .collect();
            Record::StepFailed { step, because: mask(&because), problems }
        }
        StepEnd::Stopped => Record::UnwindStarted { because: "stopped by the user".to_owned() },
    };
    run.record(record).await
}

async fn undo_step(run: &mut Run<'_>, step: &Step, plan: &Plan) -> anyhow::Result<()> {
    run.record(Record::UndoStarted { step: step.id.clone() }).await?;
    let record = match undo::undo(run, step, plan).await {
        Ok(Undone { note, left_behind, to_do }) => {
            Record::UndoSucceeded { step: step.id.clone(), note, left_behind, to_do }
        }
        Err(error) => {
            let because = run.session.mask(&format!("{error:#}"));
            Record::UndoFailed { step: step.id.clone(), because }
        }
    };
    run.record(record).await
}
