//! Values of an object as CEL sees them: by their schema, not by their look.
//!
//! Source: `k8s.io/apiserver/pkg/cel/common` `UnstructuredToVal`, `k8s.io/apiserver/pkg/cel` `Escape`.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use kube_cel::cel::objects::{Key, Map};
use kube_cel::cel::{Context, Program, Value as CelValue};
use serde_json::Value;

use super::schema::Schema;

/// Words that a CEL identifier cannot be.
const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// Returns an optional value, as `optionalOldSelf` gives it to a rule.
pub(super) fn optional(context: &Context<'_>, value: Option<CelValue>) -> Option<CelValue> {
    match value {
        None => Program::compile("optional.none()").ok()?.execute(context).ok(),
        Some(value) => call(context, "optional.of(it)", value),
    }
}

/// Evaluates an expression of one variable, `it`.
fn call(context: &Context<'_>, expression: &str, it: CelValue) -> Option<CelValue> {
    let mut scope = context.new_inner_scope();
    scope.add_variable_from_value("it", it);
    Program::compile(expression).ok()?.execute(&scope).ok()
}

/// Makes CEL's values of JSON.
pub(super) struct ToCel<'a, 'b> {
    /// Where CEL's own functions are.
    pub(super) context: &'a Context<'b>,
}

impl ToCel<'_, '_> {
    /// Returns the value; nothing where it cannot be told how the server would see it. `is_whole`: it is an object with
    /// apiVersion, kind and metadata, of which only the name is seen.
    pub(super) fn convert(&self, value: &Value, schema: &Schema, is_whole: bool) -> Option<CelValue> {
        if schema.int_or_string {
            return match value {
                Value::String(text) => Some(string(text)),
                Value::Number(number) => number.as_i64().map(CelValue::Int),
                _ => None,
            };
        }
        match (schema.declared_type.as_deref()?, value) {
            ("boolean", Value::Bool(value)) => Some(CelValue::Bool(*value)),
            ("integer", Value::Number(number)) => number.as_i64().map(CelValue::Int),
            ("number", Value::Number(number)) => number.as_f64().map(CelValue::Float),
            ("string", Value::String(text)) => self.text(text, schema.format.as_deref()),
            ("array", Value::Array(items)) => {
                let schema = schema.items.as_deref()?;
                let items: Option<Vec<CelValue>> =
                    items.iter().map(|item| self.convert(item, schema, schema.embedded_resource)).collect();
                Some(CelValue::List(Arc::new(items?)))
            }
            ("object", Value::Object(fields)) => {
                let mut map = HashMap::new();
                for (name, value) in fields {
                    let is_meta = is_whole && matches!(name.as_str(), "apiVersion" | "kind" | "metadata");
                    let (name, value) = if is_meta {
                        (Some(name.clone()), Some(meta(value)))
                    } else if let Some(schema) = schema.properties.get(name) {
                        // A field whose type is not known is not seen by rules.
                        if schema.declared_type.is_none() && !schema.int_or_string {
                            continue;
                        }
                        (escaped(name), Some(self.convert(value, schema, schema.embedded_resource)?))
                    } else {
                        let value = schema.values().map(|schema| self.convert(value, schema, schema.embedded_resource));
                        (Some(name.clone()), value.map_or(Some(None), |value| value.map(Some))?)
                    };
                    if let (Some(name), Some(value)) = (name, value) {
                        map.insert(Key::String(Arc::new(name)), value);
                    }
                }
                Some(CelValue::Map(Map { map: Arc::new(map) }))
            }
            _ => None,
        }
    }

    fn text(&self, text: &str, format: Option<&str>) -> Option<CelValue> {
        match format {
            Some("date-time") => call(self.context, "timestamp(it)", string(text)),
            Some("date") => call(self.context, "timestamp(it)", string(&format!("{text}T00:00:00Z"))),
            Some("duration") => call(self.context, "duration(it)", string(text)),
            Some("byte") => {
                let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
                Some(CelValue::Bytes(Arc::new(bytes)))
            }
            _ => Some(string(text)),
        }
    }
}

fn string(text: &str) -> CelValue {
    CelValue::String(Arc::new(text.to_owned()))
}

/// Of a whole object's metadata, rules see the names.
fn meta(value: &Value) -> CelValue {
    match value {
        Value::Object(fields) => {
            let names = fields.iter().filter(|(name, _)| matches!(name.as_str(), "name" | "generateName"));
            let map = names.map(|(name, value)| (Key::String(Arc::new(name.clone())), meta(value)));
            CelValue::Map(Map { map: Arc::new(map.collect()) })
        }
        value => string(value.as_str().unwrap_or_default()),
    }
}

/// Returns the name of a field in a rule; nothing if it has none.
fn escaped(name: &str) -> Option<String> {
    if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    if RESERVED.contains(&name) {
        return Some(format!("__{name}__"));
    }
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte);
    let escaped = name
        .replace("__", "__underscores__")
        .replace('.', "__dot__")
        .replace('-', "__dash__")
        .replace('/', "__slash__");
    name.bytes().all(is_allowed).then_some(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_as_rules_write_them() {
        for (name, written) in [
            ("a", Some("a")),
            ("a_b", Some("a_b")),
            ("a__b", Some("a__underscores__b")),
            ("namespace", Some("__namespace__")),
            ("a-b.c/d", Some("a__dash__b__dot__c__slash__d")),
            ("1a", None),
            ("a b", None),
        ] {
            assert_eq!(escaped(name).as_deref(), written, "{name}");
        }
    }
}
