//! What a profile asks for, document by document.

mod additions;
mod change;
mod images;
mod jobs;
mod schemas;

use smallvec::SmallVec;
use thiserror::Error;

use super::edit::{Editor, Refusal};
use super::marks::Wanted;
use super::tree::NodeId;
use crate::domain::post_rendering::About;
use crate::domain::profile::{Change, Rule};
use crate::domain::version::satisfies;

pub(super) use additions::Addition;
pub(super) use change::apply;

/// A rule needs to know more of the release than was said.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("rule `{rule}`: {cause}")]
pub struct RuleError {
    /// The rule's name.
    pub rule: String,
    /// What is missing or wrong, in a few words.
    pub cause: String,
}

/// The rules that hold for this release, with its names put in.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    holding: Vec<Rule>,
    about: About,
    drops: bool,
    names_jobs: bool,
}

/// Rules by their place, ascending.
pub(super) type Chosen = SmallVec<[usize; 8]>;

/// A document as far as rules select by it.
pub(super) struct Subject<'s> {
    pub(super) api_version: &'s str,
    pub(super) kind: &'s str,
    pub(super) name: &'s str,
    pub(super) namespace: Option<&'s str>,
    pub(super) label: &'s dyn Fn(&str) -> Option<String>,
}

impl Rules {
    /// Returns the rules that hold for a release.
    ///
    /// # Errors
    /// [`RuleError`] if a rule needs to know what `about` does not say.
    pub fn new(rules: &[Rule], about: About) -> Result<Self, RuleError> {
        let mut holding = Vec::new();
        for rule in rules {
            if holds(rule, &about)? {
                holding.push(with_names(rule, &about)?);
            }
        }
        let has = |change: &Change| holding.iter().any(|rule| rule.changes.contains(change));
        let (drops, names_jobs) = (has(&Change::Drop), has(&Change::UniqueJobNames));
        Ok(Self { holding, about, drops, names_jobs })
    }

    /// Tells whether no rule holds.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.holding.is_empty()
    }

    /// Returns the documents that are added.
    pub(super) fn additions(&self) -> Vec<Addition> {
        Addition::of(&self.holding)
    }

    pub(super) fn get(&self, index: usize) -> Option<&Rule> {
        self.holding.get(index)
    }

    pub(super) fn about(&self) -> &About {
        &self.about
    }

    /// Returns the rules that may select a document of that kind.
    pub(super) fn of_kind(&self, api_version: &str, kind: &str) -> Chosen {
        let of_kind = |rule: &Rule| {
            rule.select.kinds.is_empty() || rule.select.kinds.iter().any(|of| of.is_of(api_version, kind))
        };
        self.holding.iter().enumerate().filter(|(_, rule)| of_kind(rule)).map(|(index, _)| index).collect()
    }

    /// Returns the rules that select the document.
    pub(super) fn selecting(&self, subject: &Subject<'_>) -> Chosen {
        let mut selecting = self.of_kind(subject.api_version, subject.kind);
        let namespace = subject
            .namespace
            .filter(|namespace| !namespace.is_empty())
            .or(self.about.namespace.as_deref())
            .unwrap_or_default();
        selecting.retain(|&mut index| {
            self.holding.get(index).is_some_and(|rule| {
                let select = &rule.select;
                (select.names.is_empty() || select.names.iter().any(|name| name.covers(subject.name)))
                    && (select.namespaces.is_empty() || select.namespaces.iter().any(|of| of.covers(namespace)))
                    && select
                        .labels
                        .iter()
                        .all(|(key, pattern)| (subject.label)(key).is_some_and(|value| pattern.covers(&value)))
            })
        });
        selecting
    }

    /// Tells whether some rule drops documents.
    pub(super) fn drops(&self) -> bool {
        self.drops
    }

    /// Tells whether some rule names Jobs by what all other rules have made of them.
    pub(super) fn names_jobs(&self) -> bool {
        self.names_jobs
    }

    /// Returns the labels and annotations that those rules come to, in their order; nothing if they ask for more.
    pub(super) fn marks_of(&self, chosen: &[usize]) -> Option<Vec<Wanted>> {
        let mut all: Vec<Wanted> = Vec::new();
        for change in chosen.iter().filter_map(|&index| self.get(index)).flat_map(|rule| &rule.changes) {
            for mark in change::marks(change, &self.about)? {
                // The last one counts.
                all.retain(|other| !other.is_about_the_same(&mark));
                all.push(mark);
            }
        }
        Some(all)
    }

    /// Tells whether a document may be selected; it is not if no kind of a rule is a word of it.
    pub(super) fn can_select(&self, bytes: &[u8]) -> bool {
        // A kind may be written with escapes or as a tagged scalar.
        let is_odd = memchr::memchr(b'\\', bytes).is_some() || memchr::memmem::find(bytes, b"!!").is_some();
        is_odd
            || self.holding.iter().any(|rule| {
                rule.select.kinds.is_empty()
                    || rule.select.kinds.iter().any(|of| of.kind == "*" || has_word(bytes, &of.kind))
            })
    }
}

