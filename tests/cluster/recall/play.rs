//! One case from beginning to end: rehearsed, asked of Helm's own dry run, really run, compared.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use helm_csghub::domain::rehearsed::{Class, Operation, Rehearsed, Verdict};

use super::case::{Case, Document, id_of_ref};
use super::real::{self, State, cure, is_allocated, shown};
use super::report::Row;
use super::stage::Stage;
use crate::support::{Bed, Request, Running};

/// Cures after which a case is given up: more than any case has faults one behind the other.
const MOST_CURES: usize = 6;

/// A fault: its class and the object.
pub(super) type Fault = (Class, String);

/// Plays a case. A trouble of the case itself is told in its row, like a difference.
pub(super) fn play(bed: &Bed, case: &Case) -> Row {
    let began = Instant::now();
    let played = catch_unwind(AssertUnwindSafe(|| {
        let mut stage = Stage::set(bed, case);
        let played = catch_unwind(AssertUnwindSafe(|| compare(&mut stage)));
        stage.clear();
        played
    }));
    let mut row = match played {
        Ok(Ok(row)) => row,
        Ok(Err(panic)) | Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Row { wrong: vec![format!("could not be played: {}", text.unwrap_or_default())], ..Row::of(case) }
        }
    };
    row.took = began.elapsed();
    row
}

/// What a rehearsal said.
struct Said {
    rehearsed: Rehearsed,
    faults: BTreeSet<Fault>,
    unpredictable: BTreeSet<String>,
    operations: BTreeMap<String, (Operation, BTreeSet<String>)>,
}

/// What really happened, cures included.
struct Happened {
    /// By the server, and what Helm refused without a name.
    by_server: BTreeSet<String>,
    /// By Helm: what is not the release's own.
    unowned: BTreeSet<String>,
    /// By Helm: what is of no kind that the server knows.
    unknown: BTreeSet<String>,
    /// Helm's first error; empty if it had none.
    first: String,
    /// Whether Helm came to its end at last.
    is_cured: bool,
    before: State,
    after: State,
}

fn compare(stage: &mut Stage<'_>) -> Row {
    let before = State::of(stage);
    let namespace = stage.namespace().to_owned();
    let known: Vec<Document> =
        [stage.from.clone(), stage.to.clone()].into_iter().flatten().flatten().chain(stage.before.clone()).collect();
    let said = match rehearse(stage, &namespace) {
        Ok(said) => said,
        Err(wrong) => return Row { wrong: vec![wrong], ..Row::of(stage.case) },
    };
    let contents = if stage.case.class.is_none() { rehearsed_contents(stage) } else { None };
    let dry_run = stage.helm(&[stage.dry_run_flag()]);
    let happened = run_for_real(stage, before, &known);
    let mut row = Row::of(stage.case);
    row.dry_run = match dry_run.code {
        0 => "passes".to_owned(),
        code => format!("{code}: {}", first_line(&dry_run.stderr, &namespace)),
    };
    judge(&mut row, stage, &said, &happened, &known);
    if let Some(contents) = contents {
        compare_contents(&mut row, stage, &contents, &happened.after);
    }
    row
}

/// Returns what the user has really written so far. What was answered with an error has written nothing, and of what the user may
/// not do the log has no body.
fn written(stage: &Stage<'_>) -> Vec<Request> {
    stage.user.audit().writes().into_iter().filter(|write| write.code < 400).cloned().collect()
}

/// Returns the objects as they are within a rehearsal after Helm has run in it.
fn rehearsed_contents(stage: &Stage<'_>) -> Option<State> {
    let (script, out) = stage.script()?;
    let script = script.to_str().expect("UTF-8");
    let ran = Running::start(stage.scene.command(&["rehearse", "-n", stage.namespace(), "--", "sh", script])).end();
    let printed = std::fs::read(out).unwrap_or_else(|error| panic!("{error}: {}{}", ran.stdout, ran.stderr));
    assert!(written(stage).is_empty(), "the rehearsal wrote");
    Some(State::read(&printed))
}

