use crate::domain::rehearsed::FieldChange;
use serde_json::Value;
pub(super) struct HandEdit {
    pub change: FieldChange,
    pub manager: Option<String>,
}
pub(super) fn changes(_: &Value, _: &Value) -> Vec<FieldChange> {
    vec![]
}
pub(super) fn restarts_pods(_: &Value, _: &Value) -> bool {
    false
}
pub(super) fn hand_edits(_: &Value, _: &Value, _: &Value) -> Vec<HandEdit> {
    vec![]
}
