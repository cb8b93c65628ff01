//! `not-downgrade`: a chart knows how to come from older ones, never how to come back from a newer one.

use std::cmp::Ordering;

use crate::domain::facts::Facts;
use crate::domain::preflight::{Check, Outcome, Waivable, revisions, wording};
use crate::domain::version::compare_chart_versions;

pub(super) const CHECK: Check =
    Check { id: "not-downgrade", asks: "Is the chart at least as new as the release's?", waivable: Waivable::Yes, run };

fn run(facts: &Facts) -> Outcome {
    let base = match super::base_revision(facts) {
        Ok(base) => base,
        Err(outcome) => return outcome,
    };
    if base.chart.name != facts.chart.metadata.name {
        return Outcome::skip("versions of two charts do not compare: see `chart-matches`");
    }
    let (old, new) = (&base.chart.version, &facts.chart.metadata.version);
    match compare_chart_versions(new, old) {
        Some(Ordering::Greater) => Outcome::pass(format!("{old} -> {new}")),
        Some(Ordering::Equal) => Outcome::pass(format!("{new}: same version, values may differ")),
        Some(Ordering::Less) => Outcome::fail(
            format!("chart `{}` would go back from {old} to {new}", facts.chart.metadata.name),
            way_back(facts, new),
        ),
        None => Outcome::could_not_tell(format!("chart versions `{old}` (now) and `{new}` are not both SemVer")),
    }
}

fn way_back(facts: &Facts, version: &str) -> String {
    let same = facts
        .history
        .known()
        .and_then(|history| revisions::newest_of_version(history, version))
        .map(|revision| revision.revision.to_string());
    match same {
        Some(revision) => format!("{} goes back to it", wording::our_command(facts, "rollback", &revision)),
        None => format!(
            "{} lists what you can go back to with `helm csghub rollback`",
            wording::helm_command(facts, "history", "")
        ),
    }
}