/// The objects within the rehearsal must be those that there are afterwards.
fn compare_contents(row: &mut Row, stage: &Stage<'_>, contents: &State, after: &State) {
    let manifests = stage.to.clone().unwrap_or_default();
    for id in contents.ids().chain(after.ids()).collect::<BTreeSet<_>>() {
        if contents.get(id).is_none() != after.get(id).is_none() {
            row.wrong.push(format!("{id}: within the rehearsal {}", if after.has(id) { "missing" } else { "there" }));
            continue;
        }
        let manifest = manifests.iter().find(|document| document.id == *id);
        let different: Vec<String> =
            contents.changes(after, id).into_iter().filter(|path| !is_allocated(path, manifest)).collect();
        if !different.is_empty() {
            row.wrong.push(format!("{id}: another content within the rehearsal: {different:?}"));
        }
        row.contents += 1;
    }
}

fn first_line(stderr: &str, namespace: &str) -> String {
    let line = stderr.lines().find(|line| line.starts_with("Error: ")).or_else(|| stderr.lines().next());
    let line = line.unwrap_or_default().replace(namespace, "NAMESPACE").replace('|', "/");
    line.chars().take(160).collect()
}

fn rehearse(stage: &Stage<'_>, namespace: &str) -> Result<Said, String> {
    let ran = Running::start(stage.scene.command(&stage.rehearse_words())).end();
    let writes: Vec<String> = written(stage).iter().map(|write| format!("{} {}", write.verb, write.uri)).collect();
    if !writes.is_empty() {
        return Err(format!("the rehearsal WROTE: {writes:?}"));
    }
    let rehearsed: Rehearsed = serde_json::from_str(&ran.stdout)
        .map_err(|error| format!("no rehearsal ({error}), exit code {}: {}{}", ran.code, ran.stdout, ran.stderr))?;
    let faults = rehearsed.findings.iter().map(|found| (found.class, id_of_ref(&found.object, namespace))).collect();
    let mut unpredictable = BTreeSet::new();
    let mut operations = BTreeMap::new();
    for object in &rehearsed.objects {
        let id = id_of_ref(&object.object, namespace);
        if matches!(object.verdict, Verdict::Unpredictable { .. }) {
            unpredictable.insert(id.clone());
        }
        let paths = object.changes.iter().map(|change| change.path.clone()).collect();
        operations.insert(id, (object.operation, paths));
    }
    Ok(Said { rehearsed, faults, unpredictable, operations })
}

/// Runs plain Helm; cures what it refuses as a person would, and runs it again, until it ends well or says nothing new. Helm
/// stops at the first object that it cannot make: only so what is behind is really tried.
fn run_for_real(stage: &mut Stage<'_>, before: State, known: &[Document]) -> Happened {
    let namespace = stage.namespace().to_owned();
    let mut happened = Happened {
        by_server: BTreeSet::new(),
        unowned: BTreeSet::new(),
        unknown: BTreeSet::new(),
        first: String::new(),
        is_cured: false,
        after: before.clone(),
        before,
    };
    let mut seen = stage.user.audit().requests.len();
    // What Helm refuses without a name: the case says which object it is, and the cure of that one must end it.
    let mut suspects: BTreeSet<String> = BTreeSet::new();
    let mut is_left_out = false;
    for _ in 0..=MOST_CURES {
        let ran = stage.helm(&[]);
        if happened.first.is_empty() && ran.code != 0 {
            happened.first = first_line(&ran.stderr, &namespace);
        }
        let asked = stage.user.audit().requests;
        let (unowned, unknown) = real::refused_by_helm(&ran.stderr, &namespace);
        let by_server = real::refused(&asked[seen..], known, &namespace);
        seen = asked.len();
        let count = happened.count();
        happened.unowned.extend(unowned.iter().cloned());
        happened.unknown.extend(unknown.iter().cloned());
        happened.by_server.extend(by_server.iter().cloned());
        if ran.code == 0 {
            happened.by_server.append(&mut suspects);
            happened.is_cured = true;
            break;
        }
        let others: BTreeSet<String> = by_server.union(&unknown).cloned().collect();
        if happened.count() > count {
            cure(stage, &others, &unowned, false);
            continue;
        }
        let refused = happened.refused();
        let expected = stage.case.expect.iter().map(|expected| stage.places.fill(&expected.object));
        let left: BTreeSet<String> = expected.filter(|id| !refused.contains(id) && !suspects.contains(id)).collect();
        if !others.is_empty() && !is_left_out {
            // Not even as it was.
            cure(stage, &others, &BTreeSet::new(), true);
            is_left_out = true;
            continue;
        }
        if left.is_empty() || !others.is_empty() {
            break;
        }
        cure(stage, &left, &BTreeSet::new(), false);
        suspects.extend(left);
    }
    // What an uninstall leaves behind nobody can cure; the rest of it has gone.
    happened.is_cured |= stage.to.is_none();
    happened.after = State::of(stage);
    happened
}

