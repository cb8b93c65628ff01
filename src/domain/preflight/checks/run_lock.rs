//! `run-lock`: one run on a release at a time.

use crate::domain::facts::{Answer, Facts};
use crate::domain::preflight::{Check, Outcome, Waivable, wording};

pub(super) const CHECK: Check = Check {
    id: "run-lock",
    asks: "Is no other run at work on the release?",
    waivable: Waivable::Never { because: "two runs on one release undo each other's work" },
    run,
};

fn run(facts: &Facts) -> Outcome {
    let runs = match &facts.unfinished_runs {
        Answer::Known(runs) => runs,
        Answer::CouldNotTell { because } => {
            return Outcome::could_not_tell(format!(
                "the runs on release `{}` could not be read: {}",
                facts.release,
                wording::quote(because)
            ));
        }
    };
    let at_work: Vec<String> = runs
        .iter()
        .filter(|run| !run.is_owner_gone)
        .map(|run| format!("run {} of {}, last sign of life {}", run.run_id, run.holder, run.renewed_at))
        .collect();
    if at_work.is_empty() {
        return Outcome::pass("nobody holds the release");
    }
    Outcome::fail(
        format!("release `{}` is held by {}", facts.release, wording::list(&at_work, "; ")),
        format!(
            "wait for it: {} shows it; if its process is surely gone: {}",
            wording::our_command(facts, "status", ""),
            wording::our_command(facts, "resume", "--take-over")
        ),
    )
}
