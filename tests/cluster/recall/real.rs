//! What really happened: what the server refused (its audit log tells), what Helm refused before it (its error tells), and how
//! the objects were before and after.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use helm_csghub::domain::content;
use helm_csghub::domain::object::Object;
use helm_csghub::domain::rehearsed::{Class, Operation};
use serde_json::Value;

use super::case::{Document, id_of, is_cluster_scoped, plural};
use super::stage::{Stage, kind_of};
use crate::support::Request;

/// Returns the objects whose writes the server refused, as the corpus names them.
///
/// Not counted: a deletion of what is not there, a creation of a namespace or CRD that is (Helm takes both for done), and what
/// passes by itself.
pub(super) fn refused(requests: &[Request], known: &[Document], namespace: &str) -> BTreeSet<String> {
    let refused = requests.iter().enumerate().filter(|(_, request)| {
        let is_done = match request.verb.as_str() {
            "delete" => request.code == 404,
            "create" => {
                request.code == 409 && matches!(request.resource.as_str(), "namespaces" | "customresourcedefinitions")
            }
            _ => false,
        };
        request.is_write() && request.code >= 400 && !matches!(request.code, 429 | 503) && !is_done
    });
    refused.map(|(index, request)| named(request, &requests[..index], known, namespace)).collect()
}

/// Names the object of a request: kinds by the plural in its path. The audit log has no body of a creation that was refused before
/// it was decoded; Helm asked for the object just before, and it was not there.
fn named(request: &Request, earlier: &[Request], known: &[Document], namespace: &str) -> String {
    let path = request.uri.split('?').next().unwrap_or_default();
    let asked_for = || {
        earlier.iter().rev().filter(|asked| asked.verb == "get" && asked.code == 404).find_map(|asked| {
            let name = asked.uri.split('?').next()?.strip_prefix(path)?.strip_prefix('/')?;
            (!name.contains('/')).then_some(name)
        })
    };
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    // api/v1/..., apis/GROUP/VERSION/...
    let rest = parts.get(if parts.first() == Some(&"api") { 2 } else { 3 }..).unwrap_or_default();
    let (own, rest) = match rest {
        ["namespaces", own, rest @ ..] if !rest.is_empty() => (*own, rest),
        rest => (namespace, rest),
    };
    let of_body = request.body.as_ref().and_then(|body| body.pointer("/metadata/name")?.as_str());
    let name = rest.get(1).copied().or(of_body).or_else(asked_for).unwrap_or("?");
    let resource = rest.first().copied().unwrap_or_default();
    let kinds = known.iter().map(kind_of).chain(["Secret"]);
    let kind = kinds.into_iter().find(|kind| plural(kind) == resource).unwrap_or(resource);
    id_of(kind, own, name)
}

/// Returns the objects that Helm itself refuses: what is not the release's own, and kinds that the server does not know.
pub(super) fn refused_by_helm(stderr: &str, namespace: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut unowned, mut unknown) = (BTreeSet::new(), BTreeSet::new());
    for (at, _) in stderr.match_indices(" exists and cannot be imported into the current release") {
        // `ConfigMap "a" in namespace "b"`
        let words: Vec<&str> = stderr[..at].rsplitn(6, ' ').collect();
        let quoted = |index: usize| words.get(index).map_or("", |word| word.trim_matches('"'));
        let own = if quoted(0).is_empty() { namespace } else { quoted(0) };
        unowned.insert(id_of(quoted(4).rsplit(' ').next().unwrap_or_default(), own, quoted(3)));
    }
    for object in helm_csghub::domain::helm_error::missing_kinds(stderr) {
        unknown.insert(id_of(&object.kind, object.namespace.as_deref().unwrap_or(namespace), &object.name));
    }
    (unowned, unknown)
}

/// How often the objects are read at most, where kubectl complains.
const READINGS: usize = 20;

/// Objects as they are.
#[derive(Debug, Clone)]
pub(super) struct State(BTreeMap<String, Value>);

impl State {
    /// Reads the objects that manifests of the case name.
    pub(super) fn of(stage: &Stage<'_>) -> Self {
        let Some(file) = stage.file_of_all() else { return Self(BTreeMap::new()) };
        let mut last = None;
        for _ in 0..READINGS {
            let output = stage.bed.try_kubectl(&get_words(&file), None);
            // Kinds that the server does not know are told on standard error; the rest is there, but for the moment in which a kind
            // goes: kubectl then prints nothing.
            if output.status.success() || last.as_ref() == Some(&output.stdout) {
                return Self::read(&output.stdout);
            }
            last = Some(output.stdout);
            std::thread::sleep(Duration::from_millis(500));
        }
        panic!("{}: its objects cannot be read twice the same", stage.namespace());
    }

    /// Reads what kubectl prints.
    pub(super) fn read(printed: &[u8]) -> Self {
        let read: Value = serde_json::from_slice(printed).unwrap_or_default();
        let items = match read.get("items").and_then(Value::as_array) {
            Some(items) => items.clone(),
            None if read.is_null() => Vec::new(),
            None => vec![read],
        };
        let is_there = |object: &Value| object.pointer("/metadata/deletionTimestamp").is_none();
        let named = |object: Value| {
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            (id_of(text("/kind"), text("/metadata/namespace"), text("/metadata/name")), object)
        };
        Self(items.into_iter().filter(is_there).map(named).collect())
    }

