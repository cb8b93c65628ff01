//! What is sent to the server in place of what was asked, where the server would judge something else: another name, another
//! namespace, without a field. In its answer everything is as it was asked.
//!
//! - A name: the object was deleted in the overlay and is still there (T2 of the facts).
//! - A namespace: it was made in the overlay and is not there yet (T3).
//! - Fields: they name what was made in the overlay (T4).

use serde_json::Value;

use crate::domain::content;

/// How a write is disguised; the default is not at all.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Disguise {
    name: Option<Mask>,
    namespace: Option<Mask>,
    dropped: Vec<(&'static str, Value)>,
}

#[derive(Debug, Clone, PartialEq)]
struct Mask {
    own: String,
    shown: String,
}

/// Fields of a pod that name other objects, and the resource that they name.
///
/// `serviceAccount` is the old name of `serviceAccountName`: the server copies one to the other.
const REFERENCES: [(&str, &str); 4] = [
    ("/spec/serviceAccountName", "serviceaccounts"),
    ("/spec/serviceAccount", "serviceaccounts"),
    ("/spec/priorityClassName", "priorityclasses"),
    ("/spec/runtimeClassName", "runtimeclasses"),
];

impl Disguise {
    /// Sends the object under a name that nobody else has: the same for the same object.
    pub(super) fn rename(&mut self, own: &str) {
        let digest = content::sha256(own.as_bytes());
        let short: String = digest.chars().skip("sha256:".len()).take(10).collect();
        self.name = Some(Mask { own: own.to_owned(), shown: format!("csghub-rehearsal-{short}") });
    }

    /// Sends the object into another namespace.
    pub(super) fn move_to(&mut self, own: &str, stand_in: &str) {
        self.namespace = Some(Mask { own: own.to_owned(), shown: stand_in.to_owned() });
    }

    /// Sends a pod without the references for which `is_made_here` (resource, name) says that they were made in the overlay;
    /// tells whether there was one.
    pub(super) fn drop_references(&mut self, object: &Value, is_made_here: impl Fn(&str, &str) -> bool) -> bool {
        let before = self.dropped.len();
        for (pointer, resource) in REFERENCES {
            let Some(name) = object.pointer(pointer).and_then(Value::as_str) else { continue };
            if is_made_here(resource, name) && self.dropped.iter().all(|(known, _)| *known != pointer) {
                self.dropped.push((pointer, Value::String(name.to_owned())));
            }
        }
        self.dropped.len() > before
    }

    /// Tells whether the server judged it in another namespace, with the policies of that one.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.namespace.is_some()
    }

    /// Returns the name to send.
    pub(super) fn name<'a>(&'a self, own: &'a str) -> &'a str {
        self.name.as_ref().map_or(own, |mask| &mask.shown)
    }

    /// Returns the namespace to send.
    pub(super) fn namespace<'a>(&'a self, own: Option<&'a str>) -> Option<&'a str> {
        self.namespace.as_ref().map(|mask| mask.shown.as_str()).or(own)
    }

    /// Returns the object as it is sent.
    pub(super) fn put_on(&self, object: &Value) -> Value {
        let mut sent = object.clone();
        if let Some(metadata) = sent.get_mut("metadata").and_then(Value::as_object_mut) {
            for (field, mask) in [("name", &self.name), ("namespace", &self.namespace)] {
                if let (Some(mask), true) = (mask, metadata.contains_key(field)) {
                    metadata.insert(field.to_owned(), Value::String(mask.shown.clone()));
                }
            }
        }
        for (pointer, _) in &self.dropped {
            let Some((parent, field)) = pointer.rsplit_once('/') else { continue };
            if let Some(parent) = sent.pointer_mut(parent).and_then(Value::as_object_mut) {
                parent.shift_remove(field);
            }
        }
        sent
    }

    /// Returns the server's object as if it had been sent undisguised.
    pub(super) fn take_off(&self, object: &mut Value) {
        if let Some(mask) = &self.name {
            // Controllers of the server derive labels from the name (a Job's `job-name`).
            each_text(object, &|text| {
                if text.contains(&mask.shown) {
                    *text = text.replace(&mask.shown, &mask.own);
                }
            });
        }
        if let Some(mask) = &self.namespace
            && let Some(namespace) = object.pointer_mut("/metadata/namespace")
        {
            *namespace = Value::String(mask.own.clone());
        }
        for (pointer, value) in &self.dropped {
            let Some((parent, field)) = pointer.rsplit_once('/') else { continue };
            if let Some(parent) = object.pointer_mut(parent).and_then(Value::as_object_mut) {
                parent.insert(field.to_owned(), value.clone());
            }
        }
    }

    /// Returns a Status of the server as if the object had been sent undisguised.
    pub(super) fn take_off_status(&self, status: &mut Value) {
        for mask in [&self.name, &self.namespace].into_iter().flatten() {
            each_text(status, &|text| *text = text.replace(&mask.shown, &mask.own));
        }
    }
}

fn each_text(value: &mut Value, change: &impl Fn(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(items) => items.iter_mut().for_each(|item| each_text(item, change)),
        Value::Object(fields) => fields.values_mut().for_each(|value| each_text(value, change)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job() -> Value {
        json!({"metadata": {"name": "init", "namespace": "new"}, "spec": {"serviceAccountName": "mine", "x": 1}})
    }

    #[test]
    fn the_answer_is_as_if_nothing_had_been_disguised() {
        let mut disguise = Disguise::default();
        disguise.rename("init");
        disguise.move_to("new", "default");
        assert!(disguise.drop_references(&job(), |resource, name| (resource, name) == ("serviceaccounts", "mine")));
        assert!(!disguise.drop_references(&job(), |_, _| true), "it is dropped already");
        let mut sent = disguise.put_on(&job());
        let alias = sent["metadata"]["name"].as_str().expect("a name").to_owned();
        assert_eq!(sent, json!({"metadata": {"name": alias, "namespace": "default"}, "spec": {"x": 1}}));
        assert_eq!((disguise.name("init"), disguise.namespace(Some("new"))), (alias.as_str(), Some("default")));
        sent["metadata"]["labels"] = json!({"job-name": alias});
        disguise.take_off(&mut sent);
        let mut expected = job();
        expected["metadata"]["labels"] = json!({"job-name": "init"});
        assert_eq!(sent, expected);
        let mut status = json!({"message": format!("jobs.batch \"{alias}\" in \"default\" is bad")});
        disguise.take_off_status(&mut status);
        assert_eq!(status["message"], "jobs.batch \"init\" in \"new\" is bad");
    }

    #[test]
    fn what_is_not_disguised_is_sent_as_it_is() {
        let disguise = Disguise::default();
        assert_eq!(disguise.put_on(&job()), job());
        assert_eq!((disguise.name("init"), disguise.namespace(None)), ("init", None));
        assert!(!disguise.is_elsewhere());
    }
}
