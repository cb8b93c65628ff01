//! What the user may do, asked of the server itself.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Cluster;
use super::error::ClusterError;
use super::objects::AT_ONCE;
use super::transport::Call;
use crate::domain::facts::RightFacts;

/// One question: verb, group, resource, namespace.
type Question = (String, String, String, Option<String>);

#[derive(Deserialize)]
struct Review {
    status: ReviewStatus,
}

#[derive(Deserialize)]
struct ReviewStatus {
    #[serde(default)]
    allowed: bool,
}

impl Cluster {
    /// Returns `rights`, in the same order, with the server's answers in `allowed`.
    ///
    /// Whoever may do everything in a namespace, or everywhere, is asked about that alone. The questions store nothing.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn review_rights(&self, rights: Vec<RightFacts>) -> Result<Vec<RightFacts>, ClusterError> {
        let may_do_all: BTreeMap<Question, bool> = self.ask_all(scopes(&rights)).await?;
        let is_covered = |right: &RightFacts| {
            [Some(None), Some(right.namespace.clone())]
                .into_iter()
                .flatten()
                .any(|scope| may_do_all.get(&everything(scope)).copied().unwrap_or(false))
        };
        let open: BTreeSet<Question> = rights.iter().filter(|right| !is_covered(right)).map(question).collect();
        let answers = self.ask_all(open).await?;
        let answered = rights.into_iter().map(|right| {
            let allowed = is_covered(&right) || answers.get(&question(&right)).copied().unwrap_or(false);
            RightFacts { allowed, ..right }
        });
        Ok(answered.collect())
    }

    async fn ask_all(&self, questions: BTreeSet<Question>) -> Result<BTreeMap<Question, bool>, ClusterError> {
        let asked = questions.into_iter().map(|question| async move {
            let allowed = self.may(&question).await?;
            Ok((question, allowed))
        });
        futures::stream::iter(asked).buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn may(&self, question: &Question) -> Result<bool, ClusterError> {
        let (verb, _, resource, namespace) = question;
        let what = match namespace {
            Some(namespace) => format!("the right to {verb} {resource} in namespace {namespace}"),
            None => format!("the right to {verb} {resource}"),
        };
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let review: Review = self.inner.transport.ask(&Call::review(what, path, review_body(question))).await?;
        Ok(review.status.allowed)
    }
}

fn question(right: &RightFacts) -> Question {
    (right.verb.clone(), right.group.clone(), right.resource.clone(), right.namespace.clone())
}

fn everything(namespace: Option<String>) -> Question {
    ("*".to_owned(), "*".to_owned(), "*".to_owned(), namespace)
}

/// The wide questions: everything everywhere, and everything in each namespace that is named more than once.
fn scopes(rights: &[RightFacts]) -> BTreeSet<Question> {
    let mut named: BTreeMap<&str, usize> = BTreeMap::new();
    for namespace in rights.iter().filter_map(|right| right.namespace.as_deref()) {
        *named.entry(namespace).or_default() += 1;
    }
    let mut scopes: BTreeSet<Question> =
        named.iter().filter(|(_, times)| **times > 1).map(|(name, _)| everything(Some((*name).to_owned()))).collect();
    if rights.len() > 1 {
        scopes.insert(everything(None));
    }
    scopes
}

fn review_body((verb, group, resource, namespace): &Question) -> Value {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {
            "verb": verb,
            "group": group,
            "resource": resource,
            "subresource": subresource,
            "namespace": namespace.as_deref().unwrap_or_default(),
        }},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right(verb: &str, resource: &str, namespace: Option<&str>) -> RightFacts {
        RightFacts {
            verb: verb.into(),
            group: String::new(),
            resource: resource.into(),
            namespace: namespace.map(str::to_owned),
            needed_for: String::new(),
            allowed: false,
        }
    }

    #[test]
    fn a_subresource_is_asked_about_as_one() {
        let body = review_body(&question(&right("get", "pods/log", Some("shop"))));
        let asked = &body["spec"]["resourceAttributes"];
        assert_eq!((&asked["resource"], &asked["subresource"]), (&json!("pods"), &json!("log")));
        assert_eq!(asked["namespace"], json!("shop"));
    }

    #[test]
    fn wide_questions_are_asked_only_where_they_can_save_others() {
        assert!(scopes(&[right("get", "pods", Some("shop"))]).is_empty());
        let several = [
            right("get", "pods", Some("shop")),
            right("list", "pods", Some("shop")),
            right("get", "pods", Some("other")),
            right("get", "nodes", None),
        ];
        assert_eq!(scopes(&several), BTreeSet::from([everything(None), everything(Some("shop".into()))]));
    }
}
