//! Ports and addresses of Services, which a dry run does not take: what one Service of the plan has is free for the next,
//! and neither the range of node ports nor a taken clusterIP is checked at all.
//!
//! Source: `k8s.io/kubernetes/pkg/registry/core/service/storage/alloc.go` and `pkg/registry/core/service/ipallocator`;
//! every rule was tried on 1.36, with a dry run and for real: `tests/fixtures/rehearsal/services.json`.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::overlay::Key;
use super::ruling::Ruling;
use crate::domain::field_path;
use crate::domain::object::ObjectRef;
use crate::domain::rehearsed::{Class, FieldChange, Finding, Remedy};

/// Source: kube-apiserver `--service-node-port-range`. The API does not tell what it is set to.
const DEFAULT_RANGE: std::ops::RangeInclusive<i64> = 30000..=32767;

/// Who has which port and address, as one Service finds it.
#[derive(Debug)]
pub(super) struct Ports<'a> {
    holders: Vec<&'a Holder>,
    /// Node ports of the cluster lie outside of the default range: it has another, and these are in it.
    other_range: Option<std::ops::RangeInclusive<i64>>,
    /// The ranges of clusterIPs; empty if they could not be read.
    cidrs: &'a [Cidr],
}

/// A Service, as far as it has ports and addresses.
#[derive(Debug, Clone)]
pub(super) struct Holder {
    pub(super) key: Key,
    /// Node ports and health check port.
    ports: Vec<i64>,
    ips: Vec<IpAddr>,
    /// Whether it has them for a while after it is deleted: a finalizer holds it.
    pub(super) keeps_ports: bool,
}

impl<'a> Ports<'a> {
    /// `real` are the Services of the whole cluster, without those that the overlay replaces or deletes (but see
    /// [`Holder::keeps_ports`]); `overlay` are the overlay's, as they were asked for: without what a dry run made up in its
    /// answer. `cidrs` are empty if there are none or they may not be read.
    pub(super) fn new(
        real: impl Iterator<Item = &'a Holder>,
        overlay: impl Iterator<Item = &'a Holder>,
        cidrs: &'a [Cidr],
    ) -> Self {
        let mut holders: Vec<&Holder> = real.collect();
        let used = || holders.iter().flat_map(|holder| holder.ports.iter().copied());
        let other_range = used()
            .any(|port| !DEFAULT_RANGE.contains(&port))
            .then(|| used().min().unwrap_or_default()..=used().max().unwrap_or_default());
        holders.extend(overlay);
        Self { holders, other_range, cidrs }
    }

    /// Returns whether the Service `desired` would get what it asks for; `live` is the same Service as the run finds it
    /// (in the cluster, or in the overlay), absent if it is made anew.
    ///
    /// A certain ruling stands over a refusal of class [`Class::Allocator`] by the dry run, which knows nothing of what the
    /// plan has given back.
    pub(super) fn judge(&self, object: &ObjectRef, desired: &Value, live: Option<&Value>) -> Ruling {
        let scene = Scene { ports: self, object, live };
        let mut findings = Vec::new();
        let mut unknown = Vec::new();
        for asked in asked_ports(desired, live) {
            match scene.port_trouble(&asked) {
                Some(Trouble::Certain { who, cause }) => findings.push(scene.finding(asked.change, who, cause)),
                Some(Trouble::Unknown(because)) => unknown.push(because),
                None => {}
            }
        }
        for (path, ip) in asked_ips(desired, live) {
            let change = FieldChange { path, before: None, after: Some(json!(ip.to_string())) };
            match scene.ip_trouble(ip) {
                Some(Trouble::Certain { who, cause }) => findings.push(scene.finding(change, who, cause)),
                Some(Trouble::Unknown(because)) => unknown.push(because),
                None => {}
            }
        }
        if !findings.is_empty() {
            return Ruling::Findings(findings);
        }
        match unknown.into_iter().next() {
            Some(because) => Ruling::Unpredictable { because },
            None => Ruling::Fits,
        }
    }
}

impl Holder {
    /// Reads an item of a list of Services.
    pub(super) fn of(service: &Value) -> Self {
        let text = |pointer: &str| text_at(service, pointer).to_owned();
        let key = Key {
            group: String::new(),
            plural: "services".to_owned(),
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name"),
        };
        Self::new(key, service)
    }

    /// Reads a Service.
    pub(super) fn new(key: Key, service: &Value) -> Self {
        let mut ports = node_ports(service);
        ports.extend(health_check_port(service));
        let ips = cluster_ips(service).into_iter().map(|(_, ip)| ip).collect();
        Self { key, ports, ips, keeps_ports: !list_at(service, "/metadata/finalizers").is_empty() }
    }
}

fn text_at<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn list_at<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn has_node_ports(service: &Value) -> bool {
    matches!(text_at(service, "/spec/type"), "NodePort" | "LoadBalancer")
}

fn node_ports(service: &Value) -> Vec<i64> {
    if !has_node_ports(service) {
        return Vec::new();
    }
    list_at(service, "/spec/ports").iter().filter_map(node_port).collect()
}

