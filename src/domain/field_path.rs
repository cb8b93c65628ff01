//! How a field of a nested value is named, in every output and in profiles: `spec.containers[name=web].image`,
//! `labels."app.kubernetes.io/name"`.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Returns the path of `key` within `parent`; an empty parent is the whole value. A key that is no plain word is quoted.
#[must_use]
pub fn child(parent: &str, key: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/');
    let is_word = !key.is_empty() && key.bytes().all(is_plain);
    let key = if is_word { key.to_owned() } else { format!("{key:?}") };
    if parent.is_empty() { key } else { format!("{parent}.{key}") }
}

/// Returns the path of the list item in which `field` has that value.
#[must_use]
pub fn keyed_item(parent: &str, field: &str, value: &str) -> String {
    format!("{parent}[{field}={value}]")
}

/// Returns the path of the list item at that place, counted from 0.
#[must_use]
pub fn item(parent: &str, index: usize) -> String {
    format!("{parent}[{index}]")
}

/// One step down into a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The value of a key.
    Key(String),
    /// The list item at that place, counted from 0.
    Item(usize),
    /// The list items in which a field has that value.
    Keyed {
        /// Such as `name`.
        field: String,
        /// Such as `web`.
        value: String,
    },
    /// Every list item.
    Every,
}

/// Returns the path of those steps.
#[must_use]
pub fn written(steps: &[Step]) -> String {
    steps.iter().fold(String::new(), |path, step| match step {
        Step::Key(key) => child(&path, key),
        Step::Item(index) => item(&path, *index),
        Step::Keyed { field, value } => keyed_item(&path, field, value),
        Step::Every => format!("{path}[*]"),
    })
}

/// A path that users write: at least one step, the first a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct FieldPath(Vec<Step>);

/// The text is no path.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is no path such as `spec.containers[name=web].image`: {because} at character {at}")]
pub struct NotAPath {
    text: String,
    because: &'static str,
    at: usize,
}

impl FieldPath {
    /// Returns the steps, at least one.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }
}

impl FromStr for FieldPath {
    type Err = NotAPath;

    fn from_str(text: &str) -> Result<Self, NotAPath> {
        let mut steps = Vec::new();
        let mut rest = text;
        let fail = |rest: &str, because| NotAPath {
            text: text.to_owned(),
            because,
            at: text.chars().count() - rest.chars().count() + 1,
        };
        loop {
            let (key, behind) = read_key(rest).map_err(|because| fail(rest, because))?;
            steps.push(Step::Key(key));
            rest = behind;
            while let Some(within) = rest.strip_prefix('[') {
                let (step, behind) = read_brackets(within).map_err(|because| fail(rest, because))?;
                steps.push(step);
                rest = behind;
            }
            match rest.strip_prefix('.') {
                Some(behind) => rest = behind,
                None if rest.is_empty() => return Ok(Self(steps)),
                None => return Err(fail(rest, "a dot is missing")),
            }
        }
    }
}

fn read_key(text: &str) -> Result<(String, &str), &'static str> {
    if text.starts_with('"') {
        let mut quoted = serde_json::Deserializer::from_str(text).into_iter::<String>();
        let key = quoted.next().and_then(Result::ok).ok_or("the quotes are not closed")?;
        return Ok((key, text.get(quoted.byte_offset()..).unwrap_or_default()));
    }
    let end = text.find(['.', '[', ']', '"']).unwrap_or(text.len());
    let (key, rest) = text.split_at(end);
    if key.is_empty() { Err("a key is missing") } else { Ok((key.to_owned(), rest)) }
}

/// Reads what stands behind `[`.
fn read_brackets(text: &str) -> Result<(Step, &str), &'static str> {
    let (within, rest) = text.split_once(']').ok_or("a bracket is not closed")?;
    let step = match within.split_once('=') {
        Some((field, value)) if !field.is_empty() && !value.is_empty() => {
            Step::Keyed { field: field.to_owned(), value: value.to_owned() }
        }
        None if within == "*" => Step::Every,
        None => Step::Item(within.parse().map_err(|_| "`*`, a number or `field=value` is missing")?),
        Some(_) => return Err("`*`, a number or `field=value` is missing"),
    };
    Ok((step, rest))
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&written(&self.0))
    }
}

impl TryFrom<String> for FieldPath {
    type Error = NotAPath;

    fn try_from(text: String) -> Result<Self, NotAPath> {
        text.parse()
    }
}

impl From<FieldPath> for String {
    fn from(path: FieldPath) -> Self {
        path.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_no_plain_word_is_quoted() {
        assert_eq!(child("", "global"), "global");
        assert_eq!(child("a", "b.c"), "a.\"b.c\"");
        assert_eq!(child("a", ""), "a.\"\"");
        assert_eq!(child("a", "say \"b\""), r#"a."say \"b\"""#);
    }

    #[test]
    fn an_item_is_named_by_its_key_or_its_place() {
        assert_eq!(keyed_item("containers", "name", "web"), "containers[name=web]");
        assert_eq!(item("args", 2), "args[2]");
    }

    #[test]
    fn a_path_is_read_as_it_is_written() {
        for text in [
            "spec",
            "metadata.annotations.\"helm.sh/hook\"",
            "spec.containers[name=web].env[*].value",
            "a[0][1].\"b \\\"c\\\"\"",
        ] {
            let path: FieldPath = text.parse().expect("a path");
            assert_eq!(path.to_string(), text);
        }
        let path: FieldPath = "a[k=v].b/c".parse().expect("a path");
        let keyed = Step::Keyed { field: "k".into(), value: "v".into() };
        assert_eq!(path.steps(), [Step::Key("a".into()), keyed, Step::Key("b/c".into())]);
    }

    #[test]
    fn what_is_no_path_is_refused_with_its_place() {
        for (text, at) in
            [("", 1), ("a..b", 3), ("[0]", 1), ("a[", 2), ("a[x]", 2), ("a[=x]", 2), ("a[0]b", 5), ("a.\"b", 3)]
        {
            let error = text.parse::<FieldPath>().expect_err(text).to_string();
            assert!(error.ends_with(&format!("at character {at}")), "{error}");
        }
    }
}
