//! `status RELEASE`.

use clap::Args;

use super::open::to_shown;
use crate::domain::report::ExitStatus;
use crate::edge::terminal::{Failure, Screen, View};
use crate::flow::session::Session;

/// Tell where a release and its last run stand, and change nothing
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Release to look at; without it every release of the namespace that a run of ours has touched
    release: Option<String>,
}

/// Reads Helm's records and the journal of the last run.
pub(super) async fn run(args: &StatusArgs, session: &Session, screen: &Screen) -> Result<ExitStatus, Failure> {
    let view = match &args.release {
        Some(release) => crate::flow::status::status(session, release).await,
        None => crate::flow::status::overview(session).await,
    }
    .map_err(to_shown)?;
    screen.result(View::Status(&view)).map_err(|error| Failure::new(ExitStatus::Unexpected, error))?;
    Ok(ExitStatus::Done)
}
