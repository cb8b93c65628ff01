//! The door of a rehearsal: a server on this machine's loopback that the rehearsed command takes for the API server.
//!
//! It decides nothing. Every request goes to [`Rehearsal`], and what that says is done: answered, asked of the real server
//! (as the session's own user), handed on, or watched.
//!
//! Nobody else gets in: TLS with a certificate that is made for the run, and a bearer token. Both live in memory and, but for the
//! keys, in the run's kubeconfig, which only this user can read and which goes with the run. After a kill the file that is left
//! over opens nothing: the port is closed, the token dead, the key gone.
//!
//! HTTP/2 and HTTP/1.1 are spoken, by ALPN as the real server does. client-go prefers HTTP/2, and a Helm that waits opens and gives up a
//! watch a kind: over HTTP/2 that is a stream and its reset, over HTTP/1.1 each would cost a connection and its TLS handshake.
//! Programs that know HTTP/1.1 alone work too. Upgrades to other protocols are never made.

mod answer;
mod certificate;
mod counters;
mod door;
mod gate;
mod kubeconfig;
mod listener;
mod token;
mod watching;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::rustls;

pub use counters::Counters;

use certificate::RunCertificate;
use door::Door;
use kubeconfig::RunKubeconfig;
use token::Token;

use crate::edge::cluster::{Cluster, Upstream};
use crate::rehearsal::Rehearsal;

/// The proxy could not be started.
#[derive(Debug, Error)]
pub enum ProxyError {
    /// No port on the loopback.
    #[error("cannot listen on this machine's loopback")]
    Listen(#[source] io::Error),
    /// No random bytes for the token.
    #[error("cannot make a token: the system has no random bytes")]
    Token(#[source] io::Error),
    /// No certificate.
    #[error("cannot make a certificate for the rehearsal")]
    Certificate(#[from] rcgen::Error),
    /// The certificate is no use for TLS.
    #[error("cannot prepare TLS for the rehearsal")]
    Tls(#[from] rustls::Error),
    /// No kubeconfig.
    #[error("cannot write the rehearsal's kubeconfig in `{}`", folder.display())]
    Kubeconfig {
        /// The folder that it was to be written in.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// A proxy that runs. Dropped, it closes at once; [`Proxy::stop`] also gives back what was learned.
pub struct Proxy {
    listening: Listening,
    door: Arc<Door>,
    /// Nobody else keeps it: the door borrows it for the core's time.
    rehearsal: Arc<Mutex<Rehearsal>>,
    kubeconfig: RunKubeconfig,
    address: SocketAddr,
}

/// The task that has the port and all connections; dropped, it closes them.
struct Listening {
    stopping: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stopping.send_replace(true);
        self.task.abort();
    }
}

impl Proxy {
    /// Starts one in front of `cluster`, as its user. Its kubeconfig is written to a new folder in `folder`, with `namespace` as its
    /// default.
    ///
    /// Must be called within the Tokio runtime that `cluster` was connected in; it works while that runtime runs.
    ///
    /// # Errors
    /// [`ProxyError`]; nothing is left over then.
    pub fn start(cluster: &Cluster, rehearsal: Rehearsal, folder: &Path, namespace: &str) -> Result<Self, ProxyError> {
        Self::start_before(cluster.upstream(), rehearsal, folder, namespace)
    }

    fn start_before(
        upstream: Upstream,
        rehearsal: Rehearsal,
        folder: &Path,
        namespace: &str,
    ) -> Result<Self, ProxyError> {
        let token = Token::generate().map_err(ProxyError::Token)?;
        let certificate = RunCertificate::generate()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(ProxyError::Listen)?;
        let address = listener.local_addr().map_err(ProxyError::Listen)?;
        listener.set_nonblocking(true).map_err(ProxyError::Listen)?;
        let listener = TcpListener::from_std(listener).map_err(ProxyError::Listen)?;
        let kubeconfig = RunKubeconfig::write(folder, address, &certificate.authority_pem, &token, namespace)
            .map_err(|source| ProxyError::Kubeconfig { folder: folder.to_owned(), source })?;
        let (stopping, stopped) = watch::channel(false);
        let rehearsal = Arc::new(Mutex::new(rehearsal));
        let door = Arc::new(Door::new(upstream, &rehearsal, token, stopped));
        let task = tokio::spawn(listener::listen(listener, certificate.server, door.clone()));
        Ok(Self { listening: Listening { stopping, task }, door, rehearsal, kubeconfig, address })
    }

    /// Returns the kubeconfig for the rehearsed command.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        self.kubeconfig.file()
    }

    /// Returns a folder of the run's own for client-go's discovery cache (`KUBECACHEDIR`): it is kept by host and port.
    #[must_use]
    pub fn cache_folder(&self) -> &Path {
        self.kubeconfig.cache()
    }

    /// Returns where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns what was counted until now.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters { kubeconfig_edited: !self.kubeconfig.is_intact(), ..self.door.counters() }
    }

    /// Closes the port and all connections, removes the kubeconfig, and returns the rehearsal and what was counted.
    ///
    /// The rehearsed command should have ended: what it still asks is broken off.
    pub async fn stop(mut self) -> (Rehearsal, Counters) {
        self.listening.stopping.send_replace(true);
        // It ends once every connection is closed; a panic within has been told already.
        let _ = (&mut self.listening.task).await;
        let counters = self.counters();
        let mut rehearsal = self.rehearsal;
        loop {
            match Arc::try_unwrap(rehearsal) {
                Ok(rehearsal) => return (rehearsal.into_inner().unwrap_or_else(PoisonError::into_inner), counters),
                // A last request is in the core this very moment, in another thread.
                Err(in_use) => rehearsal = in_use,
            }
            tokio::task::yield_now().await;
        }
    }
}
