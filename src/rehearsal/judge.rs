//! Writes, on their way back: the server's verdict, what it leaves out, and what the overlay then holds.

use http::StatusCode;
use serde_json::{Value, json};

use super::aggregation::Backend;
use super::author::Author;
use super::call::{Resource, Target};
use super::crd::{Apply, Definition};
use super::message::{self, Next, Response};
use super::overlay::Key;
use super::ready;
use super::refusal::{self, Refusal, RefusedWrite};
use super::ruling::Ruling;
use super::write::{Act, Base, Write, is_passing};
use super::{Rehearsal, deletion, diff, disguise, immutable, own_dry_run, replica_set};
use crate::domain::object::{HOOK_ANNOTATION, ObjectRef};
use crate::domain::rehearsed::{Class, FieldChange, Finding, Mode, Remedy, Verdict};

impl Rehearsal {
    /// Takes the server's answer to a write.
    pub(super) fn judge(&mut self, mut write: Write, answer: Response) -> Next {
        let status = answer.status();
        let mut body: Value = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
        if status.is_success() {
            write.disguise.take_off(&mut body);
            return match write.act {
                Act::Delete => self.accept_deletion(&write, &body),
                _ => self.accept(write, body, status),
            };
        }
        if is_passing(status) {
            return Next::Answer(answer);
        }
        let is_pod = write.target.resource.group.is_empty() && write.target.resource.plural == "pods";
        let desired = write.body.clone();
        if is_pod {
            let namespace = write.target.namespace.clone();
            let is_made_here = |plural: &str, name: &str| self.has_written(namespace.as_deref(), plural, name);
            if write.disguise.drop_references(&desired, is_made_here) {
                return self.advance(write);
            }
            let said = body.get("message").and_then(Value::as_str).unwrap_or_default();
            if write.is_opaque() && self.names_what_is_made(write.target.namespace.as_deref(), said) {
                return self
                    .cannot_tell(&write, "it names what the same command makes, and only the server can read it");
            }
        }
        write.disguise.take_off_status(&mut body);
        let answer = message::json_response(status, &body);
        if is_for_the_command(&write, status, &body) {
            return Next::Answer(answer);
        }
        if let Some(lookup) = self.refusal_lookup(&write) {
            return write.explain(lookup, answer);
        }
        let base = write.base.clone().unwrap_or(Base::Absent);
        if base.author().is_some_and(|author| author.excuses(&write, &body)) {
            return self.cannot_tell(
                &write,
                "the same command takes its fields over first, of which the server knows nothing",
            );
        }
        let patched = base.now().filter(|_| write.act == Act::Patch).and_then(|now| self.apply_patch(&write, now));
        let desired = patched.unwrap_or(desired);
        let object = self.object_of(&write, &desired);
        let refused = RefusedWrite {
            object: &object,
            act: write.act,
            code: status.as_u16(),
            status: &body,
            live: base.now(),
            desired: Some(&desired),
        };
        let refusal = refusal::classify(&refused);
        if let (Some(key), Refusal::Findings(findings)) = (Key::of(&write.target), &refusal)
            && let Some(because) = self.overrule(&key, &object, &base, &desired, findings)
        {
            return self.cannot_tell(&write, &because);
        }
        match refusal {
            Refusal::Passing => Next::Answer(answer),
            Refusal::Unpredictable { because } => self.cannot_tell(&write, &because),
            Refusal::Findings(findings) if write.disguise.is_elsewhere() && findings.iter().all(is_policy) => {
                let because = "its namespace is made by the same command: what is allowed there is not known yet";
                self.cannot_tell(&write, because)
            }
            Refusal::Findings(mut findings) => {
                // Helm asks whose it is before it writes: that is in the way as well.
                if let Some(foreign) = self.foreign(&write, &object, &base, &desired) {
                    findings.retain(|finding| !is_about_marks(finding));
                    findings.push(foreign);
                }
                self.refuse(&write, findings, answer)
            }
        }
    }

