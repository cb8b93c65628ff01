//! Answers that the proxy gives by itself, in the form in which Kubernetes says no.

use std::error::Error;

use futures::StreamExt as _;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use serde_json::json;

use crate::edge::cluster::{ClusterError, ErrorClass};

/// Why a body broke off.
pub(super) type Broken = Box<dyn Error + Send + Sync>;

/// The body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, Broken>;

/// Returns a body that is all there.
pub(super) fn whole(bytes: Vec<u8>) -> Body {
    Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed_unsync()
}

/// Returns a body that comes piece by piece, as fast as the client takes it.
pub(super) fn in_pieces<E: Into<Broken>>(
    pieces: impl futures::Stream<Item = Result<Bytes, E>> + Send + 'static,
) -> Body {
    StreamBody::new(pieces.map(|piece| piece.map(Frame::data).map_err(Into::into))).boxed_unsync()
}

/// Returns an answer that is a Status. `reason` is one of Kubernetes' words, or empty.
///
/// Source: `k8s.io/apimachinery/pkg/apis/meta/v1` `Status`, `StatusReason`.
pub(super) fn status(code: StatusCode, reason: &str, message: &str) -> Response<Body> {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason,
        "code": code.as_u16(),
    });
    let mut response = Response::new(whole(status.to_string().into_bytes()));
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Returns what a request without an answer of the server is answered, and the same in one line.
///
/// 503 where it was certainly not sent, 502 where it may have been.
pub(super) fn unanswered(error: &ClusterError) -> (Response<Body>, String) {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(link) = cause {
        let text = link.to_string();
        // Some layers repeat what they wrap.
        if !told.ends_with(&text) {
            told.push_str(": ");
            told.push_str(&text);
        }
        cause = link.source();
    }
    let message = format!("the rehearsal got no answer from the real server: {told}");
    let response = if error.class() == ErrorClass::Unauthorized || !error.is_outcome_unknown() {
        status(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", &message)
    } else {
        status(StatusCode::BAD_GATEWAY, "", &message)
    };
    (response, told)
}
