//! Manifests in every style, made from random numbers.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// A generator of random numbers: splitmix64.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % limit as u64).expect("small")
    }

    pub(crate) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    pub(crate) fn pick<'v, T>(&mut self, of: &'v [T]) -> &'v T {
        &of[self.below(of.len())]
    }
}

pub(crate) const WORDS: [&str; 34] = [
    "web",
    "yes",
    "0644",
    "1.10",
    "on",
    "null",
    "~",
    "a b",
    "it's",
    "say \"x\"",
    "a: b",
    "a #b",
    "#",
    "-",
    "- a",
    "1e3",
    "é",
    "漢字",
    "",
    " ",
    "two\nlines",
    "two\nlines\n",
    "tab\there",
    "back\\slash",
    "{a}",
    "[b]",
    "*x",
    "&y",
    "!z",
    "%d",
    "@e",
    "`",
    "---",
    "long words that go on and on",
];
pub(crate) const KEYS: [&str; 14] =
    ["a", "b", "name", "data", "spec", "k", "on", "0644", "a b", "x.y/z", "é", "items", "team", "labels"];

/// Returns a value of any shape.
fn any_value(dice: &mut Dice, depth: usize) -> Value {
    match dice.below(if depth == 0 { 5 } else { 9 }) {
        0 => Value::Null,
        1 => json!(dice.one_in(2)),
        2 => json!(dice.below(1000)),
        3 | 4 => json!(*dice.pick(&WORDS)),
        5 | 6 => {
            let length = dice.below(4);
            (0..length).map(|_| any_value(dice, depth - 1)).collect()
        }
        _ => Value::Object(any_mapping(dice, depth - 1)),
    }
}

fn any_mapping(dice: &mut Dice, depth: usize) -> Map<String, Value> {
    let length = dice.below(4);
    (0..length).map(|_| ((*dice.pick(&KEYS)).to_owned(), any_value(dice, depth))).collect()
}

fn any_object(dice: &mut Dice, name: &str) -> Value {
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), json!(name));
    for marks in ["labels", "annotations"] {
        if dice.one_in(2) {
            let length = dice.below(3);
            let marks_in =
                (0..length).map(|_| ((*dice.pick(&["team", "a", "x.y/z"])).to_owned(), json!(*dice.pick(&WORDS))));
            let marks_in: Map<String, Value> = marks_in.collect();
            metadata.insert(
                marks.to_owned(),
                if marks_in.is_empty() && dice.one_in(2) { Value::Null } else { marks_in.into() },
            );
        }
    }
    let mut fields = vec![("apiVersion", json!("v1")), ("kind", json!("ConfigMap")), ("metadata", metadata.into())];
    for key in ["data", "spec", "extra"] {
        if dice.one_in(2) {
            fields.push((key, any_value(dice, 4)));
        }
    }
    if dice.one_in(4) {
        let (one, other) = (dice.below(fields.len()), dice.below(fields.len()));
        fields.swap(one, other);
    }
    Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// Returns an object, or a list of some.
fn any_objects(dice: &mut Dice, name: &str) -> Value {
    if !dice.one_in(20) {
        return any_object(dice, name);
    }
    let kind = *dice.pick(&["List", "ConfigMapList"]);
    let items: Vec<Value> =
        ["other", name, "another"].iter().take(1 + dice.below(3)).map(|name| any_object(dice, name)).collect();
    json!({"apiVersion": "v1", "kind": kind, "items": items})
}

/// Writes values in a style that changes at every node.
struct Writer<'d> {
    dice: &'d mut Dice,
    out: String,
    step: usize,
    anchors: usize,
    /// One line in so many has a comment above it.
    comments: usize,
    /// Those whose value is written, and whether that is a mapping.
    named: Vec<(usize, bool)>,
    /// Whether there are aliases, merges, tags or equal keys: edits close to them may be refused.
    is_odd: bool,
}

