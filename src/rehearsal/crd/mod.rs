//! Custom resource definitions that the server does not have yet, because the rehearsed plan brings them: their custom resources
//! are checked here, since nobody else can.
//!
//! Nothing is guessed: what cannot be told the way the server would tell it is *unpredictable*, neither accepted nor refused.

mod apply;
mod cause;
mod cel_value;
mod fill;
mod format;
mod list_type;
mod metadata;
mod number;
mod pattern;
mod rules;
mod schema;
mod structure;
mod trusted;

#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use crate::domain::object::ObjectRef;
use crate::domain::rehearsed::{Class, FieldChange, Finding, Remedy};

pub use apply::Apply;
use cause::{Cause, Kind, NO_FIELD};
use schema::Schema;
use structure::Structure;

/// A custom resource definition.
#[derive(Debug, Clone)]
pub struct Definition {
    /// The API group, `example.com`.
    pub group: String,
    /// How the kind is called.
    pub names: Names,
    /// Whether its objects are in namespaces.
    pub is_namespaced: bool,
    /// Its versions, as written.
    pub versions: Vec<Version>,
    /// Whether a webhook converts objects between versions; else only the version differs.
    pub converts_by_webhook: bool,
}

/// How a kind is called.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Names {
    /// `Widget`.
    pub kind: String,
    /// `widgets`.
    pub plural: String,
    /// `widget`; by default the kind in lower case.
    #[serde(default)]
    pub singular: String,
    /// `WidgetList`; by default the kind and `List`.
    #[serde(default)]
    pub list_kind: String,
    /// `wd`.
    #[serde(default)]
    pub short_names: Vec<String>,
    /// `all`.
    #[serde(default)]
    pub categories: Vec<String>,
}

/// One version of a kind.
#[derive(Debug, Clone)]
pub struct Version {
    /// `v1beta1`.
    pub name: String,
    /// Whether the server answers for it.
    pub is_served: bool,
    /// Whether objects are stored in it.
    pub is_storage: bool,
    /// Whether `status` is a subresource: it cannot be set together with the rest.
    pub has_status: bool,
    /// Where replicas are, if `scale` is a subresource.
    scale: Option<Scale>,
    schema: Schema,
}

/// The subresource `scale`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Scale {
    spec_replicas_path: String,
    status_replicas_path: String,
}

impl Version {
    /// Tells whether `scale` is a subresource.
    #[must_use]
    pub fn has_scale(&self) -> bool {
        self.scale.is_some()
    }
}

/// Why a custom resource definition cannot stand in for the server's.
#[derive(Debug, Error)]
pub enum NotADefinition {
    /// It is another kind, or an API version that no supported server has.
    #[error("{0} is not apiextensions.k8s.io/v1, CustomResourceDefinition")]
    OtherKind(String),
    /// It cannot be read.
    #[error("the CustomResourceDefinition cannot be read")]
    Unreadable(#[from] serde_json::Error),
    /// Unknown fields are kept everywhere (`preserveUnknownFields`), which no new definition may ask for.
    #[error("the CustomResourceDefinition sets preserveUnknownFields, which the server refuses")]
    PreservesUnknownFields,
}

/// What the server would say of a custom resource.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What it would refuse it for; empty if it takes it (or if nobody can tell, see `unpredictable`).
    pub findings: Vec<Finding>,
    /// Fields that the schema does not know. The server drops them, or, asked for strict field validation and by server-side apply,
    /// refuses the object for them.
    pub unknown_fields: Vec<String>,
    /// The object as the server would store it: defaults put in, unknown fields taken out.
    pub defaulted: Value,
    /// What cannot be told before it really happens, one line each.
    pub unpredictable: Vec<String>,
}