    /// A write of a custom resource whose definition the same command brings: the server cannot judge it yet, so it is judged
    /// by the definition.
    pub(super) fn judge_custom(&mut self, write: Write, definition: &Definition) -> Next {
        let base = write.base.clone().unwrap_or(Base::Absent);
        if write.act == Act::Delete {
            return match (base.now(), base.real()) {
                (None, None) => Next::Answer(super::read::not_found(&write.target)),
                // The definition is only changed: the object is there, and the server can judge its deletion.
                (Some(_), Some(_))
                    if self.is_served(&write.target) && self.backend(&write.target.resource) == Backend::Own =>
                {
                    let options = write.body.clone();
                    write.dispatch(Act::Delete, &options)
                }
                _ => self.accept_deletion(&write, &message::success()),
            };
        }
        let mut old = base.now().cloned();
        let desired = match write.act {
            Act::Patch => match base.now().and_then(|now| self.apply_patch(&write, now)) {
                Some(patched) => patched,
                None if base.now().is_none() => return Next::Answer(super::read::not_found(&write.target)),
                None => return self.cannot_tell(&write, "its patch could not be applied"),
            },
            Act::Apply => match applied(&write, &base, definition) {
                Ok(desired) => {
                    let api_version = desired.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
                    old = old.map(|old| definition.as_read(&old, api_version));
                    desired
                }
                Err(because) => return self.cannot_tell(&write, &because),
            },
            _ => write.body.clone(),
        };
        let checked = match write.act {
            Act::Apply => definition.check_applied(&desired, old.as_ref()),
            _ => definition.check(&desired, old.as_ref()),
        };
        if !checked.unknown_fields.is_empty() && write.is_strict() {
            let object = self.object_of(&write, &desired);
            let findings: Vec<Finding> =
                checked.unknown_fields.iter().map(|field| unknown_field(&object, field)).collect();
            let answer = invalid(&findings);
            return self.refuse(&write, findings, answer);
        }
        if !checked.findings.is_empty() {
            let answer = invalid(&checked.findings);
            return self.refuse(&write, checked.findings, answer);
        }
        if let Some(because) = checked.unpredictable.first() {
            return self.cannot_tell(&write, because);
        }
        self.accept(write, checked.defaulted, StatusCode::CREATED)
    }

