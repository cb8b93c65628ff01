//! Pods, their events and their logs.

use super::Cluster;
use super::error::ClusterError;
use super::objects::{Selector, with_query};
use super::transport::{Call, escape};
use crate::domain::object::Object;

/// Which part of which log to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRequest<'a> {
    /// Namespace of the pod.
    pub namespace: &'a str,
    /// Name of the pod.
    pub pod: &'a str,
    /// Name of the container.
    pub container: &'a str,
    /// The log of the container's previous life.
    pub previous: bool,
    /// Lines from the end.
    pub tail_lines: u32,
    /// Bytes at most.
    pub limit_bytes: u32,
}

impl Cluster {
    /// Returns all pods of a namespace.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn list_pods(&self, namespace: &str) -> Result<Vec<Object>, ClusterError> {
        self.list("v1", "Pod", Some(namespace), &Selector::default()).await
    }

    /// Returns all events of a namespace, in no order; the server keeps them for an hour.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn list_events(&self, namespace: &str) -> Result<Vec<Object>, ClusterError> {
        self.list("v1", "Event", Some(namespace), &Selector::default()).await
    }

    /// Returns the end of a container's log; bytes that are no UTF-8 are replaced. Not masked yet.
    ///
    /// # Errors
    /// If there is no such log, or the server or the kubelet refuses or does not answer.
    pub async fn read_log(&self, request: LogRequest<'_>) -> Result<String, ClusterError> {
        let LogRequest { namespace, pod, container, previous, tail_lines, limit_bytes } = request;
        let path = format!("/api/v1/namespaces/{}/pods/{}/log", escape(namespace), escape(pod));
        let query = [
            ("container", container.to_owned()),
            ("previous", previous.to_string()),
            ("tailLines", tail_lines.to_string()),
            ("limitBytes", limit_bytes.to_string()),
        ];
        let what = format!("the log of container `{container}` of Pod {namespace}/{pod}");
        let log = self.inner.transport.send(&Call::read("read", what, with_query(path, &query))).await?;
        Ok(String::from_utf8_lossy(&log).into_owned())
    }
}
