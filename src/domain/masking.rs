//! Secret values never reach an output: what the Secrets hold is known by value, the rest by the keys before it.
//!
//! Values that read like a name, an address or a setting (`shop-postgresql`, `5432`) are masked only where a key says that
//! they are secret; masked everywhere they would leave nothing to read.

mod keys;
mod patterns;

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use self::keys::Claim;
use super::object::Object;

/// What stands in the place of a secret.
pub const MASK: &str = "***";

/// Lines shorter than this, in bytes, are not masked one by one.
const LINE_MINIMUM_BYTES: usize = 8;

/// Only so much of a long value is searched for, in bytes; the rest is compared where that is found.
const NEEDLE_BYTES: usize = 128;

/// How much of long values is compared in one text, in bytes; beyond it too much is masked rather than too little.
const COMPARED_BYTES: usize = 16 * 1024 * 1024;

/// Knows secrets, and replaces them in text by `***`.
#[derive(Clone, Default)]
pub struct Masker {
    values: BTreeSet<String>,
    search: OnceLock<Search>,
}

/// The values in the order of the automaton's patterns.
#[derive(Clone)]
struct Search {
    values: Vec<String>,
    /// None only if there are more values than the automaton can hold.
    automaton: Option<AhoCorasick>,
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Masker({} values)", self.values.len())
    }
}

impl Masker {
    /// Returns a masker that knows no value yet; keys are known from the start.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Learns the secrets of an object: all that a Secret holds, and of any other what [`Self::add_json`] finds.
    pub fn add_object(&mut self, object: &Object) {
        if object.kind() != "Secret" || !object.group().is_empty() {
            self.add_json(object.as_value());
            return;
        }
        let entries = |field: &str| object.at(field).and_then(Value::as_object).into_iter().flatten();
        for (key, value) in entries("/data") {
            let Some(packed) = value.as_str() else { continue };
            match BASE64_STANDARD.decode(packed.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
                Some(text) => self.add_entry(key, &text),
                // Binary: only its base64 can ever be printed.
                None => self.insert(packed.trim()),
            }
        }
        for (key, value) in entries("/stringData") {
            if let Some(text) = value.as_str() {
                self.add_entry(key, text);
            }
        }
    }

