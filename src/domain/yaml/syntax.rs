//! The parser as the rest of the house uses it: its settings, and where go-yaml differs from it.

use std::borrow::Cow;

use granit_parser::{Options, Parser, StrInput};

/// Returns the parser's events of a text.
pub(crate) fn events(text: &str) -> Parser<'_, StrInput<'_>> {
    let mut options = Options::default();
    // Another crate may turn the parser's comments on, and they fail on long comments.
    options.set_emit_comments(false);
    Parser::new_from_str_with_options(text, options)
}

/// Returns the words of a block scalar that ends at a byte of the text: the parser supplies the missing break to one that ends a text,
/// go-yaml does not. Helm stores hooks without it.
pub(crate) fn block_words<'w>(text: &str, end: usize, words: Cow<'w, str>) -> Cow<'w, str> {
    // The last line may be all of the text, and scalars many.
    let lacks_break =
        end == text.len() && !text.rsplit(['\n', '\r']).next().unwrap_or_default().trim_ascii().is_empty();
    match words {
        words if !lacks_break => words,
        Cow::Borrowed(words) => Cow::Borrowed(words.strip_suffix('\n').unwrap_or(words)),
        Cow::Owned(words) => Cow::Owned(words.strip_suffix('\n').unwrap_or(&words).to_owned()),
    }
}
