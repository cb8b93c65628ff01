//! Reads everything that a decision may use, once, and changes nothing.

use std::path::Path;

use crate::domain::content;
use crate::domain::event::Stage;
use crate::domain::facts::{
    Answer, ChartFacts, FACTS_FORMAT, Facts, HelmFacts, LiveFacts, LostValue, ObjectFacts, ObjectRole, RevisionFacts,
    RightFacts, RunFacts, TargetFacts,
};
use crate::domain::object::{Object, ObjectRef};
use crate::domain::post_rendering::About;
use crate::domain::release::{self, Release, ReleaseStatus};
use crate::domain::release_objects::{NamedObject, named_objects, runs_in_upgrade};
use crate::domain::report::Problem;
use crate::domain::rights::{self, ResourceOfObject};
use crate::domain::wording::counted;
use crate::domain::{ownership, rollout, values};
use crate::edge::cluster::{ClusterError, RecordPart, ReleaseRecord, RunState};
use crate::edge::disk::RunFolder;
use crate::edge::helm::{DryRun, HelmError, PullRequest, PulledChart, UpgradeRequest};
use crate::edge::host;

use super::failure::Failure;
use super::hold;
use super::inputs::Inputs;
use super::rendering;
use super::ruled::{self, Ruled};
use super::session::Session;

/// The facts, and the large or secret things that they were drawn from.
pub struct Gathered {
    /// What decisions use.
    pub facts: Facts,
    /// The chart, pulled into the run folder.
    pub chart: PulledChart,
    /// The current revision, or the newest if none is deployed; nothing if the release does not exist.
    pub current: Option<Release>,
    /// What Helm's dry run made of chart and values; nothing if it failed.
    pub target: Option<Release>,
    /// What the rules did to it.
    pub ruled: Ruled,
}

/// A revision and the `resourceVersion` of its record.
pub struct Revision {
    /// The decoded record.
    pub release: Release,
    /// Of the Secret or ConfigMap.
    pub resource_version: String,
}

/// Reads Helm's storage: every revision, oldest first.
///
/// # Errors
/// The records cannot be listed, or one does not decode.
pub async fn read_history(session: &Session, release: &str) -> Result<Vec<Revision>, Failure> {
    let records = session.cluster.read_release_records(release, &session.namespace, session.driver).await?;
    records.iter().map(decode).collect()
}

fn decode(record: &ReleaseRecord) -> Result<Revision, Failure> {
    let release = release::decode(&record.data)
        .map_err(|error| Failure::blocked(error).while_doing(format!("decode Helm's record `{}`", record.name)))?;
    Ok(Revision { release, resource_version: record.resource_version.clone() })
}

/// Returns the newest revision that Helm calls deployed.
#[must_use]
pub fn deployed(history: &[Revision]) -> Option<&Release> {
    let is_deployed = |revision: &&Revision| revision.release.info.status == ReleaseStatus::Deployed;
    history.iter().rev().find(is_deployed).map(|revision| &revision.release)
}

/// Returns the revision that an upgrade starts from: the deployed one, or the newest if none is; nothing if there is no release.
#[must_use]
pub fn current(history: &[Revision]) -> Option<&Release> {
    deployed(history).or_else(|| history.last().map(|newest| &newest.release))
}