    pub(super) fn get(&self, id: &str) -> Option<&Value> {
        self.0.get(id)
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    /// Returns what became of an object; nothing if it is in neither.
    pub(super) fn operation(&self, later: &Self, id: &str) -> Option<Operation> {
        let uid = |object: &Value| object.pointer("/metadata/uid").cloned();
        match (self.get(id), later.get(id)) {
            (None, None) => None,
            (None, Some(_)) => Some(Operation::Create),
            (Some(_), None) => Some(Operation::Delete),
            (Some(before), Some(after)) if uid(before) != uid(after) => Some(Operation::Replace),
            (Some(_), Some(_)) if self.changes(later, id).is_empty() => Some(Operation::Unchanged),
            (Some(_), Some(_)) => Some(Operation::Change),
        }
    }

    /// Returns the paths of the fields that differ.
    pub(super) fn changes(&self, later: &Self, id: &str) -> BTreeSet<String> {
        let settled = |object: &Value| content::of(&Object::new(object.clone()).expect("an object"));
        match (self.get(id), later.get(id)) {
            (Some(before), Some(after)) => {
                content::differences(&settled(before), &settled(after)).into_iter().collect()
            }
            _ => BTreeSet::new(),
        }
    }
}

/// Returns kubectl's words that read the objects of a file.
pub(super) fn get_words(file: &str) -> [&str; 6] {
    ["get", "-f", file, "--ignore-not-found", "-o", "json"]
}

/// Tells whether an allocator chose the value, so that nobody can know it before.
pub(super) fn is_allocated(path: &str, manifest: Option<&Document>) -> bool {
    let is_asked = |field: &str| manifest.is_some_and(|document| document.text.contains(&format!("{field}:")));
    let allocated = ["clusterIP", "clusterIPs", "nodePort", "healthCheckNodePort"];
    allocated.iter().any(|field| {
        let is_it = path.rsplit('.').next() == Some(field) || path.contains(&format!(".{field}["));
        is_it && !is_asked(field.trim_end_matches('s'))
    })
}

/// The cures of a refused upgrade, as a person would do them, so that Helm comes to what is behind: an object of nobody is given
/// to the release; what is refused stays as it was (a hand edit is given up), or is left out where it was not, or with
/// `is_left_out`.
pub(super) fn cure(stage: &mut Stage<'_>, refused: &BTreeSet<String>, unowned: &BTreeSet<String>, is_left_out: bool) {
    for id in unowned {
        let (kind, rest) = id.split_once(' ').expect("an id");
        let (namespace, name) = rest.split_once('/').unwrap_or((stage.namespace(), rest));
        let release = format!("meta.helm.sh/release-namespace={}", stage.namespace());
        let words = |verb: &'static str| vec![verb, kind, name, "--overwrite", "-n", namespace];
        let (mut label, mut annotate) = (words("label"), words("annotate"));
        label.push("app.kubernetes.io/managed-by=Helm");
        annotate.extend(["meta.helm.sh/release-name=shop", &release]);
        for words in [label, annotate] {
            let output = stage.bed.try_kubectl(&words, None);
            assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    let from = stage.from.clone().unwrap_or_default();
    let as_it_was = |id: &String| from.iter().find(|document| document.id == *id).cloned();
    if refused.iter().any(|id| id.contains("/sh.helm.release.v1.")) {
        stage.record_kilobytes = 0;
    }
    if let Some(charts) = &stage.case.setting.charts {
        stage.cure_flags.clone_from(&charts.cure_flags);
        return;
    }
    let conflicts = stage.case.expect.iter().filter(|expected| expected.class == Class::ApplyConflict);
    let conflicts: Vec<String> = conflicts.map(|expected| stage.places.fill(&expected.object)).collect();
    let edited = from.iter().filter(|document| refused.contains(&document.id) && conflicts.contains(&document.id));
    stage.apply(&edited.cloned().collect::<Vec<_>>(), "helm");
    let Some(to) = &mut stage.to else { return };
    for id in refused {
        let place = to.iter().position(|document| document.id == *id);
        // A hook as it was would be made and removed just the same.
        match (
            place,
            as_it_was(id)
                .filter(|old| old.value.pointer("/metadata/annotations/helm.sh~1hook").is_none() && !is_left_out),
        ) {
            (Some(place), Some(old)) => to[place] = old,
            (Some(place), None) => drop(to.remove(place)),
            (None, Some(old)) => to.push(old),
            (None, None) => {}
        }
    }
}

/// Returns ids of cluster-scoped objects and of those in the namespace, for messages.
pub(super) fn shown(ids: &BTreeSet<String>, namespace: &str) -> String {
    let short = ids.iter().map(|id| {
        let kind = id.split(' ').next().unwrap_or_default();
        if is_cluster_scoped(kind) { id.clone() } else { id.replace(&format!("{namespace}/"), "") }
    });
    let text = short.collect::<Vec<_>>().join(", ");
    if text.is_empty() { "-".to_owned() } else { text }
}
