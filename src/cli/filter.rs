//! `filter`: the rules of the post-renderer for any pipeline, without Helm.

use std::env;

use super::rules::RulesArgs;
use super::shared::{Shared, is_called_as};
use super::stream;
use crate::domain::event::Event;
use crate::domain::post_rendering::Notes;
use crate::domain::report::ExitStatus;
use crate::edge::terminal::{Failure, Screen};
use crate::postrender::{self, RenderError};

/// Change rendered manifests by the rules of a profile, stdin to stdout, without Helm
///
/// For Argo CD, CI and `kubectl apply`. It is offline: it reads no kubeconfig and opens no connection. Documents that no rule
/// changes leave byte for byte as they came. Nothing is written before all of it is well. Give it a file, as in
/// `helm template ... > FILE && csghub filter < FILE`: a pipe does not tell that the command before it died half-way. What was
/// changed is told on stderr with `-v`. `-n` tells rules the release's namespace; it puts none into manifests.
#[derive(Debug, clap::Args)]
pub(super) struct FilterArgs {
    #[command(flatten)]
    rules: RulesArgs,
}

pub(super) fn run(args: &FilterArgs, shared: &Shared) -> Result<ExitStatus, Failure> {
    shared.check_is_of_manifests()?;
    let namespace = shared.namespace().map(str::to_owned).or_else(namespace_of_helm);
    let rules = args.rules.rules(namespace.as_deref(), shared.verbose)?;
    let mut output = Vec::new();
    let notes =
        postrender::render(stream::input()?, &mut output, &rules).map_err(|error| failure(error, Door::Filter))?;
    stream::write(&output)?;
    tell(&notes, shared);
    Ok(ExitStatus::Done)
}

/// Returns the namespace that Helm found for us: called as its plugin, it keeps `-n` to itself and always names one.
fn namespace_of_helm() -> Option<String> {
    is_helms_plugin().then(|| env::var("HELM_NAMESPACE").ok()).flatten().filter(|name| !name.is_empty())
}

/// Tells whether Helm called us as `helm csghub`.
pub(super) fn is_helms_plugin() -> bool {
    is_called_as(PLUGIN_NAME)
}

/// The name of the plugin: `plugin.yaml`.
const PLUGIN_NAME: &str = "csghub";

/// Tells with `-v` what the rules changed.
pub(super) fn tell(notes: &Notes, shared: &Shared) {
    if shared.verbose {
        let screen = Screen::new(shared.options_beside_manifests());
        notes.lines().into_iter().for_each(|what| screen.show(&Event::Detail { what }));
    }
}

/// The way by which manifests came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Filter,
    PostRender,
}

/// Returns what a user is told, with the exit code of bad input where it is that.
pub(super) fn failure(error: RenderError, door: Door) -> Failure {
    let hint = match (&error, door) {
        (RenderError::Read(_) | RenderError::Write(_), _) => return Failure::new(ExitStatus::Unexpected, error),
        (RenderError::Empty, _) => {
            "the command before the pipe failed, or the chart renders nothing: look at `helm template ...` alone"
                .to_owned()
        }
        (RenderError::NoLineBreak { .. }, _) => "end the last document with a line break".to_owned(),
        (RenderError::Added { adding, .. }, _) => {
            format!("change what `{adding}` adds, or which documents the rule behind it selects")
        }
        (RenderError::NothingLeft { .. }, Door::Filter) => {
            "whoever applies the result and prunes would delete the release: let the rules leave something of it"
                .to_owned()
        }
        (RenderError::NothingLeft { .. }, Door::PostRender) => {
            "Helm 3 would delete every object of the release: let the rules leave something of it".to_owned()
        }
        (RenderError::Document { line, .. }, door) => {
            let manifests = if door == Door::Filter { "came in" } else { "Helm rendered" };
            format!("look at line {line} of what {manifests}, as by `helm template ... | sed -n {line}p`")
        }
    };
    Failure::new(ExitStatus::Usage, error).hinted(hint)
}
