//! Validation of a value against its schema: types, sizes, formats, and the junctors.
//!
//! It follows the server's order and its oddities, so that field and cause are the same. Source:
//! `k8s.io/kube-openapi/pkg/validation/validate`, `k8s.io/apiextensions-apiserver/pkg/apiserver/validation`.

use serde_json::{Map, Value};

use super::cause::{Cause, Kind, NO_FIELD, Shown, go_float, go_json};
use super::format::{self, Fit};
use super::list_type;
use super::number;
use super::pattern;
use super::schema::{Additional, Schema};

/// What was found below one node.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// What is wrong.
    pub(super) causes: Vec<Cause>,
    /// How many checks were made: of several alternatives that fail, the one with most is reported.
    matched: usize,
}

impl Outcome {
    pub(super) fn add(&mut self, cause: Cause) {
        if !self.causes.contains(&cause) {
            self.causes.push(cause);
        }
    }

    fn merge(&mut self, other: Self) {
        self.matched += other.matched;
        for cause in other.causes {
            self.add(cause);
        }
    }

    fn is_valid(&self) -> bool {
        self.causes.is_empty()
    }
}

/// A validation under way.
#[derive(Debug, Default)]
pub(super) struct Structure {
    /// What cannot be told.
    pub(super) unpredictable: Vec<String>,
}

impl Structure {
    /// Validates a whole object. With `old`, the object before an update, what was wrong before and is unchanged is let through.
    pub(super) fn object(&mut self, schema: &Schema, object: &Value, old: Option<&Value>) -> Vec<Cause> {
        self.unchanged_is_let_through(schema, object, "", old).causes
    }

    fn unchanged_is_let_through(&mut self, schema: &Schema, value: &Value, path: &str, old: Option<&Value>) -> Outcome {
        let mut outcome = self.node(schema, value, path, old);
        if old == Some(value) {
            outcome.causes.clear();
        }
        outcome
    }

    fn node(&mut self, schema: &Schema, value: &Value, path: &str, old: Option<&Value>) -> Outcome {
        let at = Place { schema, path };
        let mut outcome = Outcome::default();
        if value.is_null() {
            outcome.merge(at.check_type(value));
            outcome.merge(at.check_enum(value));
            return outcome;
        }
        if !schema.types().is_empty() || at.format().is_some() {
            outcome.merge(at.check_type(value));
            outcome.matched += 1;
        }
        outcome.merge(self.junctors(&at, value));
        outcome.matched += 1;
        match value {
            Value::String(text) => {
                outcome.merge(self.string(&at, text));
                outcome.matched += 1;
                if let Some(format) = at.format().filter(|format| format::is_known(format)) {
                    outcome.merge(self.string_format(&at, format, text));
                    outcome.matched += 1;
                }
            }
            Value::Number(value) => {
                outcome.merge(number::check(schema, path, value, |what, value| at.cause(Kind::Invalid, value, what)));
                outcome.matched += 2;
            }
            Value::Array(items) => {
                outcome.merge(self.list(&at, items, old));
                outcome.matched += 2;
            }
            _ => {}
        }
        outcome.merge(at.check_enum(value));
        outcome.matched += 1;
        if let Value::Object(fields) = value {
            outcome.merge(self.fields(&at, fields, old));
            outcome.matched += 1;
        }
        outcome.matched += 1;
        outcome
    }

    fn string(&mut self, at: &Place<'_>, text: &str) -> Outcome {
        let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        if let Some(most) = at.schema.max_length.filter(|most| length > *most) {
            let unit = if most == 1 { "byte" } else { "bytes" };
            return Cause::bare(Kind::TooLong, at.field(), format!("may not be more than {most} {unit}")).into();
        }
        if let Some(least) = at.schema.min_length.filter(|least| length < *least) {
            let what = at.says(&format!("should be at least {least} chars long"));
            return at.cause(Kind::Invalid, text.into(), what).into();
        }
        if let Some(pattern) = at.schema.pattern.as_deref().filter(|pattern| !pattern.is_empty()) {
            match pattern::compile(pattern) {
                Some(compiled) if compiled.is_match(text) => {}
                Some(_) => {
                    let what = at.says(&format!("should match '{pattern}'"));
                    return at.cause(Kind::Invalid, text.into(), what).into();
                }
                None => self.cannot_tell(at, &format!("the pattern '{pattern}' is not understood")),
            }
        }
        Outcome::default()
    }

    fn string_format(&mut self, at: &Place<'_>, format: &str, text: &str) -> Outcome {
        match format::fits(format, text) {
            Fit::Fits => Outcome::default(),
            Fit::Differs => at.not_of_type(format, text).into(),
            Fit::Unknown => {
                self.cannot_tell(at, &format!("whether {text:?} is of format {format} depends on the server"));
                Outcome::default()
            }
        }
    }

    fn cannot_tell(&mut self, at: &Place<'_>, because: &str) {
        self.unpredictable.push(format!("{}: {because}", at.field()));
    }

