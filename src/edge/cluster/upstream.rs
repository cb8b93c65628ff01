//! The way to the API server for the rehearsal's proxy: requests of another program, sent as this user, answers unread.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::Stream;
use http::{HeaderMap, HeaderName, Method, Request, Response, header};
use hyper::body::{Body as _, Bytes};
use kube::client::Body;

use super::Cluster;
use super::error::{Broken, ClusterError, Endpoint};

/// Headers that belong to one connection.
///
/// Source: RFC 9110 section 7.6.1, and what Go's `net/http/httputil` `ReverseProxy` takes away.
const OF_ONE_CONNECTION: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The same, without a constant in `http`.
const OF_ONE_CONNECTION_BY_NAME: [&str; 2] = ["keep-alive", "proxy-connection"];

/// Headers by which a request says whose it is. kube adds those of the user.
///
/// Source: Kubernetes documentation, "Authenticating": impersonation (`Impersonate-*`), authenticating proxy (`X-Remote-*`).
const OF_IDENTITY: [&str; 2] = ["impersonate-", "x-remote-"];

/// The API server, as the user of a [`Cluster`]. Cheap to clone.
#[derive(Clone)]
pub struct Upstream {
    client: kube::Client,
    endpoint: Arc<Endpoint>,
}

impl Cluster {
    /// Returns the way to the server for requests of another program.
    #[must_use]
    pub fn upstream(&self) -> Upstream {
        let transport = &self.inner.transport;
        Upstream { client: transport.client.clone(), endpoint: transport.endpoint.clone() }
    }
}

impl Upstream {
    /// Returns the server's URL and where it comes from.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends a request as this user and returns the answer, whatever its status, once its headers are there.
    ///
    /// Path, query and body are sent as they are. Headers of one connection, and those that say whose the request is, are left
    /// out, and so they are in the answer. There is no time limit, and an answer that asks for a repetition (429, 503) is
    /// handed on. Only a read whose connection broke before any answer is sent once more: a kept connection that the server
    /// just closed is not the client's affair (Go's `net/http` does the same). Dropping the future or the answer gives the
    /// request up.
    ///
    /// # Errors
    /// [`ClusterError::Unanswered`] if no answer came, [`ClusterError::BadSetting`] if the path is none.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<UpstreamBody>, ClusterError> {
        let (mut head, body) = request.into_parts();
        if !head.uri.path().starts_with('/') {
            let value = head.uri.to_string();
            return Err(ClusterError::BadSetting { setting: "the path", value, because: "it has no `/`".to_owned() });
        }
        drop_headers_of_one_connection(&mut head.headers);
        for name in [header::AUTHORIZATION, header::COOKIE, header::HOST, header::CONTENT_LENGTH] {
            head.headers.remove(name);
        }
        let of_identity: Vec<HeaderName> = head
            .headers
            .keys()
            .filter(|name| OF_IDENTITY.iter().any(|start| name.as_str().starts_with(start)))
            .cloned()
            .collect();
        for name in of_identity {
            head.headers.remove(name);
        }
        // The client may have spoken HTTP/2; this connection is another one.
        head.version = http::Version::HTTP_11;
        head.extensions.clear();
        let what = format!("{} {}", head.method, head.uri.path());
        let body = Bytes::from(body);
        let mut again = matches!(head.method, Method::GET | Method::HEAD).then(|| (head.clone(), body.clone()));
        let mut request = Request::from_parts(head, Body::from(body));
        let (mut head, body) = loop {
            match self.client.send(request).await.map_err(Broken::classify) {
                Ok(answer) => break answer.into_parts(),
                Err(broken) => match again.take().filter(|_| matches!(broken, Broken::Lost(_))) {
                    Some((head, body)) => request = Request::from_parts(head, Body::from(body)),
                    None => return Err(self.unanswered(&what, broken)),
                },
            }
        };
        drop_headers_of_one_connection(&mut head.headers);
        Ok(Response::from_parts(head, UpstreamBody { body, what, upstream: self.clone() }))
    }

    fn unanswered(&self, what: &str, broken: Broken) -> ClusterError {
        let endpoint = self.endpoint.clone();
        ClusterError::Unanswered { doing: "pass on", what: what.to_owned(), endpoint, broken }
    }
}

/// Removes headers that belong to one connection, also those that `Connection` names.
pub(super) fn drop_headers_of_one_connection(headers: &mut HeaderMap) {
    let named: Vec<String> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    for name in OF_ONE_CONNECTION {
        headers.remove(name);
    }
    for name in named.iter().map(String::as_str).chain(OF_ONE_CONNECTION_BY_NAME) {
        headers.remove(name);
    }
}

/// The body of an answer, as it comes. Dropped before its end, the request is given up.
pub struct UpstreamBody {
    body: Body,
    what: String,
    upstream: Upstream,
}

impl Stream for UpstreamBody {
    type Item = Result<Bytes, ClusterError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)) else { return Poll::Ready(None) };
            match frame {
                // Trailers: Kubernetes sends none.
                Ok(frame) => match frame.into_data() {
                    Ok(data) if data.is_empty() => {}
                    Ok(data) => return Poll::Ready(Some(Ok(data))),
                    Err(_) => {}
                },
                Err(error) => {
                    let error = self.upstream.unanswered(&self.what, Broken::classify(error));
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn headers_of_one_connection_are_dropped_those_that_connection_names_too() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "Keep-Alive, X-Mine"),
            ("connection", "close"),
            ("keep-alive", "timeout=5"),
            ("x-mine", "1"),
            ("upgrade", "websocket"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("accept", "application/json"),
            ("warning", "299 - \"old\""),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        drop_headers_of_one_connection(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "warning"]);
    }
}
