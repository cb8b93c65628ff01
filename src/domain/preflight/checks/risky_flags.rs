//! `risky-flags`: flags that weaken what Helm does are passed on, and said aloud.
//!
//! Source of what they do: `helm upgrade --help` and `pkg/action/upgrade.go`, Helm 3.22.0 and 4.3.1.

use crate::domain::facts::{Facts, HookFacts};
use crate::domain::preflight::{Check, Outcome, Waivable, wording};

pub(super) const CHECK: Check = Check {
    id: "risky-flags",
    asks: "Is Helm run without flags that weaken what it does?",
    waivable: Waivable::Yes,
    run,
};

fn run(facts: &Facts) -> Outcome {
    let explained: Vec<String> =
        facts.helm.risky_flags.iter().map(|flag| format!("`{flag}`: {}", explain(flag, facts))).collect();
    if explained.is_empty() {
        return Outcome::pass("no such flag");
    }
    Outcome::warn(wording::list(&explained, "; "), "leave out each flag that you do not need")
}

fn explain(flag: &str, facts: &Facts) -> String {
    match flag.split('=').next().unwrap_or_default() {
        "--no-hooks" => explain_no_hooks(facts),
        "--force" | "--force-replace" => {
            "objects are replaced instead of patched, and what others set in them is lost".to_owned()
        }
        "--force-conflicts" => "fields that others set are taken over from them".to_owned(),
        "--cleanup-on-fail" => "if Helm fails, it deletes what it created, and with it what shows the cause".to_owned(),
        _ => "Helm does less to keep the release safe".to_owned(),
    }
}

fn explain_no_hooks(facts: &Facts) -> String {
    let changes_data = |hook: &HookFacts| hook.may_change_data;
    let skipped: Vec<String> = facts
        .objects
        .iter()
        .filter(|object| object.role.target_hook.as_ref().is_some_and(changes_data))
        .map(|object| object.object.to_string())
        .collect();
    if skipped.is_empty() {
        "the chart's hooks do not run".to_owned()
    } else {
        format!("hooks do not run, nor the work on data that they do: {}", wording::list_of(&skipped, ", ", 3))
    }
}
