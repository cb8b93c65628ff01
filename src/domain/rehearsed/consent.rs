//! What the user accepts of a rehearsal by name, beyond the plan itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Class, Finding, Rehearsed};
use crate::domain::object::{ObjectRef, TypedName};
use crate::domain::preflight::Waiver;

/// What was accepted by name.
#[derive(Debug, Clone, Copy, Default)]
pub struct Accepted<'a> {
    /// `--delete KIND/NAMESPACE/NAME`: what may be destroyed.
    pub deletions: &'a [TypedName],
    /// `--waive CHECK=REASON`; those of classes count here.
    pub waivers: &'a [Waiver],
}

/// What stands before the name of a class in `--waive`: a check of preflight may have the same name.
const WAIVER_PREFIX: &str = "rehearsal-";

impl Class {
    /// Returns what `--waive` calls the class, such as `rehearsal-quota`.
    #[must_use]
    pub fn waiver_id(self) -> String {
        format!("{WAIVER_PREFIX}{}", self.title().replace(' ', "-"))
    }

    /// Returns the class that `--waive` calls so.
    #[must_use]
    pub fn of_waiver_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.waiver_id() == id)
    }

    /// Tells whether something would be destroyed: that is accepted object by object, never as a class.
    #[must_use]
    pub fn destroys(self) -> bool {
        matches!(self, Self::DataLoss | Self::ForeignDeletion)
    }
}

impl Accepted<'_> {
    /// Tells whether the user accepted what a finding tells of.
    #[must_use]
    pub fn covers(&self, finding: &Finding) -> bool {
        if finding.class.destroys() {
            return self.deletions.iter().any(|name| name.names(&finding.object));
        }
        self.waivers.iter().any(|waiver| waiver.check == finding.class.waiver_id())
    }
}

/// A finding that was accepted before the run: of that class, about that object, and no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AcceptedFinding {
    /// Its class.
    pub class: Class,
    /// The object that it is about.
    pub object: ObjectRef,
}

impl AcceptedFinding {
    /// Tells whether `finding` is the one that was accepted.
    #[must_use]
    pub fn covers(&self, finding: &Finding) -> bool {
        self.class == finding.class && self.object.is_same_object(&finding.object)
    }
}

impl Rehearsed {
    /// Returns the findings that the user accepted.
    #[must_use]
    pub fn accepted(&self, accepted: &Accepted<'_>) -> Vec<AcceptedFinding> {
        let covered = self.findings.iter().filter(|finding| accepted.covers(finding));
        covered.map(|finding| AcceptedFinding { class: finding.class, object: finding.object.clone() }).collect()
    }

    /// Returns the findings that stand in the way: they block, and nobody accepted them.
    pub fn standing<'r>(&'r self, accepted: &Accepted<'r>) -> impl Iterator<Item = &'r Finding> {
        let accepted = *accepted;
        self.findings.iter().filter(move |finding| finding.class.blocks() && !accepted.covers(finding))
    }
}

/// Returns a warning if classes are waived of which the rehearsal found nothing.
#[must_use]
pub fn unused(waivers: &[Waiver], rehearsed: &Rehearsed) -> Option<String> {
    let is_unused = |waiver: &&Waiver| {
        let class = Class::of_waiver_id(&waiver.check);
        class.is_some_and(|class| rehearsed.of_class(class).next().is_none())
    };
    let unused: Vec<String> = waivers.iter().filter(is_unused).map(|waiver| format!("`{}`", waiver.check)).collect();
    (!unused.is_empty()).then(|| {
        let unused = unused.join(", ");
        format!(
            "waived, but the rehearsal found nothing of that class: {unused}; a standing waiver hides the next finding"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rehearsed::{CommandEnd, Mode, REHEARSED_FORMAT, Remedy};

    fn finding(class: Class) -> Finding {
        let object = ObjectRef {
            api_version: "v1".into(),
            kind: "PersistentVolumeClaim".into(),
            namespace: Some("shop".into()),
            name: "data".into(),
        };
        let remedy = Remedy::Person { text: "look".into() };
        Finding { class, object, fields: Vec::new(), who: None, cause: "a test".into(), remedy }
    }

    fn rehearsed(classes: &[Class]) -> Rehearsed {
        Rehearsed {
            format: REHEARSED_FORMAT,
            subject: None,
            mode: Mode::All,
            objects: vec![],
            findings: classes.iter().map(|class| finding(*class)).collect(),
            denied: vec![],
            notes: vec![],
            end: CommandEnd::default(),
        }
    }

    #[test]
    fn what_is_destroyed_is_accepted_by_name_alone() {
        let names: Vec<TypedName> = vec!["pvc/shop/data".parse().expect("a name")];
        let waivers: Vec<Waiver> =
            Class::ALL.into_iter().map(|class| Waiver { check: class.waiver_id(), reason: "a test".into() }).collect();
        for class in Class::ALL {
            let by_name = Accepted { deletions: &names, waivers: &[] };
            let by_class = Accepted { deletions: &[], waivers: &waivers };
            assert_eq!(by_name.covers(&finding(class)), class.destroys(), "{class:?}");
            assert_eq!(by_class.covers(&finding(class)), !class.destroys(), "{class:?}");
            assert!(!Accepted::default().covers(&finding(class)));
        }
    }

    #[test]
    fn what_was_accepted_of_one_object_is_not_accepted_of_another() {
        let names: Vec<TypedName> = vec!["pvc/shop/data".parse().expect("a name")];
        let found = rehearsed(&[Class::DataLoss, Class::Quota]);
        let accepted = found.accepted(&Accepted { deletions: &names, waivers: &[] });
        let [accepted] = accepted.as_slice() else { panic!("one: {accepted:?}") };
        assert!(accepted.covers(&finding(Class::DataLoss)));
        assert!(!accepted.covers(&finding(Class::ForeignDeletion)));
        let mut other = finding(Class::DataLoss);
        other.object.name = "more".into();
        assert!(!accepted.covers(&other));
    }

    #[test]
    fn a_class_that_is_waived_for_nothing_is_named() {
        let waived = |check: &str| Waiver { check: check.into(), reason: "a test".into() };
        let waivers = [waived("rehearsal-quota"), waived("rehearsal-rights"), waived("release-exists")];
        let found = rehearsed(&[Class::Quota]);
        let warning = unused(&waivers, &found).expect("a warning");
        assert!(warning.contains("`rehearsal-rights`") && !warning.contains("quota`"), "{warning}");
        assert!(!warning.contains("release-exists"), "that is a check of preflight: {warning}");
        assert_eq!(unused(&waivers[..1], &found), None);
    }

    #[test]
    fn every_class_is_waived_under_a_name_of_its_own() {
        for class in Class::ALL {
            assert_eq!(Class::of_waiver_id(&class.waiver_id()), Some(class));
        }
        assert_eq!(Class::of_waiver_id("rights"), None, "that is a check of preflight");
    }
}
