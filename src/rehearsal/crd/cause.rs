//! What is wrong with a field, in the server's manner.
//!
//! Source: `k8s.io/apimachinery/pkg/util/validation/field` `Error.ErrorBody`.

use serde_json::{Number, Value};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cause {
    /// Of what kind.
    pub(super) kind: Kind,
    /// The field, such as `spec.ports[0].name`; [`NO_FIELD`] for the object as a whole.
    pub(super) field: String,
    /// The value that is shown.
    pub(super) value: Shown,
    /// What is wrong with it.
    pub(super) detail: String,
}

/// What the server names where no field is meant.
pub(super) const NO_FIELD: &str = "<nil>";

/// Of what kind a cause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Required,
    Invalid,
    TypeInvalid,
    NotSupported,
    TooLong,
    TooMany,
    Forbidden,
    Duplicate,
}

/// The value that a cause shows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shown {
    /// This one.
    Value(Value),
    /// None.
    Omitted,
}

impl Kind {
    fn title(self) -> &'static str {
        match self {
            Self::Required => "Required value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::Forbidden => "Forbidden",
            Self::Duplicate => "Duplicate value",
        }
    }

    /// Tells whether CEL rules are not asked once there is such a cause.
    ///
    /// Source: `k8s.io/apiextensions-apiserver/pkg/registry/customresource` `hasBlockingErr`.
    pub(super) fn hinders_rules(self) -> bool {
        matches!(self, Self::NotSupported | Self::Required | Self::TooLong | Self::TooMany | Self::TypeInvalid)
    }
}

impl Cause {
    /// Returns a cause of kind [`Kind::Invalid`].
    pub(super) fn invalid(field: impl Into<String>, value: Value, detail: impl Into<String>) -> Self {
        Self { kind: Kind::Invalid, field: field.into(), value: Shown::Value(value), detail: detail.into() }
    }

    /// Returns a cause that shows no value.
    pub(super) fn bare(kind: Kind, field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { kind, field: field.into(), value: Shown::Omitted, detail: detail.into() }
    }

    /// Returns the cause in one line, without the field.
    pub(super) fn text(&self) -> String {
        let title = self.kind.title();
        let shows = !matches!(self.kind, Kind::Required | Kind::Forbidden | Kind::TooLong);
        let mut text = match &self.value {
            Shown::Value(value) if shows => format!("{title}: {}", go_value(value)),
            _ => title.to_owned(),
        };
        if !self.detail.is_empty() {
            text.push_str(": ");
            text.push_str(&self.detail);
        }
        text
    }
}

/// Returns the path of a named field.
pub(super) fn child(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

/// Returns the path of a list item.
pub(super) fn index(parent: &str, at: usize) -> String {
    format!("{parent}[{at}]")
}

/// Returns the path of a map's entry.
pub(super) fn key(parent: &str, key: &str) -> String {
    format!("{parent}[{key}]")
}

fn go_value(value: &Value) -> String {
    match value {
        Value::Bool(bool) => bool.to_string(),
        Value::Number(number) => go_number(number),
        Value::String(text) => go_quote(text),
        _ => go_json(value),
    }
}

/// Returns an integer as it is, any other number as Go's `%v` writes it.
pub(super) fn go_number(number: &Number) -> String {
    number.as_i64().map_or_else(|| go_float(number.as_f64().unwrap_or_default()), |number| number.to_string())
}

/// Returns a number as Go's `%v` writes a float64: the shortest form, with an exponent below -4 and from 21 on.
pub(super) fn go_float(number: f64) -> String {
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = exponent.parse().unwrap_or(0);
    if (-4..21).contains(&power) {
        return format!("{number}");
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", power.abs())
}

/// Returns a text as Go's `%q` writes it.
pub(super) fn go_quote(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            control if control.is_ascii_control() => {
                quoted.extend(['\\', 'x', hex(u32::from(control) / 16), hex(u32::from(control) % 16)]);
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

fn hex(digit: u32) -> char {
    char::from_digit(digit, 16).unwrap_or('0')
}

/// Returns JSON as Go writes it: keys sorted, and `<`, `>`, `&` escaped.
pub(super) fn go_json(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(go_json).collect::<Vec<_>>().join(",")),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| name.as_str());
            let fields = fields
                .iter()
                .map(|(name, value)| format!("{}:{}", go_json(&Value::from(name.as_str())), go_json(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Value::Number(number) => go_number(number),
        other => other.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"),
    }
}

/// Returns a value and its type, as Go's `%v is of the type %T` writes them.
pub(super) fn go_typed(value: &Value) -> String {
    let of_type = match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
        Value::Number(number) if number.as_i64().is_some() => "int64",
        Value::Number(_) => "float64",
    };
    format!("{} is of the type {of_type}", go_plain(value))
}

fn go_plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(go_plain).collect::<Vec<_>>().join(" ")),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}:{}", go_plain(value))).collect();
            fields.sort();
            format!("map[{}]", fields.join(" "))
        }
        other => go_value(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_written_as_go_writes_them() {
        for (number, written) in [
            (1.5, "1.5"),
            (3.0, "3"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e-5, "1.5e-05"),
            (-2.5e30, "-2.5e+30"),
        ] {
            assert_eq!(go_float(number), written);
        }
    }

    #[test]
    fn a_value_is_shown_only_where_the_server_shows_it() {
        let invalid = Cause::invalid("a", json!({"b": "<1>", "a": [1.0]}), "no");
        assert_eq!(invalid.text(), r#"Invalid value: {"a":[1],"b":"\u003c1\u003e"}: no"#);
        assert_eq!(Cause::invalid("a", json!("x\"\u{1}"), "").text(), "Invalid value: \"x\\\"\\x01\"");
        assert_eq!(Cause::bare(Kind::Required, "a", "").text(), "Required value");
    }
}
