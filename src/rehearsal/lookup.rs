//! What a write needs to know of the server before it is sent, beyond what passed by.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use serde_json::Value;

use super::allocator::{Cidr, Holder};
use super::call::{Resource, Target, is_path_part};
use super::message::{Request, Response};
use super::patch::Schema;
use super::write::{Act, Base, Write};
use super::{Rehearsal, aggregation};
use crate::domain::facts::Answer;

/// A question to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lookup {
    /// The object that is written.
    Base,
    /// Whether the namespace that stands in has an object of the same name.
    StandIn { namespace: String },
    /// The quotas of a namespace.
    Quotas { namespace: String },
    /// All Services: who has which port and address.
    Services,
    /// The ranges of Service addresses.
    ServiceCidrs,
    /// Who serves the group and version of a resource.
    ApiService { resource: Resource },
    /// The schemas of a group and version.
    Schema { api_version: String },
    /// How many objects a kind that is to be deleted has.
    CustomObjects { definition: String, resource: Resource },
}

/// Answers; what was asked for and could not be had is kept too, so that it is not asked again.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Namespaces whose quotas were asked for.
    quotas: BTreeSet<String>,
    pub(super) services: Option<Answer<Vec<Holder>>>,
    pub(super) service_cidrs: Option<Answer<Vec<Cidr>>>,
    schemas: BTreeMap<String, Option<Value>>,
    /// By group and version: whether an extension API server serves it; nothing if that could not be read.
    pub(super) extensions: BTreeMap<String, Option<bool>>,
    /// By the name of the definition.
    pub(super) custom_objects: BTreeMap<String, Option<usize>>,
}

impl Known {
    /// Tells whether the schemas of a group and version were asked for.
    pub(super) fn has_schema(&self, api_version: &str) -> bool {
        self.schemas.contains_key(api_version)
    }

    /// Returns the schemas of a group and version, if they were asked for and are there.
    pub(super) fn schema(&self, api_version: &str) -> Option<&Value> {
        self.schemas.get(api_version)?.as_ref()
    }
}

impl Lookup {
    /// Returns the request that asks.
    pub(super) fn request(&self, write: &Write) -> Request {
        let core =
            |plural: &str| Resource { group: String::new(), version: "v1".to_owned(), plural: plural.to_owned() };
        let name = write.target.name.as_deref();
        match self {
            Self::Base => write.get(&write.target.resource.path(write.target.namespace.as_deref(), name), &[]),
            Self::StandIn { namespace } => write.get(&write.target.resource.path(Some(namespace), name), &[]),
            Self::Quotas { namespace } => write.get(&core("resourcequotas").path(Some(namespace), None), &[]),
            Self::Services => write.get(&core("services").path(None, None), &[]),
            Self::ServiceCidrs => write.get("/apis/networking.k8s.io/v1/servicecidrs", &[]),
            Self::ApiService { resource: Resource { group, version, .. } } => {
                let services = Resource {
                    group: "apiregistration.k8s.io".to_owned(),
                    version: "v1".to_owned(),
                    plural: "apiservices".to_owned(),
                };
                write.get(&services.path(None, Some(&format!("{version}.{group}"))), &[])
            }
            Self::Schema { api_version } => {
                let page = if api_version.contains('/') { "apis" } else { "api" };
                write.get(&format!("/openapi/v3/{page}/{api_version}"), &[])
            }
            Self::CustomObjects { resource, .. } => {
                let one = [("limit".to_owned(), "1".to_owned())];
                write.get(&resource.path(None, None), &one)
            }
        }
    }
}

impl Rehearsal {
    /// Returns what the write still needs to know.
    pub(super) fn next_lookup(&self, write: &Write) -> Option<Lookup> {
        let lookups = [
            self.stand_in_lookup(write),
            self.quota_lookup(write),
            self.service_lookup(write),
            self.schema_lookup(write),
            self.custom_objects_lookup(write),
        ];
        lookups.into_iter().flatten().next()
    }

