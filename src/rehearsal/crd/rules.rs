//! CEL rules of a schema (`x-kubernetes-validations`).
//!
//! The evaluator knows less than the server's: what it cannot compile or evaluate, and where it is known to answer otherwise, is
//! unpredictable. Source: `k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel`.

use kube_cel::KubeCelExt as _;
use kube_cel::cel::{Context, Program, Value as CelValue};
use serde_json::Value;

use super::cause::{self, Cause, Kind, NO_FIELD, Shown};
use super::cel_value::{self, ToCel};
use super::list_type;
use super::schema::{Rule, Schema};
use super::trusted;

/// Longest message that an expression may make.
const LONGEST_MESSAGE: usize = 5 << 10;

/// What the rules say of an object.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Which do not hold.
    pub(super) causes: Vec<Cause>,
    /// Which cannot be told.
    pub(super) unpredictable: Vec<String>,
}

/// Asks every rule at or below `schema`.
pub(super) fn ask(schema: &Schema, object: &Value, old: Option<&Value>) -> Said {
    if schema.nodes().iter().all(|node| !has_rules(node)) {
        return Said::default();
    }
    let mut asking = Asking { context: Context::default().with_all(), said: Said::default() };
    asking.node(
        schema,
        &Place { schema, path: "", is_whole: true },
        object,
        Before { value: old, parent_is_same: false },
    );
    asking.said
}

fn has_rules(schema: &Schema) -> bool {
    !schema.validations.is_empty() || schema.all_of.iter().any(|all| all.nodes().into_iter().any(has_rules))
}

/// The part of the structural schema that describes a value, and where the value is.
#[derive(Clone, Copy)]
struct Place<'a> {
    schema: &'a Schema,
    path: &'a str,
    /// Whether it is a whole object, with apiVersion, kind and metadata.
    is_whole: bool,
}

/// The value before an update.
#[derive(Clone, Copy)]
struct Before<'a> {
    /// Absent at creation, and where no old value belongs to the new one.
    value: Option<&'a Value>,
    /// Whether the nearest value above that has an old one is unchanged.
    parent_is_same: bool,
}

impl Before<'_> {
    fn is_same(&self, value: &Value) -> bool {
        self.value.map_or(self.parent_is_same, |old| old == value)
    }
}

struct Asking {
    context: Context<'static>,
    said: Said,
}

