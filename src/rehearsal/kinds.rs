//! Which kind a resource holds: `clusterroles` are of kind `ClusterRole`.
//!
//! A request names a resource alone; what is told of it names the kind. The pages of the discovery say which it is, and every
//! client reads them before it names an object.
//!
//! Source: `k8s.io/api/apidiscovery/v2` `APIGroupDiscoveryList`, `k8s.io/apimachinery/pkg/apis/meta/v1` `APIResourceList`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::call::Resource;

/// The kinds that the pages named so far, by group and plural.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Kinds(BTreeMap<(String, String), String>);

impl Kinds {
    /// Keeps what a page of the discovery says. Any other page says nothing.
    pub(super) fn learn(&mut self, page: &Value) {
        match text(page, "/kind") {
            Some("APIGroupDiscoveryList") => {
                for group in list(page, "/items") {
                    let name = text(group, "/metadata/name").unwrap_or_default();
                    for resource in list(group, "/versions").flat_map(|version| list(version, "/resources")) {
                        self.keep(name, text(resource, "/resource"), text(resource, "/responseKind/kind"));
                    }
                }
            }
            Some("APIResourceList") => {
                let version = text(page, "/groupVersion").unwrap_or_default();
                let group = version.split_once('/').map_or("", |(group, _)| group);
                for resource in list(page, "/resources") {
                    self.keep(group, text(resource, "/name"), text(resource, "/kind"));
                }
            }
            _ => {}
        }
    }

    /// Returns the kind of a resource; nothing if no page named it.
    pub(super) fn of(&self, resource: &Resource) -> Option<&str> {
        self.0.get(&(resource.group.clone(), resource.plural.clone())).map(String::as_str)
    }

    fn keep(&mut self, group: &str, plural: Option<&str>, kind: Option<&str>) {
        if let (Some(plural), Some(kind)) = (plural, kind) {
            self.0.insert((group.to_owned(), plural.to_owned()), kind.to_owned());
        }
    }
}

fn text<'a>(value: &'a Value, at: &str) -> Option<&'a str> {
    value.pointer(at).and_then(Value::as_str)
}

fn list<'a>(value: &'a Value, at: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.pointer(at).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kind_of(page: &Value, group: &str, plural: &str) -> Option<String> {
        let mut kinds = Kinds::default();
        kinds.learn(page);
        let resource = Resource { group: group.into(), version: "v1".into(), plural: plural.into() };
        kinds.of(&resource).map(str::to_owned)
    }

    #[test]
    fn the_kind_of_a_resource_is_read_from_the_list_of_all_groups() {
        let page = json!({"kind": "APIGroupDiscoveryList", "items": [{
            "metadata": {"name": "apps"},
            "versions": [{"version": "v1", "resources": [
                {"resource": "deployments", "responseKind": {"group": "", "version": "", "kind": "Deployment"}}]}],
        }]});
        assert_eq!(kind_of(&page, "apps", "deployments").as_deref(), Some("Deployment"));
        assert_eq!(kind_of(&page, "", "deployments"), None);
    }

    #[test]
    fn the_kind_of_a_resource_is_read_from_the_page_of_its_version() {
        let core = json!({"kind": "APIResourceList", "groupVersion": "v1", "resources": [
            {"name": "pods", "kind": "Pod"}, {"name": "pods/eviction", "kind": "Eviction"}]});
        assert_eq!(kind_of(&core, "", "pods").as_deref(), Some("Pod"));
        let group = json!({"kind": "APIResourceList", "groupVersion": "batch/v1", "resources": [{"name": "jobs", "kind": "Job"}]});
        assert_eq!(kind_of(&group, "batch", "jobs").as_deref(), Some("Job"));
    }

    #[test]
    fn a_page_of_another_kind_says_nothing() {
        let page = json!({"kind": "Status", "resources": [{"name": "jobs", "kind": "Job"}]});
        assert_eq!(kind_of(&page, "", "jobs"), None);
        assert_eq!(kind_of(&Value::Null, "", "jobs"), None);
    }
}
