//! `unfinished-run`: a run that was killed left the release somewhere on the way, and its journal knows where.

use crate::domain::facts::{Answer, Facts};
use crate::domain::preflight::{Check, Outcome, Waivable, wording};

pub(super) const CHECK: Check =
    Check { id: "unfinished-run", asks: "Did every earlier run of ours finish?", waivable: Waivable::Yes, run };

fn run(facts: &Facts) -> Outcome {
    let Answer::Known(runs) = &facts.unfinished_runs else {
        return Outcome::could_not_tell("the runs on the release could not be read: see `run-lock`");
    };
    let left: Vec<String> = runs
        .iter()
        .filter(|run| run.is_owner_gone)
        .map(|run| format!("run {} of {}, last sign of life {}", run.run_id, run.holder, run.renewed_at))
        .collect();
    if left.is_empty() {
        return Outcome::pass("no run was left unfinished");
    }
    // No revision is named: where the run stopped, and so which one to go back to, is for its journal to say.
    Outcome::fail(
        format!("did not finish, and its process is gone: {}", wording::list(&left, "; ")),
        format!(
            "{} says where it stopped; then {} or {}",
            wording::our_command(facts, "status", ""),
            wording::our_command(facts, "resume", ""),
            wording::our_command(facts, "rollback", "")
        ),
    )
}
