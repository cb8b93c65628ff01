//! A case of the corpus: a folder without code, read. `tests/rehearsal/corpus/README.md` says what may stand in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use helm_csghub::domain::manifest;
use helm_csghub::domain::object::ObjectRef;
use helm_csghub::domain::rehearsed::Class;
use serde::Deserialize;
use serde_json::Value;

/// A Helm, and how it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Arm {
    Helm3,
    Helm4Client,
    Helm4Server,
}

impl Arm {
    pub(super) const ALL: [Self; 3] = [Self::Helm3, Self::Helm4Client, Self::Helm4Server];

    /// Returns the version of its Helm.
    pub(super) fn version(self) -> &'static str {
        match self {
            Self::Helm3 => "3.22.0",
            Self::Helm4Client | Self::Helm4Server => "4.3.1",
        }
    }

    /// Returns what is added to `helm install` and `helm upgrade`.
    pub(super) fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Helm3 => &[],
            Self::Helm4Client => &["--server-side=false"],
            Self::Helm4Server => &["--server-side=true"],
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Helm3 => "3.22.0",
            Self::Helm4Client => "4.3.1 client",
            Self::Helm4Server => "4.3.1 server",
        }
    }
}

/// What the command wants to do to the object that is in trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verb {
    Create,
    Update,
    Delete,
}

impl Verb {
    pub(super) const ALL: [Self; 3] = [Self::Create, Self::Update, Self::Delete];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// A fault that must be found.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    pub(super) class: Class,
    /// `Kind NAMESPACE/NAME`, or `Kind NAME` of a cluster-scoped object.
    pub(super) object: String,
}

/// A write of which nobody can tell.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Unpredictable {
    pub(super) object: String,
    /// Which of the exceptions it is.
    pub(super) because: String,
}

/// What differs on one of the Helms.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OnArm {
    not_applicable: Option<String>,
    class: Option<Class>,
    verb: Option<Verb>,
    expect: Vec<Expected>,
    unpredictable: Vec<Unpredictable>,
}

/// Charts of `tests/charts` in the place of manifests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Charts {
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    /// Added once something was refused: with them it is not.
    #[serde(default)]
    pub(super) cure_flags: Vec<String>,
}

/// A right of the user who rehearses and runs, in the namespace.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Right {
    pub(super) group: String,
    pub(super) resources: Vec<String>,
    pub(super) verbs: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct CaseFile {
    /// One line.
    about: String,
    #[serde(default)]
    class: Option<Class>,
    verb: Verb,
    #[serde(default)]
    is_hook: bool,
    #[serde(default)]
    expect: Vec<Expected>,
    #[serde(default)]
    unpredictable: Vec<Unpredictable>,
    #[serde(default)]
    on: BTreeMap<Arm, OnArm>,
    #[serde(default)]
    is_quick: bool,
    #[serde(flatten)]
    setting: BTreeMap<String, serde_json::Value>,
}

/// How the stage is set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Setting {
    /// Waits until what `from` makes is ready.
    pub(super) wait: bool,
    /// kubectl's words, run between `from` and the rehearsal.
    pub(super) hand: Vec<String>,
    pub(super) rights: Option<Vec<Right>>,
    /// Of the rehearsed command and of the real one.
    pub(super) flags: Vec<String>,
    /// Noise in the chart that Helm keeps in its record.
    pub(super) record_kilobytes: usize,
    pub(super) charts: Option<Charts>,
    /// Objects of which the server refuses some, and which of them depends on the order in which they come.
    pub(super) interchangeable: Vec<String>,
}

/// A case on one Helm.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) folder: PathBuf,
    pub(super) arm: Arm,
    /// Absent for a clean one.
    pub(super) class: Option<Class>,
    pub(super) verb: Verb,
    pub(super) is_hook: bool,
    pub(super) expect: Vec<Expected>,
    pub(super) unpredictable: Vec<Unpredictable>,
    pub(super) is_quick: bool,
    /// Why it is none on this Helm.
    pub(super) not_applicable: Option<String>,
    pub(super) setting: Setting,
}

impl Case {
    /// Reads every case of the corpus, on every Helm.
    pub(super) fn all() -> Vec<Self> {
        let root = corpus();
        let folders = fs::read_dir(&root).expect("the corpus").map(|entry| entry.expect("an entry").path());
        let mut folders: Vec<PathBuf> = folders.filter(|path| path.is_dir()).collect();
        folders.sort();
        folders.iter().flat_map(|folder| Arm::ALL.map(|arm| Self::read(folder, arm))).collect()
    }

