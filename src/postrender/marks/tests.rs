use proptest::prelude::*;

use super::*;

const METADATA: &str = "  name: web\n  # why\n  labels:\n    app: 'web'\n    \"tier\": front # which\n  finalizers:\n  - x/y\n  namespace: shop\n";

/// Returns the lines with those marks set.
fn set(lines: &str, wanted: &[(Marks, &str, &str)]) -> Option<String> {
    let wanted: Vec<Wanted> = wanted.iter().map(|(marks, key, value)| Wanted::new(*marks, key, value)).collect();
    let old = Metadata::read(lines)?;
    let mut edited = String::new();
    old.write_with(lines, &wanted.iter().collect::<Vec<_>>(), &mut edited)?;
    let has_all = Metadata::read(&edited).is_some_and(|new| wanted.iter().all(|wanted| new.has(wanted)));
    assert!(has_all, "{edited}");
    assert_eq!(lines != edited, !wanted.iter().all(|wanted| old.has(wanted)));
    Some(edited)
}

/// Returns what the lines mean, as the parser has it.
fn meaning(lines: &str) -> serde_json::Value {
    let text = format!("metadata:\n{lines}");
    crate::domain::yaml::parse_documents(&text).expect("YAML").remove(0).value
}

#[test]
fn plain_metadata_is_read() {
    let metadata = Metadata::read(METADATA).expect("plain");
    assert_eq!((metadata.name, metadata.namespace), (Some("web"), Some("shop")));
    assert_eq!(
        (metadata.label("app"), metadata.label("tier"), metadata.label("x")),
        (Some("web"), Some("front"), None)
    );
}

#[test]
fn marks_are_set_in_lines_of_their_own() {
    let wanted = [(Marks::Labels, "app", "yes"), (Marks::Labels, "team", "ml"), (Marks::Annotations, "n", "1")];
    let edited = set(METADATA, &wanted).expect("plain");
    let expected = METADATA
        .replace("    app: 'web'\n", "    team: ml\n    app: 'yes'\n")
        .replace("  name: web\n", "  annotations:\n    'n': '1'\n  name: web\n");
    assert_eq!(edited, expected);
    assert_eq!(set(&edited, &wanted), Some(edited.clone()), "what is so already is not touched");
}

#[test]
fn both_maps_are_made_and_every_value_is_set_in_its_quotes() {
    let wanted = [
        (Marks::Labels, "a", "x"),
        (Marks::Labels, "b", "true"),
        (Marks::Annotations, "c", ""),
        (Marks::Annotations, "d/e", "f g"),
    ];
    let expected = "  labels:\n    a: x\n    b: 'true'\n  annotations:\n    c: ''\n    d/e: 'f g'\n  name: web\n";
    assert_eq!(set("  name: web\n", &wanted).as_deref(), Some(expected));
    let lines = "  labels:\n    a: 'o'\n    b: \"o\"\n  annotations:\n    d/e: o # o\n    c: o\n";
    let expected = "  labels:\n    a: 'x'\n    b: \"true\"\n  annotations:\n    d/e: 'f g' # o\n    c: ''\n";
    assert_eq!(set(lines, &wanted).as_deref(), Some(expected));
}

/// Plain metadata of all shapes, and what is nearly so.
fn any_metadata() -> impl Strategy<Value = String> {
    let value = "([a-z]{1,4}|'[a-z ]{0,3}'|\"[a-z:]{0,3}\"|true|1)( # [a-z]{1,2})?";
    let entries = move |deep: &'static str| {
        let entry = ("[abn]", value).prop_map(move |(key, value)| format!("{deep}{key}: {value}\n"));
        prop::collection::vec(entry, 1..4).prop_map(|entries| entries.concat())
    };
    let section =
        (prop_oneof![Just("labels"), Just("annotations"), Just("other")], prop_oneof![entries("    "), entries("   ")])
            .prop_map(|(key, entries)| format!("  {key}:\n{entries}"));
    let line = prop_oneof![
        Just("  name: web\n".to_owned()),
        Just("  # why\n\n".to_owned()),
        Just("  list:\n  - a: b\n".to_owned())
    ];
    prop::collection::vec(prop_oneof![3 => section, 2 => line], 1..5).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn the_parser_finds_what_was_wanted_and_nothing_else(
        lines in any_metadata(),
        wanted in prop::collection::btree_map((any::<bool>(), "[abcn]"), "[a-z0-9: ']{0,4}", 1..4),
    ) {
        let wanted: Vec<(Marks, &str, &str)> = (wanted.iter())
            .map(|((is_label, key), value)| (if *is_label { Marks::Labels } else { Marks::Annotations }, key.as_str(), value.as_str()))
            .collect();
        if let Some(edited) = set(&lines, &wanted) {
            let mut expected = meaning(&lines);
            for (marks, key, value) in wanted {
                expected["metadata"][marks.key()][key] = value.into();
            }
            prop_assert_eq!(meaning(&edited), expected, "{}", edited);
        }
    }
}

#[test]
fn what_is_not_plain_is_left_to_the_parser() {
    let cases = [
        ("a block scalar", METADATA.replace("front # which", "|\n      x")),
        ("a value of two lines", METADATA.replace("front # which", "front\n      end")),
        ("quotes over two lines", METADATA.replace("'web'", "'we\n  name: b'")),
        ("an escape", METADATA.replace("'web'", "\"we\\x62\"")),
        ("an alias", METADATA.replace("'web'", "*a")),
        ("a tag", METADATA.replace("'web'", "!!str web")),
        ("an empty map", METADATA.replace("    app: 'web'\n    \"tier\": front # which\n", "")),
        ("an equal label", METADATA.replace("    app: 'web'\n", "    app: 'web'\n    'app': x\n")),
        ("equal labels", METADATA.replace("  namespace: shop", "  labels:\n    a: b")),
        ("another name", METADATA.replace("  namespace: shop", "  name: shop")),
        ("a label that is no text", METADATA.replace("'web'", "yes")),
        ("a namespace that is no text", METADATA.replace("  namespace: shop", "  namespace: null")),
        ("a tab", METADATA.replace("  namespace: shop", "\tnamespace: shop")),
        ("a key that is no text", METADATA.replace("  namespace: shop", "  on: shop")),
        ("a finalizer that hides a key", METADATA.replace("- x/y", "- \"x")),
    ];
    for (what, text) in cases {
        assert_ne!(text, METADATA, "{what}");
        assert_eq!(Metadata::read(&text), None, "{what}");
    }
}
