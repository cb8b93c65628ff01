//! A rehearsal in words: the only place that has them. The terminal, Markdown and the plan take their text from here.

use serde_json::Value;

use super::summary::Heading;
use super::{Class, FieldChange, Finding, Mode, Rehearsed, RehearsedObject, Remedy, Verdict};
use crate::domain::object::ObjectRef;
use crate::domain::report::Problem;
use crate::domain::wording::{counted, is_or_are, some};

/// Fields that a line names.
const FIELDS: usize = 2;
/// Kinds that a line counts.
const KINDS: usize = 4;
/// Objects that a line names.
const NAMES: usize = 3;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Nothing stands in the way.
    Good,
    /// A person should know.
    Warning,
    /// Nobody can tell.
    Unknown,
    /// It would fail, or destroy something.
    Bad,
}

/// What a list of the rehearsal is about, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// What makes the command fail.
    Refused,
    /// How the command ended, if not well.
    End,
    /// What would be destroyed.
    Loss,
    /// What belongs to others and would be deleted.
    Foreign,
    /// Requests that were not let through.
    Denied,
    /// What nobody can tell before it really happens.
    Unpredictable,
    /// What does not stop the run.
    Warnings,
}

impl About {
    /// Every list, in the order in which they are shown.
    pub const ALL: [Self; 7] =
        [Self::Refused, Self::End, Self::Loss, Self::Foreign, Self::Denied, Self::Unpredictable, Self::Warnings];

    /// Every list but the warnings: for a plan, which lists them itself.
    pub const BUT_WARNINGS: [Self; 6] =
        [Self::Refused, Self::End, Self::Loss, Self::Foreign, Self::Denied, Self::Unpredictable];

    /// Returns the title of the list.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Refused => "Refused",
            Self::End => "How it ended",
            Self::Loss => "Loss of data",
            Self::Foreign => "Deletion of what another owns",
            Self::Denied => "Not let through, so not known",
            Self::Unpredictable => "Unpredictable",
            Self::Warnings => "Warnings",
        }
    }
}

/// One entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// How bad.
    pub tone: Tone,
    /// What: object, class, field, cause. Commands stand in backticks.
    pub text: String,
    /// What helps.
    pub help: Option<String>,
    /// The fields that it is about.
    pub fields: &'a [FieldChange],
    /// Whether a person must act.
    pub needs_a_person: bool,
}

/// Returns the first line: what would come of it, and that nothing was changed. And how bad that is.
#[must_use]
pub fn headline(rehearsed: &Rehearsed) -> (Tone, String) {
    let subject = rehearsed.subject.as_deref().unwrap_or("The command");
    let (tone, said) = verdict(rehearsed);
    (tone, format!("{subject} would {said}. Nothing was changed."))
}

