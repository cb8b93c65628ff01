//! `post-render`: stdin to stdout, for `helm upgrade --post-renderer`.

mod first;

use std::env;
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::Path;

use anyhow::Context as _;

use super::filter::{self, Door};
use super::rules::RulesArgs;
use super::shared::{Shared, is_called_as};
use super::stream;
use crate::domain::post_rendering::{
    BLOB_FILE, FIRST_VARIABLE, FOLDER_VARIABLE, FirstRenderer, MODE_VARIABLE, Mode, NOTES_FILE, REPLAY_FILE,
    RULES_VARIABLE, Replay, RuleBook, TROUBLE_FILE,
};
use crate::domain::report::{ExitStatus, Problem};
use crate::edge::disk::RunFolder;
use crate::edge::terminal::Failure;
use crate::postrender::{self, RenderError, ReplayError, Rules};

/// Change rendered manifests by the rules of a profile, for `helm upgrade --post-renderer`
///
/// Reads manifests on stdin and writes them to stdout; documents that no rule changes leave byte for byte as they came, and without
/// a profile all of them do. Empty input is an error: Helm 3 would delete the release. In a run of `helm csghub upgrade` it follows the
/// rules of that run, keeps the rehearsed manifests, and puts them in the place of the same ones with other random values.
#[derive(Debug, clap::Args)]
pub(super) struct PostRenderArgs {
    #[command(flatten)]
    rules: RulesArgs,
    /// A run of ours started Helm.
    #[arg(long, hide = true)]
    in_run: bool,
}

/// The name by which Helm 4 knows us as a post-renderer: `postrenderer/plugin.yaml`.
const POST_RENDERER: &str = "csghub-postrender";

/// Renders the manifests, as the run says that started Helm, where one did.
pub(super) fn run(args: &PostRenderArgs, shared: &Shared) -> Result<ExitStatus, Failure> {
    let order = match order() {
        Ok(order) => order,
        Err(error) => return refuse(unexpected(error), false),
    };
    match order {
        Some(order) => match order.carry_out() {
            Ok(output) => stream::write(&output).map(|()| ExitStatus::Done),
            Err(error) => Err(unexpected(order.leave_trouble(error))),
        },
        // Something between that run and us took its orders away.
        None if args.in_run => {
            refuse(unexpected(anyhow::anyhow!("{MODE_VARIABLE} did not reach the post-renderer")), false)
        }
        None => match rules(args, shared) {
            Ok(rules) => follow(&rules, shared),
            Err(failure) => refuse(failure, false),
        },
    }
}

/// Returns the rules of the command line.
fn rules(args: &PostRenderArgs, shared: &Shared) -> Result<Rules, Failure> {
    shared.check_is_of_manifests()?;
    args.rules.rules(shared.namespace(), shared.verbose).map_err(|failure| {
        // That Helm was started by another one, and does not know the namespace of that.
        if filter::is_helms_plugin() && shared.namespace().is_none() {
            let hint = "`helm csghub` never sees `-n`: name the plugin's bin/csghub as the post-renderer";
            return failure.hinted(hint);
        }
        failure
    })
}

fn unexpected(error: anyhow::Error) -> Failure {
    Failure::new(ExitStatus::Unexpected, error)
}

/// Renders as it reads.
fn follow(rules: &Rules, shared: &Shared) -> Result<ExitStatus, Failure> {
    let mut output = Noting { output: stream::output()?, has_written: false };
    match postrender::render(stream::input()?, &mut output, rules) {
        Ok(notes) => {
            filter::tell(&notes, shared);
            Ok(ExitStatus::Done)
        }
        Err(error @ RenderError::Write(_)) => Err(filter::failure(error, Door::PostRender)),
        Err(error) => refuse(filter::failure(error, Door::PostRender), output.has_written),
    }
}

/// Tells a Helm that nobody watches why there is no result: by a document that it refuses, and shows.
pub(super) fn refuse(failure: Failure, has_written: bool) -> Result<ExitStatus, Failure> {
    if !is_unwatched() {
        return Err(failure);
    }
    let refusal = postrender::refusal(&failure.chain().join(": "));
    let separator = if has_written { "\n---\n" } else { "" };
    stream::write(format!("{separator}{refusal}").as_bytes())?;
    Ok(ExitStatus::Done)
}

/// Tells whether Helm 4 started us, which drops what is written to standard error, and would show nothing.
pub(super) fn is_unwatched() -> bool {
    is_called_as(POST_RENDERER)
}

/// Notes whether documents were written already.
struct Noting {
    output: File,
    has_written: bool,
}

impl Write for Noting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.has_written |= !bytes.is_empty();
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
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
    fn carry_out(&self) -> anyhow::Result<Vec<u8>> {
        let mut input = Vec::new();
        io::stdin().lock().read_to_end(&mut input).context("read the manifests on standard input")?;
        if let Some(first) = &self.first {
            input = first::run(first, &input)?;
        }
        let mut rendered = Vec::with_capacity(input.len());
        let notes = postrender::render(input.as_slice(), &mut rendered, &self.rules()?)?;
        self.folder.write(NOTES_FILE, &serde_json::to_vec_pretty(&notes)?)?;
        match self.mode {
            Mode::Follow => Ok(rendered),
            Mode::Keep => {
                self.folder.write(BLOB_FILE, &rendered)?;
                Ok(rendered)
            }
            Mode::Replay => {
                let kept = self.folder.read(BLOB_FILE)?.context("the rehearsed manifests are not there")?;
                let replay = self.folder.read(REPLAY_FILE)?.context("what is random is not there")?;
                let replay: Replay = serde_json::from_slice(&replay).context("read what is random")?;
                Ok(postrender::replay(&kept, &rendered, &replay)?.to_vec())
            }
        }
    }

    /// Returns the rules of the run: those of the command line are for other Helm commands.
    fn rules(&self) -> anyhow::Result<Rules> {
        let Some(path) = env::var_os(RULES_VARIABLE).filter(|path| !path.is_empty()) else {
            anyhow::ensure!(self.mode != Mode::Follow, "{RULES_VARIABLE} did not reach the post-renderer");
            return Ok(Rules::default());
        };
        let text = std::fs::read(path).context("read the rules of the run")?;
        let RuleBook { rules, about } = serde_json::from_slice(&text).context("read the rules of the run")?;
        Ok(Rules::new(&rules, about)?)
    }

    /// Says in the run folder why it failed, where the run looks: of standard error nothing is left under Helm 4.
    fn leave_trouble(&self, error: anyhow::Error) -> anyhow::Error {
        let problems = match (error.downcast_ref::<ReplayError>(), error.downcast_ref::<RenderError>()) {
            (Some(error), _) => error.problems(),
            (None, of_rules) => {
                let remedy = "change the rule that it names; `helm template ... | csghub filter --profile-file FILE` \
                    follows it, too";
                vec![Problem {
                    object: "post-renderer".to_owned(),
                    field: None,
                    cause: format!("{error:#}"),
                    remedy: of_rules.map(|_| remedy.to_owned()),
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
