//! Reading, listing and deleting objects of any kind.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use serde_json::{Value, json};

use super::Cluster;
use super::discovery::ResolvedKind;
use super::error::{ClusterError, ErrorClass};
use super::transport::{Call, escape};
use crate::domain::object::{Object, ObjectRef};

/// Requests under way at once.
pub(super) const AT_ONCE: usize = 16;
/// Objects in one page of a list.
const PAGE: usize = 500;
/// Between two looks at an object that should go away.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Which objects of a kind to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    /// Such as `name=shop,owner=helm`.
    pub labels: Option<String>,
    /// Such as `involvedObject.name=web`.
    pub fields: Option<String>,
}

/// What becomes of the objects that an object owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// They are deleted afterwards; the answer does not wait.
    Background,
    /// They are deleted before.
    Foreground,
    /// They stay.
    Orphan,
}

impl Propagation {
    fn word(self) -> &'static str {
        match self {
            Self::Background => "Background",
            Self::Foreground => "Foreground",
            Self::Orphan => "Orphan",
        }
    }
}

/// What came of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// The server accepted it; finalizers may keep the object for a while.
    Deleted,
    /// There was no such object.
    AlreadyGone,
    /// Another object has the name now; it was left alone.
    AnotherNow,
}

/// How a wait for an object to go away ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gone {
    /// It is gone, or another object has its name.
    Gone,
    /// It is still there.
    StillThere {
        /// Whether its deletion was asked for at all.
        is_terminating: bool,
        /// What keeps it.
        finalizers: Vec<String>,
    },
}

impl Cluster {
    /// Returns the live object; nothing if it is not there, or the server does not know its kind.
    ///
    /// # Errors
    /// If the server refuses or does not answer; [`ClusterError::NoNamespace`] if a namespaced object is named without one.
    pub async fn read_object(&self, object: &ObjectRef) -> Result<Option<Object>, ClusterError> {
        let Some(kind) = self.resolve(&object.api_version, &object.kind).await? else { return Ok(None) };
        let path = object_path(&kind, object, "read")?;
        match self.inner.transport.ask::<Value>(&Call::read("read", object.to_string(), path)).await {
            Ok(value) => self.receive(value, &kind, "read", &object.to_string()).map(Some),
            Err(error) if error.class() == ErrorClass::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the live objects in the order of `objects`, each read by itself, so that the right to `get` is enough; 16 at once.
    ///
    /// Once the server does not answer at all, the rest is not tried.
    pub async fn read_objects(&self, objects: &[ObjectRef]) -> Vec<(ObjectRef, Result<Option<Object>, ClusterError>)> {
        let unreachable: Mutex<Option<ClusterError>> = Mutex::new(None);
        let reads = objects.iter().map(|object| {
            let unreachable = &unreachable;
            async move {
                let known = unreachable.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let read = match known {
                    Some(error) => Err(error),
                    None => self.read_object(object).await,
                };
                if let Err(error) = &read
                    && error.class() == ErrorClass::Unreachable
                {
                    unreachable.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| error.clone());
                }
                (object.clone(), read)
            }
        });
        futures::stream::iter(reads).buffered(AT_ONCE).collect().await
    }

    /// Returns all objects of a kind, of one namespace if one is named; none if the server does not know the kind.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn list(
        &self,
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
        selector: &Selector,
    ) -> Result<Vec<Object>, ClusterError> {
        let Some(kind) = self.resolve(api_version, kind).await? else { return Ok(Vec::new()) };
        let what = match namespace {
            Some(namespace) => format!("{} in namespace {namespace}", kind.plural),
            None => kind.plural.clone(),
        };
        match self.list_pages(&kind, namespace, selector, &what, Some(PAGE)).await {
            // The list changed so much between two pages that the server cannot continue it.
            Err(ClusterError::Refused { answer, .. }) if answer.code == 410 => {
                self.list_pages(&kind, namespace, selector, &what, None).await
            }
            listed => listed,
        }
    }

