//! One request to the API server and its answer: time limits, repetitions, errors that say what was being done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::{Method, Request, header};
use kube::client::Body;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{Broken, ClusterError, Endpoint, Refusal};

/// Field manager of every write of ours.
pub const FIELD_MANAGER: &str = "helm-csghub";

/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// No repetition begins later than this after the first attempt.
const RETRY_BUDGET: Duration = Duration::from_secs(10);
/// Attempts in all.
const MOST_ATTEMPTS: u32 = 6;
/// Wait before the first repetition; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// Whether a request that failed may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It reads, or a second run changes nothing more.
    Freely,
    /// Only if the server has certainly not acted on it.
    IfUnsent,
}

/// One request: what it is for, and how to send it.
pub(super) struct Call {
    pub(super) method: Method,
    /// Path and query.
    pub(super) uri: String,
    pub(super) body: Option<Value>,
    /// Completes "cannot ...", such as `read`.
    pub(super) doing: &'static str,
    /// Its object, such as `Secret shop/db`.
    pub(super) what: String,
    pub(super) repeat: Repeat,
}

impl Call {
    /// A request that changes nothing.
    pub(super) fn read(doing: &'static str, what: impl Into<String>, uri: String) -> Self {
        Self { method: Method::GET, uri, body: None, doing, what: what.into(), repeat: Repeat::Freely }
    }

    /// A question that the API asks by POST and that stores nothing, such as an access review.
    pub(super) fn review(what: impl Into<String>, uri: &str, body: Value) -> Self {
        Self {
            method: Method::POST,
            uri: uri.to_owned(),
            body: Some(body),
            doing: "ask about",
            what: what.into(),
            repeat: Repeat::Freely,
        }
    }

    /// A change that must not be sent twice unless the first certainly did not arrive.
    pub(super) fn write(doing: &'static str, what: String, method: Method, path: &str, body: Value) -> Self {
        let uri = format!("{path}?fieldManager={FIELD_MANAGER}");
        Self { method, uri, body: Some(body), doing, what, repeat: Repeat::IfUnsent }
    }

    /// A deletion bound to one uid: a second one does nothing.
    ///
    /// The options go in the body: the server takes them from there alone once there is a body
    /// (`k8s.io/apiserver` `pkg/endpoints/handlers/delete.go`).
    pub(super) fn delete(what: String, path: String, options: Value) -> Self {
        Self { method: Method::DELETE, uri: path, body: Some(options), doing: "delete", what, repeat: Repeat::Freely }
    }
}

/// The way to one API server.
pub(super) struct Transport {
    pub(super) client: kube::Client,
    pub(super) endpoint: Arc<Endpoint>,
    /// A server that never answered is more likely wrong than busy: connecting is then not repeated.
    pub(super) has_answered: AtomicBool,
}

impl Transport {
    /// Returns the body of the answer.
    ///
    /// # Errors
    /// [`ClusterError::Refused`] for every status from 400 on, [`ClusterError::Unanswered`] if no answer came; after
    /// repetitions, where `call` allows them, for at most 10 s.
    pub(super) async fn send(&self, call: &Call) -> Result<Vec<u8>, ClusterError> {
        let started = Instant::now();
        let mut attempt = 1;
        loop {
            let error = match self.attempt(call).await {
                Ok(body) => return Ok(body),
                Err(error) => error,
            };
            let has_answered = self.has_answered.load(Ordering::Relaxed);
            match wait_before_repeating(&error, call.repeat, has_answered, attempt, started.elapsed()) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(error),
            }
            attempt += 1;
        }
    }

    /// Returns the answer, read as JSON of type `T`.
    ///
    /// # Errors
    /// As [`Self::send`]; [`ClusterError::Unreadable`] if the answer is no such JSON.
    pub(super) async fn ask<T: DeserializeOwned>(&self, call: &Call) -> Result<T, ClusterError> {
        let body = self.send(call).await?;
        serde_json::from_slice(&body).map_err(|error| ClusterError::Unreadable {
            doing: call.doing,
            what: call.what.clone(),
            because: error.to_string(),
        })
    }

    async fn attempt(&self, call: &Call) -> Result<Vec<u8>, ClusterError> {
        let unanswered = |broken: Broken| ClusterError::Unanswered {
            doing: call.doing,
            what: call.what.clone(),
            endpoint: self.endpoint.clone(),
            broken,
        };
        let request = build_request(call)?;
        let answer = tokio::time::timeout(ATTEMPT_TIMEOUT, async {
            let (head, body) = self.client.send(request).await?.into_parts();
            Ok((head, body.collect_bytes().await?))
        });
        let (head, body) = answer
            .await
            .map_err(|_| unanswered(Broken::TimedOut(ATTEMPT_TIMEOUT)))?
            .map_err(|error| unanswered(Broken::classify(error)))?;
        self.has_answered.store(true, Ordering::Relaxed);
        if head.status.is_success() {
            return Ok(body.to_vec());
        }
        let retry_after = head.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        Err(ClusterError::Refused {
            doing: call.doing,
            what: call.what.clone(),
            answer: Box::new(Refusal::parse(head.status.as_u16(), retry_after, &body)),
        })
    }
}

