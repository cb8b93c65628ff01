//! Plays a command through before it is run: the user's own Helm, in front of a proxy that stores nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use super::failure::Failure;
use super::gather;
use super::inputs::Inputs;
use super::rendering::{self, Rendering};
use super::session::{Session, StageClock};
use crate::domain::event::{Event, Stage};
use crate::domain::helm_error::{self, ErrorScene};
use crate::domain::manifest;
use crate::domain::object::Object;
use crate::domain::plan::Plan;
use crate::domain::rehearsed::{Class, CommandEnd, Finding, Mode, Rehearsed, Remedy};
use crate::domain::release::{self, Release};
use crate::domain::report::ExitStatus;
use crate::edge::disk::RunFolder;
use crate::edge::helm::{
    Helm, PulledChart, RehearsalEntry, RehearsedEnd, RehearsedError, RehearsedRun, UpgradeRequest,
};
use crate::edge::host;
use crate::edge::proxy::{Counters, Proxy};
use crate::rehearsal::{Pretended, Rehearsal, ReleaseSettings, Settings};

/// A rehearsal, and what passed through the proxy.
pub struct Played {
    /// What was found.
    pub rehearsed: Rehearsed,
    /// The release as Helm would have stored it: rendered as it would have been; nothing if Helm did not come so far.
    pub rendered: Option<Release>,
    /// For the benchmark.
    pub counters: Counters,
    /// From the proxy's start to its end.
    pub took: Duration,
}

/// What an upgrade is rehearsed with.
pub struct UpgradeScene<'a> {
    /// Helm's flags, and the files that they name.
    pub inputs: &'a Inputs,
    /// The chart, pulled.
    pub chart: &'a PulledChart,
    /// The current revision; nothing if the release does not exist.
    pub current: Option<&'a Release>,
    /// Whether refusals are hidden from Helm.
    pub mode: Mode,
}

/// Rehearses `helm upgrade`, on the cluster as the plan's own steps leave it.
///
/// # Errors
/// Exit 20: it could not be rehearsed, or the server stopped answering. Nothing was changed.
pub async fn upgrade(
    session: &Session,
    folder: &RunFolder,
    scene: &UpgradeScene<'_>,
    plan: Option<&Plan>,
    rendering: &Rendering,
) -> Result<Played, Failure> {
    let release = &scene.inputs.args.release;
    let request = UpgradeRequest { release, chart: &scene.chart.path, flags: &rendering.flags };
    let mut words = rendering.helm.upgrade_command(&request);
    if scene.mode == Mode::All {
        // Helm asks whose an object is before it writes the first one; we look at that ourselves, object by object.
        words.push("--take-ownership".to_owned());
    }
    let settings = Settings {
        mode: scene.mode,
        now: host::now(),
        release: Some(ReleaseSettings {
            name: release.clone(),
            namespace: session.namespace.clone(),
            current: scene.current.map(manifests).unwrap_or_default(),
        }),
        pretended: pretended(session, plan).await?,
    };
    let clock = session.stage(Stage::Rehearse, format!("rehearse helm upgrade {release}"));
    play(session, folder, (&rendering.helm, &words), settings, clock, "The upgrade".to_owned()).await
}

/// Rehearses any command that honours KUBECONFIG; `words` begin with the program.
///
/// # Errors
/// As [`upgrade`]; exit 2 for a command that would not stay within the rehearsal.
pub async fn command(session: &Session, folder: &RunFolder, words: &[String], mode: Mode) -> Result<Played, Failure> {
    let settings = Settings { mode, now: host::now(), release: None, pretended: Vec::new() };
    let clock = session.stage(Stage::Rehearse, format!("rehearse {}", words.join(" ")));
    // Values may be secret, so that only what is done is named.
    let program = words.first().and_then(|word| Path::new(word).file_name()).and_then(|name| name.to_str());
    let verb = words.get(1).filter(|word| !word.starts_with('-') && !word.contains('='));
    let named: Vec<&str> = program.into_iter().chain(verb.map(String::as_str)).collect();
    play(session, folder, (&session.helm, words), settings, clock, format!("`{}`", named.join(" "))).await
}

