//! `verify`: watches every object of a release until it is current; trouble with pods is told as soon as the kubelet says so.

use std::time::Duration;

use super::execute::StepEnd;
use super::failure::Failure;
use super::gather;
use super::run::Run;
use super::session::{Session, StageClock};
use super::watch::{Look, Watch};
use crate::domain::event::Stage;
use crate::domain::plan::Plan;
use crate::domain::report::{ExitStatus, Problem};
use crate::domain::view::VerifyView;

/// How often the objects are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long every object must stay current: a container that dies at its start is ready for a moment.
const STEADY_FOR: Duration = Duration::from_secs(3);

/// What watching came to.
enum Verdict {
    /// Every object is current, and stayed so.
    Current(Look),
    /// Some object will not get there.
    Hopeless(Look, Vec<Problem>),
    /// The time is over.
    TimedOut(Look, Vec<Problem>),
    /// The user stopped it.
    Stopped,
}

/// Runs the step `verify` of a plan.
pub(super) async fn verify_step(run: &mut Run<'_>, plan: &Plan, timeout_secs: u64) -> StepEnd {
    let session = run.session;
    let clock = session.stage(Stage::Verify, "every object of the release");
    let mut watch = match of_newest(session, &plan.release, Some(plan)).await {
        Ok(watch) => watch,
        Err(failure) => return failed(clock, format!("{:#}", failure.error), Vec::new()),
    };
    let verdict =
        until_current(session, &mut watch, Duration::from_secs(timeout_secs), 0, &|what| clock.progress(what)).await;
    match verdict {
        Verdict::Current(look) => {
            let note = look.success();
            clock.finish(note.clone());
            StepEnd::Succeeded { note }
        }
        Verdict::Hopeless(look, problems) => {
            // What ails the pods was told when it was seen.
            clock.fail(look.count());
            StepEnd::Failed { because: look.summary(), problems }
        }
        Verdict::TimedOut(look, problems) => {
            failed(clock, format!("not current after {timeout_secs} s: {}", look.summary()), problems)
        }
        Verdict::Stopped => {
            clock.fail("stopped by you");
            StepEnd::Stopped
        }
    }
}

fn failed(clock: StageClock<'_>, because: String, problems: Vec<Problem>) -> StepEnd {
    clock.fail(because.clone());
    StepEnd::Failed { because, problems }
}

/// Waits until the objects of the newest revision are current again, after an undo.
///
/// # Errors
/// One sentence: which object is not current and why.
pub(super) async fn settle(
    run: &Run<'_>,
    plan: &Plan,
    clock: &StageClock<'_>,
    timeout: Duration,
) -> Result<(), String> {
    let session = run.session;
    let mut watch =
        of_newest(session, &plan.release, Some(plan)).await.map_err(|failure| format!("{:#}", failure.error))?;
    let allowed = session.interrupts.count();
    match until_current(session, &mut watch, timeout, allowed, &|what| clock.progress(what)).await {
        Verdict::Current(_) => Ok(()),
        Verdict::Hopeless(look, _) | Verdict::TimedOut(look, _) => Err(look.summary()),
        Verdict::Stopped => Err("its objects were not watched to the end: stopped by you".to_owned()),
    }
}

/// Runs the command `verify`: looks at every object of the deployed revision, and waits for those on their way.
///
/// # Errors
/// The release does not exist, or cannot be read.
pub async fn verify(session: &Session, release: &str, timeout: Duration) -> Result<(VerifyView, ExitStatus), Failure> {
    let clock = session.stage(Stage::Verify, format!("every object of {release}"));
    let mut watch = of_newest(session, release, None).await?;
    let verdict = until_current(session, &mut watch, timeout, 0, &|what| clock.progress(what)).await;
    let (look, exit) = match verdict {
        Verdict::Current(look) => (look, ExitStatus::Done),
        Verdict::Hopeless(look, _) | Verdict::TimedOut(look, _) => (look, ExitStatus::VerifyFound),
        Verdict::Stopped => {
            clock.fail("stopped by you");
            return Err(Failure::new(ExitStatus::Stopped, anyhow::anyhow!("stopped by you: nothing was changed")));
        }
    };
    let headline = match exit {
        ExitStatus::Done => format!("{release} is current"),
        _ => format!("{release} is not current: {}", look.summary()),
    };
    if exit == ExitStatus::Done {
        clock.finish(look.success());
    } else {
        clock.fail(look.summary());
    }
    Ok((VerifyView::new(release, &session.namespace, &headline, look.into_objects()), exit))
}

/// The objects to watch are those of the newest revision's own record: what Helm says it applied.
async fn of_newest(session: &Session, release: &str, plan: Option<&Plan>) -> Result<Watch, Failure> {
    let history = gather::read_history(session, release).await?;
    let Some(newest) = history.last() else {
        let error = anyhow::anyhow!("release {release} does not exist in namespace {}", session.namespace);
        return Err(Failure::blocked(error).hint(format!("`helm list -A --filter {release}` looks everywhere")));
    };
    gather::register_secrets(session, Some(&newest.release), None);
    Watch::of_release(session, &newest.release, plan).await
}

async fn until_current(
    session: &Session,
    watch: &mut Watch,
    timeout: Duration,
    interrupts_allowed: u32,
    progress: &dyn Fn(String),
) -> Verdict {
    let deadline = tokio::time::Instant::now() + timeout;
    let mut current_since: Option<tokio::time::Instant> = None;
    loop {
        if session.interrupts.count() > interrupts_allowed {
            return Verdict::Stopped;
        }
        let look = watch.look(session).await;
        let now = tokio::time::Instant::now();
        if look.is_current() {
            let since = *current_since.get_or_insert(now);
            if now - since >= STEADY_FOR {
                return Verdict::Current(look);
            }
        } else {
            current_since = None;
            let hopeless = look.hopeless();
            if !hopeless.is_empty() {
                return Verdict::Hopeless(look, hopeless);
            }
            if now >= deadline {
                let problems = look.problems();
                return Verdict::TimedOut(look, problems);
            }
        }
        progress(look.summary());
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = session.interrupts.more_than(interrupts_allowed) => {}
        }
    }
}
