//! Everything up to confirm: gather, preflight, plan. Changes nothing.

use super::failure::Failure;
use super::gather::{self, Gathered};
use super::inputs::Inputs;
use super::rehearse::{self, UpgradeScene};
use super::rendering;
use super::ruled::Ruled;
use super::saved_plan;
use super::session::Session;
use super::upgrade::Question;
use crate::domain::event::Stage;
use crate::domain::facts::Facts;
use crate::domain::object::TypedName;
use crate::domain::plan::build::PlanOptions;
use crate::domain::plan::saved::{Drift, SavedPlan};
use crate::domain::plan::{Plan, build};
use crate::domain::preflight::{self, Finding, Waiver, WaiverError};
use crate::domain::random::RandomField;
use crate::domain::rehearsed::consent::{self, Accepted};
use crate::domain::rehearsed::{self, Mode, Rehearsed};
use crate::domain::release::Release;
use crate::domain::report::ExitStatus;
use crate::domain::rights;
use crate::domain::wording::counted;
use crate::edge::disk::RunFolder;
use crate::edge::helm::PulledChart;
use crate::edge::host;

/// What the user asked of `upgrade`, `plan` or `preflight`, beyond Helm's flags.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Whether the command only looks.
    pub is_read_only: bool,
    /// Checks whose answer the user accepts, with the reason.
    pub waivers: Vec<Waiver>,
    /// Objects that may be destroyed.
    pub deletions: Vec<TypedName>,
    /// How the plan is built and rehearsed; absent if only the checks are run.
    pub planning: Option<PlanOptions>,
    /// The saved plan that is run.
    pub saved: Option<Box<SavedPlan>>,
}

/// All that was read and decided before anything is changed.
pub struct Prepared {
    /// Id of the run, if it is begun.
    pub run_id: String,
    /// Its folder.
    pub folder: RunFolder,
    /// What was read.
    pub facts: Facts,
    /// The chart, pulled into the folder; absent in a rollback.
    pub chart: Option<PulledChart>,
    /// What Helm's dry run made of chart and values; absent where it failed, and in a rollback.
    pub target: Option<Release>,
    /// What the rules of profiles did to that.
    pub ruled: Ruled,
    /// What the checks found.
    pub findings: Vec<Finding>,
    /// What the rehearsal found; absent where a check blocks, and in a rollback.
    pub rehearsed: Option<Rehearsed>,
    /// What of it stands in the way.
    pub standing: Vec<rehearsed::Finding>,
    /// What is drawn at each render.
    pub random: Vec<RandomField>,
    /// The plan; absent where a finding blocks.
    pub plan: Option<Plan>,
    /// What moved since the plan was saved that is run.
    pub drift: Vec<Drift>,
}

/// What the report says where nobody could be asked.
pub const NOBODY_THERE: &str = "nobody was there to say yes, so nothing was changed: `--yes` accepts the plan as shown";

impl Prepared {
    /// Returns the exit code that the findings mean: 0, 20, or 60 where another run holds the release.
    #[must_use]
    pub fn exit(&self) -> ExitStatus {
        if preflight::is_locked(&self.findings) {
            ExitStatus::Locked
        } else if self.findings.iter().any(Finding::is_blocking) || self.is_stopped_by_rehearsal() {
            ExitStatus::Blocked
        } else {
            ExitStatus::Done
        }
    }

    /// Returns what the user is asked about the plan.
    #[must_use]
    pub fn question<'a>(&'a self, plan: &'a Plan) -> Question<'a> {
        Question { findings: &self.findings, plan, rehearsed: self.rehearsed.as_ref(), drift: &self.drift }
    }

    fn is_stopped_by_rehearsal(&self) -> bool {
        !self.standing.is_empty() || self.rehearsed.as_ref().is_some_and(|rehearsed| rehearsed.end.exit_code != 0)
    }
}

/// Gathers, checks and plans an upgrade.
///
/// # Errors
/// What had to be read cannot be read, or a waiver names no check.
pub async fn prepare(session: &Session, inputs: &Inputs, asked: &Asked) -> Result<Prepared, Failure> {
    let run_id = host::new_run_id();
    let folder = RunFolder::create(&session.runs_root, &run_id)?;
    let Gathered { facts, chart, current, target, ruled } =
        gather::gather(session, inputs, &folder, asked.is_read_only).await?;
    if let Some(saved) = &asked.saved {
        saved_plan::hold_to(session, inputs, &facts, saved).await?;
    }
    let findings = check(session, &facts, &asked.waivers, preflight::run_all)?;
    let mut prepared = Prepared {
        run_id,
        folder,
        facts,
        chart: None,
        target,
        ruled,
        findings,
        rehearsed: None,
        standing: Vec::new(),
        random: Vec::new(),
        plan: None,
        drift: Vec::new(),
    };
    if let Some(options) = &asked.planning
        && prepared.exit() == ExitStatus::Done
    {
        if asked.is_read_only && !rights::may_rehearse(&prepared.facts) {
            plan_unrehearsed(session, &mut prepared, options)?;
        } else {
            let scene = UpgradeScene { inputs, chart: &chart, current: current.as_ref(), mode: Mode::All };
            Box::pin(plan(session, &mut prepared, &scene, asked, options)).await?;
        }
        if let Some(saved) = &asked.saved {
            saved_plan::look_for_drift(&mut prepared, saved)?;
        }
    }
    prepared.chart = Some(chart);
    Ok(prepared)
}

