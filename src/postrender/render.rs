//! A stream through the rules.

mod parsed;

use std::io::{self, Read, Write};
use std::ops::Range;

use thiserror::Error;

use super::head;
use super::marks::{Metadata, Wanted};
use super::objects::named;
use super::rules::{self, Chosen, Rules};
use super::stream::{Document, Documents};
use crate::domain::manifest;
use crate::domain::object::HOOK_ANNOTATION;
use crate::domain::post_rendering::{IdleRule, Notes};
use crate::domain::profile::{Change, Rule, Subject};

/// Output that is gathered before it is written, in bytes.
const GATHERED: usize = 128 * 1024;

/// Why a document is not added that may be there.
const IN_DOUBT: &str = "it is what is to be added, or the same in another namespace: one of the two leaves its namespace to Helm; \
    say `-n NAMESPACE`";

/// The stream cannot be rendered; what was written until then is no result.
#[derive(Debug, Error)]
pub enum RenderError {
    /// There is nothing to render.
    ///
    /// Source: an empty result makes Helm 3 delete every object of the release and call it deployed; Helm 4 refuses it.
    #[error("standard input holds no manifest")]
    Empty,
    /// The rules dropped what the release has: the same.
    #[error("the rules drop {what}: {rules}")]
    NothingLeft {
        /// What went.
        what: &'static str,
        /// Those that dropped something.
        rules: String,
    },
    /// A rule must change a document, and cannot.
    #[error("document {document}{object}, line {line}: {because}{rule}")]
    Document {
        /// Counted from 1, without blank and comment-only documents.
        document: usize,
        /// Behind it, in brackets, where it is known.
        object: String,
        /// Of the stream, counted from 1.
        line: usize,
        /// Why not.
        because: String,
        /// Behind it, the rules that ask for it.
        rule: String,
    },
    /// A rule must change a document that an earlier one adds, and cannot.
    #[error("{object}, which {adding} adds: {because}{rule}")]
    Added {
        /// The document's object.
        object: String,
        /// The rule that adds it.
        adding: String,
        /// Why not.
        because: String,
        /// Behind it, the rules that ask for it.
        rule: String,
    },
    /// A document is to be added behind the last one, which does not end its line.
    #[error(
        "{object} cannot be added behind document {document}, the last one, which does not end with a line break (asked for by {rule})"
    )]
    NoLineBreak {
        /// What was to be added.
        object: String,
        /// Counted from 1.
        document: usize,
        /// The rule that adds it.
        rule: String,
    },
    /// It cannot be read.
    #[error("read the manifests")]
    Read(#[source] io::Error),
    /// It cannot be written.
    #[error("write the manifests")]
    Write(#[source] io::Error),
}

/// Writes the manifests of `input` to `output`, changed as the rules say, and returns what was changed.
///
/// Documents are written as they are done, whole ones alone: at an error some may have been written already, and none of them is to
/// be used.
///
/// # Errors
/// [`RenderError`].
pub fn render(input: impl Read, output: impl Write, rules: &Rules) -> Result<Notes, RenderError> {
    let mut documents = Documents::new(input);
    let pending = rules.additions().to_vec();
    let mut rendering = Rendering {
        rules,
        output,
        gathered: Vec::new(),
        notes: Notes { names_all: rules.names_all(), ..Notes::default() },
        edited: String::new(),
        has_content: false,
        has_object: false,
        has_lost: false,
        dropping: Chosen::new(),
        pending,
        added: Vec::new(),
        selected: vec![0; rules.count()],
        first: 0,
        last_byte: None,
    };
    while let Some(document) = documents.next().map_err(RenderError::Read)? {
        rendering.take(&document)?;
    }
    rendering.finish()
}

struct Rendering<'r, W> {
    rules: &'r Rules,
    output: W,
    gathered: Vec<u8>,
    notes: Notes,
    /// The lines of a document's metadata, edited.
    edited: String,
    /// Whether a document with content was written.
    has_content: bool,
    /// Whether an object of the release was written.
    has_object: bool,
    /// Whether an object of the release was dropped.
    has_lost: bool,
    /// The rules that dropped something.
    dropping: Chosen,
    /// Documents that are yet to be added.
    pending: Vec<rules::Addition>,
    /// Documents that were added.
    added: Vec<rules::Addition>,
    /// How many objects each rule selected.
    selected: Vec<usize>,
    /// The first rule that is followed: none of those before it is for a document that is added.
    first: usize,
    /// The last byte that was written.
    last_byte: Option<u8>,
}

/// What becomes of a document.
enum Fate {
    Passes,
    Goes,
    /// Its lines there, those of the metadata, become the edited ones.
    Marked(Range<usize>),
    /// What follows its separator.
    Becomes(String),
}

