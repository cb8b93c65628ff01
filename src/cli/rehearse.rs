//! `rehearse RELEASE CHART [helm flags]`, `rehearse -- COMMAND...`.

use std::ffi::OsString;
use std::path::Path;

use clap::Args;

use super::open::{self, to_shown};
use super::rules::ProfileArgs;
use super::shared::Shared;
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
/// `-- helm uninstall shop`, `-- helmfile sync`, `-- ./script.sh`; call plain `csghub` for that, for Helm takes flags such as `-n`
/// away from what follows. A script changes nothing as far as it honours KUBECONFIG; one that has a kubeconfig of its own would
/// really run. Ends with code 20 if something would be refused or lost.
#[derive(Debug, Args)]
pub(super) struct RehearseArgs {
    /// Release to upgrade
    #[arg(requires = "chart", required_unless_present = "command")]
    release: Option<String>,
    /// Chart: folder, archive, `repo/name`, `oci://...`, URL
    chart: Option<String>,
    #[command(flatten)]
    pub(super) profiles: ProfileArgs,
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

/// Rehearses any command, in a session of its own.
///
/// # Errors
/// Exit 2 if Helm called us; else as the rehearsal.
pub(super) fn run_any(args: &RehearseArgs, shared: &Shared) -> Result<ExitStatus, Failure> {
    refuse_as_plugin(&open::read_variable)?;
    if args.profiles.are_named() {
        let why = "rules are followed where we start Helm ourselves, not in a command after `--`";
        return Err(Failure::new(ExitStatus::Usage, anyhow::anyhow!(why)).hinted(
            "`csghub rehearse RELEASE CHART --profile-file FILE [helm flags]` rehearses an upgrade with them",
        ));
    }
    open::with_session(shared, async |session, screen| run_command(args, session, screen).await)
}

/// Helm takes its own global flags away from the whole command line of a plugin, behind `--` too: `helm csghub rehearse -- kubectl -n
/// prod delete ...` would reach us without its namespace, and another one would be rehearsed than the one that is meant.
///
/// Source: Helm `pkg/cmd/load_plugins.go` (3: `cmd/helm/load_plugins.go`) `manuallyProcessArgs`; it sets `HELM_PLUGIN_NAME` and
/// `HELM_PLUGIN_DIR` for the plugins that it calls.
fn refuse_as_plugin(read: &dyn Fn(&str) -> Option<OsString>) -> Result<(), Failure> {
    if read("HELM_PLUGIN_NAME").is_none() {
        return Ok(());
    }
    let why = "a command after `--` cannot be rehearsed through Helm, which takes flags such as `-n` away from it";
    let place = read("HELM_PLUGIN_DIR").map(|folder| Path::new(&folder).join("bin/csghub").display().to_string());
    let place = place.map_or_else(String::new, |place| format!("; here it is `{place}`"));
    let hint = format!("call plain `csghub rehearse -- COMMAND...`{place}");
    Err(Failure::new(ExitStatus::Usage, anyhow::anyhow!(why)).hinted(hint))
}

async fn run_command(args: &RehearseArgs, session: &Session, screen: &Screen) -> Result<ExitStatus, Failure> {
    let played =
        interruptible(session, rehearsal::of_command(session, &args.command, args.mode())).await.map_err(to_shown)?;
    show(screen, &played)
}

fn show(screen: &Screen, rehearsed: &Rehearsed) -> Result<ExitStatus, Failure> {
    screen.result(View::Rehearsal(rehearsed)).map_err(|error| Failure::new(ExitStatus::Unexpected, error))?;
    Ok(rehearsal::exit(rehearsed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_helm_hands_us_is_refused_and_the_plain_way_is_named() {
        let called_by_helm = |name: &str| match name {
            "HELM_PLUGIN_NAME" => Some(OsString::from("csghub")),
            "HELM_PLUGIN_DIR" => Some(OsString::from("/plugins/helm-csghub")),
            _ => None,
        };
        let failure = refuse_as_plugin(&called_by_helm).expect_err("refused");
        assert_eq!(failure.exit, ExitStatus::Usage);
        let [hint] = failure.hints.as_slice() else { panic!("one hint: {:?}", failure.hints) };
        assert!(hint.contains("`csghub rehearse -- COMMAND...`"), "{hint}");
        assert!(hint.contains("`/plugins/helm-csghub/bin/csghub`"), "{hint}");
        assert!(refuse_as_plugin(&|_| None).is_ok());
    }
}