/// Reads the facts for an upgrade.
///
/// # Errors
/// The chart cannot be had, Helm's storage cannot be read: without them there is nothing to decide on. All else that
/// cannot be read is a fact of its own ([`Answer::CouldNotTell`]).
pub async fn gather(
    session: &Session,
    inputs: &Inputs,
    folder: &RunFolder,
    is_read_only: bool,
) -> Result<Gathered, Failure> {
    let clock = session.stage(Stage::Gather, "read release, chart and cluster");
    let release = &inputs.args.release;
    clock.progress("Helm's records");
    let history = read_history(session, release).await?;
    clock.progress(format!("chart {}", inputs.args.chart));
    let chart = pull(session, inputs, folder).await?;
    let current = current(&history);
    clock.progress("Helm's dry run");
    let (target, ruled) = match render(session, inputs, folder, &chart, &history).await {
        Ok((dry_run, ruled)) => (Ok(dry_run), ruled),
        Err(because) => (Err(because), Ruled::default()),
    };
    register_secrets(session, current, target.as_ref().ok().map(|dry_run| &dry_run.release));
    let named = named_objects(current, target.as_ref().ok().map(|dry_run| &dry_run.release), &session.namespace)
        .map_err(|error| Failure::blocked(error).while_doing("read the manifests of the release"))?;
    clock.progress(format!("{} objects", named.len()));
    let objects = read_objects(session, named).await;
    clock.progress("rights");
    let rights = review_rights(session, release, &objects).await;
    let facts = Facts {
        format: FACTS_FORMAT,
        gathered_at: host::now(),
        release: release.clone(),
        namespace: session.namespace.clone(),
        install: inputs.args.installs(),
        is_read_only,
        helm: HelmFacts {
            version: session.helm_version.to_string(),
            driver: session.driver,
            risky_flags: inputs.args.risky_flags(),
            runs_hooks: inputs.args.runs_hooks(),
        },
        server_version: answer(session.cluster.server_version().await),
        lost_values: lost_values(current, &target),
        target: target_facts(session, &target),
        history: Answer::Known(history.iter().map(revision_facts).collect()),
        chart: ChartFacts {
            metadata: chart.metadata.clone(),
            source: inputs.args.chart.clone(),
            digest: chart.digest.clone(),
        },
        objects: objects.into_iter().map(|(facts, _)| facts).collect(),
        rights,
        unfinished_runs: unfinished_runs(session, release).await,
    };
    let json = serde_json::to_vec_pretty(&facts).map_err(anyhow::Error::from)?;
    folder.write("facts.json", &json)?;
    clock.finish(format!("{} objects, {}", facts.objects.len(), counted(history.len(), "revision")));
    let current = current.cloned();
    let target = target.ok().map(|dry_run| dry_run.release);
    Ok(Gathered { facts, chart, current, target, ruled })
}

/// Reads the facts for a rollback to `to_revision`: its objects are the target.
///
/// # Errors
/// Helm's storage cannot be read.
pub async fn gather_rollback(
    session: &Session,
    release: &str,
    history: &[Revision],
    to: &Release,
    folder: &RunFolder,
) -> Result<Facts, Failure> {
    let clock = session.stage(Stage::Gather, "read release and cluster");
    let newest = history.last().map(|newest| &newest.release);
    register_secrets(session, newest, Some(to));
    let named = named_objects(newest, Some(to), &session.namespace)
        .map_err(|error| Failure::blocked(error).while_doing("read the manifests of the release"))?;
    let objects = read_objects(session, named).await;
    let rights = review_rights(session, release, &objects).await;
    let facts = Facts {
        format: FACTS_FORMAT,
        gathered_at: host::now(),
        release: release.to_owned(),
        namespace: session.namespace.clone(),
        install: false,
        is_read_only: false,
        helm: HelmFacts {
            version: session.helm_version.to_string(),
            driver: session.driver,
            risky_flags: Vec::new(),
            runs_hooks: true,
        },
        server_version: answer(session.cluster.server_version().await),
        lost_values: Answer::Known(Vec::new()),
        target: Answer::Known(TargetFacts {
            record_bytes: 0,
            digest: content::sha256(to.manifest.as_bytes()),
            values_digest: content::sha256(&content::canonical_json(&to.config)),
        }),
        history: Answer::Known(history.iter().map(revision_facts).collect()),
        chart: ChartFacts {
            metadata: to.chart.metadata.clone(),
            source: format!("revision {}", to.revision),
            digest: String::new(),
        },
        objects: objects.into_iter().map(|(facts, _)| facts).collect(),
        rights,
        unfinished_runs: unfinished_runs(session, release).await,
    };
    folder.write("facts.json", &serde_json::to_vec_pretty(&facts).map_err(anyhow::Error::from)?)?;
    clock.finish(format!("{} objects, {}", facts.objects.len(), counted(history.len(), "revision")));
    Ok(facts)
}

