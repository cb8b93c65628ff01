//! `rollback RELEASE [REVISION]`.

use clap::Args;

use super::open::to_shown;
use super::upgrade::{Waiting, Waiving, asker};
use crate::domain::report::ExitStatus;
use crate::edge::terminal::{Failure, Screen};
use crate::flow::rollback::{RollbackRequest, rollback};
use crate::flow::session::Session;

/// Bring a release back to a revision, and verify it
///
/// Undoes an unfinished run, if there is one. Without REVISION: to the last good one before the current.
#[derive(Debug, Args)]
pub(super) struct RollbackArgs {
    /// Release to roll back
    release: String,
    /// Revision to go back to; `helm history RELEASE` lists them
    revision: Option<u32>,
    #[command(flatten)]
    waiving: Waiving,
    #[command(flatten)]
    waiting: Waiting,
    /// Accept the plan as shown, without being asked
    #[arg(short = 'y', long)]
    yes: bool,
    /// Take an unfinished run over although its process may still be alive
    #[arg(long)]
    take_over: bool,
}

/// Rolls back.
pub(super) async fn run(args: &RollbackArgs, session: &Session, screen: &Screen) -> Result<ExitStatus, Failure> {
    let ask = asker(args.yes, false, session, screen);
    let request =
        RollbackRequest { waivers: &args.waiving.waive, options: args.waiting.options(), takes_over: args.take_over };
    let rolled_back = Box::pin(rollback(session, &args.release, args.revision, &request, &ask));
    let report = rolled_back.await.map_err(to_shown)?;
    super::upgrade::show(screen, &report)
}