    /// Keeps the answer to a lookup.
    pub(super) fn learn(&mut self, lookup: Lookup, write: &mut Write, answer: &Response) {
        let body = || serde_json::from_slice::<Value>(answer.body()).ok().filter(|_| answer.status() == StatusCode::OK);
        let items = || {
            let list = body()?;
            Some(list.get("items").and_then(Value::as_array).cloned().unwrap_or_default())
        };
        match lookup {
            Lookup::Base => {
                write.base = Some(match body() {
                    Some(object) => Base::Real(object),
                    None if answer.status() == StatusCode::NOT_FOUND => Base::Absent,
                    None => Base::Unread,
                });
            }
            Lookup::StandIn { .. } => write.is_stand_in_free = Some(answer.status() == StatusCode::NOT_FOUND),
            Lookup::Quotas { namespace } => {
                self.open_ledger(&namespace, items().as_deref());
                self.known.quotas.insert(namespace);
            }
            Lookup::Services => {
                self.known.services = Some(answered(items().map(|items| items.iter().map(Holder::of).collect())));
            }
            Lookup::ServiceCidrs => {
                self.known.service_cidrs = Some(answered(items().map(|items| Cidr::all(&items))));
            }
            Lookup::ApiService { resource } => {
                let is_extension = match body() {
                    Some(api_service) => Some(aggregation::is_extension(&api_service)),
                    None => (answer.status() == StatusCode::NOT_FOUND).then_some(false),
                };
                self.known.extensions.insert(resource.api_version(), is_extension);
            }
            Lookup::Schema { api_version } => drop(self.known.schemas.insert(api_version, body())),
            Lookup::CustomObjects { definition, .. } => {
                let count = body().map(|list| {
                    let here = list.get("items").and_then(Value::as_array).map_or(0, Vec::len);
                    let more = list.pointer("/metadata/remainingItemCount").and_then(Value::as_u64).unwrap_or(0);
                    here + usize::try_from(more).unwrap_or(usize::MAX - here)
                });
                self.known.custom_objects.insert(definition, count);
            }
        }
    }

    /// Returns the schema of an object's kind, if it was asked for and is there.
    pub(super) fn schema_of(&self, resource: &Resource, object: &Value) -> Option<Schema> {
        let document = self.known.schema(&resource.api_version())?;
        let kind = object.get("kind").and_then(Value::as_str)?;
        Schema::find(document, &resource.group, &resource.version, kind)
    }

    fn stand_in_lookup(&self, write: &Write) -> Option<Lookup> {
        let namespace = write.target.namespace.as_deref()?;
        // What can be no name is sent as it is: the server refuses it.
        let has_name = write.target.name.as_deref().is_some_and(is_path_part);
        let is_needed = self.is_made_here(namespace) && write.is_stand_in_free.is_none() && has_name;
        is_needed.then(|| Lookup::StandIn { namespace: self.stand_in() })
    }

    fn quota_lookup(&self, write: &Write) -> Option<Lookup> {
        let namespace = write.target.namespace.clone()?;
        let is_needed =
            write.act != Act::Delete && !self.is_made_here(&namespace) && !self.known.quotas.contains(&namespace);
        is_needed.then_some(Lookup::Quotas { namespace })
    }

    fn service_lookup(&self, write: &Write) -> Option<Lookup> {
        if write.target.resource.plural != "services"
            || !write.target.resource.group.is_empty()
            || write.act == Act::Delete
        {
            return None;
        }
        if self.known.services.is_none() {
            return Some(Lookup::Services);
        }
        self.known.service_cidrs.is_none().then_some(Lookup::ServiceCidrs)
    }

    fn schema_lookup(&self, write: &Write) -> Option<Lookup> {
        let api_version = write.target.resource.api_version();
        let is_local = write.is_strategic() && matches!(write.base, Some(Base::Written { now: Some(_), .. }));
        (is_local && !self.known.schemas.contains_key(&api_version)).then_some(Lookup::Schema { api_version })
    }

    /// Returns what a refused patch needs to be applied here, so that what it would have made can be told.
    pub(super) fn refusal_lookup(&self, write: &Write) -> Option<Lookup> {
        let api_version = write.target.resource.api_version();
        let is_unknown = write.is_strategic() && !self.known.schemas.contains_key(&api_version);
        is_unknown.then_some(Lookup::Schema { api_version })
    }

    fn custom_objects_lookup(&self, write: &Write) -> Option<Lookup> {
        let Target { resource, name: Some(name), .. } = &write.target else { return None };
        let is_definition = resource.plural == "customresourcedefinitions" && resource.group == "apiextensions.k8s.io";
        if write.act != Act::Delete || !is_definition || self.known.custom_objects.contains_key(name) {
            return None;
        }
        let live = write.base.as_ref().and_then(Base::real)?;
        let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str);
        let versions = live.pointer("/spec/versions").and_then(Value::as_array)?;
        let served = versions.iter().find(|version| version.get("served") == Some(&Value::Bool(true)))?;
        let resource = Resource {
            group: text("/spec/group")?.to_owned(),
            version: served.get("name").and_then(Value::as_str)?.to_owned(),
            plural: text("/spec/names/plural")?.to_owned(),
        };
        if ![&resource.group, &resource.version, &resource.plural].into_iter().all(|part| is_path_part(part)) {
            return None;
        }
        Some(Lookup::CustomObjects { definition: name.clone(), resource })
    }
}

fn answered<T>(items: Option<Vec<T>>) -> Answer<Vec<T>> {
    items.map_or_else(
        || Answer::CouldNotTell { because: "the server did not let them be read".to_owned() },
        Answer::Known,
    )
}