async fn play(
    session: &Session,
    folder: &RunFolder,
    (helm, words): (&Helm, &[String]),
    settings: Settings,
    clock: StageClock<'_>,
    subject: String,
) -> Result<Played, Failure> {
    let (release, namespace) =
        settings.release.as_ref().map_or(("", ""), |release| (release.name.as_str(), release.namespace.as_str()));
    let (release, namespace) = (release.to_owned(), namespace.to_owned());
    let is_upgrade = settings.release.is_some();
    let proxy = Proxy::start(&session.cluster, Rehearsal::new(settings), folder.path(), &session.namespace)
        .map_err(|error| Failure::blocked(error).while_doing("start the rehearsal"))?;
    let entry = RehearsalEntry { kubeconfig: proxy.kubeconfig(), cache_folder: proxy.cache_folder() };
    let mut run = helm.rehearse(entry, words, folder.path()).map_err(cannot_start)?;
    let mut logs = Logs { session, folder, files: run.log_files().map(Path::to_owned).to_vec(), are_kept: false };
    let followed = follow(&mut run, &proxy, &clock).await;
    let (rehearsal, counters) = proxy.stop().await;
    {
        let mut masker = session.masker.borrow_mut();
        for secret in rehearsal.secrets().filter_map(|secret| Object::new(secret.clone()).ok()) {
            masker.add_object(&secret);
        }
    }
    let record = rehearsal.written_record(&release).and_then(|record| release::decode(&record).ok());
    let rendered = record.inspect(|rendered| gather::register_secrets(session, None, Some(rendered)));
    logs.keep();
    let (ended, said) = followed?;
    // What it said may quote Secrets that only the proxy saw.
    for line in said {
        session.tell(&Event::Detail { what: format!("rehearsed: {line}") });
    }
    trust(&counters, is_upgrade)?;
    let exit_code = ended.status.code().unwrap_or(1);
    // What stops Helm before it writes anything: it names it, and no write says it.
    let stopped_by = match exit_code {
        0 => Vec::new(),
        _ => [missing_kinds(&ended.stderr), rehearsal.forbidden_reads(&ended.stderr)].concat(),
    };
    // What a finding tells is not told again.
    let is_told = !stopped_by.is_empty();
    let mut rehearsed = rehearsal.close();
    rehearsed.find(stopped_by);
    let scene = ErrorScene { release: &release, namespace: &namespace };
    let mut problems = if exit_code == 0 || is_told { Vec::new() } else { helm_error::explain(&ended.stderr, &scene) };
    if exit_code != 0 {
        let trouble = rendering::trouble(session, folder);
        if !trouble.is_empty() {
            problems = trouble;
        }
    }
    rehearsed.end = CommandEnd { exit_code, problems };
    rehearsed.subject = Some(subject);
    let rehearsed = masked(session, &rehearsed)?;
    let took = clock.elapsed();
    let refused = rehearsed.findings.iter().filter(|finding| finding.class.blocks()).count();
    if refused == 0 && exit_code == 0 {
        clock.finish(format!("{} objects, {} requests", rehearsed.objects.len(), counters.requests));
    } else if refused == 0 {
        clock.fail(format!("it ended with exit code {exit_code}"));
    } else {
        clock.fail(format!("{refused} findings in {} objects", rehearsed.objects.len()));
    }
    Ok(Played { rehearsed, rendered, counters, took })
}

/// Helm stops at kinds that the server does not know, before it writes anything.
fn missing_kinds(stderr: &str) -> Vec<Finding> {
    let findings = helm_error::missing_kinds(stderr).into_iter().map(|object| Finding {
        class: Class::MissingKind,
        cause: format!("the cluster has no kind {} in {}", object.kind, object.api_version),
        object,
        fields: Vec::new(),
        who: None,
        remedy: Remedy::Person { text: helm_error::MISSING_KIND_REMEDY.to_owned() },
    });
    findings.collect()
}

fn cannot_start(error: RehearsedError) -> Failure {
    match error {
        RehearsedError::Refused(_) | RehearsedError::Empty => Failure::new(ExitStatus::Usage, error),
        RehearsedError::Helm(error) => Failure::blocked(error),
    }
}

