//! A patch, applied here as the API server would: to an object that is only in the overlay, or that was patched before in the
//! same run, the server itself cannot apply it.

#[cfg(test)]
mod corpus;
mod lists;
mod schema;
mod strategic;

use serde_json::Value;
use thiserror::Error;

pub(super) use schema::Schema;

/// Source: `k8s.io/apiserver/pkg/endpoints/handlers/patch.go`: `maxJSONPatchOperations`.
const MOST_JSON_PATCH_OPERATIONS: usize = 10_000;

/// Why a patch could not be applied.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum PatchError {
    /// The server takes no such patch, or we cannot apply it (server-side apply).
    #[error("`{content_type}` is no patch that can be applied here")]
    ContentType {
        /// As the request says.
        content_type: String,
    },
    /// The body is not what its content type says.
    #[error("the patch cannot be read: {problem}")]
    Unreadable {
        /// What the parser says.
        problem: String,
    },
    /// The patch does not fit the object, or breaks the rules of its format.
    #[error("the patch does not fit at `{path}`: {problem}")]
    Unfit {
        /// Field path, or the JSON pointer of a JSON patch's operation.
        path: String,
        /// What is wrong there.
        problem: String,
    },
    /// Only the kind's schema tells what becomes of this field.
    #[error("the patch of `{path}` needs the schema of the kind")]
    NeedsSchema {
        /// Field path.
        path: String,
    },
}

impl PatchError {
    pub(super) fn unfit(path: &str, problem: impl Into<String>) -> Self {
        let path = if path.is_empty() { "." } else { path };
        Self::Unfit { path: path.to_owned(), problem: problem.into() }
    }
}

/// Returns `base` with the patch applied.
///
/// `schema` is of the kind of `base`, and only a strategic merge patch needs it; without one, such a patch may change plain
/// values and maps, but no list that is there. The server takes no strategic merge patch for custom resources (415): that is
/// the caller's to refuse.
///
/// # Errors
/// [`PatchError`]: what does not fit, and where. A strategic merge patch without the schema that it needs is
/// [`PatchError::NeedsSchema`].
pub(super) fn apply(
    content_type: &str,
    base: &Value,
    patch: &[u8],
    schema: Option<&Schema>,
) -> Result<Value, PatchError> {
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media_type.as_str() {
        "application/json-patch+json" => json_patch(base, patch),
        "application/merge-patch+json" => json_merge(base, patch),
        "application/strategic-merge-patch+json" => strategic::apply(base, &read(patch)?, schema),
        _ => Err(PatchError::ContentType { content_type: content_type.to_owned() }),
    }
}

fn json_patch(base: &Value, patch: &[u8]) -> Result<Value, PatchError> {
    let operations: json_patch::Patch = serde_json::from_slice(patch).map_err(unreadable)?;
    if operations.len() > MOST_JSON_PATCH_OPERATIONS {
        let problem = format!("it has more than {MOST_JSON_PATCH_OPERATIONS} operations");
        return Err(PatchError::Unreadable { problem });
    }
    let mut patched = base.clone();
    match json_patch::patch(&mut patched, &operations) {
        Ok(()) => Ok(patched),
        Err(error) => Err(PatchError::unfit(
            error.path.as_str(),
            format!("operation {} of {}: {}", error.operation + 1, operations.len(), error.kind),
        )),
    }
}

fn json_merge(base: &Value, patch: &[u8]) -> Result<Value, PatchError> {
    let patch = read(patch)?;
    let mut patched = base.clone();
    json_patch::merge(&mut patched, &patch);
    Ok(patched)
}