impl Happened {
    /// Returns whatever was refused, by whom ever.
    fn refused(&self) -> BTreeSet<String> {
        [&self.by_server, &self.unowned, &self.unknown].into_iter().flatten().cloned().collect()
    }

    fn count(&self) -> usize {
        self.by_server.len() + self.unowned.len() + self.unknown.len()
    }

    /// Tells whether an object was refused in a way that can be a fault of that class.
    fn has_refused(&self, class: Class, id: &String) -> bool {
        let by_helm = match class {
            Class::Ownership => self.unowned.contains(id),
            Class::MissingKind => self.unknown.contains(id),
            _ => false,
        };
        by_helm || self.by_server.contains(id)
    }

    /// Tells whether Helm failed although nobody is expected to refuse anything.
    fn has_failed_unexpectedly(&self, case: &Case) -> bool {
        !self.first.is_empty() && case.expect.is_empty() && case.unpredictable.is_empty()
    }
}

/// Compares what was said with what happened and with what the case expects.
fn judge(row: &mut Row, stage: &Stage<'_>, said: &Said, happened: &Happened, known: &[Document]) {
    let case = stage.case;
    let expected: BTreeSet<Fault> =
        case.expect.iter().map(|expected| (expected.class, stage.places.fill(&expected.object))).collect();
    let unpredictable: BTreeSet<String> = case.unpredictable.iter().map(|one| stage.places.fill(&one.object)).collect();
    let groups: BTreeSet<String> = case.setting.interchangeable.iter().map(|id| stage.places.fill(id)).collect();
    let real = real_faults(&expected, &unpredictable, &groups, happened, said);
    let counted = |faults: &BTreeSet<Fault>| alike(faults, &groups, &unpredictable);
    let (ours, real, expected) = (counted(&said.faults), counted(&real), counted(&expected));
    let told = |faults: Vec<&Fault>| {
        faults.iter().map(|(class, id)| format!("{} {}", class.title(), id)).collect::<Vec<_>>().join(", ")
    };
    row.real_faults = real.iter().cloned().collect();
    row.missed = real.difference(&ours).cloned().collect();
    row.false_alarms = ours.difference(&real).cloned().collect();
    for (what, one, other) in [
        ("MISSED", &real, &ours),
        ("FALSE ALARM", &ours, &real),
        ("the case expects, and it did not happen", &expected, &real),
        ("the case does not expect, and it happened", &real, &expected),
    ] {
        let difference: Vec<&Fault> = one.difference(other).collect();
        if !difference.is_empty() {
            row.wrong.push(format!("{what}: {}", told(difference)));
        }
    }
    for id in unpredictable.difference(&said.unpredictable) {
        row.wrong.push(format!("not said to be unpredictable: {id}"));
    }
    for id in said.unpredictable.difference(&unpredictable) {
        row.wrong.push(format!("said to be unpredictable, and the case does not: {id}"));
    }
    let end = said.rehearsed.end.exit_code;
    if (end != 0) != happened.has_failed_unexpectedly(case) && said.faults.is_empty() {
        row.wrong.push(format!("the rehearsed Helm ended with {end}, the real one: {}", happened.first));
    }
    if end != 0 && !said.faults.is_empty() {
        // The rehearsed Helm stopped before it wrote anything: of the rest nothing was said.
    } else if happened.is_cured {
        compare_operations(row, stage, said, happened, known);
    } else {
        row.wrong.push(format!("the real Helm did not come to its end: {}", happened.first));
    }
    let namespace = stage.namespace();
    row.ours = shown(&said.faults.iter().map(|(class, id)| format!("{id} ({})", class.title())).collect(), namespace);
    row.real = match (happened.count(), happened.first.is_empty()) {
        (0, true) => "passes".to_owned(),
        (0, false) => happened.first.clone(),
        _ => format!("refused: {}", shown(&happened.refused(), namespace)),
    };
}

