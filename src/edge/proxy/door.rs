//! One request of the rehearsed command, from its first byte to its answer.

use std::io::Read as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use futures::{Stream, StreamExt as _};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use tokio::sync::watch;

use super::answer::{self, Body, Broken};
use super::counters::{self, Counters, Tally};
use super::gate::{Gate, Stopped};
use super::token::Token;
use super::watching::{Source, Watching};
use crate::edge::cluster::{Upstream, UpstreamBody};
use crate::rehearsal::{Next, Rehearsal, Request, Watch};

/// The most that the body of one request may hold, packed or not. The API server takes 3 MiB.
const MOST_BYTES: usize = 128 * 1024 * 1024;

/// How long the server may take to begin its answer; to end it where the core reads it. Watches have no limit. Kubernetes gives
/// a request 60 s (`--request-timeout`).
const PATIENCE: Duration = Duration::from_mins(2);

/// Where requests go in.
pub(super) struct Door {
    gate: Gate,
    /// Locked and held for the core's time alone, never while anything is waited for. The proxy has it; gone, the rehearsal is over.
    rehearsal: Weak<Mutex<Rehearsal>>,
    token: Token,
    pub(super) tally: Tally,
    /// Goes up whenever the core has taken a request or an answer: the overlay may have changed.
    changes: watch::Sender<u64>,
    pub(super) stopped: watch::Receiver<bool>,
}

/// Why there is no answer.
enum Failed {
    Stopped(Stopped),
    TimedOut(String),
}

/// What one request has cost until now.
pub(super) struct Clock {
    began: Instant,
    elsewhere: Duration,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { began: Instant::now(), elsewhere: Duration::ZERO }
    }
}

impl Door {
    pub(super) fn new(
        upstream: Upstream,
        rehearsal: &Arc<Mutex<Rehearsal>>,
        token: Token,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        let (rehearsal, changes) = (Arc::downgrade(rehearsal), watch::Sender::new(0));
        Self { gate: Gate::new(upstream), rehearsal, token, tally: Tally::default(), changes, stopped }
    }

    pub(super) fn counters(&self) -> Counters {
        self.tally.read()
    }

    /// Returns a cursor in the changes.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Lets the core do something; nothing if the rehearsal is over.
    pub(super) fn in_core<T>(&self, work: impl FnOnce(&mut Rehearsal) -> T) -> Option<T> {
        let rehearsal = self.rehearsal.upgrade()?;
        let mut rehearsal = rehearsal.lock().unwrap_or_else(PoisonError::into_inner);
        let began = Instant::now();
        let done = work(&mut rehearsal);
        self.tally.in_core(began.elapsed());
        Some(done)
    }

