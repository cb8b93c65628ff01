//! From the text that Helm renders and stores to objects.

use std::fmt;

use serde_json::Value;
use thiserror::Error;

use super::object::{NotAnObject, Object};
use super::yaml::{self, Chunk, YamlError};

/// A document of a manifest that is no Kubernetes object.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}: {cause}", Place(self))]
pub struct ManifestError {
    /// Counted from 1, without blank and comment-only documents.
    pub document: usize,
    /// The line of the manifest, counted from 1.
    pub line: usize,
    /// The template that it came from, such as `shop/templates/web.yaml`, where Helm noted it.
    pub source_file: Option<String>,
    /// What is wrong, in a few words.
    pub cause: String,
}

struct Place<'a>(&'a ManifestError);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "document {}, line {}", self.0.document, self.0.line)?;
        self.0.source_file.iter().try_for_each(|file| write!(f, " (from {file})"))
    }
}

/// Returns all objects of a Helm manifest in their order. Blank, comment-only and `null` documents are left out; lists are
/// replaced by their items.
///
/// # Errors
/// [`ManifestError`] names the first document that is no YAML or no object.
///
/// Source: `k8s.io/cli-runtime` `pkg/resource`: how Helm reads a stream of documents, skips `null`, and flattens lists.
pub fn parse(text: &str) -> Result<Vec<Object>, ManifestError> {
    let mut objects = Vec::new();
    let mut document = 0;
    // Helm 3 may leave a second `---` behind the comment that names the file.
    let mut announced = None;
    for chunk in yaml::split(text) {
        let named = source_file(&chunk).or(announced.take());
        let Some(line) = chunk.first_content_line() else {
            announced = named;
            continue;
        };
        document += 1;
        let source_file = named.map(str::to_owned);
        let value = chunk.read(document).map_err(|YamlError { document, line, cause }| ManifestError {
            document,
            line,
            source_file: source_file.clone(),
            cause,
        })?;
        collect(value, &mut objects).map_err(|cause| ManifestError { document, line, source_file, cause })?;
    }
    Ok(objects)
}

/// Returns the objects of a stream, those of lists too. What is no object with a name is passed over.
#[must_use]
pub fn named(text: &str) -> Vec<Object> {
    let mut objects = Vec::new();
    for chunk in yaml::split(text) {
        let mut open: Vec<Value> = chunk.read(1).into_iter().collect();
        while let Some(value) = open.pop() {
            match into_items(value) {
                Ok(items) => open.extend(items.into_iter().rev()),
                Err(value) => objects.extend(Object::new(value)),
            }
        }
    }
    objects
}

/// Returns the file that a comment at the top of the document names.
fn source_file<'a>(chunk: &Chunk<'a>) -> Option<&'a str> {
    chunk
        .text
        .lines()
        .map(str::trim)
        .take_while(|line| line.is_empty() || line.starts_with('#'))
        .find_map(|line| line.strip_prefix("# Source:"))
        .map(str::trim)
}

fn collect(value: Value, objects: &mut Vec<Object>) -> Result<(), String> {
    if value.is_null() {
        return Ok(());
    }
    match into_items(value) {
        Ok(items) => items.into_iter().enumerate().try_for_each(|(index, item)| {
            collect(item, objects).map_err(|cause| format!("item {}: {cause}", index + 1))
        }),
        Err(value) => {
            objects.push(Object::new(value).map_err(|cause: NotAnObject| cause.to_string())?);
            Ok(())
        }
    }
}

/// Returns the items of a list, or the value itself. Items of a `ThingList` may leave out their type.
///
/// Source: `k8s.io/apimachinery` `unstructured/helpers.go`, `decode`: what has a key `items` is a list, and `null` has no items.
fn into_items(mut value: Value) -> Result<Vec<Value>, Value> {
    let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let Some(item_kind) = kind.strip_suffix("List") else { return Err(value) };
    let mut items = match value.get_mut("items") {
        Some(Value::Array(items)) => std::mem::take(items),
        Some(Value::Null) => Vec::new(),
        None if item_kind.is_empty() => Vec::new(),
        _ => return Err(value),
    };
    if !item_kind.is_empty() {
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            if !item.contains_key("kind") && !item.contains_key("apiVersion") {
                item.insert("apiVersion".to_owned(), Value::String(api_version.clone()));
                item.insert("kind".to_owned(), Value::String(item_kind.to_owned()));
            }
        }
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        parse(text).expect("parses").iter().map(|object| object.reference(None).to_string()).collect()
    }

    #[test]
    fn blank_comment_only_and_null_documents_are_left_out() {
        let text = "---\n# Source: shop/templates/empty.yaml\n# nothing\n---\n\n---\nnull\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: a}\n";
        assert_eq!(names(text), ["Secret a"]);
    }

    #[test]
    fn lists_are_replaced_by_their_items() {
        let text = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: a}}\n- apiVersion: v1\n  kind: ConfigMapList\n  items:\n  - metadata: {name: b}\n---\napiVersion: v1\nkind: List\nitems: []\n";
        assert_eq!(names(text), ["Secret a", "ConfigMap b"]);
    }

    #[test]
    fn a_list_of_null_has_no_items() {
        let texts = ["items: null", "items:", ""].map(|items| format!("apiVersion: v1\nkind: List\n{items}\n---\n"));
        assert_eq!(names(&texts.concat()), [""; 0]);
        assert_eq!(names("apiVersion: v1\nkind: ConfigMapList\nitems: null\n"), [""; 0]);
    }

    #[test]
    fn a_kind_that_ends_in_list_without_items_is_an_object() {
        assert_eq!(
            names("apiVersion: example.com/v1\nkind: AllowList\nmetadata: {name: a}\nitems: yes\n"),
            ["AllowList a"]
        );
    }

    #[test]
    fn an_error_names_document_line_and_file() {
        let good = "---\n# Source: shop/templates/a.yaml\napiVersion: v1\nkind: Secret\nmetadata: {name: a}\n";
        let broken = format!("{good}---\n# Source: shop/templates/b.yaml\n---\nkind: Secret\nmetadata:\n  name: [b\n");
        let error = parse(&broken).expect_err("no YAML");
        assert_eq!((error.document, error.source_file.as_deref()), (2, Some("shop/templates/b.yaml")));
        assert!(error.line >= 10, "{error}");
        let nameless = format!("{good}---\napiVersion: v1\nkind: Secret\n");
        let error = parse(&nameless).expect_err("no object");
        assert_eq!(error.to_string(), "document 2, line 7: the document has no `metadata.name`");
    }

    #[test]
    fn what_has_no_name_may_be_passed_over() {
        let text = "kind: List\nitems: [{apiVersion: v1, kind: Secret}, {apiVersion: v1, kind: Secret, metadata: {name: a}}, {apiVersion: v1, kind: Secret, metadata: {name: b}}]\n---\na: [\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n";
        let names: Vec<String> = named(text).iter().map(|object| object.name().to_owned()).collect();
        assert_eq!(names, ["a", "b", "c"]);
    }

    #[test]
    fn a_list_item_without_a_name_is_named_by_its_place() {
        let text = "# Source: shop/a.yaml\napiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Secret}]\n";
        assert_eq!(
            parse(text).expect_err("no object").to_string(),
            "document 1, line 2 (from shop/a.yaml): item 1: the document has no `metadata.name`"
        );
    }
}
