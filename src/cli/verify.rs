//! `verify RELEASE`.

use std::time::Duration;

use clap::Args;

use super::open::to_shown;
use crate::domain::report::ExitStatus;
use crate::edge::terminal::{Failure, Screen, View};
use crate::flow::session::Session;

/// Check that every object of a release is current, and change nothing
///
/// Waits for objects that are on their way. Ends with code 50 if one does not get there.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Release to look at
    release: String,
    /// Longest time for every object to become current, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout_secs: u64,
}

/// Looks at every object.
pub(super) async fn run(args: &VerifyArgs, session: &Session, screen: &Screen) -> Result<ExitStatus, Failure> {
    let timeout = Duration::from_secs(args.timeout_secs);
    let (view, exit) = crate::flow::verify::verify(session, &args.release, timeout).await.map_err(to_shown)?;
    screen.result(View::Verify(&view)).map_err(|error| Failure::new(ExitStatus::Unexpected, error))?;
    Ok(exit)
}
