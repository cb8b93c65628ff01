//! Quotas over a whole run: each dry run is accepted alone, since none takes anything.
//!
//! What a deletion gives back is free only once the quota controller has counted anew. On a quiet 1.36 that took 14 to
//! 40 ms, and Helm may be faster: it deletes a hook and makes it anew, or an old release record before the new one. So
//! three answers: it fits whatever is given back, it does not fit even then, or it hangs on that.
//!
//! Source: `k8s.io/apiserver/pkg/admission/plugin/resourcequota` `CheckRequest`; observed on 1.36:
//! `tests/fixtures/rehearsal/quotas.json`.

mod quantity;
mod scope;
mod usage;

use serde_json::Value;

use super::refusal::{exceeded, remedy_for_quota};
use super::ruling::Ruling;
use crate::domain::object::ObjectRef;
use crate::domain::rehearsed::{Class, Finding, Remedy};
use quantity::Quantity;
use usage::Amounts;

/// Who uses how much of which quota, as the run goes on.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    quotas: Vec<Quota>,
}

#[derive(Debug, Clone)]
struct Quota {
    value: Value,
    namespace: String,
    name: String,
    lines: Vec<Line>,
}

/// One limit.
#[derive(Debug, Clone)]
struct Line {
    name: String,
    hard: Quantity,
    /// Absent if the controller has not counted yet: the server refuses then.
    used: Option<Quantity>,
    /// How much of it the run has given back, as soon as the controller counts anew.
    given_back: Quantity,
}

/// One write: what it changes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change<'a> {
    /// The object.
    pub(super) object: &'a ObjectRef,
    /// `deployments`.
    pub(super) plural: &'a str,
    /// The object as the write finds it, in the cluster or the overlay; absent if it is made.
    pub(super) before: Option<&'a Value>,
    /// The object as the server answered it (with what it fills in); absent if it is deleted.
    pub(super) after: Option<&'a Value>,
}

impl Ledger {
    /// Reads `ResourceQuota` objects, of one namespace or of many, as they were before the run.
    pub(super) fn new(quotas: &[Value]) -> Self {
        Self { quotas: quotas.iter().map(Quota::of).collect() }
    }

    /// Enters one write, in the order of the run, and returns whether it fits. What does not fit is not entered, since the
    /// server would not take it. Helm's own records count like any Secret or ConfigMap.
    ///
    /// The ruling stands over the server's own refusal that a quota is exceeded: a dry run still counts what the run has
    /// deleted.
    pub(super) fn enter(&mut self, change: &Change<'_>) -> Ruling {
        let group = change.object.group();
        let uses = |quota: &Quota, object: Option<&Value>| match object {
            Some(object) if scope::covers(&quota.value, group, change.plural, object) => {
                usage::of(group, change.plural, object)
            }
            _ => Amounts::new(),
        };
        let namespace = change.object.namespace.as_deref();
        let mut findings = Vec::new();
        let mut unknown = None;
        let mut entries = Vec::new();
        for (index, quota) in self.quotas.iter().enumerate() {
            if Some(quota.namespace.as_str()) != namespace {
                continue;
            }
            let (before, after) = (uses(quota, change.before), uses(quota, change.after));
            match quota.judge(&before, &after) {
                Judgement::Fits => {}
                Judgement::Hangs(because) => unknown = unknown.or(Some(because)),
                Judgement::Exceeds(cause) => findings.push(finding(change.object, &quota.name, cause)),
            }
            entries.push((index, before, after));
        }
        if !findings.is_empty() {
            return Ruling::Findings(findings);
        }
        for (index, before, after) in entries {
            if let Some(quota) = self.quotas.get_mut(index) {
                quota.enter(&before, &after);
            }
        }
        match unknown {
            Some(because) => Ruling::Unpredictable { because },
            None => Ruling::Fits,
        }
    }
}

enum Judgement {
    Fits,
    Hangs(String),
    Exceeds(String),
}

impl Quota {
    fn of(quota: &Value) -> Self {
        let text = |pointer: &str| quota.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let amount = |kind: &str, name: &str| {
            let value = quota.get("status")?.get(kind)?.get(name)?;
            Quantity::parse(value.as_str()?)
        };
        // The server compares with the status, which follows the spec.
        let names = quota.pointer("/status/hard").or_else(|| quota.pointer("/spec/hard")).and_then(Value::as_object);
        let lines = names.into_iter().flatten().filter_map(|(name, hard)| {
            Some(Line {
                name: name.clone(),
                hard: Quantity::parse(hard.as_str()?)?,
                used: amount("used", name),
                given_back: Quantity::count(0),
            })
        });
        let mut lines: Vec<Line> = lines.collect();
        lines.sort_by(|a, b| a.name.cmp(&b.name));
        Self { lines, value: quota.clone(), namespace: text("/metadata/namespace"), name: text("/metadata/name") }
    }

    fn judge(&self, before: &Amounts, after: &Amounts) -> Judgement {
        let mut over: Vec<(&Line, Quantity, Quantity)> = Vec::new();
        let mut hanging = None;
        for line in &self.lines {
            let more = line.difference(before, after);
            if !more.is_positive() {
                continue;
            }
            let Some(used) = line.used else {
                hanging = Some(format!("quota `{}` is so new that its use is not counted yet", self.name));
                continue;
            };
            if used.plus(more) <= line.hard {
                continue;
            }
            if used.minus(line.given_back).plus(more) <= line.hard {
                hanging = Some(format!(
                    "quota `{}` has room for it ({}) once what the run deletes is given back, which takes the cluster a moment",
                    self.name, line.name
                ));
                continue;
            }
            over.push((line, more, used.minus(line.given_back)));
        }
        if !over.is_empty() {
            let list = |of: &dyn Fn(&(&Line, Quantity, Quantity)) -> Quantity| {
                over.iter().map(|line| format!("{}={}", line.0.name, of(line))).collect::<Vec<_>>().join(",")
            };
            let cause = exceeded(&self.name, &list(&|line| line.1), &list(&|line| line.2), &list(&|line| line.0.hard));
            return Judgement::Exceeds(cause);
        }
        hanging.map_or(Judgement::Fits, Judgement::Hangs)
    }

    fn enter(&mut self, before: &Amounts, after: &Amounts) {
        for line in &mut self.lines {
            let more = line.difference(before, after);
            if more.is_positive() {
                line.used = line.used.map(|used| used.plus(more));
            } else {
                // The server takes less at once, but what is given back waits for the controller.
                line.given_back = line.given_back.minus(more);
            }
        }
    }
}

impl Line {
    fn difference(&self, before: &Amounts, after: &Amounts) -> Quantity {
        let amount = |of: &Amounts| of.get(&self.name).copied().unwrap_or_else(|| Quantity::count(0));
        amount(after).minus(amount(before))
    }
}

fn finding(object: &ObjectRef, quota: &str, cause: String) -> Finding {
    Finding {
        class: Class::Quota,
        object: object.clone(),
        fields: Vec::new(),
        who: Some(quota.to_owned()),
        cause,
        remedy: Remedy::Person { text: remedy_for_quota(quota, object.namespace.as_deref()) },
    }
}

#[cfg(test)]
mod tests;
