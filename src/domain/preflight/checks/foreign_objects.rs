//! `foreign-objects`: objects that exist and belong to somebody else.
//!
//! Helm looks at owners only where the current manifest does not name the object: there it refuses. Elsewhere it changes, and
//! deletes, what by now is another release's. Hooks are never looked at. Source: Helm 4.3.1 `pkg/action/validate.go`
//! `existingResourceConflict`, `pkg/action/upgrade.go`.

use crate::domain::facts::{Facts, LiveFacts, ObjectFacts};
use crate::domain::object::ObjectRef;
use crate::domain::preflight::{Check, Outcome, Waivable, wording};

pub(super) const CHECK: Check = Check {
    id: "foreign-objects",
    asks: "Does every object that the upgrade touches belong to this release, or to nobody yet?",
    waivable: Waivable::Yes,
    run,
};

struct Foreign<'a> {
    object: &'a ObjectRef,
    owner: Option<&'a (String, String)>,
    what_helm_does: &'static str,
}

impl std::fmt::Display for Foreign<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.owner {
            Some((namespace, name)) => write!(f, "{} of release `{namespace}/{name}`", self.object)?,
            None => write!(f, "{} of no Helm release", self.object)?,
        }
        write!(f, " ({})", self.what_helm_does)
    }
}

fn run(facts: &Facts) -> Outcome {
    if let Err(outcome) = super::rendered_target(facts) {
        return outcome;
    }
    let foreign: Vec<Foreign<'_>> = facts.objects.iter().filter_map(|object| foreign(facts, object)).collect();
    let Some(first) = foreign.first() else {
        return Outcome::pass(format!(
            "read {}, none is another's",
            wording::counted(super::count_read(facts), "object")
        ));
    };
    let fix = match first.owner {
        Some((namespace, name)) => format!(
            "let one release alone have it: turn it off in the values of this one, or of `{name}` in namespace `{namespace}`"
        ),
        None => {
            format!("remove or rename it; or, if it is to be this release's: {}", adopting_command(facts, first.object))
        }
    };
    Outcome::fail(
        format!(
            "{} {} another's: {}",
            wording::counted(foreign.len(), "object"),
            wording::is_or_are(foreign.len()),
            wording::list(&foreign, "; ")
        ),
        fix,
    )
}

fn foreign<'a>(facts: &Facts, object: &'a ObjectFacts) -> Option<Foreign<'a>> {
    let live: &LiveFacts = object.live.known()?.as_ref()?;
    let owner = live.helm_owner.as_ref();
    let is_ours = owner.is_some_and(|(namespace, name)| *namespace == facts.namespace && *name == facts.release);
    let what_helm_does = match (object.role.in_current, object.role.in_target) {
        (false, true) if !is_ours => "new to this release; an upgrade is refused: invalid ownership metadata",
        (true, true) if !is_ours && owner.is_some() => "Helm would change it",
        (true, false) if !is_ours && owner.is_some() => "Helm would delete it",
        _ => return None,
    };
    Some(Foreign { object: &object.object, owner, what_helm_does })
}

/// Source of the marks: Helm 4.3.1 `pkg/action/validate.go` `checkOwnership`.
fn adopting_command(facts: &Facts, object: &ObjectRef) -> String {
    format!(
        "`kubectl patch {} --type merge -p '{{\"metadata\":{{\"labels\":{{\"app.kubernetes.io/managed-by\":\"Helm\"}},\
         \"annotations\":{{\"meta.helm.sh/release-name\":\"{}\",\"meta.helm.sh/release-namespace\":\"{}\"}}}}}}'`",
        wording::kubectl_name(object),
        facts.release,
        facts.namespace
    )
}
