//! What the user accepts of a rehearsal by name, beyond the plan itself.

use super::{Class, Finding, Rehearsed};
use crate::domain::object::TypedName;
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

impl Rehearsed {
    /// Returns the findings that stand in the way: they block, and nobody accepted them.
    pub fn standing<'r>(&'r self, accepted: &Accepted<'r>) -> impl Iterator<Item = &'r Finding> {
        let accepted = *accepted;
        self.findings.iter().filter(move |finding| finding.class.blocks() && !accepted.covers(finding))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::object::ObjectRef;
    use crate::domain::rehearsed::Remedy;

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
    fn every_class_is_waived_under_a_name_of_its_own() {
        for class in Class::ALL {
            assert_eq!(Class::of_waiver_id(&class.waiver_id()), Some(class));
        }
        assert_eq!(Class::of_waiver_id("rights"), None, "that is a check of preflight");
    }
}
