//! Objects of the kinds that are not read as a whole: their metadata, which every built-in kind has in its first field, and
//! what a Service asks for. All else in the bytes is left as it came, fields that are not known included.

use prost::{Message as _, decode_length_delimiter, encode_length_delimiter};
use serde_json::Value;

use super::messages::{Headed, Service, ServicePort, ServiceSpec};
use super::{Envelope, Fields, MAGIC, NoTime, ProtobufError, metadata, open};

/// Of the envelope: the object. Source: `k8s.io/apimachinery/pkg/runtime/generated.proto` `Unknown`.
const RAW: usize = 2;
/// Of every object: its metadata. Source: the `generated.proto` files of `k8s.io/api`.
const METADATA: usize = 1;
/// Of the metadata: the texts that are changed. Source: as [`super::messages::ObjectMeta`].
const CHANGED: [(usize, &str); 3] = [(1, "name"), (3, "namespace"), (6, "resourceVersion")];

/// Returns of an object of any built-in kind its `apiVersion`, `kind` and `metadata`, and of a Service the ports and addresses
/// that it asks for.
///
/// # Errors
/// [`ProtobufError`]: the bytes are damaged.
pub(in super::super) fn decode_head(body: &[u8]) -> Result<Value, ProtobufError> {
    let Envelope { api_version, kind, told, raw } = open(body)?;
    let damaged = |source| ProtobufError::Damaged { kind: told.clone(), source };
    let headed = Headed::decode(raw.as_slice()).map_err(damaged)?;
    let mut object = Fields::default();
    if let Some(own) = headed.metadata {
        let own = metadata(own).map_err(|NoTime(field)| ProtobufError::NoTime { kind: told.clone(), field })?;
        object.set("metadata", Some(own.0));
    }
    if (api_version.as_str(), kind.as_str()) == ("v1", "Service") {
        let service = Service::decode(raw.as_slice()).map_err(damaged)?;
        object.set("spec", service.spec.map(|spec| service_spec(spec).0));
    }
    object.text("apiVersion", Some(api_version));
    object.text("kind", Some(kind));
    Ok(Value::Object(object.0))
}

/// Returns the body with the name, the namespace and the version of this metadata; nothing if it cannot be given them.
pub(in super::super) fn with_metadata(body: &[u8], metadata: &Value) -> Option<Vec<u8>> {
    let text = |field: &str| metadata.get(field).and_then(Value::as_str).unwrap_or_default();
    let changed = change(body.strip_prefix(MAGIC)?, &|number, raw| {
        let object = |number, own: &[u8]| {
            let texts = |number, _: &[u8]| {
                let (_, field) = CHANGED.iter().find(|(changed, _)| *changed == number)?;
                Some(Some(text(field).as_bytes().to_vec()))
            };
            (number == METADATA).then(|| change(own, &texts))
        };
        (number == RAW).then(|| change(raw, &object))
    })?;
    let changed = [MAGIC, changed.as_slice()].concat();
    // A namespace that is not there is the one of the path.
    let head = decode_head(&changed).ok()?;
    let is = |field: &str| head.get("metadata").and_then(|own| own.get(field)).and_then(Value::as_str);
    // The server gives a name to what has none.
    let has_all =
        is("name").unwrap_or_default() == text("name") && is("namespace").is_none_or(|own| own == text("namespace"));
    has_all.then_some(changed)
}

/// What becomes of a field of a message, by its number and content: nothing where it stays as it is, else its new content, if it
/// can have one.
type Change<'a> = &'a dyn Fn(usize, &[u8]) -> Option<Option<Vec<u8>>>;

/// Returns the message with some of its fields changed, and every other byte as it was; nothing if it cannot be read.
///
/// Source: the encoding of Protocol Buffers: a field is a key (number and wire type) and a value.
fn change(mut message: &[u8], change: Change<'_>) -> Option<Vec<u8>> {
    let mut changed = Vec::with_capacity(message.len());
    while !message.is_empty() {
        let field = message;
        let key = decode_length_delimiter(&mut message).ok()?;
        let after_key = message.len();
        let (is_content, length) = match key & 7 {
            0 => {
                decode_length_delimiter(&mut message).ok()?;
                (false, 0)
            }
            1 => (false, 8),
            2 => (true, decode_length_delimiter(&mut message).ok()?),
            5 => (false, 4),
            _ => return None,
        };
        let (content, rest) = message.split_at_checked(length)?;
        message = rest;
        match change(key >> 3, content).filter(|_| is_content) {
            Some(new) => {
                let new = new?;
                changed.extend_from_slice(field.get(..field.len() - after_key)?);
                encode_length_delimiter(new.len(), &mut changed).ok()?;
                changed.extend_from_slice(&new);
            }
            None => changed.extend_from_slice(field.get(..field.len() - rest.len())?),
        }
    }
    Some(changed)
}

fn service_spec(spec: ServiceSpec) -> Fields {
    let mut fields = Fields::default();
    fields.list("ports", spec.ports.into_iter().map(|port| service_port(port).0).collect());
    fields.text("clusterIP", spec.cluster_ip);
    fields.list("clusterIPs", spec.cluster_ips);
    fields.text("type", spec.r#type);
    fields.text("externalTrafficPolicy", spec.external_traffic_policy);
    fields.set("healthCheckNodePort", spec.health_check_node_port.filter(|port| *port != 0));
    fields
}

fn service_port(port: ServicePort) -> Fields {
    let mut fields = Fields::default();
    fields.text("name", port.name);
    fields.text("protocol", port.protocol);
    fields.set("port", port.port);
    fields.set("nodePort", port.node_port.filter(|port| *port != 0));
    fields
}
