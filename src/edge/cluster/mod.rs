//! The user's cluster: everything that is read from an API server and written to it, in domain types.
//!
//! The only room that names `kube` or `k8s_openapi`. Nothing here decides; it does one thing each and says what came of it.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError};

use kube::Client;
use serde::Deserialize;
use serde_json::json;

mod discovery;
mod error;
mod helm_storage;
mod keep_alive;
mod kubeconfig;
mod lease;
mod objects;
mod options;
mod pods;
mod rights;
mod run_record;
mod secrets_seen;
mod transport;
mod upstream;
mod way_out;

pub use discovery::ResolvedKind;
pub use error::{Broken, Cause, ClusterError, Endpoint, ErrorClass, Refusal};
pub use helm_storage::ReleaseRecord;
pub use keep_alive::{KeepAlive, Tenure};
pub use lease::{Acquisition, HeldLease, LeaseState, Observation, Renewal, is_expired};
pub use objects::{Deleted, Gone, Propagation, Selector};
pub use options::ClusterOptions;
pub use pods::LogRequest;
pub use run_record::{RecordHandle, RecordName, RecordPart, RecordText, RunRecord, RunState, Written};
pub use transport::FIELD_MANAGER;
pub use upstream::{Upstream, UpstreamBody};

use discovery::DiscoveryCache;
use secrets_seen::SecretsSeen;
use transport::{Call, Transport};

use crate::domain::content;
use crate::domain::object::Object;

/// One cluster, as one user. Cheap to clone; all clones share connection, discovery and the Secrets seen.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Transport,
    namespace: String,
    /// Digest of the certificates by which the server is known.
    authority: Option<String>,
    server_version: std::sync::Mutex<Option<String>>,
    discovery: DiscoveryCache,
    secrets: SecretsSeen,
}

/// Who the server takes us for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Identity {
    /// Such as `alice` or `system:serviceaccount:ci:deployer`.
    #[serde(default)]
    pub username: String,
    /// Groups, such as `system:authenticated`.
    #[serde(default)]
    pub groups: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VersionAnswer {
    git_version: String,
}

impl Cluster {
    /// Returns the cluster that `options` name, once its server has answered a first question.
    ///
    /// Must run within a Tokio runtime, and stay with it.
    ///
    /// # Errors
    /// Names the file, context, URL or credential that is no use; [`ErrorClass::Unreachable`] and
    /// [`ErrorClass::Unauthorized`] where the server cannot be reached or does not know the user.
    pub async fn connect(options: &ClusterOptions) -> Result<Self, ClusterError> {
        let settings = kubeconfig::read_settings(options)?;
        let endpoint = Arc::new(settings.endpoint);
        let authority = settings.config.root_cert.as_ref().map(|authorities| content::sha256(&authorities.concat()));
        let namespace = settings.config.default_namespace.clone();
        let config = settings.config;
        // A credential plugin runs here, and may wait for a person.
        let client = tokio::task::spawn_blocking(move || Client::try_from(config))
            .await
            .map_err(|_| ClusterError::BadSetting {
                setting: "the credentials",
                value: endpoint.origin.clone(),
                because: "preparing them was broken off".to_owned(),
            })?
            .map_err(|error| ClusterError::Unprepared { endpoint: endpoint.clone(), source: Arc::new(error) })?;
        let cluster = Self {
            inner: Arc::new(Inner {
                transport: Transport { client, endpoint, has_answered: AtomicBool::new(false) },
                namespace,
                authority,
                server_version: std::sync::Mutex::default(),
                discovery: DiscoveryCache::default(),
                secrets: SecretsSeen::default(),
            }),
        };
        match cluster.server_version().await {
            Ok(_) => Ok(cluster),
            // Some servers tell their version to few; the connection is proven all the same.
            Err(error) if matches!(error.class(), ErrorClass::Forbidden | ErrorClass::NotFound) => Ok(cluster),
            Err(error) => Err(error),
        }
    }

    /// Returns the namespace that was asked for, else the context's, else `default`.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.inner.namespace
    }

    /// Returns the server's URL and where it comes from.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.inner.transport.endpoint
    }

    /// Returns `sha256:...` of the certificates by which the server is known; nothing where the system's are used.
    #[must_use]
    pub fn authority_digest(&self) -> Option<&str> {
        self.inner.authority.as_deref()
    }

    /// Returns the server's `gitVersion`, such as `v1.36.3`; asked once.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn server_version(&self) -> Result<String, ClusterError> {
        let known = self.inner.server_version.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(version) = known {
            return Ok(version);
        }
        let call = Call::read("read", "the server's version", "/version".to_owned());
        let answer: VersionAnswer = self.inner.transport.ask(&call).await?;
        *self.inner.server_version.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer.git_version.clone());
        Ok(answer.git_version)
    }

    /// Returns who the server takes us for; nothing where it cannot be asked (before Kubernetes 1.28).
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn whoami(&self) -> Result<Option<Identity>, ClusterError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            status: Status,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Status {
            user_info: Identity,
        }
        let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
        let call = Call::review("who we are", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body);
        match self.inner.transport.ask::<Answer>(&call).await {
            Ok(answer) => Ok(Some(answer.status.user_info)),
            Err(error) if error.class() == ErrorClass::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the Secrets that were read since the last call, each version once: for the masker, before anything is shown.
    ///
    /// Helm's release records and our own run records are not among them.
    #[must_use]
    pub fn take_secrets_seen(&self) -> Vec<Object> {
        self.inner.secrets.take()
    }
}