/// What was found without an answer of the server, or beside the proxy, is not worth anything.
fn trust(counters: &Counters, is_upgrade: bool) -> Result<(), Failure> {
    if counters.requests == 0 && !is_upgrade {
        let error = anyhow::anyhow!(
            "the rehearsed command asked the rehearsal's server for nothing: it needs no cluster, or it reached one past it, for real"
        );
        return Err(Failure::blocked(error).hint("look whether it sets a KUBECONFIG or a server of its own"));
    }
    if counters.kubeconfig_edited {
        let error =
            anyhow::anyhow!("the rehearsed command edited its kubeconfig: it may have reached a cluster for real");
        return Err(
            Failure::blocked(error).hint("look at the clusters that the command knows, and do not rehearse it again")
        );
    }
    match &counters.first_unanswered {
        Some(why) => {
            let count = counters.unanswered;
            let error = anyhow::anyhow!("the API server did not answer {count} requests of the rehearsal: {why}");
            Err(Failure::blocked(error).hint("nothing was changed; try again when it answers"))
        }
        None => Ok(()),
    }
}

/// Findings show values of objects and sentences of servers: secret ones are taken out.
fn masked(session: &Session, rehearsed: &Rehearsed) -> Result<Rehearsed, Failure> {
    let mut value = serde_json::to_value(rehearsed).map_err(anyhow::Error::from)?;
    mask_texts(session, &mut value);
    Ok(serde_json::from_value(value).context("mask the rehearsal")?)
}

fn mask_texts(session: &Session, value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => *text = session.mask(text),
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| mask_texts(session, item)),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(|value| mask_texts(session, value)),
        _ => {}
    }
}

/// Lines of the command that are told when it has ended; its whole output is in the run folder.
const SAID: usize = 2000;

/// Follows the command to its end; returns that and what it said.
async fn follow(
    run: &mut RehearsedRun,
    proxy: &Proxy,
    clock: &StageClock<'_>,
) -> Result<(RehearsedEnd, Vec<String>), Failure> {
    let mut said = Vec::new();
    while let Some(line) = run.next_line().await.map_err(Failure::blocked)? {
        if said.len() < SAID {
            said.push(line.text);
        }
        clock.progress(format!("{} requests", proxy.counters().requests));
    }
    let ended = run.wait().await.map_err(Failure::blocked)?;
    Ok((ended, said))
}

/// The output of a rehearsed command in the run folder. It may quote Secrets: kept once it is masked, else removed.
struct Logs<'a> {
    session: &'a Session,
    folder: &'a RunFolder,
    files: Vec<PathBuf>,
    are_kept: bool,
}

impl Logs<'_> {
    /// Masks all that is known by now.
    fn keep(&mut self) {
        self.are_kept = true;
        for path in &self.files {
            if let Err(error) = mask_file(self.session, self.folder, path) {
                self.session.note(format!("{error:#}"));
            }
        }
    }
}

impl Drop for Logs<'_> {
    fn drop(&mut self) {
        // Stopped half-way: the Secrets that passed by are not known.
        for name in self.files.iter().filter(|_| !self.are_kept).filter_map(|path| path.file_name()?.to_str()) {
            if let Err(error) = self.folder.remove(name) {
                self.session.note(error.to_string());
            }
        }
    }
}

/// Takes secret values out of a file in the run folder.
///
/// # Errors
/// It cannot be read or written.
pub(super) fn mask_file(session: &Session, folder: &RunFolder, path: &Path) -> anyhow::Result<()> {
    let name = path.file_name().and_then(|name| name.to_str()).context("the log has no name")?;
    let Some(content) = folder.read(name)? else { return Ok(()) };
    let masked = session.mask(&String::from_utf8_lossy(&content));
    folder.write(name, masked.as_bytes())?;
    Ok(())
}

/// Returns the manifests of a revision, hooks included.
fn manifests(release: &Release) -> Vec<serde_json::Value> {
    let hooks = release.hooks.iter().map(|hook| hook.manifest.as_str());
    let texts = hooks.chain([release.manifest.as_str()]);
    texts.flat_map(|text| manifest::parse(text).unwrap_or_default()).map(Object::into_value).collect()
}

/// Returns the plan's steps before Helm as if they had been taken.
async fn pretended(session: &Session, plan: Option<&Plan>) -> Result<Vec<Pretended>, Failure> {
    let mut pretended = Vec::new();
    let removed = plan.into_iter().flat_map(|plan| &plan.steps).filter_map(|step| step.action.removes());
    for object in removed {
        let Some(kind) = session.cluster.resolve(&object.api_version, &object.kind).await? else { continue };
        // Gone already: nothing to pretend.
        let Some(live) = session.cluster.read_object(object).await? else { continue };
        let resource = (object.group().to_owned(), object.version().to_owned(), kind.plural);
        pretended.push(Pretended::Deleted { resource, object: object.clone(), live: live.into_value() });
    }
    Ok(pretended)
}