fn verdict(rehearsed: &Rehearsed) -> (Tone, String) {
    let (refused, cured, total) = (rehearsed.refused().len(), rehearsed.cured(), rehearsed.total());
    let (lost, foreign) =
        (rehearsed.of_class(Class::DataLoss).count(), rehearsed.of_class(Class::ForeignDeletion).count());
    let exit_code = rehearsed.end.exit_code;
    let mut harm = Vec::new();
    if lost > 0 {
        harm.push(if lost == 1 { "1 loss of data".to_owned() } else { format!("{lost} losses of data") });
    }
    if foreign > 0 {
        harm.push(format!("{} of what another owns", counted(foreign, "deletion")));
    }
    let harm = (!harm.is_empty()).then(|| harm.join(", "));
    let beside = harm.as_ref().map(|harm| format!("; {harm}")).unwrap_or_default();
    if refused > 0 {
        let is = is_or_are(refused);
        let many = format!("{refused} of {} {is} refused", counted(total, "object"));
        return match (cured, refused - cured) {
            (0, _) => (Tone::Bad, format!("fail: {many}{beside}")),
            (_, 0) => {
                let tone = if harm.is_some() || is_unexplained(rehearsed) { Tone::Bad } else { Tone::Warning };
                (tone, format!("fail without the plan: {many}, and the plan cures {}{beside}", all_of(refused)))
            }
            _ => (Tone::Bad, format!("fail: {many}, and the plan cures {cured} of them{beside}")),
        };
    }
    if exit_code != 0 {
        return (Tone::Bad, format!("fail: it ended with exit code {exit_code}{beside}"));
    }
    if let Some(harm) = harm {
        return (Tone::Bad, format!("go through and do harm: {harm}"));
    }
    let denied = rehearsed.denied.len();
    if denied > 0 {
        let was = if denied == 1 { "was" } else { "were" };
        let many = counted(denied, "request");
        return (Tone::Warning, format!("go through as far as it was seen: {many} {was} not let through"));
    }
    let unpredictable = rehearsed.under(Heading::Unpredictable).count();
    if unpredictable > 0 {
        let is = is_or_are(unpredictable);
        let all = counted(total, "object");
        return (
            Tone::Warning,
            format!("go through as far as can be told: {unpredictable} of {all} {is} unpredictable"),
        );
    }
    let tone = if rehearsed.findings.is_empty() { Tone::Good } else { Tone::Warning };
    match total {
        0 => (tone, "write no object".to_owned()),
        _ if rehearsed.under(Heading::Unchanged).count() == total => {
            (tone, format!("go through and leave {} as it is", all_objects(total)))
        }
        _ => (tone, format!("go through: the server takes {}", all_objects(total))),
    }
}

/// With refusals hidden, a command that fails has another cause than they.
fn is_unexplained(rehearsed: &Rehearsed) -> bool {
    rehearsed.mode == Mode::All && rehearsed.end.exit_code != 0
}

/// Returns the line that counts the objects, such as `263 objects: 5 created, 258 unchanged`; nothing if there are none.
#[must_use]
pub fn counts(rehearsed: &Rehearsed) -> Option<String> {
    let counts = rehearsed.counts();
    let each: Vec<String> = counts.iter().map(|(heading, count)| format!("{count} {}", heading.word())).collect();
    (!each.is_empty()).then(|| format!("{}: {}", counted(rehearsed.total(), "object"), each.join(", ")))
}

/// Returns what changes by heading: how many, and of which kinds; one or two are named.
#[must_use]
pub fn changes(rehearsed: &Rehearsed) -> Vec<(Heading, usize, String)> {
    let row = |heading: Heading| {
        let objects: Vec<&RehearsedObject> = rehearsed.under(heading).collect();
        let told = match objects.as_slice() {
            [] => return None,
            [one] => one.object.to_string(),
            [one, two] => format!("{}, {}", one.object, two.object),
            _ => kinds(&rehearsed.kinds(heading)),
        };
        Some((heading, objects.len(), told))
    };
    Heading::ALL.into_iter().filter(|heading| heading.changes_the_cluster()).filter_map(row).collect()
}

fn kinds(counts: &[(&str, usize)]) -> String {
    // "1 other" is no shorter than the kind's name.
    let shown = if counts.len() == KINDS + 1 { counts.len() } else { KINDS };
    let mut told: Vec<String> = counts
        .iter()
        .take(shown)
        .map(|(kind, count)| if *count == 1 { format!("1 {kind}") } else { format!("{count} {}", plural(kind)) })
        .collect();
    let others: usize = counts.iter().skip(shown).map(|(_, count)| count).sum();
    if others > 0 {
        told.push(format!("{others} others"));
    }
    told.join(", ")
}

/// Returns how many workloads get new pods, and the first of them by name; nothing if none does.
#[must_use]
pub fn restarts(rehearsed: &Rehearsed) -> Option<(usize, String)> {
    let restarting = rehearsed.objects.iter().filter(|object| object.restarts_pods);
    let names: Vec<ObjectRef> = restarting.map(|object| object.object.clone()).collect();
    (!names.is_empty()).then(|| (names.len(), format!("pods of {}", some(&names, NAMES))))
}

