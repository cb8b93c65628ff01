//! The steps that start Helm: run it, watch the pods meanwhile, interrupt it where waiting is useless.

use std::time::Duration;

use anyhow::{Context as _, bail};

use super::execute::{Helpers, StepEnd};
use super::gather;
use super::inputs::Inputs;
use super::probe;
use super::rehearse::{self, UpgradeScene, mask_file};
use super::rendering::{self, Rendering};
use super::run::Run;
use super::watch::Watch;
use crate::domain::event::{Event, Stage};
use crate::domain::journal::Record;
use crate::domain::plan::{Plan, Step};
use crate::domain::rehearsed::{Finding, Mode, wording};
use crate::domain::release::ReleaseStatus;
use crate::domain::report::Problem;
use crate::edge::helm::{HelmEnd, HelmLine, HelmRun, PulledChart, UpgradeRequest};
use crate::edge::host;

/// How often the pods are looked at while Helm runs.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Runs `helm upgrade`.
///
/// # Errors
/// The journal could not be written; Helm was then interrupted and waited for.
pub(super) async fn upgrade(
    run: &mut Run<'_>,
    step: &Step,
    plan: &Plan,
    helpers: &Helpers<'_>,
    from_revision: Option<u32>,
    to_revision: u32,
) -> anyhow::Result<StepEnd> {
    let (Some(inputs), Some(chart)) = (helpers.inputs, helpers.chart) else {
        return Ok(failed("the chart or the values of the run cannot be had here, and Helm had not begun".to_owned()));
    };
    let session = run.session;
    if let Some(drift) = drift(run, from_revision).await? {
        return Ok(failed(drift));
    }
    let about = plan.following.as_ref().map(|following| &following.about);
    if let Some(following) = &plan.following
        && following.helm_major != session.helm_version.major
    {
        let (planned, now) = (following.helm_major, session.helm_version.major);
        return Ok(failed(format!(
            "the plan follows rules and was made with Helm {planned}, and this is Helm {now}: they differ in which \
             manifests they give to a post-renderer"
        )));
    }
    let rendering = match &plan.replay {
        None => rendering::usual(session, inputs, &run.folder, about).await,
        Some(replay) => rendering::replay(session, inputs, &run.folder, about, replay).await,
    };
    let rendering = match rendering {
        Ok(rendering) => rendering,
        Err(error) => return Ok(failed(format!("what was rehearsed cannot be applied: {error:#}"))),
    };
    if plan.steps.iter().any(|step| step.action.removes().is_some()) {
        if let Some(end) = Box::pin(rehearse_again(run, plan, inputs, chart, &rendering)).await {
            return Ok(end);
        }
        // It took a while.
        if let Some(drift) = drift(run, from_revision).await? {
            return Ok(failed(drift));
        }
    }
    let clock = session.stage(Stage::Helm, format!("helm upgrade {}", plan.title));
    let request = UpgradeRequest { release: &plan.release, chart: &chart.path, flags: &rendering.flags };
    let helm_run = match rendering.helm.upgrade(&request, run.folder.path()) {
        Ok(helm_run) => helm_run,
        Err(error) => {
            let because = format!("{:#}", anyhow::Error::from(error));
            clock.fail(because.clone());
            return Ok(failed(because));
        }
    };
    let mut watch = Watch::of_plan(plan);
    let (end, hopeless) = attend(run, step, helm_run, &mut watch).await?;
    let newest = probe::newest(run).await?;
    if end.is_success() && newest == Some((to_revision, ReleaseStatus::Deployed)) {
        clock.finish(format!("revision {to_revision} is deployed"));
        return Ok(StepEnd::Succeeded { note: format!("revision {to_revision} is deployed") });
    }
    let mut problems = hopeless;
    let is_post_rendered = plan.replay.is_some() || plan.following.is_some();
    let mut trouble = if is_post_rendered { rendering::trouble(session, &run.folder) } else { Vec::new() };
    rendering::name_in_full(&mut trouble, plan);
    problems.extend(if trouble.is_empty() { end.problems.clone() } else { trouble });
    let because = match problems.first() {
        Some(problem) => format!("{}: {}", problem.object, problem.cause),
        None => format!("Helm ended with {}, and the newest revision is {}", end.status, describe(newest)),
    };
    clock.fail(because.clone());
    let was_stopped = session.interrupts.any() && !end.is_success();
    Ok(if was_stopped { StepEnd::Stopped } else { StepEnd::Failed { because, problems } })
}