/// Gets the chart, once: every later Helm call uses this copy.
///
/// # Errors
/// It cannot be had, or is no chart.
pub async fn pull(session: &Session, inputs: &Inputs, folder: &RunFolder) -> Result<PulledChart, Failure> {
    let args = &inputs.args;
    let flags = args.source_words();
    let kept = folder.path().join(CHART_FOLDER);
    let mut request = PullRequest {
        chart: &args.chart,
        source_flags: &flags,
        updates_dependencies: args.is_on("dependency-update").unwrap_or(false),
    };
    // A resumed run finds the copy that it began with.
    let copy = only_entry(&kept);
    let mut into = kept;
    if let Some(copy) = copy.as_deref() {
        request = PullRequest { chart: copy, source_flags: &[], updates_dependencies: false };
        into = folder.path().join(format!("{CHART_FOLDER}-{}", host::new_run_id()));
    }
    session
        .helm
        .pull_chart(&request, &into)
        .await
        .map_err(|error| Failure::blocked(error).while_doing(format!("get chart `{}`", args.chart)))
}

/// Name of the chart's folder in the run folder.
const CHART_FOLDER: &str = "chart";

fn only_entry(folder: &Path) -> Option<String> {
    let mut entries = std::fs::read_dir(folder).ok()?.flatten();
    let entry = entries.next()?.path();
    entries.next().is_none().then(|| entry.to_string_lossy().into_owned())
}

/// Helm's own dry run: the exact manifests and values of the target, and what the rules did to them. A pending release is refused by
/// Helm even here, and preflight explains it better, so it is not asked.
pub(super) async fn render(
    session: &Session,
    inputs: &Inputs,
    folder: &RunFolder,
    chart: &PulledChart,
    history: &[Revision],
) -> Result<(DryRun, Ruled), String> {
    if let Some(newest) = history.last() {
        if newest.release.info.status.is_pending() {
            return Err(format!("revision {} is {}", newest.release.revision, newest.release.info.status));
        }
    } else if !inputs.args.installs() {
        return Err("the release does not exist".to_owned());
    }
    let Some(mut about) = ruled::about(session, inputs, chart, current(history)) else {
        return Ok((dry_run(session, inputs, folder, chart, None).await?, Ruled::default()));
    };
    let mut target = dry_run(session, inputs, folder, chart, Some(&about)).await?;
    if let Some(of_size) = ruled::with_record(inputs, &about, target.record_bytes) {
        about = of_size;
        target = dry_run(session, inputs, folder, chart, Some(&about)).await?;
    }
    let following = ruled::followed(session, folder, about).map_err(|error| one_line(&error))?;
    let warnings = ruled::warnings(session, inputs, &following, &target.release);
    if following.notes.changed > 0 {
        return Ok((target, Ruled { following: Some(following), warnings }));
    }
    // What no rule changes goes the way that it would go without rules.
    Ok((dry_run(session, inputs, folder, chart, None).await?, Ruled { following: None, warnings }))
}

async fn dry_run(
    session: &Session,
    inputs: &Inputs,
    folder: &RunFolder,
    chart: &PulledChart,
    about: Option<&About>,
) -> Result<DryRun, String> {
    let rendering = rendering::usual(session, inputs, folder, about).await.map_err(|error| one_line(&error))?;
    let request = UpgradeRequest { release: &inputs.args.release, chart: &chart.path, flags: &rendering.flags };
    let error = match rendering.helm.dry_run(&request).await {
        Ok(dry_run) => return Ok(dry_run),
        Err(error) => error,
    };
    let trouble = if about.is_some() { rendering::trouble(session, folder) } else { Vec::new() };
    let problems = match &error {
        _ if !trouble.is_empty() => trouble,
        HelmError::Failed { problems, .. } => problems.clone(),
        _ => Vec::new(),
    };
    let lines: Vec<String> = problems.iter().map(in_one_line).collect();
    let because = if lines.is_empty() { one_line(&error.into()) } else { lines.join("; ") };
    Err(session.mask(&because))
}

