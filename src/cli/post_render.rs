//! `post-render`: stdin to stdout, for `helm upgrade --post-renderer`.

use std::io::{self, Read, Write};

use anyhow::Context as _;

use crate::domain::report::ExitStatus;
use crate::edge::terminal::Failure;
use crate::postrender;

/// Pass rendered manifests through, for `helm upgrade --post-renderer`
///
/// Reads manifests on stdin and writes them to stdout, byte for byte. Empty input is an error: Helm 3 would delete the release.
#[derive(Debug, clap::Args)]
pub(super) struct PostRenderArgs {}

/// Copies the manifests.
pub(super) fn run(_args: &PostRenderArgs) -> Result<ExitStatus, Failure> {
    let mut input = Vec::new();
    let fail = |error: anyhow::Error| Failure::new(ExitStatus::Unexpected, error);
    io::stdin().lock().read_to_end(&mut input).context("read the manifests on standard input").map_err(fail)?;
    let output = postrender::render(&input).map_err(|error| {
        Failure::new(ExitStatus::Usage, error).hinted("Helm calls it: `helm upgrade ... --post-renderer`")
    })?;
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(output)
        .and_then(|()| stdout.flush())
        .context("write the manifests to standard output")
        .map_err(fail)?;
    Ok(ExitStatus::Done)
}
