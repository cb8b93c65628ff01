//! The last look at what leaves for the server: only what stores nothing.

use http::{Method, header};
use serde_json::Value;

use super::call::{Call, query};
use super::message::Request;

/// Tells whether a request is certain to store nothing: it reads, asks a review, or is a dry run in effect.
///
/// It knows nothing of how the request came about, so that a mistake there does not get out. `edge::proxy` sends nothing for
/// which this is false. A DELETE must say so in its body too: once there is one, the server reads `dryRun` from there alone
/// (T1 of the facts; source: `k8s.io/apiserver/pkg/endpoints/handlers/delete.go`).
///
/// Whether the server that gets it honours a dry run one request does not tell: `aggregation` asks that before.
#[must_use]
pub fn stores_nothing(request: &Request) -> bool {
    let Ok(call) = Call::read(request) else { return false };
    if call.verb.reads() {
        return matches!(*request.method(), Method::GET | Method::HEAD);
    }
    if call.is_review() {
        return *request.method() == Method::POST;
    }
    let mut runs = query(request).filter(|(key, _)| key == "dryRun").map(|(_, value)| value);
    let says_so = runs.next().as_deref() == Some("All") && runs.next().is_none();
    says_so && (*request.method() != Method::DELETE || body_says_so(request))
}

fn body_says_so(request: &Request) -> bool {
    let is_json = request.headers().get(header::CONTENT_TYPE).is_some_and(|value| value == "application/json");
    let options: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    is_json && options.get("dryRun") == Some(&serde_json::json!(["All"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, uri: &str, content_type: &str, body: &str) -> Request {
        let request = http::Request::builder().method(method).uri(uri).header("content-type", content_type);
        request.body(body.as_bytes().to_vec()).expect("a request")
    }

    #[test]
    fn only_what_stores_nothing_leaves() {
        let json = "application/json";
        let dry = r#"{"dryRun":["All"]}"#;
        let pods = "/api/v1/namespaces/x/pods";
        for (expected, method, uri, content_type, body) in [
            (true, "GET", "/version", json, ""),
            (true, "GET", "/api/v1/namespaces/x/pods/a/log", json, ""),
            (true, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", json, "{}"),
            (true, "POST", "/api/v1/namespaces/x/pods?dryRun=All", json, "{}"),
            (true, "DELETE", "/api/v1/namespaces/x/pods/a?dryRun=All", json, dry),
            // The trap: a body that does not say it, or that is not read as JSON.
            (false, "DELETE", "/api/v1/namespaces/x/pods/a?dryRun=All", json, "{}"),
            (false, "DELETE", "/api/v1/namespaces/x/pods/a?dryRun=All", json, ""),
            (false, "DELETE", "/api/v1/namespaces/x/pods/a?dryRun=All", "application/vnd.kubernetes.protobuf", dry),
            (false, "DELETE", "/api/v1/namespaces/x/pods?dryRun=All", json, dry),
            (false, "POST", pods, json, "{}"),
            (false, "POST", "/api/v1/namespaces/x/pods?dryRun=", json, "{}"),
            (false, "POST", "/api/v1/namespaces/x/pods?dryRun=All&dryRun=None", json, "{}"),
            (false, "POST", "/api/v1/namespaces/x/pods/a/eviction?dryRun=All", json, "{}"),
            (false, "POST", "/api/v1/namespaces/x/serviceaccounts/a/token?dryRun=All", json, "{}"),
            (false, "POST", "/apis/authentication.k8s.io/v1/tokenreviews?dryRun=All", json, "{}"),
            (false, "GET", "/api/v1/namespaces/x/pods/a/exec?command=sh", json, ""),
            (false, "GET", "/api/v1/namespaces/x/pods/a/portforward", json, ""),
            (false, "GET", "/api/v1/namespaces/x/services/a/proxy/delete-everything", json, ""),
            (false, "GET", "/api/v1/nodes/a/proxy/run", json, ""),
            (false, "GET", "/api/v1/namespaces/x/pods/%61/exec", json, ""),
            (false, "GET", "/api/v1/namespaces/x//pods/a/exec", json, ""),
            (false, "PATCH", "/api/v1/namespaces/x/pods/a/ephemeralcontainers?dryRun=All", json, "{}"),
            (false, "CONNECT", "/api/v1/namespaces/x/pods/a", json, ""),
        ] {
            assert_eq!(stores_nothing(&request(method, uri, content_type, body)), expected, "{method} {uri} {body}");
        }
    }
}
