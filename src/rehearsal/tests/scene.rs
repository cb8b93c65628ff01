//! A rehearsal in front of a scripted server: what it answered to such requests was seen on a real one.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::super::{Next, Rehearsal, ReleaseSettings, Request, Response, Settings, message};
use crate::domain::rehearsed::{Mode, Rehearsed};

/// A rehearsal in front of a scripted server.
pub(super) struct Scene<S> {
    pub(super) rehearsal: Rehearsal,
    server: S,
    /// What reached the server, oldest first.
    pub(super) sent: Vec<Request>,
}

pub(super) fn settings(mode: Mode) -> Settings {
    let release = ReleaseSettings { name: "shop".into(), namespace: "prod".into(), current: Vec::new() };
    Settings { mode, now: "2026-01-01T00:00:00Z".into(), release: Some(release), pretended: Vec::new() }
}

impl<S: FnMut(&Request) -> (u16, Value)> Scene<S> {
    pub(super) fn new(server: S) -> Self {
        Self::with(settings(Mode::All), server)
    }

    pub(super) fn with(settings: Settings, server: S) -> Self {
        Self { rehearsal: Rehearsal::new(settings), server, sent: Vec::new() }
    }

    pub(super) fn call(&mut self, method: &str, uri: &str, media: &str, body: &Value) -> (StatusCode, Value) {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.send(method, uri, media, body)
    }

    /// The same with a body in any form.
    pub(super) fn send(&mut self, method: &str, uri: &str, media: &str, body: Vec<u8>) -> (StatusCode, Value) {
        let request = http::Request::builder().method(method).uri(uri).header("content-type", media);
        let mut next = self.rehearsal.receive(request.body(body).expect("a request"));
        loop {
            match next {
                Next::Answer(answer) => return read(&answer),
                Next::Forward(request) => return read(&self.ask(request)),
                Next::Ask(request, then) => {
                    let answer = self.ask(request);
                    next = self.rehearsal.resume(then, answer);
                }
                Next::Watch(..) => panic!("a watch is no call"),
            }
        }
    }

    pub(super) fn ask(&mut self, request: Request) -> Response {
        let (status, body) = (self.server)(&request);
        self.sent.push(request);
        message::json_response(StatusCode::from_u16(status).expect("a status"), &body)
    }

    pub(super) fn get(&mut self, uri: &str) -> (StatusCode, Value) {
        self.call("GET", uri, "", &Value::Null)
    }

    pub(super) fn create(&mut self, collection: &str, object: &Value) -> (StatusCode, Value) {
        self.call("POST", &format!("{collection}?fieldManager=helm"), "application/json", object)
    }

    pub(super) fn apply(&mut self, path: &str, object: &Value) -> (StatusCode, Value) {
        let uri = format!("{path}?fieldManager=helm&force=false");
        self.call("PATCH", &uri, "application/apply-patch+yaml", object)
    }

    pub(super) fn delete(&mut self, path: &str) -> (StatusCode, Value) {
        self.call("DELETE", path, "application/json", &json!({"propagationPolicy": "Background"}))
    }

    /// The writes that reached the server, as `METHOD path`.
    pub(super) fn writes(&self) -> Vec<String> {
        let writes = self.sent.iter().filter(|request| request.method() != Method::GET);
        writes.map(|request| format!("{} {}", request.method(), request.uri().path())).collect()
    }

    pub(super) fn last_body(&self) -> Value {
        serde_json::from_slice(self.sent.last().expect("something was sent").body()).expect("JSON")
    }

    pub(super) fn close(self) -> Rehearsed {
        self.rehearsal.close()
    }
}

pub(super) fn read(answer: &Response) -> (StatusCode, Value) {
    (answer.status(), serde_json::from_slice(answer.body()).unwrap_or_default())
}

pub(super) fn job(name: &str, image: &str) -> Value {
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": "prod"},
        "spec": {"template": {"spec": {"containers": [{"name": "a", "image": image}]}}}})
}

pub(super) fn config(name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "prod"}, "data": {"a": value}})
}

pub(super) fn stored(mut object: Value) -> Value {
    object["metadata"]["uid"] = json!("real");
    object["metadata"]["resourceVersion"] = json!("7");
    marked(object)
}

/// The object as Helm writes it: marked as the release's own.
pub(super) fn marked(mut object: Value) -> Value {
    object["metadata"]["labels"]["app.kubernetes.io/managed-by"] = json!("Helm");
    object["metadata"]["annotations"] =
        json!({"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "prod"});
    object
}

pub(super) fn status(code: u16, reason: &str, message: &str) -> (u16, Value) {
    (code, json!({"kind": "Status", "status": "Failure", "reason": reason, "message": message, "code": code}))
}

pub(super) fn not_found() -> (u16, Value) {
    status(404, "NotFound", "not found")
}

/// A server that has these objects by path, takes every dry run and stores nothing.
pub(super) fn server(objects: &[(&'static str, Value)]) -> impl FnMut(&Request) -> (u16, Value) + use<> {
    let objects = objects.to_vec();
    move |request| {
        let path = request.uri().path();
        let live = objects.iter().find(|(known, _)| *known == path).map(|(_, object)| object.clone());
        match request.method().as_str() {
            "GET"
                if path.ends_with("resourcequotas") || path.ends_with("services") || path.ends_with("servicecidrs") =>
            {
                (200, json!({"items": []}))
            }
            "GET" | "DELETE" => live.map_or_else(not_found, |object| (200, object)),
            _ => {
                let mut object: Value = serde_json::from_slice(request.body()).expect("JSON");
                object["metadata"]["uid"] = json!("made-up-by-the-dry-run");
                (if live.is_some() { 200 } else { 201 }, object)
            }
        }
    }
}

pub(super) const JOBS: &str = "/apis/batch/v1/namespaces/prod/jobs";
pub(super) const JOB: &str = "/apis/batch/v1/namespaces/prod/jobs/init";
pub(super) const CONFIGS: &str = "/api/v1/namespaces/prod/configmaps";
pub(super) const CONFIG: &str = "/api/v1/namespaces/prod/configmaps/a";
