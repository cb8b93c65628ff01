//! `rehearse`: a rehearsal alone, of an upgrade or of any command.

use super::failure::Failure;
use super::gather::{self, Revision};
use super::inputs::Inputs;
use super::rehearse::{self, Played, UpgradeScene};
use super::rendering;
use super::ruled::Ruled;
use super::session::Session;
use crate::domain::plan::explain;
use crate::domain::post_rendering::About;
use crate::domain::rehearsed::{Mode, Rehearsed};
use crate::domain::report::ExitStatus;
use crate::edge::disk::RunFolder;
use crate::edge::helm::PulledChart;
use crate::edge::host;

/// Rehearses `helm upgrade` with the user's flags.
///
/// # Errors
/// The chart or Helm's records cannot be had, or the rehearsal could not be played to its end.
pub async fn of_upgrade(session: &Session, inputs: &Inputs, mode: Mode) -> Result<Rehearsed, Failure> {
    let folder = RunFolder::create(&session.runs_root, &host::new_run_id())?;
    let history = gather::read_history(session, &inputs.args.release).await?;
    let chart = gather::pull(session, inputs, &folder).await?;
    let current = gather::current(&history);
    gather::register_secrets(session, current, None);
    let scene = UpgradeScene { inputs, chart: &chart, current, mode };
    let about =
        if inputs.rules.is_empty() { None } else { ruled_by(session, inputs, &folder, &chart, &history).await? };
    let rendering = rendering::usual(session, inputs, &folder, about.as_ref()).await.map_err(Failure::blocked)?;
    let played = rehearse::upgrade(session, &folder, &scene, None, &rendering).await?;
    keep(&folder, &played)?;
    Ok(played.rehearsed)
}

/// Returns what rules know of the release, if any changes anything; tells what they change.
async fn ruled_by(
    session: &Session,
    inputs: &Inputs,
    folder: &RunFolder,
    chart: &PulledChart,
    history: &[Revision],
) -> Result<Option<About>, Failure> {
    let rendered = gather::render(session, inputs, folder, chart, history).await;
    let (_, Ruled { following, warnings }) = rendered.map_err(|because| {
        Failure::blocked(anyhow::anyhow!(because)).while_doing("render the chart by the rules of the profile")
    })?;
    let lines = following.iter().flat_map(|following| &following.notes.rules).map(explain::rule);
    lines.chain(warnings).for_each(|line| session.note(line));
    Ok(following.map(|following| following.about))
}

/// Rehearses any command that honours KUBECONFIG; `words` begin with the program.
///
/// # Errors
/// Exit 2 for a command that would not stay within the rehearsal; else as [`of_upgrade`].
pub async fn of_command(session: &Session, words: &[String], mode: Mode) -> Result<Rehearsed, Failure> {
    let folder = RunFolder::create(&session.runs_root, &host::new_run_id())?;
    let played = rehearse::command(session, &folder, words, mode).await?;
    keep(&folder, &played)?;
    Ok(played.rehearsed)
}

/// Returns the exit code that a rehearsal means: 20 if something would be refused or lost, or the command failed.
#[must_use]
pub fn exit(rehearsed: &Rehearsed) -> ExitStatus {
    if rehearsed.blocks() { ExitStatus::Blocked } else { ExitStatus::Done }
}

fn keep(folder: &RunFolder, played: &Played) -> Result<(), Failure> {
    folder.write("rehearsal.json", &serde_json::to_vec_pretty(&played.rehearsed).map_err(anyhow::Error::from)?)?;
    // For `scripts/bench`.
    let wall_us = u64::try_from(played.took.as_micros()).unwrap_or(u64::MAX);
    let counters = serde_json::json!({"wall_us": wall_us, "proxy": played.counters});
    folder.write("counters.json", &serde_json::to_vec_pretty(&counters).map_err(anyhow::Error::from)?)?;
    Ok(())
}
