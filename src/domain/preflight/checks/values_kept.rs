//! `values-kept`: Helm drops every earlier value as soon as one new one is given.
//!
//! Source: Helm 4.3.1 `pkg/action/upgrade.go`, `reuseValues`.

use crate::domain::facts::{Answer, Facts};
use crate::domain::preflight::{Check, Outcome, Waivable, wording};

pub(super) const CHECK: Check = Check {
    id: "values-kept",
    asks: "Does the new revision keep every value that the user set?",
    waivable: Waivable::Yes,
    run,
};

fn run(facts: &Facts) -> Outcome {
    let base = match super::base_revision(facts) {
        Ok(base) => base,
        Err(outcome) => return outcome,
    };
    let lost = match &facts.lost_values {
        Answer::Known(lost) => lost,
        Answer::CouldNotTell { because } => {
            return Outcome::could_not_tell(format!("the values could not be compared: {}", wording::quote(because)));
        }
    };
    if lost.is_empty() {
        return Outcome::pass(format!("no value of revision {} is lost", base.revision));
    }
    let paths: Vec<String> = lost.iter().map(|value| format!("`{}`", value.path)).collect();
    Outcome::fail(
        format!(
            "{} of revision {} would be lost: {}",
            wording::counted(lost.len(), "value"),
            base.revision,
            wording::list(&paths, ", ")
        ),
        "pass the old values file again with `-f`, or `--reset-then-reuse-values` (`--reuse-values` also keeps the old \
         defaults); on purpose: `--waive values-kept=REASON`",
    )
}
