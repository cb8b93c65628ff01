//! Whatever comes: without a rule that matches, it leaves as it came, or is refused for holding nothing.

use std::sync::LazyLock;

use helm_csghub::domain::post_rendering::About;
use helm_csghub::domain::profile;
use helm_csghub::postrender::{RenderError, Rules, render};

static NONE: LazyLock<[Rules; 2]> = LazyLock::new(|| {
    // No name holds this character.
    let nothing = "format: 1\nname: fuzz\npost-render: [{name: r, because: b, select: {names: [\"\\u0001\"]}, changes: [keep]}]\n";
    let rules = profile::parse(nothing).expect("a profile").post_render;
    [Rules::default(), Rules::new(&rules, About::default()).expect("rules")]
});

/// One input.
pub(crate) fn run(input: &[u8]) {
    for rules in NONE.iter() {
        let mut output = Vec::new();
        match render(input, &mut output, rules) {
            Ok(_) => assert_eq!(output, input),
            // What cannot be told not to match is refused.
            Err(RenderError::Empty | RenderError::Document { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
