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

/// Tells whether a pod can name an object of this resource.
pub(super) fn is_referred_to(plural: &str) -> bool {
    REFERENCES.iter().any(|(_, resource)| *resource == plural)
}

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
    ///
    /// A made-up name is nobody else's, so it is one wherever it stands. The namespace that stands in is called as a release, a
    /// field or a part of a name may be: it is put right where a sentence names a namespace, and nowhere else.
    pub(super) fn take_off_status(&self, status: &mut Value) {
        if let Some(mask) = &self.name {
            each_text(status, &|text| *text = text.replace(&mask.shown, &mask.own));
        }
        if let (Some(mask), Some(Value::String(message))) = (&self.namespace, status.get_mut("message")) {
            *message = mask.in_sentence(message);
        }
    }
}

impl Mask {
    /// Returns the sentence with the namespace as the command has it, wherever the sentence names it as one.
    fn in_sentence(&self, sentence: &str) -> String {
        let mut told = String::with_capacity(sentence.len());
        let mut end = 0;
        for (at, shown) in sentence.match_indices(self.shown.as_str()) {
            let (before, after) = (&sentence[..at], &sentence[at + shown.len()..]);
            if names_namespace(before, after) {
                told.push_str(&sentence[end..at]);
                told.push_str(&self.own);
                end = at + shown.len();
            }
        }
        told.push_str(&sentence[end..]);
        told
    }
}

/// Tells whether a namespace stands between two parts of a server's sentence: `namespaces "x" not found`, `in namespace x
/// because`, `service account x/mine`, `object (x/mine; apps/v1`.
///
/// Source: the sentences in `tests/fixtures/rehearsal/statuses`.
fn names_namespace(before: &str, after: &str) -> bool {
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let bare = before.strip_suffix('"').filter(|_| after.starts_with('"'));
    if bare.is_none() && (after.starts_with(is_of_name) || before.ends_with(is_of_name)) {
        return false;
    }
    let word = bare.unwrap_or(before).strip_suffix(' ').unwrap_or_default();
    let head = word.strip_suffix("namespaces").or_else(|| word.strip_suffix("namespace"));
    // What stands in quotes with a slash is a value, such as an image.
    let is_first_part = after.strip_prefix('/').is_some_and(|rest| rest.starts_with(is_of_name))
        && (before.is_empty() || before.ends_with([' ', '(']));
    is_first_part || head.is_some_and(|head| head.is_empty() || head.ends_with(' '))
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
        let mut status = json!({"message": format!("jobs.batch \"{alias}\" in namespace \"default\" is bad"),
            "details": {"name": alias}});
        disguise.take_off_status(&mut status);
        assert_eq!(status["message"], "jobs.batch \"init\" in namespace \"new\" is bad");
        assert_eq!(status["details"]["name"], "init");
    }

    #[test]
    fn a_sentence_tells_the_namespace_that_stands_in_only_where_it_names_a_namespace() {
        let mut disguise = Disguise::default();
        disguise.move_to("space", "default");
        for (told, expected) in [
            (r#"namespaces "default" not found"#, r#"namespaces "space" not found"#),
            (
                r#"create resource "jobs" in API group "batch" in the namespace "default""#,
                r#"create resource "jobs" in API group "batch" in the namespace "space""#,
            ),
            ("new content in namespace default because it ends", "new content in namespace space because it ends"),
            ("namespace default is being terminated", "namespace space is being terminated"),
            (
                r#"service account default/mine: serviceaccount "mine" not found"#,
                r#"service account space/mine: serviceaccount "mine" not found"#,
            ),
            ("patch object (default/x; apps/v1, Kind=Job)", "patch object (space/x; apps/v1, Kind=Job)"),
            // A field, a value, a part of a name, an image, a user, another namespace.
            ("spec.defaultBackend: Invalid value", "spec.defaultBackend: Invalid value"),
            (r#"Invalid value: "default""#, r#"Invalid value: "default""#),
            (r#"jobs.batch "default-init" not found"#, r#"jobs.batch "default-init" not found"#),
            (r#"image "default/server:1""#, r#"image "default/server:1""#),
            (r#"User "system:serviceaccount:default:ci" cannot"#, r#"User "system:serviceaccount:default:ci" cannot"#),
            (
                r#"in namespace "default-2" and namespace default-2"#,
                r#"in namespace "default-2" and namespace default-2"#,
            ),
        ] {
            let mut status =
                json!({"message": told, "details": {"name": "default", "causes": [{"field": "spec.default"}]}});
            let details = status["details"].clone();
            disguise.take_off_status(&mut status);
            assert_eq!(status["message"], expected);
            assert_eq!(status["details"], details, "no sentence");
        }
    }

    #[test]
    fn what_is_not_disguised_is_sent_as_it_is() {
        let disguise = Disguise::default();
        assert_eq!(disguise.put_on(&job()), job());
        assert_eq!((disguise.name("init"), disguise.namespace(None)), ("init", None));
        assert!(!disguise.is_elsewhere());
    }
}
