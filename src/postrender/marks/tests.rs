use super::*;

const METADATA: &str = "  name: web\n  # why\n  labels:\n    app: 'web'\n    \"tier\": front # which\n  finalizers:\n  - x/y\n  namespace: shop\n";

/// Returns the lines with those marks set.
fn set(lines: &str, wanted: &[(Marks, &str, &str)]) -> Option<String> {
    let wanted: Vec<Wanted> = wanted.iter().map(|(marks, key, value)| Wanted::new(*marks, key, value)).collect();
    let old = Metadata::read(lines)?;
    let mut edited = String::new();
    old.write_with(lines, &wanted, &mut edited).expect("they do not overlap");
    let is_proven = Metadata::read(&edited).is_some_and(|new| old.is_proven_by(&new, &wanted));
    assert!(is_proven, "{edited}");
    assert_eq!(lines != edited, !wanted.iter().all(|wanted| old.has(wanted)));
    Some(edited)
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

#[test]
fn what_else_has_changed_is_no_proof() {
    let wanted = [Wanted::new(Marks::Labels, "team", "ml")];
    let old = Metadata::read(METADATA).expect("plain");
    let good = METADATA.replace("    app:", "    team: ml\n    app:");
    assert!(old.is_proven_by(&Metadata::read(&good).expect("plain"), &wanted));
    let edits = [
        ("web'", "wob'"),
        ("'web'", "web"),
        ("team: ml", "team: ml2"),
        ("team", "taem"),
        ("x/y", "x/z"),
        ("shop", "shopp"),
        ("tier", "tear"),
        ("    \"tier\": front # which\n", ""),
    ];
    for (from, to) in edits {
        let edited = good.replace(from, to);
        assert!(!old.is_proven_by(&Metadata::read(&edited).expect("plain"), &wanted), "{edited}");
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