    /// Learns what stands under keys such as `password` or `token`, and in the `value` of list items so named.
    pub fn add_json(&mut self, value: &Value) {
        match value {
            Value::Object(map) => {
                let name = map.get("name").and_then(Value::as_str).unwrap_or_default();
                for (key, value) in map {
                    let key = if key == "value" && !name.is_empty() { name } else { key };
                    match value {
                        Value::String(text) => self.add_keyed(key, text),
                        nested => self.add_json(nested),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.add_json(item)),
            Value::String(text) => self.add_found(text),
            _ => {}
        }
    }

    /// Learns one secret value, whatever it looks like, unless it is shorter than 6 bytes or an ordinary word. Of a value of
    /// several lines each line of 8 bytes or more is a secret.
    pub fn add_value(&mut self, value: &str) {
        let value = value.trim();
        if value.contains('\n') {
            self.add_lines(value);
        } else if !keys::is_too_ordinary(value) {
            self.insert_with_forms(value);
        }
    }

    /// An entry of a Secret. What is no word by its looks is secret under every key.
    fn add_entry(&mut self, key: &str, text: &str) {
        let text = text.trim();
        self.insert_encoded(text);
        if keys::claim(key) == Claim::Sure || !keys::reads_like_a_name(text) {
            self.add_value(text);
        }
        self.add_found(text);
        if let Ok(nested @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
            self.add_json(&nested);
        }
    }

    fn add_keyed(&mut self, key: &str, text: &str) {
        match keys::claim(key) {
            Claim::Sure => self.add_value(text),
            Claim::Maybe if !keys::reads_like_a_name(text) => self.add_value(text),
            _ => {}
        }
        self.add_found(text);
    }

    /// Learns what keys and URLs within a text give away.
    fn add_found(&mut self, text: &str) {
        // `token = (SELECT ...` is a statement: masked where it stands, but nothing to learn.
        for value in patterns::find(text).into_iter().filter_map(|range| text.get(range)) {
            if !value.starts_with('(') {
                self.add_value(value);
            }
        }
    }

    fn add_lines(&mut self, value: &str) {
        for line in value.lines().map(str::trim) {
            let is_marker = line.starts_with("-----");
            if line.len() >= LINE_MINIMUM_BYTES && !is_marker && !keys::reads_like_a_name(line) {
                self.insert_with_forms(line);
            }
        }
        self.insert_encoded(value);
        self.add_found(value);
    }

    fn insert_with_forms(&mut self, value: &str) {
        self.insert(value);
        self.insert_encoded(value);
        if let Ok(escaped) = serde_json::to_string(value) {
            self.insert(escaped.trim_matches('"'));
        }
        self.insert(&percent_encoded(value));
    }

    /// A short value's base64 is short, too, and may be part of any other.
    fn insert_encoded(&mut self, value: &str) {
        if !keys::is_too_ordinary(value) {
            for text in [value.to_owned(), format!("{value}\n")] {
                let packed = BASE64_STANDARD.encode(text);
                self.insert(packed.trim_end_matches('='));
                self.insert(&packed);
            }
        }
    }

    fn insert(&mut self, value: &str) {
        if !value.is_empty() && self.values.insert(value.to_owned()) {
            self.search = OnceLock::new();
        }
    }

    /// Returns the text with every secret replaced by `***`.
    #[must_use]
    pub fn mask(&self, text: &str) -> String {
        let mut ranges = patterns::find(text);
        self.search.get_or_init(|| Search::new(&self.values)).find(text, &mut ranges);
        replace(text, ranges, &|_| MASK.to_owned())
    }

    /// Returns the JSON with every secret replaced by `***`: in each text, and wherever a key says so. Keys stay.
    #[must_use]
    pub fn mask_json(&self, value: &Value) -> Value {
        walk(value, &|_| MASK.to_owned(), &|text| self.mask(text))
    }
}

/// Returns the JSON with every secret replaced by what `stand_in` makes of it: wherever a key says so, or the text around it.
/// Keys stay.
#[must_use]
pub fn replace_secrets(value: &Value, stand_in: &dyn Fn(&str) -> String) -> Value {
    walk(value, stand_in, &|text| replace(text, patterns::find(text), stand_in))
}

/// Returns the JSON with `secret` put for each text that has a secret's key, and `text` for any other.
fn walk(value: &Value, secret: &dyn Fn(&str) -> String, text: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::Object(map) => {
            let name = map.get("name").and_then(Value::as_str).unwrap_or_default();
            let masked = |key: &str, value: &Value| {
                let key = if key == "value" && !name.is_empty() { name } else { key };
                match value {
                    Value::String(text) if is_secret(key, text) => Value::from(secret(text)),
                    other => walk(other, secret, text),
                }
            };
            Value::Object(map.iter().map(|(key, value)| (key.clone(), masked(key, value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| walk(item, secret, text)).collect()),
        Value::String(plain) => Value::String(text(plain)),
        other => other.clone(),
    }
}

fn is_secret(key: &str, text: &str) -> bool {
    match keys::claim(key) {
        Claim::Sure => !text.is_empty(),
        Claim::Maybe => !keys::reads_like_a_name(text),
        Claim::None => false,
    }
}

impl Search {
    fn new(values: &BTreeSet<String>) -> Self {
        let values: Vec<String> = values.iter().cloned().collect();
        let automaton = AhoCorasick::new(values.iter().map(|value| needle(value))).ok();
        Self { values, automaton }
    }

    /// Overlapping matches count, too: of two secrets that share a part none may show its rest.
    fn find(&self, text: &str, ranges: &mut Vec<Range<usize>>) {
        let Some(automaton) = &self.automaton else {
            for value in &self.values {
                ranges.extend(text.match_indices(value.as_str()).map(|(start, found)| start..start + found.len()));
            }
            return;
        };
        let mut budget = COMPARED_BYTES;
        for found in automaton.find_overlapping_iter(text) {
            let value = self.values.get(found.pattern().as_usize()).map_or("", String::as_str);
            let rest = value.get(found.end() - found.start()..).unwrap_or_default();
            let behind = text.as_bytes().get(found.end()..).unwrap_or_default();
            let common = if budget == 0 {
                rest.len().min(behind.len())
            } else {
                rest.bytes().zip(behind).take_while(|(one, other)| one == *other).count()
            };
            budget = budget.saturating_sub(common);
            ranges.push(found.start()..found.end() + common);
        }
    }
}

fn needle(value: &str) -> &str {
    value.get(..value.floor_char_boundary(NEEDLE_BYTES)).unwrap_or(value)
}

/// Percent-encodes all but the characters that need it nowhere in a URL.
fn percent_encoded(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Replaces the ranges; those that overlap are one.
fn replace(text: &str, mut ranges: Vec<Range<usize>>, stand_in: &dyn Fn(&str) -> String) -> String {
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    let mut hidden: Vec<Range<usize>> = Vec::new();
    for range in ranges.into_iter().filter(|range| !range.is_empty()) {
        match hidden.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => hidden.push(range),
        }
    }
    let mut replaced = String::with_capacity(text.len());
    let mut shown = 0;
    for range in hidden {
        let end = text.floor_char_boundary(range.end);
        replaced.push_str(text.get(shown..range.start).unwrap_or_default());
        replaced.push_str(&stand_in(text.get(range.start..end).unwrap_or_default()));
        shown = end;
    }
    replaced.push_str(text.get(shown..).unwrap_or_default());
    replaced
}

#[cfg(test)]
mod tests;
