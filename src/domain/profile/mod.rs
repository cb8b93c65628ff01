//! Profiles: what is known of a product, as data.
//!
//! A profile is a YAML file that users can write, too. It is read strictly: a field that nobody knows is an error with its line.
//! What YAML 1.1 and 1.2 read differently (`yes`, `0644`) must be quoted, because a profile's values end up in manifests.

mod embedded;
mod meaning;
mod reading;
mod rule;
mod selection;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::yaml;

pub use embedded::embedded;
pub use rule::{AddItems, Change, GroupKind, NamePattern, NotAPattern, RemoveItems, Rule, Select, SetField, TakeClaim};
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
    /// A value is `0644` or the like, or a key is `on`.
    #[error(
        "line {line}: {field}: {}`{word}` is read in two ways, as {by_helm} by Helm and as {by_others} by others: {}",
        if *is_key { "the key " } else { "" },
        unambiguous(by_helm, by_others)
    )]
    Ambiguous {
        /// Counted from 1.
        line: u64,
        /// Such as `post-render[0].changes[0].set.value`; of a key, the mapping that it stands in.
        field: String,
        /// As it is written.
        word: String,
        /// It is a key.
        is_key: bool,
        /// JSON.
        by_helm: String,
        /// JSON.
        by_others: String,
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

/// Returns what to write in the place of a word that is read in two ways; both are JSON.
fn unambiguous(by_helm: &str, by_others: &str) -> String {
    match [by_helm, by_others].into_iter().find(|read| !read.starts_with('"') && *read != "null") {
        Some(read @ ("true" | "false")) => format!("write {read} for the boolean, or quotes for the text"),
        Some(read) => format!("write {read} for the number, or quotes for the text"),
        None => "put it in quotes".to_owned(),
    }
}

/// Returns the profile that `text` holds.
///
/// # Errors
/// [`ProfileError`] says what is wrong, and where.
pub fn parse(text: &str) -> Result<Profile, ProfileError> {
    // What no reader could take otherwise needs no second one; that one is for errors, which it gives a line.
    let agreed = yaml::parse_agreed(text).and_then(|value| from_agreed(&value));
    let mut profile = agreed.map_or_else(|| reading::parse_carefully(text), Ok)?;
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