/// Returns what a reader must know to read the rest: nothing for an ordinary rehearsal.
#[must_use]
pub fn note(rehearsed: &Rehearsed) -> Option<&'static str> {
    match rehearsed.mode {
        Mode::All => None,
        Mode::AsHelm => Some(
            "Refusals were handed to the command, as in a real run: what it did next is counted, what it then left out is not known.",
        ),
    }
}

/// Returns the entries of one list, most important first.
#[must_use]
pub fn entries(rehearsed: &Rehearsed, about: About) -> Vec<Entry<'_>> {
    match about {
        About::Refused => refusals(rehearsed),
        About::End => end(rehearsed),
        About::Loss => rehearsed.of_class(Class::DataLoss).map(|finding| untitled(finding)).collect(),
        About::Foreign => rehearsed.of_class(Class::ForeignDeletion).map(|finding| untitled(finding)).collect(),
        About::Denied => {
            let unseen = rehearsed.denied.iter().chain(&rehearsed.notes);
            unseen.map(|what| plain(Tone::Unknown, what.clone())).collect()
        }
        About::Unpredictable => unpredictable(rehearsed),
        About::Warnings => {
            let warnings = rehearsed.findings.iter().filter(|finding| !finding.class.blocks());
            warnings.map(|finding| Entry { tone: Tone::Warning, ..of_finding(finding) }).collect()
        }
    }
}

/// What a person must see to comes before what the plan cures.
fn refusals(rehearsed: &Rehearsed) -> Vec<Entry<'_>> {
    let of_refusals = || rehearsed.findings.iter().filter(|finding| finding.is_refusal());
    let is_told = |object: &ObjectRef| of_refusals().any(|finding| finding.object.is_same_object(object));
    let untold = rehearsed.under(Heading::Refused).filter(|object| !is_told(&object.object));
    let mut entries: Vec<Entry<'_>> = of_refusals().map(of_finding).collect();
    entries.extend(untold.map(|object| Entry {
        needs_a_person: true,
        ..plain(Tone::Bad, format!("{}: refused without a reason", object.object))
    }));
    entries.sort_by_key(|entry| !entry.needs_a_person);
    entries
}

fn end(rehearsed: &Rehearsed) -> Vec<Entry<'_>> {
    let end = &rehearsed.end;
    if end.exit_code == 0 {
        return Vec::new();
    }
    let is_bad = |text: String| Entry { needs_a_person: true, ..plain(Tone::Bad, text) };
    if end.problems.is_empty() {
        return vec![is_bad(format!("exit code {}, without an error that could be read", end.exit_code))];
    }
    // A command that saw the refusals says the same again.
    let refused = if rehearsed.mode == Mode::AsHelm { rehearsed.refused() } else { Vec::new() };
    let is_told = |problem: &&Problem| refused.iter().any(|object| problem.object.contains(&object.name));
    let told = end.problems.iter().filter(|problem| !is_told(problem)).map(|problem| {
        let field = problem.field.as_ref().map(|field| format!(", {field}")).unwrap_or_default();
        let text = format!("{}{field}: {}", problem.object, problem.cause);
        Entry { help: problem.remedy.clone(), ..is_bad(text) }
    });
    told.collect()
}

/// Objects of which the same is not known are one entry.
fn unpredictable(rehearsed: &Rehearsed) -> Vec<Entry<'_>> {
    let mut groups: Vec<(&str, Vec<ObjectRef>)> = Vec::new();
    for object in &rehearsed.objects {
        let Verdict::Unpredictable { because } = &object.verdict else { continue };
        match groups.iter_mut().find(|(reason, _)| reason == because) {
            Some((_, objects)) => objects.push(object.object.clone()),
            None => groups.push((because, vec![object.object.clone()])),
        }
    }
    let told = |(because, objects): (&str, Vec<ObjectRef>)| format!("{}: {because}", some(&objects, NAMES));
    groups.into_iter().map(|group| plain(Tone::Unknown, told(group))).collect()
}

