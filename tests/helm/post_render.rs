//! `post-render` as Helm calls it: bytes on standard input and output, the run by its environment, no cluster.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use helm_csghub::domain::content;
use serde_json::{Value, json};

use super::GUARD;

const MANIFESTS: &str =
    "---\n# Source: shop/a.yaml\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {key: YQ==, user: Yg==}\n";

fn post_render(variables: &[(&str, &str)]) -> Command {
    program(&["post-render"], variables)
}

fn program(words: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(GUARD);
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in ["CSGHUB_POST_RENDER", "CSGHUB_POST_RENDER_FOLDER", "CSGHUB_POST_RENDER_FIRST", "HELM_PLUGIN_NAME"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied());
    command
}

fn run(variables: &[(&str, &str)], input: &str) -> Output {
    with_input(post_render(variables), input)
}

fn with_input(mut command: Command, input: &str) -> Output {
    let mut child = command.spawn().expect("started");
    let mut stdin = child.stdin.take().expect("piped");
    std::thread::scope(|scope| {
        // As Helm does: it writes while it reads, and does not mind if nobody listens.
        scope.spawn(move || stdin.write_all(input.as_bytes()));
        child.wait_with_output().expect("ended")
    })
}

fn in_folder(folder: &Path, mode: &str, input: &str, first: Option<Value>) -> Output {
    let folder = folder.to_str().expect("text");
    let first = first.map(|first| first.to_string()).unwrap_or_default();
    let mut variables = vec![("CSGHUB_POST_RENDER", mode), ("CSGHUB_POST_RENDER_FOLDER", folder)];
    if !first.is_empty() {
        variables.push(("CSGHUB_POST_RENDER_FIRST", &first));
    }
    run(&variables, input)
}

fn shell(script: &str) -> Value {
    json!({"name": "own", "program": "/bin/sh", "arguments": ["-c", script], "environment": {"MARK": "set"}})
}

fn trouble(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("render-trouble.json")).expect("a complaint")).expect("JSON")
}

/// Writes what the run tells a replay: `data.key` of Secret `s` is random.
fn tell(folder: &Path, kept: &str) {
    let object = json!({"api_version": "v1", "kind": "Secret", "name": "s"});
    let replay =
        json!({"digest": content::sha256(kept.as_bytes()), "random": [{"object": object, "field": "data.key"}]});
    fs::write(folder.join("render-replay.json"), replay.to_string()).expect("written");
}

#[test]
fn without_a_run_manifests_pass_byte_for_byte_and_nothing_never_does() {
    let large = MANIFESTS.repeat(60_000);
    for input in [MANIFESTS, "a: \u{e9}\r\n...\n", large.as_str()] {
        let output = run(&[], input);
        assert!(output.status.success() && output.stdout == input.as_bytes(), "{} bytes", input.len());
    }
    let output = run(&[], " \n");
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no manifest"));
}

#[test]
fn a_helm_4_that_nobody_watches_is_told_by_a_document_that_it_refuses() {
    let output = run(&[("HELM_PLUGIN_NAME", "csghub-postrender")], "\n");
    assert!(output.status.success(), "Helm 4 shows what stands in the document alone");
    assert_eq!(output.stdout, b"\"csghub post-render: standard input holds no manifest\"\n");
    let output = run(&[("HELM_PLUGIN_NAME", "csghub")], "\n");
    assert!(!output.status.success() && output.stdout.is_empty(), "the CLI plugin has a standard error");
}

#[test]
fn what_is_kept_is_private_and_takes_the_place_of_another_draw() {
    let folder = tempfile::tempdir().expect("a folder");
    let kept = in_folder(folder.path(), "keep", MANIFESTS, None);
    assert!(kept.status.success() && kept.stdout == MANIFESTS.as_bytes());
    let blob = folder.path().join("render");
    assert_eq!(fs::metadata(&blob).expect("kept").permissions().mode() & 0o777, 0o600);
    tell(folder.path(), MANIFESTS);
    let replayed = in_folder(folder.path(), "replay", &MANIFESTS.replace("YQ==", "enp6"), None);
    assert_eq!(String::from_utf8_lossy(&replayed.stdout), MANIFESTS);
    assert!(replayed.status.success());
}

