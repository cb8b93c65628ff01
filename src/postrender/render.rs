//! A stream through the rules.

use std::io::{self, Read, Write};

use serde_json::Value;
use thiserror::Error;

use super::edit::{Editor, Refusal};
use super::head::{self, Marks, Metadata};
use super::notes::Notes;
use super::proof;
use super::rules::{self, ObjectEdit, Rules, Subject};
use super::splice;
use super::stream::{Document, Documents};
use super::tree::{NodeId, Tree};
use crate::domain::profile::Change;
use crate::domain::yaml;

/// Output that is gathered before it is written, in bytes.
const GATHERED: usize = 256 * 1024;

/// The stream cannot be rendered; what was written until then is no result.
#[derive(Debug, Error)]
pub enum RenderError {
    /// There is nothing to render.
    ///
    /// Source: an empty result makes Helm 3 delete every object of the release and call it deployed; Helm 4 refuses it.
    #[error("standard input holds no manifest")]
    Empty,
    /// The rules dropped every document: the same.
    #[error("the rules drop every document, and Helm 3 would delete the whole release: {rules}")]
    NothingLeft {
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
    let pending = rules.additions();
    let mut rendering = Rendering {
        rules,
        output,
        gathered: Vec::new(),
        notes: Notes::default(),
        written: 0,
        pending,
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
    /// Documents with content that were written.
    written: usize,
    /// Documents that are yet to be added.
    pending: Vec<rules::Addition>,
    /// The last byte that was written.
    last_byte: Option<u8>,
}

/// What becomes of a document.
enum Fate {
    Passes,
    Goes,
    Becomes(Vec<u8>),
}

impl<W: Write> Rendering<'_, W> {
    fn take(&mut self, document: &Document<'_>) -> Result<(), RenderError> {
        if !document.has_content() {
            return self.write(document.bytes);
        }
        self.notes.documents += 1;
        let fate = if self.rules.is_empty() { Fate::Passes } else { self.fate(document)? };
        if matches!(fate, Fate::Goes) {
            self.notes.changed += 1;
            return Ok(());
        }
        self.add_before(document)?;
        match fate {
            Fate::Passes | Fate::Goes => self.write(document.bytes)?,
            Fate::Becomes(bytes) => {
                self.notes.changed += 1;
                self.write(&bytes)?;
            }
        }
        self.written += 1;
        Ok(())
    }

    fn fate(&mut self, document: &Document<'_>) -> Result<Fate, RenderError> {
        let Some(head) = head::read(document) else {
            return if self.rules.can_select(document.bytes) { self.parsed(document, &[]) } else { Ok(Fate::Passes) };
        };
        let candidates = self.rules.of_kind(head.api_version, head.kind);
        if candidates.is_empty() {
            return if head.kind.ends_with("List") { self.parsed(document, &candidates) } else { Ok(Fate::Passes) };
        }
        let lines = document.bytes.get(head.metadata.clone()).and_then(|lines| std::str::from_utf8(lines).ok());
        let Some((lines, metadata)) = lines.and_then(|lines| Some((lines, head::metadata(lines)?))) else {
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
        let selecting = self.rules.selecting(&subject);
        if selecting.is_empty() {
            return Ok(Fate::Passes);
        }
        let object = || named(head.kind, metadata.namespace, metadata.name.unwrap_or_default());
        self.want_additions(&selecting);
        if self.is_dropped(&selecting, object) {
            return Ok(Fate::Goes);
        }
        let changes: Vec<&Change> =
            selecting.iter().filter_map(|&index| self.rules.get(index)).flat_map(|rule| &rule.changes).collect();
        let Some(wanted) = rules::marks_only(&changes, self.rules.about()) else {
            return self.parsed(document, &selecting);
        };
        let wanted: Vec<(Marks, &str, &str)> = wanted
            .iter()
            .map(|((is_annotation, key), value)| {
                (if *is_annotation { Marks::Annotations } else { Marks::Labels }, key.as_str(), value.as_str())
            })
            .collect();
        match with_marks(lines, &metadata, &wanted) {
            Marked::AsItWas => Ok(Fate::Passes),
            Marked::Otherwise => self.parsed(document, &selecting),
            Marked::As(edited) => {
                for &index in &selecting {
                    if let Some(rule) = self.rules.get(index) {
                        let what = || format!("set {}", keys_of(&rule.changes, self.rules).join(", "));
                        self.notes.add(&rule.name, &rule.because, object, what);
                    }
                }
                let mut bytes = Vec::with_capacity(document.bytes.len() + edited.len() - lines.len());
                bytes.extend_from_slice(document.bytes.get(..head.metadata.start).unwrap_or_default());
                bytes.extend_from_slice(edited.as_bytes());
                bytes.extend_from_slice(document.bytes.get(head.metadata.end..).unwrap_or_default());
                Ok(Fate::Becomes(bytes))
            }
        }
    }

    /// Rules that selected a document add theirs.
    fn want_additions(&mut self, selecting: &[usize]) {
        for addition in &mut self.pending {
            addition.is_wanted |= selecting.contains(&addition.rule);
        }
    }

    /// Writes the documents that stand before this one; one that the stream has already is not added.
    fn add_before(&mut self, document: &Document<'_>) -> Result<(), RenderError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let Some(head) = head::read(document) else { return Ok(()) };
        let lines =
            document.bytes.get(head.metadata).and_then(|lines| std::str::from_utf8(lines).ok()).unwrap_or_default();
        if let Some(metadata) = head::metadata(lines) {
            let name = metadata.name.unwrap_or_default();
            self.pending.retain(|addition| !addition.is_object(head.kind, metadata.namespace, name));
        }
        self.add(|addition| addition.is_before(head.kind))
    }

    fn add(&mut self, is_now: impl Fn(&rules::Addition) -> bool) -> Result<(), RenderError> {
        let (now, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pending).into_iter().partition(|addition| addition.is_wanted && is_now(addition));
        self.pending = later;
        for addition in now {
            if let Some(rule) = self.rules.get(addition.rule) {
                let object = || named(addition.kind(), None, addition.name());
                self.notes.add(&rule.name, &rule.because, object, || "added".to_owned());
            }
            self.notes.changed += 1;
            self.written += 1;
            self.end_line()?;
            self.write(addition.text().as_bytes())?;
        }
        Ok(())
    }

    /// A separator begins a line.
    fn end_line(&mut self) -> Result<(), RenderError> {
        if self.last_byte.is_some_and(|byte| byte != b'\n') { self.write(b"\n") } else { Ok(()) }
    }

    fn is_dropped(&mut self, selecting: &[usize], object: impl Fn() -> String) -> bool {
        let rules = self.rules;
        let dropping =
            selecting.iter().filter_map(|&index| rules.get(index)).find(|rule| rule.changes.contains(&Change::Drop));
        if let Some(rule) = dropping {
            self.notes.add(&rule.name, &rule.because, object, || "dropped".to_owned());
        }
        dropping.is_some()
    }

    /// A document that must be parsed: for its head, or for a change within it. `candidates` are named if that fails.
    fn parsed(&mut self, document: &Document<'_>, candidates: &[usize]) -> Result<Fate, RenderError> {
        let rules = self.rules;
        let named_rules = |candidates: &[usize]| {
            let names: Vec<&str> =
                candidates.iter().filter_map(|&index| rules.get(index)).map(|rule| rule.name.as_str()).collect();
            if names.is_empty() { String::new() } else { format!(" (asked for by {})", names.join(", ")) }
        };
        let number = self.notes.documents;
        let fail = |line: usize, because: String, object: &str, candidates: &[usize]| RenderError::Document {
            document: number,
            object: if object.is_empty() { String::new() } else { format!(" ({object})") },
            line: document.line + line.saturating_sub(1),
            because,
            rule: named_rules(candidates),
        };
        let body = document.bytes.get(document.body..).unwrap_or_default();
        let text = std::str::from_utf8(body).map_err(|error| {
            let line = body.get(..error.valid_up_to()).unwrap_or_default().split(|&byte| byte == b'\n').count();
            fail(line, "it is no UTF-8".to_owned(), "", candidates)
        })?;
        let tree = Tree::parse(text).map_err(|fault| fail(fault.line, fault.because, "", candidates))?;
        let Some(tree) = tree else { return Ok(Fate::Passes) };
        let mut editor = Editor::new(&tree);
        let whole =
            if tree.is_literal() { None } else { Some(whole(text).map_err(|cause| fail(1, cause, "", candidates))?) };
        for object in objects(&tree, 0, whole.as_ref()) {
            let title = named(&object.kind, object.namespace.as_deref(), &object.name);
            let label = |key: &str| object.label(&tree, key);
            let subject = Subject {
                api_version: &object.api_version,
                kind: &object.kind,
                name: &object.name,
                namespace: object.namespace.as_deref(),
                label: &label,
            };
            let selecting = rules.selecting(&subject);
            if selecting.is_empty() {
                continue;
            }
            self.want_additions(&selecting);
            if self.is_dropped(&selecting, || title.clone()) {
                match object.item_of {
                    None => return Ok(Fate::Goes),
                    Some(list) => {
                        let refused = |refusal: Refusal| fail(refusal.line, refusal.because, &title, &selecting);
                        editor.remove_item(list, object.root).map_err(refused)?;
                        continue;
                    }
                }
            }
            let mut edit = ObjectEdit {
                editor: &mut editor,
                root: object.root,
                kind: object.kind.clone(),
                api_version: object.api_version.clone(),
            };
            for &index in &selecting {
                let Some(rule) = rules.get(index) else { continue };
                for change in &rule.changes {
                    let done = rules::apply(change, rules.about(), &mut edit)
                        .map_err(|refusal| fail(refusal.line, refusal.because, &title, &[index]))?;
                    if let Some(what) = done {
                        self.notes.add(&rule.name, &rule.because, || title.clone(), || what);
                    }
                }
            }
        }
        if !editor.has_changes() {
            return Ok(Fate::Passes);
        }
        let (edited, changes) =
            editor.finish().map_err(|refusal| fail(refusal.line, refusal.because, "", candidates))?;
        proof::prove(&tree, &changes, &edited)
            .map_err(|mismatch| fail(mismatch.line, mismatch.because, "", candidates))?;
        let mut bytes = Vec::with_capacity(document.body + edited.len());
        bytes.extend_from_slice(document.bytes.get(..document.body).unwrap_or_default());
        bytes.extend_from_slice(edited.as_bytes());
        Ok(Fate::Becomes(bytes))
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
        self.add(|_| true)?;
        if self.written == 0 {
            let rules: Vec<&str> = self.notes.rules.iter().map(|notes| notes.rule.as_str()).collect();
            return Err(RenderError::NothingLeft { rules: rules.join(", ") });
        }
        self.flush()?;
        self.output.flush().map_err(RenderError::Write)?;
        Ok(self.notes)
    }
}

/// Returns how an object is called in notes and errors.
fn named(kind: &str, namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}

fn keys_of(changes: &[Change], rules: &Rules) -> Vec<String> {
    changes
        .iter()
        .filter_map(|change| rules::marks_of(change, rules.about()))
        .flatten()
        .map(|(_, key, _)| key)
        .collect()
}

enum Marked {
    AsItWas,
    As(String),
    /// The quick way does not lead there.
    Otherwise,
}

fn with_marks(lines: &str, metadata: &Metadata<'_>, wanted: &[(Marks, &str, &str)]) -> Marked {
    let splices = metadata.set(wanted);
    if splices.is_empty() {
        return Marked::AsItWas;
    }
    let Ok(edited) = splice::apply(lines, splices) else { return Marked::Otherwise };
    let is_proven = head::metadata(&edited).is_some_and(|edited| metadata.is_proven_by(&edited, wanted));
    if is_proven { Marked::As(edited) } else { Marked::Otherwise }
}

/// An object of a parsed document.
struct Found {
    root: NodeId,
    /// The list that holds it, within a `List`.
    item_of: Option<NodeId>,
    api_version: String,
    kind: String,
    name: String,
    namespace: Option<String>,
    /// What it means, where the tree does not tell.
    whole: Option<Value>,
}

impl Found {
    fn label(&self, tree: &Tree<'_>, key: &str) -> Option<String> {
        if let Some(whole) = &self.whole {
            return whole.get("metadata")?.get("labels")?.get(key)?.as_str().map(str::to_owned);
        }
        let (_, metadata) = tree.entry(self.root, "metadata")?;
        let (_, labels) = tree.entry(metadata, "labels")?;
        text_at(tree, labels, key)
    }
}

fn text_at(tree: &Tree<'_>, mapping: NodeId, key: &str) -> Option<String> {
    let (_, value) = tree.entry(mapping, key)?;
    tree.value(value)?.as_str().map(str::to_owned)
}

/// Returns what a document means whose aliases and merges bring in what stands elsewhere.
fn whole(text: &str) -> Result<Value, String> {
    let documents = yaml::parse_documents(text).map_err(|error| error.cause)?;
    Ok(documents.into_iter().next().map(|document| document.value).unwrap_or_default())
}

/// Returns the objects of a document: itself, or the items of a `List`, however deep. `whole` is what the node means, where the tree
/// does not tell.
fn objects(tree: &Tree<'_>, root: NodeId, whole: Option<&Value>) -> Vec<Found> {
    let text = |key: &str| match whole {
        Some(whole) => whole.get(key).and_then(Value::as_str).map(str::to_owned),
        None => text_at(tree, root, key),
    };
    let kind = text("kind").unwrap_or_default();
    if kind.ends_with("List")
        && let Some((_, items)) = tree.entry(root, "items")
        && tree.kind(items).is_sequence()
    {
        let whole_items = whole.and_then(|whole| whole.get("items")).and_then(Value::as_array);
        let of_item = |(index, item): (usize, NodeId)| {
            let whole = whole_items.and_then(|items| items.get(index));
            objects(tree, item, whole)
                .into_iter()
                .map(move |found| Found { item_of: found.item_of.or(Some(items)), ..found })
        };
        return tree.children(items).enumerate().flat_map(of_item).collect();
    }
    if kind.is_empty() {
        return Vec::new();
    }
    let metadata = tree.entry(root, "metadata").map(|(_, metadata)| metadata);
    let of_metadata = |key: &str| match whole {
        Some(whole) => whole.get("metadata")?.get(key)?.as_str().map(str::to_owned),
        None => text_at(tree, metadata?, key),
    };
    vec![Found {
        root,
        item_of: None,
        api_version: text("apiVersion").unwrap_or_default(),
        name: of_metadata("name").unwrap_or_default(),
        namespace: of_metadata("namespace"),
        kind,
        whole: whole.cloned(),
    }]
}
