//! `renders`: what Helm's own dry run cannot make, Helm cannot upgrade to.

use crate::domain::facts::{Answer, Facts};
use crate::domain::preflight::{Check, Outcome, Waivable, revisions, wording};
use crate::domain::release::ReleaseStatus;

pub(super) const CHECK: Check = Check {
    id: "renders",
    asks: "Does Helm's own dry run succeed with this chart and these values?",
    waivable: Waivable::Never { because: "Helm would fail in the same way, and there is nothing to plan from" },
    run,
};

fn run(facts: &Facts) -> Outcome {
    if let Answer::CouldNotTell { because } = &facts.target {
        let because = wording::quote(because);
        return match explained_by(facts) {
            Some(check) => Outcome::could_not_tell(format!("no dry run was made ({because}): see `{check}`")),
            None => Outcome::fail(
                format!("Helm's dry run of chart `{}` did not succeed: {because}", facts.chart.source),
                "correct the chart, the values or the rule that it names; `helm upgrade` with your flags and `--dry-run=server` shows all that Helm says",
            ),
        };
    }
    let objects = facts.objects.iter().filter(|object| object.role.in_target).count();
    let hooks = facts.objects.iter().filter(|object| object.role.target_hook.is_some()).count();
    Outcome::pass(format!("{} and {}", wording::counted(objects, "object"), wording::counted(hooks, "hook")))
}

/// Helm refuses a dry run where it would refuse the upgrade; another check then says why.
fn explained_by(facts: &Facts) -> Option<&'static str> {
    match facts.history.known().map(|history| revisions::newest(history)) {
        None => Some("release-exists"),
        Some(None) => (!facts.install).then_some("release-exists"),
        Some(Some(newest)) => {
            let is_upgradable =
                matches!(newest.status, ReleaseStatus::Deployed | ReleaseStatus::Failed | ReleaseStatus::Superseded);
            (!is_upgradable).then_some("release-status")
        }
    }
}
