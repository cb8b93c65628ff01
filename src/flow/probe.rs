//! Asks the world what an unfinished step really did. `started` without an end means unknown: nothing is assumed.

use std::time::Duration;

use anyhow::{Context as _, bail};

use super::execute::StepEnd;
use super::failure::Failure;
use super::gather;
use super::run::Run;
use crate::domain::plan::{Action, Step};
use crate::domain::release::ReleaseStatus;
use crate::edge::host::{self, Identity};

/// What an unfinished step really did.
pub(super) enum Probed {
    /// It ended, well or badly.
    Ended(StepEnd),
    /// It never began to change anything: it can be started again.
    NotBegun,
}

/// How long an orphaned Helm may take to end before the run refuses to go on.
const ORPHAN_PATIENCE: Duration = Duration::from_mins(2);

/// Probes a step whose process is gone.
///
/// # Errors
/// Helm's storage cannot be read, an orphaned Helm does not end, or somebody else changed the release since.
pub(super) async fn probe(run: &Run<'_>, step: &Step) -> anyhow::Result<Probed> {
    wait_for_orphan(run).await?;
    let newest_before = run.plan()?.newest_revision;
    let to = match step.action {
        Action::HelmUpgrade { to_revision, .. } => to_revision,
        Action::HelmInstall => 1,
        Action::HelmRollback { from_revision, .. } => from_revision + 1,
        // Done again it does no harm: it removes one uid, or nothing.
        Action::RemoveJob { .. } | Action::Verify { .. } => return Ok(Probed::NotBegun),
    };
    let release = run.journal().header.release.clone();
    let history = gather::read_history(run.session, &release).await.map_err(into_error)?;
    let newest = history.last().map(|newest| (newest.release.revision, newest.release.info.status));
    match newest {
        None if newest_before.is_none() => Ok(Probed::NotBegun),
        Some((revision, _)) if Some(revision) == newest_before => Ok(Probed::NotBegun),
        Some((revision, ReleaseStatus::Deployed)) if revision == to => {
            Ok(Probed::Ended(StepEnd::Succeeded { note: format!("revision {to} is deployed") }))
        }
        Some((revision, status)) if revision == to => Ok(Probed::Ended(StepEnd::Failed {
            because: format!("Helm did not finish: revision {to} is {status}"),
            problems: Vec::new(),
        })),
        other => bail!(
            "release {release} is at revision {}: another operation changed it since the run began",
            other.map_or_else(|| "none".to_owned(), |(revision, status)| format!("{revision} ({status})"))
        ),
    }
}

/// Helm ends by itself when we are gone (its parent-death signal); until it has, nothing that it writes is final.
pub(super) async fn wait_for_orphan(run: &Run<'_>) -> anyhow::Result<()> {
    let Some((pid, start_ticks)) = run.journal().last_process() else { return Ok(()) };
    let is_here = run
        .journal()
        .entries()
        .iter()
        .rev()
        .skip_while(|entry| !matches!(entry.record, crate::domain::journal::Record::ProcessStarted { .. }))
        .find_map(|entry| match &entry.record {
            crate::domain::journal::Record::Begun { holder, .. }
            | crate::domain::journal::Record::TakenOver { holder } => holder.parse::<Identity>().ok(),
            _ => None,
        })
        .is_some_and(|holder| {
            holder.host == run.session.identity.host && holder.boot_id == run.session.identity.boot_id
        });
    if !is_here {
        return Ok(());
    }
    let deadline = tokio::time::Instant::now() + ORPHAN_PATIENCE;
    while host::is_process_alive(pid, start_ticks) {
        if tokio::time::Instant::now() > deadline {
            bail!("Helm, process {pid} of the interrupted run, still works: wait for its end, then resume");
        }
        run.session.note(format!("waiting for Helm, process {pid} of the interrupted run, to end"));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

fn into_error(failure: Failure) -> anyhow::Error {
    failure.error.context("read Helm's records")
}

/// Reads the newest revision's number and status.
///
/// # Errors
/// Helm's storage cannot be read.
pub(super) async fn newest(run: &Run<'_>) -> anyhow::Result<Option<(u32, ReleaseStatus)>> {
    let history = gather::read_history(run.session, &run.journal().header.release)
        .await
        .map_err(into_error)
        .context("see what Helm did")?;
    Ok(history.last().map(|newest| (newest.release.revision, newest.release.info.status)))
}