impl Writer<'_> {
    fn comment(&mut self) {
        if self.dice.one_in(12) {
            self.out.push_str(" # c: 'd");
        }
    }

    fn line(&mut self, indent: usize) {
        if self.dice.one_in(self.comments) {
            let _ = write!(self.out, "\n{}# comment", " ".repeat(self.dice.below(6)));
        }
        if self.dice.one_in(25) {
            self.out.push('\n');
        }
        let _ = write!(self.out, "\n{}", " ".repeat(indent));
    }

    fn scalar(&mut self, value: &Value, indent: usize, is_flow: bool) {
        let Value::String(text) = value else {
            self.out.push_str(&if value.is_null() && self.dice.one_in(2) { "~".to_owned() } else { value.to_string() });
            return;
        };
        let is_plain =
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/'));
        let is_printable = text.chars().all(|character| character >= ' ' && character != '\u{7f}');
        match self.dice.below(5) {
            // What this means is for the judge to say.
            0 | 1 if is_plain => self.out.push_str(text),
            2 if is_printable => {
                let _ = write!(self.out, "'{}'", text.replace('\'', "''"));
            }
            3 if !is_flow && !text.trim().is_empty() && !text.starts_with(' ') => {
                let style = self.dice.pick(&["|", "|-", "|+", ">", ">-"]).to_owned();
                self.out.push_str(style);
                for line in text.lines() {
                    let _ = write!(self.out, "\n{}{line}", " ".repeat(indent + self.step));
                }
            }
            _ => self.out.push_str(&json!(text).to_string()),
        }
    }

    fn key(&mut self, key: &str) {
        let is_plain =
            key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/')) && !key.is_empty();
        if is_plain && !self.dice.one_in(5) {
            self.out.push_str(key);
        } else {
            self.out.push_str(&json!(key).to_string());
        }
        self.out.push(':');
    }

    /// An alias of something that stands above, in the place of a value.
    fn alias(&mut self, only_mappings: bool) -> bool {
        let named: Vec<usize> =
            self.named.iter().filter(|(_, is_mapping)| *is_mapping || !only_mappings).map(|(name, _)| *name).collect();
        if named.is_empty() || !self.dice.one_in(8) {
            return false;
        }
        let name = *self.dice.pick(&named);
        let _ = write!(self.out, "*a{name}");
        self.is_odd = true;
        true
    }

    fn tag(&mut self, value: &Value) {
        if self.dice.one_in(200) {
            self.is_odd = true;
            let tags: &[&str] = match value {
                Value::Object(_) => &["!!map", "!own"],
                Value::Array(_) => &["!!seq", "!own"],
                _ => &["!!str", "!!int", "!!bool", "!!null", "!!float", "!!binary", "!own", "!"],
            };
            let _ = write!(self.out, " {}", self.dice.pick(tags));
        }
    }

    /// A key that stands here already, or will, or a merge; the one that was asked for is written behind it.
    fn odd_entry(&mut self, key: &str, indent: usize) {
        let merges = self.dice.one_in(if self.named.is_empty() { 400 } else { 60 });
        if merges {
            let length = self.out.len();
            self.out.push_str("<<: ");
            if !self.alias(true) {
                if !self.dice.one_in(4) {
                    return self.out.truncate(length);
                }
                self.out.push_str("{a: 1}");
            }
            self.is_odd = true;
            self.line(indent);
        } else if self.dice.one_in(150) {
            self.is_odd = true;
            self.key(key);
            self.out.push(' ');
            let value = any_value(self.dice, 0);
            self.scalar(&value, indent, true);
            self.line(indent);
        }
    }

    fn flow(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Object(map) => {
                self.out.push('{');
                for (index, (key, value)) in map.iter().enumerate() {
                    self.between(index, indent);
                    self.key(key);
                    self.out.push(' ');
                    self.flow(value, indent);
                }
                self.last_break(indent);
                self.out.push('}');
            }
            Value::Array(items) => {
                self.out.push('[');
                for (index, item) in items.iter().enumerate() {
                    self.between(index, indent);
                    self.flow(item, indent);
                }
                self.last_break(indent);
                self.out.push(']');
            }
            scalar => {
                if !self.alias(false) {
                    self.scalar(scalar, 0, true);
                }
            }
        }
    }

    /// What stands before an entry within brackets: a comma, sometimes a line of its own.
    fn between(&mut self, index: usize, indent: usize) {
        self.out.push_str(if index > 0 { "," } else { "" });
        if self.dice.one_in(6) {
            self.comment();
            self.line(indent + self.step);
        } else if index > 0 {
            self.out.push(' ');
        }
    }

    fn last_break(&mut self, indent: usize) {
        if self.dice.one_in(8) {
            self.out.push_str(if self.dice.one_in(3) && !self.out.ends_with(['{', '[']) { "," } else { "" });
            self.comment();
            self.line(indent + self.step);
        }
    }

    /// Writes what stands behind a colon or a dash.
    fn value(&mut self, value: &Value, indent: usize) {
        let length = self.out.len();
        self.out.push(' ');
        if self.alias(false) {
            return self.comment();
        }
        self.out.truncate(length);
        let anchor = self.dice.one_in(15).then(|| {
            self.anchors += 1;
            let _ = write!(self.out, " &a{}", self.anchors);
            self.anchors
        });
        self.tag(value);
        self.unnamed(value, indent);
        self.named.extend(anchor.map(|anchor| (anchor, value.is_object())));
    }

    fn unnamed(&mut self, value: &Value, indent: usize) {
        let is_empty = value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty);
        match value {
            Value::Null if self.dice.one_in(2) => self.comment(),
            Value::Object(map) if !is_empty && !self.dice.one_in(6) => {
                self.comment();
                self.mapping(map, indent + self.step, true);
            }
            Value::Array(items) if !is_empty && !self.dice.one_in(6) => {
                self.comment();
                let indent = if self.dice.one_in(2) { indent } else { indent + self.step };
                for item in items {
                    self.line(indent);
                    self.item(item, indent);
                }
            }
            Value::Object(_) | Value::Array(_) => {
                self.out.push(' ');
                self.flow(value, indent);
                self.comment();
            }
            scalar => {
                self.out.push(' ');
                self.scalar(scalar, indent, false);
                if !self.out.ends_with('\n') && !scalar.is_string() {
                    self.comment();
                }
            }
        }
    }

    fn item(&mut self, item: &Value, indent: usize) {
        self.out.push('-');
        match item {
            Value::Object(map) if !map.is_empty() && !self.dice.one_in(4) => {
                self.out.push(' ');
                self.mapping(map, indent + 2, false);
            }
            // In a list within a list the items may not stand in the column of the dash.
            Value::Array(items) if !items.is_empty() => {
                self.out.push(' ');
                self.flow(item, indent);
            }
            other => self.value(other, indent),
        }
    }

    fn mapping(&mut self, map: &Map<String, Value>, indent: usize, on_new_line: bool) {
        for (index, (key, value)) in map.iter().enumerate() {
            if index > 0 || on_new_line {
                self.line(indent);
            }
            self.odd_entry(key, indent);
            self.key(key);
            self.value(value, indent);
        }
    }
}