/// Tells whether the word is there, alone or as that of a typed list.
fn has_word(bytes: &[u8], word: &str) -> bool {
    memchr::memmem::find_iter(bytes, word.as_bytes()).any(|at| {
        let is_letter = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let behind = bytes.get(at + word.len()..).unwrap_or_default();
        !is_letter(at.checked_sub(1).and_then(|before| bytes.get(before)))
            && (!is_letter(behind.first()) || behind.starts_with(b"List"))
    })
}

/// Tells whether the versions of the release are those of the rule.
fn holds(rule: &Rule, about: &About) -> Result<bool, RuleError> {
    let fits = |wanted: Option<&String>, version: Option<&String>, flag: &str| -> Result<bool, RuleError> {
        let (Some(wanted), version) = (wanted, version) else { return Ok(true) };
        let fail = |cause: String| RuleError { rule: rule.name.clone(), cause };
        let version = version.ok_or_else(|| fail(format!("it selects by version: say `{flag} VERSION`")))?;
        satisfies(wanted, version).map_err(|error| fail(error.to_string()))
    };
    if !rule.select.namespaces.is_empty() && about.namespace.is_none() {
        let cause = "it selects by namespace, and most documents leave theirs to Helm: say `-n NAMESPACE`".to_owned();
        return Err(RuleError { rule: rule.name.clone(), cause });
    }
    let comes_from_nothing = about.is_new && rule.select.from.is_some();
    if comes_from_nothing {
        return Ok(false);
    }
    Ok(fits(rule.select.from.as_ref(), about.from.as_ref(), "--from")?
        && fits(rule.select.to.as_ref(), about.to.as_ref(), "--to")?)
}

/// Puts the names of the release where the rule leaves room for them.
fn with_names(rule: &Rule, about: &About) -> Result<Rule, RuleError> {
    let mut rule = rule.clone();
    let fill = |text: &str, rule: &str| -> Result<String, RuleError> {
        let mut text = text.to_owned();
        for (mark, value, flag) in
            [("{release}", &about.release, "--release"), ("{namespace}", &about.namespace, "--namespace")]
        {
            if text.contains(mark) {
                let cause = || RuleError {
                    rule: rule.to_owned(),
                    cause: format!("it needs the release's name: say `{flag} NAME`"),
                };
                text = text.replace(mark, value.as_deref().ok_or_else(cause)?);
            }
        }
        Ok(text)
    };
    for change in &mut rule.changes {
        match change {
            Change::TakeClaim(claim) => {
                claim.of = fill(&claim.of, &rule.name)?;
                claim.take = fill(&claim.take, &rule.name)?;
            }
            Change::CopyClaimFrom(claim) => *claim = fill(claim, &rule.name)?,
            Change::Adopt => {
                // Known before a document needs it.
                fill("{release}{namespace}", &rule.name)?;
            }
            _ => {}
        }
    }
    Ok(rule)
}

/// One object of a document that is edited.
pub(super) struct ObjectEdit<'e, 't, 'a> {
    pub(super) editor: &'e mut Editor<'t, 'a>,
    /// The mapping of the object.
    pub(super) root: NodeId,
    pub(super) kind: String,
    pub(super) api_version: String,
}

/// What a change did, in a few words; nothing if it was so already.
pub(super) type Done = Result<Option<String>, Refusal>;
