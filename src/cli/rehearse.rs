//! `rehearse RELEASE CHART [helm flags]`, `rehearse -- COMMAND...`.

use clap::Args;

use super::open::to_shown;
use crate::domain::rehearsed::{Mode, Rehearsed};
use crate::domain::report::ExitStatus;
use crate::edge::terminal::{Failure, Screen, View};
use crate::flow::inputs::Inputs;
use crate::flow::rehearsal;
use crate::flow::session::Session;
use crate::flow::upgrade::interruptible;

/// Play an upgrade through with your own Helm, and change nothing
///
/// Takes every flag of `helm upgrade`. After `--` any command that honours KUBECONFIG is rehearsed instead: `-- helm rollback shop`,
/// `-- helm uninstall shop`, `-- helmfile sync`, `-- ./script.sh`. A script changes nothing as far as it honours KUBECONFIG; one
/// that has a kubeconfig of its own would really run. Ends with code 20 if something would be refused or lost.
#[derive(Debug, Args)]
pub(super) struct RehearseArgs {
    /// Release to upgrade
    #[arg(requires = "chart", required_unless_present = "command")]
    release: Option<String>,
    /// Chart: folder, archive, `repo/name`, `oci://...`, URL
    chart: Option<String>,
    /// Hand refusals on to Helm, and see what it does next
    #[arg(long)]
    as_helm: bool,
    /// Command to rehearse, program first
    #[arg(last = true, value_name = "COMMAND", conflicts_with = "release")]
    command: Vec<String>,
}

impl RehearseArgs {
    fn mode(&self) -> Mode {
        if self.as_helm { Mode::AsHelm } else { Mode::All }
    }
}

/// Rehearses an upgrade.
pub(super) async fn run_upgrade(
    args: &RehearseArgs,
    inputs: &Inputs,
    session: &Session,
    screen: &Screen,
) -> Result<ExitStatus, Failure> {
    let played = interruptible(session, rehearsal::of_upgrade(session, inputs, args.mode())).await.map_err(to_shown)?;
    show(screen, &played)
}

/// Rehearses any command.
pub(super) async fn run_command(
    args: &RehearseArgs,
    session: &Session,
    screen: &Screen,
) -> Result<ExitStatus, Failure> {
    let played =
        interruptible(session, rehearsal::of_command(session, &args.command, args.mode())).await.map_err(to_shown)?;
    show(screen, &played)
}

fn show(screen: &Screen, rehearsed: &Rehearsed) -> Result<ExitStatus, Failure> {
    screen.result(View::Rehearsal(rehearsed)).map_err(|error| Failure::new(ExitStatus::Unexpected, error))?;
    Ok(rehearsal::exit(rehearsed))
}
