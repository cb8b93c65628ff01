//! Helm's own storage: one Secret or ConfigMap for each revision of a release.
//!
//! Source: Helm `pkg/storage/driver/secrets.go`, `cfgmaps.go`: labels `name`, `owner=helm`, `version`; key `release`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::Cluster;
use super::error::ClusterError;
use super::objects::Selector;
use crate::domain::facts::HelmDriver;
use crate::domain::object::Object;

/// One revision, as Helm stored it.
#[derive(Clone, PartialEq, Eq)]
pub struct ReleaseRecord {
    /// 1, 2, ...
    pub revision: u32,
    /// Name of the Secret or ConfigMap.
    pub name: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// What [`crate::domain::release::decode`] reads.
    pub data: Vec<u8>,
}

/// The data holds secret values.
impl std::fmt::Debug for ReleaseRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ReleaseRecord {} at {} ({} bytes)", self.name, self.resource_version, self.data.len())
    }
}

impl Cluster {
    /// Returns every revision of the release, oldest first; none if it does not exist.
    ///
    /// # Errors
    /// If the server refuses or does not answer, or if a record has no revision or no data.
    pub async fn read_release_records(
        &self,
        release: &str,
        namespace: &str,
        driver: HelmDriver,
    ) -> Result<Vec<ReleaseRecord>, ClusterError> {
        let kind = match driver {
            HelmDriver::Secret => "Secret",
            HelmDriver::Configmap => "ConfigMap",
        };
        let selector = Selector { labels: Some(format!("name={release},owner=helm")), fields: None };
        let found = self.list("v1", kind, Some(namespace), &selector).await?;
        let mut records = found.iter().map(|object| parse_record(object, driver)).collect::<Result<Vec<_>, _>>()?;
        records.sort_by_key(|record| record.revision);
        Ok(records)
    }
}

fn parse_record(object: &Object, driver: HelmDriver) -> Result<ReleaseRecord, ClusterError> {
    let broken = |because: &str| ClusterError::Unreadable {
        doing: "read",
        what: object.reference(None).to_string(),
        because: because.to_owned(),
    };
    let revision = object.label("version").or_else(|| object.name().rsplit_once(".v").map(|(_, digits)| digits));
    let revision = revision.and_then(|digits| digits.parse().ok()).ok_or_else(|| broken("it names no revision"))?;
    let text = object.text_at("/data/release").ok_or_else(|| broken("it has no `data.release`"))?;
    let data = match driver {
        HelmDriver::Secret => BASE64_STANDARD.decode(text).map_err(|_| broken("its data is not base64"))?,
        HelmDriver::Configmap => text.as_bytes().to_vec(),
    };
    Ok(ReleaseRecord {
        revision,
        name: object.name().to_owned(),
        resource_version: object.resource_version().unwrap_or_default().to_owned(),
        data,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(labels: &serde_json::Value, data: &serde_json::Value) -> Object {
        Object::new(json!({"apiVersion": "v1", "kind": "Secret", "data": data,
            "metadata": {"name": "sh.helm.release.v1.shop.v7", "namespace": "prod", "labels": labels, "resourceVersion": "42"}}))
        .expect("an object")
    }

    #[test]
    fn a_secret_has_one_layer_of_base64_more_than_a_config_map() {
        let of_secret =
            parse_record(&object(&json!({"version": "7"}), &json!({"release": "SDRzSQ=="})), HelmDriver::Secret);
        assert_eq!(of_secret.expect("a record").data, b"H4sI");
        let of_map =
            parse_record(&object(&json!({"version": "7"}), &json!({"release": "H4sI"})), HelmDriver::Configmap);
        assert_eq!(of_map.expect("a record").data, b"H4sI");
    }

    #[test]
    fn the_revision_is_in_the_label_or_in_the_name() {
        let data = json!({"release": "SDRzSQ=="});
        let labelled = parse_record(&object(&json!({"version": "9"}), &data), HelmDriver::Secret);
        assert_eq!(labelled.expect("a record").revision, 9);
        assert_eq!(parse_record(&object(&json!({}), &data), HelmDriver::Secret).expect("a record").revision, 7);
    }

    #[test]
    fn a_record_without_data_is_named() {
        let error = parse_record(&object(&json!({}), &json!({})), HelmDriver::Secret).expect_err("no data");
        assert!(error.to_string().contains("Secret prod/sh.helm.release.v1.shop.v7"), "{error}");
    }
}