/// A stream of manifests.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) text: String,
    /// What the documents were written from.
    pub(crate) objects: Vec<Value>,
    /// Whether there are aliases, merges, tags or equal keys.
    pub(crate) is_odd: bool,
}

/// Names of the objects of a stream.
pub(crate) const NAMES: [&str; 3] = ["a", "b", "c"];

fn any_document(dice: &mut Dice, object: &Value) -> (String, bool) {
    let step = *dice.pick(&[2, 2, 2, 4, 1, 3]);
    let is_json = dice.one_in(15);
    let comments = *dice.pick(&[20, 20, 4]);
    let mut writer = Writer { dice, out: String::new(), step, anchors: 0, comments, named: Vec::new(), is_odd: false };
    if is_json {
        writer.out = if writer.dice.one_in(2) { object.to_string() } else { format!("{object:#}") };
    } else if let Value::Object(map) = object {
        writer.mapping(map, 0, false);
    }
    let is_odd = writer.is_odd;
    let mut text = writer.out;
    if dice.one_in(30) {
        text.push_str(dice.pick::<&str>(&["\n...", "\n... # end", "\n...\n# behind"]));
    }
    (text, is_odd)
}

/// Returns one document mostly, sometimes several.
pub(crate) fn any_stream(dice: &mut Dice) -> Stream {
    let count = *dice.pick(&[1, 1, 1, 2, 3]);
    let mut stream = Stream { text: String::new(), objects: Vec::new(), is_odd: false };
    if dice.one_in(40) {
        stream.text.push('\u{feff}');
    }
    for (index, name) in NAMES.iter().take(count).enumerate() {
        let object = any_objects(dice, name);
        let (document, is_odd) = any_document(dice, &object);
        if index > 0 || dice.one_in(10) {
            let separators: &[&str] = if document.starts_with('{') {
                &["---\n", "--- "]
            } else {
                &[
                    "---\n",
                    "---\n",
                    "---\n# Source: shop/a.yaml\n",
                    "--- # c: 'd\n",
                    "---   \n",
                    "---\n\n",
                    "---\n---\n",
                ]
            };
            stream.text.push_str(dice.pick::<&str>(separators));
        }
        stream.text.push_str(&document);
        if index + 1 < count || !dice.one_in(10) {
            stream.text.push('\n');
        }
        stream.objects.push(object);
        stream.is_odd |= is_odd;
    }
    if dice.one_in(20) {
        stream.text = stream.text.replace('\n', "\r\n");
    }
    stream
}
