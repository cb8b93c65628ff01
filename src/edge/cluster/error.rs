//! What can go wrong between us and a cluster: what was being done, on what, and why it did not work.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::legacy;
use serde::Deserialize;
use thiserror::Error;

/// An answer longer than this is cut: a proxy in between may send a whole web page, in characters.
const LONGEST_MESSAGE: usize = 1_500;

/// Something between us and the cluster did not work.
#[derive(Debug, Clone, Error)]
pub enum ClusterError {
    /// There is no kubeconfig, and this is no pod either.
    #[error("there is no kubeconfig at {}, and this process does not run in a pod", list_files(.looked_at))]
    NoKubeconfig {
        /// The files that were looked for.
        looked_at: Vec<PathBuf>,
    },
    /// A kubeconfig is there and cannot be used.
    #[error("cannot read kubeconfig {}: {because}", .file.display())]
    UnreadableKubeconfig {
        /// Which.
        file: PathBuf,
        /// The cause, in one line: the parser's own message quotes the file, tokens included.
        because: String,
    },
    /// No context was asked for, and the kubeconfig names no current one.
    #[error("no context: {} sets no `current-context`", list_files(.files))]
    NoContext {
        /// The files that were read.
        files: Vec<PathBuf>,
    },
    /// The context is not in the kubeconfig.
    #[error("context `{context}` is not in {}", list_files(.files))]
    UnknownContext {
        /// Which.
        context: String,
        /// The files that were read.
        files: Vec<PathBuf>,
        /// The contexts that are there.
        known: Vec<String>,
    },
    /// The context names something that the kubeconfig does not have.
    #[error("context `{context}` of {} has no {missing}", list_files(.files))]
    IncompleteContext {
        /// Which.
        context: String,
        /// The files that were read.
        files: Vec<PathBuf>,
        /// Such as "cluster `prod`".
        missing: String,
    },
    /// A setting of the connection is no use.
    #[error("cannot use {setting} `{value}`: {because}")]
    BadSetting {
        /// Such as `the server URL`.
        setting: &'static str,
        /// As it was given.
        value: String,
        /// The cause, in one line.
        because: String,
    },
    /// The connection could not even be prepared: certificates, keys, a credential plugin.
    #[error("cannot prepare the connection to {endpoint}")]
    Unprepared {
        /// Server and context.
        endpoint: Arc<Endpoint>,
        /// The cause.
        source: Arc<kube::Error>,
    },
    /// The server answered that it will not do it.
    #[error("cannot {doing} {what}")]
    Refused {
        /// Such as `read`.
        doing: &'static str,
        /// The object, such as `Secret shop/db`.
        what: String,
        /// What the server said.
        #[source]
        answer: Box<Refusal>,
    },
    /// No answer came.
    #[error("cannot {doing} {what}: no answer from {endpoint}")]
    Unanswered {
        /// Such as `read`.
        doing: &'static str,
        /// The object, such as `Secret shop/db`.
        what: String,
        /// Server and context.
        endpoint: Arc<Endpoint>,
        /// How the connection failed.
        #[source]
        broken: Broken,
    },
    /// An answer came that is not what Kubernetes sends.
    #[error("cannot {doing} {what}: the answer is not what Kubernetes sends: {because}")]
    Unreadable {
        /// Such as `read`.
        doing: &'static str,
        /// The object, such as `Secret shop/db`.
        what: String,
        /// The cause, in one line.
        because: String,
    },
    /// A namespaced object was named without its namespace.
    #[error("cannot {doing} {what}: its kind is namespaced, and no namespace was named")]
    NoNamespace {
        /// Such as `read`.
        doing: &'static str,
        /// The object.
        what: String,
    },
    /// The server does not serve the kind.
    #[error("cannot {doing} {what}: the server does not know kind `{kind}` of `{api_version}`")]
    UnknownKind {
        /// Such as `delete`.
        doing: &'static str,
        /// The object.
        what: String,
        /// The kind.
        kind: String,
        /// Its API version.
        api_version: String,
    },
    /// The content is larger than a Secret can be.
    #[error("cannot {doing} {what}: {size} bytes are more than the {limit} that fit")]
    TooLarge {
        /// Such as `write`.
        doing: &'static str,
        /// The object.
        what: String,
        /// Size in bytes, packed.
        size: usize,
        /// Limit in bytes.
        limit: usize,
    },
}

