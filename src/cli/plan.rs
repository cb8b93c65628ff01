//! `plan RELEASE CHART [helm flags]`.

use std::path::PathBuf;

use clap::Args;

use super::open::to_shown;
use super::upgrade::{Planning, Target, read_saved};
use crate::domain::plan::explain;
use crate::domain::report::ExitStatus;
use crate::edge::terminal::{Failure, Screen, View};
use crate::flow::inputs::Inputs;
use crate::flow::session::Session;
use crate::flow::upgrade::{exit_of_plan, interruptible};
use crate::flow::{prepare, report, saved_plan};

/// Show what an upgrade would do, and change nothing
///
/// Takes every flag of `helm upgrade`.
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    pub(super) target: Target,
    #[command(flatten)]
    pub(super) planning: Planning,
    /// End with code 10 if there are changes, with 0 if there are none
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
    /// Save the plan to this file, for `upgrade --plan`
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// The saved plan that `upgrade --dry-run --plan` looks at.
    #[arg(skip)]
    pub(super) saved: Option<PathBuf>,
    /// Whether what moved since is accepted.
    #[arg(skip)]
    pub(super) accept_drift: bool,
}

/// Gathers, checks and plans.
pub(super) async fn run(
    args: &PlanArgs,
    inputs: &Inputs,
    session: &Session,
    screen: &Screen,
) -> Result<ExitStatus, Failure> {
    let asked = args.planning.asked(&args.target, true, read_saved(args.saved.as_deref())?);
    let prepared = interruptible(session, prepare::prepare(session, inputs, &asked)).await.map_err(to_shown)?;
    match &prepared.plan {
        None => super::upgrade::show(screen, &report::blocked(&prepared)),
        Some(plan) => {
            screen.message(View::Findings(&prepared.findings));
            let view = explain::view(plan, prepared.rehearsed.as_ref());
            screen.result(View::Plan(&view)).map_err(|error| Failure::new(ExitStatus::Unexpected, error))?;
            if let Some(path) = &args.out {
                saved_plan::write(session, inputs, &prepared, path).await.map_err(to_shown)?;
            }
            if !prepared.drift.is_empty() && !args.accept_drift {
                return super::upgrade::show(screen, &report::drifted(&prepared));
            }
            Ok(exit_of_plan(&prepared, args.detailed_exitcode))
        }
    }
}
