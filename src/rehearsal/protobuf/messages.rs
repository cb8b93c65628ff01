//! The few messages that are read, those that Helm's typed clients send first, with the field numbers of Kubernetes' own `generated.proto` files.
//!
//! All fields are optional on the wire (proto2). What no message here names is skipped, as an API server does with fields
//! that it does not know; of the metadata that is `selfLink` (4, never set any more) and `managedFields` (17, which the
//! server keeps itself).

use std::collections::BTreeMap;

use prost::Message;

/// Source: `k8s.io/apimachinery/pkg/runtime/generated.proto` `Unknown`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Unknown {
    #[prost(message, optional, tag = "1")]
    pub(super) type_meta: Option<TypeMeta>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) raw: Option<Vec<u8>>,
    #[prost(string, optional, tag = "3")]
    pub(super) content_encoding: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(super) content_type: Option<String>,
}

/// Source: `k8s.io/apimachinery/pkg/runtime/generated.proto` `TypeMeta`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TypeMeta {
    #[prost(string, optional, tag = "1")]
    pub(super) api_version: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(super) kind: Option<String>,
}

/// Source: `k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto` `ObjectMeta`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ObjectMeta {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(super) generate_name: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(super) namespace: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub(super) uid: Option<String>,
    #[prost(string, optional, tag = "6")]
    pub(super) resource_version: Option<String>,
    #[prost(int64, optional, tag = "7")]
    pub(super) generation: Option<i64>,
    #[prost(message, optional, tag = "8")]
    pub(super) creation_timestamp: Option<Time>,
    #[prost(message, optional, tag = "9")]
    pub(super) deletion_timestamp: Option<Time>,
    #[prost(int64, optional, tag = "10")]
    pub(super) deletion_grace_period_seconds: Option<i64>,
    #[prost(btree_map = "string, string", tag = "11")]
    pub(super) labels: BTreeMap<String, String>,
    #[prost(btree_map = "string, string", tag = "12")]
    pub(super) annotations: BTreeMap<String, String>,
    #[prost(message, repeated, tag = "13")]
    pub(super) owner_references: Vec<OwnerReference>,
    #[prost(string, repeated, tag = "14")]
    pub(super) finalizers: Vec<String>,
}

/// Source: `k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto` `OwnerReference`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct OwnerReference {
    #[prost(string, optional, tag = "1")]
    pub(super) kind: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(super) name: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(super) uid: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub(super) api_version: Option<String>,
    #[prost(bool, optional, tag = "6")]
    pub(super) controller: Option<bool>,
    #[prost(bool, optional, tag = "7")]
    pub(super) block_owner_deletion: Option<bool>,
}

/// Source: `k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto` `Time`, and `time_proto.go`: an empty message is no time, and
/// fractions of a second are dropped.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Time {
    #[prost(int64, optional, tag = "1")]
    pub(super) seconds: Option<i64>,
    #[prost(int32, optional, tag = "2")]
    pub(super) nanos: Option<i32>,
}

/// Source: `k8s.io/api/core/v1/generated.proto` `Secret`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Secret {
    #[prost(message, optional, tag = "1")]
    pub(super) metadata: Option<ObjectMeta>,
    #[prost(btree_map = "string, bytes", tag = "2")]
    pub(super) data: BTreeMap<String, Vec<u8>>,
    #[prost(string, optional, tag = "3")]
    pub(super) r#type: Option<String>,
    #[prost(btree_map = "string, string", tag = "4")]
    pub(super) string_data: BTreeMap<String, String>,
    #[prost(bool, optional, tag = "5")]
    pub(super) immutable: Option<bool>,
}

/// Source: `k8s.io/api/core/v1/generated.proto` `ConfigMap`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ConfigMap {
    #[prost(message, optional, tag = "1")]
    pub(super) metadata: Option<ObjectMeta>,
    #[prost(btree_map = "string, string", tag = "2")]
    pub(super) data: BTreeMap<String, String>,
    #[prost(btree_map = "string, bytes", tag = "3")]
    pub(super) binary_data: BTreeMap<String, Vec<u8>>,
    #[prost(bool, optional, tag = "4")]
    pub(super) immutable: Option<bool>,
}

/// Source: `k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto` `DeleteOptions`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct DeleteOptions {
    #[prost(int64, optional, tag = "1")]
    pub(super) grace_period_seconds: Option<i64>,
    #[prost(message, optional, tag = "2")]
    pub(super) preconditions: Option<Preconditions>,
    #[prost(bool, optional, tag = "3")]
    pub(super) orphan_dependents: Option<bool>,
    #[prost(string, optional, tag = "4")]
    pub(super) propagation_policy: Option<String>,
    #[prost(string, repeated, tag = "5")]
    pub(super) dry_run: Vec<String>,
    #[prost(bool, optional, tag = "6")]
    pub(super) ignore_store_read_error: Option<bool>,
}

/// Source: `k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto` `Preconditions`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Preconditions {
    #[prost(string, optional, tag = "1")]
    pub(super) uid: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(super) resource_version: Option<String>,
}

/// The metadata of any object.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Headed {
    #[prost(message, optional, tag = "1")]
    pub(super) metadata: Option<ObjectMeta>,
}

/// Source: `k8s.io/api/core/v1/generated.proto` `Service`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Service {
    #[prost(message, optional, tag = "2")]
    pub(super) spec: Option<ServiceSpec>,
}

/// The ports and addresses that it asks for.
///
/// Source: `k8s.io/api/core/v1/generated.proto` `ServiceSpec`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ServiceSpec {
    #[prost(message, repeated, tag = "1")]
    pub(super) ports: Vec<ServicePort>,
    #[prost(string, optional, tag = "3")]
    pub(super) cluster_ip: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(super) r#type: Option<String>,
    #[prost(string, optional, tag = "11")]
    pub(super) external_traffic_policy: Option<String>,
    #[prost(int32, optional, tag = "12")]
    pub(super) health_check_node_port: Option<i32>,
    #[prost(string, repeated, tag = "18")]
    pub(super) cluster_ips: Vec<String>,
}

/// Source: `k8s.io/api/core/v1/generated.proto` `ServicePort`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ServicePort {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(super) protocol: Option<String>,
    #[prost(int32, optional, tag = "3")]
    pub(super) port: Option<i32>,
    #[prost(int32, optional, tag = "5")]
    pub(super) node_port: Option<i32>,
}