/// The classes of errors that callers treat differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// 404.
    NotFound,
    /// 403: the user lacks the right.
    Forbidden,
    /// 409: somebody else was faster, or the name is taken.
    Conflict,
    /// Connection refused or broken, name not resolved, timeout, TLS.
    Unreachable,
    /// 401, or no credentials could be had.
    Unauthorized,
    /// 429: the server is overloaded.
    TooManyRequests,
    /// Everything else.
    Other,
}

impl ClusterError {
    /// Returns the class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Refused { answer, .. } => match answer.code {
                401 => ErrorClass::Unauthorized,
                403 => ErrorClass::Forbidden,
                404 => ErrorClass::NotFound,
                409 => ErrorClass::Conflict,
                429 => ErrorClass::TooManyRequests,
                _ => ErrorClass::Other,
            },
            Self::Unanswered { broken: Broken::Credentials(_), .. } => ErrorClass::Unauthorized,
            Self::Unanswered { .. } => ErrorClass::Unreachable,
            Self::Unprepared { source, .. } if matches!(**source, kube::Error::Auth(_)) => ErrorClass::Unauthorized,
            _ => ErrorClass::Other,
        }
    }

    /// Returns what the server said, if it answered.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused { answer, .. } => Some(answer),
            _ => None,
        }
    }

    /// Returns what a person can do about it, as one sentence without a full stop; nothing where the error says it all.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::NoKubeconfig { .. } => Some(
                "set KUBECONFIG to the file that your administrator gave you, or write it to ~/.kube/config".into(),
            ),
            Self::UnreadableKubeconfig { file, .. } => Some(format!(
                "make it a readable kubeconfig: `kubectl config view --kubeconfig {}` shows what is wrong",
                file.display()
            )),
            Self::NoContext { .. } => {
                Some("name one with `--kube-context NAME`, or run `kubectl config use-context NAME`".into())
            }
            Self::UnknownContext { known, .. } if known.is_empty() => {
                Some("KUBECONFIG names another file than you meant: it has no context at all".into())
            }
            Self::UnknownContext { known, .. } => Some(format!("name one that is there: {}", known.join(", "))),
            Self::IncompleteContext { context, .. } => {
                Some(format!("repair it: `kubectl config get-contexts {context}` shows what it names"))
            }
            Self::Unanswered { endpoint, broken, .. } => Some(match broken {
                Broken::Credentials(_) => format!("log in again with what {} uses for credentials", endpoint.origin),
                Broken::TimedOut(_) => {
                    format!("check that this machine reaches {}, and that {} is right", endpoint.url, endpoint.origin)
                }
                Broken::NeverSent(_) | Broken::Lost(_) => {
                    format!("check {}, the network to {} and its certificate", endpoint.origin, endpoint.url)
                }
            }),
            Self::Unprepared { endpoint, .. } => {
                Some(format!("check certificate, key and credential plugin of {}", endpoint.origin))
            }
            Self::Refused { answer, .. } if answer.code == 401 => {
                Some("log in again: the server does not accept the credentials".into())
            }
            Self::Refused { answer, .. } if answer.code == 403 => {
                Some("ask for the right that the server's answer names".into())
            }
            Self::BadSetting { .. }
            | Self::Refused { .. }
            | Self::Unreadable { .. }
            | Self::NoNamespace { .. }
            | Self::UnknownKind { .. }
            | Self::TooLarge { .. } => None,
        }
    }

    /// Tells whether the request may have been carried out although no answer came.
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        match self {
            Self::Unanswered { broken, .. } => !matches!(broken, Broken::NeverSent(_) | Broken::Credentials(_)),
            // A server or a proxy that fails in the middle (500, 502, 503, 504) may have stored the change before.
            Self::Refused { answer, .. } => answer.code >= 500,
            Self::Unreadable { .. } => true,
            _ => false,
        }
    }
}

