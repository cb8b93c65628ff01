//! Writes, on their way to the server: each becomes a dry run, of the right object under the right name.
//!
//! A write goes through [`Rehearsal::advance`] until everything that it needs to know was asked for; then it is sent.

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value, json};

use super::aggregation::Backend;
use super::author::Author;
use super::call::{Resource, Target, Verb, is_path_part, query};
use super::disguise::Disguise;
use super::lookup::Lookup;
use super::message::{self, Continuation, Next, Request, Response};
use super::overlay::{Entry, Key};
use super::read::{already_exists, not_found};
use super::resent::{Version, as_new};
use super::{Rehearsal, own_dry_run, patch, protobuf};
use crate::domain::yaml;

/// What is done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Create,
    /// Server-side apply.
    Apply,
    /// Any other patch.
    Patch,
    Update,
    Delete,
}

impl Act {
    /// Returns how it is asked for.
    pub(super) fn method(self) -> Method {
        match self {
            Self::Create => Method::POST,
            Self::Apply | Self::Patch => Method::PATCH,
            Self::Update => Method::PUT,
            Self::Delete => Method::DELETE,
        }
    }
}

/// A write of the rehearsed command.
#[derive(Debug, Clone)]
pub(super) struct Write {
    pub(super) act: Act,
    /// Its name is absent where the server makes one up.
    pub(super) target: Target,
    /// The object, the patch or the options, as JSON.
    pub(super) body: Value,
    /// A patch as it came.
    raw: Vec<u8>,
    /// Whether the body is in a form that only the server reads as a whole: it is sent as it came, disguised at most.
    is_opaque: bool,
    content_type: String,
    /// Of the client's query: field manager, field validation, force.
    query: Vec<(String, String)>,
    user_agent: Option<HeaderValue>,
    /// Whether the client itself asks for a dry run: nothing of it is kept.
    is_dry: bool,
    /// What the object is now; absent until it was asked for.
    pub(super) base: Option<Base>,
    pub(super) disguise: Disguise,
    /// Whether it was looked for an object of that name in the namespace that stands in.
    pub(super) is_stand_in_free: Option<bool>,
    version: Version,
}

/// What an object is before a write, as the command sees it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Base {
    /// It is not there.
    Absent,
    /// It is on the server and was not written yet.
    Real(Value),
    /// It could not be read.
    Unread,
    /// It was written before.
    Written {
        /// How it is in the overlay; nothing if it is gone.
        now: Option<Value>,
        /// How it is on the server.
        real: Option<Value>,
        /// Whether it was deleted in between: then the real one is another.
        is_replaced: bool,
        author: Author,
    },
}

impl Base {
    fn of(entry: &Entry) -> Self {
        Self::Written {
            now: entry.object().cloned(),
            real: entry.real.clone(),
            is_replaced: entry.is_replaced,
            author: entry.author.clone(),
        }
    }

    /// Returns who wrote it in the run; nothing if nobody did.
    pub(super) fn author(&self) -> Option<&Author> {
        match self {
            Self::Written { author, .. } => Some(author),
            Self::Absent | Self::Unread | Self::Real(_) => None,
        }
    }

    /// Returns the object as the command sees it.
    pub(super) fn now(&self) -> Option<&Value> {
        match self {
            Self::Real(object) => Some(object),
            Self::Written { now, .. } => now.as_ref(),
            Self::Absent | Self::Unread => None,
        }
    }

    /// Returns the object as the server has it.
    pub(super) fn real(&self) -> Option<&Value> {
        match self {
            Self::Real(object) => Some(object),
            Self::Written { real, .. } => real.as_ref(),
            Self::Absent | Self::Unread => None,
        }
    }
}

/// What the server has under the name of an object of the overlay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counterpart {
    /// The object itself: the server can judge a change of it.
    Itself,
    /// Nothing: it is judged as if it were made now.
    Nothing,
    /// Another one, which was deleted in the overlay: it must be judged under another name.
    Another,
}

/// What is done with the server's answer about a write.
#[derive(Debug)]
pub(super) enum WriteThen {
    /// It is what the write needed to know.
    Know(Lookup, Write),
    /// It is the verdict.
    Judge(Write),
    /// It is the object of which the server refused the version: the write is sent again with the new one.
    Again(Write, Response),
    /// It is what explains a refusal that came before.
    Explain(Lookup, Write, Response),
}

impl Rehearsal {
    /// Takes a request that would change something.
    pub(super) fn write(&mut self, verb: Verb, target: Target, request: Request) -> Next {
        match Write::read(verb, target, request) {
            Ok(write) => self.without_trace(write.is_dry, |this| this.advance(write)),
            Err(refusal) => Next::Answer(*refusal),
        }
    }

