//! What a strategic merge patch needs to know of a kind: which list is merged by which key.

use std::collections::BTreeMap;

use serde_json::Value;

/// The patch rules of one kind, read from the server's OpenAPI document of a group version.
#[derive(Debug, Clone)]
pub(in crate::rehearsal) struct Schema {
    /// The first is the kind itself.
    types: Vec<Fields>,
}

/// The fields of one type.
type Fields = BTreeMap<String, Field>;

/// One field of a type.
#[derive(Debug, Clone, Default)]
struct Field {
    strategy: Strategy,
    merge_key: Option<String>,
    /// The type of its value, or of its items; none for plain values and for maps with free keys.
    inner: Option<usize>,
}

/// How a patch and the value that is there come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Strategy {
    /// Maps are merged, lists are replaced.
    #[default]
    Default,
    /// Lists are merged, too.
    Merge,
    /// Maps are replaced, too.
    Replace,
}

/// The rule of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule<'a> {
    pub(super) strategy: Strategy,
    /// The field by which the items of a list of maps are told apart.
    pub(super) merge_key: Option<&'a str>,
}

/// A type within a schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct TypeRef<'a> {
    schema: &'a Schema,
    fields: Option<usize>,
}

impl Schema {
    /// Returns the patch rules of a kind; nothing if the document does not have the kind, or a rule that we do not know.
    ///
    /// `openapi` is what the server answers to `/openapi/v3/apis/GROUP/VERSION` (`/openapi/v3/api/v1` for the core group).
    ///
    /// Source: `k8s.io/apimachinery/pkg/util/strategicpatch/meta.go`: `PatchMetaFromOpenAPIV3`; the kind is named by the
    /// extension `x-kubernetes-group-version-kind`.
    pub(in crate::rehearsal) fn find(openapi: &Value, group: &str, version: &str, kind: &str) -> Option<Self> {
        let is_text = |value: &Value, field: &str, text: &str| value.get(field).and_then(Value::as_str) == Some(text);
        let is_kind = |name: &Value| {
            is_text(name, "group", group) && is_text(name, "version", version) && is_text(name, "kind", kind)
        };
        let documents = openapi.pointer("/components/schemas")?.as_object()?;
        let root = documents.values().find(|document| {
            let names = document.get("x-kubernetes-group-version-kind").and_then(Value::as_array);
            names.is_some_and(|names| names.iter().any(is_kind))
        })?;
        let mut reader = Reader { openapi, types: Vec::new(), known: BTreeMap::new() };
        reader.read_type(root)?;
        Some(Self { types: reader.types })
    }

    /// Returns the type of the whole object.
    pub(super) fn root(&self) -> TypeRef<'_> {
        TypeRef { schema: self, fields: Some(0) }
    }
}

impl<'a> TypeRef<'a> {
    /// Returns the rule of a field and the type of its value or items; nothing if the type has no such field.
    pub(super) fn field(self, name: &str) -> Option<(Rule<'a>, Self)> {
        let field = self.schema.types.get(self.fields?)?.get(name)?;
        let rule = Rule { strategy: field.strategy, merge_key: field.merge_key.as_deref() };
        Some((rule, Self { schema: self.schema, fields: field.inner }))
    }
}

struct Reader<'a> {
    openapi: &'a Value,
    types: Vec<Fields>,
    /// Types by their reference: some of them hold themselves.
    known: BTreeMap<&'a str, usize>,
}

impl<'a> Reader<'a> {
    /// Returns the place of a type in the list; nothing if a rule in it is not understood.
    fn read_type(&mut self, document: &'a Value) -> Option<usize> {
        let place = self.types.len();
        self.types.push(Fields::new());
        self.read_fields(document, place)?;
        Some(place)
    }