#[test]
fn another_render_ends_it_and_is_named_where_the_run_looks() {
    let folder = tempfile::tempdir().expect("a folder");
    in_folder(folder.path(), "keep", MANIFESTS, None);
    tell(folder.path(), MANIFESTS);
    let output = in_folder(folder.path(), "replay", &MANIFESTS.replace("Yg==", "enp6"), None);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]));
    let told = trouble(folder.path());
    assert_eq!((&told[0]["object"], &told[0]["field"]), (&json!("Secret s"), &json!("data.user")));
    assert!(!told.to_string().contains("enp6"), "{told}");
    fs::write(folder.path().join("render"), MANIFESTS.replace("YQ==", "enp6")).expect("written");
    let output = in_folder(folder.path(), "replay", MANIFESTS, None);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]), "edited bytes are not applied");
}

#[test]
fn the_users_own_renderer_runs_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = || Some(shell("sed s/Yg==/$MARK/"));
    let kept = in_folder(folder.path(), "keep", MANIFESTS, own());
    let expected = MANIFESTS.replace("Yg==", "set");
    assert_eq!(String::from_utf8_lossy(&kept.stdout), expected);
    tell(folder.path(), &expected);
    let replayed = in_folder(folder.path(), "replay", &MANIFESTS.replace("YQ==", "enp6"), own());
    assert_eq!(String::from_utf8_lossy(&replayed.stdout), expected);
    // It may be ours again, without the order of this run.
    let again = json!({"name": "ours", "program": GUARD, "arguments": ["post-render"], "environment": {}});
    let passed = in_folder(folder.path(), "keep", MANIFESTS, Some(again));
    assert_eq!(String::from_utf8_lossy(&passed.stdout), MANIFESTS);
    // Larger than any pipe, and it never reads.
    let deaf = in_folder(folder.path(), "keep", &MANIFESTS.repeat(10_000), Some(shell("echo 'a: 1'")));
    assert_eq!(String::from_utf8_lossy(&deaf.stdout), "a: 1\n");
}

#[test]
fn a_renderer_of_the_users_that_fails_is_named_and_nothing_is_passed_on() {
    for (script, said) in [
        ("cat; echo 'no such overlay' >&2; exit 3", "no such overlay"),
        ("exit 0", "wrote nothing"),
        ("kill -9 $$", "signal: 9"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let output = in_folder(folder.path(), "keep", MANIFESTS, Some(shell(script)));
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]), "{script}");
        let told = trouble(folder.path()).to_string();
        assert!(told.contains(said) && told.contains("`own`"), "{told}");
        assert!(!folder.path().join("render").exists(), "nothing is kept");
    }
}

