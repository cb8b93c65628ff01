use serde_json::Value;
pub(super) fn immutable_changes(_: &str, _: &str, _: &Value, _: &Value) -> Vec<String> {
    vec![]
}
