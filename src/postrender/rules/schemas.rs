//! Descriptions in the schemas of CRDs: most of a CRD's bytes, and none of its effect.

use super::super::edit::{Editor, Stop};
use super::super::tree::NodeId;
use super::change::child;
use super::{Done, ObjectEdit};
use crate::domain::wording::counted;

/// Below these, each key is a name, and its value a schema.
///
/// Source: `k8s.io/apiextensions-apiserver` `types_jsonschema.go`.
const NAMED: [&str; 4] = ["properties", "patternProperties", "definitions", "dependencies"];

/// These are schemas, or lists of them.
const NESTED: [&str; 8] =
    ["items", "additionalProperties", "additionalItems", "allOf", "anyOf", "oneOf", "not", "openAPIV3Schema"];

/// Takes the descriptions out of every version's schema.
pub(super) fn slim(edit: &mut ObjectEdit<'_, '_, '_>) -> Done {
    let (_, kind) = edit.type_now()?;
    if kind != "CustomResourceDefinition" {
        return Ok(None);
    }
    let editor = &mut *edit.editor;
    let Some(spec) = child(editor, edit.object.root, "spec")? else { return Ok(None) };
    let versions = match child(editor, spec, "versions")? {
        Some(list) => editor.items(list)?,
        None => Vec::new(),
    };
    let mut removed = 0;
    for version in versions {
        if let Some(schema) = child(editor, version, "schema")? {
            removed += of_nested(editor, schema)?;
        }
    }
    Ok((removed > 0).then(|| format!("removed {}", counted(removed, "description"))))
}

/// Goes through the schemas that a schema's own keys hold.
fn of_nested(editor: &mut Editor<'_, '_>, node: NodeId) -> Result<usize, Stop> {
    let tree = editor.tree();
    let mut removed = 0;
    for (key, value) in editor.values(node)? {
        let Some(key) = tree.key(key) else { continue };
        if NAMED.contains(&&*key) {
            for (_, schema) in editor.values(value)? {
                removed += of_schema(editor, schema)?;
            }
        } else if NESTED.contains(&&*key) {
            let schemas = if tree.kind(value).is_sequence() { editor.items(value)? } else { vec![value] };
            for schema in schemas {
                removed += of_schema(editor, schema)?;
            }
        }
    }
    Ok(removed)
}

fn of_schema(editor: &mut Editor<'_, '_>, schema: NodeId) -> Result<usize, Stop> {
    let tree = editor.tree();
    let is_text = |node: NodeId| tree.kind(node).is_scalar();
    let mut removed = 0;
    if child(editor, schema, "description")?.is_some_and(is_text) {
        removed += usize::from(editor.remove(schema, "description")?);
    }
    Ok(removed + of_nested(editor, schema)?)
}