#[test]
fn an_order_that_makes_no_sense_ends_it() {
    for variables in [
        vec![("CSGHUB_POST_RENDER", "shred")],
        vec![("CSGHUB_POST_RENDER", "keep")],
        vec![("CSGHUB_POST_RENDER", "keep"), ("CSGHUB_POST_RENDER_FOLDER", "/no/such/folder")],
        vec![("CSGHUB_POST_RENDER", "keep"), ("CSGHUB_POST_RENDER_FOLDER", "/"), ("CSGHUB_POST_RENDER_FIRST", "{")],
    ] {
        let output = run(&variables, MANIFESTS);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]), "{variables:?}");
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn a_helm_that_closes_its_pipe_or_kills_it_leaves_no_half_a_file() {
    let large = MANIFESTS.repeat(20_000);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("text");
    let variables = [("CSGHUB_POST_RENDER", "keep"), ("CSGHUB_POST_RENDER_FOLDER", path)];
    let mut child = post_render(&variables).spawn().expect("started");
    drop(child.stdout.take());
    child.stdin.take().expect("piped").write_all(large.as_bytes()).expect("it reads");
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    assert_eq!(child.wait().expect("ended").code(), Some(1), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    // Killed before the end of its input: nothing was kept, and what was kept before is whole.
    let mut child = post_render(&variables).spawn().expect("started");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(MANIFESTS.as_bytes()).expect("it reads");
    child.kill().expect("killed");
    assert_eq!(child.wait().expect("ended").signal(), Some(9));
    drop(stdin);
    assert_eq!(fs::read(folder.path().join("render")).expect("kept").len(), large.len());
}

const ADOPT: &str = "format: 1\nname: p\npost-render: [{name: ours, because: b, changes: [adopt]}]\n";

#[test]
fn as_helms_plugin_the_filter_knows_the_namespace_that_helm_keeps_to_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let profile = folder.path().join("p.yaml");
    fs::write(&profile, ADOPT).expect("written");
    let profile = format!("--profile-file={}", profile.display());
    let by_helm = [("HELM_PLUGIN_NAME", "csghub"), ("HELM_NAMESPACE", "front")];
    let filter = |further: &[&str], variables: &[(&str, &str)]| {
        let words = [&["filter", &profile, "--release", "shop"], further].concat();
        with_input(program(&words, variables), MANIFESTS)
    };
    let namespace = |output: &Output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let written = text.split("meta.helm.sh/release-namespace: ").nth(1);
        written.map(|rest| rest.chars().take_while(char::is_ascii_alphanumeric).collect::<String>())
    };
    assert_eq!(namespace(&filter(&[], &by_helm)).as_deref(), Some("front"));
    assert_eq!(namespace(&filter(&["-n", "back"], &by_helm)).as_deref(), Some("back"), "the flag goes first");
    // Somebody's variable is not Helm's word.
    let alone = filter(&[], &by_helm[1..]);
    assert_eq!((alone.status.code(), alone.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8_lossy(&alone.stderr).contains("say `-n NAMESPACE`"));
    // A Helm that was started by another one as its post-renderer does not know the namespace of that.
    let inner = program(&["post-render", &profile, "--release", "shop"], &by_helm);
    let inner = with_input(inner, MANIFESTS);
    assert_eq!((inner.status.code(), inner.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8_lossy(&inner.stderr).contains("`helm csghub` never sees `-n`"));
}

#[test]
fn a_flag_without_a_value_as_from_a_variable_that_is_not_set_says_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let profile = folder.path().join("p.yaml");
    let select = |select: &str| format!("format: 1\nname: p\npost-render: [{{name: r, because: b, {select}}}]\n");
    let cases = [
        (ADOPT.to_owned(), ["--release=", "-n=front"], "say `--release NAME`"),
        (ADOPT.to_owned(), ["--release=shop", "-n="], "say `-n NAMESPACE`"),
        (select("select: {from: '>=1.0.0'}, changes: [keep]"), ["--from=", "-n="], "say `--from VERSION`"),
        (select("select: {to: '>=1.0.0'}, changes: [keep]"), ["--to=", "-n="], "say `--to VERSION`"),
    ];
    for (text, flags, told) in cases {
        fs::write(&profile, text).expect("written");
        let profile = format!("--profile-file={}", profile.display());
        for command in ["filter", "post-render"] {
            let words = [&[command, &profile], &flags[..]].concat();
            let output = with_input(program(&words, &[("HELM_NAMESPACE", "")]), MANIFESTS);
            assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{command} {flags:?}");
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(stderr.contains(told), "{command} {flags:?}: {stderr}");
        }
    }
}

