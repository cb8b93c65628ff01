//! What a dry run leaves out: ports and addresses that a second object would get too (T8), quotas that many writes exceed
//! together (T9).

use serde_json::Value;

use super::Rehearsal;
use super::overlay::Key;
use super::write::Base;
use crate::domain::object::ObjectRef;
use crate::domain::rehearsed::Finding;

/// What the check of a Service's ports and addresses says.
#[derive(Debug, Default)]
pub(super) struct PortCheck {
    /// What the server would refuse.
    pub(super) findings: Vec<Finding>,
    /// Why it cannot be told, where it cannot.
    pub(super) unpredictable: Option<String>,
}
impl Rehearsal {
    pub(super) fn check_ports(&self, _key: &Key, _named: &ObjectRef, _service: &Value) -> PortCheck {
        PortCheck::default()
    }
    pub(super) fn check_quota(
        &mut self,
        _key: &Key,
        _named: &ObjectRef,
        _base: &Base,
        _object: &Value,
    ) -> Vec<Finding> {
        Vec::new()
    }
}