/// The cluster is prepared: now the upgrade must go through as it is. Returns how the step ends if it would not.
async fn rehearse_again(
    run: &Run<'_>,
    plan: &Plan,
    inputs: &Inputs,
    chart: &PulledChart,
    rendering: &Rendering,
) -> Option<StepEnd> {
    let session = run.session;
    let history = gather::read_history(session, &plan.release).await;
    let current = history.as_ref().ok().and_then(|history| gather::deployed(history));
    let scene = UpgradeScene { inputs, chart, current, mode: Mode::All };
    let played = tokio::select! {
        played = rehearse::upgrade(session, &run.folder, &scene, None, rendering) => played,
        () = session.interrupts.more_than(0) => return Some(StepEnd::Stopped),
    };
    match played {
        Ok(played) => {
            let rehearsed = played.rehearsed;
            // What was accepted before is accepted now.
            let is_accepted = |finding: &Finding| plan.accepted.iter().any(|accepted| accepted.covers(finding));
            let is_new = |finding: &&Finding| finding.class.blocks() && !is_accepted(finding);
            let mut problems: Vec<Problem> = rehearsed.findings.iter().filter(is_new).map(wording::problem).collect();
            problems.extend(rehearsed.end.problems.iter().cloned());
            let exit_code = rehearsed.end.exit_code;
            let because = match problems.first() {
                Some(first) => format!("{}: {}", first.object, first.cause),
                None if exit_code != 0 => format!("it ended with exit code {exit_code}"),
                None => return None,
            };
            Some(StepEnd::Failed { because: format!("rehearsed again, it would fail: {because}"), problems })
        }
        Err(failure) => Some(failed(format!("it could not be rehearsed again: {:#}", failure.error))),
    }
}

/// Runs `helm rollback` as a step of its own.
///
/// # Errors
/// The journal could not be written.
pub(super) async fn rollback(
    run: &mut Run<'_>,
    step: &Step,
    plan: &Plan,
    from_revision: u32,
    to_revision: u32,
) -> anyhow::Result<StepEnd> {
    if let Some(drift) = drift(run, Some(from_revision)).await? {
        return Ok(failed(drift));
    }
    let clock = run.session.stage(Stage::Helm, format!("helm rollback {} {to_revision}", plan.release));
    match run_rollback(run, step, plan, to_revision).await {
        Ok(()) => {
            let note = format!("revision {to_revision} is back as revision {}", from_revision + 1);
            clock.finish(note.clone());
            Ok(StepEnd::Succeeded { note })
        }
        Err(error) if error.is::<super::run::Fenced>() => Err(error),
        Err(error) => {
            let because = format!("{error:#}");
            clock.fail(because.clone());
            Ok(failed(because))
        }
    }
}

/// Runs `helm rollback RELEASE REVISION` to its end; an interrupt does not stop it half-way.
///
/// # Errors
/// Helm failed, in condensed words; or the journal could not be written.
pub(super) async fn run_rollback(run: &mut Run<'_>, step: &Step, plan: &Plan, revision: u32) -> anyhow::Result<()> {
    let helm_run = run.session.helm.rollback(&plan.release, revision, &[], run.folder.path())?;
    finish(run, step, helm_run, "helm rollback").await?;
    match probe::newest(run).await? {
        Some((_, ReleaseStatus::Deployed)) => Ok(()),
        other => bail!("helm rollback ended, but the newest revision is {}", describe(other)),
    }
}

/// Runs `helm uninstall RELEASE` to its end.
///
/// # Errors
/// As [`run_rollback`].
pub(super) async fn run_uninstall(run: &mut Run<'_>, step: &Step, plan: &Plan) -> anyhow::Result<()> {
    let helm_run = run.session.helm.uninstall(&plan.release, &[], run.folder.path())?;
    finish(run, step, helm_run, "helm uninstall").await
}

