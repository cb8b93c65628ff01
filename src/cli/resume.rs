//! `resume RELEASE`.

use clap::Args;

use super::open::to_shown;
use crate::domain::report::ExitStatus;
use crate::edge::terminal::{Failure, Screen};
use crate::flow::resume::{Direction, end_unfinished, find_unfinished};
use crate::flow::run::clear_up;
use crate::flow::session::Session;

/// Go on with a run whose process is gone
///
/// Reads its journal, asks the cluster what the interrupted step really did, and goes on with the plan, or with the undo.
#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// Release whose run goes on
    release: String,
    /// Take the run over although its process may still be alive
    #[arg(long)]
    take_over: bool,
}

/// Ends an unfinished run.
pub(super) async fn run(args: &ResumeArgs, session: &Session, screen: &Screen) -> Result<ExitStatus, Failure> {
    let release = &args.release;
    let Some(unfinished) = find_unfinished(session, release).await.map_err(to_shown)? else {
        clear_up(session, release).await;
        session.note(format!("no run on {release} is unfinished: nothing to do"));
        return Ok(ExitStatus::Done);
    };
    let report = end_unfinished(session, unfinished, Direction::Forward, args.take_over).await.map_err(to_shown)?;
    super::upgrade::show(screen, &report)
}