    /// Takes the answer to what a write asked.
    pub(super) fn finish_write(&mut self, then: WriteThen, answer: Response) -> Next {
        match then {
            WriteThen::Know(lookup, mut write) => {
                // The server is too busy even to be asked: the command asks again.
                if is_passing(answer.status()) {
                    return Next::Answer(answer);
                }
                self.learn(lookup, &mut write, &answer);
                self.without_trace(write.is_dry, |this| this.advance(write))
            }
            WriteThen::Judge(write) if write.version.is_outdated(&answer) => {
                if !write.version.may_be_read() {
                    let because = "somebody else changes it again and again at this time";
                    return self.without_trace(write.is_dry, |this| this.cannot_tell(&write, because));
                }
                let request = Lookup::Base.request(&write);
                Next::Ask(request, Continuation::write(WriteThen::Again(write, answer)))
            }
            WriteThen::Judge(write) => self.without_trace(write.is_dry, |this| this.judge(write, answer)),
            WriteThen::Again(mut write, refusal) => {
                if is_passing(answer.status()) {
                    return Next::Answer(answer);
                }
                let is_newer = write.version.learn(&answer);
                self.without_trace(write.is_dry, |this| {
                    if is_newer { this.advance(write) } else { this.judge(write, refusal) }
                })
            }
            WriteThen::Explain(lookup, mut write, refusal) => {
                self.learn(lookup, &mut write, &answer);
                self.without_trace(write.is_dry, |this| this.judge(write, refusal))
            }
        }
    }

    /// Asks for the next thing that the write needs to know, or sends it.
    pub(super) fn advance(&mut self, mut write: Write) -> Next {
        if write.base.is_none() {
            match self.known_base(&write) {
                Some(base) => write.base = Some(base),
                None => return ask(Lookup::Base, write),
            }
        }
        let definition = self.definition_of(&write.target).cloned();
        if (definition.is_none() || self.is_served(&write.target))
            && let Some(lookup) = self.backend_lookup(&write)
        {
            return ask(lookup, write);
        }
        if let Some(definition) = definition {
            return self.judge_custom(write, &definition);
        }
        match self.backend(&write.target.resource) {
            Backend::Own => {}
            backend => return self.hold_back(write, backend),
        }
        if let Some(lookup) = self.next_lookup(&write) {
            return ask(lookup, write);
        }
        self.send(write)
    }

    fn known_base(&self, write: &Write) -> Option<Base> {
        let Some(key) = Key::of(&write.target) else { return Some(Base::Absent) };
        if let Some(entry) = self.overlay.get(&key) {
            return Some(Base::of(entry));
        }
        match write.act {
            // The server says itself whether there is one.
            Act::Create => Some(Base::Absent),
            _ => self.reals.get(&key).cloned().map(Base::Real),
        }
    }

    /// Sends the write as a dry run, or answers it where the overlay alone knows.
    fn send(&mut self, mut write: Write) -> Next {
        let base = write.base.clone().unwrap_or(Base::Absent);
        let counterpart = counterpart(&base);
        if let (Base::Written { now: None, .. }, Act::Patch | Act::Update | Act::Delete) = (&base, write.act) {
            return Next::Answer(not_found(&write.target));
        }
        if let (Base::Written { now: Some(_), .. }, Act::Create) = (&base, write.act) {
            let answer = already_exists(&write.target);
            return self.judge(write, answer);
        }
        if let Some(because) = write.is_applied_blindly() {
            return self.cannot_tell(&write, because);
        }
        if write.act != Act::Delete && counterpart == Counterpart::Another && write.target.resource.names_by_spec() {
            let because = "it is deleted and made anew by the same command: its name is made of its spec, so it cannot be tried \
                           under another";
            return self.cannot_tell(&write, because);
        }
        self.disguise(&mut write, counterpart);
        if write.is_opaque && write.act != Act::Delete {
            return self.send_opaque(write, &base, counterpart);
        }
        match (write.act, counterpart) {
            (Act::Delete, Counterpart::Nothing | Counterpart::Another) if base.now().is_some() => {
                let answer = message::json_response(StatusCode::OK, &message::success());
                self.judge(write, answer)
            }
            (Act::Patch, _) if matches!(base, Base::Written { .. }) => self.send_patched(write, &base, counterpart),
            (Act::Update, Counterpart::Nothing | Counterpart::Another) if base.now().is_some() => {
                let object = as_new(&write.body);
                write.dispatch(Act::Create, &object)
            }
            (Act::Update, _) => {
                let object = write.body.clone();
                write.replace(object, base.real(), false)
            }
            (act, _) => {
                let body = write.body.clone();
                write.dispatch(act, &body)
            }
        }
    }

