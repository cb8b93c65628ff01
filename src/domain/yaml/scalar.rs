//! What one scalar means to go-yaml v2.
//!
//! Source: `go.yaml.in/yaml/v2` `resolve.go`; `sigs.k8s.io/yaml` `yaml.go` for keys; Go `encoding/json` for how a float is
//! written, and `k8s.io/apimachinery/pkg/util/json` for what is an integer.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

/// Go's decoder does not ask for the unused bits of the last character to be zero.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

const CORE: &str = "tag:yaml.org,2002:";

/// A scalar as Go types it; keys need the type, too.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(String),
}

/// Returns what a scalar means; `is_plain` for one without quotes and block indicator.
pub(super) fn resolve(text: &str, is_plain: bool, tag: Option<&str>) -> Result<Scalar, String> {
    let Some(tag) = tag else {
        return Ok(if is_plain { resolve_plain(text) } else { Scalar::Text(text.to_owned()) });
    };
    let Some(kind) = tag.strip_prefix(CORE) else {
        return Ok(Scalar::Text(text.to_owned()));
    };
    let resolved = || resolve_plain(text);
    let mismatch = || Err(format!("`{text}` is no !!{kind}"));
    match kind {
        "binary" => decode_binary(text),
        "bool" => match resolved() {
            Scalar::Bool(value) => Ok(Scalar::Bool(value)),
            _ => mismatch(),
        },
        "int" => match resolved() {
            value @ (Scalar::Int(_) | Scalar::Uint(_)) => Ok(value),
            _ => mismatch(),
        },
        // Go widens an int to a float, but not one beyond 2^63.
        #[expect(clippy::cast_precision_loss, reason = "as Go does")]
        "float" => match resolved() {
            Scalar::Int(value) => Ok(Scalar::Float(value as f64)),
            Scalar::Float(value) => Ok(Scalar::Float(value)),
            _ => mismatch(),
        },
        "null" => match resolved() {
            Scalar::Null => Ok(Scalar::Null),
            _ => mismatch(),
        },
        "timestamp" if !looks_like_date(text) => mismatch(),
        _ => Ok(Scalar::Text(text.to_owned())),
    }
}

fn decode_binary(text: &str) -> Result<Scalar, String> {
    let packed: String = text.chars().filter(|character| !matches!(character, '\r' | '\n')).collect();
    let bytes = BASE64.decode(packed).map_err(|_| "!!binary value is no base64".to_owned())?;
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        // Go's JSON replaces each stray byte, Rust's lossy conversion each run of them.
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Ok(Scalar::Text(text))
}

/// Only the beginning of a date is looked at: the value stays text in any case.
fn looks_like_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let is_number = |part: Option<&str>, lengths: std::ops::RangeInclusive<usize>| {
        part.is_some_and(|part| lengths.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    is_number(parts.next(), 4..=4)
        && is_number(parts.next(), 1..=2)
        && parts.next().is_some_and(|day| day.starts_with(|first: char| first.is_ascii_digit()))
}

/// Tells whether a scalar without quotes, block indicator and tag is text.
pub(super) fn is_text(text: &str) -> bool {
    resolve_other(text).is_none()
}

fn resolve_plain(text: &str) -> Scalar {
    resolve_other(text).unwrap_or_else(|| Scalar::Text(text.to_owned()))
}

/// Returns what a plain scalar is that is no text.
fn resolve_other(text: &str) -> Option<Scalar> {
    // No name is longer.
    let name = || if text.len() <= 5 { named(text) } else { None };
    match text.as_bytes() {
        [b'.', ..] => name().or_else(|| parse_dotted(text)),
        [b'+' | b'-', ..] => name().or_else(|| parse_number(text)),
        [b'0'..=b'9', ..] => parse_number(text),
        [] | [b'~' | b'n' | b'N' | b'y' | b'Y' | b't' | b'T' | b'f' | b'F' | b'o' | b'O', ..] => name(),
        _ => None,
    }
}

fn named(text: &str) -> Option<Scalar> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Scalar::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Scalar::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

/// A number that begins with its point goes to Go's float parser as it stands: underscores only between digits.
fn parse_dotted(text: &str) -> Option<Scalar> {
    let bytes = text.as_bytes();
    let is_digit = |index: Option<usize>| index.and_then(|index| bytes.get(index)).is_some_and(u8::is_ascii_digit);
    let are_underscores_fine = bytes
        .iter()
        .enumerate()
        .all(|(index, &byte)| byte != b'_' || (is_digit(index.checked_sub(1)) && is_digit(Some(index + 1))));
    if are_underscores_fine { parse_float(&text.replace('_', "")) } else { None }
}

fn parse_number(text: &str) -> Option<Scalar> {
    // Digits, signs, points, prefixes and exponents alone make numbers.
    if !text
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'+' | b'-' | b'.' | b'_' | b'x' | b'X' | b'o' | b'O'))
    {
        return None;
    }
    let text = &text.replace('_', "");
    parse_int(text).map(Scalar::Int).or_else(|| parse_uint(text).map(Scalar::Uint)).or_else(|| {
        parse_float(text).or_else(|| {
            // Go tries base 2 once more after the prefix, which lets a second sign through.
            let (sign, digits) = match text.strip_prefix("-0b") {
                Some(digits) => ("-", digits),
                None => ("", text.strip_prefix("0b")?),
            };
            i64::from_str_radix(&format!("{sign}{digits}"), 2).ok().map(Scalar::Int)
        })
    })
}

