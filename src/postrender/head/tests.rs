use super::*;
use crate::postrender::splice;
use crate::postrender::stream::Documents;

const DEPLOYMENT: &str = "---\n# Source: a.yaml\napiVersion: apps/v1\nkind: \"Deployment\"\nmetadata:\n  name: web\n  # why\n  \
    labels:\n    app: 'web'\n    \"tier\": front # which\n  finalizers:\n  - x/y\n  namespace: shop\nspec:\n  a: [\n  ]\n";

fn read_text(text: &str) -> Option<(String, String, String)> {
    let mut documents = Documents::new(text.as_bytes());
    let document = documents.next().expect("it reads").expect("a document");
    let head = read(&document)?;
    let lines = std::str::from_utf8(&document.bytes[head.metadata.clone()]).expect("text").to_owned();
    Some((head.api_version.to_owned(), head.kind.to_owned(), lines))
}

/// Returns the text with those marks set.
fn set(text: &str, wanted: &[(Marks, &str, &str)]) -> Option<String> {
    let (_, _, lines) = read_text(text)?;
    let old = metadata(&lines)?;
    let edited = splice::apply(&lines, old.set(wanted)).expect("they do not overlap");
    assert!(old.is_proven_by(&metadata(&edited).expect("as plain as before"), wanted), "{edited}");
    Some(text.replacen(&lines, &edited, 1))
}

#[test]
fn a_plain_head_is_read() {
    let (api_version, kind, lines) = read_text(DEPLOYMENT).expect("plain");
    assert_eq!((api_version.as_str(), kind.as_str()), ("apps/v1", "Deployment"));
    let metadata = metadata(&lines).expect("plain");
    assert_eq!((metadata.name, metadata.namespace), (Some("web"), Some("shop")));
    assert_eq!(
        (metadata.label("app"), metadata.label("tier"), metadata.label("x")),
        (Some("web"), Some("front"), None)
    );
}

#[test]
fn marks_are_set_in_lines_of_their_own() {
    let wanted = [(Marks::Labels, "team", "ml"), (Marks::Labels, "app", "yes"), (Marks::Annotations, "n", "1")];
    let edited = set(DEPLOYMENT, &wanted).expect("plain");
    let expected = DEPLOYMENT
        .replace("    app: 'web'\n", "    team: ml\n    app: 'yes'\n")
        .replace("  name: web\n", "  annotations:\n    'n': '1'\n  name: web\n");
    assert_eq!(edited, expected);
    assert_eq!(set(&edited, &wanted), Some(edited.clone()), "what is so already is not touched");
}

#[test]
fn what_is_not_plain_is_left_to_the_parser() {
    let head = [
        ("a carriage return", DEPLOYMENT.replace('\n', "\r\n")),
        ("a line break of YAML 1.1", DEPLOYMENT.replace("a: [", "a: \u{85}")),
        ("a quoted key", DEPLOYMENT.replace("spec:", "\"spec\":")),
        ("an explicit key", DEPLOYMENT.replace("spec:", "? spec\n:")),
        ("an equal key", format!("{DEPLOYMENT}kind: Other\n")),
        ("an equal block", format!("{DEPLOYMENT}metadata:\n  name: b\n")),
        ("a merge", format!("{DEPLOYMENT}<<: *x\n")),
        ("flow style", DEPLOYMENT.replace("metadata:", "metadata: {}")),
        ("an anchor", DEPLOYMENT.replace("metadata:", "metadata: &a")),
        ("a block before the metadata", DEPLOYMENT.replace("metadata:", "data:\n  a: b\nmetadata:")),
        ("a kind of two lines", DEPLOYMENT.replace("\"Deployment\"", "Deploy\n  ment")),
        ("a kind that is no text", DEPLOYMENT.replace("\"Deployment\"", "yes")),
        ("a directive", format!("%YAML 1.1\n{DEPLOYMENT}")),
        ("an end", DEPLOYMENT.replace("spec:", "...\nspec:")),
        ("no kind", DEPLOYMENT.replace("kind: \"Deployment\"\n", "")),
    ];
    for (what, text) in head {
        assert_eq!(read_text(&text), None, "{what}");
    }
    let metadata_lines = [
        ("a block scalar", DEPLOYMENT.replace("front # which", "|\n      x")),
        ("a value of two lines", DEPLOYMENT.replace("front # which", "front\n      end")),
        ("quotes over two lines", DEPLOYMENT.replace("'web'", "'we\n  name: b'")),
        ("an escape", DEPLOYMENT.replace("'web'", "\"we\\x62\"")),
        ("an alias", DEPLOYMENT.replace("'web'", "*a")),
        ("a tag", DEPLOYMENT.replace("'web'", "!!str web")),
        ("an empty map", DEPLOYMENT.replace("    app: 'web'\n    \"tier\": front # which\n", "")),
        ("an equal label", DEPLOYMENT.replace("    app: 'web'\n", "    app: 'web'\n    'app': x\n")),
        ("equal labels", DEPLOYMENT.replace("  namespace: shop", "  labels:\n    a: b")),
        ("another name", DEPLOYMENT.replace("  namespace: shop", "  name: shop")),
        ("a label that is no text", DEPLOYMENT.replace("'web'", "yes")),
        ("a namespace that is no text", DEPLOYMENT.replace("  namespace: shop", "  namespace: null")),
        ("a tab", DEPLOYMENT.replace("  namespace: shop", "\tnamespace: shop")),
        ("a key that is no text", DEPLOYMENT.replace("  namespace: shop", "  on: shop")),
        ("a finalizer that hides a key", DEPLOYMENT.replace("- x/y", "- \"x")),
    ];
    for (what, text) in metadata_lines {
        if let Some((_, _, lines)) = read_text(&text) {
            assert_eq!(metadata(&lines), None, "{what}");
        }
    }
}