fn plain(tone: Tone, text: String) -> Entry<'static> {
    Entry { tone, text, help: None, fields: &[], needs_a_person: false }
}

fn of_finding(finding: &Finding) -> Entry<'_> {
    let tone = if finding.needs_a_person() { Tone::Bad } else { Tone::Warning };
    Entry {
        tone,
        text: self::finding(finding),
        help: Some(remedy(&finding.remedy)),
        fields: &finding.fields,
        needs_a_person: finding.needs_a_person(),
    }
}

/// The title of the list tells the class.
fn untitled(finding: &Finding) -> Entry<'_> {
    Entry { text: about_object(finding, None), ..of_finding(finding) }
}

/// Returns a finding in one line: `Job shop/init: immutable field, spec.template: it cannot be changed`.
///
/// Fields and who stands in the way are named unless the cause names them.
#[must_use]
pub fn finding(finding: &Finding) -> String {
    about_object(finding, Some(finding.class.title()))
}

fn about_object(finding: &Finding, title: Option<&str>) -> String {
    let cause = &finding.cause;
    let paths: Vec<&str> = finding.fields.iter().map(|field| field.path.as_str()).collect();
    let is_told = paths.first().is_some_and(|path| cause.contains(path));
    let fields = (!is_told && !paths.is_empty()).then(|| listed(&paths, FIELDS));
    let parts: Vec<String> = [title.map(str::to_owned), fields].into_iter().flatten().collect();
    let what = if parts.is_empty() { String::new() } else { format!("{}: ", parts.join(", ")) };
    let who = finding.who.as_deref().filter(|who| !cause.contains(who));
    let who = who.map(|who| format!(" ({who})")).unwrap_or_default();
    format!("{}: {what}{cause}{who}", finding.object)
}

/// Returns what helps.
#[must_use]
pub fn remedy(remedy: &Remedy) -> String {
    match remedy {
        Remedy::RemoveFinishedJob { .. } => "the plan removes it first, and Helm makes it anew".to_owned(),
        Remedy::Person { text } => text.clone(),
    }
}

/// Returns the finding as a report tells it: object, field, cause, remedy.
#[must_use]
pub fn problem(finding: &Finding) -> Problem {
    let who = finding.who.as_deref().filter(|who| !finding.cause.contains(who));
    let who = who.map(|who| format!(" ({who})")).unwrap_or_default();
    Problem {
        object: finding.object.to_string(),
        field: finding.fields.first().map(|field| field.path.clone()),
        cause: format!("{}: {}{who}", finding.class.title(), finding.cause),
        remedy: Some(remedy(&finding.remedy)),
    }
}

/// Returns one line for an object: `changed Deployment shop/web (new pods): spec.replicas`.
#[must_use]
pub fn object(heading: Heading, object: &RehearsedObject) -> String {
    let paths: Vec<&str> = object.changes.iter().map(|change| change.path.as_str()).collect();
    let fields = if paths.is_empty() { String::new() } else { format!(": {}", listed(&paths, FIELDS)) };
    format!("{} {}{}{fields}", heading.word(), object.object, traits(object))
}

/// Returns what is special about an object, in brackets, after a space; nothing if nothing is.
#[must_use]
pub fn traits(object: &RehearsedObject) -> String {
    let told: Vec<&str> = [(object.is_hook, "hook"), (object.restarts_pods, "new pods")]
        .into_iter()
        .filter_map(|(is, word)| is.then_some(word))
        .collect();
    if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) }
}