    /// The server takes the write. What a dry run leaves out is checked here.
    fn accept(&mut self, mut write: Write, object: Value, status: StatusCode) -> Next {
        if write.target.name.is_none() {
            write.target.name = object.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned);
        }
        let Some(key) = Key::of(&write.target) else { return Next::Answer(message::json_response(status, &object)) };
        let base = write.base.clone().unwrap_or(Base::Absent);
        let named = self.object_of(&write, &object);
        let mut refusing = Vec::new();
        if let Base::Written { now: Some(now), .. } = &base {
            refusing.extend(immutable_findings(&named, now, &object));
        }
        let mut unpredictable = None;
        match self.rule(&write, &key, &named, &base, &object) {
            Ruling::Fits => {}
            Ruling::Findings(findings) => refusing.extend(findings),
            Ruling::Unpredictable { because } => unpredictable = Some(because),
        }
        if !refusing.is_empty() {
            let answer = invalid(&refusing);
            return self.refuse(&write, refusing, answer);
        }
        if !is_record(&object) {
            let (findings, is_foreign) = self.look_at_owner(&write, &named, &base, &object);
            self.account.find(findings);
            let verdict = match (is_foreign, unpredictable) {
                (true, _) => Verdict::Refused,
                (false, Some(because)) => Verdict::Unpredictable { because },
                (false, None) => Verdict::Accepted,
            };
            self.account.write(&key, named, verdict, is_hook(&object));
        }
        self.keep(&key, object, &write, status)
    }

    /// The server refuses the write, or would when it is no dry run. Of a body that only the server reads no success is made up.
    fn refuse(&mut self, write: &Write, findings: Vec<Finding>, answer: Response) -> Next {
        self.account.find(findings);
        self.make_up(
            write,
            Verdict::Refused,
            (self.settings.mode == Mode::AsHelm || write.is_opaque()).then_some(answer),
        )
    }

    /// Nobody can tell what the server would say.
    pub(super) fn cannot_tell(&mut self, write: &Write, because: &str) -> Next {
        self.make_up(write, Verdict::Unpredictable { because: because.to_owned() }, None)
    }

    /// Goes on as if the write had succeeded, unless there is an answer to hand on.
    fn make_up(&mut self, write: &Write, verdict: Verdict, answer: Option<Response>) -> Next {
        let base = write.base.clone().unwrap_or(Base::Absent);
        let Some(key) = Key::of(&write.target) else {
            // What has no name yet is no object of the account.
            if let Verdict::Unpredictable { because } = verdict {
                self.note(format!("a write of {} with a generated name: {because}", write.target.resource.plural));
            }
            return Next::Answer(answer.unwrap_or_else(|| message::json_response(StatusCode::CREATED, &write.body)));
        };
        let last = base.now().cloned().unwrap_or_else(|| write.body.clone());
        let object = match write.act {
            Act::Delete => last.clone(),
            // Of a body that only the server reads a part is known: the rest stays as it was.
            Act::Update if write.is_opaque() => merged(base.now(), &write.body),
            Act::Create | Act::Update => write.body.clone(),
            Act::Apply => merged(base.now(), &write.body),
            Act::Patch => self.apply_patch(write, &last).unwrap_or_else(|| last.clone()),
        };
        if !is_record(&object) {
            self.account.write(&key, self.object_of(write, &object), verdict, is_hook(&object));
        }
        if let Some(answer) = answer {
            // Nothing was written, but what was refused is told with the object as it is.
            if self.overlay.get(&key).is_none() && !is_record(&object) {
                self.account.untouched(&key, base.real().is_some());
            }
            return Next::Answer(answer);
        }
        if write.act == Act::Delete {
            self.remove(write, key, last, &base);
            return Next::Answer(message::json_response(StatusCode::OK, &message::success()));
        }
        self.keep(&key, object, write, StatusCode::OK)
    }

    /// Puts the object into the overlay, with what controllers would make of it at once, and answers with it.
    fn keep(&mut self, key: &Key, mut object: Value, write: &Write, status: StatusCode) -> Next {
        let base = write.base.as_ref().unwrap_or(&Base::Absent);
        if write.is_dry() {
            let answered = own_dry_run::answered(object, base);
            if answered.get("kind").and_then(Value::as_str) == Some("Secret") {
                self.tried_secrets.push(answered.clone());
            }
            return Next::Answer(message::json_response(status, &answered));
        }
        let author = Author::after(write, &object);
        let now = self.settings.now.clone();
        ready::make_ready(&mut object, &now);
        let mut kept = self.overlay.put(key.clone(), object, base.real(), &now);
        // The generation was given with the version: the status must have seen it.
        let mut settled = kept.clone();
        ready::make_ready(&mut settled, &now);
        if settled != kept {
            kept = self.overlay.put(key.clone(), settled, base.real(), &now);
        }
        self.overlay.sign(key, author);
        match (key.group.as_str(), key.plural.as_str()) {
            ("apps", "deployments") => self.replace_replica_sets(&kept, base),
            ("apiextensions.k8s.io", "customresourcedefinitions") => self.define(&kept),
            _ => {}
        }
        Next::Answer(message::json_response(status, &kept))
    }

    /// Takes the object out of the overlay.
    fn remove(&mut self, write: &Write, key: Key, last: Value, base: &Base) {
        if !write.is_dry() {
            self.overlay.remove(key, last, base.real());
        }
    }

    /// Helm 3 waits for the newest `ReplicaSet`: it is made up, and the real ones are hidden.
    fn replace_replica_sets(&mut self, deployment: &Value, base: &Base) {
        if let Some(uid) = base.real().and_then(|real| real.pointer("/metadata/uid")).and_then(Value::as_str) {
            self.hidden_owners.insert(uid.to_owned());
        }
        let Some(replica_set) = replica_set::replica_set_of(deployment, &self.settings.now) else { return };
        let text = |pointer: &str| replica_set.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let key = Key {
            group: "apps".to_owned(),
            plural: "replicasets".to_owned(),
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name"),
        };
        // The new one takes the place of the one that was made up before it.
        let own_uid = deployment.pointer("/metadata/uid");
        let old: Vec<(Key, Value)> = self
            .overlay
            .present()
            .filter(|(other, object)| {
                other.plural == "replicasets"
                    && **other != key
                    && object.pointer("/metadata/ownerReferences/0/uid") == own_uid
            })
            .map(|(other, object)| (other.clone(), object.clone()))
            .collect();
        for (other, object) in old {
            self.overlay.remove(other, object, None);
        }
        let now = self.settings.now.clone();
        self.overlay.put(key, replica_set, None, &now);
    }

    /// The object goes, as far as the server can tell.
    fn accept_deletion(&mut self, write: &Write, answer: &Value) -> Next {
        let base = write.base.clone().unwrap_or(Base::Absent);
        let Some(key) = Key::of(&write.target) else {
            return Next::Answer(message::json_response(StatusCode::OK, answer));
        };
        let last = base.now().cloned().unwrap_or_else(|| answer.clone());
        self.give_back(&key, &self.object_of(write, &last), base.now());
        if !is_record(&last) {
            let named = self.object_of(write, &last);
            // What the command made itself is nobody else's.
            if let Some(real) = base.real() {
                let release = self.acting_release(real);
                let release = release.as_ref().map(|(namespace, name)| (namespace.as_str(), name.as_str()));
                let count = self.known.custom_objects.get(&key.name).copied().flatten();
                self.account.find(deletion::judge(&named, real, release, count));
            }
            self.account.write(&key, named, Verdict::Accepted, is_hook(&last));
        }
        self.remove(write, key, last, &base);
        Next::Answer(message::json_response(StatusCode::OK, answer))
    }

    /// Returns the release (namespace, name) for which the command acts on an object: the one that is rehearsed. Of a command
    /// of which we know nothing it is the object's own, if the command has written a record of it: Helm does so before it
    /// deletes. Nothing if it acts for none.
    fn acting_release(&self, live: &Value) -> Option<(String, String)> {
        if let Some(release) = &self.settings.release {
            return Some((release.namespace.clone(), release.name.clone()));
        }
        let annotation = |key: &str| live.get("metadata")?.get("annotations")?.get(key)?.as_str();
        let namespace = annotation("meta.helm.sh/release-namespace")?;
        let name = annotation("meta.helm.sh/release-name")?;
        let mut records = self.overlay.present().filter(|(_, object)| is_record(object));
        let is_its_own = records.any(|(key, record)| {
            key.namespace == namespace && record.pointer("/metadata/labels/name").and_then(Value::as_str) == Some(name)
        });
        is_its_own.then(|| (namespace.to_owned(), name.to_owned()))
    }

    /// Returns findings on whose object it was before, and whether it is somebody else's.
    fn look_at_owner(&self, write: &Write, named: &ObjectRef, base: &Base, after: &Value) -> (Vec<Finding>, bool) {
        if let Some(foreign) = self.foreign(write, named, base, after) {
            return (vec![foreign], true);
        }
        let (Some(release), Base::Real(live)) = (&self.settings.release, base) else { return (Vec::new(), false) };
        match release.manifest_of(named).filter(|_| write.act != Act::Delete && !is_hook(after)) {
            Some(manifest) => {
                let edits = diff::hand_edits(manifest, live, after);
                (edits.into_iter().map(|edit| hand_edit(named, edit)).collect(), false)
            }
            None => (Vec::new(), false),
        }
    }

    /// Returns a finding if the object is there before the command and Helm does not take it for the release's own.
    fn foreign(&self, write: &Write, named: &ObjectRef, base: &Base, after: &Value) -> Option<Finding> {
        let (Some(release), Base::Real(live)) = (&self.settings.release, base) else { return None };
        // Nobody asks whose a hook is, nor what is deleted. Nor what Helm does not mark as the release's own: it applies `crds/`
        // and the namespace that it is to create as they are, whoever has them.
        let is_asked = write.act != Act::Delete && !is_hook(after) && release.marks(after, live);
        // A hook of the current revision is no object of its manifest.
        let is_foreign = is_asked && release.manifest_of(named).is_none_or(is_hook) && !release.owns(live);
        is_foreign.then(|| ownership(named, live))
    }

    /// Names the object of a write; what the body does not say (a patch) its present state does, or the server's discovery.
    pub(super) fn object_of(&self, write: &Write, object: &Value) -> ObjectRef {
        let now = write.base.as_ref().and_then(Base::now);
        let text = |field: &str| {
            let of = |value: &Value| value.get(field).and_then(Value::as_str).map(str::to_owned);
            of(object).or_else(|| now.and_then(of))
        };
        let Target { resource, namespace, name, .. } = &write.target;
        let by_resource = || self.kinds.of(resource).unwrap_or(&resource.plural).to_owned();
        ObjectRef {
            api_version: text("apiVersion").unwrap_or_else(|| resource.api_version()),
            kind: text("kind").unwrap_or_else(by_resource),
            namespace: namespace.clone(),
            name: name.clone().unwrap_or_default(),
        }
    }

    /// Tells whether a refusal of a pod in `namespace` names what the same command made and a pod can refer to.
    fn names_what_is_made(&self, namespace: Option<&str>, said: &str) -> bool {
        let is_named = |word: &str, (key, _): (&Key, &Value)| {
            disguise::is_referred_to(&key.plural) && key.name == word && is_near(key, namespace)
        };
        let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.');
        said.split(|letter| !is_of_name(letter)).any(|word| self.overlay.present().any(|found| is_named(word, found)))
    }

    /// Tells whether the same command made an object of that name, where one in `namespace` could see it.
    fn has_written(&self, namespace: Option<&str>, plural: &str, name: &str) -> bool {
        self.overlay.present().any(|(key, _)| key.plural == plural && key.name == name && is_near(key, namespace))
    }
}

