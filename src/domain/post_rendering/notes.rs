//! What was changed, rule by rule.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::wording::counted;

/// Objects of a rule that are named, unless all are; the rest are counted.
const NAMED: usize = 20;

/// What the rules did to a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notes {
    /// Documents with content.
    pub documents: usize,
    /// Those that were changed, added or dropped.
    pub changed: usize,
    /// By rule, in the order of the profile; only those that changed something.
    pub rules: Vec<RuleNotes>,
    /// Rules that selected objects and changed none of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub idle: Vec<IdleRule>,
    /// What changes left alone, because it is not what they are for.
    #[serde(default, skip_serializing_if = "Left::is_empty")]
    #[schemars(with = "Vec<LeftAlone>")]
    pub left: Left,
    /// Whether every object is named.
    #[serde(skip)]
    pub names_all: bool,
}

/// A rule that changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IdleRule {
    /// The rule.
    pub rule: String,
    /// Its reason.
    pub because: String,
    /// How many objects it selected.
    pub selected: usize,
}

/// What a change left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftAlone {
    /// The rule.
    pub rule: String,
    /// The object.
    pub object: String,
    /// What was left, and why.
    pub what: String,
}

/// All that was left alone, in its order, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<LeftAlone>", into = "Vec<LeftAlone>")]
pub struct Left {
    all: Vec<LeftAlone>,
    /// By rule, the objects and what was left of them: there may be many, and each is asked for.
    of_rules: BTreeMap<String, BTreeSet<(String, String)>>,
}

impl From<Vec<LeftAlone>> for Left {
    fn from(all: Vec<LeftAlone>) -> Self {
        let mut left = Self::default();
        for one in all {
            left.add(one, usize::MAX);
        }
        left
    }
}

impl From<Left> for Vec<LeftAlone> {
    fn from(left: Left) -> Self {
        left.all
    }
}

impl Left {
    fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Adds one that is not there, unless its rule has as many as that.
    fn add(&mut self, one: LeftAlone, most: usize) {
        let of_rule = self.of_rules.entry(one.rule.clone()).or_default();
        if of_rule.len() < most && of_rule.insert((one.object.clone(), one.what.clone())) {
            self.all.push(one);
        }
    }
}

/// What one rule did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleNotes {
    /// The rule.
    pub rule: String,
    /// Its reason.
    pub because: String,
    /// How many times it changed an object.
    pub count: usize,
    /// The first of them: the object, what was done.
    pub first: Vec<(String, String)>,
}

impl Notes {
    /// How many objects of a rule are named.
    fn most(&self) -> usize {
        if self.names_all { usize::MAX } else { NAMED }
    }

    /// Notes that a rule changed an object; what it is called, and what was done, are asked for only as long as they are told.
    pub fn add(&mut self, rule: &str, because: &str, object: impl FnOnce() -> String, what: impl FnOnce() -> String) {
        let place = self.rules.iter().position(|notes| notes.rule == rule).unwrap_or_else(|| {
            let (rule, because) = (rule.to_owned(), because.to_owned());
            self.rules.push(RuleNotes { rule, because, count: 0, first: Vec::new() });
            self.rules.len() - 1
        });
        let most = self.most();
        if let Some(notes) = self.rules.get_mut(place) {
            notes.count += 1;
            if notes.first.len() < most {
                notes.first.push((object(), what()));
            }
        }
    }

    /// Notes that a rule left something alone; what it was is told once of an object.
    pub fn leave(&mut self, rule: &str, object: &str, what: String) {
        self.left.add(LeftAlone { rule: rule.to_owned(), object: object.to_owned(), what }, self.most());
    }

    /// Returns what changes left alone, in one line for each rule: the first of it.
    #[must_use]
    pub fn left_alone(&self) -> Vec<String> {
        let all = &self.left.all;
        let is_first = |at: usize, rule: &str| !all.iter().take(at).any(|before| before.rule == rule);
        let first = all.iter().enumerate().filter(|(at, left)| is_first(*at, &left.rule));
        let line = |(at, LeftAlone { rule, object, what }): (usize, &LeftAlone)| {
            let has_more = all.iter().skip(at + 1).any(|behind| behind.rule == *rule);
            let more = if has_more { "; and others, which `helm csghub filter -v` names" } else { "" };
            format!("rule `{rule}`: {object}: {what}{more}")
        };
        first.map(line).collect()
    }

    /// Returns the notes as lines, a rule's objects below it.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let left = |rule: &str| {
            let of_rule: Vec<_> = self.left.all.iter().filter(|left| left.rule == rule).collect();
            of_rule.into_iter().map(|left| format!("  {}: {}", left.object, left.what))
        };
        for notes in &self.rules {
            lines.push(format!("{}: {} ({})", notes.rule, counted(notes.count, "change"), notes.because));
            lines.extend(notes.first.iter().map(|(object, what)| format!("  {object}: {what}")));
            let more = notes.count - notes.first.len();
            if more > 0 {
                lines.push(format!("  and {more} more"));
            }
            lines.extend(left(&notes.rule));
        }
        for IdleRule { rule, because, selected } in &self.idle {
            lines.push(format!("{rule}: selected {}, changed none ({because})", counted(*selected, "object")));
            lines.extend(left(rule));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_alone_is_one_line_for_each_rule() {
        let mut notes = Notes::default();
        for (rule, object) in [("mirror", "Pod a"), ("pin", "Pod a"), ("mirror", "Pod b"), ("mirror", "Pod a")] {
            notes.leave(rule, object, "left the image".to_owned());
        }
        let lines = [
            "rule `mirror`: Pod a: left the image; and others, which `helm csghub filter -v` names",
            "rule `pin`: Pod a: left the image",
        ];
        assert_eq!(notes.left_alone(), lines);
    }
}