impl Asking {
    /// `rules` is `place.schema`, or what an `allOf` adds to it.
    fn node(&mut self, rules: &Schema, place: &Place<'_>, value: &Value, before: Before<'_>) {
        if value.is_null() {
            return;
        }
        for rule in &rules.validations {
            self.rule(rule, place, value, before);
        }
        for all in &rules.all_of {
            self.node(all, place, value, Before { value: before.value, parent_is_same: before.parent_is_same });
        }
        let parent_is_same = before.is_same(value);
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let old = before.value.and_then(|old| old.get(name));
                    let is_field = rules.properties.contains_key(name);
                    let below = if is_field { place.schema.properties.get(name) } else { place.schema.values() };
                    let (Some(rules), Some(schema)) = (rules.field(name), below) else { continue };
                    let path = if is_field { cause::child(place.path, name) } else { cause::key(place.path, name) };
                    let place = Place { schema, path: &path, is_whole: schema.embedded_resource };
                    self.node(rules, &place, value, Before { value: old, parent_is_same });
                }
            }
            Value::Array(items) => {
                let (Some(rules), Some(schema)) = (rules.items.as_deref(), place.schema.items.as_deref()) else {
                    return;
                };
                for (at, item) in items.iter().enumerate() {
                    let path = cause::index(place.path, at);
                    let old = list_type::same_item(place.schema, before.value, item);
                    let place = Place { schema, path: &path, is_whole: schema.embedded_resource };
                    self.node(rules, &place, item, Before { value: old, parent_is_same });
                }
            }
            _ => {}
        }
    }

    fn rule(&mut self, rule: &Rule, place: &Place<'_>, value: &Value, before: Before<'_>) {
        if rule.expression.trim().is_empty() {
            return;
        }
        let Ok(program) = Program::compile(&rule.expression) else {
            return self.cannot_tell(rule, place, "it cannot be compiled here");
        };
        let is_transition = program.references().has_variable("oldSelf");
        let is_optional = rule.optional_old_self.unwrap_or(false);
        if is_transition && before.value.is_none() && !is_optional {
            return;
        }
        if let Some(because) = trusted::doubt(program.expression(), &rule.expression, place.schema, value) {
            return self.cannot_tell(rule, place, because);
        }
        let Some(scope) = self.variables(place, value, before.value, is_transition, is_optional) else {
            return self.cannot_tell(rule, place, "a value cannot be read here");
        };
        match program.execute(&scope) {
            Ok(CelValue::Bool(true)) => {}
            Ok(CelValue::Bool(false)) => {
                if is_transition || !before.is_same(value) {
                    let cause = refusal(rule, place, value, &scope);
                    self.said.causes.push(cause);
                }
            }
            Ok(_) | Err(_) => {
                drop(scope);
                self.cannot_tell(rule, place, "it cannot be evaluated here");
            }
        }
    }

    fn variables(
        &self,
        place: &Place<'_>,
        value: &Value,
        old: Option<&Value>,
        is_transition: bool,
        is_optional: bool,
    ) -> Option<Context<'_>> {
        let to_cel = ToCel { context: &self.context };
        let mut scope = self.context.new_inner_scope();
        scope.add_variable_from_value("self", to_cel.convert(value, place.schema, place.is_whole)?);
        if is_transition {
            let old = match old {
                Some(old) => Some(to_cel.convert(old, place.schema, place.is_whole)?),
                None => None,
            };
            let old = if is_optional { cel_value::optional(&self.context, old)? } else { old? };
            scope.add_variable_from_value("oldSelf", old);
        }
        Some(scope)
    }

    fn cannot_tell(&mut self, rule: &Rule, place: &Place<'_>, because: &str) {
        let field = if place.path.is_empty() { "the object" } else { place.path };
        self.said.unpredictable.push(format!("{field}: the rule `{}`: {because}", rule.expression.trim()));
    }
}

fn refusal(rule: &Rule, place: &Place<'_>, value: &Value, scope: &Context<'_>) -> Cause {
    let below = rule.field_path.as_deref().unwrap_or_default().replace("['", ".").replace("']", "");
    let below = below.trim_start_matches('.');
    let field = match (place.path, below) {
        ("", "") => NO_FIELD.to_owned(),
        (path, "") => path.to_owned(),
        (path, below) => cause::child(path, below),
    };
    let is_compound = matches!(place.schema.declared_type.as_deref(), Some("object" | "array"));
    let kind = match rule.reason.as_deref() {
        Some("FieldValueForbidden") => Kind::Forbidden,
        Some("FieldValueRequired") => Kind::Required,
        Some("FieldValueDuplicate") => Kind::Duplicate,
        _ => Kind::Invalid,
    };
    Cause {
        kind,
        field,
        value: if is_compound { Shown::Omitted } else { Shown::Value(value.clone()) },
        detail: if kind == Kind::Duplicate { String::new() } else { message(rule, scope) },
    }
}

