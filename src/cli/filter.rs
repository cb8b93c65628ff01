//! `filter`: the rules of the post-renderer for any pipeline, without Helm.

use super::rules::RulesArgs;
use super::shared::Shared;
use super::stream;
use crate::domain::event::Event;
use crate::domain::report::ExitStatus;
use crate::edge::terminal::{Failure, Screen};
use crate::postrender::{self, RenderError};

/// Change rendered manifests by the rules of a profile, stdin to stdout, without Helm
///
/// For Argo CD, CI and `kubectl apply`. It is offline: it reads no kubeconfig and opens no connection. Documents that no rule
/// changes leave byte for byte as they came. Nothing is written before all of it is well, so that a pipeline never applies half of
/// it. What was changed is told on stderr with `-v`.
#[derive(Debug, clap::Args)]
pub(super) struct FilterArgs {
    #[command(flatten)]
    rules: RulesArgs,
}

pub(super) fn run(args: &FilterArgs, shared: &Shared) -> Result<ExitStatus, Failure> {
    let rules = args.rules.rules(shared.namespace.as_deref())?;
    let mut output = Vec::new();
    let notes = postrender::render(stream::input()?, &mut output, &rules).map_err(failure)?;
    stream::write(&output)?;
    if shared.verbose {
        let screen = Screen::new(shared.options());
        notes.lines().into_iter().for_each(|what| screen.show(&Event::Detail { what }));
    }
    Ok(ExitStatus::Done)
}

/// Returns what a user is told, with the exit code of bad input where it is that.
pub(super) fn failure(error: RenderError) -> Failure {
    match error {
        RenderError::Read(_) | RenderError::Write(_) => Failure::new(ExitStatus::Unexpected, error),
        other => Failure::new(ExitStatus::Usage, other),
    }
}
