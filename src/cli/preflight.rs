//! `preflight RELEASE CHART [helm flags]`.

use clap::Args;

use super::open::to_shown;
use super::upgrade::Target;
use crate::domain::report::ExitStatus;
use crate::edge::terminal::{Failure, Screen, View};
use crate::flow::inputs::Inputs;
use crate::flow::prepare::{self, Asked};
use crate::flow::session::Session;
use crate::flow::upgrade::interruptible;

/// Run the checks before an upgrade, and change nothing
///
/// Takes every flag of `helm upgrade`. Ends with code 20 if a check blocks.
#[derive(Debug, Args)]
pub(super) struct PreflightArgs {
    #[command(flatten)]
    pub(super) target: Target,
}

/// Gathers and checks.
pub(super) async fn run(
    args: &PreflightArgs,
    inputs: &Inputs,
    session: &Session,
    screen: &Screen,
) -> Result<ExitStatus, Failure> {
    let asked = Asked {
        is_read_only: true,
        waivers: args.target.waiving.waive.clone(),
        deletions: Vec::new(),
        planning: None,
        saved: None,
    };
    let prepared = interruptible(session, prepare::prepare(session, inputs, &asked)).await.map_err(to_shown)?;
    screen.result(View::Findings(&prepared.findings)).map_err(|error| Failure::new(ExitStatus::Unexpected, error))?;
    Ok(prepared.exit())
}
