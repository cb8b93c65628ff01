//! `rollback`: back to a named revision, as a plan of its own; an unfinished run is undone first.

use super::execute::{self, Helpers};
use super::failure::Failure;
use super::gather::{self, Revision};
use super::prepare::{self, Prepared};
use super::report;
use super::resume::{self, Direction};
use super::ruled::Ruled;
use super::run::Run;
use super::session::Session;
use super::upgrade::{Ask, Consent};
use crate::domain::plan::build::{self, PlanOptions};
use crate::domain::preflight::{self, Waiver};
use crate::domain::release::{Release, ReleaseStatus};
use crate::domain::report::{ExitStatus, RunReport};
use crate::edge::disk::RunFolder;
use crate::edge::host;

/// What the user asked of `rollback`.
pub struct RollbackRequest<'a> {
    /// Checks whose answer the user accepts, with the reason.
    pub waivers: &'a [Waiver],
    /// How the plan is built.
    pub options: PlanOptions,
    /// Whether an unfinished run is taken over although its process may still be alive.
    pub takes_over: bool,
}

/// Rolls a release back to `revision`, or to the last good one. An unfinished run of ours is undone, which is the way back
/// that its plan decided.
///
/// # Errors
/// [`Failure`] where nothing was changed.
pub async fn rollback(
    session: &Session,
    release: &str,
    revision: Option<u32>,
    request: &RollbackRequest<'_>,
    ask: Ask<'_>,
) -> Result<RunReport, Failure> {
    if let Some(unfinished) = resume::find_unfinished(session, release).await? {
        let run_id = unfinished.journal.header.run_id.clone();
        if revision.is_some() {
            let error = anyhow::anyhow!("run {run_id} of {release} is not finished");
            return Err(Failure::blocked(error)
                .hint(format!("end it first: `helm csghub rollback {release} -n {}` undoes it", session.namespace)));
        }
        session.note(format!("run {run_id} is not finished: undoing it"));
        return resume::end_unfinished(session, unfinished, Direction::Back, request.takes_over).await;
    }
    let history = gather::read_history(session, release).await?;
    let to = choose(session, release, &history, revision)?;
    let run_id = host::new_run_id();
    let folder = RunFolder::create(&session.runs_root, &run_id)?;
    let facts = gather::gather_rollback(session, release, &history, to, &folder).await?;
    let findings = prepare::check(session, &facts, request.waivers, preflight::run_rollback)?;
    let plan = build::rollback(&facts, to.revision, &request.options);
    let prepared = Prepared {
        run_id,
        folder,
        facts,
        chart: None,
        target: None,
        ruled: Ruled::default(),
        findings,
        rehearsed: None,
        standing: Vec::new(),
        random: Vec::new(),
        plan,
        drift: Vec::new(),
    };
    let Some(plan) = prepared.plan.clone().filter(|_| prepared.exit() == ExitStatus::Done) else {
        return Ok(report::blocked(&prepared));
    };
    match ask(&prepared.question(&plan)) {
        Consent::Yes => {}
        Consent::NotForDrift => return Ok(report::drifted(&prepared)),
        Consent::No => return Ok(report::stopped(&prepared, "stopped by you: nothing was changed")),
        Consent::NobodyThere => return Ok(report::stopped(&prepared, prepare::NOBODY_THERE)),
    }
    let Prepared { run_id, folder, findings, .. } = prepared;
    let mut run = Run::begin(session, folder, &run_id, plan, b"{}").await?;
    let ended = execute::execute(&mut run, &Helpers { inputs: None, chart: None }).await;
    report::end(run, ended, findings).await
}

/// A release is rolled back to a revision that was good: the named one, else the newest before the current one that Helm
/// calls deployed or superseded.
fn choose<'h>(
    session: &Session,
    release: &str,
    history: &'h [Revision],
    revision: Option<u32>,
) -> Result<&'h Release, Failure> {
    let Some((newest, earlier)) = history.split_last() else {
        let error = anyhow::anyhow!("release {release} does not exist in namespace {}", session.namespace);
        return Err(Failure::blocked(error).hint("`helm list -A` shows every release"));
    };
    let chosen = match revision {
        Some(number) => history.iter().find(|entry| entry.release.revision == number),
        None => earlier.iter().rev().find(|entry| is_good(entry)),
    };
    let missing = || {
        let kept: Vec<String> = history.iter().map(|entry| entry.release.revision.to_string()).collect();
        let what =
            revision.map_or_else(|| "an earlier good revision".to_owned(), |number| format!("revision {number}"));
        let error = anyhow::anyhow!("release {release} has no {what}: Helm keeps {}", kept.join(", "));
        Failure::blocked(error).hint(format!("`helm history {release} -n {}` shows them", session.namespace))
    };
    let chosen = chosen.ok_or_else(missing)?;
    if chosen.release.revision == newest.release.revision && newest.release.info.status == ReleaseStatus::Deployed {
        let error = anyhow::anyhow!("release {release} is at revision {} already", newest.release.revision);
        return Err(Failure::new(ExitStatus::Done, error));
    }
    Ok(&chosen.release)
}

fn is_good(entry: &Revision) -> bool {
    matches!(entry.release.info.status, ReleaseStatus::Deployed | ReleaseStatus::Superseded)
}
