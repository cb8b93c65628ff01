//! The API server's audit log: who asked for what, with the bodies.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use serde_json::Value;

/// The requests of one user, oldest first.
#[derive(Debug)]
pub struct Audit {
    /// All of them.
    pub requests: Vec<Request>,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Request {
    /// `get`, `list`, `create`, `update`, `patch`, `delete`, `deletecollection`, ...
    pub verb: String,
    /// Path and query.
    pub uri: String,
    /// `pods`, `pods/log`; empty for paths that are no resource.
    pub resource: String,
    /// Status code of the answer; 0 if it is not known.
    pub code: u64,
    /// What was sent.
    pub body: Option<Value>,
    /// What the program calls itself.
    pub user_agent: String,
}

/// Questions that the API asks by `create` and that store nothing.
const REVIEWS: [&str; 6] = [
    "selfsubjectaccessreviews",
    "selfsubjectrulesreviews",
    "selfsubjectreviews",
    "subjectaccessreviews",
    "localsubjectaccessreviews",
    "tokenreviews",
];

impl Audit {
    /// Reads the requests of `user` that were logged behind byte `from`.
    pub fn read(log: &Path, from: u64, user: &str) -> Self {
        let mut file = File::open(log).expect("the audit log");
        file.seek(SeekFrom::Start(from)).expect("a position in the audit log");
        let mut text = Vec::new();
        file.read_to_end(&mut text).expect("the audit log");
        // Most lines are of others, and long.
        let is_named = |line: &&[u8]| std::str::from_utf8(line).is_ok_and(|line| line.contains(user));
        let lines = text.split(|byte| *byte == b'\n').filter(is_named);
        let lines = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        let requests = lines
            // A watch is logged when it begins and when it ends.
            .filter(|event| event["stage"] == "ResponseComplete" || event["stage"] == "Panic")
            .filter(|event| event["user"]["username"] == user)
            .map(|event| Request::parse(&event))
            .collect();
        Self { requests }
    }

    /// Returns the requests that change something, or would if the server let them: dry runs and reviews are left out.
    pub fn writes(&self) -> Vec<&Request> {
        self.requests.iter().filter(|request| request.is_write()).collect()
    }
}

impl Request {
    fn parse(event: &Value) -> Self {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut resource = text("/objectRef/resource");
        let subresource = text("/objectRef/subresource");
        if !subresource.is_empty() {
            resource = format!("{resource}/{subresource}");
        }
        Self {
            verb: text("/verb"),
            uri: text("/requestURI"),
            resource,
            code: event.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or_default(),
            body: event.get("requestObject").cloned(),
            user_agent: text("/userAgent"),
        }
    }

    /// Tells whether the request changes something if the server lets it.
    ///
    /// A deletion with a body is a dry run only if the body says so: the server then ignores the query
    /// (`k8s.io/apiserver` `pkg/endpoints/handlers/delete.go`). A deletion whose body is not known counts as real.
    pub fn is_write(&self) -> bool {
        let query = self.uri.split_once('?').map_or("", |(_, query)| query);
        let query_is_dry = query.split('&').any(|pair| pair == "dryRun=All");
        match self.verb.as_str() {
            "create" if REVIEWS.contains(&self.resource.as_str()) => false,
            "create" | "update" | "patch" => !query_is_dry,
            "delete" | "deletecollection" => match &self.body {
                Some(options) => options["dryRun"] != serde_json::json!(["All"]),
                None => true,
            },
            "get" | "list" | "watch" | "head" | "options" => false,
            // Unknown verbs, and those of paths that are no resource (`post`, `put`).
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn is_write(verb: &str, resource: &str, uri: &str, body: Option<Value>) -> bool {
        Request {
            verb: verb.into(),
            uri: uri.into(),
            resource: resource.into(),
            code: 200,
            body,
            user_agent: String::new(),
        }
        .is_write()
    }

    #[test]
    fn a_dry_run_and_a_review_are_no_writes() {
        assert!(!is_write("patch", "pods", "/api/v1/pods/a?fieldManager=x&dryRun=All", None));
        assert!(!is_write("create", "selfsubjectaccessreviews", "/apis/x", None));
        assert!(!is_write("watch", "pods", "/api/v1/pods?watch=true", None));
        assert!(is_write("create", "pods", "/api/v1/pods", None));
    }

    #[test]
    fn a_deletion_is_a_dry_run_only_by_its_body() {
        assert!(is_write("delete", "pods", "/api/v1/pods/a?dryRun=All", Some(json!({"kind": "DeleteOptions"}))));
        assert!(is_write("delete", "pods", "/api/v1/pods/a?dryRun=All", None));
        assert!(!is_write("delete", "pods", "/api/v1/pods/a", Some(json!({"dryRun": ["All"]}))));
    }
}
