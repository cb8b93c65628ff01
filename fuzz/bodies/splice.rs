//! Whatever comes, with edits: the result means what it should, as we read it, and comes out again as it is. Two edits at once mean
//! what one means after the other.

use std::fmt::Debug;
use std::sync::LazyLock;

use helm_csghub::domain::post_rendering::About;
use helm_csghub::domain::profile;
use helm_csghub::domain::yaml::parse_documents;
use helm_csghub::postrender::{Rules, render};

/// The edits: the first two bytes of an input choose one and another one.
pub(crate) const EDITS: [&str; 14] = [
    "set-labels: {team: 'yes'}",
    "set: {path: data.k, value: \"two\\nlines\"}",
    "remove: data.k",
    "remove-labels: [a]",
    "add-items: {path: spec, items: ['- x']}",
    "remove-items: {path: spec, values: ['a*']}",
    "set: {path: 'spec[*].k', value: 1}",
    "remove: data",
    "remove-annotations: [a]",
    "mirror-images: {docker.io: mirror.example.com}",
    "pin-images: {nginx: 'sha256:0000000000000000000000000000000000000000000000000000000000000000'}",
    "strip-server-fields",
    "slim-crd-descriptions",
    "take-claim: {of: a, take: b}",
];

/// The rules of one edit, then those of that one and each other behind it.
static RULES: LazyLock<Vec<(Rules, Vec<Rules>)>> = LazyLock::new(|| {
    let rules = |edits: &[&str]| {
        let changes = edits.join("\n  - ");
        let text = format!("format: 1\nname: fuzz\npost-render:\n- name: r\n  because: b\n  changes:\n  - {changes}\n");
        Rules::new(&profile::parse(&text).expect("a profile").post_render, About::default()).expect("rules")
    };
    EDITS.iter().map(|one| (rules(&[one]), EDITS.iter().map(|other| rules(&[one, other])).collect())).collect()
});

fn rendered(input: &[u8], rules: &Rules) -> Option<Vec<u8>> {
    let mut output = Vec::new();
    render(input, &mut output, rules).ok().map(|_| output)
}

/// Returns what the documents of a text mean.
fn meaning(text: &[u8]) -> Option<Vec<impl PartialEq + Debug>> {
    let documents = parse_documents(std::str::from_utf8(text).ok()?).ok()?;
    Some(documents.into_iter().map(|document| document.value).collect())
}

/// One input.
pub(crate) fn run(input: &[u8]) {
    let [one, other, input @ ..] = input else { return };
    let (rules, pairs) = &RULES[usize::from(*one) % EDITS.len()];
    let other = usize::from(*other) % EDITS.len();
    let Some(output) = rendered(input, rules) else { return };
    let again = rendered(&output, rules).expect("what came out is taken again");
    assert_eq!(again, output, "what came out is changed again");
    if let Some(before) = meaning(input) {
        let after = meaning(&output).expect("what came out is YAML");
        assert_eq!(before.len(), after.len(), "no document comes or goes");
    }
    let (in_turn, at_once) = (rendered(&output, &RULES[other].0), rendered(input, &pairs[other]));
    if let (Some(in_turn), Some(at_once)) = (in_turn, at_once) {
        assert_eq!(meaning(&in_turn), meaning(&at_once), "both at once");
    }
}
