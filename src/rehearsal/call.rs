//! What a request asks for: verb, resource, subresource. Whatever is not in this file's table is refused, never forwarded.
//!
//! Source: `k8s.io/apiserver/pkg/endpoints/request` `RequestInfoFactory`.

use std::fmt;

use http::{Method, header};
use serde_json::json;

use super::message::{self, Request, Response};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Verb {
    /// Reads one object, or a page that is no resource (`/version`, `/openapi/v3`, discovery).
    Get,
    /// Reads a collection.
    List,
    /// Reads a collection and its changes.
    Watch,
    /// POST.
    Create,
    /// PUT.
    Update,
    /// PATCH.
    Patch,
    /// DELETE of one object.
    Delete,
}

impl Verb {
    /// Tells whether it changes nothing.
    pub(super) fn reads(self) -> bool {
        matches!(self, Self::Get | Self::List | Self::Watch)
    }
}

/// A resource: `apps`, `v1`, `deployments`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Resource {
    /// Empty for the core group.
    pub(super) group: String,
    /// `v1`.
    pub(super) version: String,
    /// `deployments`.
    pub(super) plural: String,
}

impl Resource {
    /// The resource of custom resource definitions.
    pub(super) fn definitions() -> Self {
        Self {
            group: "apiextensions.k8s.io".to_owned(),
            version: "v1".to_owned(),
            plural: "customresourcedefinitions".to_owned(),
        }
    }

    /// Tells whether its objects can have only the name that their spec gives them.
    ///
    /// Source: `ValidateCustomResourceDefinition` of `k8s.io/apiextensions-apiserver`, `ValidateAPIService` of
    /// `k8s.io/kube-aggregator`.
    pub(super) fn names_by_spec(&self) -> bool {
        matches!(
            (self.group.as_str(), self.plural.as_str()),
            ("apiextensions.k8s.io", "customresourcedefinitions") | ("apiregistration.k8s.io", "apiservices")
        )
    }

    /// Returns `apps/v1`, or `v1` for the core group.
    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Returns the path of a collection (`name` absent) or of an object; [`message::NO_PATH`] if a part of it would be none.
    pub(super) fn path(&self, namespace: Option<&str>, name: Option<&str>) -> String {
        let own = [self.version.as_str(), self.plural.as_str()].map(Some);
        let group = Some(self.group.as_str()).filter(|group| !group.is_empty());
        // A name comes out of a body, too, and could lead elsewhere: to a proxy of a Service, say.
        if !own.into_iter().chain([group, namespace, name]).flatten().all(is_path_part) {
            return message::NO_PATH.to_owned();
        }
        let mut path = if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        };
        for part in namespace
            .map(|namespace| format!("/namespaces/{namespace}"))
            .into_iter()
            .chain([format!("/{}", self.plural), name.map_or_else(String::new, |name| format!("/{name}"))])
        {
            path.push_str(&part);
        }
        path
    }
}

/// Tells whether a text is one part of a path, whoever reads it.
///
/// Source: `k8s.io/apimachinery/pkg/api/validation/path` `IsValidPathSegmentName`; `?` and `#` end a path, and what would have
/// to be escaped is left out.
pub(super) fn is_path_part(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"/%?#\\".contains(&byte);
    !matches!(text, "" | "." | "..") && text.bytes().all(is_plain)
}

/// A request that is in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// What is done.
    pub(super) verb: Verb,
    /// What it is done to; absent for pages that are no resource.
    pub(super) target: Option<Target>,
}

/// The object or collection of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Its resource.
    pub(super) resource: Resource,
    /// Absent for cluster-scoped objects and for lists over all namespaces.
    pub(super) namespace: Option<String>,
    /// Absent for collections.
    pub(super) name: Option<String>,
    /// `log`, `status`, ...
    pub(super) subresource: Option<String>,
}

/// A request that is not in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Denied {
    /// What was asked, such as `POST pods/exec`.
    what: String,
    /// Why it is refused.
    because: &'static str,
}

/// Subresources that are plain reads when they come as GET. `exec`, `attach`, `portforward` and `proxy` come as GET too, and
/// are not here.
const READ_SUBRESOURCES: [&str; 3] = ["log", "status", "scale"];

/// Reviews: POST requests that ask and store nothing.
const REVIEWS: [&str; 5] = [
    "selfsubjectaccessreviews",
    "selfsubjectrulesreviews",
    "selfsubjectreviews",
    "subjectaccessreviews",
    "localsubjectaccessreviews",
];

impl Call {
    /// Returns what the request asks for, if the table has it.
    ///
    /// # Errors
    /// [`Denied`]: the request must not be forwarded.
    pub(super) fn read(request: &Request) -> Result<Self, Denied> {
        let path = request.uri().path();
        let method = request.method();
        let denied = |what: String, because| Err(Denied { what: format!("{method} {what}"), because });
        if request.headers().contains_key(header::UPGRADE) {
            return denied(path.to_owned(), "it leaves HTTP (exec, attach, port-forward)");
        }
        // A path that the server reads in another way than we do could lead anywhere.
        if path.contains("//") || path.contains('%') || path.split('/').any(|part| part == "." || part == "..") {
            return denied(path.to_owned(), "its path is not in its plain form");
        }
        let Some(target) = Target::of(path) else {
            let reads = *method == Method::GET || *method == Method::HEAD;
            return if reads && is_page(path) {
                Ok(Self { verb: Verb::Get, target: None })
            } else {
                denied(path.to_owned(), "it is no resource and no page that a client needs")
            };
        };
        let Some(verb) = verb_of(request, &target) else {
            return denied(target.told(), "no client needs it for an upgrade, and a dry run of it is not certain");
        };
        if target.resource.group == "authorization.k8s.io" || target.resource.group == "authentication.k8s.io" {
            return if verb == Verb::Create && REVIEWS.contains(&target.resource.plural.as_str()) {
                Ok(Self { verb, target: Some(target) })
            } else {
                denied(target.told(), "it is no review that only asks")
            };
        }
        match target.subresource.as_deref() {
            None => Ok(Self { verb, target: Some(target) }),
            Some(subresource) if verb == Verb::Get && READ_SUBRESOURCES.contains(&subresource) => {
                Ok(Self { verb, target: Some(target) })
            }
            Some(_) => denied(target.told(), "a dry run of this subresource is not certain to store nothing"),
        }
    }

