//! A document that is parsed: its changes one after the other, each in what those before it made.
//!
//! Changes that do not look at each other are spliced and proven together. One that does waits for the next pass, over the text that has
//! come of the first ones.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::rc::Rc;

use super::{Fate, RenderError, Rendering};
use crate::domain::profile::{Change, Rule, Subject};
use crate::postrender::edit::{Edited, Editor, Stop};
use crate::postrender::objects::{Found, objects, whole};
use crate::postrender::proof;
use crate::postrender::rules::{self, Chosen, Mirrored, ObjectEdit, Rules};
use crate::postrender::splice::{self, Splice};
use crate::postrender::stream::Document;
use crate::postrender::tree::Tree;

/// What rules do to the objects that they select.
struct Task<'r> {
    selecting: Chosen,
    changes: Vec<(&'r Rule, &'r Change)>,
}

impl<'r> Task<'r> {
    /// Returns the changes of those rules, in their order; names that tell what all others made come last.
    fn of(rules: &'r Rules, selecting: Chosen) -> Self {
        let all = || {
            let selecting = selecting.iter().filter_map(|&index| rules.get(index));
            selecting.flat_map(|rule| rule.changes.iter().map(move |change| (rule, change)))
        };
        let is_last = |&(_, change): &(&Rule, &Change)| *change == Change::UniqueJobNames;
        let changes = all().filter(|one| !is_last(one)).chain(all().filter(is_last)).collect();
        Self { selecting, changes }
    }
}

/// The tasks of a document, by the rules that they come from: its objects may be very many, and share them.
type Tasks<'r> = HashMap<Chosen, Rc<Task<'r>>>;

/// What is yet to be done to an object that stays.
struct Work<'r> {
    /// How notes and errors call it, by what it was; nothing as long as it is that.
    title: Option<String>,
    /// Whether it is an item of a list.
    is_item: bool,
    task: Rc<Task<'r>>,
    /// How many changes are done.
    done: usize,
    mirrored: Mirrored,
}

impl<'r> Work<'r> {
    fn of(object: &Found<'_>, task: Rc<Task<'r>>) -> Self {
        Self { title: None, is_item: object.item_of.is_some(), task, done: 0, mirrored: Mirrored::default() }
    }

    fn is_done(&self) -> bool {
        self.next().is_none()
    }

    fn next(&self) -> Option<(&'r Rule, &'r Change)> {
        self.task.changes.get(self.done).copied()
    }

    fn title(&self, object: &Found<'_>) -> String {
        self.title.clone().unwrap_or_else(|| object.title())
    }
}

/// Tells whether these are the objects that there is work for.
fn are_the_same(before: &[Work<'_>], objects: &[Found<'_>]) -> bool {
    let is_it = |(work, object): (&Work<'_>, &Found<'_>)| work.is_item == object.item_of.is_some();
    before.len() == objects.len() && before.iter().zip(objects).all(is_it)
}

/// What a pass made of a document.
enum Outcome {
    Same,
    /// It goes, with every object in it.
    Goes,
    Edited(Edited),
}

impl<'r, W: Write> Rendering<'r, W> {
    /// A document that must be parsed: for its head, or for a change within it. `candidates` are named if that fails.
    pub(super) fn parsed(&mut self, document: &Document<'_>, candidates: &[usize]) -> Result<Fate, RenderError> {
        let body = document.bytes.get(document.body..).unwrap_or_default();
        let mut place = Place {
            number: self.notes.documents,
            document,
            object: None,
            objects: 0,
            rules: Chosen::from_slice(candidates),
            lines: Vec::new(),
        };
        let text = std::str::from_utf8(body).map_err(|error| {
            let line = body.get(..error.valid_up_to()).unwrap_or_default().split(|&byte| byte == b'\n').count();
            place.refused(self.rules, line, "it is no UTF-8")
        })?;
        let mut text = Cow::Borrowed(text);
        let mut work = None;
        loop {
            match self.pass(&text, &mut place, &mut work)? {
                Outcome::Goes => return Ok(Fate::Goes),
                Outcome::Same => break,
                Outcome::Edited(edited) => {
                    let is_done = work.as_ref().is_none_or(Vec::is_empty);
                    if !is_done {
                        place.follow(&text, &edited.splices);
                    }
                    text = Cow::Owned(edited.text);
                    if is_done {
                        break;
                    }
                }
            }
        }
        Ok(match text {
            Cow::Borrowed(_) => Fate::Passes,
            // A later change may take back what an earlier one made.
            Cow::Owned(edited) if edited.as_bytes() == body => Fate::Passes,
            Cow::Owned(edited) => Fate::Becomes(edited),
        })
    }

