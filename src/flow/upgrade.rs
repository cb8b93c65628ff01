//! `upgrade`: prepare, confirm, execute, report.

use super::execute::{self, Helpers};
use super::failure::Failure;
use super::inputs::Inputs;
use super::prepare::{self, Asked, Prepared};
use super::report;
use super::run::Run;
use super::session::Session;
use crate::domain::plan::Plan;
use crate::domain::plan::saved::Drift;
use crate::domain::preflight::Finding;
use crate::domain::rehearsed::{Operation, Rehearsed, RehearsedObject};
use crate::domain::release::ReleaseStatus;
use crate::domain::report::{ExitStatus, RunReport};

/// The user's answer to a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Go on.
    Yes,
    /// Stop.
    No,
    /// Nobody was there to ask, and `--yes` was not given.
    NobodyThere,
    /// Something moved since the plan was saved, nobody was there to ask, and `--yes` does not speak of that.
    NotForDrift,
}

/// What the user is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What the checks found.
    pub findings: &'a [Finding],
    /// What would be done.
    pub plan: &'a Plan,
    /// What the rehearsal found; nothing in a rollback.
    pub rehearsed: Option<&'a Rehearsed>,
    /// What moved since the plan was saved that is run.
    pub drift: &'a [Drift],
}

/// Shows all that, and asks.
pub type Ask<'a> = &'a dyn Fn(&Question<'_>) -> Consent;

/// Runs the whole flow of an upgrade.
///
/// # Errors
/// [`Failure`] where nothing was changed and there is no report to give.
pub async fn upgrade(session: &Session, inputs: &Inputs, asked: &Asked, ask: Ask<'_>) -> Result<RunReport, Failure> {
    let prepared = interruptible(session, prepare::prepare(session, inputs, asked)).await?;
    let Some(plan) = prepared.plan.clone() else {
        return Ok(report::blocked(&prepared));
    };
    match ask(&prepared.question(&plan)) {
        Consent::Yes => {}
        Consent::NotForDrift => return Ok(report::drifted(&prepared)),
        Consent::No => return Ok(report::stopped(&prepared, "stopped by you: nothing was changed")),
        Consent::NobodyThere => return Ok(report::stopped(&prepared, prepare::NOBODY_THERE)),
    }
    if session.interrupts.any() {
        return Ok(report::stopped(&prepared, "stopped by you: nothing was changed"));
    }
    let Prepared { run_id, folder, chart, findings, .. } = prepared;
    let Some(chart) = chart else { return Err(anyhow::anyhow!("the chart was not pulled").into()) };
    let saved = inputs.save(&chart.digest);
    let saved = serde_json::to_vec(&saved).map_err(anyhow::Error::from)?;
    let mut run = Run::begin(session, folder, &run_id, plan, &saved).await?;
    let helpers = Helpers { inputs: Some(inputs), chart: Some(&chart) };
    let ended = execute::execute(&mut run, &helpers).await;
    report::end(run, ended, findings).await
}

/// Runs what changes nothing, unless the user stops it: then it is left at once.
///
/// # Errors
/// Those of `work`; exit 30 if the user stopped it.
pub async fn interruptible<T>(session: &Session, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::select! {
        result = work => result,
        () = session.interrupts.more_than(0) => {
            Err(Failure::new(ExitStatus::Stopped, anyhow::anyhow!("stopped by you: nothing was changed")))
        }
    }
}

/// Returns the exit code of a plan that was only shown.
#[must_use]
pub fn exit_of_plan(prepared: &Prepared, is_detailed: bool) -> ExitStatus {
    match prepared.exit() {
        ExitStatus::Done if is_detailed && has_changes(prepared) => ExitStatus::ChangesPending,
        exit => exit,
    }
}

/// The same chart with the same values, rendered to what is there, changes nothing but Helm's own history.
fn has_changes(prepared: &Prepared) -> bool {
    let Some(rehearsed) = &prepared.rehearsed else { return true };
    let history = prepared.facts.history.known();
    let current =
        history.and_then(|history| history.iter().rev().find(|entry| entry.status == ReleaseStatus::Deployed));
    let is_same_chart = current.is_some_and(|current| current.chart.version == prepared.facts.chart.metadata.version);
    let removes = prepared.plan.iter().flat_map(|plan| &plan.steps).any(|step| step.action.removes().is_some());
    // Hooks are made and removed at each upgrade, whatever it changes.
    let is_change = |object: &RehearsedObject| !object.is_hook && object.operation != Operation::Unchanged;
    !is_same_chart || removes || rehearsed.objects.iter().any(is_change)
}