    /// Tells whether the call is a review: it asks by POST and stores nothing.
    pub(super) fn is_review(&self) -> bool {
        self.target.as_ref().is_some_and(|target| {
            target.resource.group == "authorization.k8s.io" || target.resource.group == "authentication.k8s.io"
        })
    }
}

fn is_page(path: &str) -> bool {
    let pages = ["/version", "/version/", "/api", "/api/", "/apis", "/apis/", "/healthz", "/readyz", "/livez"];
    let is_group = |path: &str| {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        matches!(parts.as_slice(), ["api" | "apis", _] | ["apis", _, _])
    };
    pages.contains(&path) || path.starts_with("/openapi/") || is_group(path)
}

fn verb_of(request: &Request, target: &Target) -> Option<Verb> {
    let watches = query(request).any(|(key, value)| key == "watch" && is_true(&value));
    Some(match (request.method().as_str(), target.name.is_some()) {
        ("GET" | "HEAD", _) if watches => Verb::Watch,
        ("GET" | "HEAD", true) => Verb::Get,
        ("GET" | "HEAD", false) => Verb::List,
        ("POST", false) => Verb::Create,
        ("PUT", true) => Verb::Update,
        ("PATCH", true) => Verb::Patch,
        ("DELETE", true) => Verb::Delete,
        // A DELETE of a collection is never let through.
        _ => return None,
    })
}

/// Source: `strconv.ParseBool`, as `k8s.io/apimachinery` converts query parameters: an empty value is true.
fn is_true(value: &str) -> bool {
    !matches!(value, "0" | "f" | "F" | "false" | "FALSE" | "False")
}

/// Returns the pairs of the query, unescaped.
pub(super) fn query(request: &Request) -> impl Iterator<Item = (String, String)> {
    let text = request.uri().query().unwrap_or_default().to_owned();
    form_urlencoded::parse(text.as_bytes()).into_owned().collect::<Vec<_>>().into_iter()
}

impl Target {
    /// Returns the object or collection that a path names; nothing if it names none.
    fn of(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] if !rest.is_empty() => ("", *version, rest),
            ["apis", group, version, rest @ ..] if !rest.is_empty() => (*group, *version, rest),
            _ => return None,
        };
        let is_core = group.is_empty();
        let own = |text: &str| Some(text.to_owned());
        let (namespace, plural, name, subresource) = match rest {
            // Old watch paths; no client sends them any more.
            [] | ["watch", ..] => return None,
            ["namespaces"] if is_core => (None, "namespaces", None, None),
            ["namespaces", name] if is_core => (None, "namespaces", own(name), None),
            ["namespaces", name, subresource @ ("status" | "finalize")] if is_core => {
                (None, "namespaces", own(name), own(subresource))
            }
            ["namespaces", namespace, plural] => (own(namespace), *plural, None, None),
            ["namespaces", namespace, plural, name] => (own(namespace), *plural, own(name), None),
            ["namespaces", namespace, plural, name, subresource @ ..] => {
                (own(namespace), *plural, own(name), Some(subresource.join("/")))
            }
            [plural] => (None, *plural, None, None),
            [plural, name] => (None, *plural, own(name), None),
            [plural, name, subresource @ ..] => (None, *plural, own(name), Some(subresource.join("/"))),
        };
        let resource = Resource { group: group.to_owned(), version: version.to_owned(), plural: plural.to_owned() };
        Some(Self { resource, namespace, name, subresource })
    }

    /// Returns `pods/exec`.
    fn told(&self) -> String {
        match &self.subresource {
            Some(subresource) => format!("{}/{subresource}", self.resource.plural),
            None => self.resource.plural.clone(),
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what, self.because)
    }
}

impl Denied {
    /// Returns the denial of a request that might store something.
    pub(super) fn withheld(request: &Request) -> Self {
        let target = Target::of(request.uri().path());
        let told = target.map_or_else(|| request.uri().path().to_owned(), |target| target.told());
        Self {
            what: format!("{} {told}", request.method()),
            because: "it might store something, so it was not sent to the server",
        }
    }

    /// Returns the denial of a write, told as `POST things.example.com`, that an extension API server would get.
    pub(super) fn extension(what: String) -> Self {
        Self { what, because: "it is served by an extension API server, which may not honour dry runs" }
    }

    /// Returns the denial of a write of which nobody can tell who would get it.
    pub(super) fn unknown_backend(what: String) -> Self {
        Self {
            what,
            because: "whether an extension API server serves it, which may not honour dry runs, could not be read",
        }
    }

    /// Returns 405 with the reason, as a Status.
    #[must_use]
    pub(super) fn into_response(self) -> Response {
        let message = format!("the rehearsal does not let this through: {self}");
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
            "reason": "MethodNotAllowed", "code": 405,
        });
        message::json_response(http::StatusCode::METHOD_NOT_ALLOWED, &status)
    }
}
