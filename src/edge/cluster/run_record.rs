//! Our run records: two Secrets beside the release, the journal of a run and its inputs. Writing the journal by compare-and-swap
//! is the fence that stops two runs on one release.
//!
//! Each write carries the id of its writer and a count. A write that was refused, or whose answer was lost, is looked up: if the
//! record still carries what this writer saw or wrote, nobody else wrote, and the write is repeated or was stored already. A
//! bystander that only touches metadata is no fence.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use serde_json::{Map, Value, json};

use super::Cluster;
use super::error::{ClusterError, ErrorClass};
use super::objects::{Deleted, Propagation, Selector};
use super::transport::{Call, FIELD_MANAGER, escape};
use crate::domain::object::{Object, ObjectRef};
use crate::domain::release::RECORD_LIMIT_BYTES;

/// `type` of the Secrets.
pub(super) const RECORD_TYPE: &str = "helm-csghub/run.v1";
/// Larger content is packed, in bytes.
const PACK_FROM: usize = 900_000;
/// Content that unpacks to more is not ours, in bytes.
const UNPACKED_LIMIT: u64 = 64 * 1024 * 1024;
/// Repetitions of one write.
const MOST_WRITES: u32 = 5;

const RELEASE_LABEL: &str = "helm-csghub/release";
const RUN_LABEL: &str = "helm-csghub/run";
const PART_LABEL: &str = "helm-csghub/record";
const STATE_LABEL: &str = "helm-csghub/state";
const ENCODING: &str = "helm-csghub/encoding";
const WRITER: &str = "helm-csghub/writer";
const WRITE: &str = "helm-csghub/write";
/// Annotations that callers keep beside the content.
const NOTE_PREFIX: &str = "note.helm-csghub/";

/// The two records of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordPart {
    /// What was intended and done.
    Journal,
    /// What the run was given; holds secret values.
    Inputs,
}

impl RecordPart {
    fn word(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Inputs => "inputs",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Journal, Self::Inputs].into_iter().find(|part| part.word() == word)
    }
}

/// Whether the run of a record is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunState {
    /// It runs, or was killed.
    Running,
    /// It is over.
    Finished,
}

impl RunState {
    fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
        }
    }
}

/// Names one record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RecordName {
    /// Namespace of the release.
    pub namespace: String,
    /// Name of the release.
    pub release: String,
    /// Id of the run.
    pub run_id: String,
    /// Which of the two.
    pub part: RecordPart,
}

impl RecordName {
    /// Returns the name of the Secret.
    #[must_use]
    pub fn secret_name(&self) -> String {
        match self.part {
            RecordPart::Journal => format!("csghub.run.{}.{}", self.release, self.run_id),
            RecordPart::Inputs => format!("csghub.run.{}.{}-inputs", self.release, self.run_id),
        }
    }

    fn object(&self) -> ObjectRef {
        ObjectRef {
            api_version: "v1".to_owned(),
            kind: "Secret".to_owned(),
            namespace: Some(self.namespace.clone()),
            name: self.secret_name(),
        }
    }
}

/// What one record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordText {
    /// Whether the run is over.
    pub state: RunState,
    /// A few short texts that are readable without the content, such as `holder`; keys are letters, digits, `-`, `_`, `.`.
    pub notes: BTreeMap<String, String>,
    /// Opaque here.
    pub content: Vec<u8>,
}

/// One record, as it was read.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// Which.
    pub name: RecordName,
    /// What it says.
    pub text: RecordText,
    /// When it was created, RFC 3339 in UTC.
    pub created_at: String,
    /// To write it or delete it, as long as nobody else has written it since.
    pub handle: RecordHandle,
}

/// The right to write one record as long as nobody else writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordHandle {
    name: RecordName,
    uid: String,
    resource_version: String,
    /// Writer and count of the write that was seen last.
    seen: (String, String),
    writer: String,
    writes: u64,
}

/// What came of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is stored.
    Stored,
    /// Somebody else wrote the record, or removed it: this run must stop.
    Fenced,
}

impl RecordHandle {
    /// A handle of somebody who has not written yet.
    fn of(name: RecordName, live: &Object) -> Self {
        let mut handle = Self { writer: new_writer(), writes: 0, ..Self::unwritten(name) };
        handle.see(live);
        handle
    }

    fn unwritten(name: RecordName) -> Self {
        Self {
            name,
            uid: String::new(),
            resource_version: String::new(),
            seen: Default::default(),
            writer: new_writer(),
            writes: 0,
        }
    }

    fn see(&mut self, live: &Object) {
        live.uid().unwrap_or_default().clone_into(&mut self.uid);
        live.resource_version().unwrap_or_default().clone_into(&mut self.resource_version);
        self.seen = write_of(live);
    }

    /// Returns which record it is for.
    #[must_use]
    pub fn name(&self) -> &RecordName {
        &self.name
    }