    fn read_fields(&mut self, document: &'a Value, place: usize) -> Option<()> {
        let mut fields = Fields::new();
        for (name, property) in document.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let text = |extension: &str| property.get(extension).and_then(Value::as_str);
            let strategy = strategy_of(text("x-kubernetes-patch-strategy").unwrap_or_default())?;
            let merge_key = text("x-kubernetes-patch-merge-key").map(str::to_owned);
            let inner = self.read_inner(property.get("items").unwrap_or(property))?;
            fields.insert(name.clone(), Field { strategy, merge_key, inner });
        }
        *self.types.get_mut(place)? = fields;
        Some(())
    }

    /// Returns the type of a value, as `$ref`, wrapped in `allOf`, or written out; the outer nothing is a rule that is not
    /// understood, or a reference that leads nowhere.
    #[expect(clippy::option_option, reason = "the caller needs `?` on one and keeps the other")]
    fn read_inner(&mut self, value: &'a Value) -> Option<Option<usize>> {
        let value = value.get("allOf").and_then(|all| all.get(0)).unwrap_or(value);
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else {
            let has_fields = value.get("properties").is_some();
            return Some(if has_fields { Some(self.read_type(value)?) } else { None });
        };
        if let Some(place) = self.known.get(reference) {
            return Some(Some(*place));
        }
        let document = self.openapi.pointer(reference.strip_prefix('#')?)?;
        self.known.insert(reference, self.types.len());
        Some(Some(self.read_type(document)?))
    }
}

/// Returns the strategy without `retainKeys`, which only concerns who makes a patch; nothing for more than one.
///
/// Source: `strategicpatch.extractRetainKeysPatchStrategy`.
fn strategy_of(text: &str) -> Option<Strategy> {
    let mut words = text.split(',').filter(|word| *word != "retainKeys");
    let strategy = match words.next() {
        Some("merge") => Strategy::Merge,
        Some("replace") => Strategy::Replace,
        _ => Strategy::Default,
    };
    words.next().is_none().then_some(strategy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document() -> Value {
        json!({"components": {"schemas": {
            "x.Pod": {
                "x-kubernetes-group-version-kind": [{"group": "", "version": "v1", "kind": "Pod"}],
                "properties": {
                    "spec": {"default": {}, "allOf": [{"$ref": "#/components/schemas/x.Spec"}]},
                    "labels": {"additionalProperties": {"type": "string"}}}},
            "x.Spec": {"properties": {
                "volumes": {"items": {"allOf": [{"$ref": "#/components/schemas/x.Volume"}]},
                    "x-kubernetes-patch-merge-key": "name", "x-kubernetes-patch-strategy": "merge,retainKeys"},
                "selector": {"x-kubernetes-patch-strategy": "replace", "$ref": "#/components/schemas/x.Spec"},
                "args": {"items": {"type": "string"}}}},
            "x.Volume": {"properties": {"name": {"type": "string"}}}}}})
    }

    #[test]
    fn rules_are_found_behind_references_and_wrappers_and_in_types_that_hold_themselves() {
        let schema = Schema::find(&document(), "", "v1", "Pod").expect("the kind is there");
        let (_, spec) = schema.root().field("spec").expect("a field");
        let (rule, volume) = spec.field("volumes").expect("a field");
        assert_eq!(rule, Rule { strategy: Strategy::Merge, merge_key: Some("name") });
        assert!(volume.field("name").is_some() && volume.field("emptyDir").is_none());
        let (rule, selector) = spec.field("selector").expect("a field");
        assert_eq!(rule.strategy, Strategy::Replace);
        assert_eq!(selector.field("args").expect("a field").0, Rule { strategy: Strategy::Default, merge_key: None });
        assert!(schema.root().field("labels").is_some_and(|(_, labels)| labels.field("app").is_none()));
    }

    #[test]
    fn a_kind_or_rule_that_is_not_known_gives_no_schema() {
        assert!(Schema::find(&document(), "apps", "v1", "Pod").is_none());
        assert!(Schema::find(&json!({}), "", "v1", "Pod").is_none());
        let mut lost = document();
        lost["components"]["schemas"]["x.Spec"]["properties"]["selector"]["$ref"] = json!("#/components/schemas/none");
        assert!(Schema::find(&lost, "", "v1", "Pod").is_none());
        let mut strange = document();
        strange["components"]["schemas"]["x.Spec"]["properties"]["args"]["x-kubernetes-patch-strategy"] =
            json!("merge,replace");
        assert!(Schema::find(&strange, "", "v1", "Pod").is_none());
    }
}
