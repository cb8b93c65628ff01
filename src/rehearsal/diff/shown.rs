//! How a value of an object is shown: secrets as digests, long ones in part.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::domain::content::{Difference, canonical_json, sha256};
use crate::domain::masking;
use crate::domain::rehearsed::FieldChange;

/// Values whose JSON is longer than this are shortened, in bytes.
const LONGEST: usize = 200;
/// How much of a long value is shown, in bytes.
const PART: usize = 120;
/// `sha256:` and 12 hex digits: enough to tell values apart, and to compare one with a value in hand.
const DIGEST: usize = 7 + 12;

/// Returns the object with each secret replaced by its digest: what a Secret holds (decoded), and elsewhere what keys give
/// away. An object of unknown kind with `data` counts as a Secret.
pub(super) fn without_secrets(object: &Value, kind: &str) -> Value {
    let mut object = object.clone();
    if kind == "Secret" || kind.is_empty() {
        for field in ["data", "stringData"] {
            let entries = object.get_mut(field).and_then(Value::as_object_mut);
            for value in entries.into_iter().flat_map(|entries| entries.values_mut()) {
                let bytes = match &*value {
                    Value::String(text) if field == "data" => {
                        BASE64_STANDARD.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec())
                    }
                    Value::String(text) => text.as_bytes().to_vec(),
                    other => canonical_json(other),
                };
                *value = Value::from(digest(&bytes));
            }
        }
    }
    masking::replace_secrets(&object, &|secret| {
        let is_digest = secret.len() == DIGEST && secret.starts_with("sha256:");
        if is_digest { secret.to_owned() } else { digest(secret.as_bytes()) }
    })
}

fn digest(bytes: &[u8]) -> String {
    let mut digest = sha256(bytes);
    digest.truncate(DIGEST);
    digest
}

/// Returns the difference with long values shortened; the values hold no secret any more.
pub(super) fn change(difference: Difference<'_>) -> FieldChange {
    let Difference { path, before, after } = difference;
    let shortened = |value: Option<&Value>, other: Option<&Value>| value.map(|value| shorten(value, other));
    FieldChange { path, before: shortened(before, after), after: shortened(after, before) }
}

/// Of a long text the part is shown where it begins to differ from the other one.
fn shorten(value: &Value, other: Option<&Value>) -> Value {
    let (text, other) = (as_text(value), other.map(as_text).unwrap_or_default());
    if text.len() <= LONGEST {
        return value.clone();
    }
    let common = text.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let line = text.get(..text.floor_char_boundary(common)).and_then(|same| same.rfind('\n')).map_or(0, |at| at + 1);
    let near = if common < line + PART / 2 { line } else { common.saturating_sub(PART / 4) };
    let start = text.floor_char_boundary(near.min(text.len().saturating_sub(PART / 2)));
    let end = text.floor_char_boundary(start + PART);
    let part = text.get(start..end).unwrap_or_default();
    let (before, after) = (if start > 0 { "... " } else { "" }, if end < text.len() { " ..." } else { "" });
    Value::from(format!("{before}{part}{after} ({} bytes, {})", text.len(), digest(text.as_bytes())))
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => String::from_utf8_lossy(&canonical_json(other)).into_owned(),
    }
}
