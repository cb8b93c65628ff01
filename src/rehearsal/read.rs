//! Reads: answered from the overlay where it knows better, and merged with it where it knows a part.

use std::collections::BTreeMap;

use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::call::{Call, Target, Verb, query};
use super::crd::Definition;
use super::message::{self, Continuation, Next, Request, Response, Watch};
use super::overlay::{Key, State, is_made_up};
use super::refusal::{self, Refusal, RefusedWrite};
use super::selector::Selector;
use super::write::Act;
use super::{Rehearsal, discovery};
use crate::domain::object::ObjectRef;

/// What is done with the answer to a read.
#[derive(Debug)]
pub(super) enum ReadThen {
    /// It is one object, as the server has it: kept, for a write may follow.
    Object(Target),
    /// It is a list, which the overlay changes.
    Collection(Target, Selector),
    /// It is a page of the discovery: it names kinds, and lacks those that the command installed.
    Discovery { path: String },
}

impl Rehearsal {
    /// Takes a request that changes nothing.
    pub(super) fn read(&mut self, call: Call, request: Request) -> Next {
        let Some(target) = call.target else { return self.page(request) };
        match (call.verb, target.subresource.as_deref()) {
            (Verb::Get, Some("log")) => self.log(&target, request),
            (Verb::Get, Some("status") | None) => self.object(&target, request),
            (Verb::List, None) => self.collection(target, request),
            (Verb::Watch, None) => self.watch(target, request),
            _ => Next::Forward(request),
        }
    }

    /// Takes the answer to a read.
    pub(super) fn finish_read(&mut self, then: ReadThen, mut answer: Response) -> Next {
        match then {
            ReadThen::Object(target) => {
                let body = serde_json::from_slice::<Value>(answer.body()).unwrap_or_default();
                // A view of an object (a table, its metadata alone) is no base for a write.
                let is_view =
                    matches!(body.get("kind").and_then(Value::as_str), Some("Table" | "PartialObjectMetadata"));
                match (answer.status(), Key::of(&target)) {
                    (StatusCode::OK, Some(key)) if body.is_object() && !is_view => {
                        self.reals.insert(key, body);
                    }
                    (StatusCode::FORBIDDEN, Some(_)) => self.keep_forbidden(&target, &body),
                    _ => {}
                }
            }
            ReadThen::Collection(target, selector) => {
                let is_ours = answer.status() == StatusCode::NOT_FOUND && self.definition_of(&target).is_some();
                let list = if is_ours { Ok(self.empty_list(&target)) } else { serde_json::from_slice(answer.body()) };
                if let (true, Ok(mut list)) = (is_ours || answer.status() == StatusCode::OK, list) {
                    self.merge(&target, &selector, &mut list);
                    return Next::Answer(message::json_response(StatusCode::OK, &list));
                }
            }
            ReadThen::Discovery { path } => {
                let content_type = message::content_type(answer.headers());
                let body = if answer.status() == StatusCode::OK { answer.body().as_slice() } else { b"" };
                self.kinds.learn(&serde_json::from_slice(body).unwrap_or_default());
                let definitions: Vec<_> = self.definitions.values().cloned().collect();
                if let Some((content_type, body)) = discovery::add(&path, &content_type, body, &definitions) {
                    *answer.status_mut() = StatusCode::OK;
                    *answer.body_mut() = body;
                    answer.headers_mut().remove(header::ETAG);
                    if let Ok(value) = HeaderValue::from_str(&content_type) {
                        answer.headers_mut().insert(header::CONTENT_TYPE, value);
                    }
                }
            }
        }
        Next::Answer(answer)
    }

    /// Keeps a read that the user may not do: it is a finding if the command fails for it.
    fn keep_forbidden(&mut self, target: &Target, status: &Value) {
        let object = ObjectRef {
            api_version: target.resource.api_version(),
            kind: self.kinds.of(&target.resource).unwrap_or(&target.resource.plural).to_owned(),
            namespace: target.namespace.clone(),
            name: target.name.clone().unwrap_or_default(),
        };
        // The server's sentence is the same for whatever one may not do.
        let refused = RefusedWrite { object: &object, act: Act::Update, code: 403, status, live: None, desired: None };
        let message = status.get("message").and_then(Value::as_str).unwrap_or_default();
        if let (Refusal::Findings(findings), false) = (refusal::classify(&refused), message.is_empty()) {
            self.forbidden_reads.extend(findings.into_iter().map(|finding| (message.to_owned(), finding)));
        }
    }

    fn page(&self, mut request: Request) -> Next {
        let path = request.uri().path().trim_end_matches('/').to_owned();
        if !["/api", "/apis"].iter().any(|root| path == *root || path.starts_with(&format!("{root}/"))) {
            return Next::Forward(request);
        }
        if !self.definitions.is_empty() {
            // What the server has not changed we may have.
            request.headers_mut().remove(header::IF_NONE_MATCH);
        }
        Next::Ask(request, Continuation::read(ReadThen::Discovery { path }))
    }