    async fn list_pages(
        &self,
        kind: &ResolvedKind,
        namespace: Option<&str>,
        selector: &Selector,
        what: &str,
        page: Option<usize>,
    ) -> Result<Vec<Object>, ClusterError> {
        let mut objects = Vec::new();
        let mut continue_at: Option<String> = None;
        loop {
            let mut query: Vec<(&str, String)> = Vec::new();
            query.extend(selector.labels.clone().map(|labels| ("labelSelector", labels)));
            query.extend(selector.fields.clone().map(|fields| ("fieldSelector", fields)));
            query.extend(page.map(|page| ("limit", page.to_string())));
            query.extend(continue_at.take().map(|token| ("continue", token)));
            let uri = with_query(kind.collection_path(namespace), &query);
            let mut list: Value = self.inner.transport.ask(&Call::read("list", what, uri)).await?;
            continue_at = list
                .pointer("/metadata/continue")
                .and_then(Value::as_str)
                .filter(|token| !token.is_empty())
                .map(str::to_owned);
            let items = match list.get_mut("items").map(Value::take) {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            };
            for item in items {
                objects.push(self.receive(item, kind, "list", what)?);
            }
            if continue_at.is_none() {
                return Ok(objects);
            }
        }
    }

    /// Returns the object in one answer, with its type, which items of a list lack; a Secret is shown to the masker first.
    pub(super) fn receive(
        &self,
        mut value: Value,
        kind: &ResolvedKind,
        doing: &'static str,
        what: &str,
    ) -> Result<Object, ClusterError> {
        if let Some(fields) = value.as_object_mut() {
            for (key, text) in [("apiVersion", &kind.api_version), ("kind", &kind.kind)] {
                if fields.get(key).and_then(Value::as_str).is_none_or(str::is_empty) {
                    fields.insert(key.to_owned(), Value::String(text.clone()));
                }
            }
        }
        let object = Object::new(value).map_err(|error| ClusterError::Unreadable {
            doing,
            what: what.to_owned(),
            because: error.to_string(),
        })?;
        self.inner.secrets.note(&object);
        Ok(object)
    }

    /// Deletes the object if it still is the one with this uid.
    ///
    /// # Errors
    /// If the server refuses or does not answer; the object may then be gone all the same.
    pub async fn delete_object(
        &self,
        object: &ObjectRef,
        uid: &str,
        propagation: Propagation,
    ) -> Result<Deleted, ClusterError> {
        let Some(kind) = self.resolve(&object.api_version, &object.kind).await? else {
            return Ok(Deleted::AlreadyGone);
        };
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation.word(),
            "preconditions": {"uid": uid},
        });
        let call = Call::delete(object.to_string(), object_path(&kind, object, "delete")?, options);
        let Err(error) = self.inner.transport.send(&call).await else { return Ok(Deleted::Deleted) };
        match error.class() {
            ErrorClass::NotFound => Ok(Deleted::AlreadyGone),
            ErrorClass::Conflict => match self.read_object(object).await? {
                None => Ok(Deleted::AlreadyGone),
                Some(live) if live.uid() != Some(uid) => Ok(Deleted::AnotherNow),
                Some(_) => Err(error),
            },
            _ => Err(error),
        }
    }

    /// Waits until the object with this uid is gone, or `timeout` has passed.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn wait_for_gone(&self, object: &ObjectRef, uid: &str, timeout: Duration) -> Result<Gone, ClusterError> {
        let deadline = Instant::now() + timeout;
        loop {
            let Some(live) = self.read_object(object).await?.filter(|live| live.uid() == Some(uid)) else {
                return Ok(Gone::Gone);
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let finalizers = live.list_at("/metadata/finalizers").iter().filter_map(Value::as_str);
                return Ok(Gone::StillThere {
                    is_terminating: live.at("/metadata/deletionTimestamp").is_some(),
                    finalizers: finalizers.map(str::to_owned).collect(),
                });
            }
            tokio::time::sleep(LOOK_EVERY.min(left)).await;
        }
    }
}

fn object_path(kind: &ResolvedKind, object: &ObjectRef, doing: &'static str) -> Result<String, ClusterError> {
    if kind.namespaced && object.namespace.is_none() {
        return Err(ClusterError::NoNamespace { doing, what: object.to_string() });
    }
    Ok(kind.object_path(object.namespace.as_deref(), &object.name))
}

/// Returns path and query of a request.
pub(super) fn with_query(path: String, query: &[(&str, String)]) -> String {
    let mut uri = path;
    for (index, (key, value)) in query.iter().enumerate() {
        uri.push(if index == 0 { '?' } else { '&' });
        uri.push_str(key);
        uri.push('=');
        uri.push_str(&escape(value));
    }
    uri
}
