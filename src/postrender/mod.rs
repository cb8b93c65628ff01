//! Bytes in, bytes out: rendered manifests on their way to the cluster. Pure.

use thiserror::Error;

/// There is nothing to render.
///
/// Source: an empty result makes Helm 3 delete every object of the release and call it deployed; Helm 4 refuses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("standard input holds no manifest")]
pub struct EmptyInput;

/// Returns the manifests as they came: no rule changes them yet.
///
/// # Errors
/// [`EmptyInput`] if there is nothing but white space.
pub fn render(input: &[u8]) -> Result<&[u8], EmptyInput> {
    if input.trim_ascii().is_empty() { Err(EmptyInput) } else { Ok(input) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_pass_byte_for_byte() {
        let input = b"--- # \xc3\xa9\r\na: |\n  ---\n...\n";
        assert_eq!(render(input), Ok(&input[..]));
    }

    #[test]
    fn nothing_is_never_passed_on() {
        assert_eq!(render(b" \n\n"), Err(EmptyInput));
    }
}
