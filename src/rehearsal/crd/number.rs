//! Numbers, as the server compares them: an integer is compared with the integer part of a bound.
//!
//! Source: `k8s.io/kube-openapi/pkg/validation/validate` `numberValidator`, `github.com/go-openapi/swag` `IsFloat64AJSONInteger`.

use serde_json::{Number, Value};

use super::cause::{Cause, NO_FIELD};
use super::schema::Schema;
use super::structure::{Outcome, bound};

/// Returns what is wrong with a number at `path`; `cause` makes a cause for this field from a text and a value.
pub(super) fn check(schema: &Schema, path: &str, number: &Number, cause: impl Fn(String, Value) -> Cause) -> Outcome {
    let mut outcome = Outcome::default();
    let limits = Limits::of(schema);
    let said = |what: String| cause(format!("{path} in body {what}"), number.clone().into());
    let value = Compared::from(number);

    if let Some(factor) = schema.multiple_of {
        let value = if limits.holds(factor) { value } else { Compared::Float(value.as_float()) };
        let shown = bound(factor, matches!(value, Compared::Integer(_)));
        match value.is_multiple_of(factor) {
            None => outcome.add(cause(
                format!("factor MultipleOf declared for {path} must be positive: {shown}"),
                serde_json::from_str(&shown).unwrap_or(Value::Null),
            )),
            Some(true) => {}
            Some(false) => outcome.add(said(format!("should be a multiple of {shown}"))),
        }
    }
    let bounds = [(schema.maximum, schema.exclusive_maximum, true), (schema.minimum, schema.exclusive_minimum, false)];
    for (limit, is_exclusive, is_most) in bounds {
        let Some(limit) = limit else { continue };
        let value = if limits.holds(limit) { value } else { Compared::Float(value.as_float()) };
        if value.is_beyond(limit, is_exclusive, is_most) {
            let words = match (is_most, is_exclusive) {
                (true, false) => "less than or equal to",
                (true, true) => "less than",
                (false, false) => "greater than or equal to",
                (false, true) => "greater than",
            };
            let limit = bound(limit, matches!(value, Compared::Integer(_)));
            outcome.add(said(format!("should be {words} {limit}")));
        }
    }

    let of_schema = [
        ("MultipleOf", schema.multiple_of),
        ("Maximum boundary", schema.maximum),
        ("Minimum boundary", schema.minimum),
        ("Checked", Some(number.as_i64().map_or_else(|| value.as_float(), exact))),
    ];
    for (what, checked) in of_schema {
        let is_out = match (what, number.as_i64()) {
            ("Checked", Some(integer)) => !limits.hold_integer(integer),
            _ => checked.is_some_and(|checked| !limits.holds(checked)),
        };
        if is_out {
            outcome.add(Cause::invalid(
                NO_FIELD,
                "".into(),
                format!("{what} value must be of type {} in {path}", limits.told()),
            ));
        }
    }
    outcome
}

#[expect(clippy::cast_precision_loss, reason = "the server does the same")]
fn exact(integer: i64) -> f64 {
    integer as f64
}

/// The range of a type and format, where the type is exactly one.
struct Limits<'a> {
    type_name: &'a str,
    format: Option<&'a str>,
}

impl<'a> Limits<'a> {
    fn of(schema: &'a Schema) -> Self {
        let type_name = match schema.types().as_slice() {
            ["integer"] => "integer",
            ["number"] => "number",
            _ => "",
        };
        let format = schema.format.as_deref().filter(|format| {
            matches!((type_name, *format), ("integer", "int32" | "int64") | ("number", "float" | "double"))
        });
        Self { type_name, format }
    }

    fn told(&self) -> String {
        self.format.map_or_else(
            || format!("{} (default format)", self.type_name),
            |format| format!("{} with format {format}", self.type_name),
        )
    }

    fn hold_integer(&self, integer: i64) -> bool {
        self.format != Some("int32") || i32::try_from(integer).is_ok()
    }