async fn finish(run: &mut Run<'_>, step: &Step, mut helm_run: HelmRun, what: &str) -> anyhow::Result<()> {
    record_process(run, step, &mut helm_run).await?;
    while let Some(line) = helm_run.next_line().await? {
        tell_line(run, &line);
    }
    let end = ended(run, &mut helm_run).await?;
    if end.is_success() {
        return Ok(());
    }
    match end.problems.first() {
        Some(problem) => bail!("{what}: {}: {}", problem.object, problem.cause),
        None => bail!("{what} ended with {}", end.status),
    }
}

/// Waits for Helm; tells its lines; looks at the pods; interrupts it when the user wants to stop, or when a pod that Helm
/// waits for cannot become ready.
async fn attend(
    run: &mut Run<'_>,
    step: &Step,
    mut helm_run: HelmRun,
    watch: &mut Watch,
) -> anyhow::Result<(HelmEnd, Vec<Problem>)> {
    record_process(run, step, &mut helm_run).await?;
    let interrupts = run.session.interrupts.clone();
    // One that came while Helm was started counts too.
    let mut seen = 0;
    let mut hopeless: Vec<Problem> = Vec::new();
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let began = tokio::time::Instant::now();
    loop {
        tokio::select! {
            line = helm_run.next_line() => match line? {
                Some(line) => tell_line(run, &line),
                None => break,
            },
            () = interrupts.more_than(seen) => {
                seen = interrupts.count();
                run.session.note("stopping: Helm is asked to stop, and waited for");
                helm_run.interrupt()?;
            }
            _ = look.tick() => {
                let seen_pods = watch.look_at_pods(run.session).await;
                run.session.tell(&Event::Progress {
                    stage: Stage::Helm,
                    what: seen_pods.summary.clone(),
                    elapsed: began.elapsed(),
                });
                if hopeless.is_empty() && !seen_pods.hopeless.is_empty() {
                    hopeless = seen_pods.hopeless;
                    run.session.note("Helm is asked to stop: what it waits for cannot become ready");
                    helm_run.interrupt()?;
                }
            }
        }
    }
    let end = ended(run, &mut helm_run).await?;
    Ok((end, hopeless))
}

/// Waits for Helm's end, and takes secret values out of what it wrote.
async fn ended(run: &Run<'_>, helm_run: &mut HelmRun) -> anyhow::Result<HelmEnd> {
    let end = helm_run.wait(None).await?.context("Helm has not ended")?;
    for path in helm_run.log_files() {
        if let Err(error) = mask_file(run.session, &run.folder, path) {
            run.session.note(format!("{error:#}"));
        }
    }
    Ok(end)
}

/// Whoever takes the run over must know which process to wait for. If it cannot be written down, Helm may not run on.
async fn record_process(run: &mut Run<'_>, step: &Step, helm_run: &mut HelmRun) -> anyhow::Result<()> {
    let Some((pid, start_ticks)) = helm_run.process_id().and_then(|pid| Some((pid, host::start_ticks(pid)?))) else {
        // It has ended already.
        return Ok(());
    };
    let record = Record::ProcessStarted { step: step.id.clone(), pid, start_ticks };
    let written = run.record(record).await;
    if written.is_err() {
        helm_run.interrupt()?;
        helm_run.wait(None).await?;
    }
    written
}

fn tell_line(run: &Run<'_>, line: &HelmLine) {
    run.session.tell(&Event::Detail { what: format!("helm: {}", line.text) });
}

/// The world may have moved between plan and step; executing never guesses.
async fn drift(run: &Run<'_>, from_revision: Option<u32>) -> anyhow::Result<Option<String>> {
    let newest = probe::newest(run).await?;
    let is_as_planned = match (newest, from_revision) {
        (None, None) => true,
        (Some((revision, _)), Some(_)) => run.plan()?.newest_revision == Some(revision),
        _ => false,
    };
    Ok((!is_as_planned).then(|| format!("the release moved since the plan was made: it is at {}", describe(newest))))
}

fn describe(newest: Option<(u32, ReleaseStatus)>) -> String {
    newest.map_or_else(|| "no revision".to_owned(), |(revision, status)| format!("revision {revision} ({status})"))
}

fn failed(because: String) -> StepEnd {
    let problem = Problem { object: "helm".to_owned(), field: None, cause: because.clone(), remedy: None };
    StepEnd::Failed { because, problems: vec![problem] }
}