/// Server URL, and the words that say where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Such as `https://10.0.0.1:6443`.
    pub url: String,
    /// Such as "context `prod` of /home/alice/.kube/config".
    pub origin: String,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.url, self.origin)
    }
}

/// What a server says when it will not do something.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the server answered {code}{}: {message}", if .reason.is_empty() { String::new() } else { format!(" {}", .reason) })]
pub struct Refusal {
    /// HTTP status code.
    pub code: u16,
    /// Kubernetes' word, such as `Invalid`; empty where something in between answered.
    pub reason: String,
    /// The server's sentence; at most 1,500 characters.
    pub message: String,
    /// Field and cause of each violation, where the server names them.
    pub causes: Vec<(String, String)>,
    /// How long the server asks us to wait.
    pub retry_after: Option<Duration>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    details: Option<StatusDetails>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusDetails {
    #[serde(default)]
    causes: Vec<StatusCause>,
    #[serde(default)]
    retry_after_seconds: u64,
}

#[derive(Deserialize)]
struct StatusCause {
    #[serde(default)]
    field: String,
    #[serde(default)]
    message: String,
}

impl Refusal {
    /// Returns what an answer with status code `code` and this body says; `retry_after` is its `Retry-After` header, in seconds.
    pub(super) fn parse(code: u16, retry_after: Option<u64>, body: &[u8]) -> Self {
        match serde_json::from_slice::<Status>(body) {
            Ok(status) => {
                let asked = status.details.as_ref().map(|details| details.retry_after_seconds).filter(|secs| *secs > 0);
                let causes = status.details.map(|details| details.causes).unwrap_or_default();
                Self {
                    code,
                    reason: status.reason,
                    message: shorten(&status.message),
                    causes: causes.into_iter().map(|cause| (cause.field, cause.message)).collect(),
                    retry_after: retry_after.or(asked).map(Duration::from_secs),
                }
            }
            Err(_) => Self {
                code,
                reason: String::new(),
                message: shorten(String::from_utf8_lossy(body).trim()),
                causes: Vec::new(),
                retry_after: retry_after.map(Duration::from_secs),
            },
        }
    }
}

fn shorten(text: &str) -> String {
    if text.is_empty() {
        return "(no reason given)".to_owned();
    }
    match text.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{} ...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// How a connection failed.
#[derive(Debug, Clone, Error)]
pub enum Broken {
    /// No connection, or no agreement on TLS: the server did not see the request.
    #[error("the connection could not be made")]
    NeverSent(#[source] Cause),
    /// The connection broke; the server may have seen the request.
    #[error("the connection broke")]
    Lost(#[source] Cause),
    /// The server may have seen the request.
    #[error("nothing came within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// A credential plugin or an identity provider failed; nothing was sent.
    #[error("no credentials could be had")]
    Credentials(#[source] Cause),
}

/// An error of the layers below.
pub type Cause = Arc<dyn Error + Send + Sync>;

impl Broken {
    /// Returns how a request failed that kube could not deliver.
    pub(super) fn classify(error: kube::Error) -> Self {
        // kube's own wrapping repeats what it wraps.
        let cause: Cause = match error {
            kube::Error::Service(cause) => Arc::from(cause),
            error => Arc::new(error),
        };
        if finds::<kube::client::AuthError>(cause.as_ref()).is_some() {
            Self::Credentials(cause)
        } else if finds::<legacy::Error>(cause.as_ref()).is_some_and(legacy::Error::is_connect) {
            Self::NeverSent(cause)
        } else {
            Self::Lost(cause)
        }
    }

    /// Tells whether the same request may fare better a moment later, on a server that answered before.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Lost(_) => true,
            Self::NeverSent(cause) => finds::<io::Error>(cause.as_ref()).is_some_and(|cause| {
                use io::ErrorKind as Kind;
                // A failed TLS handshake arrives as `InvalidData` or `Other` and would fail again.
                matches!(
                    cause.kind(),
                    Kind::ConnectionRefused
                        | Kind::ConnectionReset
                        | Kind::ConnectionAborted
                        | Kind::BrokenPipe
                        | Kind::UnexpectedEof
                        | Kind::NotConnected
                        | Kind::TimedOut
                )
            }),
            Self::TimedOut(_) | Self::Credentials(_) => false,
        }
    }
}

/// Returns the first error of type `E` in the chain.
fn finds<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut link = Some(error);
    while let Some(current) = link {
        if let Some(found) = current.downcast_ref::<E>() {
            return Some(found);
        }
        link = current.source();
    }
    None
}

fn list_files(files: &[PathBuf]) -> String {
    match files {
        [] => "the kubeconfig".to_owned(),
        files => files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16) -> ClusterError {
        ClusterError::Refused {
            doing: "read",
            what: "Secret shop/db".into(),
            answer: Box::new(Refusal::parse(code, None, b"")),
        }
    }

    #[test]
    fn the_status_code_decides_the_class() {
        for (code, class) in [
            (401, ErrorClass::Unauthorized),
            (403, ErrorClass::Forbidden),
            (404, ErrorClass::NotFound),
            (409, ErrorClass::Conflict),
            (429, ErrorClass::TooManyRequests),
            (500, ErrorClass::Other),
            (422, ErrorClass::Other),
        ] {
            assert_eq!(refused(code).class(), class, "{code}");
        }
    }

    #[test]
    fn a_status_tells_reason_fields_and_how_long_to_wait() {
        let body = br#"{"kind":"Status","reason":"Invalid","message":"Job \"x\" is invalid",
            "details":{"retryAfterSeconds":3,"causes":[{"field":"spec.template","message":"field is immutable"}]}}"#;
        let answer = Refusal::parse(422, None, body);
        assert_eq!(answer.causes, [("spec.template".to_owned(), "field is immutable".to_owned())]);
        assert_eq!(answer.retry_after, Some(Duration::from_secs(3)));
        assert_eq!(answer.to_string(), "the server answered 422 Invalid: Job \"x\" is invalid");
    }

    #[test]
    fn the_header_beats_the_body_on_how_long_to_wait() {
        let body = br#"{"message":"busy","details":{"retryAfterSeconds":3}}"#;
        assert_eq!(Refusal::parse(429, Some(1), body).retry_after, Some(Duration::from_secs(1)));
    }

    #[test]
    fn an_answer_of_something_in_between_is_kept_and_cut() {
        let answer = Refusal::parse(502, Some(2), "ü".repeat(5_000).as_bytes());
        assert_eq!(answer.message.chars().count(), LONGEST_MESSAGE + 4);
        assert_eq!(answer.retry_after, Some(Duration::from_secs(2)));
        assert!(Refusal::parse(503, None, b" ").message.contains("no reason"));
    }

    #[test]
    fn only_a_request_that_may_have_been_carried_out_has_an_unknown_outcome() {
        let unanswered = |broken: Broken| ClusterError::Unanswered {
            doing: "write",
            what: "Secret shop/db".into(),
            endpoint: Arc::new(Endpoint { url: "https://one".into(), origin: "context `a` of f".into() }),
            broken,
        };
        let cause = || Arc::new(kube::Error::TlsRequired) as Cause;
        assert!(unanswered(Broken::TimedOut(Duration::from_secs(1))).is_outcome_unknown());
        assert!(unanswered(Broken::Lost(cause())).is_outcome_unknown());
        assert!(!unanswered(Broken::NeverSent(cause())).is_outcome_unknown());
        assert!(!unanswered(Broken::Credentials(cause())).is_outcome_unknown());
        assert!(refused(504).is_outcome_unknown());
        assert!(!refused(409).is_outcome_unknown());
    }

    #[test]
    fn an_unknown_context_names_those_that_are_there() {
        let error = ClusterError::UnknownContext {
            context: "prdo".into(),
            files: vec!["/k/config".into()],
            known: vec!["dev".into(), "prod".into()],
        };
        assert_eq!(error.to_string(), "context `prdo` is not in /k/config");
        assert_eq!(error.remedy().as_deref(), Some("name one that is there: dev, prod"));
    }
}
