//! Bodies in Kubernetes' protobuf form, read into the JSON that the API server takes as well.
//!
//! Helm sends two kinds of objects through typed clients, which prefer protobuf: its release records, as Secrets or (with
//! `HELM_DRIVER=configmap`) ConfigMaps, and the options with which it deletes those and, with Helm 3's `--recreate-pods`,
//! pods. All else, namespaces and hooks included, it sends as JSON or YAML. kubectl sends every built-in kind so: of those
//! others only what all of them have in common is read ([`decode_head`]).
//!
//! Sources: Helm 3.17.4, 3.22.0 and 4.3.1 `pkg/action/lazyclient.go`, and Helm 3 `pkg/action/upgrade.go` (`recreate`), are all
//! the places that write through a typed client. The form: `k8s.io/apimachinery/pkg/runtime/serializer/protobuf`.
//!
//! Bytes from outside cannot make this allocate without bounds: `prost` compares every length with what is left of the body
//! before it allocates, and no message here holds itself. What comes out is a small multiple of the body, whose size the
//! caller limits.

mod head;
mod messages;
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use prost::Message as _;
use serde_json::{Map, Value};
use thiserror::Error;

pub(super) use head::{decode_head, with_metadata};
use messages::{ConfigMap, DeleteOptions, ObjectMeta, OwnerReference, Preconditions, Secret, Time, TypeMeta, Unknown};

/// The media type of such bodies.
///
/// Source: `k8s.io/apimachinery/pkg/runtime` `ContentTypeProtobuf`.
pub(super) const CONTENT_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// What such a body begins with.
///
/// Source: `k8s.io/apimachinery/pkg/runtime/serializer/protobuf` `protoEncodingPrefix`.
const MAGIC: &[u8] = b"k8s\0";

/// Go's zero time, 0001-01-01T00:00:00Z, stands for no time.
const NO_TIME: i64 = -62_135_596_800;

/// Why a body could not be read. No value of an object is in it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum ProtobufError {
    /// It does not begin as Kubernetes' protobuf form does.
    #[error("the body is not in Kubernetes' protobuf form: it does not begin with `k8s` and a zero byte")]
    NotProtobuf,
    /// Its envelope cannot be read, so that its kind is not known.
    #[error("the envelope of a protobuf body (its kind) is damaged")]
    DamagedEnvelope {
        /// What is wrong with it.
        #[source]
        source: prost::DecodeError,
    },
    /// The object in it cannot be read.
    #[error("a protobuf body of kind {kind} is damaged")]
    Damaged {
        /// Such as `v1 Secret`.
        kind: String,
        /// What is wrong with it.
        #[source]
        source: prost::DecodeError,
    },
    /// A time in it is outside what JSON can say.
    #[error("a protobuf body of kind {kind} is damaged: `{field}` is no time between the years 1 and 9999")]
    NoTime {
        /// Such as `v1 Secret`.
        kind: String,
        /// Such as `metadata.creationTimestamp`.
        field: &'static str,
    },
    /// The object in it is compressed, or in another form than protobuf.
    #[error("a protobuf body of kind {kind} holds it as `{encoding}`, which no client is known to send")]
    Encoded {
        /// Such as `v1 Secret`.
        kind: String,
        /// What the envelope says.
        encoding: String,
    },
    /// The envelope is cut off before the object; every client writes one, if only an empty one.
    #[error("a protobuf body of kind {kind} holds no object")]
    NoObject {
        /// Such as `v1 Secret`.
        kind: String,
    },
    /// The kind is none that Helm sends so.
    #[error("a protobuf body of kind {kind} cannot be read: Helm sends only Secrets, ConfigMaps and DeleteOptions so")]
    UnknownKind {
        /// Such as `v1 Namespace`.
        kind: String,
    },
}