    /// Returns the answer to a request.
    pub(super) async fn answer(self: Arc<Self>, request: http::Request<Incoming>) -> Response<Body> {
        if !self.token.is_in(request.headers()) {
            counters::count(&self.tally.unauthorized);
            return answer::status(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized");
        }
        counters::count(&self.tally.requests);
        // Without the header the answer would be another's than the one that was asked for.
        if request.headers().keys().any(|name| name.as_str().starts_with("impersonate-")) {
            let message = "a rehearsal is played as one user: impersonation cannot be asked for within it";
            return answer::status(StatusCode::FORBIDDEN, "Forbidden", message);
        }
        let packs = takes_gzip(request.headers());
        let request = match read_request(request).await {
            Ok(request) => request,
            Err(refusal) => return refusal,
        };
        counters::add(&self.tally.bytes_in, request.body().len() as u64);
        let mut clock = Clock::start();
        let response = self.clone().carry(request, packs, &mut clock).await;
        self.tally.in_proxy(clock.began.elapsed().saturating_sub(clock.elsewhere));
        response
    }

    async fn carry(self: Arc<Self>, request: Request, packs: bool, clock: &mut Clock) -> Response<Body> {
        let limit = timeout_seconds(request.uri().query().unwrap_or_default());
        let next = self.step(clock, |rehearsal| rehearsal.receive(request));
        self.follow(next, packs, limit, clock).await
    }

    /// Does what the core says, until there is an answer.
    pub(super) async fn follow(
        self: Arc<Self>,
        mut next: Option<Next>,
        packs: bool,
        limit: Option<Duration>,
        clock: &mut Clock,
    ) -> Response<Body> {
        loop {
            let sent = match next {
                None => return over(),
                Some(Next::Answer(response)) => {
                    counters::add(&self.tally.bytes_out, response.body().len() as u64);
                    return response.map(answer::whole);
                }
                Some(Next::Ask(request, then)) => {
                    counters::count(&self.tally.asks);
                    match self.ask(request, clock).await {
                        Ok(response) => {
                            next = self.step(clock, |rehearsal| rehearsal.resume(then, response));
                            continue;
                        }
                        Err(failed) => Err(failed),
                    }
                }
                Some(Next::Forward(mut request)) => {
                    counters::count(&self.tally.forwards);
                    if packs {
                        // What nobody reads on the way may come packed: the way to the server is the long one.
                        request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
                    }
                    self.send(request, Some(PATIENCE), clock).await.map(|response| self.hand_on(response))
                }
                Some(Next::Watch(request, watch)) => {
                    counters::count(&self.tally.watches);
                    self.watch(request, watch, limit, clock).await
                }
            };
            return sent.unwrap_or_else(|failed| self.failed(failed));
        }
    }

    /// Opens a watch; without a request there is none at the server, and `limit`, if any, ends it.
    async fn watch(
        self: &Arc<Self>,
        request: Option<Request>,
        watch: Watch,
        limit: Option<Duration>,
        clock: &mut Clock,
    ) -> Result<Response<Body>, Failed> {
        let (mut head, source) = if let Some(request) = request {
            let response = self.send(request, None, clock).await?;
            if !response.status().is_success() {
                return Ok(self.hand_on(response));
            }
            if is_packed(response.headers()) {
                let message = "the server packs a watch that was to come plain";
                return Ok(answer::status(StatusCode::BAD_GATEWAY, "", message));
            }
            let (head, body) = response.into_parts();
            (head, Source::Server(body))
        } else {
            let mut head = Response::new(()).into_parts().0;
            head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            (head, Source::Nobody { until: limit.and_then(|limit| Instant::now().checked_add(limit)) })
        };
        head.headers.remove(header::CONTENT_LENGTH);
        let events = Watching::new(self.clone(), watch, source).into_stream();
        Ok(Response::from_parts(head, answer::in_pieces(events)))
    }

    /// One step of the core, after which watches look for news.
    fn step(&self, clock: &mut Clock, work: impl FnOnce(&mut Rehearsal) -> Next) -> Option<Next> {
        let began = Instant::now();
        let next = self.in_core(work);
        clock.elsewhere += began.elapsed();
        self.changes.send_modify(|number| *number = number.wrapping_add(1));
        next
    }

    async fn send(
        &self,
        request: Request,
        patience: Option<Duration>,
        clock: &mut Clock,
    ) -> Result<Response<UpstreamBody>, Failed> {
        let what = format!("{} {}", request.method(), request.uri().path());
        self.waiting(clock, &what, patience, async { self.gate.send(request).await.map_err(Failed::Stopped) }).await
    }

    /// Returns the server's whole answer, unpacked.
    async fn ask(&self, request: Request, clock: &mut Clock) -> Result<crate::rehearsal::Response, Failed> {
        let what = format!("{} {}", request.method(), request.uri().path());
        let whole = async {
            let (mut head, mut body) = self.gate.send(request).await.map_err(Failed::Stopped)?.into_parts();
            let mut bytes = Vec::new();
            while let Some(piece) = body.next().await {
                bytes.extend_from_slice(&piece.map_err(|error| Failed::Stopped(Stopped::Unanswered(error)))?);
            }
            if is_packed(&head.headers) {
                // Nobody asked for it, but something in between may pack on its own.
                if let Some(plain) = unpack(&bytes) {
                    bytes = plain;
                    head.headers.remove(header::CONTENT_ENCODING);
                }
            }
            head.headers.remove(header::CONTENT_LENGTH);
            Ok(Response::from_parts(head, bytes))
        };
        self.waiting(clock, &what, Some(PATIENCE), whole).await
    }

    /// Waits for the server, and counts the time.
    async fn waiting<T>(
        &self,
        clock: &mut Clock,
        what: &str,
        patience: Option<Duration>,
        work: impl Future<Output = Result<T, Failed>>,
    ) -> Result<T, Failed> {
        let began = Instant::now();
        let done = match patience {
            Some(patience) => tokio::time::timeout(patience, work).await.unwrap_or_else(|_| {
                Err(Failed::TimedOut(format!("{what}: nothing came within {} s", patience.as_secs())))
            }),
            None => work.await,
        };
        clock.elsewhere += began.elapsed();
        self.tally.upstream(began.elapsed());
        done
    }

    /// Returns the answer of the server, unread.
    fn hand_on(self: &Arc<Self>, response: Response<UpstreamBody>) -> Response<Body> {
        response.map(|body| answer::in_pieces(HandedOn { body, door: self.clone(), waiting_since: None }))
    }

    fn failed(&self, failed: Failed) -> Response<Body> {
        match failed {
            Failed::Stopped(Stopped::Withheld(request)) => {
                let denied = self.in_core(|rehearsal| rehearsal.withhold(&request));
                denied.map_or_else(over, |response| response.map(answer::whole))
            }
            Failed::Stopped(Stopped::Unanswered(error)) => {
                let (response, told) = answer::unanswered(&error);
                self.tally.unanswered(&told);
                response
            }
            Failed::TimedOut(told) => {
                self.tally.unanswered(&told);
                let message = format!("the rehearsal got no answer from the real server: {told}");
                answer::status(StatusCode::GATEWAY_TIMEOUT, "Timeout", &message)
            }
        }
    }
}

/// Waits until the proxy is to stop.
pub(super) async fn stop(stopped: &mut watch::Receiver<bool>) {
    // Without its sender the proxy is gone.
    let _ = stopped.wait_for(|stopped| *stopped).await.map(drop);
}

fn over() -> Response<Body> {
    answer::status(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "the rehearsal is over")
}

/// Returns the time that a watch was asked to end after.
///
/// Source: `k8s.io/apimachinery/pkg/apis/meta/v1` `ListOptions`: nothing and 0 are none.
fn timeout_seconds(query: &str) -> Option<Duration> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let seconds = pairs.find(|(key, _)| key == "timeoutSeconds")?.1.parse().ok()?;
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("gzip") && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

fn is_packed(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"gzip"))
}

fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    MultiGzDecoder::new(packed).read_to_end(&mut plain).ok().map(|_| plain)
}

/// Returns the request as the core takes it: whole, plain, without what belongs to the connection. `Upgrade` stays, for the core
/// to refuse it.
async fn read_request(request: http::Request<Incoming>) -> Result<Request, Response<Body>> {
    let too_large = || {
        let message = format!("the request's body is larger than {} MiB", MOST_BYTES / 1024 / 1024);
        answer::status(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message)
    };
    let bad = |message: &str| answer::status(StatusCode::BAD_REQUEST, "BadRequest", message);
    let (mut head, body) = request.into_parts();
    let Some(path) =
        head.uri.path_and_query().filter(|path| path.as_str().starts_with('/') && head.method != Method::CONNECT)
    else {
        let message = format!("the rehearsal does not let `{}` through: it names no path", head.method);
        return Err(answer::status(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", &message));
    };
    head.uri = path.clone().into();
    if body.size_hint().lower() > MOST_BYTES as u64 {
        return Err(too_large());
    }
    let read = Limited::new(body, MOST_BYTES).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { too_large() } else { bad("the request's body broke off") }
    })?;
    let mut bytes = Vec::from(read.to_bytes());
    match head.headers.remove(header::CONTENT_ENCODING) {
        Some(coding) if coding.as_bytes().eq_ignore_ascii_case(b"gzip") => {
            let mut plain = Vec::new();
            let limit = MOST_BYTES as u64 + 1;
            MultiGzDecoder::new(bytes.as_slice())
                .take(limit)
                .read_to_end(&mut plain)
                .map_err(|_| bad("the request's body is no gzip"))?;
            if plain.len() > MOST_BYTES {
                return Err(too_large());
            }
            bytes = plain;
        }
        Some(coding) if !coding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            let message = "the request's body is packed in a way that is not known; gzip is";
            return Err(answer::status(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message));
        }
        _ => {}
    }
    for name in [
        header::AUTHORIZATION,
        header::HOST,
        header::CONTENT_LENGTH,
        header::ACCEPT_ENCODING,
        header::CONNECTION,
        header::EXPECT,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
    ] {
        head.headers.remove(name);
    }
    let mut request = Request::new(bytes);
    *request.method_mut() = head.method;
    *request.uri_mut() = head.uri;
    *request.headers_mut() = head.headers;
    Ok(request)
}

/// An answer on its way through. The server is read when the client takes more, not before.
struct HandedOn {
    body: UpstreamBody,
    door: Arc<Door>,
    waiting_since: Option<Instant>,
}

impl Stream for HandedOn {
    type Item = Result<Bytes, Broken>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.body.poll_next_unpin(context);
        match &polled {
            Poll::Pending => {
                self.waiting_since.get_or_insert_with(Instant::now);
            }
            Poll::Ready(piece) => {
                if let Some(since) = self.waiting_since.take() {
                    self.door.tally.upstream(since.elapsed());
                }
                match piece {
                    Some(Ok(piece)) => counters::add(&self.door.tally.bytes_out, piece.len() as u64),
                    Some(Err(error)) => self.door.tally.unanswered(&answer::unanswered(error).1),
                    None => {}
                }
            }
        }
        polled.map(|piece| piece.map(|piece| piece.map_err(Into::into)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_may_have_an_end() {
        let seconds = |query| timeout_seconds(query).map(|limit| limit.as_secs());
        assert_eq!(seconds("watch=true&timeoutSeconds=30&x=y"), Some(30));
        for query in ["", "timeoutSeconds=0", "timeoutSeconds=", "timeoutSeconds=-1", "timeout=5"] {
            assert_eq!(seconds(query), None, "{query}");
        }
    }

    #[test]
    fn gzip_is_asked_for_only_where_the_client_takes_it() {
        for (value, expected) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("br", false),
            ("identity", false),
            ("gzip;q=0", false),
            ("x-gzip", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
            assert_eq!(takes_gzip(&headers), expected, "{value}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