    /// Of a body that only the server reads, the metadata alone can be put in other words.
    fn send_opaque(&mut self, mut write: Write, base: &Base, counterpart: Counterpart) -> Next {
        let is_here_alone = base.now().is_some() && counterpart != Counterpart::Itself;
        let mut object = write.body.clone();
        if write.act == Act::Update {
            write.version.put_in(&mut object, base.real(), false);
        }
        let sent = write.disguise.put_on(&object);
        let is_as_it_came = sent == write.body && write.disguise == Disguise::default();
        let metadata = sent.get("metadata").unwrap_or(&Value::Null);
        let raw = if is_as_it_came { Some(write.raw.clone()) } else { protobuf::with_metadata(&write.raw, metadata) };
        match raw.filter(|_| !is_here_alone) {
            Some(raw) => {
                write.raw = raw;
                let act = write.act;
                write.dispatch(act, &object)
            }
            None => {
                self.cannot_tell(&write, "only the server can read its body, and it cannot be tried there as it is")
            }
        }
    }

    /// A patch of what the server does not have so is applied here; the result is judged as a whole (T10, T11).
    fn send_patched(&mut self, write: Write, base: &Base, counterpart: Counterpart) -> Next {
        let now = base.now().cloned().unwrap_or_default();
        let Some(patched) = self.apply_patch(&write, &now) else {
            return self.cannot_tell(&write, "its patch could not be applied to what the same command wrote before");
        };
        match counterpart {
            Counterpart::Itself => write.replace(patched, base.real(), true),
            Counterpart::Nothing | Counterpart::Another => write.dispatch(Act::Create, &as_new(&patched)),
        }
    }

    /// Returns the object after the write's patch, if it can be applied here.
    pub(super) fn apply_patch(&self, write: &Write, now: &Value) -> Option<Value> {
        let schema = self.schema_of(&write.target.resource, now);
        patch::apply(&write.content_type, now, &write.raw, schema.as_ref()).ok()
    }

    /// Puts on what the server must see instead of the truth.
    fn disguise(&self, write: &mut Write, counterpart: Counterpart) {
        let name = write.target.name.clone().unwrap_or_default();
        let is_made = matches!(write.act, Act::Create | Act::Apply | Act::Update | Act::Patch);
        if let Some(namespace) = write.target.namespace.clone().filter(|namespace| self.is_made_here(namespace)) {
            let stand_in = self.stand_in();
            write.disguise.move_to(&namespace, &stand_in);
            if write.is_stand_in_free == Some(false) {
                write.disguise.rename(&name);
            }
        }
        if is_made && counterpart == Counterpart::Another {
            write.disguise.rename(&name);
        }
    }

    /// Tells whether the namespace was made in the overlay and is not on the server.
    pub(super) fn is_made_here(&self, namespace: &str) -> bool {
        let resource = Resource { group: String::new(), version: "v1".to_owned(), plural: "namespaces".to_owned() };
        let entry = self.overlay.get(&Key::new(&resource, None, namespace));
        entry.is_some_and(|entry| entry.real.is_none() && entry.object().is_some())
    }

    /// Returns the namespace that stands in for one that is not there yet: that of the release, else `default`.
    pub(super) fn stand_in(&self) -> String {
        let own = self.settings.release.as_ref().map(|release| release.namespace.clone());
        own.filter(|namespace| is_path_part(namespace) && !self.is_made_here(namespace))
            .unwrap_or_else(|| "default".to_owned())
    }
}

fn ask(lookup: Lookup, write: Write) -> Next {
    let request = lookup.request(&write);
    Next::Ask(request, Continuation::write(WriteThen::Know(lookup, write)))
}

fn counterpart(base: &Base) -> Counterpart {
    match base {
        Base::Absent | Base::Written { real: None, .. } => Counterpart::Nothing,
        Base::Written { is_replaced: true, .. } => Counterpart::Another,
        Base::Real(_) | Base::Unread | Base::Written { .. } => Counterpart::Itself,
    }
}

