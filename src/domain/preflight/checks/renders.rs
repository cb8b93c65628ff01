//! `renders`: what Helm's own dry run cannot make, Helm cannot upgrade to.

use crate::domain::facts::{Answer, Facts};
use crate::domain::preflight::{Check, Outcome, Waivable, wording};

pub(super) const CHECK: Check = Check {
    id: "renders",
    asks: "Does Helm's own dry run succeed with this chart and these values?",
    waivable: Waivable::Never { because: "Helm would fail in the same way, and there is nothing to plan from" },
    run,
};

fn run(facts: &Facts) -> Outcome {
    if let Answer::CouldNotTell { because } = &facts.target {
        return Outcome::fail(
            format!("Helm's dry run of chart `{}` did not succeed: {}", facts.chart.source, wording::quote(because)),
            "correct the chart or the values that it names; `helm upgrade` with your flags and `--dry-run=server` shows all",
        );
    }
    let objects = facts.objects.iter().filter(|object| object.role.in_target).count();
    let hooks = facts.objects.iter().filter(|object| object.role.target_hook.is_some()).count();
    Outcome::pass(format!("{} and {}", wording::count(objects, "object"), wording::count(hooks, "hook")))
}
