//! What a rehearsal comes to: each object under one heading, counted; findings by what they mean for the run.

use std::collections::BTreeMap;

use super::{Class, Finding, Operation, Rehearsed, RehearsedObject, Remedy, Verdict};
use crate::domain::object::ObjectRef;

/// What becomes of an object: the one heading that it is counted under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Heading {
    /// It is not there now, and would be.
    Created,
    /// It is there, and would differ.
    Changed,
    /// It would be deleted and made anew.
    Replaced,
    /// It would be gone.
    Deleted,
    /// It would be made and removed again within the run.
    Temporary,
    /// The server refuses it.
    Refused,
    /// Nobody can tell before it really happens.
    Unpredictable,
    /// It would stay as it is.
    Unchanged,
}

impl Heading {
    /// Every heading, in the order in which they are shown.
    pub const ALL: [Self; 8] = [
        Self::Created,
        Self::Changed,
        Self::Replaced,
        Self::Deleted,
        Self::Temporary,
        Self::Refused,
        Self::Unpredictable,
        Self::Unchanged,
    ];

    /// Returns the word of every output, such as `created`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Replaced => "replaced",
            Self::Deleted => "deleted",
            Self::Temporary => "temporary",
            Self::Refused => "refused",
            Self::Unpredictable => "unpredictable",
            Self::Unchanged => "unchanged",
        }
    }

    /// Tells whether the cluster would be another afterwards.
    #[must_use]
    pub fn changes_the_cluster(self) -> bool {
        matches!(self, Self::Created | Self::Changed | Self::Replaced | Self::Deleted)
    }
}

impl RehearsedObject {
    fn heading(&self) -> Heading {
        match (&self.verdict, self.operation) {
            (Verdict::Refused, _) => Heading::Refused,
            (Verdict::Unpredictable { .. }, _) => Heading::Unpredictable,
            (Verdict::Accepted, Operation::Create) => Heading::Created,
            (Verdict::Accepted, Operation::Change) => Heading::Changed,
            (Verdict::Accepted, Operation::Replace) => Heading::Replaced,
            (Verdict::Accepted, Operation::Delete) => Heading::Deleted,
            (Verdict::Accepted, Operation::Pass) => Heading::Temporary,
            (Verdict::Accepted, Operation::Unchanged) => Heading::Unchanged,
        }
    }
}

impl Finding {
    /// Tells whether it makes the command fail. What it does well and should not (loss of data, a foreign deletion) does not.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.class.blocks() && !matches!(self.class, Class::DataLoss | Class::ForeignDeletion)
    }
}

impl Rehearsed {
    /// Returns what becomes of an object. What the server or a check said comes before what the command wanted.
    #[must_use]
    pub fn heading_of(&self, object: &RehearsedObject) -> Heading {
        let is_of_it = |finding: &Finding| finding.is_refusal() && finding.object.is_same_object(&object.object);
        if self.findings.iter().any(is_of_it) { Heading::Refused } else { object.heading() }
    }

    /// Returns the objects under a heading, in the order in which they are written.
    pub fn under(&self, heading: Heading) -> impl Iterator<Item = &RehearsedObject> {
        self.objects.iter().filter(move |object| self.heading_of(object) == heading)
    }

    /// Returns the objects that are refused, each once: also those of which only a finding tells, as of a release record.
    #[must_use]
    pub fn refused(&self) -> Vec<&ObjectRef> {
        let mut refused: Vec<&ObjectRef> = self.under(Heading::Refused).map(|object| &object.object).collect();
        for finding in self.findings.iter().filter(|finding| finding.is_refusal()) {
            if !refused.iter().any(|object| object.is_same_object(&finding.object)) {
                refused.push(&finding.object);
            }
        }
        refused
    }

    /// Returns how many of the refused objects a step of the plan cures.
    #[must_use]
    pub fn cured(&self) -> usize {
        let is_cured = |object: &&ObjectRef| {
            let is_of_it = |finding: &&Finding| finding.is_refusal() && finding.object.is_same_object(object);
            let of_it: Vec<&Finding> = self.findings.iter().filter(is_of_it).collect();
            !of_it.is_empty() && of_it.iter().all(|finding| !matches!(finding.remedy, Remedy::Person { .. }))
        };
        self.refused().iter().filter(|object| is_cured(object)).count()
    }

    /// Returns how many objects there are: those written, and those refused that were not.
    #[must_use]
    pub fn total(&self) -> usize {
        let is_written = |named: &&&ObjectRef| self.objects.iter().any(|object| object.object.is_same_object(named));
        self.objects.len() + self.refused().iter().filter(|object| !is_written(object)).count()
    }

    /// Returns how many objects are under each heading that has some: together [`Rehearsed::total`].
    #[must_use]
    pub fn counts(&self) -> Vec<(Heading, usize)> {
        let mut counts: BTreeMap<Heading, usize> = BTreeMap::new();
        for object in &self.objects {
            *counts.entry(self.heading_of(object)).or_default() += 1;
        }
        let unwritten = self.total() - self.objects.len();
        if unwritten > 0 {
            *counts.entry(Heading::Refused).or_default() += unwritten;
        }
        counts.into_iter().collect()
    }

    /// Returns how many objects of each kind are under a heading, most first.
    #[must_use]
    pub fn kinds(&self, heading: Heading) -> Vec<(&str, usize)> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for object in self.under(heading) {
            *counts.entry(&object.object.kind).or_default() += 1;
        }
        let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts
    }

    /// Returns the findings of one class, each object's.
    pub fn of_class(&self, class: Class) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.class == class)
    }
}
