//! `gitops-owner`: a GitOps tool would revert, or repeat, what the upgrade does.

use crate::domain::facts::{Facts, GitOpsOwner, ObjectFacts};
use crate::domain::object::ObjectRef;
use crate::domain::preflight::{Check, Outcome, Waivable, wording};

pub(super) const CHECK: Check =
    Check { id: "gitops-owner", asks: "Is no GitOps tool at work on the objects?", waivable: Waivable::Yes, run };

fn run(facts: &Facts) -> Outcome {
    let mut claims: Vec<(&GitOpsOwner, Vec<&ObjectRef>)> = Vec::new();
    for (owner, object) in facts.objects.iter().filter_map(claim) {
        match claims.iter_mut().find(|(known, _)| *known == owner) {
            Some((_, objects)) => objects.push(object),
            None => claims.push((owner, vec![object])),
        }
    }
    let Some((first, _)) = claims.first() else {
        let read = wording::counted(super::count_read(facts), "object");
        return Outcome::pass(format!("read {read}, none carries the mark of Argo CD or Flux"));
    };
    let found: Vec<String> = claims
        .iter()
        .map(|(owner, objects)| {
            let names: Vec<String> = objects.iter().map(ToString::to_string).collect();
            format!(
                "{} `{}` owns {}: {}",
                owner.tool,
                owner.name,
                wording::counted(objects.len(), "object"),
                wording::list_of(&names, ", ", 3)
            )
        })
        .collect();
    Outcome::fail(
        format!("{}; it would revert or repeat the upgrade", wording::list(&found, "; ")),
        format!("upgrade through it, or pause it first: {}", explain_pause(first)),
    )
}

fn claim(object: &ObjectFacts) -> Option<(&GitOpsOwner, &ObjectRef)> {
    let live = object.live.known()?.as_ref()?;
    Some((live.gitops_owner.as_ref()?, &object.object))
}

fn explain_pause(owner: &GitOpsOwner) -> String {
    let (namespace, name) = match owner.name.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() => (format!(" -n {namespace}"), name),
        Some((_, name)) => (String::new(), name),
        None => (String::new(), owner.name.as_str()),
    };
    match owner.tool.as_str() {
        "Argo CD" => format!("`argocd app set {} --sync-policy none`", owner.name),
        "Flux" => format!("`flux suspend helmrelease {name}{namespace}` (or `kustomization`)"),
        tool => format!("see the manual of {tool}"),
    }
}