fn is_near(key: &Key, namespace: Option<&str>) -> bool {
    key.namespace.is_empty() || Some(key.namespace.as_str()) == namespace
}

/// Tells whether an answer is the command's own business: it asked for something that is not there, or makes what may be
/// there already (T6).
fn is_for_the_command(write: &Write, status: StatusCode, body: &Value) -> bool {
    let Resource { group, plural, .. } = &write.target.resource;
    let reason = body.get("reason").and_then(Value::as_str).unwrap_or_default();
    let named = body.pointer("/details/name").and_then(Value::as_str);
    match (status, write.act) {
        (StatusCode::NOT_FOUND, Act::Patch | Act::Update | Act::Delete) => named == write.target.name.as_deref(),
        (StatusCode::CONFLICT, Act::Create) if reason == "AlreadyExists" => matches!(
            (group.as_str(), plural.as_str()),
            ("", "namespaces") | ("apiextensions.k8s.io", "customresourcedefinitions")
        ),
        _ => false,
    }
}

fn is_policy(finding: &Finding) -> bool {
    matches!(finding.class, Class::Admission | Class::Quota)
}

/// Tells whether a conflict is about the marks of a release alone: whoever gives the object to the release sets just these.
fn is_about_marks(finding: &Finding) -> bool {
    let marks = ["meta.helm.sh/release-name", "meta.helm.sh/release-namespace", "app.kubernetes.io/managed-by"];
    let is_mark = |path: &str| path.starts_with("metadata.") && marks.iter().any(|mark| path.contains(mark));
    finding.class == Class::ApplyConflict
        && !finding.fields.is_empty()
        && finding.fields.iter().all(|field| is_mark(&field.path))
}

