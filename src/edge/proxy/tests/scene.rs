//! A server in the real one's place that knows bytes and nothing of Kubernetes, and a client that speaks both HTTP versions.

use std::convert::Infallible;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::write::GzEncoder;
use futures::StreamExt as _;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::domain::rehearsed::Mode;
use crate::edge::cluster::{Cluster, ClusterOptions};
use crate::edge::proxy::Proxy;
use crate::edge::proxy::answer::{Body, in_pieces, whole};
use crate::rehearsal::{Rehearsal, Settings};

fn rehearsal() -> Rehearsal {
    Rehearsal::new(Settings {
        mode: Mode::All,
        now: "2026-01-01T00:00:00Z".into(),
        release: None,
        pretended: Vec::new(),
    })
}

/// One request as the server saw it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) line: String,
    pub(super) headers: http::HeaderMap,
    pub(super) body: Vec<u8>,
}

/// What the server and the test share.
#[derive(Default)]
pub(super) struct Shared {
    seen: Mutex<Vec<Seen>>,
    /// Pieces that were taken of the endless answer.
    pub(super) taken: AtomicUsize,
    /// Answers that are under way.
    pub(super) open: AtomicUsize,
    watchers: Mutex<Vec<mpsc::UnboundedSender<Option<&'static str>>>>,
    breaks: AtomicUsize,
}

impl Shared {
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("a lock").iter().filter(|seen| seen.line != "GET /version").cloned().collect()
    }

    /// Sends a piece to every watch; nothing breaks them.
    pub(super) fn send(&self, piece: Option<&'static str>) {
        // Watches of earlier tries are closed.
        self.watchers.lock().expect("a lock").retain(|watcher| watcher.send(piece).is_ok());
    }

    pub(super) fn break_next(&self, requests: usize) {
        self.breaks.store(requests, Ordering::SeqCst);
    }

    pub(super) async fn wait_for_open(&self, number: usize) {
        for _ in 0..500 {
            if self.open.load(Ordering::SeqCst) == number {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} answers are open, not {number}", self.open.load(Ordering::SeqCst));
    }
}

/// Counts an answer as open until it is dropped.
struct Open(Arc<Shared>);