fn build_request(call: &Call) -> Result<Request<Body>, ClusterError> {
    let body = call.body.as_ref().map(Value::to_string).unwrap_or_default().into_bytes();
    Request::builder()
        .method(call.method.clone())
        .uri(&call.uri)
        .header(header::ACCEPT, "application/json, */*")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, concat!("helm-csghub/", env!("CARGO_PKG_VERSION")))
        .body(Body::from(body))
        .map_err(|error| ClusterError::BadSetting {
            setting: "the address",
            value: call.uri.clone(),
            because: error.to_string(),
        })
}

/// Returns how long to wait before the same request is sent once more; nothing if it must not be.
///
/// `attempt` counts from 1, `elapsed` is since the first attempt began.
fn wait_before_repeating(
    error: &ClusterError,
    repeat: Repeat,
    has_answered: bool,
    attempt: u32,
    elapsed: Duration,
) -> Option<Duration> {
    let is_worth_it = match error {
        // A server that is overloaded says so before it acts.
        ClusterError::Refused { answer, .. } => match answer.code {
            429 => true,
            500 | 502 | 503 | 504 => repeat == Repeat::Freely,
            _ => false,
        },
        ClusterError::Unanswered { broken, .. } => {
            let is_allowed = repeat == Repeat::Freely || matches!(broken, Broken::NeverSent(_));
            has_answered && is_allowed && broken.is_passing()
        }
        _ => false,
    };
    if !is_worth_it || attempt >= MOST_ATTEMPTS {
        return None;
    }
    let asked = error.refusal().and_then(|answer| answer.retry_after).unwrap_or_default();
    let wait = asked.max(FIRST_WAIT * 2_u32.pow(attempt.saturating_sub(1).min(8)));
    (elapsed.saturating_add(wait) <= RETRY_BUDGET).then_some(wait)
}

/// Returns one segment of a path, or one value of a query, with everything escaped that could end it.
pub(super) fn escape(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut escaped, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => escaped.push(byte.into()),
            _ => drop(write!(escaped, "%{byte:02X}")),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16, retry_after: Option<u64>) -> ClusterError {
        ClusterError::Refused {
            doing: "read",
            what: "x".into(),
            answer: Box::new(Refusal::parse(code, retry_after, b"")),
        }
    }

    fn unanswered(broken: Broken) -> ClusterError {
        let endpoint = Arc::new(Endpoint { url: "https://one".into(), origin: "test".into() });
        ClusterError::Unanswered { doing: "read", what: "x".into(), endpoint, broken }
    }

    fn wait(error: &ClusterError, repeat: Repeat, attempt: u32, elapsed_ms: u64) -> Option<u128> {
        wait_before_repeating(error, repeat, true, attempt, Duration::from_millis(elapsed_ms))
            .map(|wait| wait.as_millis())
    }

    #[test]
    fn a_read_is_repeated_with_growing_waits_and_not_for_ever() {
        let busy = refused(503, None);
        assert_eq!(wait(&busy, Repeat::Freely, 1, 0), Some(200));
        assert_eq!(wait(&busy, Repeat::Freely, 3, 600), Some(800));
        assert_eq!(wait(&busy, Repeat::Freely, 5, 9_000), None);
        assert_eq!(wait(&busy, Repeat::Freely, MOST_ATTEMPTS, 0), None);
    }

    #[test]
    fn the_server_says_how_long_to_wait() {
        assert_eq!(wait(&refused(429, Some(2)), Repeat::Freely, 1, 0), Some(2_000));
        assert_eq!(wait(&refused(429, Some(60)), Repeat::Freely, 1, 0), None);
    }

    #[test]
    fn a_write_is_repeated_only_if_the_server_has_not_acted() {
        let cause = || Arc::new(kube::Error::TlsRequired);
        assert_eq!(wait(&refused(429, None), Repeat::IfUnsent, 1, 0), Some(200));
        assert_eq!(wait(&refused(504, None), Repeat::IfUnsent, 1, 0), None);
        assert_eq!(wait(&unanswered(Broken::Lost(cause())), Repeat::IfUnsent, 1, 0), None);
        assert_eq!(wait(&unanswered(Broken::Lost(cause())), Repeat::Freely, 1, 0), Some(200));
    }

    #[test]
    fn an_answer_that_will_not_change_is_final() {
        for code in [400, 401, 403, 404, 405, 409, 410, 422, 501] {
            assert_eq!(wait(&refused(code, Some(1)), Repeat::Freely, 1, 0), None, "{code}");
        }
        assert_eq!(wait(&unanswered(Broken::TimedOut(ATTEMPT_TIMEOUT)), Repeat::Freely, 1, 0), None);
    }

    #[test]
    fn a_server_that_never_answered_is_not_waited_for() {
        let lost = unanswered(Broken::Lost(Arc::new(kube::Error::TlsRequired)));
        assert_eq!(wait_before_repeating(&lost, Repeat::Freely, false, 1, Duration::ZERO), None);
    }

    #[test]
    fn a_name_cannot_leave_its_segment() {
        assert_eq!(escape("../x?y=1&z#%"), "..%2Fx%3Fy%3D1%26z%23%25");
        assert_eq!(escape("system:node"), "system:node");
    }
}