    fn holds(&self, number: f64) -> bool {
        match (self.type_name, self.format) {
            ("integer", format) => {
                let range =
                    if format == Some("int32") { -2f64.powi(31)..2f64.powi(31) } else { -2f64.powi(63)..2f64.powi(63) };
                number.fract() == 0.0 && range.contains(&number)
            }
            ("number", Some("float")) => number.abs() <= f64::from(f32::MAX),
            _ => true,
        }
    }
}

/// A number as Go holds it.
#[derive(Clone, Copy)]
enum Compared {
    Integer(i64),
    Float(f64),
}

impl From<&Number> for Compared {
    fn from(number: &Number) -> Self {
        number.as_i64().map_or_else(|| Self::Float(number.as_f64().unwrap_or_default()), Self::Integer)
    }
}

impl Compared {
    fn as_float(self) -> f64 {
        match self {
            Self::Integer(integer) => exact(integer),
            Self::Float(float) => float,
        }
    }

    /// Tells whether it is a multiple; nothing if the factor, cut off, is none.
    #[expect(clippy::cast_possible_truncation, reason = "the server cuts it off too")]
    fn is_multiple_of(self, factor: f64) -> Option<bool> {
        match self {
            Self::Integer(integer) => {
                integer.checked_rem(factor as i64).filter(|_| factor as i64 > 0).map(|rest| rest == 0)
            }
            Self::Float(_) if factor <= 0.0 => None,
            Self::Float(float) if factor < 1.0 => Some(is_whole(1.0 / factor * float)),
            Self::Float(float) => Some(is_whole(float / factor)),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the server cuts it off too")]
    fn is_beyond(self, limit: f64, is_exclusive: bool, is_most: bool) -> bool {
        let order = match self {
            Self::Integer(integer) => Some(integer.cmp(&(limit as i64))),
            Self::Float(float) => float.partial_cmp(&limit),
        };
        order.is_some_and(|order| order.is_eq() && is_exclusive || if is_most { order.is_gt() } else { order.is_lt() })
    }
}

/// Tells whether the server takes a floating number for an integer.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "the server does the same"
)]
pub(super) fn is_whole(number: f64) -> bool {
    const LARGEST: f64 = 9_007_199_254_740_991.0;
    if !number.is_finite() || number.abs() > LARGEST {
        return false;
    }
    let whole = number as u64 as f64;
    if number == whole || number == number as i64 as f64 {
        return true;
    }
    if number == 0.0 || whole == 0.0 {
        return false;
    }
    (number - whole).abs() / (number.abs() + whole.abs()) < 1e-9
}

/// Tells whether a value equals one of an enumeration, after Go's conversion of numbers.
#[expect(clippy::cast_possible_truncation, clippy::float_cmp, reason = "the server does the same")]
pub(super) fn is_same_in_kind_of(value: &Value, allowed: &Value) -> bool {
    match (value, allowed) {
        (Value::Null, _) => false,
        (Value::Number(value), Value::Number(allowed)) => match (Compared::from(value), Compared::from(allowed)) {
            (Compared::Integer(value), Compared::Integer(allowed)) => value == allowed,
            (Compared::Float(value), Compared::Integer(allowed)) => value as i64 == allowed,
            (value, Compared::Float(allowed)) => value.as_float() == allowed,
        },
        _ => value == allowed,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_floating_number_without_a_fraction_is_whole() {
        for (number, whole) in
            [(3.0, true), (-3.0, true), (0.0, true), (0.5, false), (3.1, false), (1e16, false), (f64::NAN, false)]
        {
            assert_eq!(is_whole(number), whole, "{number}");
        }
    }

    proptest! {
        #[test]
        fn an_integer_is_within_its_bounds_or_refused_once(value: i32, minimum: i16, span: u8) {
            let (minimum, maximum) = (f64::from(minimum), f64::from(minimum) + f64::from(span));
            let schema = Schema {
                declared_type: Some("integer".to_owned()), minimum: Some(minimum), maximum: Some(maximum), ..Schema::default()
            };
            let outcome = check(&schema, "a", &value.into(), |what, value| Cause::invalid("a", value, what));
            let is_within = (minimum..=maximum).contains(&f64::from(value));
            prop_assert_eq!(outcome.causes.len(), usize::from(!is_within));
        }
    }
}
