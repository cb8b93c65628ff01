//! How what Helm renders passes through our post-renderer: not at all, kept, or replaced by what was kept.

use std::path::Path;

use anyhow::Context as _;

use super::failure::Failure;
use super::inputs::Inputs;
use super::rehearse;
use super::session::Session;
use crate::domain::content;
use crate::domain::facts::Facts;
use crate::domain::object::ObjectRef;
use crate::domain::plan::Plan;
use crate::domain::post_rendering::{About, BLOB_FILE, Mode, NOTES_FILE, REPLAY_FILE, Replay, RuleBook, TROUBLE_FILE};
use crate::domain::random::{self, RandomField, Told};
use crate::domain::release::Release;
use crate::domain::report::Problem;
use crate::edge::disk::RunFolder;
use crate::edge::helm::{Helm, PostRendererError, PostRendering};
use crate::edge::host::MemoryFile;

/// Helm, and its flags, for one command.
pub struct Rendering {
    /// Helm with what our post-renderer needs.
    pub helm: Helm,
    /// Flags, post-renderer included.
    pub flags: Vec<String>,
    /// The rules, for as long as Helm may start our post-renderer.
    _rules: Option<MemoryFile>,
}

/// What Helm renders goes to the cluster as it is, or through the user's own post-renderer alone.
#[must_use]
pub fn plain(session: &Session, inputs: &Inputs) -> Rendering {
    Rendering { helm: session.helm.clone(), flags: inputs.helm_words(), _rules: None }
}

/// What Helm renders goes to the cluster as it is, or as the rules change it, if there are any that know `about` the release.
///
/// # Errors
/// As [`keep`].
pub async fn usual(
    session: &Session,
    inputs: &Inputs,
    folder: &RunFolder,
    about: Option<&About>,
) -> anyhow::Result<Rendering> {
    match about {
        None => Ok(plain(session, inputs)),
        Some(_) => through(session, inputs, folder, Mode::Follow, about).await,
    }
}

/// What Helm renders is kept in the run folder.
///
/// # Errors
/// The run folder cannot be written, or [`PostRendererError`]: our post-renderer, or the user's before it, cannot be given to Helm.
pub async fn keep(
    session: &Session,
    inputs: &Inputs,
    folder: &RunFolder,
    about: Option<&About>,
) -> anyhow::Result<Rendering> {
    through(session, inputs, folder, Mode::Keep, about).await
}

/// What was kept is applied, if what Helm renders is the same but for what is random.
///
/// # Errors
/// As [`keep`].
pub async fn replay(
    session: &Session,
    inputs: &Inputs,
    folder: &RunFolder,
    about: Option<&About>,
    replay: &Replay,
) -> anyhow::Result<Rendering> {
    folder.write(REPLAY_FILE, &serde_json::to_vec(replay)?)?;
    through(session, inputs, folder, Mode::Replay, about).await
}

async fn through(
    session: &Session,
    inputs: &Inputs,
    folder: &RunFolder,
    mode: Mode,
    about: Option<&About>,
) -> anyhow::Result<Rendering> {
    // What an earlier command of the run complained of is over, and what its rules did.
    folder.write(TROUBLE_FILE, b"[]")?;
    folder.remove(NOTES_FILE)?;
    let rules = match about {
        Some(about) => {
            let book = RuleBook { rules: inputs.rules.clone(), about: about.clone() };
            Some(MemoryFile::new(&serde_json::to_vec(&book)?).context("keep a copy of the rules")?)
        }
        None => None,
    };
    let users = inputs.args.post_renderer();
    let first = users.as_ref().map(|(name, arguments)| (*name, arguments.as_slice()));
    let wanted = PostRendering { mode, folder: folder.path(), first, rules: rules.as_ref().map(MemoryFile::path) };
    let (helm, of_renderer) = session.helm.with_post_renderer(session.helm_version.major, &wanted).await?;
    let mut flags = inputs.words_without_post_renderer();
    flags.extend(of_renderer);
    Ok(Rendering { helm, flags, _rules: rules })
}

