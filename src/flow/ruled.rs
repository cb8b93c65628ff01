//! Rules of profiles in a run: what they may know of the release, what they changed, what they do not reach.

use super::inputs::Inputs;
use super::session::Session;
use crate::domain::manifest;
use crate::domain::object::Object;
use crate::domain::post_rendering::{About, Following, NOTES_FILE, Notes};
use crate::domain::profile::{Change, Rule, Subject, holding};
use crate::domain::release::Release;
use crate::edge::disk::RunFolder;
use crate::edge::helm::PulledChart;

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

/// Tells whether a rule holds because of the size of Helm's record.
#[must_use]
pub fn asks_for_size(inputs: &Inputs) -> bool {
    inputs.rules.iter().any(|rule| rule.select.record_over.is_some())
}

/// Returns the same where Helm's record is so large, if a rule holds because of that.
#[must_use]
pub fn with_record(inputs: &Inputs, about: &About, bytes: usize) -> Option<About> {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    let is_over = |rule: &Rule| rule.select.record_over.is_some_and(|limit| bytes > limit);
    inputs.rules.iter().any(is_over).then(|| About { record_bytes: Some(bytes), ..about.clone() })
}

/// Returns what the rules did to what Helm rendered last; nothing if they changed nothing.
///
/// # Errors
/// The run folder cannot be read.
pub fn following(folder: &RunFolder, about: About) -> anyhow::Result<Option<Following>> {
    let Some(text) = folder.read(NOTES_FILE)? else { return Ok(None) };
    let notes: Notes = serde_json::from_slice(&text)?;
    Ok((notes.changed > 0).then_some(Following { about, notes }))
}

/// Returns of what the plan warns because of the rules.
#[must_use]
pub fn told(
    session: &Session,
    inputs: &Inputs,
    following: Option<&Following>,
    target: Option<&Release>,
) -> Vec<String> {
    if inputs.rules.is_empty() {
        return Vec::new();
    }
    let Some(Following { about, .. }) = following else {
        return vec![
            "no rule of the profile changes anything: Helm applies what the chart renders as it is".to_owned(),
        ];
    };
    match target {
        Some(target) if session.helm_version.major < 4 => {
            unreached(&holding(&inputs.rules, about).unwrap_or_default(), about, target).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Returns which rules would change hooks: Helm 3 gives those to no post-renderer.
///
/// Source: Helm 3 `pkg/action/action.go`, `renderResources`: hooks are sorted out before.
fn unreached(rules: &[Rule], about: &About, target: &Release) -> Option<String> {
    let texts = target.hooks.iter().map(|hook| hook.manifest.as_str());
    let hooks: Vec<Object> = texts.flat_map(|text| manifest::parse(text).unwrap_or_default()).collect();
    // These two leave hooks alone anyway.
    let is_about_hooks = |change: &Change| !matches!(change, Change::AddDocument(_) | Change::UniqueJobNames);
    let rules: Vec<&Rule> = rules
        .iter()
        .filter(|rule| rule.changes.iter().any(is_about_hooks) && hooks.iter().any(|hook| selects(rule, about, hook)))
        .collect();
    let first = rules.first()?;
    let hooks = hooks.iter().filter(|hook| rules.iter().any(|rule| selects(rule, about, hook)));
    let hooks: Vec<String> = hooks.map(|hook| format!("{} {}", hook.kind(), hook.name())).collect();
    let more = match hooks.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let hooks = hooks.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let rules = match rules.len() {
        1 => format!("rule `{}` is", first.name),
        count => format!("{count} rules (`{}` is the first) are", first.name),
    };
    Some(format!("{rules} not applied to hooks, which Helm 3 gives to no post-renderer: {hooks}{more}"))
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
