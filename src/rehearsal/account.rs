//! What came of each write, and what all of them together would do to each object.

use std::collections::BTreeMap;

use serde_json::Value;

use super::diff;
use super::overlay::{Entry, Key, Overlay};
use crate::domain::object::ObjectRef;
use crate::domain::rehearsed::{
    Class, CommandEnd, FieldChange, Finding, Mode, Operation, REHEARSED_FORMAT, Rehearsed, RehearsedObject, Verdict,
};

/// The writes so far and what was found.
#[derive(Debug, Clone, Default)]
pub(super) struct Account {
    objects: BTreeMap<Key, Written>,
    findings: Vec<Finding>,
    /// How many keys were written: gives each its place.
    count: usize,
}

#[derive(Debug, Clone)]
struct Written {
    place: usize,
    object: ObjectRef,
    verdict: Verdict,
    is_hook: bool,
    /// Whether it was there, where it was refused and left as it is.
    was_there: Option<bool>,
}

impl Account {
    /// Notes a write. A refusal outweighs what cannot be told, and that outweighs an acceptance.
    pub(super) fn write(&mut self, key: &Key, object: ObjectRef, verdict: Verdict, is_hook: bool) {
        let place = self.count;
        let written = self.objects.entry(key.clone()).or_insert_with(|| {
            self.count += 1;
            Written { place, object, verdict: Verdict::Accepted, is_hook, was_there: None }
        });
        written.is_hook |= is_hook;
        if weight(&verdict) > weight(&written.verdict) {
            written.verdict = verdict;
        }
    }

    /// Notes that a refused object stays as it is: there, or not.
    pub(super) fn untouched(&mut self, key: &Key, was_there: bool) {
        if let Some(written) = self.objects.get_mut(key) {
            written.was_there = Some(was_there);
        }
    }

    /// Notes findings; the same one twice (an object written twice) counts once.
    pub(super) fn find(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            if !self.findings.contains(&finding) {
                self.findings.push(finding);
            }
        }
    }

    /// Returns the whole: each object compared with how it was before the first write.
    pub(super) fn close(self, mode: Mode, overlay: &Overlay) -> Rehearsed {
        let mut written: Vec<(Key, Written)> = self.objects.into_iter().collect();
        written.sort_by_key(|(_, written)| written.place);
        let objects = written.into_iter().map(|(key, written)| outcome(overlay.get(&key), written)).collect();
        let mut findings = self.findings;
        // Stable: within a class in the order in which Helm met them.
        findings.sort_by_key(|finding| Class::ALL.iter().position(|class| *class == finding.class));
        Rehearsed {
            format: REHEARSED_FORMAT,
            subject: None,
            mode,
            objects,
            findings,
            denied: Vec::new(),
            notes: Vec::new(),
            end: CommandEnd::default(),
        }
    }
}

fn weight(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Accepted => 0,
        Verdict::Unpredictable { .. } => 1,
        Verdict::Refused => 2,
    }
}

fn outcome(entry: Option<&Entry>, written: Written) -> RehearsedObject {
    let Written { object, verdict, is_hook, was_there, .. } = written;
    // What was refused or cannot be told looks as the command wanted it, not as the server answered.
    let is_answer = verdict == Verdict::Accepted;
    let real = entry.and_then(|entry| entry.real.as_ref());
    let (operation, changes, restarts_pods) = match (real, entry.and_then(Entry::object)) {
        (None, Some(_)) => (Operation::Create, Vec::new(), false),
        (None, None) if entry.is_none() && was_there == Some(true) => (Operation::Change, Vec::new(), false),
        (None, None) if entry.is_none() => (Operation::Create, Vec::new(), false),
        (None, None) => (Operation::Pass, Vec::new(), false),
        (Some(_), None) => (Operation::Delete, Vec::new(), false),
        (Some(before), Some(after)) => {
            let is_replaced = entry.is_some_and(|entry| entry.is_replaced);
            compare(before, after, is_replaced, is_answer)
        }
    };
    RehearsedObject { object, operation, verdict, is_hook, changes, restarts_pods }
}

fn compare(before: &Value, after: &Value, is_replaced: bool, is_answer: bool) -> (Operation, Vec<FieldChange>, bool) {
    let changes = if is_answer { diff::changes(before, after) } else { Vec::new() };
    let operation = match (is_replaced, changes.is_empty() && is_answer) {
        (true, _) => Operation::Replace,
        (false, true) => Operation::Unchanged,
        (false, false) => Operation::Change,
    };
    (operation, changes, is_answer && diff::restarts_pods(before, after))
}
