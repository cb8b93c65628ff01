//! `rights`: every right is asked for beforehand, so that no upgrade stops half-way for want of one.

use crate::domain::facts::{Answer, Facts, RightFacts};
use crate::domain::preflight::{Check, Outcome, Waivable, wording};

pub(super) const CHECK: Check =
    Check { id: "rights", asks: "Does the user have every right that the run needs?", waivable: Waivable::Yes, run };

fn run(facts: &Facts) -> Outcome {
    let rights = match &facts.rights {
        Answer::Known(rights) => rights,
        Answer::CouldNotTell { because } => {
            return Outcome::could_not_tell(format!("the rights could not be asked for: {}", wording::quote(because)));
        }
    };
    if rights.is_empty() {
        return Outcome::could_not_tell("no right was asked for, and an upgrade needs some");
    }
    let missing = group(rights);
    if missing.is_empty() {
        return Outcome::pass(format!("has {}", wording::counted(rights.len(), "right")));
    }
    let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
    if facts.is_read_only {
        return Outcome::warn(
            format!("an upgrade by this user would be blocked: no right to {}", wording::list(&missing, "; ")),
            "run the upgrade as a user who has them: `examples/rbac-upgrade.yaml` lists what it needs",
        );
    }
    Outcome::fail(
        format!("no right to {}", wording::list(&missing, "; ")),
        format!(
            "have an administrator grant them; a start, in the plugin's folder: `kubectl apply -n {} -f examples/rbac-upgrade.yaml`",
            facts.namespace
        ),
    )
}

/// The missing verbs on one resource in one place.
struct Missing<'a> {
    resource: (&'a str, &'a str),
    namespace: Option<&'a str>,
    verbs: Vec<&'a str>,
    needed_for: Vec<&'a str>,
}

impl std::fmt::Display for Missing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (group, resource) = self.resource;
        let dot = if group.is_empty() { "" } else { "." };
        write!(f, "{} `{resource}{dot}{group}`", self.verbs.join(", "))?;
        match self.namespace {
            Some(namespace) => write!(f, " in namespace `{namespace}`")?,
            None => f.write_str(" in the whole cluster")?,
        }
        write!(f, " ({})", wording::list_of(&self.needed_for, ", ", 2))
    }
}

fn group(rights: &[RightFacts]) -> Vec<Missing<'_>> {
    let mut groups: Vec<Missing<'_>> = Vec::new();
    for right in rights.iter().filter(|right| !right.allowed) {
        let resource = (right.group.as_str(), right.resource.as_str());
        let namespace = right.namespace.as_deref();
        let place = groups.iter().position(|group| group.resource == resource && group.namespace == namespace);
        let group = match place.and_then(|place| groups.get_mut(place)) {
            Some(group) => group,
            None => groups.push_mut(Missing { resource, namespace, verbs: Vec::new(), needed_for: Vec::new() }),
        };
        if !group.verbs.contains(&right.verb.as_str()) {
            group.verbs.push(&right.verb);
        }
        if !group.needed_for.contains(&right.needed_for.as_str()) {
            group.needed_for.push(&right.needed_for);
        }
    }
    groups
}
