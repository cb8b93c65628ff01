//! `live-objects`: what could not be seen cannot be judged, and what is gone was removed by somebody.

use crate::domain::facts::{Answer, Facts, ObjectFacts};
use crate::domain::preflight::{Check, Outcome, Waivable, wording};

pub(super) const CHECK: Check = Check {
    id: "live-objects",
    asks: "Could every object be read, and are those of the current revision there?",
    waivable: Waivable::Yes,
    run,
};

fn run(facts: &Facts) -> Outcome {
    if facts.objects.is_empty() {
        return Outcome::skip("no manifest names an object");
    }
    let unread: Vec<(&ObjectFacts, &String)> = facts
        .objects
        .iter()
        .filter_map(|object| match &object.live {
            Answer::CouldNotTell { because } => Some((object, because)),
            Answer::Known(_) => None,
        })
        .collect();
    if let Some((_, because)) = unread.first() {
        let names: Vec<String> = unread.iter().map(|(object, _)| object.object.to_string()).collect();
        return Outcome::could_not_tell(format!(
            "{} could not be read, so neither owner nor state is known: {}; the first: {}",
            wording::counted(unread.len(), "object"),
            wording::list(&names, ", "),
            wording::quote(because)
        ));
    }
    let missing: Vec<String> =
        facts.objects.iter().filter(|object| is_missed(object)).map(|object| object.object.to_string()).collect();
    if missing.is_empty() {
        return Outcome::pass(format!("read {}", wording::counted(facts.objects.len(), "object")));
    }
    Outcome::warn(
        format!(
            "{} of the current revision {} gone: {}; Helm makes those anew that the chart still has",
            wording::counted(missing.len(), "object"),
            wording::is_or_are(missing.len()),
            wording::list(&missing, ", ")
        ),
        "find out who removed them, before they come back",
    )
}

/// A finished Job may be gone by its time to live; that is no loss.
fn is_missed(object: &ObjectFacts) -> bool {
    let is_job = object.object.group() == "batch" && object.object.kind == "Job";
    object.role.in_current && !is_job && object.live == Answer::Known(None)
}
