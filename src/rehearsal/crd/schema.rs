//! The schema of a custom resource, as a `CustomResourceDefinition` writes it.
//!
//! Source: `k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1` `JSONSchemaProps`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// A node of a structural schema, or one of the value validations below `allOf` and the like.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Schema {
    /// `object`, `array`, `string`, `integer`, `number`, `boolean`; absent where anything goes.
    #[serde(rename = "type")]
    pub(super) declared_type: Option<String>,
    /// Such as `date-time`.
    pub(super) format: Option<String>,
    /// Whether null is a value.
    pub(super) nullable: bool,
    /// What is put in where the field is absent.
    #[serde(rename = "default")]
    pub(super) default_value: Option<Value>,
    /// The only values that are allowed.
    #[serde(rename = "enum")]
    pub(super) allowed: Option<Vec<Value>>,
    /// A regular expression in Go's syntax.
    pub(super) pattern: Option<String>,
    /// The greatest number.
    pub(super) maximum: Option<f64>,
    /// Whether `maximum` itself is too much.
    pub(super) exclusive_maximum: bool,
    /// The least number.
    pub(super) minimum: Option<f64>,
    /// Whether `minimum` itself is too little.
    pub(super) exclusive_minimum: bool,
    /// What a number is a multiple of.
    pub(super) multiple_of: Option<f64>,
    /// Longest string, in code points.
    pub(super) max_length: Option<i64>,
    /// Shortest string, in code points.
    pub(super) min_length: Option<i64>,
    /// Longest list.
    pub(super) max_items: Option<i64>,
    /// Shortest list.
    pub(super) min_items: Option<i64>,
    /// Largest object.
    pub(super) max_properties: Option<i64>,
    /// Smallest object.
    pub(super) min_properties: Option<i64>,
    /// The fields that must be there.
    pub(super) required: Vec<String>,
    /// The fields by name.
    pub(super) properties: BTreeMap<String, Self>,
    /// The values of a map.
    pub(super) additional_properties: Option<Additional>,
    /// The items of a list.
    pub(super) items: Option<Box<Self>>,
    /// All of these must hold.
    pub(super) all_of: Vec<Self>,
    /// At least one of these must hold.
    pub(super) any_of: Vec<Self>,
    /// Exactly one of these must hold.
    pub(super) one_of: Vec<Self>,
    /// This must not hold.
    pub(super) not: Option<Box<Self>>,
    /// An integer or a string.
    #[serde(rename = "x-kubernetes-int-or-string")]
    pub(super) int_or_string: bool,
    /// A whole object, with apiVersion, kind and metadata.
    #[serde(rename = "x-kubernetes-embedded-resource")]
    pub(super) embedded_resource: bool,
    /// Unknown fields are kept.
    #[serde(rename = "x-kubernetes-preserve-unknown-fields")]
    pub(super) preserve_unknown_fields: bool,
    /// `atomic`, `set` or `map`.
    #[serde(rename = "x-kubernetes-list-type")]
    pub(super) list_type: Option<String>,
    /// The fields that name an item of a list of type `map`.
    #[serde(rename = "x-kubernetes-list-map-keys")]
    pub(super) list_map_keys: Vec<String>,
    /// `granular` or `atomic`.
    #[serde(rename = "x-kubernetes-map-type")]
    pub(super) map_type: Option<String>,
    /// CEL rules.
    #[serde(rename = "x-kubernetes-validations")]
    pub(super) validations: Vec<Rule>,
}

/// `additionalProperties`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Additional {
    /// Any value is allowed, or none.
    Any(bool),
    /// Every value follows this.
    Schema(Box<Schema>),
}

/// A CEL rule.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Rule {
    /// The expression.
    #[serde(rename = "rule")]
    pub(super) expression: String,
    /// What is said if it does not hold.
    pub(super) message: Option<String>,
    /// The same as an expression.
    pub(super) message_expression: Option<String>,
    /// The field that is blamed, below the field of the rule.
    pub(super) field_path: Option<String>,
    /// Such as `FieldValueRequired`.
    pub(super) reason: Option<String>,
    /// Whether the rule is asked at creation too, with an empty `oldSelf`.
    pub(super) optional_old_self: Option<bool>,
}

impl Schema {
    /// Returns the types that a value may have; empty where anything goes.
    pub(super) fn types(&self) -> Vec<&str> {
        if self.int_or_string { vec!["integer", "string"] } else { self.declared_type.as_deref().into_iter().collect() }
    }

    /// Returns the schema of a map's values, if there is one.
    pub(super) fn values(&self) -> Option<&Self> {
        match &self.additional_properties {
            Some(Additional::Schema(schema)) => Some(schema),
            Some(Additional::Any(_)) | None => None,
        }
    }

    /// Returns the schema of the field `key`: its own, or that of a map's values.
    pub(super) fn field(&self, key: &str) -> Option<&Self> {
        self.properties.get(key).or_else(|| self.values())
    }

    /// Returns every schema at or below this one that describes a part of the object itself; the value validations of `allOf`
    /// and the like are not among them.
    pub(super) fn nodes(&self) -> Vec<&Self> {
        let mut all = vec![self];
        let mut at = 0;
        while let Some(node) = all.get(at).copied() {
            all.extend(node.properties.values());
            all.extend(node.values());
            all.extend(node.items.as_deref());
            at += 1;
        }
        all
    }
}
