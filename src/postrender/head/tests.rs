use super::*;
use crate::postrender::stream::Documents;

const DEPLOYMENT: &str =
    "---\n# Source: a.yaml\napiVersion: apps/v1\nkind: \"Deployment\"\nmetadata:\n  name: web\nspec:\n  a: [\n  ]\n";

fn read_text(text: &str) -> Option<(String, String, String)> {
    let mut documents = Documents::new(text.as_bytes());
    let document = documents.next().expect("it reads").expect("a document");
    let head = read(&document)?;
    let lines = std::str::from_utf8(&document.bytes[head.metadata.clone()]).expect("text").to_owned();
    Some((head.api_version.to_owned(), head.kind.to_owned(), lines))
}

#[test]
fn a_plain_head_is_read() {
    let head = read_text(DEPLOYMENT).expect("plain");
    assert_eq!(head, ("apps/v1".to_owned(), "Deployment".to_owned(), "  name: web\n".to_owned()));
    let last = DEPLOYMENT.split_once("spec:").expect("it is there").0;
    assert_eq!(read_text(last), Some(head), "the metadata may be the last of it");
}

#[test]
fn the_metadata_may_come_before_the_kind_and_need_not_be_text() {
    let text = "apiVersion: v1\nmetadata:\n  name: a\nkind: Service\nspec: [\n";
    assert_eq!(read_text(text), Some(("v1".to_owned(), "Service".to_owned(), "  name: a\n".to_owned())));
    let mut documents = Documents::new(&b"apiVersion: v1\nkind: A\nmetadata:\n  a: \xe9\n"[..]);
    let document = documents.next().expect("it reads").expect("a document");
    assert_eq!(read(&document).map(|head| head.kind), Some("A"));
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
}
