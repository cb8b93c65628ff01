//! Whatever comes, with edits: the result means what it should, as we read it, and comes out again as it is.
#![no_main]

use std::sync::LazyLock;

use helm_csghub::domain::post_rendering::About;
use helm_csghub::domain::profile;
use helm_csghub::domain::yaml::parse_documents;
use helm_csghub::postrender::{Rules, render};
use libfuzzer_sys::fuzz_target;

const EDITS: [&str; 6] = [
    "set-labels: {team: 'yes'}",
    "set: {path: data.k, value: \"two\\nlines\"}",
    "remove: data.k",
    "remove-labels: [a]",
    "add-items: {path: spec, items: ['- x']}",
    "remove-items: {path: spec, values: ['a*']}",
];

static RULES: LazyLock<Vec<Rules>> = LazyLock::new(|| {
    let rules = |edit: &&str| {
        let text = format!("format: 1\nname: n\npost-render: [{{name: r, because: b, changes: [{{{edit}}}]}}]\n");
        Rules::new(&profile::parse(&text).expect("a profile").post_render, About::default()).expect("rules")
    };
    EDITS.iter().map(rules).collect()
});

fuzz_target!(|input: &[u8]| {
    let Some((choice, input)) = input.split_first() else { return };
    let rules = &RULES[usize::from(*choice) % RULES.len()];
    let mut output = Vec::new();
    if render(input, &mut output, rules).is_err() {
        return;
    }
    let mut again = Vec::new();
    render(output.as_slice(), &mut again, rules).expect("what came out is taken again");
    assert_eq!(again, output, "what came out is changed again");
    let (Ok(before), Ok(after)) = (std::str::from_utf8(input), std::str::from_utf8(&output)) else { return };
    if let Ok(before) = parse_documents(before) {
        let after = parse_documents(after).expect("what came out is YAML");
        assert_eq!(before.len(), after.len(), "no document comes or goes");
    }
});
