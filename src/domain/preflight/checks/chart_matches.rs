//! `chart-matches`: the chart of another product under the name of this release removes all that the release has.

use crate::domain::facts::Facts;
use crate::domain::preflight::{Check, Outcome, Waivable, wording};

pub(super) const CHECK: Check = Check {
    id: "chart-matches",
    asks: "Is it the chart that the release was made from?",
    waivable: Waivable::Yes,
    run,
};

fn run(facts: &Facts) -> Outcome {
    let base = match super::base_revision(facts) {
        Ok(base) => base,
        Err(outcome) => return outcome,
    };
    let (old, new) = (&base.chart.name, &facts.chart.metadata.name);
    if old == new {
        return Outcome::pass(format!("both are `{new}`"));
    }
    Outcome::fail(
        format!(
            "release `{}` is made from chart `{old}`, `{}` is chart `{new}`: what only `{old}` has would be removed",
            facts.release, facts.chart.source
        ),
        format!(
            "name the release of `{new}` (`helm list -n {}`), or the chart `{old}`",
            wording::quote(&facts.namespace)
        ),
    )
}