/// Tells whether an object is Helm's own record of a release.
///
/// Source: Helm `pkg/storage/driver/secrets.go`, `cfgmaps.go`.
pub(super) fn is_record(object: &Value) -> bool {
    let is_kept = matches!(object.get("kind").and_then(Value::as_str), Some("Secret" | "ConfigMap"));
    is_kept && object.pointer("/metadata/labels/owner").and_then(Value::as_str) == Some("helm")
}

/// Tells whether the object is written as a hook. What was one in an earlier revision may have kept the annotation, but only what is
/// no hook is marked as the release's own.
///
/// Source: Helm `pkg/action/upgrade.go`: `setMetadataVisitor` goes over the manifest's objects alone.
fn is_hook(object: &Value) -> bool {
    let annotation = |key: &str| object.get("metadata").and_then(|metadata| metadata.get("annotations")?.get(key));
    annotation(HOOK_ANNOTATION).is_some() && annotation("meta.helm.sh/release-name").is_none()
}

/// The custom resource after a server-side apply, in the shape of the definition that the same command brings; else why nobody can
/// tell.
fn applied(write: &Write, base: &Base, definition: &Definition) -> Result<Value, String> {
    if let Some(because) = write.is_applied_blindly() {
        return Err(because.to_owned());
    }
    let live = match base {
        Base::Unread => return Err("the object that is there could not be read".to_owned()),
        Base::Absent | Base::Written { now: None, .. } => None,
        Base::Real(live) => Some(live),
        Base::Written { author: Author::Created { .. }, now, .. } => now.as_ref(),
        // What this manager applied in the run before, it leaves out or applies again.
        Base::Written { real, is_replaced, .. } => real.as_ref().filter(|_| !is_replaced),
    };
    let Some(live) = live else { return Ok(write.body.clone()) };
    let manager = write.manager();
    definition.merge_applied(live, Apply { body: &write.body, manager: &manager, is_forced: write.is_forced() })
}