    /// Makes as many changes as can be made at once, and proves them. The first pass finds which rules select each object; the others
    /// go on with that, whatever the objects have become.
    fn pass(
        &mut self,
        text: &str,
        place: &mut Place<'_>,
        work: &mut Option<Vec<Work<'r>>>,
    ) -> Result<Outcome, RenderError> {
        let rules = self.rules;
        let Some(tree) = Tree::read(text).map_err(|fault| place.refused(rules, fault.line, &fault.because))? else {
            return Ok(Outcome::Same);
        };
        let whole = if tree.is_literal() {
            None
        } else {
            Some(whole(text).map_err(|error| place.refused(rules, error.line, &error.cause))?)
        };
        let mut objects = objects(&tree, whole)
            .map_err(|line| place.refused(rules, line, "the items of a list are an alias; write them out"))?;
        let mut editor = Editor::new(&tree);
        place.forget_objects();
        let mut of_all = match work.take() {
            None => {
                let (count, mut tasks) = (objects.len(), Tasks::new());
                let begun: Result<Vec<Option<Work<'r>>>, RenderError> =
                    objects.iter().map(|object| self.begin(&tree, object, &mut tasks, &mut editor, place)).collect();
                let begun = begun?;
                let mut stays = begun.iter().map(Option::is_some);
                objects.retain(|_| stays.next().unwrap_or_default());
                if objects.is_empty() && count > 0 {
                    return Ok(Outcome::Goes);
                }
                begun.into_iter().flatten().collect()
            }
            Some(before) if are_the_same(&before, &objects) => before,
            Some(_) => {
                let because = "a change makes other objects of it, and more is to be changed in what it was";
                return Err(place.refused(rules, 1, because));
            }
        };
        for (object, work) in objects.iter().zip(&mut of_all) {
            self.change(object, work, &mut editor, place)?;
            if !work.is_done() {
                work.title = Some(work.title(object));
            }
        }
        // Of very many objects, only what is needed is held while the text is edited.
        drop(objects);
        let is_done = of_all.iter().all(Work::is_done);
        *work = Some(if is_done { Vec::new() } else { of_all });
        if !editor.has_changes() {
            return Ok(Outcome::Same);
        }
        if let Some(odd) = text.find(['\u{85}', '\u{2028}', '\u{2029}']) {
            let because = "it holds a line break that only YAML 1.1 knows (U+0085, U+2028, U+2029)";
            return Err(place.refused(rules, tree.line_of(odd), because));
        }
        let edited = editor.finish().map_err(|refusal| place.refused(rules, refusal.line, &refusal.because))?;
        proof::prove(&tree, &edited.changes, &edited.text)
            .map_err(|mismatch| place.refused(rules, mismatch.line, &mismatch.because))?;
        Ok(Outcome::Edited(edited))
    }