/// Tells whether the command is told to ask again later.
pub(super) fn is_passing(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::UNAUTHORIZED
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

impl Write {
    /// Returns the write that a request asks for; else the answer to a request that cannot be read.
    fn read(verb: Verb, mut target: Target, request: Request) -> Result<Self, Box<Response>> {
        let content_type = message::content_type(request.headers());
        let media = content_type.split(';').next().unwrap_or_default().trim().to_owned();
        let act = match verb {
            Verb::Create => Act::Create,
            Verb::Update => Act::Update,
            Verb::Delete => Act::Delete,
            _ if media == "application/apply-patch+yaml" => Act::Apply,
            _ => Act::Patch,
        };
        let (mut body, is_opaque) = read_body(&media, request.body())?;
        if act == Act::Create && target.name.is_none() {
            target.name = body.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned);
        }
        // Clients leave the namespace to the path; what is kept and shown says it.
        if !matches!(act, Act::Delete | Act::Patch)
            && let (Some(namespace), Some(metadata)) =
                (&target.namespace, body.get_mut("metadata").and_then(Value::as_object_mut))
        {
            metadata.entry("namespace").or_insert_with(|| Value::String(namespace.clone()));
        }
        let is_dry = own_dry_run::is_asked(verb, &request, &body);
        let passed_on = ["fieldManager", "fieldValidation", "force"];
        let query = query(&request).filter(|(key, _)| passed_on.contains(&key.as_str())).collect();
        let user_agent = request.headers().get(header::USER_AGENT).cloned();
        let raw = request.into_body();
        Ok(Self {
            act,
            target,
            body,
            raw,
            is_opaque,
            content_type: media,
            query,
            user_agent,
            is_dry,
            base: None,
            disguise: Disguise::default(),
            is_stand_in_free: None,
            version: Version::default(),
        })
    }

    /// Tells whether only the server can read its body.
    pub(super) fn is_opaque(&self) -> bool {
        self.is_opaque
    }

    /// Tells whether the client itself asks for a dry run: the overlay stays as it is.
    pub(super) fn is_dry(&self) -> bool {
        self.is_dry
    }

    /// Tells whether an unknown field refuses it: what `fieldValidation=Strict` asks for.
    pub(super) fn is_strict(&self) -> bool {
        self.query.iter().any(|(key, value)| key == "fieldValidation" && value == "Strict")
    }

    /// Tells whether server-side apply takes a field from its other owners.
    pub(super) fn is_forced(&self) -> bool {
        self.query.iter().any(|(key, value)| key == "force" && value == "true")
    }

    /// Returns the field manager, by the name that the server gives to a client that says none.
    ///
    /// Source: `k8s.io/apiserver/pkg/endpoints/handlers` `managerOrUserAgent`.
    pub(super) fn manager(&self) -> String {
        let said = self.query.iter().find(|(key, value)| key == "fieldManager" && !value.is_empty());
        let agent = || self.user_agent.as_ref()?.to_str().ok()?.split('/').next();
        said.map(|(_, manager)| manager.as_str()).or_else(agent).unwrap_or_default().to_owned()
    }

    /// Returns why nobody can tell what this server-side apply does; nothing if the server can.
    pub(super) fn is_applied_blindly(&self) -> Option<&'static str> {
        let is_apply = self.act == Act::Apply;
        let author = self.base.as_ref().filter(|base| is_apply && base.now().is_some()).and_then(Base::author)?;
        (!author.leaves_apply(self)).then_some(
            "the same command wrote it before in another way than by this server-side apply: whose its fields are then is \
             not known",
        )
    }

    /// Asks what explains a refusal, before it is judged.
    pub(super) fn explain(self, lookup: Lookup, refusal: Response) -> Next {
        let request = lookup.request(&self);
        Next::Ask(request, Continuation::write(WriteThen::Explain(lookup, self, refusal)))
    }

    /// Tells whether it is a strategic merge patch, which needs the schema of its kind.
    pub(super) fn is_strategic(&self) -> bool {
        self.content_type == "application/strategic-merge-patch+json"
    }

    /// Returns a read for this write, in the name of the same client.
    pub(super) fn get(&self, path: &str, query: &[(String, String)]) -> Request {
        self.request(Method::GET, path, query, Vec::new(), "application/json")
    }

    /// Sends the whole object in place of the one that the server has, `real`; `is_patched`: the command sent a patch of it.
    fn replace(mut self, mut object: Value, real: Option<&Value>, is_patched: bool) -> Next {
        self.version.put_in(&mut object, real, is_patched);
        self.dispatch(Act::Update, &object)
    }

    /// Sends the write as a dry run; `act` may differ from what was asked.
    pub(super) fn dispatch(self, act: Act, body: &Value) -> Next {
        let name = self.target.name.clone().unwrap_or_default();
        let namespace = self.disguise.namespace(self.target.namespace.as_deref()).map(str::to_owned);
        let collection = self.target.resource.path(namespace.as_deref(), None);
        let object = self.target.resource.path(namespace.as_deref(), Some(self.disguise.name(&name)));
        let mut query = self.query.clone();
        query.push(("dryRun".to_owned(), "All".to_owned()));
        let json = "application/json";
        let put_on = || self.disguise.put_on(body).to_string().into_bytes();
        let (path, content, content_type) = match act {
            Act::Create => (collection, put_on(), json),
            Act::Update => (object, put_on(), json),
            Act::Apply => (object, put_on(), "application/apply-patch+yaml"),
            Act::Patch => (object, self.raw.clone(), self.content_type.as_str()),
            // With a body the server reads `dryRun` from it alone, and would really delete (T1).
            Act::Delete => (object, delete_options(body).to_string().into_bytes(), json),
        };
        let method = act.method();
        let request = if self.is_opaque && act != Act::Delete {
            self.request(method, &path, &query, self.raw.clone(), &self.content_type)
        } else {
            self.request(method, &path, &query, content, content_type)
        };
        Next::Ask(request, Continuation::write(WriteThen::Judge(self)))
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        query: &[(String, String)],
        body: Vec<u8>,
        content_type: &str,
    ) -> Request {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(agent) = &self.user_agent {
            headers.insert(header::USER_AGENT, agent.clone());
        }
        if let Ok(value) = HeaderValue::from_str(content_type) {
            headers.insert(header::CONTENT_TYPE, value);
        }
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.headers_mut() = headers;
        *request.uri_mut() = message::uri(path, query);
        request
    }
}