    fn list(&mut self, at: &Place<'_>, items: &[Value], old: Option<&Value>) -> Outcome {
        let mut outcome = Outcome::default();
        if let Some(schema) = at.schema.items.as_deref() {
            for (index, item) in items.iter().enumerate() {
                let path = format!("{}[{index}]", at.path);
                let before = list_type::same_item(at.schema, old, item);
                outcome.merge(self.unchanged_is_let_through(schema, item, &path, before));
            }
        }
        let size = i64::try_from(items.len()).unwrap_or(i64::MAX);
        if let Some(least) = at.schema.min_items.filter(|least| size < *least) {
            outcome.add(at.cause(Kind::Invalid, size.into(), at.says(&format!("should have at least {least} items"))));
        }
        if let Some(most) = at.schema.max_items.filter(|most| size > *most) {
            outcome.add(at.too_many(size, most));
        }
        outcome
    }

    fn fields(&mut self, at: &Place<'_>, fields: &Map<String, Value>, old: Option<&Value>) -> Outcome {
        let mut outcome = Outcome::default();
        let size = i64::try_from(fields.len()).unwrap_or(i64::MAX);
        if let Some(least) = at.schema.min_properties.filter(|least| size < *least) {
            outcome.add(at.cause(
                Kind::Invalid,
                size.into(),
                at.says(&format!("should have at least {least} properties")),
            ));
        }
        if let Some(most) = at.schema.max_properties.filter(|most| size > *most) {
            outcome.add(at.too_many(size, most));
        }
        for (name, value) in fields {
            let is_whole_meta = at.path.is_empty() && matches!(name.as_str(), "apiVersion" | "kind");
            let before = old.and_then(|old| old.get(name)).filter(|_| !is_whole_meta);
            if let Some(schema) = at.schema.properties.get(name) {
                let path = super::cause::child(at.path, name);
                outcome.merge(self.unchanged_is_let_through(schema, value, &path, before));
            } else if let Some(schema) = at.schema.values() {
                outcome.merge(self.unchanged_is_let_through(schema, value, &format!("{}.{name}", at.path), before));
            } else if matches!(at.schema.additional_properties, Some(Additional::Any(false))) {
                let what = format!("{}.{name} in body is a forbidden property", at.path);
                outcome.add(at.cause(Kind::Invalid, name.as_str().into(), what));
            }
        }
        for name in at.schema.required.iter().filter(|name| !fields.contains_key(*name)) {
            let path = format!("{}.{name}", at.path);
            outcome.add(Cause::bare(Kind::Required, path.trim_start_matches('.'), ""));
        }
        outcome
    }

    /// What an alternative says is worth nothing if a part of it cannot be told.
    fn if_told(&mut self, check: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        let untold = self.unpredictable.len();
        let outcome = check(self);
        if self.unpredictable.len() == untold { outcome } else { Outcome::default() }
    }

    /// Nothing is let through here because it is unchanged.
    fn junctors(&mut self, at: &Place<'_>, value: &Value) -> Outcome {
        let mut outcome = self.if_told(|this| this.any_of(at, value));
        outcome.merge(self.if_told(|this| this.one_of(at, value)));
        let mut holding = 0;
        for schema in &at.schema.all_of {
            let result = self.node(schema, value, at.path, None);
            holding += usize::from(result.is_valid());
            outcome.merge(result);
        }
        if holding != at.schema.all_of.len() {
            let none = if holding == 0 { ". None validated" } else { "" };
            outcome.add(whole(format!("\"{}\" must validate all the schemas (allOf){none}", at.path)));
        }
        outcome.merge(self.if_told(|this| {
            let holds =
                at.schema.not.as_deref().is_some_and(|schema| this.node(schema, value, at.path, None).is_valid());
            let refused = holds.then(|| whole(format!("\"{}\" must not validate the schema (not)", at.path)));
            refused.map_or_else(Outcome::default, Outcome::from)
        }));
        outcome.matched += 1;
        outcome
    }

    fn any_of(&mut self, at: &Place<'_>, value: &Value) -> Outcome {
        let mut outcome = Outcome::default();
        let mut best: Option<Outcome> = None;
        for schema in &at.schema.any_of {
            let result = self.node(schema, value, at.path, None);
            if result.is_valid() {
                return result;
            }
            if best.as_ref().is_none_or(|best| result.matched > best.matched) {
                best = Some(result);
            }
        }
        if let Some(best) = best {
            outcome.add(whole(format!("\"{}\" must validate at least one schema (anyOf)", at.path)));
            outcome.merge(best);
        }
        outcome
    }

