//! What goes in and out of the core.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use serde_json::{Value, json};

use super::call::Target;
use super::overlay::Key;
use super::read::ReadThen;
use super::selector::Selector;
use super::write::WriteThen;

/// A request, of the rehearsed command or for the server. Its URI is path and query alone; authorization, `Host`,
/// `Content-Length`, `Accept-Encoding`, `Connection` and other headers of one connection are not in it.
pub type Request = http::Request<Vec<u8>>;

/// An answer, of the server or for the rehearsed command. Without the headers of one connection.
pub type Response = http::Response<Vec<u8>>;

/// What is to be done with a request.
#[derive(Debug)]
pub enum Next {
    /// Give this to the rehearsed command.
    Answer(Response),
    /// Send this to the server, read the whole answer, and call [`super::Rehearsal::resume`].
    Ask(Request, Continuation),
    /// Send this to the server and hand its answer on as it comes, unread: large lists, schemas, logs.
    Forward(Request),
    /// Send this to the server; if its status is below 300, its lines are events and go through
    /// [`super::Rehearsal::upstream_event`], and those of the overlay come in between; else hand the answer on. Without a
    /// request the server does not know the kind, and the overlay's events are all there are.
    Watch(Option<Request>, Watch),
}

/// What the core will do with an answer.
#[derive(Debug)]
pub struct Continuation(pub(super) Then);

#[derive(Debug)]
pub(super) enum Then {
    Read(ReadThen),
    Write(Box<WriteThen>),
}

impl Continuation {
    pub(super) fn read(then: ReadThen) -> Self {
        Self(Then::Read(then))
    }

    pub(super) fn write(then: WriteThen) -> Self {
        Self(Then::Write(Box::new(then)))
    }
}

/// A watch that is open: a cursor in the overlay.
#[derive(Debug)]
pub struct Watch {
    pub(super) target: Target,
    pub(super) selector: Selector,
    pub(super) cursor: usize,
    pub(super) has_begun: bool,
    /// Whether the client waits for the end of the first events, and no server says it.
    pub(super) owes_bookmark: bool,
    /// Whether the client was last shown an object of the overlay, or is not to see it.
    pub(super) shown: BTreeMap<Key, bool>,
}

/// Returns an answer with this JSON.
pub(super) fn json_response(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(body.to_string().into_bytes());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Returns what a server answers where there is nothing else to say.
pub(super) fn success() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
}

/// Returns the content type with its parameters; empty if there is none.
pub(super) fn content_type(headers: &HeaderMap) -> String {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// A path that no server has, and that nothing is sent to.
pub(super) const NO_PATH: &str = "/unreadable";

/// Returns path and query. A path that cannot stand in a URI becomes [`NO_PATH`].
pub(super) fn uri(path: &str, query: &[(String, String)]) -> Uri {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let text = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    text.parse().unwrap_or_else(|_| Uri::from_static(NO_PATH))
}
