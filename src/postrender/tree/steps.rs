//! A document step by step, as the parser goes through it.

use std::borrow::Cow;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span, StrInput, StructureStyle, Tag};

use super::written::{self, Written};
use super::{DEEPEST, Fault, Kind, LARGEST};
use crate::domain::yaml;

/// What stands before a node.
#[derive(Debug, Default)]
pub(in crate::postrender) struct Properties {
    pub(in crate::postrender) anchor: Option<usize>,
    /// In full.
    pub(in crate::postrender) tag: Option<String>,
}

impl Properties {
    fn of(anchor: usize, tag: Option<&Tag>) -> Self {
        let tag = tag.map(|tag| format!("{}{}", tag.handle(), tag.suffix()));
        Self { anchor: (anchor != 0).then_some(anchor), tag }
    }
}

/// A scalar of the document.
#[derive(Debug)]
pub(in crate::postrender) struct Scalar<'a> {
    pub(in crate::postrender) kind: Kind,
    pub(in crate::postrender) range: Range<usize>,
    /// Without quotes and escapes.
    pub(in crate::postrender) words: Cow<'a, str>,
    pub(in crate::postrender) properties: Properties,
    /// As it is written; nothing if its words hang on more than that.
    pub(in crate::postrender) written: Option<Written<'a>>,
}

/// One step.
#[derive(Debug)]
pub(in crate::postrender) enum Step<'a> {
    Scalar(Scalar<'a>),
    Alias {
        range: Range<usize>,
        target: usize,
    },
    /// A mapping or a sequence begins.
    Open {
        kind: Kind,
        range: Range<usize>,
        properties: Properties,
    },
    /// The last one that is open ends.
    Close {
        end: usize,
    },
}

impl Step<'_> {
    /// What stands before the node, if it can have any.
    pub(in crate::postrender) fn properties(&self) -> Option<&Properties> {
        match self {
            Self::Scalar(scalar) => Some(&scalar.properties),
            Self::Open { properties, .. } => Some(properties),
            Self::Alias { .. } | Self::Close { .. } => None,
        }
    }
}

/// The steps of the first document of a text.
pub(in crate::postrender) struct Steps<'a> {
    text: &'a str,
    events: Parser<'a, StrInput<'a>>,
    depth: usize,
    /// Where the scalar ends that came last.
    before: usize,
    has_ended: bool,
}

impl<'a> Steps<'a> {
    pub(in crate::postrender) fn of(text: &'a str) -> Self {
        Self { text, events: yaml::events(text), depth: 0, before: 0, has_ended: text.is_empty() }
    }

    /// Returns the next step; nothing at the end of the document.
    pub(in crate::postrender) fn next(&mut self) -> Result<Option<Step<'a>>, Fault> {
        if self.text.len() >= LARGEST {
            return Err(Fault { line: 1, because: format!("it has {} MiB or more", LARGEST >> 20) });
        }
        while !self.has_ended {
            let Some(event) = self.events.next() else { break };
            let (event, span) = event
                .map_err(|error| Fault { line: error.marker().line().max(1), because: error.kind().to_string() })?;
            let step = match event {
                Event::DocumentEnd => {
                    self.has_ended = true;
                    ends_alone(self.text, &span)?;
                    break;
                }
                Event::Scalar(words, style, anchor, tag) => {
                    self.scalar(&span, words, kind_of(style), Properties::of(anchor, tag.as_deref()))
                }
                Event::Alias(target) => Step::Alias { range: range(&span), target },
                Event::MappingStart(style, anchor, tag) => {
                    let kind = if style == StructureStyle::Flow { Kind::FlowMapping } else { Kind::Mapping };
                    self.open(&span, kind, Properties::of(anchor, tag.as_deref()))?
                }
                Event::SequenceStart(style, anchor, tag) => {
                    let kind = if style == StructureStyle::Flow { Kind::FlowSequence } else { Kind::Sequence };
                    self.open(&span, kind, Properties::of(anchor, tag.as_deref()))?
                }
                Event::MappingEnd | Event::SequenceEnd => {
                    self.depth = self.depth.saturating_sub(1);
                    Step::Close { end: range(&span).end }
                }
                _ => continue,
            };
            return Ok(Some(step));
        }
        Ok(None)
    }

    fn scalar(&mut self, span: &Span, words: Cow<'a, str>, kind: Kind, properties: Properties) -> Step<'a> {
        let mut range = range(span);
        let mut words = words;
        if kind == Kind::Block {
            range = written::fit_block(self.text, range);
            words = yaml::block_words(self.text, range.end, words);
        }
        let written = Written::of(self.text, kind, range.clone(), self.before);
        self.before = range.end;
        Step::Scalar(Scalar { kind, range, words, properties, written })
    }

    fn open(&mut self, span: &Span, kind: Kind, properties: Properties) -> Result<Step<'a>, Fault> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Fault { line: span.start.line(), because: format!("it is nested deeper than {DEEPEST}") });
        }
        Ok(Step::Open { kind, range: range(span), properties })
    }
}

fn range(span: &Span) -> Range<usize> {
    span.byte_range().unwrap_or_default()
}

/// Checks that nothing follows a document, unless behind `...`: of a stream of JSON objects kubectl reads all, Helm the first one.
fn ends_alone(text: &str, end: &Span) -> Result<(), Fault> {
    let range = range(end);
    if !range.is_empty() {
        return Ok(());
    }
    let is_content = |line: &str| !line.trim_ascii().is_empty() && !line.trim_ascii().starts_with('#');
    let mut at = range.end;
    // A lone carriage return ends a line, too.
    for line in text.get(at..).unwrap_or_default().split_inclusive(['\n', '\r']) {
        if is_content(line) {
            let line = text.get(..at).unwrap_or_default().split('\n').count();
            let because = "something follows the object; put `---` on a line between objects".to_owned();
            return Err(Fault { line, because });
        }
        at += line.len();
    }
    Ok(())
}

fn kind_of(style: ScalarStyle) -> Kind {
    match style {
        ScalarStyle::SingleQuoted => Kind::SingleQuoted,
        ScalarStyle::DoubleQuoted => Kind::DoubleQuoted,
        ScalarStyle::Literal | ScalarStyle::Folded => Kind::Block,
        ScalarStyle::Plain => Kind::Plain,
    }
}
