//! What the rehearsed command has written so far, as an append-only log with a revision of its own. Reads are answered from
//! it before the server is asked; a watch is a cursor in it.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde_json::{Map, Value, json};

use super::author::Author;
use super::call::{Resource, Target};

/// Made-up resource versions start here: numeric, as clients compare them, and above any that a server counts (T13 of the
/// facts).
const FIRST_VERSION: u64 = 9_000_000_000_000_000;

/// The identity of an object, whatever API version it is read in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    /// Empty for the core group.
    pub(super) group: String,
    /// `deployments`.
    pub(super) plural: String,
    /// Empty for cluster-scoped objects.
    pub(super) namespace: String,
    /// `metadata.name`.
    pub(super) name: String,
}

impl Key {
    /// Returns the key of the object of that name in a collection.
    pub(super) fn new(resource: &Resource, namespace: Option<&str>, name: &str) -> Self {
        Self {
            group: resource.group.clone(),
            plural: resource.plural.clone(),
            namespace: namespace.unwrap_or_default().to_owned(),
            name: name.to_owned(),
        }
    }

    /// Returns the key of the object that a call names; nothing for a collection.
    pub(super) fn of(target: &Target) -> Option<Self> {
        Some(Self::new(&target.resource, target.namespace.as_deref(), target.name.as_deref()?))
    }

    /// Tells whether the object is in this collection; a collection without a namespace spans all of them.
    pub(super) fn is_in(&self, collection: &Target) -> bool {
        self.group == collection.resource.group
            && self.plural == collection.resource.plural
            && collection.namespace.as_ref().is_none_or(|namespace| *namespace == self.namespace)
    }
}

/// What the overlay holds of an object.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum State {
    /// It is there, and looks like this.
    Present(Value),
    /// It was deleted.
    Gone,
}

/// An object that was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    /// How it is now.
    pub(super) state: State,
    /// The real object that it covers, as it was before the first write; nothing if there is none.
    pub(super) real: Option<Value>,
    /// Whether the real object was deleted at some time in between.
    pub(super) is_replaced: bool,
    /// Who wrote it, since it was last gone.
    pub(super) author: Author,
}

impl Entry {
    /// Returns the object, if it is there.
    pub(super) fn object(&self) -> Option<&Value> {
        match &self.state {
            State::Present(object) => Some(object),
            State::Gone => None,
        }
    }
}

/// A change of the overlay, as watchers see it.
#[derive(Debug, Clone)]
struct Change {
    key: Key,
    /// `ADDED`, `MODIFIED` or `DELETED`.
    kind: &'static str,
    object: Value,
}

/// The writes so far.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    entries: BTreeMap<Key, Entry>,
    log: Vec<Change>,
}

impl Overlay {
    /// Returns what was written of this object.
    pub(super) fn get(&self, key: &Key) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// Returns every object of a collection that was written, those that are gone included.
    pub(super) fn collection<'a>(&'a self, collection: &'a Target) -> impl Iterator<Item = (&'a Key, &'a Entry)> {
        let first = Key {
            group: collection.resource.group.clone(),
            plural: collection.resource.plural.clone(),
            namespace: collection.namespace.clone().unwrap_or_default(),
            name: String::new(),
        };
        self.entries
            .range((Bound::Included(first), Bound::Unbounded))
            .take_while(|(key, _)| key.group == collection.resource.group && key.plural == collection.resource.plural)
            .filter(|(key, _)| key.is_in(collection))
    }

    /// Returns every object that is there, of any kind.
    pub(super) fn present(&self) -> impl Iterator<Item = (&Key, &Value)> {
        self.entries.iter().filter_map(|(key, entry)| Some((key, entry.object()?)))
    }

    /// Puts an object, and returns it as it is stored: with a resource version of the overlay and a generation.
    ///
    /// `real` is what the server has of it; it counts at the first write alone. `now` is RFC 3339.
    pub(super) fn put(&mut self, key: Key, mut object: Value, real: Option<&Value>, now: &str) -> Value {
        let before = self.entries.get(&key);
        let previous = match before {
            Some(entry) => entry.object(),
            None => real,
        };
        let kind = if previous.is_some() { "MODIFIED" } else { "ADDED" };
        let revision = self.next_revision();
        stamp(&mut object, previous, revision, now);
        let (real, is_replaced) =
            before.map_or_else(|| (real.cloned(), false), |entry| (entry.real.clone(), entry.is_replaced));
        let author = before.map(|entry| entry.author.clone()).unwrap_or_default();
        self.log.push(Change { key: key.clone(), kind, object: object.clone() });
        self.entries.insert(key, Entry { state: State::Present(object.clone()), real, is_replaced, author });
        object
    }

    /// Notes who wrote an object.
    pub(super) fn sign(&mut self, key: &Key, author: Author) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.author = author;
        }
    }

    /// Marks an object as deleted. `last` is how it was; `real` is what the server has of it.
    pub(super) fn remove(&mut self, key: Key, last: Value, real: Option<&Value>) {
        let real = self.entries.get(&key).map_or_else(|| real.cloned(), |entry| entry.real.clone());
        let is_replaced = real.is_some();
        self.log.push(Change { key: key.clone(), kind: "DELETED", object: last });
        self.entries.insert(key, Entry { state: State::Gone, real, is_replaced, author: Author::Nobody });
    }

    /// Returns how long the log is: the cursor of a watch that has seen everything.
    pub(super) fn end(&self) -> usize {
        self.log.len()
    }

    /// Returns the changes of a collection since `cursor`, as (event, key, object), oldest first.
    pub(super) fn changes_since<'a>(
        &'a self,
        cursor: usize,
        collection: &'a Target,
    ) -> impl Iterator<Item = (&'static str, &'a Key, &'a Value)> {
        let changes = self.log.get(cursor..).unwrap_or_default().iter();
        changes.filter(|change| change.key.is_in(collection)).map(|change| (change.kind, &change.key, &change.object))
    }

    fn next_revision(&self) -> u64 {
        FIRST_VERSION + self.log.len() as u64 + 1
    }
}

