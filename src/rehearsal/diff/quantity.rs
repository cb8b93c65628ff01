//! Amounts that are written in several ways: `1` and `1000m`, `1Gi` and `1024Mi`.

use std::cmp::Ordering;

use serde_json::Value;

/// Fields whose values, or the values of whose entries, are quantities.
///
/// Source: the fields of type `resource.Quantity` in `k8s.io/api`.
const QUANTITIES: [&str; 22] = [
    "limits",
    "requests",
    "capacity",
    "allocatable",
    "allocatedResources",
    "hard",
    "used",
    "max",
    "min",
    "default",
    "defaultRequest",
    "maxLimitRequestRatio",
    "podFixed",
    "overhead",
    "sizeLimit",
    "storage",
    "divisor",
    "averageValue",
    "cpu",
    "memory",
    "minimumVolumeSize",
    "maximumVolumeSize",
];

/// Tells whether two values of a field mean the same; `field` and `parent` are the names of it and of the map around it.
pub(super) fn means_the_same(parent: &str, field: &str, one: &Value, other: &Value) -> bool {
    one == other
        || (QUANTITIES.contains(&parent) || QUANTITIES.contains(&field))
            && nanos_of(one).is_some_and(|nanos| nanos_of(other) == Some(nanos))
}

/// Compares two quantities; nothing if one is none.
pub(in crate::rehearsal) fn compare(one: &Value, other: &Value) -> Option<Ordering> {
    Some(nanos_of(one)?.cmp(&nanos_of(other)?))
}

fn nanos_of(value: &Value) -> Option<i128> {
    match value {
        Value::String(text) => nanos(text),
        Value::Number(number) => nanos(&number.to_string()),
        _ => None,
    }
}

/// Returns a quantity in billionths; nothing if the text is none, or one that is too large or too fine to be sure.
///
/// Source: `k8s.io/apimachinery/pkg/api/resource/quantity.go`: its grammar.
fn nanos(text: &str) -> Option<i128> {
    let is_of_number = |character: char| character.is_ascii_digit() || matches!(character, '+' | '-' | '.');
    let (number, suffix) = text.split_at(text.find(|character| !is_of_number(character)).unwrap_or(text.len()));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) || number.bytes().all(|byte| !byte.is_ascii_digit()) {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let (two, ten) = match suffix {
        "" => (0, 0),
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        "Ki" => (10, 0),
        "Mi" => (20, 0),
        "Gi" => (30, 0),
        "Ti" => (40, 0),
        "Pi" => (50, 0),
        "Ei" => (60, 0),
        exponent => (0, exponent.strip_prefix(['e', 'E'])?.parse::<i32>().ok()?),
    };
    let digits = digits.checked_mul(1_i128.checked_shl(two)?)?;
    let power = ten.checked_add(9)?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let factor = 10_i128.checked_pow(power.unsigned_abs())?;
    if power >= 0 { digits.checked_mul(factor) } else { (digits % factor == 0).then_some(digits / factor) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn amounts_are_the_same_however_they_are_written() {
        let same = |one: Value, other: Value| means_the_same("limits", "cpu", &one, &other);
        for (one, other) in [
            (json!(1), json!("1000m")),
            (json!("0.5"), json!("500m")),
            (json!(0.5), json!("500m")),
            (json!("1Gi"), json!("1024Mi")),
            (json!("1.5Gi"), json!("1536Mi")),
            (json!("1e3"), json!("1k")),
            (json!("+2"), json!("2.0")),
            (json!("100u"), json!("100000n")),
            (json!(".5"), json!("0.50")),
            (json!("-1"), json!("-1000m")),
        ] {
            assert!(same(one.clone(), other.clone()), "{one} {other}");
        }
        for (one, other) in [
            (json!("1G"), json!("1Gi")),
            (json!("1"), json!("1001m")),
            (json!("x"), json!("y")),
            (json!(""), json!("0")),
            (json!("1"), json!(true)),
            (json!("."), json!("0")),
            (json!("1e"), json!("1")),
        ] {
            assert!(!same(one.clone(), other.clone()), "{one} {other}");
        }
    }

    #[test]
    fn outside_of_amounts_a_text_is_a_text() {
        assert!(!means_the_same("ports", "targetPort", &json!(80), &json!("80")));
        assert!(!means_the_same("env", "value", &json!("1"), &json!("1000m")));
        assert!(means_the_same("emptyDir", "sizeLimit", &json!("1Gi"), &json!("1024Mi")));
    }

    proptest! {
        #[test]
        fn a_thousand_of_one_unit_is_one_of_the_next(count in -1_000_000_i64..1_000_000) {
            for (small, large) in [("n", "u"), ("u", "m"), ("m", ""), ("", "k"), ("k", "M"), ("M", "G"), ("G", "T")] {
                prop_assert_eq!(nanos(&format!("{count}000{small}")), nanos(&format!("{count}{large}")));
            }
            for (small, large) in [("", "Ki"), ("Ki", "Mi"), ("Mi", "Gi"), ("Gi", "Ti")] {
                prop_assert_eq!(nanos(&format!("{}{small}", count * 1024)), nanos(&format!("{count}{large}")));
            }
        }

        #[test]
        fn no_text_is_too_strange(text in ".{0,30}") {
            let _ = nanos(&text);
        }
    }
}
