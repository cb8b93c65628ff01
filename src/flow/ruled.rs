//! Rules of profiles in a run: what they may know of the release, what they changed, what they do not reach.

use anyhow::Context as _;

use super::inputs::Inputs;
use super::session::Session;
use crate::domain::manifest;
use crate::domain::object::Object;
use crate::domain::post_rendering::{About, Following, NOTES_FILE, Notes};
use crate::domain::profile::{Change, Rule, Subject, holding};
use crate::domain::release::Release;
use crate::domain::wording::some;
use crate::edge::disk::RunFolder;
use crate::edge::helm::PulledChart;

/// What rules did to a render.
#[derive(Debug, Clone, Default)]
pub struct Ruled {
    /// The rules that are followed, if any changes anything.
    pub following: Option<Following>,
    /// Of what the plan warns because of them.
    pub warnings: Vec<String>,
}

/// Hooks that are named; the rest are counted.
const NAMED: usize = 3;

/// Returns what rules may know of the release; nothing if there are no rules.
#[must_use]
pub fn about(session: &Session, inputs: &Inputs, chart: &PulledChart, current: Option<&Release>) -> Option<About> {
    (!inputs.rules.is_empty()).then(|| About {
        release: Some(inputs.args.release.clone()),
        namespace: Some(session.namespace.clone()),
        from: current.map(|current| current.chart.metadata.version.clone()),
        to: Some(chart.metadata.version.clone()),
        record_bytes: Some(0),
        is_new: current.is_none(),
    })
}

/// Returns the same where Helm's record is so large, if a rule holds because of that.
#[must_use]
pub fn with_record(inputs: &Inputs, about: &About, bytes: usize) -> Option<About> {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    let is_over = |rule: &Rule| rule.select.record_over.is_some_and(|limit| bytes > limit);
    inputs.rules.iter().any(is_over).then(|| About { record_bytes: Some(bytes), ..about.clone() })
}

/// Returns what the rules did to what Helm rendered last.
///
/// # Errors
/// The run folder cannot be read, or Helm did not call our post-renderer.
pub fn followed(session: &Session, folder: &RunFolder, about: About) -> anyhow::Result<Following> {
    let text = folder.read(NOTES_FILE)?.context("Helm did not call our post-renderer")?;
    let notes: Notes = serde_json::from_slice(&text).context("read what the rules did")?;
    Ok(Following { about, notes, helm_major: session.helm_version.major })
}

/// Returns of what the plan warns because of the rules.
#[must_use]
pub fn warnings(session: &Session, inputs: &Inputs, following: &Following, target: &Release) -> Vec<String> {
    let mut told = Vec::new();
    if following.notes.changed == 0 {
        told.push("no rule of the profile changes anything that Helm gives to a post-renderer".to_owned());
    }
    if session.helm_version.major < 4 {
        let rules = holding(&inputs.rules, &following.about).unwrap_or_default();
        told.extend(unreached(&rules, following, target));
    }
    told.extend(following.notes.left_alone());
    told
}

/// Returns which rules may change hooks: Helm 3 gives those to no post-renderer.
///
/// Source: Helm 3 `pkg/action/action.go`, `renderResources`: hooks are sorted out before.
fn unreached(rules: &[Rule], following: &Following, target: &Release) -> Option<String> {
    let texts = target.hooks.iter().map(|hook| hook.manifest.as_str());
    let hooks: Vec<Object> = texts.flat_map(|text| manifest::parse(text).unwrap_or_default()).collect();
    let is_for = |rule: &Rule, hook: &Object| {
        // A document that was added because of another one needs no hook.
        let is_added = following.notes.rules.iter().any(|notes| notes.rule == rule.name);
        let is_open = |change: &Change| change.is_for(hook) && !(is_added && matches!(change, Change::AddDocument(_)));
        rule.changes.iter().any(is_open) && selects(rule, &following.about, hook)
    };
    let rules: Vec<&Rule> = rules.iter().filter(|rule| hooks.iter().any(|hook| is_for(rule, hook))).collect();
    let first = rules.first()?;
    let hooks = hooks.iter().filter(|hook| rules.iter().any(|rule| is_for(rule, hook)));
    let hooks: Vec<String> = hooks.map(|hook| format!("{} {}", hook.kind(), hook.name())).collect();
    let hooks = some(&hooks, NAMED);
    let rules = match rules.len() {
        1 => format!("rule `{}` is", first.name),
        count => format!("{count} rules (`{}` is the first) are", first.name),
    };
    Some(format!("{rules} not applied to hooks, which Helm 3 gives to no post-renderer: {hooks}"))
}

fn selects(rule: &Rule, about: &About, object: &Object) -> bool {
    let label = |key: &str| object.label(key).map(str::to_owned);
    let subject = Subject {
        api_version: object.api_version(),
        kind: object.kind(),
        name: object.name(),
        namespace: object.namespace(),
        label: &label,
    };
    rule.select.covers(&subject, about)
}
