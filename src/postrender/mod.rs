//! Bytes in, bytes out: rendered manifests on their way to the cluster. Pure, streaming.
//!
//! ```text
//! render    a stream through the rules; parsed: a document's changes, each in what those before it made
//! stream    cuts the input into documents, as Helm does
//! lines     lines in plain block style
//! head      what a document is, without parsing it
//! marks     labels and annotations, set in it and proven
//! rules     what a profile asks for: which documents, which changes
//! objects   the objects of a document: itself, or the items of a list
//! tree      a parsed document: nodes and the bytes that they stand in (granit-parser)
//! edit      changes asked of a document -> splice: bytes out and in -> writer: values as YAML
//! proof     the edited document is parsed again: the old one with those changes, and nothing else
//! replay    the rehearsed bytes in the place of a new render
//! ```
//!
//! A document that no rule changes leaves byte for byte as it came. There is no way from a parsed value back to text.

mod edit;
mod head;
mod lines;
mod marks;
mod objects;
mod proof;
mod render;
mod replay;
mod rules;
mod splice;
mod stream;
mod tree;
mod writer;

pub use render::{RenderError, render};
pub use replay::{ReplayError, replay};
pub use rules::Rules;

/// Returns an answer that Helm 4 refuses, showing the text: one YAML document that is a scalar. Helm 3 would take it.
///
/// Source: Helm 4 `pkg/action/action.go` `splitAndDeannotate`: a post-renderer's documents must be mappings, and what it writes to
/// standard error is dropped.
#[must_use]
pub fn refusal(because: &str) -> String {
    // JSON is YAML.
    format!("{}\n", serde_json::Value::String(format!("csghub post-render: {because}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_scalar() {
        let text = refusal("there is \"nothing\"\nat all");
        let documents = crate::domain::yaml::parse_documents(&text).expect("YAML");
        let [document] = documents.as_slice() else { panic!("{documents:?}") };
        assert_eq!(document.value, "csghub post-render: there is \"nothing\"\nat all");
    }
}
