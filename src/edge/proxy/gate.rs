//! The one way out to the server: what could store anything does not get through, whatever the core says.

use http::Response;

use crate::edge::cluster::{ClusterError, Upstream, UpstreamBody};
use crate::rehearsal::{Request, stores_nothing};

/// The way to the server. Nothing else of the proxy has one.
pub(super) struct Gate {
    upstream: Upstream,
}

/// Why no answer of the server is there.
pub(super) enum Stopped {
    /// The request was not sent: it might store something.
    Withheld(Box<Request>),
    /// No answer came.
    Unanswered(ClusterError),
}

impl Gate {
    pub(super) fn new(upstream: Upstream) -> Self {
        Self { upstream }
    }

    /// Sends a request that stores nothing, see [`Upstream::send`].
    ///
    /// # Errors
    /// [`Stopped`]; a request that might store something is not sent.
    pub(super) async fn send(&self, request: Request) -> Result<Response<UpstreamBody>, Stopped> {
        if !stores_nothing(&request) {
            return Err(Stopped::Withheld(Box::new(request)));
        }
        self.upstream.send(request).await.map_err(Stopped::Unanswered)
    }
}