#[test]
fn what_helps_is_not_what_failed() {
    let folder = tempfile::tempdir().expect("a folder");
    let profile = folder.path().join("p.yaml");
    let flag = format!("--profile-file={}", profile.display());
    let told = |command: &str, changes: &str| {
        fs::write(
            &profile,
            format!("format: 1\nname: p\npost-render: [{{name: r, because: b, changes: [{changes}]}}]\n"),
        )
        .expect("written");
        let output = with_input(program(&[command, &flag], &[]), MANIFESTS);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{command} {changes}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for command in ["filter", "post-render"] {
        let stderr = told(command, "kept");
        assert!(stderr.contains(&format!("`helm csghub profile check {}`", profile.display())), "{stderr}");
        let stderr = told(command, "{set: {path: metadata, value: a}}");
        assert!(stderr.contains("line 5") && stderr.contains("| sed -n 5p`"), "{stderr}");
        let stderr = told(command, "drop");
        assert!(stderr.contains("drop every document: r") && stderr.contains("leave something"), "{stderr}");
        assert_eq!(stderr.contains("Helm 3"), command == "post-render", "{stderr}");
    }
}

#[test]
fn manifests_have_no_other_form_and_errors_never_go_where_manifests_do() {
    for command in ["filter", "post-render"] {
        for form in ["json", "markdown"] {
            let output = with_input(program(&[command, "-o", form], &[]), MANIFESTS);
            assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{command} -o {form}");
            assert!(String::from_utf8_lossy(&output.stderr).contains("leave `-o` out"), "{command} -o {form}");
        }
        let empty = with_input(program(&[command], &[]), "");
        assert_eq!((empty.status.code(), empty.stdout.len()), (Some(2), 0), "{command}");
        let told = String::from_utf8_lossy(&empty.stderr).into_owned();
        assert!(told.contains("no manifest") && told.contains("help: "), "{told}");
    }
}

#[test]
fn both_tell_what_they_changed_if_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let profile = folder.path().join("p.yaml");
    fs::write(&profile, "format: 1\nname: p\npost-render: [{name: stays, because: data, changes: [keep]}]\n")
        .expect("written");
    let profile = format!("--profile-file={}", profile.display());
    for command in ["filter", "post-render"] {
        let told = |further: &[&str]| {
            let output = with_input(program(&[&[command, &profile], further].concat(), &[]), MANIFESTS);
            assert_eq!(output.status.code(), Some(0), "{command}");
            assert!(String::from_utf8_lossy(&output.stdout).contains("helm.sh/resource-policy: keep"), "{command}");
            String::from_utf8_lossy(&output.stderr).into_owned()
        };
        assert_eq!(told(&[]), "", "{command}");
        assert!(told(&["-v"]).contains("stays"), "{command}");
    }
}

#[test]
fn asked_for_details_they_name_every_object() {
    let folder = tempfile::tempdir().expect("a folder");
    let profile = folder.path().join("p.yaml");
    fs::write(&profile, "format: 1\nname: p\npost-render: [{name: stays, because: data, changes: [keep]}]\n")
        .expect("written");
    let profile = format!("--profile-file={}", profile.display());
    let secret = |number| format!("---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: s-{number}\n");
    let manifests = (0..50).map(secret).collect::<Vec<_>>().concat();
    for command in ["filter", "post-render"] {
        let output = with_input(program(&[command, &profile, "-v"], &[]), &manifests);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!((0..50).all(|number| told.contains(&format!("Secret s-{number}: "))), "{command}: {told}");
    }
}

#[test]
fn a_helm_4_that_nobody_watches_is_told_of_a_wrong_flag_too() {
    let by_helm = [("HELM_PLUGIN_NAME", "csghub-postrender")];
    for (flag, reason) in [
        ("--profile-fle=x", "--profile-fle"),
        ("--record-bytes=1M", "1M"),
        ("--help", "asked for help"),
        ("-ojson", "--output"),
    ] {
        let output = with_input(program(&["post-render", flag], &by_helm), MANIFESTS);
        assert_eq!(output.status.code(), Some(0), "{flag}");
        let written = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(written.contains(reason) && !written.contains("kind: Secret"), "{flag}: {written}");
        let objects = helm_csghub::domain::manifest::parse(&written);
        assert!(objects.is_err(), "{flag}: Helm would apply {written}");
    }
    let damaged = [("HELM_PLUGIN_NAME", "csghub-postrender"), ("CSGHUB_POST_RENDER", "no-mode")];
    let written = String::from_utf8_lossy(&run(&damaged, MANIFESTS).stdout).into_owned();
    assert!(written.contains("no-mode") && !written.contains("kind: Secret"), "{written}");
}