/// Rehearses, plans the cures, and rehearses once more with them pretended, and with what is random kept: what is left then blocks.
async fn plan(
    session: &Session,
    prepared: &mut Prepared,
    scene: &UpgradeScene<'_>,
    asked: &Asked,
    options: &PlanOptions,
) -> Result<(), Failure> {
    let folder = prepared.folder.clone();
    let mut replay = match &asked.saved {
        Some(saved) => saved_plan::reviewed(session, &folder, saved)?,
        None => None,
    };
    let Ruled { following, warnings: of_rules } = prepared.ruled.clone();
    let about = following.as_ref().map(|following| &following.about);
    let mut rendering = match &replay {
        Some(replay) => rendering::replay(session, scene.inputs, &folder, about, replay).await,
        None => rendering::usual(session, scene.inputs, &folder, about).await,
    }
    .map_err(Failure::blocked)?;
    let first = rehearse::upgrade(session, &folder, scene, None, &rendering).await?;
    let found = first.rehearsed;
    let mut plan = build::upgrade(&prepared.facts, &prepared.findings, &found.findings, options);
    let accepted = Accepted { deletions: &asked.deletions, waivers: &asked.waivers };
    plan.accepted = found.accepted(&accepted);
    plan.warnings.extend(consent::unused(&asked.waivers, &found));
    plan.warnings.extend(of_rules);
    let has_cures = plan.steps.iter().any(|step| step.action.removes().is_some());
    let is_curable = has_cures && found.standing(&accepted).all(|finding| !finding.needs_a_person());
    let is_worth_it = is_curable || found.end.exit_code == 0 && found.standing(&accepted).next().is_none();
    if let Some(replay) = &replay {
        plan.warnings.extend([rendering::told(&prepared.facts, &replay.random), rendering::APPLIED.to_owned()]);
        prepared.random.clone_from(&replay.random);
    }
    let mut random = Vec::new();
    if replay.is_none() && is_worth_it {
        let renders = (prepared.target.as_ref(), first.rendered.as_ref());
        let recognised = rendering::recognise(session, scene.inputs, &folder, &prepared.facts, about, renders).await?;
        plan.warnings.extend(recognised.warnings);
        prepared.random.clone_from(&recognised.random);
        if let Some(keeping) = recognised.keeping {
            rendering = keeping;
            random = recognised.random;
        }
    }
    let mut proven = if is_curable || !random.is_empty() {
        rehearse::upgrade(session, &folder, scene, Some(&plan), &rendering).await?.rehearsed
    } else {
        found
    };
    if !random.is_empty() && proven.end.exit_code == 0 {
        replay = Some(rendering::kept(session, &folder, random)?);
    }
    plan.replay = replay;
    plan.following = following;
    rendering::name_in_full(&mut proven.end.problems, &plan);
    prepared.folder.write("rehearsal.json", &serde_json::to_vec_pretty(&proven).map_err(anyhow::Error::from)?)?;
    prepared.standing = proven.standing(&accepted).cloned().collect();
    prepared.rehearsed = Some(proven);
    if prepared.is_stopped_by_rehearsal() {
        return Ok(());
    }
    keep_plan(session, prepared, plan)
}

/// Plans from the facts alone, for somebody who may only read.
fn plan_unrehearsed(session: &Session, prepared: &mut Prepared, options: &PlanOptions) -> Result<(), Failure> {
    let mut plan = build::upgrade(&prepared.facts, &prepared.findings, &[], options);
    plan.warnings.extend(prepared.ruled.warnings.clone());
    plan.following.clone_from(&prepared.ruled.following);
    plan.warnings.push(UNREHEARSED.to_owned());
    keep_plan(session, prepared, plan)
}

/// What a plan says that was not rehearsed.
const UNREHEARSED: &str = "not rehearsed: a dry run needs the same rights as the upgrade (`examples/rbac-upgrade.yaml`), and this \
    user may only read; what the server would refuse, and what would be lost, is not known";

fn keep_plan(session: &Session, prepared: &mut Prepared, plan: Plan) -> Result<(), Failure> {
    let clock = session.stage(Stage::Plan, "plan");
    prepared.folder.write("plan.json", &serde_json::to_vec_pretty(&plan).map_err(anyhow::Error::from)?)?;
    clock.finish(counted(plan.steps.len(), "step"));
    prepared.plan = Some(plan);
    Ok(())
}

/// The checks of an upgrade, or those of a rollback.
pub type Checks = fn(&Facts, &[Waiver]) -> Result<Vec<Finding>, WaiverError>;

/// Runs every check over the facts.
///
/// # Errors
/// Exit 2 for a waiver that names no check, or one that cannot be waived.
pub fn check(session: &Session, facts: &Facts, waivers: &[Waiver], checks: Checks) -> Result<Vec<Finding>, Failure> {
    let clock = session.stage(Stage::Preflight, "check");
    let findings = checks(facts, waivers).map_err(|error| Failure::new(ExitStatus::Usage, error))?;
    let blocking = findings.iter().filter(|finding| finding.is_blocking()).count();
    if blocking == 0 {
        clock.finish(format!("{} checks", findings.len()));
    } else {
        clock.fail(format!("{blocking} of {} checks block", findings.len()));
    }
    Ok(findings)
}