fn message(rule: &Rule, scope: &Context<'_>) -> String {
    let made = rule
        .message_expression
        .as_deref()
        .and_then(|expression| Program::compile(expression).ok()?.execute(scope).ok());
    if let Some(CelValue::String(text)) = made {
        let text = text.trim();
        if !text.is_empty() && text.len() <= LONGEST_MESSAGE && !text.contains('\n') {
            return text.to_owned();
        }
    }
    match rule.message.as_deref() {
        Some(message) if !message.is_empty() => message.trim().to_owned(),
        _ => format!("failed rule: {}", rule.expression.trim()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(schema: Value, object: &Value, old: Option<&Value>) -> (Vec<String>, usize) {
        let schema: Schema = serde_json::from_value(schema).expect("a schema");
        let said = ask(&schema, object, old);
        (
            said.causes.iter().map(|cause| format!("{}: {}", cause.field, cause.text())).collect(),
            said.unpredictable.len(),
        )
    }

    fn with_rule(rule: &str, property: &Value) -> Value {
        json!({"type": "object", "properties": {"a": property}, "x-kubernetes-validations": [{"rule": rule}]})
    }

    #[test]
    fn a_rule_that_does_not_hold_is_a_cause_and_names_itself() {
        let schema = with_rule("self.a < 3", &json!({"type": "integer"}));
        assert_eq!(asked(schema.clone(), &json!({"a": 2}), None), (vec![], 0));
        let refused = vec!["<nil>: Invalid value: failed rule: self.a < 3".to_owned()];
        assert_eq!(asked(schema.clone(), &json!({"a": 3}), None), (refused, 0));
        let (old, new) = (json!({"a": 3}), json!({"a": 3}));
        assert_eq!(asked(schema, &new, Some(&old)), (vec![], 0), "it was wrong before");
    }

    #[test]
    fn a_transition_rule_is_asked_when_there_is_an_old_value() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "integer",
            "x-kubernetes-validations": [{"rule": "self >= oldSelf", "message": "cannot shrink"}]}}});
        assert_eq!(asked(schema.clone(), &json!({"a": 1}), None), (vec![], 0));
        let refused = vec!["a: Invalid value: 1: cannot shrink".to_owned()];
        assert_eq!(asked(schema, &json!({"a": 1}), Some(&json!({"a": 2}))), (refused, 0));
    }

    #[test]
    fn a_rule_of_the_whole_object_sees_its_name_and_no_more_of_its_metadata() {
        let schema = |rule: &str| json!({"type": "object", "properties": {"metadata": {"type": "object"}}, "x-kubernetes-validations": [{"rule": rule}]});
        let object =
            json!({"apiVersion": "example.com/v1", "kind": "A", "metadata": {"name": "b", "labels": {"c": "d"}}});
        assert_eq!(asked(schema("self.metadata.name == 'b' && self.kind == 'A'"), &object, None), (vec![], 0));
        assert_eq!(asked(schema("self.metadata.name.startsWith('a')"), &object, None).0.len(), 1);
        assert_eq!(asked(schema("self.metadata.labels.c == 'd'"), &object, None), (vec![], 1));
    }

    #[test]
    fn what_the_evaluator_does_not_know_is_neither_right_nor_wrong() {
        let string = json!({"type": "string"});
        for (rule, property, object) in [
            ("self.?a.orValue('x') == 'x'", string.clone(), json!({"a": "b"})),
            ("self.a.frobnicate()", string.clone(), json!({"a": "b"})),
            ("cel.bind(x, self.a, x == 'b')", string.clone(), json!({"a": "b"})),
            ("self.a == 'b'", string.clone(), json!({})),
            ("self.a", string, json!({"a": "b"})),
            (
                "self.a == ['x', 'z']",
                json!({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}),
                json!({"a": ["z", "x"]}),
            ),
        ] {
            assert_eq!(asked(with_rule(rule, &property), &object, None), (vec![], 1), "{rule}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_of_a_rule_brings_the_evaluator_down(
            rule in proptest::prop_oneof![
                r"\PC{0,40}",
                r#"(self|oldSelf|a|b|\.|\?|\(|\)|\[|\]|has|all|map|==|!=|\+|-|/|%|'x'|"|9{1,20}|1\.|e5|0x|u|&&|\|\||in|:|,|\{|\}| |matches|\\){1,14}"#,
            ],
            number: i64,
        ) {
            let schema: Schema = serde_json::from_value(with_rule(&rule, &json!({"type": "integer"}))).expect("a schema");
            let _ = ask(&schema, &json!({"a": number}), Some(&json!({"a": 1})));
        }
    }
}