    fn read(folder: &Path, arm: Arm) -> Self {
        let name = folder.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let text = fs::read_to_string(folder.join("case.yaml")).unwrap_or_else(|error| panic!("{name}: {error}"));
        let file: CaseFile = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let setting = serde_json::to_value(file.setting).expect("JSON");
        let setting = serde_json::from_value(setting).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut case = Self {
            name,
            about: file.about,
            folder: folder.to_owned(),
            arm,
            class: file.class,
            verb: file.verb,
            is_hook: file.is_hook,
            expect: file.expect,
            unpredictable: file.unpredictable,
            is_quick: file.is_quick,
            not_applicable: None,
            setting,
        };
        if let Some(own) = file.on.get(&arm).cloned() {
            case.class = own.class;
            case.verb = own.verb.unwrap_or(case.verb);
            case.expect = own.expect;
            case.unpredictable = own.unpredictable;
            case.not_applicable = own.not_applicable;
        }
        let is_told = !case.expect.is_empty() || !case.unpredictable.is_empty();
        let is_legal = case.not_applicable.is_none();
        assert!(case.unpredictable.iter().all(|one| !one.because.is_empty()), "{}: unpredictable, and why?", case.name);
        assert!(
            !is_legal || case.class.is_some() == is_told,
            "{}: a class and what is expected go together",
            case.name
        );
        case
    }

    /// Returns the text of one of its files with the placeholders filled in; nothing if there is none.
    pub(super) fn file(&self, name: &str, places: &Places) -> Option<String> {
        let text = fs::read_to_string(self.folder.join(name)).ok()?;
        Some(places.fill(&text))
    }

    /// Returns `name / Helm`.
    pub(super) fn title(&self) -> String {
        format!("{} / {}", self.name, self.arm.title())
    }
}

/// Returns the folder of the corpus.
pub(super) fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rehearsal/corpus")
}

/// What the placeholders stand for in one run of a case.
pub(super) struct Places {
    pub(super) namespace: String,
    pub(super) ports: [u16; 2],
}

impl Places {
    /// Fills in `CASE_NAMESPACE`, `CASE_PORT_1` and `CASE_PORT_2`.
    pub(super) fn fill(&self, text: &str) -> String {
        text.replace("CASE_NAMESPACE", &self.namespace)
            .replace("CASE_PORT_1", &self.ports[0].to_string())
            .replace("CASE_PORT_2", &self.ports[1].to_string())
    }
}

/// An object of a manifest, as it is written.
#[derive(Debug, Clone)]
pub(super) struct Document {
    /// As [`id_of`] names it.
    pub(super) id: String,
    /// With its namespace.
    pub(super) value: Value,
    pub(super) text: String,
}

/// Returns the objects of a file of manifests.
pub(super) fn documents(text: &str, namespace: &str) -> Vec<Document> {
    let pieces = text.split("\n---").map(str::trim).filter(|piece| !piece.is_empty());
    pieces
        .flat_map(|piece| {
            let objects = manifest::parse(piece).unwrap_or_else(|error| panic!("{error}: {piece}"));
            objects.into_iter().map(|object| {
                let mut value = object.into_value();
                let is_cluster_scoped = value["kind"].as_str().is_some_and(is_cluster_scoped);
                if !is_cluster_scoped && value.pointer("/metadata/namespace").is_none() {
                    value["metadata"]["namespace"] = namespace.into();
                }
                Document { id: id_of_value(&value, namespace), value, text: piece.trim_start_matches("---").to_owned() }
            })
        })
        .collect()
}

fn id_of_value(value: &Value, namespace: &str) -> String {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let own = text("/metadata/namespace");
    id_of(text("/kind"), if own.is_empty() { namespace } else { own }, text("/metadata/name"))
}

/// Kinds of the corpus that have no namespace.
const CLUSTER_SCOPED: [&str; 12] = [
    "Namespace",
    "PersistentVolume",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "StorageClass",
    "PriorityClass",
    "IngressClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
];

/// Tells whether objects of that kind have no namespace.
pub(super) fn is_cluster_scoped(kind: &str) -> bool {
    CLUSTER_SCOPED.contains(&kind)
}

/// Returns `Kind NAMESPACE/NAME`, or `Kind NAME`.
pub(super) fn id_of(kind: &str, namespace: &str, name: &str) -> String {
    if is_cluster_scoped(kind) { format!("{kind} {name}") } else { format!("{kind} {namespace}/{name}") }
}

/// Returns the same for an object that the rehearsal names; Helm does not say a namespace that the manifest leaves out.
pub(super) fn id_of_ref(object: &ObjectRef, namespace: &str) -> String {
    id_of(&object.kind, object.namespace.as_deref().unwrap_or(namespace), &object.name)
}

/// Returns the plural of a kind, as it stands in paths.
pub(super) fn plural(kind: &str) -> String {
    let lower = kind.to_lowercase();
    match lower.as_bytes() {
        [.., b's'] => format!("{lower}es"),
        [.., b'y'] => format!("{}ies", &lower[..lower.len() - 1]),
        _ => format!("{lower}s"),
    }
}