fn in_one_line(problem: &Problem) -> String {
    let remedy = problem.remedy.as_ref().map_or_else(String::new, |remedy| format!(" ({remedy})"));
    format!("{}: {}{remedy}", problem.object, problem.cause)
}

fn one_line(error: &anyhow::Error) -> String {
    format!("{error:#}").replace('\n', " ")
}

/// Lets the masker know every secret value before anything is shown or written.
pub(super) fn register_secrets(session: &Session, current: Option<&Release>, target: Option<&Release>) {
    let mut masker = session.masker.borrow_mut();
    for release in [current, target].into_iter().flatten() {
        masker.add_json(&release.config);
        let hooks = release.hooks.iter().map(|hook| hook.manifest.as_str());
        for text in hooks.chain([release.manifest.as_str()]) {
            for object in crate::domain::manifest::parse(text).unwrap_or_default() {
                masker.add_object(&object);
            }
        }
    }
}

/// Reads every object, and names it as the server knows it.
async fn read_objects(session: &Session, named: Vec<NamedObject>) -> Vec<(ObjectFacts, Option<ResourceOfObject>)> {
    let mut resolved: Vec<(ObjectRef, ObjectRole, Option<ResourceOfObject>)> = Vec::new();
    for NamedObject { manifest, mut role } in named {
        if role.target_hook.as_ref().is_some_and(|hook| !runs_in_upgrade(&hook.events)) {
            role.target_hook = None;
        }
        let (object, resource) = resolve(session, &manifest).await;
        resolved.push((object, role, resource));
    }
    let references: Vec<ObjectRef> = resolved.iter().map(|(object, ..)| object.clone()).collect();
    let live = session.cluster.read_objects(&references).await;
    let mut masker = session.masker.borrow_mut();
    resolved
        .into_iter()
        .zip(live)
        .map(|((object, role, resource), (_, live))| {
            let live = match live {
                Ok(Some(live)) => {
                    masker.add_object(&live);
                    Answer::Known(Some(live_facts(&live)))
                }
                Ok(None) => Answer::Known(None),
                Err(error) => Answer::CouldNotTell { because: one_line(&error.into()) },
            };
            (ObjectFacts { object, role, live }, resource)
        })
        .collect()
}

async fn resolve(session: &Session, manifest: &Object) -> (ObjectRef, Option<ResourceOfObject>) {
    match session.cluster.resolve(manifest.api_version(), manifest.kind()).await {
        Ok(Some(kind)) => {
            let object = manifest.reference(kind.namespaced.then_some(session.namespace.as_str()));
            let object = if kind.namespaced { object } else { ObjectRef { namespace: None, ..object } };
            let resource = ResourceOfObject {
                group: manifest.group().to_owned(),
                resource: kind.plural,
                namespace: object.namespace.clone(),
            };
            (object, Some(resource))
        }
        Ok(None) | Err(_) => (manifest.reference(Some(&session.namespace)), None),
    }
}

/// Returns what decisions use of a live object.
#[must_use]
pub fn live_facts(live: &Object) -> LiveFacts {
    LiveFacts {
        uid: live.uid().unwrap_or_default().to_owned(),
        resource_version: live.resource_version().unwrap_or_default().to_owned(),
        digest: content::digest(live),
        fields: content::field_digests(live),
        helm_owner: ownership::helm_owner(live),
        gitops_owner: ownership::gitops_owner(live),
        rollout: rollout::status(live),
    }
}

async fn review_rights(
    session: &Session,
    release: &str,
    objects: &[(ObjectFacts, Option<ResourceOfObject>)],
) -> Answer<Vec<RightFacts>> {
    let known: Vec<(ResourceOfObject, ObjectRole)> =
        objects.iter().filter_map(|(facts, resource)| Some((resource.clone()?, facts.role.clone()))).collect();
    let needed = rights::needed(release, &session.namespace, session.driver, &known);
    answer(session.cluster.review_rights(needed).await)
}