    fn object(&mut self, target: &Target, mut request: Request) -> Next {
        let Some(key) = Key::of(target) else { return Next::Forward(request) };
        if let Some(entry) = self.overlay.get(&key) {
            return Next::Answer(match &entry.state {
                State::Present(object) => message::json_response(StatusCode::OK, &in_version(object, target)),
                State::Gone => not_found(target),
            });
        }
        if self.is_hidden(&key) || self.definition_of(target).is_some() && !self.is_served(target) {
            return Next::Answer(not_found(target));
        }
        if wants_a_view(&request) {
            return Next::Forward(request);
        }
        want_json(&mut request);
        Next::Ask(request, Continuation::read(ReadThen::Object(target.clone())))
    }

    fn collection(&self, target: Target, request: Request) -> Next {
        let is_touched = self.overlay.collection(&target).next().is_some()
            || self.definition_of(&target).is_some()
            || target.resource.plural == "replicasets" && !self.hidden_owners.is_empty();
        if !is_touched {
            return Next::Forward(request);
        }
        let selector = Selector::of_query(query(&request));
        // The overlay's objects belong to no page: the list comes as a whole.
        let mut request = with_query(request, |key, value| {
            !(matches!(key, "limit" | "continue") || key.starts_with("resourceVersion") && is_made_up(value))
        });
        want_json(&mut request);
        Next::Ask(request, Continuation::read(ReadThen::Collection(target, selector)))
    }

    fn watch(&self, target: Target, request: Request) -> Next {
        let selector = Selector::of_query(query(&request));
        let has_made_up = query(&request).any(|(key, value)| key == "resourceVersion" && is_made_up(&value));
        // Without a version the server begins with what is there now.
        let mut request = with_query(request, |key, _| !(has_made_up && key.starts_with("resourceVersion")));
        want_json(&mut request);
        let is_served = self.definition_of(&target).is_none() || self.is_served(&target);
        let waits = query(&request).any(|(key, value)| key == "sendInitialEvents" && value == "true");
        let owes_bookmark = waits && !is_served;
        let watch = Watch { target, selector, cursor: 0, has_begun: false, owes_bookmark, shown: BTreeMap::new() };
        Next::Watch(is_served.then_some(request), watch)
    }

    fn log(&self, target: &Target, request: Request) -> Next {
        match Key::of(target).and_then(|key| self.overlay.get(&key)) {
            Some(entry) if entry.object().is_some() => {
                let mut answer = Response::new(b"(rehearsed: this pod was never run)\n".to_vec());
                answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
                Next::Answer(answer)
            }
            Some(_) => Next::Answer(not_found(target)),
            None => Next::Forward(request),
        }
    }