/// Returns the JSON of a body in Kubernetes' protobuf form: a `v1` Secret or ConfigMap, or the `DeleteOptions` of any version.
///
/// The JSON is as Go writes it: Secret data in base64, times in RFC 3339, and what is not set is absent.
///
/// # Errors
/// [`ProtobufError`]: the kind is none of those, or the bytes are damaged.
pub(super) fn decode(body: &[u8]) -> Result<Value, ProtobufError> {
    let Envelope { api_version, kind, told, raw } = open(body)?;
    let damaged = |source| ProtobufError::Damaged { kind: told.clone(), source };
    let fields = match (api_version.as_str(), kind.as_str()) {
        ("v1", "Secret") => secret(Secret::decode(raw.as_slice()).map_err(damaged)?),
        ("v1", "ConfigMap") => config_map(ConfigMap::decode(raw.as_slice()).map_err(damaged)?),
        // Each group registers them under its own version, beside `meta.k8s.io/v1`.
        (version, "DeleteOptions") if !version.is_empty() => {
            Ok(delete_options(DeleteOptions::decode(raw.as_slice()).map_err(damaged)?))
        }
        _ => return Err(ProtobufError::UnknownKind { kind: told }),
    };
    let fields = fields.map_err(|NoTime(field)| ProtobufError::NoTime { kind: told.clone(), field })?;
    let mut object = Fields::default();
    object.text("apiVersion", Some(api_version));
    object.text("kind", Some(kind));
    object.0.extend(fields.0);
    Ok(Value::Object(object.0))
}

/// What is around an object.
struct Envelope {
    api_version: String,
    kind: String,
    /// Both, fit for an error.
    told: String,
    /// The object.
    raw: Vec<u8>,
}

fn open(body: &[u8]) -> Result<Envelope, ProtobufError> {
    let envelope = body.strip_prefix(MAGIC).ok_or(ProtobufError::NotProtobuf)?;
    let envelope = Unknown::decode(envelope).map_err(|source| ProtobufError::DamagedEnvelope { source })?;
    let TypeMeta { api_version, kind } = envelope.type_meta.unwrap_or_default();
    let (api_version, kind) = (api_version.unwrap_or_default(), kind.unwrap_or_default());
    let told = told(&api_version, &kind);
    for (form, expected) in [(envelope.content_encoding, ""), (envelope.content_type, CONTENT_TYPE)] {
        if let Some(encoding) = form.filter(|form| !form.is_empty() && form != expected) {
            return Err(ProtobufError::Encoded { kind: told, encoding: short(&encoding) });
        }
    }
    let Some(raw) = envelope.raw else { return Err(ProtobufError::NoObject { kind: told }) };
    Ok(Envelope { api_version, kind, told, raw })
}

/// The field whose time cannot be written.
struct NoTime(&'static str);

/// The fields of an object that is being written, left out where Go's JSON leaves them out.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    /// A field that is written if it is set: a Go pointer.
    fn set(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
    }

    /// A field that is written unless empty: a Go string, which is on the wire in any case.
    fn text(&mut self, name: &str, value: Option<String>) {
        self.set(name, value.filter(|text| !text.is_empty()));
    }

    /// A map that is written unless empty.
    fn map<T>(&mut self, name: &str, entries: impl IntoIterator<Item = (String, T)>, value: impl Fn(T) -> String) {
        let entries: Map<String, Value> =
            entries.into_iter().map(|(key, entry)| (key, Value::String(value(entry)))).collect();
        self.set(name, Some(entries).filter(|entries| !entries.is_empty()));
    }

    /// A list that is written unless empty.
    fn list(&mut self, name: &str, items: Vec<impl Into<Value>>) {
        self.set(name, Some(items).filter(|items| !items.is_empty()));
    }

    /// A time that is written unless it is Go's zero time.
    fn time(&mut self, name: &str, field: &'static str, time: Option<Time>) -> Result<(), NoTime> {
        let seconds = match time {
            None | Some(Time { seconds: None, nanos: None }) => return Ok(()),
            Some(Time { seconds, .. }) => seconds.unwrap_or_default(),
        };
        if seconds == NO_TIME {
            return Ok(());
        }
        // RFC 3339 has no years before 0 and after 9999.
        let time = Timestamp::from_second(seconds).ok().filter(|_| seconds > NO_TIME).ok_or(NoTime(field))?;
        self.set(name, Some(time.to_string()));
        Ok(())
    }
}