/// Returns the flags that accept what would be destroyed, each with its reason: it is named object by object.
#[must_use]
pub fn consent(findings: &[Finding]) -> Vec<String> {
    let mut asked: Vec<(&ObjectRef, Vec<String>)> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.class.destroys()) {
        let because = format!("{}, {}", finding.class.title(), finding.cause);
        match asked.iter_mut().find(|(object, _)| object.is_same_object(&finding.object)) {
            Some((_, reasons)) => reasons.push(because),
            None => asked.push((&finding.object, vec![because])),
        }
    }
    let flag =
        |(object, reasons): (&ObjectRef, Vec<String>)| format!("`--delete {}`: {}", typed(object), reasons.join("; "));
    asked.into_iter().map(flag).collect()
}

/// Returns the ways on in spite of what stands in the way: the flags that accept what would be destroyed, and those for a
/// rehearsal that is wrong.
#[must_use]
pub fn ways_on(standing: &[Finding]) -> Vec<String> {
    let mut ways = consent(standing);
    for class in Class::ALL.into_iter().filter(|class| !class.destroys()) {
        if standing.iter().any(|finding| finding.class == class) {
            ways.push(format!("`--waive {}=REASON`, if the rehearsal is wrong there", class.waiver_id()));
        }
    }
    ways
}

/// Returns what a user types to name the object: `persistentvolumeclaim/shop/data`.
fn typed(object: &ObjectRef) -> String {
    format!("{}/{}", object.kind.to_lowercase(), object.full_name())
}

/// Returns old and new value of a field as one line of JSON each; nothing where there is none. Of texts of several lines only the
/// lines that differ are kept, with their numbers.
#[must_use]
pub fn values(change: &FieldChange) -> (Option<String>, Option<String>) {
    if let (Some(Value::String(before)), Some(Value::String(after))) = (&change.before, &change.after)
        && (before.contains('\n') || after.contains('\n'))
    {
        return differing_lines(before, after);
    }
    (change.before.as_ref().map(Value::to_string), change.after.as_ref().map(Value::to_string))
}

fn differing_lines(before: &str, after: &str) -> (Option<String>, Option<String>) {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.split('\n').collect(), after.split('\n').collect());
    let shorter = old.len().min(new.len());
    let start = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let end = old.iter().rev().zip(new.iter().rev()).take(shorter - start).take_while(|(old, new)| old == new).count();
    let told = |lines: &[&str]| {
        let kept = lines.get(start..lines.len() - end).unwrap_or_default();
        let place = match kept.len() {
            0 => return None,
            1 => format!("line {}", start + 1),
            count => format!("lines {}-{}", start + 1, start + count),
        };
        Some(format!("{place}: {}", Value::from(kept.join("\n"))))
    };
    (told(&old), told(&new))
}

/// Returns at most `limit` texts, then `and N more`.
fn listed(texts: &[&str], limit: usize) -> String {
    let shown = texts.iter().take(limit).copied().collect::<Vec<_>>().join(", ");
    match texts.len().saturating_sub(limit) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Returns the plural of a kind, as English forms it: `Ingresses`, `NetworkPolicies`. A kind that is a plural already stays.
#[must_use]
pub fn plural(kind: &str) -> String {
    let ends = |endings: &[&str]| endings.iter().any(|ending| kind.ends_with(ending));
    let stem = kind.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'i', 'o', 'u']));
    match stem {
        Some(stem) => format!("{stem}ies"),
        None if ends(&["ss", "us", "as", "x", "z", "ch", "sh"]) => format!("{kind}es"),
        None if kind.ends_with('s') => kind.to_owned(),
        None => format!("{kind}s"),
    }
}

fn all_of(count: usize) -> String {
    match count {
        1 => "it".to_owned(),
        2 => "both".to_owned(),
        _ => format!("all {count}"),
    }
}

fn all_objects(count: usize) -> String {
    match count {
        1 => "the one object".to_owned(),
        2 => "both objects".to_owned(),
        _ => format!("all {count} objects"),
    }
}

#[cfg(test)]
mod tests;
