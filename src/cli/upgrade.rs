//! `upgrade RELEASE CHART [helm flags]`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::open::to_shown;
use super::rules::ProfileArgs;
use crate::domain::object::TypedName;
use crate::domain::plan::build::PlanOptions;
use crate::domain::plan::explain;
use crate::domain::plan::saved::SavedPlan;
use crate::domain::preflight::Waiver;
use crate::domain::report::ExitStatus;
use crate::edge::terminal::{Consent as Answer, Failure, Screen, View};
use crate::flow::inputs::Inputs;
use crate::flow::prepare::Asked;
use crate::flow::saved_plan;
use crate::flow::session::Session;
use crate::flow::upgrade::{Consent, Question, upgrade};

/// Upgrade a release: check, plan, ask, run Helm, verify, and undo what fails
///
/// Takes every flag of `helm upgrade` and passes it on; `helm upgrade --help` lists them.
/// `--dry-run` is the same as `plan`. Refused: `--atomic`, `--rollback-on-failure`, `--take-ownership`.
#[derive(Debug, Args)]
pub(super) struct UpgradeArgs {
    #[command(flatten)]
    pub(super) target: Target,
    #[command(flatten)]
    planning: Planning,
    /// Accept the plan as shown, without being asked
    #[arg(short = 'y', long)]
    yes: bool,
    /// Run the plan that `plan --out` saved to this file; refused if release, cluster, newest revision, chart, values, Helm's
    /// version, its flags or the rules are others
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Accept what moved since that plan was saved, beside `--yes`
    #[arg(long, requires = "plan")]
    accept_drift: bool,
}

/// The arguments that `upgrade`, `plan` and `preflight` share.
#[derive(Debug, Clone, Args)]
pub(super) struct Target {
    /// Release to upgrade
    pub(super) release: String,
    /// Chart: folder, archive, `repo/name`, `oci://...`, URL
    pub(super) chart: String,
    #[command(flatten)]
    pub(super) profiles: ProfileArgs,
    #[command(flatten)]
    pub(super) waiving: Waiving,
}

/// What the user accepts of the checks.
#[derive(Debug, Clone, Args)]
pub(super) struct Waiving {
    /// Go on although this check, or `rehearsal-CLASS`, blocks; the reason is recorded
    #[arg(long, value_name = "CHECK=REASON")]
    pub(super) waive: Vec<Waiver>,
}

/// How long to wait.
#[derive(Debug, Clone, Args)]
pub(super) struct Waiting {
    /// Longest time for every object to become current, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(super) verify_timeout: u64,
}

/// What `upgrade` and `plan` share beyond that.
#[derive(Debug, Clone, Args)]
pub(super) struct Planning {
    /// Let the upgrade delete this object and its data, or an object of another owner; `KIND/NAME` if it has no namespace
    #[arg(long, value_name = "KIND/NAMESPACE/NAME")]
    pub(super) delete: Vec<TypedName>,
    #[command(flatten)]
    pub(super) waiting: Waiting,
}

impl Waiting {
    /// Returns how a plan is built.
    pub(super) fn options(&self) -> PlanOptions {
        PlanOptions { verify_timeout_secs: self.verify_timeout }
    }
}

impl Planning {
    /// Returns the request of `upgrade` or `plan`.
    pub(super) fn asked(&self, target: &Target, is_read_only: bool, saved: Option<Box<SavedPlan>>) -> Asked {
        Asked {
            is_read_only,
            waivers: target.waiving.waive.clone(),
            deletions: self.delete.clone(),
            planning: Some(self.waiting.options()),
            saved,
        }
    }
}

impl UpgradeArgs {
    /// Returns the same request for `plan`: what `--dry-run` means.
    pub(super) fn as_plan(&self) -> super::plan::PlanArgs {
        super::plan::PlanArgs {
            target: self.target.clone(),
            planning: self.planning.clone(),
            detailed_exitcode: false,
            out: None,
            saved: self.plan.clone(),
            accept_drift: self.accept_drift,
        }
    }
}

/// Reads a saved plan, if one is named.
pub(super) fn read_saved(path: Option<&Path>) -> Result<Option<Box<SavedPlan>>, Failure> {
    path.map(|path| saved_plan::read(path).map(Box::new).map_err(to_shown)).transpose()
}

/// Runs the whole flow.
pub(super) async fn run(
    args: &UpgradeArgs,
    inputs: &Inputs,
    session: &Session,
    screen: &Screen,
) -> Result<ExitStatus, Failure> {
    let asked = args.planning.asked(&args.target, false, read_saved(args.plan.as_deref())?);
    let ask = asker(args.yes, args.accept_drift, session, screen);
    let report = upgrade(session, inputs, &asked, &ask).await.map_err(to_shown)?;
    show(screen, &report)
}

/// Returns what shows findings and plan, and asks unless `--yes` was given; what moved since a plan was saved is asked for all the same,
/// unless that was accepted too.
pub(super) fn asker<'a>(
    is_yes: bool,
    accepts_drift: bool,
    session: &'a Session,
    screen: &'a Screen,
) -> impl Fn(&Question<'_>) -> Consent + 'a {
    move |question| {
        let Question { findings, plan, rehearsed, drift } = *question;
        let is_drift_open = !drift.is_empty() && !accepts_drift;
        screen.message(View::Findings(findings));
        let view = explain::view(plan, rehearsed);
        if is_yes && !is_drift_open {
            screen.message(View::Plan(&view));
            return Consent::Yes;
        }
        let interrupted = session.interrupts.flag();
        match screen.confirm(View::Plan(&view), "Go on?", &interrupted) {
            Answer::Yes => Consent::Yes,
            Answer::NoTerminal if is_yes => Consent::NotForDrift,
            Answer::NoTerminal => Consent::NobodyThere,
            Answer::No => Consent::No,
        }
    }
}

/// Shows a report and returns its exit status.
pub(super) fn show(screen: &Screen, report: &crate::domain::report::RunReport) -> Result<ExitStatus, Failure> {
    screen.report(report).map_err(|error| Failure::new(ExitStatus::Unexpected, error))?;
    Ok(report.exit)
}
