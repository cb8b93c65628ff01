//! Profiles: what is known of a product, as data.
//!
//! A profile is a YAML file that users can write, too. It is read strictly: a field that nobody knows is an error with its line.
//! What YAML 1.1 and 1.2 read differently (`yes`, `0644`) must be quoted, because a profile's values end up in manifests.

mod embedded;
mod rule;
mod selection;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::yaml::{self, MappingError};

pub use embedded::embedded;
pub use rule::{
    AddItems, Change, GroupKind, NamePattern, NotAPattern, RemoveItems, Rule, Select, SetField, TakeClaim, is_registry,
};
pub use selection::{RuleError, Subject, holding};

/// The version of this form.
pub const PROFILE_FORMAT: u32 = 1;

/// What is known of a product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profile {
    /// The version of this form: 1.
    pub format: u32,
    /// How the profile is called: lower-case letters, digits and dashes.
    pub name: String,
    /// What it is for, in one line.
    #[serde(default)]
    pub description: String,
    /// The names of the charts that it is for, as in `Chart.yaml`.
    #[serde(default)]
    pub charts: Vec<String>,
    /// What is changed in rendered manifests on their way to the cluster, in this order.
    #[serde(default)]
    pub post_render: Vec<Rule>,
}

/// A profile cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProfileError {
    /// It is no YAML, has a field that nobody knows, or a value of the wrong type.
    #[error("line {line}: {cause}")]
    Form {
        /// Counted from 1.
        line: u64,
        /// What is wrong, in a few words.
        cause: String,
    },
    /// A value is `yes`, `0644` or the like.
    #[error("{field}: `{text}` is read in two ways, as {as_1_1} by Helm and as {as_1_2} by others: put it in quotes")]
    Ambiguous {
        /// Such as `post-render[0].changes[0].set.value`.
        field: String,
        /// As YAML 1.2 has it.
        text: String,
        /// JSON.
        as_1_1: String,
        /// JSON.
        as_1_2: String,
    },
    /// The profile says something that cannot be.
    #[error("{field}: {cause}")]
    Meaning {
        /// Such as `post-render[0].select.kinds`.
        field: String,
        /// What is wrong, in a few words.
        cause: String,
    },
}

/// Returns the profile that `text` holds.
///
/// # Errors
/// [`ProfileError`] says what is wrong, and where.
pub fn parse(text: &str) -> Result<Profile, ProfileError> {
    // What no reader could take otherwise needs no second one; that one is for errors, which it gives a line.
    let agreed = yaml::parse_agreed(text).and_then(|value| from_agreed(&value));
    let mut profile = agreed.map_or_else(|| parse_carefully(text), Ok)?;
    check(&profile)?;
    profile.post_render.iter_mut().for_each(Rule::read_numbers_as_go);
    Ok(profile)
}

/// Returns the profile, if each list of the value is read as one: the library would take a list for a mapping, too, its items for the
/// fields in their order.
fn from_agreed(value: &Value) -> Option<Profile> {
    let profile: Profile = serde_json::from_value(value.clone()).ok()?;
    are_lists_kept(value, &serde_json::to_value(&profile).ok()?).then_some(profile)
}

fn are_lists_kept(given: &Value, read: &Value) -> bool {
    match given {
        Value::Array(items) => read.as_array().is_some_and(|others| {
            items.len() == others.len() && items.iter().zip(others).all(|(one, other)| are_lists_kept(one, other))
        }),
        Value::Object(map) => {
            map.iter().all(|(key, value)| are_lists_kept(value, read.get(key).unwrap_or(&Value::Null)))
        }
        _ => true,
    }
}

/// Reads with the library that knows on which line a field stands, and holds its reading against Helm's.
fn parse_carefully(text: &str) -> Result<Profile, ProfileError> {
    let profile = serde_saphyr::from_str(text).map_err(|error| ProfileError::Form {
        line: error.location().map_or(1, |location| location.line()),
        cause: first_sentence(&error.to_string()),
    })?;
    let value = check_one_reading(text)?;
    check_texts("", &value, &serde_json::to_value(&profile).unwrap_or_default())?;
    Ok(profile)
}

