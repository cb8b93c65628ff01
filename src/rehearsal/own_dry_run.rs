//! Dry runs that the command itself asks for: `kubectl diff`, `--dry-run=server`. They are answered as the server answers
//! them, in the cluster as the overlay has it, and leave no trace: in the run they change nothing either.

use serde_json::{Value, json};

use super::Rehearsal;
use super::call::{Verb, query};
use super::message::{Next, Request};
use super::write::Base;

/// Tells whether the client itself asks for a dry run; `body` is the request's, read.
///
/// A deletion with a body says so there, and there alone: with `dryRun` in its query it deletes (T1). A value that is none
/// the server refuses; it is no dry run here.
pub(super) fn is_asked(verb: Verb, request: &Request, body: &Value) -> bool {
    let says_all = |runs: &[Value]| !runs.is_empty() && runs.iter().all(|run| run == &json!("All"));
    if verb == Verb::Delete && !request.body().is_empty() {
        return body.get("dryRun").and_then(Value::as_array).is_some_and(|runs| says_all(runs));
    }
    let runs: Vec<Value> =
        query(request).filter(|(key, _)| key == "dryRun").map(|(_, value)| Value::String(value)).collect();
    says_all(&runs)
}

impl Rehearsal {
    /// Goes on with a write. Of a dry run nothing is kept: no finding, nothing that it would use. The overlay is not touched in
    /// the first place, see [`super::write::Write::is_dry`].
    pub(super) fn without_trace(&mut self, is_dry: bool, go_on: impl FnOnce(&mut Self) -> Next) -> Next {
        if !is_dry {
            return go_on(self);
        }
        let before = (self.account.clone(), self.ledgers.clone(), self.asked_services.clone());
        let next = go_on(self);
        (self.account, self.ledgers, self.asked_services) = before;
        next
    }
}

/// Returns the object of a dry run as the command is to see it. What it wrote before is judged by the server as if it were
/// made now: who it is and how far it is stays as the overlay has it.
pub(super) fn answered(mut object: Value, base: &Base) -> Value {
    let Base::Written { now: Some(now), .. } = base else { return object };
    if let (Some(metadata), Some(before)) =
        (object.get_mut("metadata").and_then(Value::as_object_mut), now.get("metadata"))
    {
        for field in ["uid", "resourceVersion", "creationTimestamp", "generation"] {
            match before.get(field) {
                Some(value) => metadata.insert(field.to_owned(), value.clone()),
                None => metadata.shift_remove(field),
            };
        }
    }
    if let (Some(fields), Some(status)) = (object.as_object_mut(), now.get("status")) {
        fields.insert("status".to_owned(), status.clone());
    }
    object
}
