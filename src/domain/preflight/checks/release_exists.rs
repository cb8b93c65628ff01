//! `release-exists`: without the release, or with a history that cannot be read, nothing else means anything.

use crate::domain::facts::{Answer, Facts};
use crate::domain::preflight::{Check, Outcome, Waivable, revisions, wording};

pub(super) const CHECK: Check = Check {
    id: "release-exists",
    asks: "Is there a release of that name in that namespace?",
    waivable: Waivable::Never { because: "every other answer is about that release, and so would be the way back" },
    run,
};

fn run(facts: &Facts) -> Outcome {
    let history = match &facts.history {
        Answer::Known(history) => history,
        Answer::CouldNotTell { because } => {
            return Outcome::could_not_tell(format!(
                "the history of release `{}` in namespace `{}` could not be read: {}",
                facts.release,
                facts.namespace,
                wording::quote(because)
            ));
        }
    };
    match revisions::newest(history) {
        Some(newest) => Outcome::pass(format!("revision {} is the newest of {}", newest.revision, history.len())),
        None if facts.install => Outcome::pass("there is none: it will be installed as revision 1"),
        None => Outcome::fail(
            format!("there is no release `{}` in namespace `{}`", facts.release, facts.namespace),
            format!(
                "check name and namespace with `helm list -A --filter '^{}$'`; a new one needs `--install`",
                facts.release
            ),
        ),
    }
}
