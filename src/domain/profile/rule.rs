//! What a profile says about rendered manifests: which documents, and what is changed in them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::domain::field_path::FieldPath;
use crate::domain::image;
use crate::domain::object::Object;
use crate::domain::yaml;

/// A change of some documents, with its reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rule {
    /// How the rule is called in notes and errors: lower-case letters, digits and dashes.
    pub name: String,
    /// Why, in a few words; the notes quote it.
    pub because: String,
    /// Which documents; all of them if it is left out.
    #[serde(default, skip_serializing_if = "Select::is_all")]
    pub select: Select,
    /// What is changed in each of them, in this order: each change sees what those before it made.
    pub changes: Vec<Change>,
}

/// Which documents. What is left out matches all; of several things in a list, one must match.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Select {
    /// `Deployment.apps`, or `Service` for the core group; `*.apps` for all kinds of a group, `*` for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<GroupKind>,
    /// `metadata.name`; `*` stands for any characters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<NamePattern>,
    /// `metadata.namespace`, or the release's namespace where a document has none; `*` stands for any characters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<NamePattern>,
    /// Labels that must all be there; `*` stands for any characters of a value.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, NamePattern>,
    /// The chart version that the release comes from, as a constraint such as `<2.2.0`. Nothing matches a new release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The chart version that is rendered, as a constraint such as `>=2.2.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Helm's record of the release would be larger than so many bytes; a Secret holds 1048576.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_over: Option<u64>,
}

impl Select {
    /// Tells whether nothing is asked for: every document is selected.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }
}

/// One change of a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Labels that the document gets, or gets another value of.
    SetLabels(BTreeMap<String, String>),
    /// Labels that the document loses.
    RemoveLabels(Vec<String>),
    /// Annotations that the document gets, or gets another value of.
    SetAnnotations(BTreeMap<String, String>),
    /// Annotations that the document loses.
    RemoveAnnotations(Vec<String>),
    /// A field that gets another value.
    Set(SetField),
    /// A field or list item that goes, such as `spec.template.spec.nodeSelector`.
    Remove(FieldPath),
    /// Items that a list gets.
    AddItems(AddItems),
    /// Items that a list loses.
    RemoveItems(RemoveItems),
    /// The document goes as a whole.
    Drop,
    /// A document that is added once: where the rule selects, from the first selected document on before the next one whose kind Helm
    /// installs later.
    AddDocument(Map<String, Value>),
    /// Labels and annotations by which Helm knows what belongs to the release.
    Adopt,
    /// `helm.sh/resource-policy: keep`: Helm never deletes the object.
    Keep,
    /// Pods use another claim, one that exists.
    TakeClaim(TakeClaim),
    /// A claim is marked to be filled from another one, named here, and that one to be removed later. `{release}` and `{namespace}`
    /// stand for those of the release.
    CopyClaimFrom(String),
    /// The name of a Job ends with a digest of its spec, as all other changes leave it, so that a changed Job is another one.
    UniqueJobNames,
    /// Images are taken from another registry: `docker.io` or `docker.io/library` on the left, what stands in its place on the right.
    MirrorImages(BTreeMap<String, String>),
    /// Images by digest: the image as the chart names it on the left, `sha256:...` on the right.
    PinImages(BTreeMap<String, String>),
    /// Fields that a server sets and that must not be applied: `status`, `metadata.uid`, `metadata.managedFields` and their like.
    StripServerFields,
    /// Descriptions in the schemas of CRDs go.
    SlimCrdDescriptions,
}

/// A field and its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SetField {
    /// Such as `spec.template.spec.containers[*].imagePullPolicy`. Mappings that are missing are made, list items are not.
    pub path: FieldPath,
    /// A text, a number, a boolean.
    #[schemars(extend("type" = ["string", "number", "boolean"]))]
    pub value: Value,
}

/// Items that a list gets at its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AddItems {
    /// The list, such as `spec.template.spec.containers[name=web].env`; it is made where it is missing.
    pub path: FieldPath,
    /// The field that tells items apart, such as `name`: an item whose key is there already is not added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What is added.
    pub items: Vec<Value>,
}

/// Items that a list loses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RemoveItems {
    /// The list.
    pub path: FieldPath,
    /// The field that tells items apart, such as `name`; left out where the items are single values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The values of that field, or the items themselves; `*` stands for any characters.
    pub values: Vec<NamePattern>,
}

/// Which claim takes the place of which. `{release}` and `{namespace}` stand for those of the release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TakeClaim {
    /// The claim that the chart's pods use.
    pub of: String,
    /// The claim that they shall use.
    pub take: String,
}

/// `Kind.group`, or `Kind` for the core group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct GroupKind {
    /// Or `*`.
    pub kind: String,
    /// Empty for the core group.
    pub group: String,
}

impl GroupKind {
    /// Tells whether a document of that `apiVersion` and `kind` is meant.
    #[must_use]
    pub fn is_of(&self, api_version: &str, kind: &str) -> bool {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        (self.kind == "*" || self.kind == kind) && (self.is_any() || self.group == group)
    }
}

impl GroupKind {
    /// `*` alone.
    fn is_any(&self) -> bool {
        self.kind == "*" && self.group.is_empty()
    }

    /// Tells whether there is no such kind: the core group is closed.
    pub(super) fn matches_nothing(&self) -> bool {
        self.group.is_empty() && self.kind != "*" && !CORE_KINDS.contains(&self.kind.as_str())
    }
}

impl TryFrom<String> for GroupKind {
    type Error = NotAPattern;

