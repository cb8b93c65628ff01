//! A profile whose text some could read otherwise: read by the library that knows on which line a field stands, and held against
//! Helm's reading.
//!
//! A profile may hold secrets: an error quotes a word of it, never more.

use serde_json::{Number, Value};

use super::{Profile, ProfileError};
use crate::domain::field_path;
use crate::domain::yaml::{self, MappingError, Word};

pub(super) fn parse_carefully(text: &str) -> Result<Profile, ProfileError> {
    let profile = serde_saphyr::from_str(text).map_err(|error| ProfileError::Form {
        line: error.location().map_or(1, |location| location.line()),
        cause: first_sentence(&error.to_string()),
    })?;
    let value = check_one_reading(text)?;
    check_types("", &value, &serde_json::to_value(&profile).unwrap_or_default())
        .map_err(|(field, wanted)| wrong_type(text, &field, wanted))?;
    // The library takes some words of YAML 1.1 for what they were there.
    yaml::words(text).iter().find_map(ambiguous).map_or(Ok(profile), Err)
}

/// Checks that texts are texts and numbers are numbers: the library would take `1` for a text, and `'1'` for a number. The error is a field
/// and what it should hold.
fn check_types(path: &str, given: &Value, read: &Value) -> Result<(), (String, &'static str)> {
    match (given, read) {
        (Value::Object(map), Value::Object(_)) => map.iter().try_for_each(|(key, value)| {
            check_types(&field_path::child(path, key), value, read.get(key).unwrap_or(value))
        }),
        (Value::Array(items), Value::Array(others)) => {
            let mut pairs = items.iter().zip(others).enumerate();
            pairs.try_for_each(|(index, (item, other))| check_types(&field_path::item(path, index), item, other))
        }
        (Value::Number(_) | Value::Bool(_) | Value::Null, Value::String(_)) => Err((path.to_owned(), "text")),
        (Value::String(_), Value::Number(_)) => Err((path.to_owned(), "number")),
        _ => Ok(()),
    }
}

fn wrong_type(text: &str, field: &str, wanted: &str) -> ProfileError {
    let quotes = if wanted == "text" { "without quotes" } else { "in quotes" };
    match yaml::words(text).into_iter().find(|word| !word.is_key && word.path == field) {
        Some(word) => ProfileError::Form {
            line: line_of(&word),
            cause: format!("{field}: a {wanted} is wanted, and `{}` is none {quotes}", word.text),
        },
        None => ProfileError::Meaning {
            field: field.to_owned(),
            cause: format!("a {wanted} is wanted, and what it stands for is none {quotes}"),
        },
    }
}

fn line_of(word: &Word) -> u64 {
    u64::try_from(word.line).unwrap_or(u64::MAX)
}

/// The error's text goes on with an excerpt of the file.
fn first_sentence(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    // The line is told by itself.
    let line = line.strip_prefix("line ").and_then(|rest| rest.split_once(": ")).map_or(line, |(_, cause)| cause);
    // What a programmer could do about it is nothing to a user.
    let line = ["; use Option", ", set DuplicateKeyPolicy"]
        .iter()
        .fold(line, |line, advice| line.split(advice).next().unwrap_or(line));
    line.split(" at line ").next().unwrap_or(line).trim_end_matches(':').to_owned()
}

/// Returns the file's value, if YAML 1.1 (Helm, kubectl) and YAML 1.2 read the same.
fn check_one_reading(text: &str) -> Result<Value, ProfileError> {
    let by_helm = match yaml::parse_mapping(text) {
        Ok(map) => Value::Object(map),
        Err(MappingError::Syntax { line, cause }) => {
            return Err(ProfileError::Form { line: u64::try_from(line).unwrap_or(u64::MAX), cause });
        }
        Err(error) => return Err(ProfileError::Form { line: 1, cause: error.to_string() }),
    };
    let by_others: Value = serde_saphyr::from_str(text)
        .map_err(|error| ProfileError::Form { line: 1, cause: first_sentence(&error.to_string()) })?;
    match differing("", &by_helm, &by_others) {
        None => Ok(by_helm),
        Some(field) => Err(yaml::words(text).iter().find_map(ambiguous).unwrap_or_else(|| ProfileError::Meaning {
            field,
            cause: "Helm and others read it in two ways: write it out, with quotes".to_owned(),
        })),
    }
}

/// Returns the path of the first field that the two readings have another value for, or of a key that they do not share.
fn differing(path: &str, one: &Value, other: &Value) -> Option<String> {
    match (one, other) {
        (Value::Object(ones), Value::Object(others)) => {
            if let Some(key) = others.keys().find(|key| !ones.contains_key(*key)) {
                return Some(field_path::child(path, key));
            }
            ones.iter().find_map(|(key, one)| {
                let path = field_path::child(path, key);
                others.get(key).and_then(|other| differing(&path, one, other))
            })
        }
        (Value::Array(ones), Value::Array(others)) if ones.len() == others.len() => {
            let mut pairs = ones.iter().zip(others).enumerate();
            pairs.find_map(|(index, (one, other))| differing(&field_path::item(path, index), one, other))
        }
        (Value::Number(ones), Value::Number(others)) if ones.as_f64() == others.as_f64() => None,
        _ => (one != other).then(|| path.to_owned()),
    }
}

/// Returns the error if the word by itself is read in two ways.
fn ambiguous(word: &Word) -> Option<ProfileError> {
    if !word.is_plain || word.text.contains('\n') {
        return None;
    }
    let (by_helm, by_others) = if word.is_key {
        (Value::String(yaml::scalar_key(&word.text, true, None).ok()?), Value::String(word.text.clone()))
    } else {
        (yaml::scalar_value(&word.text, true, None).ok()?, as_1_2(&word.text))
    };
    differing("", &by_helm, &by_others)?;
    Some(ProfileError::Ambiguous {
        line: line_of(word),
        field: word.path.clone(),
        word: word.text.clone(),
        is_key: word.is_key,
        // What is advised is a whole number, with all its digits.
        by_helm: yaml::large_number(&word.text).map_or_else(|| by_helm.to_string(), |number| number.to_string()),
        by_others: by_others.to_string(),
    })
}

/// Returns what a plain word is in YAML 1.2.
///
/// Source: YAML 1.2.2, section 10.3.2, "Tag Resolution" of the core schema.
fn as_1_2(word: &str) -> Value {
    let is_number = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    let of_base = |mark: &str, base| u64::from_str_radix(word.strip_prefix(mark)?, base).ok().map(Number::from);
    let whole = || word.parse().ok().map(|number: i64| number.into());
    let number = of_base("0o", 8).or_else(|| of_base("0x", 16)).or_else(whole);
    let float = || word.parse().ok().filter(|_| word.bytes().all(is_number)).and_then(Number::from_f64);
    match word {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number.or_else(float).map_or_else(|| word.into(), Value::Number),
    }
}