/// Zero means that any will do.
fn node_port(port: &Value) -> Option<i64> {
    port.get("nodePort").and_then(Value::as_i64).filter(|port| *port != 0)
}

/// Only a load balancer that keeps its traffic local has one.
fn health_check_port(service: &Value) -> Option<i64> {
    let has_one =
        text_at(service, "/spec/type") == "LoadBalancer" && text_at(service, "/spec/externalTrafficPolicy") == "Local";
    let port = service.pointer("/spec/healthCheckNodePort").and_then(Value::as_i64);
    port.filter(|port| has_one && *port != 0)
}

/// Returns the fixed addresses with their paths. An address that is none is the server's to refuse.
fn cluster_ips(service: &Value) -> Vec<(String, IpAddr)> {
    if text_at(service, "/spec/type") == "ExternalName" {
        return Vec::new();
    }
    let single = text_at(service, "/spec/clusterIP").parse().ok().map(|ip| ("spec.clusterIP".to_owned(), ip));
    let mut ips: Vec<(String, IpAddr)> = single.into_iter().collect();
    for (index, ip) in list_at(service, "/spec/clusterIPs").iter().enumerate() {
        if let Some(ip) = ip.as_str().and_then(|ip| ip.parse().ok())
            && !ips.iter().any(|(_, known)| *known == ip)
        {
            ips.push((field_path::item("spec.clusterIPs", index), ip));
        }
    }
    ips
}

/// A port that is to be had.
struct Asked {
    number: i64,
    change: FieldChange,
    /// Whether this very Service asks for it a second time.
    is_twice: bool,
}

/// Returns the node ports that the Service does not have yet, and its health check port.
fn asked_ports(desired: &Value, live: Option<&Value>) -> Vec<Asked> {
    let held = live.map(node_ports).unwrap_or_default();
    let mut asked = Vec::new();
    if has_node_ports(desired) {
        let ports = list_at(desired, "/spec/ports");
        for (index, port) in ports.iter().enumerate() {
            let Some(number) = node_port(port) else { continue };
            let earlier = || ports.iter().take(index).filter(|earlier| node_port(earlier) == Some(number));
            let is_like = |earlier: &Value, field: &str, default: &str| {
                let text = |port: &Value| port.get(field).map_or_else(|| default.to_owned(), Value::to_string);
                text(earlier).trim_matches('"') == text(port).trim_matches('"')
            };
            // A new Service may have one number for one port by two protocols; an old one, for two ports too.
            let is_twice = match live {
                None => earlier().any(|earlier| !is_like(earlier, "port", "")),
                Some(_) => earlier().any(|earlier| is_like(earlier, "protocol", "TCP")),
            };
            if !is_twice && (held.contains(&number) || earlier().next().is_some()) {
                continue;
            }
            let item = match port.get("name").and_then(Value::as_str) {
                Some(name) => field_path::keyed_item("spec.ports", "name", name),
                None => field_path::item("spec.ports", index),
            };
            let before = live.map(|live| list_at(live, "/spec/ports")).unwrap_or_default();
            let before = before.iter().find(|before| is_like(before, "port", "") && is_like(before, "protocol", "TCP"));
            let change = FieldChange {
                path: field_path::child(&item, "nodePort"),
                before: before.and_then(node_port).map(|port| json!(port)),
                after: Some(json!(number)),
            };
            asked.push(Asked { number, change, is_twice });
        }
    }
    let had = live.and_then(health_check_port);
    if let Some(number) = health_check_port(desired).filter(|number| had != Some(*number)) {
        let change = FieldChange {
            path: "spec.healthCheckNodePort".to_owned(),
            before: had.map(|port| json!(port)),
            after: Some(json!(number)),
        };
        asked.push(Asked { number, change, is_twice: node_ports(desired).contains(&number) });
    }
    asked
}

/// Returns the addresses that the Service does not have yet.
fn asked_ips(desired: &Value, live: Option<&Value>) -> Vec<(String, IpAddr)> {
    let held = live.map(cluster_ips).unwrap_or_default();
    let is_held = |ip: &IpAddr| held.iter().any(|(_, held)| held == ip);
    cluster_ips(desired).into_iter().filter(|(_, ip)| !is_held(ip)).collect()
}

enum Trouble {
    Certain { who: Option<String>, cause: String },
    Unknown(String),
}

struct Scene<'a> {
    ports: &'a Ports<'a>,
    object: &'a ObjectRef,
    live: Option<&'a Value>,
}