fn secret(secret: Secret) -> Result<Fields, NoTime> {
    let mut fields = Fields::default();
    fields.set("metadata", Some(metadata(secret.metadata.unwrap_or_default())?.0));
    fields.set("immutable", secret.immutable);
    fields.map("data", secret.data, |bytes| STANDARD.encode(bytes));
    fields.map("stringData", secret.string_data, |text| text);
    fields.text("type", secret.r#type);
    Ok(fields)
}

fn config_map(config_map: ConfigMap) -> Result<Fields, NoTime> {
    let mut fields = Fields::default();
    fields.set("metadata", Some(metadata(config_map.metadata.unwrap_or_default())?.0));
    fields.set("immutable", config_map.immutable);
    fields.map("data", config_map.data, |text| text);
    fields.map("binaryData", config_map.binary_data, |bytes| STANDARD.encode(bytes));
    Ok(fields)
}

fn delete_options(options: DeleteOptions) -> Fields {
    let mut fields = Fields::default();
    fields.set("gracePeriodSeconds", options.grace_period_seconds);
    fields.set("preconditions", options.preconditions.map(|preconditions| self::preconditions(preconditions).0));
    fields.set("orphanDependents", options.orphan_dependents);
    fields.set("propagationPolicy", options.propagation_policy);
    fields.list("dryRun", options.dry_run);
    fields.set("ignoreStoreReadErrorWithClusterBreakingPotential", options.ignore_store_read_error);
    fields
}

fn preconditions(preconditions: Preconditions) -> Fields {
    let mut fields = Fields::default();
    fields.set("uid", preconditions.uid);
    fields.set("resourceVersion", preconditions.resource_version);
    fields
}

fn metadata(metadata: ObjectMeta) -> Result<Fields, NoTime> {
    let mut fields = Fields::default();
    fields.text("name", metadata.name);
    fields.text("generateName", metadata.generate_name);
    fields.text("namespace", metadata.namespace);
    fields.text("uid", metadata.uid);
    fields.text("resourceVersion", metadata.resource_version);
    fields.set("generation", metadata.generation.filter(|generation| *generation != 0));
    fields.time("creationTimestamp", "metadata.creationTimestamp", metadata.creation_timestamp)?;
    fields.time("deletionTimestamp", "metadata.deletionTimestamp", metadata.deletion_timestamp)?;
    fields.set("deletionGracePeriodSeconds", metadata.deletion_grace_period_seconds);
    fields.map("labels", metadata.labels, |text| text);
    fields.map("annotations", metadata.annotations, |text| text);
    fields.list("ownerReferences", metadata.owner_references.into_iter().map(owner_reference).collect());
    fields.list("finalizers", metadata.finalizers);
    Ok(fields)
}

/// Its four texts are written even when empty.
fn owner_reference(owner: OwnerReference) -> Map<String, Value> {
    let mut fields = Fields::default();
    fields.set("apiVersion", Some(owner.api_version.unwrap_or_default()));
    fields.set("kind", Some(owner.kind.unwrap_or_default()));
    fields.set("name", Some(owner.name.unwrap_or_default()));
    fields.set("uid", Some(owner.uid.unwrap_or_default()));
    fields.set("controller", owner.controller);
    fields.set("blockOwnerDeletion", owner.block_owner_deletion);
    fields.0
}

/// Returns `v1 Secret`, fit for one line of an error.
fn told(api_version: &str, kind: &str) -> String {
    match (short(api_version), short(kind)) {
        (_, kind) if kind.is_empty() => "(none)".to_owned(),
        (version, kind) if version.is_empty() => kind,
        (version, kind) => format!("{version} {kind}"),
    }
}

/// Returns the beginning of a text that came from outside, without control characters.
fn short(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(100).collect()
}