/// The client's options for a deletion, as a dry run.
fn delete_options(options: &Value) -> Value {
    const KEPT: [&str; 4] = ["propagationPolicy", "gracePeriodSeconds", "preconditions", "orphanDependents"];
    let mut sent = Map::new();
    for field in KEPT {
        let Some(value) = options.get(field).filter(|value| !value.is_null()) else { continue };
        sent.insert(field.to_owned(), value.clone());
    }
    sent.extend([
        ("kind".to_owned(), json!("DeleteOptions")),
        ("apiVersion".to_owned(), json!("v1")),
        ("dryRun".to_owned(), json!(["All"])),
    ]);
    let mut sent = Value::Object(sent);
    // A version of the overlay is unknown to the server.
    let version = sent.pointer("/preconditions/resourceVersion").and_then(Value::as_str);
    if version.is_some_and(super::overlay::is_made_up)
        && let Some(preconditions) = sent.pointer_mut("/preconditions").and_then(Value::as_object_mut)
    {
        preconditions.shift_remove("resourceVersion");
    }
    sent
}

/// Returns the body as JSON, and whether it is one that only the server can read as a whole: kubectl writes every built-in kind
/// in the protobuf form.
fn read_body(media: &str, body: &[u8]) -> Result<(Value, bool), Box<Response>> {
    if body.is_empty() {
        return Ok((Value::Null, false));
    }
    let refuse = |status: StatusCode, reason: &str, because: String| {
        let message = format!("the rehearsal cannot read this request: {because}");
        let status_body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
            "reason": reason, "code": status.as_u16(),
        });
        Box::new(message::json_response(status, &status_body))
    };
    let read = match media {
        "application/vnd.kubernetes.protobuf" => match protobuf::decode(body) {
            Err(protobuf::ProtobufError::UnknownKind { .. }) => {
                return Ok((protobuf::decode_head(body).unwrap_or_default(), true));
            }
            decoded => decoded,
        }
        .map_err(|error| refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", error.to_string())),
        "application/apply-patch+yaml" | "application/yaml" => {
            let text = String::from_utf8_lossy(body);
            serde_json::from_str(&text).or_else(|_| yaml::parse_mapping(&text).map(Value::Object)).map_err(|error| {
                refuse(StatusCode::BAD_REQUEST, "BadRequest", format!("its YAML does not parse: {error}"))
            })
        }
        ""
        | "application/json"
        | "application/json-patch+json"
        | "application/merge-patch+json"
        | "application/strategic-merge-patch+json" => serde_json::from_slice(body).map_err(|error| {
            refuse(StatusCode::BAD_REQUEST, "BadRequest", format!("its JSON does not parse: {error}"))
        }),
        other => Err(refuse(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            format!("content type `{other}` is none that Helm or kubectl sends"),
        )),
    };
    read.map(|body| (body, false))
}