/// The faults that really were there: what was refused, in the class that the case gives it, and of what nobody refuses (deleted,
/// edited back) that which really happened to the object.
fn real_faults(
    expected: &BTreeSet<Fault>,
    unpredictable: &BTreeSet<String>,
    group: &BTreeSet<String>,
    happened: &Happened,
    said: &Said,
) -> BTreeSet<Fault> {
    let mut faults: BTreeSet<Fault> = expected
        .iter()
        .filter(|(class, id)| is_refusal(*class) && !unpredictable.contains(id) && happened.has_refused(*class, id))
        .cloned()
        .collect();
    for id in happened.refused().difference(unpredictable) {
        if !faults.iter().any(|(_, known)| known == id) {
            // Of interchangeable ones another may have been refused than the case names.
            let alike = expected.iter().find(|(_, known)| group.contains(known) && group.contains(id));
            // Which class a refusal is that no case expects only a person can say: ours is taken, the case fails anyway.
            let ours = said.faults.iter().find(|(class, known)| known == id && is_refusal(*class));
            faults.insert((alike.or(ours).map_or(Class::Validation, |(class, _)| *class), id.clone()));
        }
    }
    for (class, id) in expected.iter().filter(|(class, _)| !is_refusal(*class)) {
        let operation = happened.before.operation(&happened.after, id);
        let has_happened = match class {
            Class::HandEdit => operation == Some(Operation::Change),
            _ => matches!(operation, Some(Operation::Delete | Operation::Replace)),
        };
        if has_happened {
            faults.insert((*class, id.clone()));
        }
    }
    faults
}

/// Tells whether somebody refuses the write: else it passes, and destroys.
fn is_refusal(class: Class) -> bool {
    !matches!(class, Class::ForeignDeletion | Class::DataLoss | Class::HandEdit)
}

/// Faults without those of unpredictable objects; of interchangeable ones only their number counts.
fn alike(faults: &BTreeSet<Fault>, group: &BTreeSet<String>, unpredictable: &BTreeSet<String>) -> BTreeSet<Fault> {
    let mut counts: BTreeMap<Class, usize> = BTreeMap::new();
    let counted = faults.iter().filter(|(_, id)| !unpredictable.contains(id)).map(|(class, id)| {
        if !group.contains(id) {
            return (*class, id.clone());
        }
        let count = counts.entry(*class).or_default();
        *count += 1;
        (*class, format!("no. {count} of {}", group.iter().cloned().collect::<Vec<_>>().join(" or ")))
    });
    counted.collect()
}

/// What became of each object that nobody refused, and which fields changed.
fn compare_operations(row: &mut Row, stage: &Stage<'_>, said: &Said, happened: &Happened, known: &[Document]) {
    let ids: BTreeSet<&String> =
        said.operations.keys().chain(happened.before.ids()).chain(happened.after.ids()).collect();
    let group: BTreeSet<String> = stage.case.setting.interchangeable.iter().map(|id| stage.places.fill(id)).collect();
    let refused = happened.refused();
    let in_doubt = |id: &String| {
        refused.contains(id)
            || said.unpredictable.contains(id)
            || group.contains(id)
            || said.faults.iter().any(|(class, known)| known == id && is_refusal(*class))
    };
    let manifests = stage.to.clone().unwrap_or_default();
    for id in ids.into_iter().filter(|id| !in_doubt(id)) {
        let real = happened.before.operation(&happened.after, id);
        let ours = said.operations.get(id);
        let is_same = match (ours.map(|(operation, _)| *operation), real) {
            (None, None | Some(Operation::Unchanged)) | (Some(Operation::Pass), None) => true,
            (Some(ours), Some(real)) => ours == real,
            _ => false,
        };
        // What neither release names is not the release's: only what was said of it counts.
        let is_named = known.iter().any(|document| document.id == *id);
        if !is_same && (ours.is_some() || is_named) {
            row.wrong.push(format!("{id}: said {:?}, was {real:?}", ours.map(|(operation, _)| operation)));
            continue;
        }
        row.objects += 1;
        if matches!(real, Some(Operation::Change | Operation::Replace)) {
            let manifest = manifests.iter().find(|document| document.id == *id);
            let allocated = |path: &String| is_allocated(path, manifest);
            let real: BTreeSet<String> =
                happened.before.changes(&happened.after, id).into_iter().filter(|path| !allocated(path)).collect();
            let ours: BTreeSet<String> =
                ours.iter().flat_map(|(_, paths)| paths.iter().cloned()).filter(|path| !allocated(path)).collect();
            if real != ours {
                row.wrong.push(format!("{id}: changes said {ours:?}, were {real:?}"));
            }
            row.fields += real.len();
        }
    }
}