    /// Puts the overlay into a list of the server.
    fn merge(&self, target: &Target, selector: &Selector, list: &mut Value) {
        let Some(items) = list.get_mut("items") else { return };
        if items.is_null() {
            *items = json!([]);
        }
        let Some(items) = items.as_array_mut() else { return };
        items.retain(|item| {
            let key = key_of(target, item);
            self.overlay.get(&key).is_none() && !self.is_hidden_object(item)
        });
        let ours = self.overlay.collection(target).filter_map(|(_, entry)| entry.object());
        items.extend(ours.filter(|object| selector.selects(object)).map(|object| in_version(object, target)));
        if let Some(metadata) = list.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.shift_remove("continue");
            metadata.shift_remove("remainingItemCount");
        }
    }

    fn empty_list(&self, target: &Target) -> Value {
        let kind =
            self.definition_of(target).map_or("List".to_owned(), |definition| definition.names.list_kind.clone());
        json!({"apiVersion": target.resource.api_version(), "kind": kind, "metadata": {"resourceVersion": "1"}, "items": []})
    }

    /// Returns the events of the overlay since `watch` was last asked for, one JSON line each with its line end; it is asked
    /// again whenever any other request was received or resumed.
    pub fn overlay_events(&mut self, watch: &mut Watch) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        let Watch { target, selector, cursor, has_begun, owes_bookmark, shown } = watch;
        let mut tell = |kind: &str, object: &Value| {
            let event = json!({"type": kind, "object": in_version(object, target)});
            lines.push(format!("{event}\n").into_bytes());
        };
        if *has_begun {
            for (kind, key, object) in self.overlay.changes_since(*cursor, target) {
                // What the overlay did not cover yet the server has shown.
                let real = self.overlay.get(key).and_then(|entry| entry.real.as_ref());
                let was_shown = shown
                    .get(key)
                    .copied()
                    .unwrap_or_else(|| real.is_some_and(|real| selector.selects(real) && !self.is_hidden_object(real)));
                let is_shown = kind != "DELETED" && selector.selects(object);
                shown.insert(key.clone(), is_shown);
                // An object that a selector ceases to select is gone for the watch, and one that it begins to select is new.
                match (was_shown, is_shown) {
                    (true, true) => tell("MODIFIED", object),
                    (false, true) => tell("ADDED", object),
                    (true, false) => tell("DELETED", object),
                    (false, false) => {}
                }
            }
        } else {
            for (key, entry) in self.overlay.collection(target) {
                let object = entry.object().filter(|object| selector.selects(object));
                shown.insert(key.clone(), object.is_some());
                if let Some(object) = object {
                    tell("ADDED", object);
                }
            }
            if *owes_bookmark {
                tell("BOOKMARK", &end_of_first_events(self.definition_of(target)));
            }
        }
        *has_begun = true;
        *cursor = self.overlay.end();
        lines
    }

    /// Returns what becomes of one line (an event as JSON) that the server sent to this watch; nothing if it is hidden.
    pub fn upstream_event(&mut self, watch: &mut Watch, line: Vec<u8>) -> Option<Vec<u8>> {
        let Ok(event) = serde_json::from_slice::<Value>(&line) else { return Some(line) };
        let is_of_object = matches!(event.get("type").and_then(Value::as_str), Some("ADDED" | "MODIFIED" | "DELETED"));
        let Some(object) = event.get("object").filter(|_| is_of_object) else { return Some(line) };
        let is_covered = self.overlay.get(&key_of(&watch.target, object)).is_some();
        (!is_covered && !self.is_hidden_object(object)).then_some(line)
    }

    fn is_hidden(&self, key: &Key) -> bool {
        self.reals.get(key).is_some_and(|real| self.is_hidden_object(real))
    }

    /// Tells whether a real object would not be there: the `ReplicaSet` of a Deployment whose new one is made up (section 2 of
    /// the facts).
    fn is_hidden_object(&self, object: &Value) -> bool {
        let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        owners
            .into_iter()
            .flatten()
            .any(|owner| owner.get("uid").and_then(Value::as_str).is_some_and(|uid| self.hidden_owners.contains(uid)))
    }
}

/// Returns 404 as the server would say it.
pub(super) fn not_found(target: &Target) -> Response {
    let name = target.name.as_deref().unwrap_or_default();
    let resource = match target.resource.group.as_str() {
        "" => target.resource.plural.clone(),
        group => format!("{}.{group}", target.resource.plural),
    };
    let details = json!({"name": name, "group": target.resource.group, "kind": target.resource.plural});
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": format!("{resource} \"{name}\" not found"), "reason": "NotFound", "details": details, "code": 404,
    });
    message::json_response(StatusCode::NOT_FOUND, &status)
}

/// Returns 409 as the server would say it of a creation.
pub(super) fn already_exists(target: &Target) -> Response {
    let name = target.name.as_deref().unwrap_or_default();
    let plural = &target.resource.plural;
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": format!("{plural} \"{name}\" already exists"), "reason": "AlreadyExists",
        "details": {"name": name, "group": target.resource.group, "kind": plural}, "code": 409,
    });
    message::json_response(StatusCode::CONFLICT, &status)
}

/// Source: `k8s.io/apimachinery/pkg/apis/meta/v1` `InitialEventsAnnotationKey`.
fn end_of_first_events(definition: Option<&Definition>) -> Value {
    let kind = definition.map_or("", |definition| definition.names.kind.as_str());
    json!({"kind": kind, "metadata": {"resourceVersion": "1", "annotations": {"k8s.io/initial-events-end": "true"}}})
}

/// An object of the overlay in the API version in which it is asked for. Only the version's name is changed: kinds with
/// several served versions that differ in shape are few, and no Helm reads one in another version than it wrote it.
fn in_version(object: &Value, target: &Target) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.insert("apiVersion".to_owned(), Value::String(target.resource.api_version()));
    }
    object
}

fn key_of(collection: &Target, object: &Value) -> Key {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    Key::new(&collection.resource, Some(text("/metadata/namespace")), text("/metadata/name"))
}

/// Tells whether the client asks for a table or for metadata alone.
fn wants_a_view(request: &Request) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.contains("as=")
}

/// What we read must be JSON; clients decode by what an answer says it is.
pub(super) fn want_json(request: &mut Request) {
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
}

/// Returns the request with those pairs of its query that `keeps` keeps.
fn with_query(mut request: Request, keeps: impl Fn(&str, &str) -> bool) -> Request {
    let kept: Vec<(String, String)> = query(&request).filter(|(key, value)| keeps(key, value)).collect();
    let path = request.uri().path().to_owned();
    *request.uri_mut() = message::uri(&path, &kept);
    request
}
