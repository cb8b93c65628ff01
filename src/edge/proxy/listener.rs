//! Connections: accepted, wrapped in TLS, served, closed.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::door::{Door, stop};

/// How long a client may take for its TLS handshake.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);

/// How long an open request may still take once the proxy stops.
const LAST_MOMENTS: Duration = Duration::from_millis(500);

/// How long to wait after a connection could not be accepted, for want of file descriptors.
const BREATH: Duration = Duration::from_millis(50);

/// Serves connections until the door is told to stop, then closes them all.
pub(super) async fn listen(listener: TcpListener, tls: Arc<ServerConfig>, door: Arc<Door>) {
    let acceptor = TlsAcceptor::from(tls);
    let mut connections = JoinSet::new();
    let mut stopped = door.stopped.clone();
    loop {
        tokio::select! {
            biased;
            () = stop(&mut stopped) => break,
            _ = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, acceptor.clone(), door.clone()));
                }
                Err(_) => tokio::time::sleep(BREATH).await,
            },
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    // Each ends by itself; the limit is for one that cannot even say goodbye.
    let _ = tokio::time::timeout(LAST_MOMENTS * 2, all).await;
    connections.shutdown().await;
}

/// Serves one connection. Whatever goes wrong with it concerns its client alone, who sees it.
async fn serve(stream: TcpStream, acceptor: TlsAcceptor, door: Arc<Door>) {
    // Answers are written whole: nothing is gained by waiting for more.
    let _ = stream.set_nodelay(true);
    let mut stopped = door.stopped.clone();
    let handshake = tokio::time::timeout(HANDSHAKE_PATIENCE, acceptor.accept(stream));
    let stream = tokio::select! {
        () = stop(&mut stopped) => return,
        stream = handshake => match stream {
            Ok(Ok(stream)) => stream,
            Ok(Err(_)) | Err(_) => return,
        },
    };
    let service = service_fn(move |request| {
        let door = door.clone();
        async move { Ok::<_, Infallible>(door.answer(request).await) }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop(&mut stopped) => connection.as_mut().graceful_shutdown(),
    }
    let _ = tokio::time::timeout(LAST_MOMENTS, connection).await;
}
