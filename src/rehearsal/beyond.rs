//! What a dry run leaves out: ports and addresses that a second object would get too (T8), quotas that many writes exceed
//! together (T9). And the reverse: what the server refuses although the same command gave it back before.

use serde_json::Value;

use super::Rehearsal;
use super::allocator::{Holder, Ports};
use super::overlay::Key;
use super::quota::{Change, Ledger};
use super::refusal;
use super::ruling::Ruling;
use super::write::{Act, Base, Write};
use crate::domain::facts::Answer;
use crate::domain::object::ObjectRef;
use crate::domain::rehearsed::{Class, Finding};

/// A Service as the command asked for it.
#[derive(Debug, Clone)]
pub(super) struct AskedService {
    /// Without what a dry run made up in its answer.
    asked: Value,
    /// The ports and addresses in it.
    holder: Holder,
}

impl Rehearsal {
    /// Returns whether a write that the server accepts would be accepted in the run, after all that comes before it.
    pub(super) fn rule(&mut self, write: &Write, key: &Key, named: &ObjectRef, base: &Base, after: &Value) -> Ruling {
        let ports = if is_service(key) {
            let asked = self.asked_service(write, key, base, after);
            let ports = self.rule_on_ports(key, named, &asked, base.now());
            if ports == Ruling::Fits {
                let holder = Holder::new(key.clone(), &asked);
                self.asked_services.insert(key.clone(), AskedService { asked, holder });
            }
            ports
        } else {
            Ruling::Fits
        };
        match (ports, self.rule_on_quota(key, named, base.now(), Some(after))) {
            (Ruling::Findings(mut found), Ruling::Findings(more)) => {
                found.extend(more);
                Ruling::Findings(found)
            }
            (Ruling::Findings(found), _) | (_, Ruling::Findings(found)) => Ruling::Findings(found),
            (Ruling::Unpredictable { because }, _) | (_, Ruling::Unpredictable { because }) => {
                Ruling::Unpredictable { because }
            }
            (Ruling::Fits, Ruling::Fits) => Ruling::Fits,
        }
    }

    /// Returns why a refusal of ports or quota says nothing: the server still counts what the same command gave back. Nothing
    /// if the refusal stands.
    pub(super) fn overrule(
        &mut self,
        key: &Key,
        named: &ObjectRef,
        base: &Base,
        desired: &Value,
        findings: &[Finding],
    ) -> Option<String> {
        let is_of_ports = findings.iter().all(|finding| finding.class == Class::Allocator);
        let ruling = if is_service(key) && is_of_ports {
            self.rule_on_ports(key, named, desired, base.now())
        } else if findings.iter().all(refusal::is_exceeded) && self.ledgers.contains_key(&key.namespace) {
            self.rule_on_quota(key, named, base.now(), Some(desired))
        } else {
            return None;
        };
        match ruling {
            Ruling::Findings(_) => None,
            Ruling::Fits => Some(
                "what it needs is given back by the same command before; the rest of it could not be tried".to_owned(),
            ),
            Ruling::Unpredictable { because } => Some(because),
        }
    }

    /// Notes that an object is deleted: what it used comes back.
    pub(super) fn give_back(&mut self, key: &Key, named: &ObjectRef, before: Option<&Value>) {
        // Nothing is refused for using less.
        let _ = self.rule_on_quota(key, named, before, None);
        self.asked_services.remove(key);
    }

    /// Keeps the quotas of a namespace; none if they could not be read.
    pub(super) fn open_ledger(&mut self, namespace: &str, quotas: Option<&[Value]>) {
        match quotas {
            Some(quotas) => drop(self.ledgers.insert(namespace.to_owned(), Ledger::new(quotas))),
            None => self.note(format!(
                "the quotas of namespace {namespace} could not be read: whether all writes together exceed one is not known"
            )),
        }
    }

    fn rule_on_ports(&self, key: &Key, named: &ObjectRef, asked: &Value, live: Option<&Value>) -> Ruling {
        if !is_service(key) {
            return Ruling::Fits;
        }
        let Some(real) = self.known.services.as_ref().and_then(Answer::known) else {
            return Ruling::Unpredictable {
                because: "the Services of the cluster could not be read: its ports may be taken".to_owned(),
            };
        };
        let is_kept = |holder: &&Holder| {
            let is_there = || match self.overlay.get(&holder.key) {
                None => true,
                Some(entry) => entry.object().is_none() && holder.keeps_ports,
            };
            holder.key != *key && is_there()
        };
        let ours = self.asked_services.values().map(|service| &service.holder).filter(|holder| holder.key != *key);
        let cidrs = self.known.service_cidrs.as_ref().and_then(Answer::known).map_or(&[][..], Vec::as_slice);
        Ports::new(real.iter().filter(is_kept), ours, cidrs).judge(named, asked, live)
    }

    /// Returns a Service as it is asked for by a write and by those before it; `after` is the server's answer.
    fn asked_service(&self, write: &Write, key: &Key, base: &Base, after: &Value) -> Value {
        let asked = self.asked_services.get(key).map(|service| &service.asked);
        match (base.real(), write.act) {
            // A patch says nothing of what it leaves as it is.
            (None, Act::Patch) => asked
                .and_then(|asked| self.apply_patch(write, asked))
                .unwrap_or_else(|| asked_for(&write.body, asked.or(base.now()), after)),
            (None, _) => write.body.clone(),
            (Some(_), _) => asked_for(&write.body, asked.or(base.now()), after),
        }
    }

    fn rule_on_quota(&mut self, key: &Key, named: &ObjectRef, before: Option<&Value>, after: Option<&Value>) -> Ruling {
        let Some(ledger) = self.ledgers.get_mut(&key.namespace) else { return Ruling::Fits };
        ledger.enter(&Change { object: named, plural: &key.plural, before, after })
    }
}

/// Returns the answer to a changed Service without the ports and addresses that nobody asked for: what a dry run gives is made up.
fn asked_for(body: &Value, before: Option<&Value>, after: &Value) -> Value {
    let mut asked = after.clone();
    // A list of operations on paths names fields in another way: nothing is taken out.
    let Some(spec) = asked.get_mut("spec").and_then(Value::as_object_mut).filter(|_| body.is_object()) else {
        return asked;
    };
    let sources: Vec<&Value> = [Some(body), before].into_iter().flatten().filter_map(|of| of.get("spec")).collect();
    for field in ["clusterIP", "clusterIPs", "healthCheckNodePort"] {
        if sources.iter().all(|source| source.get(field) != spec.get(field)) {
            spec.shift_remove(field);
        }
    }
    let node_port = |port: &Value| port.get("nodePort").and_then(Value::as_u64);
    let named: Vec<u64> = sources
        .iter()
        .filter_map(|source| source.get("ports")?.as_array())
        .flat_map(|ports| ports.iter().filter_map(node_port))
        .collect();
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        if node_port(port).is_some_and(|number| !named.contains(&number))
            && let Some(fields) = port.as_object_mut()
        {
            fields.shift_remove("nodePort");
        }
    }
    asked
}

fn is_service(key: &Key) -> bool {
    key.group.is_empty() && key.plural == "services"
}