/// Returns the patch, which must be a mapping.
fn read(patch: &[u8]) -> Result<Value, PatchError> {
    let value: Value = serde_json::from_slice(patch).map_err(unreadable)?;
    if value.is_object() { Ok(value) } else { Err(PatchError::Unreadable { problem: "it is no mapping".to_owned() }) }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreadable(error: serde_json::Error) -> PatchError {
    PatchError::Unreadable { problem: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const JSON_PATCH: &str = "application/json-patch+json";
    const MERGE: &str = "application/merge-patch+json";
    const STRATEGIC: &str = "application/strategic-merge-patch+json";

    fn applied(content_type: &str, patch: &Value) -> Result<Value, PatchError> {
        let base = json!({"metadata": {"labels": {"a": "1"}, "finalizers": ["x"]}, "spec": {"replicas": 1,
            "containers": [{"name": "web"}]}});
        apply(content_type, &base, patch.to_string().as_bytes(), None)
    }

    #[test]
    fn a_merge_patch_replaces_lists_and_nulls_delete() {
        let patch = json!({"metadata": {"labels": {"a": null, "b": "2"}, "finalizers": ["y"]}, "spec": null});
        for content_type in [MERGE, "Application/Merge-Patch+JSON; charset=utf-8"] {
            assert_eq!(
                applied(content_type, &patch),
                Ok(json!({"metadata": {"labels": {"b": "2"}, "finalizers": ["y"]}}))
            );
        }
    }

    #[test]
    fn a_json_patch_is_applied_as_a_whole_or_its_error_names_the_path() {
        let good = json!([{"op": "test", "path": "/spec/replicas", "value": 1},
            {"op": "replace", "path": "/spec/replicas", "value": 3}, {"op": "remove", "path": "/metadata"}]);
        assert_eq!(applied(JSON_PATCH, &good), Ok(json!({"spec": {"replicas": 3, "containers": [{"name": "web"}]}})));
        let bad = json!([{"op": "remove", "path": "/spec/replicas"}, {"op": "remove", "path": "/spec/replicas"}]);
        assert_eq!(
            applied(JSON_PATCH, &bad).map_err(|error| error.to_string()),
            Err("the patch does not fit at `/spec/replicas`: operation 2 of 2: path is invalid".to_owned())
        );
    }

    #[test]
    fn what_is_no_patch_is_refused() {
        let base = json!({});
        let unreadable = |result| matches!(result, Err(PatchError::Unreadable { .. }));
        assert!(unreadable(apply(MERGE, &base, b"[]", None)));
        assert!(unreadable(apply(STRATEGIC, &base, b"null", None)));
        assert!(unreadable(apply(JSON_PATCH, &base, b"{}", None)));
        assert!(unreadable(apply(MERGE, &base, b"{", None)));
        let result = apply("application/apply-patch+yaml", &base, b"{}", None);
        assert!(matches!(result, Err(PatchError::ContentType { .. })));
        let many = Value::Array(vec![json!({"op": "test", "path": "", "value": {}}); 10_001]);
        assert!(unreadable(apply(JSON_PATCH, &base, many.to_string().as_bytes(), None)));
    }

    #[test]
    fn without_a_schema_a_strategic_patch_changes_maps_but_no_list_that_is_there() {
        assert_eq!(
            applied(
                STRATEGIC,
                &json!({"spec": {"replicas": 2}, "metadata": {"labels": {"a": null}, "finalizers": null}})
            ),
            Ok(json!({"metadata": {"labels": {}}, "spec": {"replicas": 2, "containers": [{"name": "web"}]}}))
        );
        assert!(applied(STRATEGIC, &json!({"spec": {"volumes": [{"name": "new"}]}})).is_ok());
        for (patch, path) in [
            (json!({"spec": {"containers": [{"name": "web", "image": "a"}]}}), "spec.containers"),
            (json!({"metadata": {"finalizers": ["y"]}}), "metadata.finalizers"),
            (json!({"spec": {"$setElementOrder/containers": [{"name": "web"}]}}), "spec.containers"),
            (json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]}}), "metadata.finalizers"),
        ] {
            assert_eq!(applied(STRATEGIC, &patch), Err(PatchError::NeedsSchema { path: path.to_owned() }), "{patch}");
        }
        let base = json!({"spec": {"selector": {"matchLabels": {"a": "1"}}}});
        let patch = br#"{"spec": {"selector": {"matchLabels": {"b": "2"}}}}"#;
        let needs = PatchError::NeedsSchema { path: "spec.selector".to_owned() };
        assert_eq!(apply(STRATEGIC, &base, patch, None), Err(needs));
    }
}