/// Returns why our post-renderer failed, by what it left in the run folder; nothing if it did not. What it left is masked there:
/// it may quote the user's own post-renderer.
pub fn trouble(session: &Session, folder: &RunFolder) -> Vec<Problem> {
    if let Err(error) = rehearse::mask_file(session, folder, Path::new(TROUBLE_FILE)) {
        session.note(format!("{error:#}"));
    }
    let left = folder.read(TROUBLE_FILE).ok().flatten();
    left.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// Returns the kept manifests with what in them is random; the masker learns their secrets.
///
/// # Errors
/// Nothing was kept, or it cannot be read.
pub fn kept(session: &Session, folder: &RunFolder, random: Vec<RandomField>) -> Result<Replay, Failure> {
    let bytes = folder.read(BLOB_FILE)?.context("Helm did not call our post-renderer in the rehearsal")?;
    let text = String::from_utf8_lossy(&bytes);
    let rendered = random::of_stream(&text).map_err(Failure::blocked)?;
    let mut masker = session.masker.borrow_mut();
    for rendered in &rendered {
        masker.add_object(&rendered.object);
    }
    Ok(Replay { digest: content::sha256(&bytes), random })
}

/// Tells whether the folder holds the manifests that were kept for this replay.
#[must_use]
pub fn is_kept(folder: &RunFolder, replay: &Replay) -> bool {
    folder.read(BLOB_FILE).ok().flatten().is_some_and(|bytes| content::sha256(&bytes) == replay.digest)
}

/// What two renders of a chart have otherwise, and how the plan deals with it.
pub struct Recognised {
    /// The fields.
    pub random: Vec<RandomField>,
    /// What the plan says of them.
    pub warnings: Vec<String>,
    /// How Helm is rehearsed so that what is random is kept; nothing where nothing is, or where it cannot be.
    pub keeping: Option<Rendering>,
}

/// Compares Helm's dry run with its rehearsal, and prepares to keep what is random.
///
/// # Errors
/// The run folder cannot be written, or Helm cannot be asked.
pub async fn recognise(
    session: &Session,
    inputs: &Inputs,
    folder: &RunFolder,
    facts: &Facts,
    about: Option<&About>,
    renders: (Option<&Release>, Option<&Release>),
) -> Result<Recognised, Failure> {
    let mut recognised = Recognised { random: Vec::new(), warnings: Vec::new(), keeping: None };
    let (Some(one), Some(other)) = renders else { return Ok(recognised) };
    let one = random::of_release(one).map_err(Failure::blocked)?;
    let other = random::of_release(other).map_err(Failure::blocked)?;
    recognised.random = random::recognise(&one, &other);
    if recognised.random.is_empty() {
        return Ok(recognised);
    }
    let known: Vec<&ObjectRef> = facts.objects.iter().map(|facts| &facts.object).collect();
    let name_of = |object: &ObjectRef| in_full(object, &known);
    recognised.warnings.push(told(facts, &recognised.random));
    // Helm 3 gives hooks to no post-renderer.
    let (lost, kept): (Vec<_>, Vec<_>) =
        recognised.random.iter().partition(|random| random.is_hook && session.helm_version.major < 4);
    if let Some(first) = lost.first() {
        let more = if lost.len() > 1 { " and others" } else { "" };
        recognised.warnings.push(format!(
            "{} {}{more} will be another than in the rehearsal: Helm 3 gives hooks to no post-renderer",
            name_of(&first.object),
            first.field
        ));
    }
    if kept.is_empty() {
        return Ok(recognised);
    }
    match keep(session, inputs, folder, about).await {
        Ok(keeping) => {
            recognised.warnings.push(APPLIED.to_owned());
            recognised.keeping = Some(keeping);
        }
        Err(error) => match error.downcast_ref::<PostRendererError>() {
            Some(PostRendererError::First { .. }) => {
                recognised.warnings.push(format!("what is random will be another than in the rehearsal: {error}"));
            }
            _ => return Err(Failure::blocked(error).while_doing("keep what Helm renders")),
        },
    }
    Ok(recognised)
}

/// What the plan says where what is random was kept.
pub const APPLIED: &str = "what is random is applied as it was rehearsed, through our post-renderer";

/// Returns what the plan says of random fields.
#[must_use]
pub fn told(facts: &Facts, random: &[RandomField]) -> String {
    let known: Vec<&ObjectRef> = facts.objects.iter().map(|facts| &facts.object).collect();
    let name_of = |object: &ObjectRef| in_full(object, &known);
    Told { random, name_of: &name_of }.to_string()
}

/// Returns the object with the namespace that its manifest leaves to Helm, where the object is known.
fn in_full(object: &ObjectRef, known: &[&ObjectRef]) -> ObjectRef {
    let start = object.name.strip_suffix('*');
    let is_it = |known: &&&ObjectRef| {
        let is_name = start.map_or(known.name == object.name, |start| known.name.starts_with(start));
        let is_there = object.namespace.is_none() || object.namespace == known.namespace;
        known.group() == object.group() && known.kind == object.kind && is_name && is_there
    };
    match known.iter().find(is_it) {
        Some(known) => ObjectRef { name: object.name.clone(), ..(**known).clone() },
        None => object.clone(),
    }
}

/// Puts the namespaces into the names of objects that a post-renderer complained of: it does not know them.
pub fn name_in_full(problems: &mut [Problem], plan: &Plan) {
    for problem in problems {
        let is_it = |object: &&ObjectRef| format!("{} {}", object.kind, object.name) == problem.object;
        if let Some(object) = plan.before.iter().map(|before| &before.object).find(is_it) {
            problem.object = object.to_string();
        }
    }
}