    /// Returns what the rules that select the object will do to it; nothing if it goes.
    fn begin(
        &mut self,
        tree: &Tree<'_>,
        object: &Found<'_>,
        tasks: &mut Tasks<'r>,
        editor: &mut Editor<'_, '_>,
        place: &mut Place<'_>,
    ) -> Result<Option<Work<'r>>, RenderError> {
        let rules = self.rules;
        let label = |key: &str| object.label(tree, key);
        let subject = Subject {
            api_version: &object.api_version,
            kind: &object.kind,
            name: &object.name,
            namespace: object.namespace.as_deref(),
            label: &label,
        };
        let selecting = rules.selecting(self.first, &subject);
        place.add_rules(&selecting);
        self.want_additions(&selecting);
        self.count(&selecting);
        if !self.is_dropped(&selecting, || object.title()) {
            let task =
                tasks.entry(selecting).or_insert_with_key(|selecting| Rc::new(Task::of(rules, selecting.clone())));
            let task = Rc::clone(task);
            return Ok(Some(Work::of(object, task)));
        }
        place.add_object(|| object.title());
        if let Some(list) = object.item_of {
            let dropped = editor.remove_item(list, object.root);
            dropped.map_err(|stop| place.of(object.title(), &selecting).stopped(rules, stop))?;
        }
        Ok(None)
    }

    /// Makes the changes of an object, up to the first one that must wait.
    fn change(
        &mut self,
        object: &Found<'_>,
        work: &mut Work<'r>,
        editor: &mut Editor<'_, '_>,
        place: &mut Place<'_>,
    ) -> Result<(), RenderError> {
        if !work.is_done() {
            place.add_object(|| work.title(object));
        }
        while let Some((rule, change)) = work.next() {
            // Without a change before it, there is nothing to wait for.
            let may_wait = editor.has_changes();
            let mirrored = may_wait.then(|| work.mirrored.clone());
            editor.begin();
            let mut left = Vec::new();
            let mut edit = ObjectEdit { editor: &mut *editor, object, mirrored: &mut work.mirrored, left: &mut left };
            match (rules::apply(change, self.rules.about(), &mut edit), mirrored) {
                (Ok(done), _) => {
                    for what in left {
                        self.notes.leave(&rule.name, &work.title(object), what);
                    }
                    if let Some(what) = done {
                        self.notes.add(&rule.name, &rule.because, || work.title(object), || what);
                    }
                    work.done += 1;
                }
                (Err(Stop::Later), Some(mirrored)) => {
                    editor.take_back();
                    work.mirrored = mirrored;
                    return Ok(());
                }
                (Err(stop), _) => {
                    let here = place.of(work.title(object), &work.task.selecting);
                    return Err(here.stopped_by(&rule.name, stop));
                }
            }
        }
        Ok(())
    }
}

/// What an error names.
struct Place<'d> {
    number: usize,
    document: &'d Document<'d>,
    /// The first one that is about to change.
    object: Option<String>,
    /// How many are.
    objects: usize,
    rules: Chosen,
    /// Of each line that is read, the line of the document that it comes from; empty as long as it is the document.
    lines: Vec<usize>,
}

impl Place<'_> {
    fn forget_objects(&mut self) {
        (self.object, self.objects) = (None, 0);
    }

    fn add_object(&mut self, title: impl FnOnce() -> String) {
        if self.object.is_none() {
            self.object = Some(title());
        }
        self.objects += 1;
    }

    fn add_rules(&mut self, rules: &[usize]) {
        let unnamed: Chosen = rules.iter().filter(|index| !self.rules.contains(index)).copied().collect();
        self.rules.extend(unnamed);
    }

    /// Goes on in the text that those splices make.
    fn follow(&mut self, text: &str, splices: &[Splice]) {
        let lines = splice::lines(text, splices);
        self.lines = lines.into_iter().map(|line| self.line(line)).collect();
    }

    /// Returns the line of the document that a line comes from.
    fn line(&self, line: usize) -> usize {
        self.lines.get(line.saturating_sub(1)).copied().unwrap_or(line)
    }

    /// Returns the place of one object.
    fn of(&self, object: String, rules: &[usize]) -> Self {
        Self { object: Some(object), objects: 1, rules: Chosen::from_slice(rules), lines: self.lines.clone(), ..*self }
    }

    fn stopped(&self, rules: &Rules, stop: Stop) -> RenderError {
        self.stopped_by(&self.names(rules), stop)
    }

    fn stopped_by(&self, rules: &str, stop: Stop) -> RenderError {
        match stop {
            Stop::Refused(refusal) => self.refused_by(rules, refusal.line, &refusal.because),
            Stop::Later => self.refused_by(rules, 1, "a change meets itself in one place"),
        }
    }

    fn names(&self, rules: &Rules) -> String {
        let names = self.rules.iter().filter_map(|&index| rules.get(index));
        names.map(|rule| rule.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn refused(&self, rules: &Rules, line: usize, because: &str) -> RenderError {
        self.refused_by(&self.names(rules), line, because)
    }

    fn refused_by(&self, rules: &str, line: usize, because: &str) -> RenderError {
        let object = match &self.object {
            None => String::new(),
            Some(object) if self.objects == 1 => format!(" ({object})"),
            Some(first) => format!(" ({first} and {} more)", self.objects - 1),
        };
        RenderError::Document {
            document: self.number,
            object,
            line: self.document.line() + self.line(line).saturating_sub(1),
            because: because.to_owned(),
            rule: if rules.is_empty() { String::new() } else { format!(" (asked for by {rules})") },
        }
    }
}
