//! What goes in and out of the core.

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
pub enum Continuation {}

/// A watch that is open: a cursor in the overlay.
#[derive(Debug)]
pub struct Watch {}

/// Returns an answer with this JSON.
pub(super) fn json_response(status: http::StatusCode, body: &serde_json::Value) -> Response {
    let mut response = Response::new(body.to_string().into_bytes());
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}