    fn try_from(text: String) -> Result<Self, NotAPattern> {
        let (kind, group) = text.split_once('.').unwrap_or((&text, ""));
        let is_word = |text: &str, is_inner: fn(u8) -> bool| text.bytes().all(is_inner);
        let is_kind = kind.starts_with(|first: char| first.is_ascii_uppercase())
            && is_word(kind, |byte| byte.is_ascii_alphanumeric());
        let is_group =
            is_word(group, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
        if !(is_kind || kind == "*") || !is_group {
            return Err(NotAPattern { text, wanted: "Kind, Kind.group, *.group or *" });
        }
        Ok(Self { kind: kind.to_owned(), group: group.to_owned() })
    }
}

impl From<GroupKind> for String {
    fn from(of: GroupKind) -> Self {
        if of.group.is_empty() { of.kind } else { format!("{}.{}", of.kind, of.group) }
    }
}

/// A name in which `*` stands for any characters.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct NamePattern {
    text: String,
    /// Nothing where the text has no `*`.
    regex: Option<Regex>,
}

impl NamePattern {
    /// Tells whether the pattern covers the name.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        self.regex.as_ref().map_or(self.text == name, |regex| regex.is_match(name))
    }
}

impl PartialEq for NamePattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// The text is no name, kind or pattern.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not {wanted}")]
pub struct NotAPattern {
    text: String,
    wanted: &'static str,
}

impl FromStr for NamePattern {
    type Err = NotAPattern;

    fn from_str(text: &str) -> Result<Self, NotAPattern> {
        let regex = if text.contains('*') {
            let pattern = format!("^(?s:{})$", regex::escape(text).replace(r"\*", ".*"));
            Some(Regex::new(&pattern).map_err(|_| NotAPattern { text: text.to_owned(), wanted: "a name with `*`" })?)
        } else {
            None
        };
        Ok(Self { text: text.to_owned(), regex })
    }
}

impl TryFrom<String> for NamePattern {
    type Error = NotAPattern;

    fn try_from(text: String) -> Result<Self, NotAPattern> {
        text.parse()
    }
}

impl From<NamePattern> for String {
    fn from(pattern: NamePattern) -> Self {
        pattern.text
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Rule {
    /// Reads the numbers that it writes as Go will.
    pub(super) fn read_numbers_as_go(&mut self) {
        for change in &mut self.changes {
            match change {
                Change::Set(SetField { value, .. }) => read_as_go(value),
                Change::AddItems(AddItems { items, .. }) => items.iter_mut().for_each(read_as_go),
                _ => {}
            }
        }
    }
}

/// Makes whole numbers of `1.0` and `1e3`, and a float of what no signed integer of 64 bits holds, as Kubernetes reads them.
fn read_as_go(value: &mut Value) {
    match value {
        Value::Number(number) if !number.is_i64() => {
            if let Some(read) = number.as_f64().and_then(|float| yaml::float_value(float).ok()) {
                *value = read;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(read_as_go),
        Value::Object(map) => map.values_mut().for_each(read_as_go),
        _ => {}
    }
}

/// The kinds of the core group that can be applied.
///
/// Source: Kubernetes `staging/src/k8s.io/api/core/v1/register.go`; new kinds go into groups with a name.
const CORE_KINDS: [&str; 17] = [
    "Binding",
    "ComponentStatus",
    "ConfigMap",
    "Endpoints",
    "Event",
    "LimitRange",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Pod",
    "PodTemplate",
    "ReplicationController",
    "ResourceQuota",
    "Secret",
    "Service",
    "ServiceAccount",
];

/// Tells whether something within an object mounts the claim.
fn is_claim_named_in(value: &Value, claim: &str) -> bool {
    match value {
        Value::Object(map) => {
            let name = map.get("persistentVolumeClaim").and_then(|source| source.get("claimName"));
            name.is_some_and(|name| name == claim) || map.values().any(|below| is_claim_named_in(below, claim))
        }
        Value::Array(items) => items.iter().any(|item| is_claim_named_in(item, claim)),
        _ => false,
    }
}

impl Change {
    /// Tells whether the change may mean anything for a hook.
    #[must_use]
    pub fn is_for(&self, hook: &Object) -> bool {
        match self {
            // Helm makes a hook anew by itself.
            Self::UniqueJobNames => false,
            Self::MirrorImages(_) | Self::PinImages(_) => image::is_named_in(hook.as_value()),
            Self::TakeClaim(claim) => is_claim_named_in(hook.as_value(), &claim.of),
            Self::SlimCrdDescriptions => hook.kind() == "CustomResourceDefinition",
            _ => true,
        }
    }

    /// Returns the path that it is about, where it is about one.
    #[must_use]
    pub fn path(&self) -> Option<&FieldPath> {
        match self {
            Self::Set(SetField { path, .. })
            | Self::Remove(path)
            | Self::AddItems(AddItems { path, .. })
            | Self::RemoveItems(RemoveItems { path, .. }) => Some(path),
            _ => None,
        }
    }

    /// Returns the name by which a profile says it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::SetLabels(_) => "set-labels",
            Self::RemoveLabels(_) => "remove-labels",
            Self::SetAnnotations(_) => "set-annotations",
            Self::RemoveAnnotations(_) => "remove-annotations",
            Self::Set(_) => "set",
            Self::Remove(_) => "remove",
            Self::AddItems(_) => "add-items",
            Self::RemoveItems(_) => "remove-items",
            Self::Drop => "drop",
            Self::AddDocument(_) => "add-document",
            Self::Adopt => "adopt",
            Self::Keep => "keep",
            Self::TakeClaim(_) => "take-claim",
            Self::CopyClaimFrom(_) => "copy-claim-from",
            Self::UniqueJobNames => "unique-job-names",
            Self::MirrorImages(_) => "mirror-images",
            Self::PinImages(_) => "pin-images",
            Self::StripServerFields => "strip-server-fields",
            Self::SlimCrdDescriptions => "slim-crd-descriptions",
        }
    }
}