impl Scene<'_> {
    fn port_trouble(&self, asked: &Asked) -> Option<Trouble> {
        let number = asked.number;
        let certain = |who, cause| Some(Trouble::Certain { who, cause });
        if asked.is_twice {
            return certain(None, format!("node port {number} is asked for twice by this Service"));
        }
        if !(1..=65535).contains(&number) {
            return certain(None, format!("{number} is no port"));
        }
        if let Some(holder) = self.holder(|holder| holder.ports.contains(&number)) {
            let cause = format!("node port {number} is taken by {holder}");
            return certain(Some(holder), cause);
        }
        match &self.ports.other_range {
            // A range has no gaps.
            Some(range) if range.contains(&number) => None,
            Some(_) => Some(Trouble::Unknown(format!(
                "whether node port {number} is in range: other Services show that the range is not the default one, and the API does not tell it"
            ))),
            None if DEFAULT_RANGE.contains(&number) => None,
            None => certain(
                None,
                format!(
                    "node port {number} is out of range: 30000 to 32767, unless the API server is set up otherwise"
                ),
            ),
        }
    }

    fn ip_trouble(&self, ip: IpAddr) -> Option<Trouble> {
        if let Some(holder) = self.holder(|holder| holder.ips.contains(&ip)) {
            let cause = format!("clusterIP {ip} is taken by {holder}");
            return Some(Trouble::Certain { who: Some(holder), cause });
        }
        let cidrs = self.ports.cidrs;
        if cidrs.is_empty() {
            return Some(Trouble::Unknown(format!(
                "whether clusterIP {ip} is in range: the cluster's ranges could not be read"
            )));
        }
        if cidrs.iter().any(|cidr| cidr.gives(ip)) {
            return None;
        }
        let ranges: Vec<&str> = cidrs.iter().map(|cidr| cidr.text.as_str()).collect();
        let cause = format!("clusterIP {ip} is out of range: {}", ranges.join(", "));
        Some(Trouble::Certain { who: None, cause })
    }

    /// Returns the other Service for which `holds` is true.
    fn holder(&self, holds: impl Fn(&Holder) -> bool) -> Option<String> {
        let namespace = self.object.namespace.as_deref().unwrap_or_default();
        let is_other =
            |holder: &Holder| (holder.key.namespace.as_str(), &holder.key.name) != (namespace, &self.object.name);
        let holder = self.ports.holders.iter().find(|holder| is_other(holder) && holds(holder))?;
        Some(format!("Service {}/{}", holder.key.namespace, holder.key.name))
    }

    fn finding(&self, change: FieldChange, who: Option<String>, cause: String) -> Finding {
        let remedy = match self.live {
            Some(_) => format!("keep the old value of `{}`, leave it out, or choose one that is free", change.path),
            None => format!("leave `{}` out, or choose one that is free", change.path),
        };
        Finding {
            class: Class::Allocator,
            object: self.object.clone(),
            fields: vec![change],
            who,
            cause,
            remedy: Remedy::Person { text: format!("{remedy}: `kubectl get services -A`") },
        }
    }
}

/// A range of addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cidr {
    text: String,
    network: IpAddr,
    prefix: u32,
}

impl Cidr {
    /// Returns the ranges of `ServiceCIDR` objects, as far as addresses are given out of them.
    pub(super) fn all(service_cidrs: &[Value]) -> Vec<Self> {
        service_cidrs.iter().filter(|cidr| is_ready(cidr)).flat_map(Self::of).collect()
    }

    fn of(service_cidr: &Value) -> Vec<Self> {
        list_at(service_cidr, "/spec/cidrs").iter().filter_map(|cidr| Self::parse(cidr.as_str()?)).collect()
    }

    fn parse(text: &str) -> Option<Self> {
        let (network, prefix) = text.split_once('/')?;
        let (network, prefix): (IpAddr, u32) = (network.parse().ok()?, prefix.parse().ok()?);
        let bits = if network.is_ipv4() { 32 } else { 128 };
        (prefix <= bits).then(|| Self { text: text.to_owned(), network, prefix })
    }

    /// Tells whether the address is in it and given out: the network's own is not, nor IPv4's broadcast.
    fn gives(&self, ip: IpAddr) -> bool {
        let (network, address, bits) = match (self.network, ip) {
            (IpAddr::V4(network), IpAddr::V4(ip)) => (u128::from(network.to_bits()), u128::from(ip.to_bits()), 32),
            (IpAddr::V6(network), IpAddr::V6(ip)) => (network.to_bits(), ip.to_bits(), 128),
            _ => return false,
        };
        // `u128 >> 128` has no value.
        let host_bits = bits - self.prefix;
        let hosts = 1_u128.checked_shl(host_bits).map_or(u128::MAX, |size| size - 1);
        let (first, last) = (network & !hosts, network | hosts);
        let is_broadcast = bits == 32 && address == last;
        first < address && address <= last && !is_broadcast
    }
}

/// Tells whether addresses are given out of it.
///
/// Source: `networking.k8s.io/v1` `ServiceCIDR` condition `Ready`; one that is being deleted gives none.
fn is_ready(service_cidr: &Value) -> bool {
    let is_ready =
        |condition: &Value| text_at(condition, "/type") == "Ready" && text_at(condition, "/status") == "True";
    service_cidr.pointer("/metadata/deletionTimestamp").is_none()
        && list_at(service_cidr, "/status/conditions").iter().any(is_ready)
}

#[cfg(test)]
mod tests;