#[derive(Deserialize)]
struct Written {
    spec: WrittenSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenSpec {
    group: String,
    names: Names,
    scope: String,
    versions: Vec<WrittenVersion>,
    #[serde(default)]
    conversion: Option<WrittenConversion>,
    #[serde(default)]
    preserve_unknown_fields: bool,
}

#[derive(Deserialize)]
struct WrittenConversion {
    #[serde(default)]
    strategy: String,
}

#[derive(Deserialize)]
struct WrittenVersion {
    name: String,
    #[serde(default)]
    served: bool,
    #[serde(default)]
    storage: bool,
    #[serde(default)]
    schema: Option<WrittenSchema>,
    #[serde(default)]
    subresources: Option<WrittenSubresources>,
}

#[derive(Deserialize)]
struct WrittenSchema {
    #[serde(rename = "openAPIV3Schema", default)]
    schema: Schema,
}

#[derive(Default, Deserialize)]
struct WrittenSubresources {
    #[serde(default)]
    status: Option<Value>,
    #[serde(default)]
    scale: Option<Scale>,
}

impl Definition {
    /// Reads a `CustomResourceDefinition`, as a chart writes it.
    ///
    /// # Errors
    /// [`NotADefinition`]: it is something else, or cannot be read.
    pub fn read(crd: &Value) -> Result<Self, NotADefinition> {
        let text = |name: &str| crd.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("apiVersion") != "apiextensions.k8s.io/v1" || text("kind") != "CustomResourceDefinition" {
            return Err(NotADefinition::OtherKind(format!("{}, {}", text("apiVersion"), text("kind"))));
        }
        let Written { spec, .. } = Written::deserialize(crd)?;
        if spec.preserve_unknown_fields {
            return Err(NotADefinition::PreservesUnknownFields);
        }
        let mut names = spec.names;
        if names.singular.is_empty() {
            names.singular = names.kind.to_lowercase();
        }
        if names.list_kind.is_empty() {
            names.list_kind = format!("{}List", names.kind);
        }
        let versions = spec.versions.into_iter().map(|version| {
            let subresources = version.subresources.unwrap_or_default();
            Version {
                name: version.name,
                is_served: version.served,
                is_storage: version.storage,
                has_status: subresources.status.is_some(),
                scale: subresources.scale,
                schema: version.schema.map(|schema| schema.schema).unwrap_or_default(),
            }
        });
        Ok(Self {
            group: spec.group,
            names,
            is_namespaced: spec.scope == "Namespaced",
            versions: versions.collect(),
            converts_by_webhook: spec.conversion.is_some_and(|conversion| conversion.strategy == "Webhook"),
        })
    }

    /// Returns a version that the server answers for.
    #[must_use]
    pub fn served(&self, version: &str) -> Option<&Version> {
        self.versions.iter().find(|served| served.is_served && served.name == version)
    }

    /// Tells what the server would say of `object`: to its creation, or, with `old`, to its change.
    #[must_use]
    pub fn check(&self, object: &Value, old: Option<&Value>) -> Checked {
        self.check_written(object, old, false)
    }

    /// The same for server-side apply, whatever field validation is asked for: it refuses unknown fields, and does not drop nulls.
    ///
    /// Source: observed with a 1.36 server.
    #[must_use]
    pub fn check_applied(&self, object: &Value, old: Option<&Value>) -> Checked {
        let mut object = object.clone();
        fill::as_written(&mut object);
        self.check_written(&object, old, true)
    }

    fn check_written(&self, object: &Value, old: Option<&Value>, is_applied: bool) -> Checked {
        let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
        let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", text("apiVersion")));
        let mut checked = Checked {
            findings: Vec::new(),
            unknown_fields: Vec::new(),
            defaulted: object.clone(),
            unpredictable: Vec::new(),
        };
        let served = self.served(version).filter(|_| group == self.group && text("kind") == self.names.kind);
        let Some(version) = served else {
            checked.findings.push(Finding {
                class: Class::MissingKind,
                object: reference(object),
                fields: Vec::new(),
                who: None,
                cause: format!("no matches for kind \"{}\" in version \"{}\"", text("kind"), text("apiVersion")),
                remedy: Remedy::Person {
                    text: format!("use a version that {}.{} serves", self.names.plural, self.group),
                },
            });
            return checked;
        };
        let causes = self.causes(version, &mut checked, old, is_applied);
        // A status that was taken out may have defaults.
        fill::put_defaults(&mut checked.defaulted, &version.schema);
        fill::as_written(&mut checked.defaulted);
        let shown = reference(&checked.defaulted);
        checked.findings = causes.into_iter().map(|cause| finding(&shown, &cause)).collect();
        if self.converts_by_webhook && !version.is_storage {
            checked.unpredictable.push("a webhook of the plan's own converts it to the stored version".to_owned());
        }
        checked
    }

