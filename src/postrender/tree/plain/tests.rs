use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;

/// Checks that the text is read as the parser reads it, if it is read at all; tells whether it is.
fn is_read_alike(text: &str) -> bool {
    let Some(plain) = read(text) else { return false };
    let parsed = Tree::parse(text).unwrap_or_else(|fault| panic!("line {}: {}\n{text}", fault.line, fault.because));
    assert_eq!(Some(plain), parsed, "{text}");
    true
}

#[test]
fn plain_block_style_is_read_as_the_parser_reads_it() {
    let texts = [
        "a: 1\n",
        "# first\n\na: b # why\nc:\n  d: e\n  f:\n  - g\n  - h: i\n    j: k\n  -   l: m\n      r: o\np: q\n",
        "- a\n- b: c\n  d:\n  - 'e'\n",
        "  a:\n     b: c\n  d: e\n",
        "a: {}\nb: [] # none\nc: [d, \"e: f\", 'g h' , -1]\n\"i\": ['j']\n'k': x\n",
        "a: |\n  b\n    c: d\n\n  # e\n\nf: |-\n  g\n\n\nh: |+\n  i\n\n- ".trim_end_matches("- "),
        "a:\n- |\n  b\n- |-\n    c\n  ".trim_end_matches("  "),
        "a: b\n  c d\n\n  e\n\n\n   f#g\nh: i\n",
        "a: 'b ''c''\n\n  d'\ne: \"f\n  g  \" # h\ni: \"it''s\"\nj: '\n  k'\nl: 'm\n\n  '\n",
        "a: ^[a-z]+$\nb: -1\nc: ~\nd: (e)\nf: $g\nh: i:j/k\nl: 12:30\nm: n\"o'p\n",
        "a: xé\nb: \"ü\n  ö\"\n",
    ];
    for text in texts {
        assert!(is_read_alike(text), "{text}");
    }
}

#[test]
fn what_is_not_plain_is_left_to_the_parser() {
    let texts = [
        ("an empty value", "a:\nb: c\n"),
        ("no line break at the end", "a: b"),
        ("a carriage return", "a: b\r\n"),
        ("a tab", "a:\tb\n"),
        ("an anchor", "a: &b c\n"),
        ("an alias", "a: *b\n"),
        ("a tag", "a: !!str b\n"),
        ("an escape", "a: \"b\\n\"\n"),
        ("a folded block", "a: >\n  b\n"),
        ("a block with its indent", "a: |2\n   b\n"),
        ("a block without content", "a: |\nb: c\n"),
        ("a block that begins with a blank line", "a: |\n\n  b\n"),
        ("a dash alone", "a:\n-\n  b: c\n"),
        ("a list in a list", "- - a\n"),
        ("a mapping in braces", "a: {b: c}\n"),
        ("a list over lines", "a: [b,\n  c]\n"),
        ("a list of lists", "a: [[b]]\n"),
        ("quotes that are not indented", "a: 'b\nc'\n"),
        ("a key that is no text", "on: a\n"),
        ("a key in the place of a value", "a: b: c\n"),
        ("a line that belongs to nothing", "a: b\n c: d\n"),
        ("a colon in what goes on", "a: b\n  c: d\n"),
        ("a comment within", "a: b # c\n  d\n"),
        ("another indent", "a:\n   b: c\n  d: e\n"),
        ("two documents", "a: b\n...\nc: d\n"),
        ("an explicit key", "? a\n: b\n"),
        ("nothing", "# a\n"),
        ("a line break of YAML 1.1", "a: \u{85}\n"),
    ];
    for (what, text) in texts {
        assert_eq!(read(text), None, "{what}");
    }
}

#[test]
fn the_torture_corpus_is_read_as_the_parser_reads_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fidelity/torture");
    let mut read = 0;
    for entry in fs::read_dir(folder).expect("the corpus") {
        let text = fs::read_to_string(entry.expect("an entry").path()).unwrap_or_default();
        read += text.split("\n---\n").filter(|document| is_read_alike(&format!("{document}\n"))).count();
    }
    assert!(read > 50, "{read} documents are plain");
}

/// Lines of all sorts, most of them plain.
fn any_line() -> impl Strategy<Value = String> {
    let content = prop_oneof![
        6 => "[a-d]: ([a-z]{1,3}|[0-9]|'[a-z ]{0,4}'|\"[a-z ]{0,4}\")( # x)?",
        4 => "[a-d]:",
        2 => "[a-d]: [|][-+]?",
        4 => "- ([a-z]{1,3}|[a-d]: [a-z]|[a-d]:|\"[a-z]\"|[|]|[{][}]|\\[a, \"b\"\\])",
        3 => "[a-z #:'\"-]{0,8}",
        2 => "[a-d]: ['\"][a-z' ]{0,6}",
        1 => Just(String::new()),
        1 => "# [a-z]",
    ];
    (0..6_usize, content).prop_map(|(indent, content)| format!("{}{content}\n", " ".repeat(indent)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]
    #[test]
    fn whatever_is_read_is_read_as_the_parser_reads_it(lines in proptest::collection::vec(any_line(), 1..12)) {
        is_read_alike(&lines.concat());
    }
}