/// Tells whether a resource version was made up by an overlay.
pub(super) fn is_made_up(resource_version: &str) -> bool {
    resource_version.parse::<u64>().is_ok_and(|version| version >= FIRST_VERSION)
}

/// Gives the object the metadata that a server keeps across writes: who it is stays, its version goes on.
fn stamp(object: &mut Value, previous: Option<&Value>, revision: u64, now: &str) {
    let previous_field = |field: &str| previous.and_then(|previous| previous.get("metadata")?.get(field)).cloned();
    let spec_before = previous.and_then(|previous| previous.get("spec"));
    let is_same_spec = previous.is_some() && spec_before == object.get("spec");
    let generation = previous_field("generation").and_then(|number| number.as_i64()).unwrap_or(0);
    let generation = if is_same_spec { generation.max(1) } else { generation + 1 };
    let has_spec = object.get("spec").is_some();
    let Some(fields) = object.as_object_mut() else { return };
    let metadata = fields.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    let Some(metadata) = metadata.as_object_mut() else { return };
    metadata.insert("resourceVersion".to_owned(), json!(revision.to_string()));
    if has_spec {
        metadata.insert("generation".to_owned(), json!(generation));
    }
    for field in ["uid", "creationTimestamp"] {
        if let Some(value) = previous_field(field).filter(|value| !value.is_null()) {
            metadata.insert(field.to_owned(), value);
        }
    }
    if metadata.get("creationTimestamp").is_none_or(Value::is_null) {
        metadata.insert("creationTimestamp".to_owned(), json!(now));
    }
    if metadata.get("uid").is_none_or(Value::is_null) {
        // Of no server; no two of a rehearsal are alike.
        let made_up = format!("00000000-0000-4000-8000-{:012x}", revision.wrapping_sub(FIRST_VERSION));
        metadata.insert("uid".to_owned(), json!(made_up));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-01T00:00:00Z";

    fn target(namespace: Option<&str>) -> Target {
        Target {
            resource: Resource { group: String::new(), version: "v1".into(), plural: "configmaps".into() },
            namespace: namespace.map(str::to_owned),
            name: None,
            subresource: None,
        }
    }

    fn key(namespace: &str, name: &str) -> Key {
        Key::new(&target(None).resource, Some(namespace), name)
    }

    fn object(name: &str, data: &str) -> Value {
        json!({"metadata": {"name": name}, "spec": {"data": data}})
    }

    #[test]
    fn an_object_keeps_who_it_is_across_writes_and_its_version_goes_on() {
        let mut overlay = Overlay::default();
        let real = json!({"metadata": {"name": "a", "uid": "real", "resourceVersion": "7", "generation": 3}, "spec": {"data": "1"}});
        let first = overlay.put(key("x", "a"), object("a", "2"), Some(&real), NOW);
        let second = overlay.put(key("x", "a"), object("a", "2"), None, NOW);
        assert_eq!(first["metadata"]["uid"], "real");
        assert_eq!(second["metadata"]["uid"], "real");
        assert_eq!((&first["metadata"]["generation"], &second["metadata"]["generation"]), (&json!(4), &json!(4)));
        let version =
            |object: &Value| object["metadata"]["resourceVersion"].as_str().map(str::to_owned).expect("a text");
        assert!(version(&first) < version(&second));
        assert!(is_made_up(&version(&first)) && !is_made_up("7"));
        assert_eq!(
            overlay.get(&key("x", "a")).and_then(|entry| entry.real.clone()),
            Some(real),
            "the first real counts"
        );
    }

    #[test]
    fn an_object_made_anew_is_another_one() {
        let mut overlay = Overlay::default();
        let first = overlay.put(key("x", "a"), object("a", "1"), None, NOW);
        overlay.remove(key("x", "a"), first.clone(), None);
        let second = overlay.put(key("x", "a"), object("a", "1"), None, NOW);
        assert_ne!(first["metadata"]["uid"], second["metadata"]["uid"]);
    }

    #[test]
    fn a_watch_sees_what_came_after_it_in_its_collection_alone() {
        let mut overlay = Overlay::default();
        overlay.put(key("x", "a"), object("a", "1"), None, NOW);
        let cursor = overlay.end();
        overlay.put(key("y", "b"), object("b", "1"), None, NOW);
        let last = overlay.put(key("x", "a"), object("a", "2"), None, NOW);
        overlay.remove(key("x", "a"), last, None);
        let kinds = |namespace| -> Vec<&str> {
            overlay.changes_since(cursor, &target(namespace)).map(|(kind, ..)| kind).collect()
        };
        assert_eq!(kinds(Some("x")), ["MODIFIED", "DELETED"]);
        assert_eq!(kinds(None), ["ADDED", "MODIFIED", "DELETED"]);
        assert_eq!(overlay.collection(&target(Some("y"))).count(), 1);
        assert_eq!(overlay.collection(&target(None)).count(), 2);
        assert_eq!(overlay.present().count(), 1);
    }
}