/// Go `strconv.ParseInt(text, 0, 64)`.
fn parse_int(text: &str) -> Option<i64> {
    let (is_negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, text.get(1..)?),
        [b'+', ..] => (false, text.get(1..)?),
        _ => (false, text),
    };
    let magnitude = i128::from(parse_uint(digits)?);
    i64::try_from(if is_negative { -magnitude } else { magnitude }).ok()
}

/// Go `strconv.ParseUint(text, 0, 64)`.
fn parse_uint(text: &str) -> Option<u64> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (text.get(2..)?, 16),
        [b'0', b'o' | b'O', _, ..] => (text.get(2..)?, 8),
        [b'0', b'b' | b'B', _, ..] => (text.get(2..)?, 2),
        [b'0'] => return Some(0),
        [b'0', ..] => (text.get(1..)?, 8),
        _ => (text, 10),
    };
    // Rust would take a sign here.
    if digits.starts_with(['+', '-']) { None } else { u64::from_str_radix(digits, radix).ok() }
}

/// A decimal float; one beyond the range of `f64` is text.
fn parse_float(text: &str) -> Option<Scalar> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_decimal = is_digits(whole)
        && is_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|digits| !digits.is_empty() && is_digits(digits));
    if !is_decimal {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite()).map(Scalar::Float)
}

impl Scalar {
    /// Returns the JSON that reaches the cluster.
    pub(super) fn into_value(self) -> Result<Value, String> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => Value::from(value),
            // Kubernetes reads an integer that does not fit into 64 signed bits as a float.
            #[expect(clippy::cast_precision_loss, reason = "as Kubernetes does")]
            Self::Uint(value) => i64::try_from(value).map_or_else(|_| Value::from(value as f64), Value::from),
            Self::Float(value) => float_value(value)?,
            Self::Text(text) => Value::String(text),
        })
    }

    /// Returns the key that Go makes of it.
    pub(super) fn into_key(self) -> Result<String, String> {
        Ok(match self {
            Self::Null => return Err("a key is null".to_owned()),
            Self::Uint(value) => return Err(format!("the key {value} is too large a number")),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => float_key(value),
            Self::Text(text) => text,
        })
    }
}

/// A float travels as Go's JSON, and a whole number without exponent comes out of that as an integer.
pub(in crate::domain) fn float_value(value: f64) -> Result<Value, String> {
    if !value.is_finite() {
        return Err("infinity and not-a-number have no JSON".to_owned());
    }
    let size = value.abs();
    if size < 1e-6 && size > 0.0 || size >= 1e21 {
        return Ok(Value::from(value));
    }
    let text = if value == 0.0 { "0".to_owned() } else { value.to_string() };
    Ok(text.parse::<i64>().map_or_else(|_| Value::from(value), Value::from))
}

/// Go `strconv.FormatFloat(value, 'g', -1, 32)`: the shortest digits that name the nearest 32-bit float.
fn float_key(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "as sigs.k8s.io/yaml does")]
    let value = value as f32;
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    value.to_string()
}