    /// Tells what the record, as it is now, means for the write with count `writes` of this handle.
    fn judge(&self, live: Option<&Object>) -> Judgement {
        let Some(live) = live else {
            return if self.uid.is_empty() { Judgement::Repeat } else { Judgement::Fenced };
        };
        if !self.uid.is_empty() && live.uid() != Some(self.uid.as_str()) {
            return Judgement::Fenced;
        }
        let (writer, write) = write_of(live);
        if writer == self.writer && write == self.writes.to_string() {
            Judgement::Stored
        } else if writer == self.writer || (!self.uid.is_empty() && (writer, write) == self.seen) {
            Judgement::Repeat
        } else {
            Judgement::Fenced
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judgement {
    Stored,
    Repeat,
    Fenced,
}

fn write_of(live: &Object) -> (String, String) {
    let text = |key| live.annotation(key).unwrap_or_default().to_owned();
    (text(WRITER), text(WRITE))
}

/// 128 bits from the system's randomness, by way of the standard library's hash keys.
fn new_writer() -> String {
    let random = || {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        hasher.finish()
    };
    format!("{:016x}{:016x}", random(), random())
}

impl Cluster {
    /// Writes a new record and returns the right to write on; nothing if another run has taken the name.
    ///
    /// # Errors
    /// If the content is too large, or the server refuses or does not answer; the record may then exist all the same.
    pub async fn create_run_record(
        &self,
        name: &RecordName,
        text: &RecordText,
    ) -> Result<Option<RecordHandle>, ClusterError> {
        let mut handle = RecordHandle::unwritten(name.clone());
        Ok(match self.write(&mut handle, text).await? {
            Written::Stored => Some(handle),
            Written::Fenced => None,
        })
    }

    /// Writes the record if nobody else has written it since `handle` last saw it.
    ///
    /// An answer that was lost is not taken for somebody else's write: the record is read back first.
    ///
    /// # Errors
    /// If the content is too large, or the server refuses or does not answer; the write may then be stored all the same, and
    /// calling again with the same handle is safe.
    pub async fn update_run_record(
        &self,
        handle: &mut RecordHandle,
        text: &RecordText,
    ) -> Result<Written, ClusterError> {
        self.write(handle, text).await
    }

    async fn write(&self, handle: &mut RecordHandle, text: &RecordText) -> Result<Written, ClusterError> {
        handle.writes += 1;
        let object = handle.name.object();
        let collection = format!("/api/v1/namespaces/{}/secrets", escape(&handle.name.namespace));
        let mut attempt = 1;
        loop {
            let (method, path) = if handle.uid.is_empty() {
                (Method::POST, collection.clone())
            } else {
                (Method::PUT, format!("{collection}/{}", escape(&object.name)))
            };
            let call = Call::write("write", object.to_string(), method, &path, build_secret(handle, text)?);
            let error = match self.inner.transport.ask::<Value>(&call).await {
                Ok(stored) => {
                    let stored = parse_object(stored, &object)?;
                    handle.see(&stored);
                    return Ok(Written::Stored);
                }
                Err(error) => error,
            };
            let is_open = error.is_outcome_unknown()
                || matches!(error.class(), ErrorClass::Conflict)
                || (error.class() == ErrorClass::NotFound && !handle.uid.is_empty());
            if !is_open || attempt >= MOST_WRITES {
                return Err(error);
            }
            attempt += 1;
            // Without an answer to this one either, the first error is what the caller should see.
            let Ok(live) = self.read_object(&object).await else { return Err(error) };
            match handle.judge(live.as_ref()) {
                Judgement::Fenced => return Ok(Written::Fenced),
                judgement => {
                    if let Some(live) = &live {
                        handle.see(live);
                    }
                    if judgement == Judgement::Stored {
                        return Ok(Written::Stored);
                    }
                }
            }
        }
    }

    /// Returns the record; nothing if there is none.
    ///
    /// # Errors
    /// If the server refuses or does not answer, or the Secret of that name is no record of ours.
    pub async fn read_run_record(&self, name: &RecordName) -> Result<Option<RunRecord>, ClusterError> {
        self.read_object(&name.object()).await?.map(|live| parse_record(&live)).transpose()
    }

    /// Returns the records of one part of the runs in a namespace, oldest first; of one release if one is named.
    ///
    /// # Errors
    /// If the server refuses or does not answer, or a record is not readable.
    pub async fn list_run_records(
        &self,
        namespace: &str,
        release: Option<&str>,
        part: RecordPart,
    ) -> Result<Vec<RunRecord>, ClusterError> {
        let of_release = release.map(|release| format!(",{RELEASE_LABEL}={release}")).unwrap_or_default();
        let labels = format!("app.kubernetes.io/managed-by={FIELD_MANAGER},{PART_LABEL}={}{of_release}", part.word());
        let selector = Selector { labels: Some(labels), fields: None };
        let found = self.list("v1", "Secret", Some(namespace), &selector).await?;
        let mut records = found.iter().map(parse_record).collect::<Result<Vec<_>, _>>()?;
        records.sort_by(|one, other| (&one.created_at, &one.name.run_id).cmp(&(&other.created_at, &other.name.run_id)));
        Ok(records)
    }

    /// Deletes the record, if it still is the one that `handle` was read from.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn delete_run_record(&self, handle: &RecordHandle) -> Result<Deleted, ClusterError> {
        self.delete_object(&handle.name.object(), &handle.uid, Propagation::Background).await
    }
}

fn parse_object(value: Value, name: &ObjectRef) -> Result<Object, ClusterError> {
    Object::new(value).map_err(|error| ClusterError::Unreadable {
        doing: "write",
        what: name.to_string(),
        because: error.to_string(),
    })
}

fn build_secret(handle: &RecordHandle, text: &RecordText) -> Result<Value, ClusterError> {
    let name = &handle.name;
    let (encoding, content) = pack(&text.content);
    if content.len() > RECORD_LIMIT_BYTES {
        return Err(ClusterError::TooLarge {
            doing: "write",
            what: name.object().to_string(),
            size: content.len(),
            limit: RECORD_LIMIT_BYTES,
        });
    }
    let mut annotations = Map::new();
    for (key, note) in &text.notes {
        annotations.insert(format!("{NOTE_PREFIX}{key}"), Value::String(note.clone()));
    }
    annotations.insert(ENCODING.to_owned(), json!(encoding));
    annotations.insert(WRITER.to_owned(), json!(handle.writer));
    annotations.insert(WRITE.to_owned(), json!(handle.writes.to_string()));
    let mut metadata = json!({
        "name": name.secret_name(),
        "namespace": name.namespace,
        "labels": {
            "app.kubernetes.io/managed-by": FIELD_MANAGER,
            (RELEASE_LABEL): name.release,
            (RUN_LABEL): name.run_id,
            (PART_LABEL): name.part.word(),
            (STATE_LABEL): text.state.word(),
        },
        "annotations": annotations,
    });
    if let (Some(fields), false) = (metadata.as_object_mut(), handle.uid.is_empty()) {
        fields.insert("uid".to_owned(), json!(handle.uid));
        fields.insert("resourceVersion".to_owned(), json!(handle.resource_version));
    }
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": RECORD_TYPE,
        "metadata": metadata,
        "data": {"content": BASE64_STANDARD.encode(content)},
    }))
}