impl Open {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.open.fetch_add(1, Ordering::SeqCst);
        Self(shared.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

pub(super) const PIECE: usize = 64 * 1024;

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, &'static str> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a body").to_bytes().to_vec();
    let line = format!("{} {}", head.method, head.uri);
    shared.seen.lock().expect("a lock").push(Seen { line, headers: head.headers.clone(), body });
    let breaks = |number: usize| number.checked_sub(1);
    if shared.breaks.fetch_update(Ordering::SeqCst, Ordering::SeqCst, breaks).is_ok() {
        return Err("the connection breaks");
    }
    let text = |text: &str| Response::new(whole(text.as_bytes().to_vec()));
    Ok(match head.uri.path() {
        "/version" => text("{\"gitVersion\":\"v1.36.3\"}"),
        "/api/v1/busy" => {
            let mut response = text("{\"kind\":\"Status\",\"code\":429}");
            *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            response.headers_mut().insert(header::RETRY_AFTER, "7".parse().expect("a value"));
            response
        }
        "/api/v1/packed" => {
            let takes = head.headers.get(header::ACCEPT_ENCODING).is_some_and(|coding| coding == "gzip");
            if !takes {
                return Ok(text("plain"));
            }
            let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(b"plain").expect("packed");
            let mut response = Response::new(whole(packed.finish().expect("packed")));
            response.headers_mut().insert(header::CONTENT_ENCODING, "gzip".parse().expect("a value"));
            response
        }
        "/api/v1/hang" => {
            let _open = Open::new(&shared);
            std::future::pending().await
        }
        "/api/v1/watched" | "/api/v1/pieces" => {
            let (sender, receiver) = mpsc::unbounded_channel();
            shared.watchers.lock().expect("a lock").push(sender);
            let open = Open::new(&shared);
            let pieces = futures::stream::unfold((receiver, open), async |(mut receiver, open)| {
                let piece = receiver.recv().await?;
                let piece = piece.map(|text| Bytes::from_static(text.as_bytes())).ok_or("the connection breaks");
                Some((piece, (receiver, open)))
            });
            Response::new(in_pieces(pieces))
        }
        "/api/v1/endless" => {
            let open = Open::new(&shared);
            let pieces = futures::stream::repeat_with(move || {
                open.0.taken.fetch_add(1, Ordering::SeqCst);
                Ok::<_, Infallible>(Bytes::from(vec![b'x'; PIECE]))
            });
            Response::new(in_pieces(pieces))
        }
        _ => {
            let mut response = text("here it is");
            response.headers_mut().insert("audit-id", "1".parse().expect("a value"));
            response.headers_mut().insert(header::WARNING, "299 - \"old\"".parse().expect("a value"));
            response
        }
    })
}

/// A proxy before a server, and where it keeps its kubeconfig.
pub(super) struct Scene {
    pub(super) shared: Arc<Shared>,
    pub(super) proxy: Proxy,
    pub(super) folder: tempfile::TempDir,
    server: tokio::task::JoinHandle<()>,
}

impl Scene {
    pub(super) async fn new() -> Self {
        let shared = Arc::new(Shared::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let served = shared.clone();
        let server = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let shared = served.clone();
                connections.spawn(async move {
                    let service = service_fn(|request| answer(shared.clone(), request));
                    let builder = auto::Builder::new(TokioExecutor::new());
                    // What the test breaks is meant to be broken.
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        let options =
            ClusterOptions { api_server: Some(url), kubeconfig: Some("/dev/null".into()), ..ClusterOptions::default() };
        let cluster = Cluster::connect(&options).await.expect("the server answers");
        let folder = tempfile::tempdir().expect("a folder");
        let proxy = Proxy::start(&cluster, rehearsal(), folder.path(), "shop").expect("a proxy");
        Self { shared, proxy, folder, server }
    }

    pub(super) fn end_server(&self) {
        self.server.abort();
    }

    pub(super) fn kubeconfig(&self) -> Value {
        let text = std::fs::read_to_string(self.proxy.kubeconfig()).expect("a kubeconfig");
        serde_json::from_str(&text).expect("JSON")
    }

    pub(super) fn token(&self) -> String {
        self.kubeconfig()["users"][0]["user"]["token"].as_str().expect("a token").to_owned()
    }

    pub(super) fn authority(&self) -> Vec<u8> {
        use base64::Engine as _;
        let kubeconfig = self.kubeconfig();
        let data = kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"].as_str().expect("an authority");
        base64::prelude::BASE64_STANDARD.decode(data).expect("base64")
    }

    pub(super) async fn client(&self, version: http::Version) -> Client {
        Client::connect(&self.proxy, &self.authority(), version).await.expect("connected")
    }

    /// Returns a request with the run's token.
    pub(super) fn request(&self, method: &str, uri: &str) -> http::request::Builder {
        Request::builder().method(method).uri(uri).header(header::AUTHORIZATION, format!("Bearer {}", self.token()))
    }

    /// Sends a request on a connection of its own.
    pub(super) async fn ask(&self, request: Request<Vec<u8>>) -> (http::response::Parts, Vec<u8>) {
        let response = self.client(http::Version::HTTP_11).await.send(request).await;
        let (head, body) = response.into_parts();
        (head, body.collect().await.expect("a body").to_bytes().to_vec())
    }
}

/// Returns a connection to the proxy by one who trusts this authority.
pub(super) async fn tls(
    proxy: &Proxy,
    authority_pem: &[u8],
    protocol: &[u8],
) -> Result<TlsStream<TcpStream>, std::io::Error> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(authority_pem).expect("a certificate");
    roots.add(authority).expect("an authority");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(proxy.address()).await?;
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

pub(super) enum Client {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

impl Client {
    pub(super) async fn connect(
        proxy: &Proxy,
        authority_pem: &[u8],
        version: http::Version,
    ) -> Result<Self, std::io::Error> {
        let is_two = version == http::Version::HTTP_2;
        let stream = tls(proxy, authority_pem, if is_two { b"h2" } else { b"http/1.1" }).await?;
        let stream = TokioIo::new(stream);
        Ok(if is_two {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.expect("HTTP/2");
            tokio::spawn(connection);
            Self::Two(sender)
        } else {
            let (sender, connection) = http1::handshake(stream).await.expect("HTTP/1.1");
            tokio::spawn(connection);
            Self::One(sender)
        })
    }

    pub(super) async fn try_send(&mut self, request: Request<Vec<u8>>) -> hyper::Result<Response<Incoming>> {
        let mut request = request.map(|body| Full::new(Bytes::from(body)));
        match self {
            Self::One(sender) => {
                request.headers_mut().insert(header::HOST, "127.0.0.1".parse().expect("a value"));
                sender.send_request(request).await
            }
            Self::Two(sender) => {
                let uri = format!("https://127.0.0.1{}", request.uri());
                *request.uri_mut() = uri.parse().expect("a URI");
                sender.send_request(request).await
            }
        }
    }

    pub(super) async fn send(&mut self, request: Request<Vec<u8>>) -> Response<Incoming> {
        self.try_send(request).await.expect("an answer")
    }
}

/// Returns the next piece of an answer.
pub(super) async fn next_piece(body: &mut Incoming) -> Option<Bytes> {
    let mut pieces = body.into_data_stream();
    let piece = tokio::time::timeout(Duration::from_secs(5), pieces.next()).await.expect("a piece in time");
    piece.map(|piece| piece.expect("the answer goes on"))
}
