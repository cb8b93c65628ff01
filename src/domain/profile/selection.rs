//! Which rules hold for a release, and which documents they select.

use thiserror::Error;

use super::rule::{Change, Rule, Select};
use crate::domain::post_rendering::About;
use crate::domain::version::satisfies;

/// A rule needs to know more of the release than was said.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("rule `{rule}`: {cause}")]
pub struct RuleError {
    /// The rule's name.
    pub rule: String,
    /// What is missing or wrong, in a few words.
    pub cause: String,
}

/// A document as far as rules select by it.
pub struct Subject<'s> {
    /// As it names it.
    pub api_version: &'s str,
    /// As it names it.
    pub kind: &'s str,
    /// Empty if it has none.
    pub name: &'s str,
    /// Nothing where it leaves it to Helm.
    pub namespace: Option<&'s str>,
    /// Returns the value of a label.
    pub label: &'s dyn Fn(&str) -> Option<String>,
}

impl Select {
    /// Tells whether the document is selected.
    #[must_use]
    pub fn covers(&self, subject: &Subject<'_>, about: &About) -> bool {
        self.covers_kind(subject.api_version, subject.kind) && self.covers_named(subject, about)
    }

    /// Tells whether a document of that kind may be selected.
    #[must_use]
    pub fn covers_kind(&self, api_version: &str, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|of| of.is_of(api_version, kind))
    }

    /// Tells whether a document is selected whose kind is.
    #[must_use]
    pub fn covers_named(&self, subject: &Subject<'_>, about: &About) -> bool {
        let own = subject.namespace.filter(|namespace| !namespace.is_empty());
        let namespace = own.or(about.namespace.as_deref()).unwrap_or_default();
        (self.names.is_empty() || self.names.iter().any(|name| name.covers(subject.name)))
            && (self.namespaces.is_empty() || self.namespaces.iter().any(|of| of.covers(namespace)))
            && self.labels.iter().all(|(key, pattern)| (subject.label)(key).is_some_and(|value| pattern.covers(&value)))
    }
}

/// Returns the rules that hold for a release, with its names put in.
///
/// # Errors
/// [`RuleError`] if a rule needs to know what `about` does not say.
pub fn holding(rules: &[Rule], about: &About) -> Result<Vec<Rule>, RuleError> {
    let mut holding = Vec::new();
    for rule in rules {
        if holds(rule, about)? {
            holding.push(with_names(rule, about)?);
        }
    }
    Ok(holding)
}

/// Tells whether the release is one for the rule: its versions, the size of its record.
fn holds(rule: &Rule, about: &About) -> Result<bool, RuleError> {
    let Select { from, to, record_over, namespaces, .. } = &rule.select;
    let fail = |cause: String| RuleError { rule: rule.name.clone(), cause };
    if about.is_new && from.is_some() {
        return Ok(false);
    }
    // What is known may rule it out; only then is more asked for.
    let mut missing = Vec::new();
    for (wanted, version, flag) in [(from, &about.from, "--from"), (to, &about.to, "--to")] {
        match (wanted, version) {
            (Some(wanted), Some(version)) => {
                if !satisfies(wanted, version).map_err(|error| fail(error.to_string()))? {
                    return Ok(false);
                }
            }
            (Some(_), None) => missing.push(format!("it selects by version: say `{flag} VERSION`")),
            (None, _) => {}
        }
    }
    match (record_over, about.record_bytes) {
        (Some(limit), Some(bytes)) if bytes <= *limit => return Ok(false),
        (Some(_), None) => missing.push("it selects by the size of Helm's record: say `--record-bytes N`".to_owned()),
        _ => {}
    }
    if !namespaces.is_empty() && about.namespace.is_none() {
        missing.push("it selects by namespace, and most documents leave theirs to Helm: say `-n NAMESPACE`".to_owned());
    }
    missing.into_iter().next().map_or(Ok(true), |cause| Err(fail(cause)))
}

/// Puts the names of the release where the rule leaves room for them.
fn with_names(rule: &Rule, about: &About) -> Result<Rule, RuleError> {
    let mut rule = rule.clone();
    let fill = |text: &str, rule: &str| -> Result<String, RuleError> {
        let mut text = text.to_owned();
        for (mark, value, flag) in
            [("{release}", &about.release, "--release NAME"), ("{namespace}", &about.namespace, "-n NAMESPACE")]
        {
            if text.contains(mark) {
                let cause = || RuleError {
                    rule: rule.to_owned(),
                    cause: format!("it needs to know the release: say `{flag}`"),
                };
                text = text.replace(mark, value.as_deref().ok_or_else(cause)?);
            }
        }
        Ok(text)
    };
    for change in &mut rule.changes {
        match change {
            Change::TakeClaim(claim) => {
                claim.of = fill(&claim.of, &rule.name)?;
                claim.take = fill(&claim.take, &rule.name)?;
            }
            Change::CopyClaimFrom(claim) => *claim = fill(claim, &rule.name)?,
            Change::Adopt => {
                // Known before a document needs it.
                fill("{release}{namespace}", &rule.name)?;
            }
            _ => {}
        }
    }
    Ok(rule)
}
