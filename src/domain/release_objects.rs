//! The objects that a release names: its manifest and its hooks, now and after the upgrade.

use std::collections::BTreeMap;

use super::facts::{EFFECTS_ANNOTATION, HookFacts, ObjectRole};
use super::manifest::{self, ManifestError};
use super::object::{Object, ObjectRef};
use super::release::Release;

/// An object as a manifest writes it, and which manifests name it.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedObject {
    /// As rendered: the target's version where it has one.
    pub manifest: Object,
    /// Which manifests name it.
    pub role: ObjectRole,
}

/// Returns every object that `current` or `target` names, hooks included, each once.
///
/// Objects are told apart by group, kind, namespace and name; a namespace that a manifest leaves out counts as `namespace`.
///
/// # Errors
/// [`ManifestError`] names the document that is no object.
pub fn named_objects(
    current: Option<&Release>,
    target: Option<&Release>,
    namespace: &str,
) -> Result<Vec<NamedObject>, ManifestError> {
    let mut named = Collected { namespace, objects: BTreeMap::new() };
    if let Some(release) = current {
        for object in manifest::parse(&release.manifest)? {
            named.entry(object).role.in_current = true;
        }
        for hook in &release.hooks {
            for object in manifest::parse(&hook.manifest)? {
                named.entry(object).role.current_hook = true;
            }
        }
    }
    if let Some(release) = target {
        for object in manifest::parse(&release.manifest)? {
            let keeps = object.annotation("helm.sh/resource-policy") == Some("keep");
            // A Job that does not change is not made again.
            let runs_code = runs_code(&object) && !is_declared_harmless(&object) && !named.has_unchanged(&object);
            let entry = named.entry(object);
            entry.role.in_target = true;
            entry.role.target_keeps = keeps;
            entry.role.target_runs_code = runs_code;
        }
        for hook in &release.hooks {
            for object in manifest::parse(&hook.manifest)? {
                let may_change_data = runs_code(&object) && !is_declared_harmless(&object);
                let facts = HookFacts { events: hook.events.clone(), may_change_data };
                named.entry(object).role.target_hook = Some(facts);
            }
        }
    }
    Ok(named.objects.into_values().collect())
}

/// Tells whether Helm runs a hook with these events in an upgrade or in the rollback after it; test hooks run on `helm test` alone.
#[must_use]
pub fn runs_in_upgrade(events: &[String]) -> bool {
    const EVENTS: [&str; 6] =
        ["pre-install", "post-install", "pre-upgrade", "post-upgrade", "pre-rollback", "post-rollback"];
    events.iter().any(|event| EVENTS.contains(&event.as_str()))
}

/// A Job or Pod runs code; other hook objects only carry what such code reads.
fn runs_code(object: &Object) -> bool {
    matches!((object.group(), object.kind()), ("batch", "Job") | ("", "Pod"))
}

fn is_declared_harmless(object: &Object) -> bool {
    object.annotation(EFFECTS_ANNOTATION) == Some("none")
}

struct Collected<'a> {
    namespace: &'a str,
    objects: BTreeMap<(String, String, String, String), NamedObject>,
}

impl Collected<'_> {
    fn key(&self, manifest: &Object) -> (String, String, String, String) {
        let ObjectRef { kind, namespace, name, .. } = manifest.reference(Some(self.namespace));
        (namespace.unwrap_or_default(), manifest.group().to_owned(), kind, name)
    }

    fn has_unchanged(&self, manifest: &Object) -> bool {
        self.objects.get(&self.key(manifest)).is_some_and(|known| known.manifest.at("/spec") == manifest.at("/spec"))
    }

    fn entry(&mut self, manifest: Object) -> &mut NamedObject {
        let key = self.key(&manifest);
        let entry = self
            .objects
            .entry(key)
            .or_insert_with(|| NamedObject { manifest: manifest.clone(), role: ObjectRole::default() });
        entry.manifest = manifest;
        entry
    }
}