fn target_facts(session: &Session, target: &Result<DryRun, String>) -> Answer<TargetFacts> {
    match target {
        Ok(dry_run) => {
            let mut rendered = dry_run.release.manifest.clone().into_bytes();
            for hook in &dry_run.release.hooks {
                rendered.extend_from_slice(hook.manifest.as_bytes());
            }
            Answer::Known(TargetFacts {
                record_bytes: dry_run.record_bytes,
                digest: content::sha256(&rendered),
                values_digest: content::sha256(&content::canonical_json(&dry_run.release.config)),
            })
        }
        Err(because) => Answer::CouldNotTell { because: session.mask(because) },
    }
}

fn lost_values(current: Option<&Release>, target: &Result<DryRun, String>) -> Answer<Vec<LostValue>> {
    match (current, target) {
        (None, _) => Answer::Known(Vec::new()),
        (Some(current), Ok(dry_run)) => Answer::Known(values::lost(&current.config, &dry_run.release.config)),
        (Some(_), Err(_)) => {
            Answer::CouldNotTell { because: "the new values are not known: Helm's dry run failed".to_owned() }
        }
    }
}

fn revision_facts(revision: &Revision) -> RevisionFacts {
    let Release { revision: number, info, chart, .. } = &revision.release;
    RevisionFacts {
        revision: *number,
        status: info.status,
        chart: chart.metadata.clone(),
        description: info.description.clone(),
        deployed_at: info.last_deployed.clone(),
        resource_version: revision.resource_version.clone(),
    }
}

async fn unfinished_runs(session: &Session, release: &str) -> Answer<Vec<RunFacts>> {
    match read_unfinished_runs(session, release).await {
        Ok(runs) => Answer::Known(runs),
        Err(error) => Answer::CouldNotTell { because: one_line(&error.into()) },
    }
}

async fn read_unfinished_runs(session: &Session, release: &str) -> Result<Vec<RunFacts>, ClusterError> {
    let records = session.cluster.list_run_records(&session.namespace, Some(release), RecordPart::Journal).await?;
    let lease = session.cluster.read_lease(&session.namespace, release).await?;
    let unfinished = records.into_iter().filter(|record| record.text.state == RunState::Running);
    let mut runs: Vec<RunFacts> = unfinished
        .map(|record| {
            let holder = record.text.notes.get("holder").cloned().unwrap_or_default();
            let held = lease.as_ref().filter(|lease| lease.holder == holder);
            let renewed_at = held.and_then(|lease| lease.renewed_at).map(|time| time.to_string()).unwrap_or_default();
            let is_owner_gone = hold::is_proven_gone(&holder) || held.is_none_or(hold::is_abandoned);
            let who = holder.parse::<host::Identity>().map_or(holder, |identity| identity.who());
            RunFacts { run_id: record.name.run_id, holder: who, renewed_at, is_owner_gone }
        })
        .collect();
    // A run that has taken the lease and not yet written its journal is a run too.
    if let Some(lease) = lease.filter(|lease| runs.is_empty() && !lease.holder.is_empty() && !hold::is_abandoned(lease))
    {
        let who = lease.holder.parse::<host::Identity>().map_or(lease.holder.clone(), |identity| identity.who());
        let renewed_at = lease.renewed_at.map(|time| time.to_string()).unwrap_or_default();
        runs.push(RunFacts { run_id: "about to begin".to_owned(), holder: who, renewed_at, is_owner_gone: false });
    }
    Ok(runs)
}

fn answer<T, E: Into<anyhow::Error>>(result: Result<T, E>) -> Answer<T> {
    match result {
        Ok(value) => Answer::Known(value),
        Err(error) => Answer::CouldNotTell { because: one_line(&error.into()) },
    }
}
