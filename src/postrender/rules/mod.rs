//! What a profile asks for, document by document.

mod additions;
mod change;
mod images;
mod jobs;
mod schemas;

use smallvec::SmallVec;

use super::edit::{Editor, Stop};
use super::marks::Wanted;
use super::objects::Found;
use crate::domain::post_rendering::About;
use crate::domain::profile::{self, Change, Rule, RuleError, Subject};

pub(super) use additions::Addition;
pub(super) use change::apply;
pub(super) use images::Mirrored;

/// The rules that hold for this release, with its names put in.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    holding: Vec<Rule>,
    about: About,
    additions: Vec<Addition>,
    /// By rule, where it asks for nothing but labels and annotations.
    wanted: Vec<Option<Vec<Wanted>>>,
    drops: bool,
    names_all: bool,
}

/// Rules by their place, ascending.
pub(super) type Chosen = SmallVec<[usize; 8]>;

/// Labels and annotations that several rules ask for.
pub(super) type AllWanted<'r> = SmallVec<[&'r Wanted; 8]>;

impl Rules {
    /// Returns the rules that hold for a release.
    ///
    /// # Errors
    /// [`RuleError`] if a rule needs to know what `about` does not say.
    pub fn new(rules: &[Rule], about: About) -> Result<Self, RuleError> {
        let holding = profile::holding(rules, &about)?;
        let additions = Addition::of(&holding, about.namespace.as_deref())?;
        let has = |change: &Change| holding.iter().any(|rule| rule.changes.contains(change));
        let drops = has(&Change::Drop);
        let wanted = holding.iter().map(|rule| wanted_by(&rule.changes, &about)).collect();
        Ok(Self { holding, about, additions, wanted, drops, names_all: false })
    }

    /// Makes the notes name every object, and not the first ones of each rule alone.
    #[must_use]
    pub fn naming_all(self, names_all: bool) -> Self {
        Self { names_all, ..self }
    }

    /// Tells whether the notes name every object.
    pub(super) fn names_all(&self) -> bool {
        self.names_all
    }

    /// Tells whether no rule holds.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.holding.is_empty()
    }

    /// Returns the documents that are added.
    pub(super) fn additions(&self) -> &[Addition] {
        &self.additions
    }

    pub(super) fn get(&self, index: usize) -> Option<&Rule> {
        self.holding.get(index)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.holding.len()
    }

    /// Returns where the rule of that name stands.
    pub(super) fn place_of(&self, name: &str) -> Option<usize> {
        self.holding.iter().position(|rule| rule.name == name)
    }

    pub(super) fn about(&self) -> &About {
        &self.about
    }

    /// Returns the rules, from one on, that may select a document of that kind.
    pub(super) fn of_kind(&self, first: usize, api_version: &str, kind: &str) -> Chosen {
        let of_kind = |(index, rule): (usize, &Rule)| rule.select.covers_kind(api_version, kind).then_some(index);
        self.holding.iter().enumerate().skip(first).filter_map(of_kind).collect()
    }

    /// Returns the rules, from one on, that select the document.
    pub(super) fn selecting(&self, first: usize, subject: &Subject<'_>) -> Chosen {
        self.selecting_of(self.of_kind(first, subject.api_version, subject.kind), subject)
    }

    /// Returns those of the candidates, rules for its kind, that select the document.
    pub(super) fn selecting_of(&self, mut candidates: Chosen, subject: &Subject<'_>) -> Chosen {
        candidates.retain(|&mut index| {
            self.holding.get(index).is_some_and(|rule| rule.select.covers_named(subject, &self.about))
        });
        candidates
    }

    /// Tells whether some rule drops documents.
    pub(super) fn drops(&self) -> bool {
        self.drops
    }

    /// Returns the labels and annotations that a rule asks for; nothing if it asks for more.
    pub(super) fn wanted_by(&self, index: usize) -> Option<&[Wanted]> {
        self.wanted.get(index)?.as_deref()
    }

    /// Returns the labels and annotations that those rules come to, in their order; nothing if they ask for more.
    pub(super) fn wanted_by_all<'r>(&'r self, chosen: &[usize]) -> Option<AllWanted<'r>> {
        let mut all = AllWanted::new();
        for &index in chosen {
            overrule(&mut all, self.wanted_by(index)?);
        }
        Some(all)
    }

    /// Returns what the last of those rules that is about the same label or annotation wants of it.
    pub(super) fn last_about(&self, chosen: &[usize], mark: &Wanted) -> Option<&Wanted> {
        let all = chosen.iter().rev().filter_map(|&index| self.wanted_by(index));
        all.flatten().find(|other| other.is_about_the_same(mark))
    }

    /// Tells whether a document may be selected; it is not if no kind of a rule is a word of it.
    pub(super) fn can_select(&self, bytes: &[u8]) -> bool {
        // A kind may be written with escapes or as a tagged scalar.
        let has = |needle: &[u8]| memchr::memmem::find(bytes, needle).is_some();
        let is_odd = memchr::memchr(b'\\', bytes).is_some() || has(b"!!") || has(b"yaml.org,2002:");
        is_odd
            || self.holding.iter().any(|rule| {
                rule.select.kinds.is_empty()
                    || rule.select.kinds.iter().any(|of| of.kind == "*" || has_word(bytes, &of.kind))
            })
    }
}

/// Returns the labels and annotations that changes come to, in their order; nothing if they ask for more.
fn wanted_by(changes: &[Change], about: &About) -> Option<Vec<Wanted>> {
    let all: Vec<Vec<Wanted>> = changes.iter().map(|change| change::marks(change, about)).collect::<Option<_>>()?;
    let mut counting = AllWanted::new();
    for marks in &all {
        overrule(&mut counting, marks);
    }
    Some(counting.into_iter().cloned().collect())
}

/// Puts marks behind those of before; of marks that are about the same the last one counts.
fn overrule<'w>(all: &mut AllWanted<'w>, marks: &'w [Wanted]) {
    for mark in marks {
        all.retain(|other| !other.is_about_the_same(mark));
        all.push(mark);
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

/// One object of a document that is edited.
pub(super) struct ObjectEdit<'e, 't, 'a> {
    pub(super) editor: &'e mut Editor<'t, 'a>,
    /// As it was when the document was parsed.
    pub(super) object: &'e Found<'e>,
    /// What its images were called.
    pub(super) mirrored: &'e mut Mirrored,
    /// What a change left alone, and why.
    pub(super) left: &'e mut Vec<String>,
}

impl ObjectEdit<'_, '_, '_> {
    /// Returns the `apiVersion` and the `kind`, as they are by now.
    fn type_now(&self) -> Result<(String, String), Stop> {
        let now = |key: &str, was: &str| -> Result<String, Stop> {
            let node = change::child(self.editor, self.object.root, key)?;
            let now = node.map(|node| change::text(self.editor, node)).transpose()?;
            Ok(now.flatten().unwrap_or_else(|| was.to_owned()))
        };
        Ok((now("apiVersion", &self.object.api_version)?, now("kind", &self.object.kind)?))
    }
}

/// What a change did, in a few words; nothing if it was so already.
pub(super) type Done = Result<Option<String>, Stop>;