    fn one_of(&mut self, at: &Place<'_>, value: &Value) -> Outcome {
        if at.schema.one_of.is_empty() {
            return Outcome::default();
        }
        let mut outcome = Outcome::default();
        let (mut first, mut best): (Option<Outcome>, Option<Outcome>) = (None, None);
        let mut holding = 0;
        for schema in &at.schema.one_of {
            let result = self.node(schema, value, at.path, None);
            if result.is_valid() {
                holding += 1;
                best = None;
                first = first.or(Some(result));
            } else if holding == 0 && best.as_ref().is_none_or(|best| result.matched > best.matched) {
                best = Some(result);
            }
        }
        if holding == 1 {
            return first.unwrap_or_default();
        }
        let found =
            if holding == 0 { "Found none valid".to_owned() } else { format!("Found {holding} valid alternatives") };
        outcome.add(whole(format!("\"{}\" must validate one and only one schema (oneOf). {found}", at.path)));
        outcome.merge(best.unwrap_or_default());
        outcome
    }
}

impl From<Cause> for Outcome {
    fn from(cause: Cause) -> Self {
        Self { causes: vec![cause], matched: 0 }
    }
}

/// A cause that names no field.
fn whole(detail: String) -> Cause {
    Cause::invalid(NO_FIELD, "".into(), detail)
}

/// A schema and the path of the value that it is for, as the server writes it: with a leading dot below a map at the root.
struct Place<'a> {
    schema: &'a Schema,
    path: &'a str,
}

impl Place<'_> {
    fn field(&self) -> String {
        let path = self.path.trim_start_matches('.');
        if path.is_empty() { NO_FIELD.to_owned() } else { path.to_owned() }
    }

    fn says(&self, what: &str) -> String {
        format!("{} in body {what}", self.path)
    }

    fn cause(&self, kind: Kind, value: Value, detail: String) -> Cause {
        Cause { kind, field: self.field(), value: Shown::Value(value), detail }
    }

    fn too_many(&self, size: i64, most: i64) -> Cause {
        let unit = if most == 1 { "item" } else { "items" };
        self.cause(Kind::TooMany, size.into(), format!("must have at most {most} {unit}"))
    }

    fn not_of_type(&self, expected: &str, found: &str) -> Cause {
        let what = self.says(&format!("must be of type {expected}: {}", super::cause::go_quote(found)));
        self.cause(Kind::TypeInvalid, found.into(), what)
    }

    /// Returns the format, if the server knows it for this type.
    fn format(&self) -> Option<&str> {
        let format = self.schema.format.as_deref().filter(|format| !format.is_empty())?;
        let known = match self.schema.types().as_slice() {
            [] | [_, _, ..] | ["string"] => format::is_known(format),
            ["integer"] => matches!(format, "int32" | "int64"),
            ["number"] => matches!(format, "float" | "double"),
            _ => false,
        };
        known.then_some(format)
    }

    fn check_type(&self, value: &Value) -> Outcome {
        let types = self.schema.types();
        let expected = types.join(",");
        let (found, found_format) = match value {
            Value::Null => {
                let refused = !types.is_empty() && !self.schema.nullable;
                return if refused {
                    self.not_of_type(&expected, "null").into()
                } else {
                    Outcome { matched: 1, ..Outcome::default() }
                };
            }
            Value::Bool(_) => ("boolean", ""),
            Value::String(_) => ("string", ""),
            Value::Array(_) => ("array", ""),
            Value::Object(_) => ("object", ""),
            Value::Number(number) if number.as_i64().is_some() => ("integer", "int64"),
            Value::Number(_) => ("number", "float64"),
        };
        let has = |name: &str| types.contains(&name);
        let is_whole = found == "number" && has("integer") && value.as_f64().is_some_and(number::is_whole);
        let fits = has(found) || is_whole || found == "integer" && has("number");
        let is_text_or_list = matches!(found, "string" | "array");
        if let Some(format) = self.format() {
            if !is_text_or_list && !fits && format != found_format {
                return self.not_of_type(format, found_format).into();
            }
            if is_text_or_list && !has("number") && !has("integer") {
                return Outcome { matched: 1, ..Outcome::default() };
            }
        }
        if fits { Outcome { matched: 1, ..Outcome::default() } } else { self.not_of_type(&expected, found).into() }
    }

    fn check_enum(&self, value: &Value) -> Outcome {
        let Some(allowed) = self.schema.allowed.as_ref().filter(|allowed| !allowed.is_empty()) else {
            return Outcome::default();
        };
        if allowed.iter().any(|allowed| number::is_same_in_kind_of(value, allowed)) {
            return Outcome::default();
        }
        let names: Vec<String> = (allowed.iter())
            .map(|allowed| {
                super::cause::go_quote(&allowed.as_str().map_or_else(|| go_json(allowed), ToOwned::to_owned))
            })
            .collect();
        self.cause(Kind::NotSupported, value.clone(), format!("supported values: {}", names.join(", "))).into()
    }
}

/// Returns a number in the server's words, for a message.
pub(super) fn bound(number: f64, for_integer: bool) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "the server cuts it off too")]
    if for_integer { (number as i64).to_string() } else { go_float(number) }
}