impl Fate {
    /// Returns what is written of the document, in parts; nothing if it goes. `edited` are the lines of its metadata.
    fn parts<'p>(&'p self, document: &Document<'p>, edited: &'p str) -> Option<[&'p [u8]; 3]> {
        let part = |range: Range<usize>| document.bytes.get(range).unwrap_or_default();
        match self {
            Self::Passes => Some([document.bytes, b"", b""]),
            Self::Goes => None,
            Self::Marked(lines) => {
                Some([part(0..lines.start), edited.as_bytes(), part(lines.end..document.bytes.len())])
            }
            Self::Becomes(body) => Some([part(0..document.body), body.as_bytes(), b""]),
        }
    }
}

impl<W: Write> Rendering<'_, W> {
    fn take(&mut self, document: &Document<'_>) -> Result<(), RenderError> {
        if !document.has_content() {
            return self.write(document.bytes);
        }
        self.notes.documents += 1;
        let fate = if self.rules.is_empty() { Fate::Passes } else { self.fate(document)? };
        if !matches!(fate, Fate::Passes) {
            self.notes.changed += 1;
        }
        // What is added before it has metadata of its own.
        let edited = std::mem::take(&mut self.edited);
        let Some(parts) = fate.parts(document, &edited) else {
            self.edited = edited;
            self.has_lost = self.has_lost || is_of_release(document);
            return Ok(());
        };
        if !self.pending.is_empty() || !self.added.is_empty() {
            // Items of it may have gone, or it may have another name; by labels alone it becomes no other object.
            let another = matches!(fate, Fate::Becomes(_)).then(|| parts.concat());
            self.add_before(document, another.as_deref())?;
        }
        if self.rules.drops() && !self.has_object {
            if matches!(fate, Fate::Passes) {
                self.has_object = is_of_release(document);
            } else {
                // Items of it may have gone; or it may be a hook now.
                self.has_object = has_object_of_release(&parts.concat());
                self.has_lost = self.has_lost || !self.has_object && is_of_release(document);
            }
        }
        for part in parts {
            self.write(part)?;
        }
        self.edited = edited;
        self.has_content = true;
        Ok(())
    }

    fn fate(&mut self, document: &Document<'_>) -> Result<Fate, RenderError> {
        let Some(head) = head::read(document) else {
            return if self.rules.can_select(document.bytes) { self.parsed(document, &[]) } else { Ok(Fate::Passes) };
        };
        if head.kind.ends_with("List") && self.rules.can_select(document.bytes) {
            return self.parsed(document, &[]);
        }
        let candidates = self.rules.of_kind(self.first, head.api_version, head.kind);
        if candidates.is_empty() {
            return Ok(Fate::Passes);
        }
        let lines = document.bytes.get(head.metadata.clone()).and_then(|lines| std::str::from_utf8(lines).ok());
        let Some((lines, metadata)) = lines.and_then(|lines| Some((lines, Metadata::read(lines)?))) else {
            return self.parsed(document, &candidates);
        };
        let label = |key: &str| metadata.label(key).map(str::to_owned);
        let subject = Subject {
            api_version: head.api_version,
            kind: head.kind,
            name: metadata.name.unwrap_or_default(),
            namespace: metadata.namespace,
            label: &label,
        };
        let selecting = self.rules.selecting_of(candidates, &subject);
        if selecting.is_empty() {
            return Ok(Fate::Passes);
        }
        let object = || named(head.kind, metadata.namespace, metadata.name.unwrap_or_default());
        self.want_additions(&selecting);
        if self.is_dropped(&selecting, object) {
            self.count(&selecting);
            return Ok(Fate::Goes);
        }
        let Some(wanted) = self.rules.wanted_by_all(&selecting) else { return self.parsed(document, &selecting) };
        if wanted.iter().all(|wanted| metadata.has(wanted)) {
            self.count(&selecting);
            return Ok(Fate::Passes);
        }
        self.edited.clear();
        if metadata.write_with(lines, &wanted, &mut self.edited).is_none() {
            return self.parsed(document, &selecting);
        }
        self.count(&selecting);
        self.note_marks(&selecting, &metadata, object);
        Ok(Fate::Marked(head.metadata))
    }

    /// Counts an object that those rules select.
    fn count(&mut self, selecting: &[usize]) {
        for &index in selecting {
            if let Some(selected) = self.selected.get_mut(index) {
                *selected += 1;
            }
        }
    }

    /// Notes which labels and annotations each rule set in this metadata, as the rules before it left them.
    fn note_marks(&mut self, selecting: &[usize], metadata: &Metadata<'_>, object: impl Fn() -> String) {
        let rules = self.rules;
        for (place, &index) in selecting.iter().enumerate() {
            let (Some(rule), Some(marks)) = (rules.get(index), rules.wanted_by(index)) else { continue };
            let earlier = selecting.get(..place).unwrap_or_default();
            let is_new = |mark: &&Wanted| match rules.last_about(earlier, mark) {
                Some(other) => other.value != mark.value,
                None => !metadata.has(mark),
            };
            let mut set = marks.iter().filter(is_new).map(|mark| mark.key.as_str()).peekable();
            if set.peek().is_some() {
                let what = || format!("set {}", set.collect::<Vec<_>>().join(", "));
                self.notes.add(&rule.name, &rule.because, &object, what);
            }
        }
    }

    /// Rules that selected a document add theirs.
    fn want_additions(&mut self, selecting: &[usize]) {
        for addition in &mut self.pending {
            addition.is_wanted |= selecting.contains(&addition.rule);
        }
    }

    /// Writes the documents that stand before this one, which becomes `another` if it has other objects now; one that the stream has
    /// already is not added.
    fn add_before(&mut self, document: &Document<'_>, another: Option<&[u8]>) -> Result<(), RenderError> {
        let head = head::read(document);
        let written = another.unwrap_or(document.bytes);
        let of_one = head.as_ref().filter(|head| another.is_none() && !head.kind.ends_with("List"));
        let with_names = of_one.and_then(|head| document.bytes.get(head.metadata.clone())).unwrap_or(written);
        self.forget_present(document, written, with_names)?;
        let kind = match head {
            Some(head) => head.kind.to_owned(),
            None if self.pending.is_empty() => return Ok(()),
            // The one that is installed first stands for a list.
            None => match manifest::named(&String::from_utf8_lossy(written)).first() {
                Some(first) => first.kind().to_owned(),
                None => return Ok(()),
            },
        };
        if self.add(&|addition| addition.is_before(&kind))? && !document.bytes.starts_with(b"---") {
            self.write(b"---\n")?;
        }
        Ok(())
    }

    /// Looks for objects that are to be added, and are there: in what is written, if `with_names` of it may name them.
    fn forget_present(
        &mut self,
        document: &Document<'_>,
        written: &[u8],
        with_names: &[u8],
    ) -> Result<(), RenderError> {
        // A name may be written with escapes.
        let is_odd = memchr::memchr(b'\\', with_names).is_some();
        let is_named = |addition: &rules::Addition| {
            is_odd || memchr::memmem::find(with_names, addition.name().as_bytes()).is_some()
        };
        if !self.pending.iter().chain(&self.added).any(is_named) {
            return Ok(());
        }
        let objects = manifest::named(&String::from_utf8_lossy(written));
        let namespace = self.rules.about().namespace.as_deref();
        let is_here = |addition: &rules::Addition| objects.iter().any(|object| addition.is(object, namespace));
        let may_be_here =
            |addition: &rules::Addition| objects.iter().any(|object| addition.is_perhaps(object, namespace));
        self.pending.retain(|addition| !is_here(addition));
        for addition in self.pending.iter_mut().filter(|addition| may_be_here(addition)) {
            addition.seen = Some((self.notes.documents, document.line()));
        }
        let place = (self.notes.documents, document.line());
        if let Some(twice) = self.added.iter().find(|addition| is_here(addition)) {
            let because = "it was added already, before a document of a kind that is installed later";
            return Err(self.cannot_add(twice, place, because));
        }
        self.added
            .iter()
            .find(|addition| may_be_here(addition))
            .map_or(Ok(()), |addition| Err(self.cannot_add(addition, place, IN_DOUBT)))
    }

    fn cannot_add(&self, addition: &rules::Addition, (document, line): (usize, usize), because: &str) -> RenderError {
        let rule = self.rules.get(addition.rule);
        RenderError::Document {
            document,
            object: format!(" ({} {})", addition.kind(), addition.name()),
            line,
            because: because.to_owned(),
            rule: rule.map(|rule| format!(" (asked for by {})", rule.name)).unwrap_or_default(),
        }
    }

    /// Writes what is to be added now; tells whether there was anything.
    fn add(&mut self, is_now: &dyn Fn(&rules::Addition) -> bool) -> Result<bool, RenderError> {
        let (mut now, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pending).into_iter().partition(|addition| addition.is_wanted && is_now(addition));
        self.pending = later;
        now.sort_by_key(rules::Addition::rank);
        let mut has_added = false;
        for addition in now {
            if let Some(place) = addition.seen {
                return Err(self.cannot_add(&addition, place, IN_DOUBT));
            }
            if let Some(rule) = self.rules.get(addition.rule) {
                let object = || named(addition.kind(), None, addition.name());
                self.notes.add(&rule.name, &rule.because, object, || "added".to_owned());
            }
            let Some(text) = self.changed(&addition)? else { continue };
            self.notes.changed += 1;
            has_added = true;
            // Those that it makes others add.
            self.add(&|other| other.is_before(addition.kind()))?;
            self.has_content = true;
            self.has_object = self.has_object || has_object_of_release(&text);
            if self.last_byte.is_some_and(|byte| byte != b'\n') {
                // A line break could belong to the last value.
                return Err(RenderError::NoLineBreak {
                    object: named(addition.kind(), None, addition.name()),
                    document: self.notes.documents,
                    rule: self.name_of(addition.rule),
                });
            }
            self.write(&text)?;
            let namespace = self.rules.about().namespace.as_deref();
            self.added.push(addition.written_as(&text, namespace));
        }
        Ok(has_added)
    }

    /// Returns what the rules behind the one that adds the document make of it; nothing if it goes.
    fn changed(&mut self, addition: &rules::Addition) -> Result<Option<Vec<u8>>, RenderError> {
        let text = addition.text();
        let mut documents = Documents::new(text.as_bytes());
        let Some(document) = documents.next().map_err(RenderError::Read)? else { return Ok(Some(text.into_bytes())) };
        self.first = addition.rule + 1;
        let fate = self.fate(&document);
        self.first = 0;
        match fate {
            Ok(fate) => Ok(fate.parts(&document, &self.edited).map(|parts| parts.concat())),
            Err(RenderError::Document { because, rule, .. }) => {
                let object = named(addition.kind(), None, addition.name());
                Err(RenderError::Added { object, adding: self.name_of(addition.rule), because, rule })
            }
            Err(error) => Err(error),
        }
    }

    fn name_of(&self, rule: usize) -> String {
        self.rules.get(rule).map(|rule| rule.name.clone()).unwrap_or_default()
    }

    fn is_dropped(&mut self, selecting: &[usize], object: impl Fn() -> String) -> bool {
        let rules = self.rules;
        let with_rules = selecting.iter().filter_map(|&index| Some((index, rules.get(index)?)));
        let Some((index, rule)) = with_rules.into_iter().find(|(_, rule)| rule.changes.contains(&Change::Drop)) else {
            return false;
        };
        if !self.dropping.contains(&index) {
            self.dropping.push(index);
        }
        self.notes.add(&rule.name, &rule.because, object, || "dropped".to_owned());
        true
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), RenderError> {
        self.last_byte = bytes.last().copied().or(self.last_byte);
        if bytes.len() > GATHERED / 2 {
            self.flush()?;
            return self.output.write_all(bytes).map_err(RenderError::Write);
        }
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= GATHERED {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), RenderError> {
        self.output.write_all(&self.gathered).map_err(RenderError::Write)?;
        self.gathered.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<Notes, RenderError> {
        if self.notes.documents == 0 {
            return Err(RenderError::Empty);
        }
        // What is added may be selected by a rule that adds.
        while self.pending.iter().any(|addition| addition.is_wanted) {
            self.add(&|_| true)?;
        }
        if !self.has_content || self.has_lost && !self.has_object {
            let rules: Vec<&str> = self
                .dropping
                .iter()
                .filter_map(|&index| self.rules.get(index))
                .map(|rule| rule.name.as_str())
                .collect();
            let what = if self.has_content {
                "every object of the release, and leave nothing but hooks or empty documents"
            } else {
                "every document"
            };
            return Err(RenderError::NothingLeft { what, rules: rules.join(", ") });
        }
        self.flush()?;
        self.output.flush().map_err(RenderError::Write)?;
        let (rules, noted) = (self.rules, &self.notes.rules);
        let has_changed = |rule: &Rule| noted.iter().any(|notes| notes.rule == rule.name);
        let of_all =
            self.selected.iter().enumerate().filter_map(|(index, &selected)| Some((rules.get(index)?, selected)));
        let idle = of_all.filter(|(rule, selected)| *selected > 0 && !has_changed(rule));
        let idle =
            idle.map(|(rule, selected)| IdleRule { rule: rule.name.clone(), because: rule.because.clone(), selected });
        self.notes.idle = idle.collect();
        self.notes.rules.sort_by_key(|notes| rules.place_of(&notes.rule));
        Ok(self.notes)
    }
}

/// Tells whether the document has an object of the release: hooks are none, and what renders to `null` or `{}` has none.
fn is_of_release(document: &Document<'_>) -> bool {
    let may_be_hook = memchr::memmem::find(document.bytes, HOOK_ANNOTATION.as_bytes()).is_some();
    !may_be_hook && head::read(document).is_some() || has_object_of_release(document.bytes)
}

/// Tells so of any text. What is no manifest is for Helm to refuse.
fn has_object_of_release(bytes: &[u8]) -> bool {
    let objects = manifest::parse(&String::from_utf8_lossy(bytes));
    objects.map_or(true, |objects| objects.iter().any(|object| !object.is_hook()))
}