    /// Fills `checked.defaulted` and returns what is wrong with it.
    fn causes(&self, version: &Version, checked: &mut Checked, old: Option<&Value>, is_applied: bool) -> Vec<Cause> {
        let (schema, object) = (&version.schema, &mut checked.defaulted);
        fill::put_defaults(object, schema);
        let mut refused = if is_applied { fill::untyped_for_apply(object, schema, "") } else { Vec::new() };
        let pruned = fill::prune(object, schema);
        let in_typed = pruned.iter().filter(|unknown| is_applied && unknown.is_in_typed);
        refused
            .extend(in_typed.map(|unknown| Cause::bare(Kind::Invalid, &unknown.path, "field not declared in schema")));
        let mut unknown: Vec<String> = pruned.into_iter().map(|unknown| unknown.path).collect();
        let of_schema = unknown.len();
        if !is_applied {
            fill::drop_nulls(object, Some(schema));
        }
        let unreadable = metadata::read(object, schema, &mut unknown);
        let in_metadata = unknown.iter().skip(of_schema).filter(|_| is_applied);
        refused.extend(in_metadata.map(|path| Cause::bare(Kind::Invalid, path, "field not declared in schema")));
        unknown.sort();
        unknown.dedup();
        checked.unknown_fields = unknown;
        refused.extend(unreadable);
        if !refused.is_empty() {
            return refused;
        }
        if !self.is_namespaced && object.pointer("/metadata/namespace").is_some_and(|namespace| namespace != "") {
            return vec![Cause::bare(Kind::Forbidden, "metadata.namespace", "not allowed on this type")];
        }
        if version.has_status
            && let Some(fields) = object.as_object_mut()
        {
            match old.and_then(|old| old.get("status")) {
                Some(status) => fields.insert("status".to_owned(), status.clone()),
                None => fields.shift_remove("status"),
            };
        }

        let mut causes = metadata::check_object(object);
        let mut structure = Structure::default();
        causes.extend(structure.object(schema, object, old));
        checked.unpredictable = structure.unpredictable;
        if let Some(scale) = &version.scale {
            causes.extend(
                [&scale.spec_replicas_path, &scale.status_replicas_path]
                    .into_iter()
                    .filter_map(|path| replicas(object, path)),
            );
        }
        causes.extend(metadata::check_embedded(object, schema, ""));
        if old.is_none_or(|old| list_type::duplicates(schema, old, "").is_empty()) {
            causes.extend(list_type::duplicates(schema, object, ""));
        }
        if !causes.iter().any(|cause| cause.kind.hinders_rules()) {
            let said = rules::ask(schema, object, old);
            causes.extend(said.causes);
            checked.unpredictable.extend(said.unpredictable);
        }
        checked.unpredictable.sort();
        checked.unpredictable.dedup();
        causes
    }
}

/// Returns what is wrong with the number of replicas at `path`, such as `.spec.replicas`.
///
/// Source: `k8s.io/apiextensions-apiserver/pkg/registry/customresource` `ValidateScaleSpec`.
fn replicas(object: &Value, path: &str) -> Option<Cause> {
    let mut value = object;
    let mut walked = String::new();
    for name in path.trim_start_matches('.').split('.') {
        walked = format!("{walked}.{name}");
        if value.is_null() {
            return None;
        }
        if !value.is_object() {
            let what =
                format!("{walked} accessor error: {}, expected map[string]interface{{}}", cause::go_typed(value));
            return Some(Cause::invalid(path, 0.into(), what));
        }
        value = value.get(name)?;
    }
    let what = match value.as_i64() {
        None => format!("{walked} accessor error: {}, expected int64", cause::go_typed(value)),
        Some(..0) => "should be a non-negative integer".to_owned(),
        Some(count) if count > i64::from(i32::MAX) => format!("should be less than or equal to {}", i32::MAX),
        Some(_) => return None,
    };
    Some(Cause::invalid(path, value.as_i64().unwrap_or(0).into(), what))
}

fn reference(object: &Value) -> ObjectRef {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    ObjectRef {
        api_version: text("/apiVersion"),
        kind: text("/kind"),
        namespace: Some(text("/metadata/namespace")).filter(|namespace| !namespace.is_empty()),
        name: Some(text("/metadata/name"))
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| text("/metadata/generateName")),
    }
}

fn finding(shown: &ObjectRef, cause: &Cause) -> Finding {
    let has_field = cause.field != NO_FIELD;
    Finding {
        class: Class::Validation,
        object: shown.clone(),
        fields: has_field
            .then(|| FieldChange { path: cause.field.clone(), before: None, after: None })
            .into_iter()
            .collect(),
        who: None,
        cause: cause.text(),
        remedy: Remedy::Person {
            text: if has_field {
                format!("correct {} in the chart's values", cause.field)
            } else {
                "correct the object in the chart's values".to_owned()
            },
        },
    }
}
