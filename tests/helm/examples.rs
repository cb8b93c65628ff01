//! What stands in `examples/`, run with a script in Helm's place.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Output;

use super::argo_cd::generate;
use super::{GUARD, executable};

/// Runs the example for Argo CD with a Helm that does this; returns what came of it, and what it left in the folder for temporary
/// files.
fn argo_cd(helm: &str) -> (Output, Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let (programs, chart, temporary) =
        (folder.path().join("bin"), folder.path().join("chart"), folder.path().join("tmp"));
    for folder in [&programs, &chart, &temporary] {
        fs::create_dir(folder).expect("a folder");
    }
    executable::script(&programs.join("helm"), helm);
    symlink(GUARD, programs.join("csghub")).expect("a link");
    let output = generate(&programs, &chart).env("TMPDIR", &temporary).output().expect("a shell");
    let left = fs::read_dir(&temporary).expect("a folder").map(|entry| entry.expect("an entry").path());
    (output, left.map(|path| path.display().to_string()).collect())
}

const DOCUMENT: &str = r"printf 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: one\n'";

#[test]
fn argo_cd_gets_what_the_rules_make_of_what_helm_renders() {
    let (output, left) = argo_cd(&format!(r#"{DOCUMENT}; printf -- '---\n# helm %s\n' "$*""#));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let manifests = String::from_utf8_lossy(&output.stdout);
    assert!(manifests.contains("metadata:\n  labels:\n    team: ml\n  name: one\n"), "{manifests}");
    let words = "template shop . --namespace front --include-crds --kube-version 1.36.3 \
        --api-versions v1,apps/v1,policy/v1/PodDisruptionBudget";
    assert!(manifests.ends_with(&format!("# helm {words}\n")), "{manifests}");
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn argo_cd_gets_nothing_of_a_helm_that_dies_halfway() {
    // What is left of the second document ends with its line: nothing in it says that there was more.
    let half = r"printf -- '---\napiVersion: v1\nkind: ConfigMap\n'";
    for end in ["kill -9 $$", "exit 1"] {
        let (output, left) = argo_cd(&format!("{DOCUMENT}; {half}; {end}"));
        assert!(!output.status.success(), "{end}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{end}");
        assert_eq!(left, Vec::<String>::new(), "{end}");
    }
}
