//! `post-render`: stdin to stdout, for `helm upgrade --post-renderer`.

mod first;

use std::env;
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::Context as _;

use crate::domain::post_rendering::{
    BLOB_FILE, FIRST_VARIABLE, FOLDER_VARIABLE, FirstRenderer, MODE_VARIABLE, Mode, REPLAY_FILE, Replay, TROUBLE_FILE,
};
use crate::domain::report::{ExitStatus, Problem};
use crate::edge::disk::RunFolder;
use crate::edge::terminal::Failure;
use crate::postrender::{self, ReplayError};

/// Pass rendered manifests through, for `helm upgrade --post-renderer`
///
/// Reads manifests on stdin and writes them to stdout, byte for byte. Empty input is an error: Helm 3 would delete the release.
/// In a run of `helm csghub upgrade` it keeps the rehearsed manifests, and puts them in the place of the same ones with other
/// random values.
#[derive(Debug, clap::Args)]
pub(super) struct PostRenderArgs {}

/// The name by which Helm 4 knows us as a post-renderer: `postrenderer/plugin.yaml`.
const PLUGIN_NAME: &str = "csghub-postrender";

/// Copies the manifests, or does what the run says that started Helm.
pub(super) fn run(_args: &PostRenderArgs) -> Result<ExitStatus, Failure> {
    let mut input = Vec::new();
    let fail = |error: anyhow::Error| Failure::new(ExitStatus::Unexpected, error);
    io::stdin().lock().read_to_end(&mut input).context("read the manifests on standard input").map_err(fail)?;
    match order().map_err(fail)? {
        Some(order) => match order.carry_out(&input) {
            Ok(output) => write(&output),
            Err(error) => Err(fail(order.leave_trouble(error))),
        },
        None => match postrender::render(&input) {
            Ok(output) => write(output),
            // Helm 4 drops what is written to standard error, and would show nothing.
            Err(error) if env::var_os("HELM_PLUGIN_NAME").is_some_and(|name| name == PLUGIN_NAME) => {
                write(postrender::refusal(&error.to_string()).as_bytes())
            }
            Err(error) => {
                Err(Failure::new(ExitStatus::Usage, error).hinted("Helm calls it: `helm upgrade ... --post-renderer`"))
            }
        },
    }
}

fn write(output: &[u8]) -> Result<ExitStatus, Failure> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(output)
        .and_then(|()| stdout.flush())
        .context("write the manifests to standard output")
        .map_err(|error| Failure::new(ExitStatus::Unexpected, error))?;
    Ok(ExitStatus::Done)
}

/// What the run that started Helm wants.
struct Order {
    mode: Mode,
    folder: RunFolder,
    first: Option<FirstRenderer>,
}

/// Returns what the environment says; nothing where no run of ours started Helm.
fn order() -> anyhow::Result<Option<Order>> {
    let Some(word) = env::var_os(MODE_VARIABLE).filter(|word| !word.is_empty()) else { return Ok(None) };
    let word = word.to_string_lossy().into_owned();
    let mode = Mode::of(&word).with_context(|| format!("{MODE_VARIABLE} is `{word}`: no mode"))?;
    let folder = env::var_os(FOLDER_VARIABLE).with_context(|| format!("{FOLDER_VARIABLE} is not set"))?;
    let first = match env::var(FIRST_VARIABLE) {
        // Its words may be secret, so the error does not show them.
        Ok(text) => Some(serde_json::from_str(&text).ok().with_context(|| format!("{FIRST_VARIABLE} is damaged"))?),
        Err(_) => None,
    };
    Ok(Some(Order { mode, folder: RunFolder::at(Path::new(&folder)), first }))
}

impl Order {
    fn carry_out(&self, input: &[u8]) -> anyhow::Result<Vec<u8>> {
        let of_first = match &self.first {
            Some(first) => first::run(first, input)?,
            None => input.to_vec(),
        };
        let rendered = postrender::render(&of_first).context("there is nothing to apply")?;
        match self.mode {
            Mode::Keep => {
                self.folder.write(BLOB_FILE, rendered)?;
                Ok(rendered.to_vec())
            }
            Mode::Replay => {
                let kept = self.folder.read(BLOB_FILE)?.context("the rehearsed manifests are not there")?;
                let replay = self.folder.read(REPLAY_FILE)?.context("what is random is not there")?;
                let replay: Replay = serde_json::from_slice(&replay).context("read what is random")?;
                Ok(postrender::replay(&kept, rendered, &replay)?.to_vec())
            }
        }
    }

    /// Says in the run folder why it failed, where the run looks: of standard error nothing is left under Helm 4.
    fn leave_trouble(&self, error: anyhow::Error) -> anyhow::Error {
        let problems = match error.downcast_ref::<ReplayError>() {
            Some(error) => error.problems(),
            None => {
                vec![Problem {
                    object: "post-renderer".to_owned(),
                    field: None,
                    cause: format!("{error:#}"),
                    remedy: None,
                }]
            }
        };
        let written = serde_json::to_vec_pretty(&problems)
            .map_err(anyhow::Error::from)
            .and_then(|text| Ok(self.folder.write(TROUBLE_FILE, &text)?));
        match written {
            Ok(_) => error,
            Err(also) => error.context(format!("{also:#}")),
        }
    }
}