/// Checks that texts are texts: the library would take `1` and `true` for one, too.
fn check_texts(path: &str, given: &Value, read: &Value) -> Result<(), ProfileError> {
    match (given, read) {
        (Value::Object(map), Value::Object(_)) => map.iter().try_for_each(|(key, value)| {
            check_texts(&super::field_path::child(path, key), value, read.get(key).unwrap_or(value))
        }),
        (Value::Array(items), Value::Array(others)) => {
            let mut pairs = items.iter().zip(others).enumerate();
            pairs.try_for_each(|(index, (item, other))| check_texts(&super::field_path::item(path, index), item, other))
        }
        (Value::Number(_) | Value::Bool(_) | Value::Null, Value::String(_)) => Err(ProfileError::Meaning {
            field: path.to_owned(),
            cause: format!("a text is wanted, and `{given}` is none without quotes"),
        }),
        _ => Ok(()),
    }
}

/// The error's text goes on with an excerpt of the file.
fn first_sentence(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    // The line is told by itself.
    let line = line.strip_prefix("line ").and_then(|rest| rest.split_once(": ")).map_or(line, |(_, cause)| cause);
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
        Some((field, one, other)) => Err(ProfileError::Ambiguous {
            field,
            text: other.as_str().map_or_else(|| other.to_string(), str::to_owned),
            as_1_1: one.to_string(),
            as_1_2: other.to_string(),
        }),
    }
}

fn differing<'v>(path: &str, one: &'v Value, other: &'v Value) -> Option<(String, &'v Value, &'v Value)> {
    match (one, other) {
        (Value::Object(ones), Value::Object(others)) => {
            if let Some(key) = others.keys().find(|key| !ones.contains_key(*key)) {
                return Some((super::field_path::child(path, key), one, other));
            }
            ones.iter().find_map(|(key, one)| {
                let path = super::field_path::child(path, key);
                others.get(key).and_then(|other| differing(&path, one, other))
            })
        }
        (Value::Array(ones), Value::Array(others)) if ones.len() == others.len() => {
            let mut pairs = ones.iter().zip(others).enumerate();
            pairs.find_map(|(index, (one, other))| differing(&super::field_path::item(path, index), one, other))
        }
        (Value::Number(ones), Value::Number(others)) if ones.as_f64() == others.as_f64() => None,
        _ => (one != other).then(|| (path.to_owned(), one, other)),
    }
}

/// Checks what no type says.
fn check(profile: &Profile) -> Result<(), ProfileError> {
    let wrong = |field: String, cause: &str| Err(ProfileError::Meaning { field, cause: cause.to_owned() });
    if profile.format != PROFILE_FORMAT {
        return wrong(
            "format".to_owned(),
            &format!("this program reads format {PROFILE_FORMAT}, not {}", profile.format),
        );
    }
    if !is_name(&profile.name) {
        return wrong("name".to_owned(), "lower-case letters, digits and dashes are allowed");
    }
    for (index, rule) in profile.post_render.iter().enumerate() {
        let field = format!("post-render[{index}]");
        if !is_name(&rule.name) {
            return wrong(format!("{field}.name"), "lower-case letters, digits and dashes are allowed");
        }
        if profile.post_render.iter().take(index).any(|earlier| earlier.name == rule.name) {
            return wrong(format!("{field}.name"), &format!("another rule is called `{}`, too", rule.name));
        }
        if rule.changes.is_empty() {
            return wrong(format!("{field}.changes"), "the rule changes nothing");
        }
        rule.check().map_err(|(within, cause)| ProfileError::Meaning { field: format!("{field}.{within}"), cause })?;
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.len() <= 63 && name.bytes().all(is_inner) && !name.starts_with('-') && !name.ends_with('-')
}

#[cfg(test)]
mod tests;