/// The object after an apply that nobody refuses: the fields that are applied win.
fn merged(now: Option<&Value>, applied: &Value) -> Value {
    let Some(now) = now else { return applied.clone() };
    let mut merged = now.clone();
    json_patch::merge(&mut merged, applied);
    merged
}

/// The refusal of a write that a dry run lets pass.
fn invalid(findings: &[Finding]) -> Response {
    let is_quota = findings.iter().any(|finding| finding.class == Class::Quota);
    let (status, reason) =
        if is_quota { (StatusCode::FORBIDDEN, "Forbidden") } else { (StatusCode::UNPROCESSABLE_ENTITY, "Invalid") };
    let causes: Vec<&str> = findings.iter().map(|finding| finding.cause.as_str()).collect();
    let object = findings.first().map_or_else(String::new, |finding| format!("{}: ", finding.object));
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": format!("{object}{}", causes.join(", ")), "reason": reason, "code": status.as_u16(),
    });
    message::json_response(status, &body)
}

/// Immutable fields of an object that lives in the overlay alone (T20).
fn immutable_findings(named: &ObjectRef, before: &Value, after: &Value) -> Option<Finding> {
    let paths = immutable::immutable_changes(named.group(), &named.kind, before, after);
    if paths.is_empty() {
        return None;
    }
    let changes = diff::changes(before, after);
    let fields: Vec<FieldChange> = paths
        .iter()
        .flat_map(|path| {
            let inner: Vec<FieldChange> =
                changes.iter().filter(|change| change.path.starts_with(path)).cloned().collect();
            if inner.is_empty() { vec![FieldChange { path: path.clone(), before: None, after: None }] } else { inner }
        })
        .collect();
    Some(Finding {
        class: Class::ImmutableField,
        object: named.clone(),
        fields,
        who: None,
        cause: format!("{} cannot be changed once it is set", paths.join(", ")),
        remedy: Remedy::Person { text: "delete the object first, or keep the field as it was".to_owned() },
    })
}

/// Source: `k8s.io/apiextensions-apiserver` strict field validation.
fn unknown_field(object: &ObjectRef, field: &str) -> Finding {
    Finding {
        class: Class::Validation,
        object: object.clone(),
        fields: vec![FieldChange { path: field.to_owned(), before: None, after: None }],
        who: None,
        cause: format!("unknown field `{field}`"),
        remedy: Remedy::Person { text: format!("take `{field}` out, or bring a definition that has it") },
    }
}

fn hand_edit(named: &ObjectRef, edit: diff::HandEdit) -> Finding {
    let who = edit.manager;
    let by = who.as_ref().map_or_else(String::new, |who| format!(" by {who}"));
    Finding {
        class: Class::HandEdit,
        object: named.clone(),
        cause: format!(
            "{} was changed{by} since the release was installed, and the upgrade changes it back",
            edit.change.path
        ),
        fields: vec![edit.change],
        who,
        remedy: Remedy::Person { text: "set it in the release's values if it is to stay".to_owned() },
    }
}

/// Source: Helm `pkg/action/validate.go`: what exists and lacks the release's marks is refused.
fn ownership(named: &ObjectRef, live: &Value) -> Finding {
    let annotation = |key: &str| live.get("metadata")?.get("annotations")?.get(key)?.as_str();
    let release = annotation("meta.helm.sh/release-namespace").zip(annotation("meta.helm.sh/release-name"));
    let who = release.map(|(namespace, name)| format!("release {namespace}/{name}"));
    let manager = || {
        let fields = live.pointer("/metadata/managedFields")?.as_array()?;
        Some(format!("field manager {}", fields.first()?.get("manager")?.as_str()?))
    };
    let cause = match &who {
        Some(who) => format!("it exists and belongs to {who}"),
        None => "it exists and does not belong to the release".to_owned(),
    };
    Finding {
        class: Class::Ownership,
        object: named.clone(),
        fields: Vec::new(),
        who: who.or_else(manager),
        cause,
        remedy: Remedy::Person {
            text: format!(
                "delete {named} if nobody needs it, or give it to the release: label app.kubernetes.io/managed-by=Helm, annotations meta.helm.sh/release-name and meta.helm.sh/release-namespace"
            ),
        },
    }
}