/// Returns the encoding and the bytes to store.
fn pack(content: &[u8]) -> (&'static str, Vec<u8>) {
    if content.len() <= PACK_FROM {
        return ("plain", content.to_vec());
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    match gzip.write_all(content).and_then(|()| gzip.finish()) {
        Ok(packed) => ("gzip", packed),
        // Writing to memory does not fail; the size then speaks for itself.
        Err(_) => ("plain", content.to_vec()),
    }
}

fn unpack(encoding: &str, stored: Vec<u8>) -> Result<Vec<u8>, String> {
    match encoding {
        "plain" => Ok(stored),
        "gzip" => {
            let mut content = Vec::new();
            flate2::read::GzDecoder::new(stored.as_slice())
                .take(UNPACKED_LIMIT + 1)
                .read_to_end(&mut content)
                .map_err(|error| format!("its content does not unpack: {error}"))?;
            if content.len() as u64 > UNPACKED_LIMIT {
                return Err(format!("its content unpacks to more than {UNPACKED_LIMIT} bytes"));
            }
            Ok(content)
        }
        other => Err(format!("its encoding is `{other}`: a later helm-csghub wrote it")),
    }
}

fn parse_record(live: &Object) -> Result<RunRecord, ClusterError> {
    let broken =
        |because: String| ClusterError::Unreadable { doing: "read", what: live.reference(None).to_string(), because };
    if live.text_at("/type") != Some(RECORD_TYPE) {
        return Err(broken(format!("its type is not `{RECORD_TYPE}`")));
    }
    let label = |key: &str| live.label(key).ok_or_else(|| broken(format!("it has no label `{key}`")));
    let name = RecordName {
        namespace: live.namespace().unwrap_or_default().to_owned(),
        release: label(RELEASE_LABEL)?.to_owned(),
        run_id: label(RUN_LABEL)?.to_owned(),
        part: RecordPart::parse(label(PART_LABEL)?).ok_or_else(|| broken("it is no journal and no inputs".into()))?,
    };
    let state = match label(STATE_LABEL)? {
        "running" => RunState::Running,
        "finished" => RunState::Finished,
        other => return Err(broken(format!("its state is `{other}`: a later helm-csghub wrote it"))),
    };
    let stored = BASE64_STANDARD
        .decode(live.text_at("/data/content").ok_or_else(|| broken("it has no `data.content`".into()))?)
        .map_err(|_| broken("its content is not base64".into()))?;
    let content = unpack(live.annotation(ENCODING).unwrap_or("plain"), stored).map_err(broken)?;
    let annotations = live.at("/metadata/annotations").and_then(Value::as_object);
    let notes = annotations
        .into_iter()
        .flatten()
        .filter_map(|(key, note)| Some((key.strip_prefix(NOTE_PREFIX)?.to_owned(), note.as_str()?.to_owned())));
    Ok(RunRecord {
        text: RecordText { state, notes: notes.collect(), content },
        created_at: live.text_at("/metadata/creationTimestamp").unwrap_or_default().to_owned(),
        handle: RecordHandle::of(name.clone(), live),
        name,
    })
}

#[cfg(test)]
#[path = "run_record_tests.rs"]
mod tests;
