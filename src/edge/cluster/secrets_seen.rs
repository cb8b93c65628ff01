//! Every Secret that was read, so that the masker knows what never to show.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use super::run_record::RECORD_TYPE;
use crate::domain::object::Object;

/// Secrets of these types hold records whose own secrets are others' objects: a megabyte each of base64 helps no masker.
const RECORDS: [&str; 2] = ["helm.sh/release.v1", RECORD_TYPE];

#[derive(Default)]
pub(super) struct SecretsSeen(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    known: HashSet<(String, String)>,
    waiting: Vec<Object>,
}

impl SecretsSeen {
    /// Keeps `object` if it is a Secret that was not seen at this version.
    pub(super) fn note(&self, object: &Object) {
        let is_secret = object.kind() == "Secret" && object.group().is_empty();
        if !is_secret || object.text_at("/type").is_some_and(|word| RECORDS.contains(&word)) {
            return;
        }
        let version = (
            object.uid().unwrap_or_else(|| object.name()).to_owned(),
            object.resource_version().unwrap_or_default().to_owned(),
        );
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.known.insert(version) {
            seen.waiting.push(object.clone());
        }
    }

    /// Returns what came since the last call.
    pub(super) fn take(&self) -> Vec<Object> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn secret(kind: &str, version: &str, secret_type: &str) -> Object {
        let metadata = json!({"name": "db", "uid": "u1", "resourceVersion": version});
        Object::new(json!({"apiVersion": "v1", "kind": kind, "type": secret_type, "metadata": metadata}))
            .expect("an object")
    }

    #[test]
    fn each_version_of_a_secret_is_told_once() {
        let seen = SecretsSeen::default();
        for version in ["1", "1", "2"] {
            seen.note(&secret("Secret", version, "Opaque"));
        }
        assert_eq!(seen.take().len(), 2);
        assert!(seen.take().is_empty());
    }

    #[test]
    fn records_and_other_kinds_are_no_secrets() {
        let seen = SecretsSeen::default();
        seen.note(&secret("ConfigMap", "1", "Opaque"));
        seen.note(&secret("Secret", "1", "helm.sh/release.v1"));
        seen.note(&secret("Secret", "1", RECORD_TYPE));
        assert!(seen.take().is_empty());
    }
}
