//! `upgrade`, by the real binary, with every Helm that we support: what it does, and the shapes of its output.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use crate::support::program::chart;
use crate::support::{Bed, Helm, Running, Scene};

#[test]
fn every_helm_upgrades_a_release_and_leaves_nothing_of_the_run_behind() {
    let Some(bed) = Bed::open() else { return };
    for helm in Helm::all() {
        let version = helm.version.clone();
        let scene = Scene::with_helm(&bed, "upgrade", helm);
        scene.install("hubble-1.0.0", &[]);
        let ran = scene.upgrade(&["-o", "json"]).expect(0);
        let report = ran.json();
        assert_eq!(report["format"], 1, "Helm {version}");
        assert_eq!(report["exit"], "done");
        assert_eq!((&report["release"], &report["namespace"]), (&"shop".into(), &scene.namespace.name.clone().into()));
        assert_eq!(scene.history(), [(1, "superseded".to_owned()), (2, "deployed".to_owned())], "Helm {version}");
        let live = bed.get(&scene.namespace.name, "deployment", "shop-server").expect("it is there");
        assert_eq!(live["spec"]["template"]["spec"]["containers"][0]["image"], "registry.example/hubble/server:2.0.0");
        scene.assert_tidy();
        assert_eq!(scene.records().len(), 1, "the journal of a finished run stays beside the release");
    }
}

#[test]
fn each_stage_is_told_on_stderr_and_the_result_on_stdout() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "stages", &[]);
    let ran = scene.upgrade(&[]).expect(0);
    for stage in ["gather", "preflight", "plan", "helm", "verify"] {
        assert!(ran.lines.iter().any(|line| line.text.contains(stage)), "{stage} is not told:\n{}", ran.stderr);
    }
    assert!(ran.stdout.contains("shop 1.0.0 -> 2.0.0"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("preflight"), "progress is not the result: {}", ran.stdout);
    assert!(!ran.stderr.contains('\u{1b}') && !ran.stdout.contains('\u{1b}'), "escapes without a terminal");
}

#[test]
fn a_quiet_upgrade_says_nothing_but_its_result() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::new(&bed, "quiet");
    scene.install("small", &[]);
    let words = ["upgrade", "shop", &chart("small"), "--yes", "-q", "--set", "version=2.0.0"];
    let ran = scene.run(&words).expect(0);
    assert_eq!(ran.stderr, "");
    assert!(!ran.stdout.is_empty());
}

#[test]
fn an_install_flag_makes_a_release_that_does_not_exist() {
    let Some(bed) = Bed::open() else { return };
    for helm in Helm::all() {
        let scene = Scene::with_helm(&bed, "install", helm);
        let words = ["upgrade", "--install", "shop", &chart("small"), "--yes", "-o", "json"];
        let report = scene.run(&words).expect(0).json();
        assert_eq!(report["exit"], "done");
        assert_eq!(scene.history(), [(1, "deployed".to_owned())]);
        scene.assert_tidy();
    }
}

#[test]
fn an_install_that_fails_is_removed_again() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::new(&bed, "install");
    let words = ["upgrade", "-i", "shop", &chart("small"), "--yes", "--set", "behaviour=crash-loop"];
    scene.run(&words).expect(40).says("shop is removed again");
    assert_eq!(scene.history(), []);
    assert!(bed.get(&scene.namespace.name, "deployment", "shop-small").is_none());
    assert_eq!(scene.leases(), Vec::<String>::new());
}

#[test]
fn without_a_terminal_and_without_yes_nothing_is_changed() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "nobody", &[]);
    let before = scene.state_of_all();
    scene.run(&["upgrade", "shop", &chart("hubble-2.0.0"), "--skip-crds"]).expect(30).says("`--yes`");
    before.assert_unchanged(&scene);
}

#[test]
fn a_dry_run_is_a_plan() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "dry-run", &[]);
    let before = scene.state_of_all();
    for flag in ["--dry-run", "--dry-run=server"] {
        let dry = scene.upgrade(&[flag]).expect(0);
        assert!(dry.stdout.contains("helm upgrade (revision 2)"), "{}", dry.stdout);
    }
    let words = ["plan", "shop", &chart("hubble-2.0.0"), "--skip-crds"];
    let plan = scene.run(&words).expect(0);
    assert_eq!(plan.stdout, scene.upgrade(&["--dry-run"]).expect(0).stdout);
    let detailed: Vec<&str> = words.into_iter().chain(["--detailed-exitcode"]).collect();
    scene.run(&detailed).expect(10);
    before.assert_unchanged(&scene);
}

#[test]
fn a_wrong_command_line_ends_with_2_and_names_the_word() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::new(&bed, "usage");
    let hubble = chart("hubble-2.0.0");
    for (words, said) in [
        (vec!["upgrade", "shop", &hubble, "--yes", "--no-such-flag"], "--no-such-flag"),
        (vec!["upgrade", "shop", &hubble, "--yes", "--atomic"], "--atomic"),
        (vec!["upgrade", "shop", &hubble, "--yes", "--rollback-on-failure"], "--rollback-on-failure"),
        (vec!["upgrade", "shop", &hubble, "--yes", "--take-ownership"], "--take-ownership"),
        (vec!["upgrade", "shop", "--yes"], "CHART"),
        (vec!["upgrade", "--yes"], "RELEASE"),
        (vec!["upgrade", "shop", &hubble, "--timeout"], "--timeout"),
        (vec!["upgrade", "shop", &hubble, "--waive", "no-such-check=because"], "no-such-check"),
        (vec!["upgrade", "shop", &hubble, "-f", "/no/such/values.yaml"], "/no/such/values.yaml"),
        (vec!["no-such-command"], "no-such-command"),
        (vec!["status"], "RELEASE"),
    ] {
        scene.run(&words).expect(2).says(said);
    }
    assert_eq!(scene.leases(), Vec::<String>::new());
}

#[test]
fn releases_kept_in_config_maps_are_upgraded_there() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::new(&bed, "configmap");
    let driver = ("HELM_DRIVER", "configmap");
    let words = ["install", "shop", &chart("small"), "-n", &scene.namespace.name];
    let installed =
        scene.helm.command(&bed.kubeconfig).env(driver.0, driver.1).args(words).output().expect("helm starts");
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    let mut command = scene.command(&["upgrade", "shop", &chart("small"), "--yes", "--set", "version=2.0.0"]);
    command.env(driver.0, driver.1);
    Running::start(command).end().expect(0);
    let record = bed.get(&scene.namespace.name, "configmap", "sh.helm.release.v1.shop.v2").expect("Helm's record");
    assert_eq!(record["metadata"]["labels"]["status"], "deployed");
    assert_eq!(scene.leases(), Vec::<String>::new());
    let mut command = scene.command(&["status", "shop"]);
    command.env(driver.0, "sql");
    Running::start(command).end().expect(20).says("HELM_DRIVER");
}

#[test]
fn a_context_a_host_name_and_impersonation_reach_the_same_release() {
    let Some(bed) = Bed::open() else { return };
    let mut scene = Scene::hubble(&bed, "context", &[]);
    let config = bed.kubectl(&["config", "view", "--raw", "--minify", "-o", "json"]);
    let mut config: serde_json::Value = serde_json::from_str(&config).expect("JSON");
    let server = config["clusters"][0]["cluster"]["server"].as_str().expect("a URL").replace("127.0.0.1", "localhost");
    config["clusters"][0]["cluster"]["server"] = server.into();
    config["contexts"][0]["name"] = "the bed".into();
    config["current-context"] = "not there".into();
    let path = scene.folder().join("a kubeconfig.json");
    fs::write(&path, config.to_string()).expect("written");
    scene.kubeconfig = "/dev/null".into();

    let user = bed.user(&scene.namespace.name);
    user.grant_namespace(&scene.namespace.name);
    let path = path.display().to_string();
    let place = ["--kubeconfig", &path, "--kube-context", "the bed", "-n", &scene.namespace.name];
    let mut words = scene.upgrade_words(&place);
    words.retain(|word| word != "--yes");
    let mut command = scene.command(&words);
    command.arg("--yes").env("HELM_KUBEASUSER", &user.name).env_remove("HELM_NAMESPACE");
    Running::start(command).end().expect(0);
    assert_eq!(scene.newest(), (2, "deployed".to_owned()));
}

#[test]
fn paths_with_spaces_and_values_from_stdin_are_taken() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::new(&bed, "paths");
    scene.install("small", &[]);
    let folder = scene.folder().join("a folder with spaces");
    let templates = folder.join("a chart/templates");
    fs::create_dir_all(&templates).expect("a folder");
    for file in ["Chart.yaml", "values.yaml", "templates/small.yaml"] {
        fs::copy(format!("{}/{file}", chart("small")), folder.join("a chart").join(file)).expect("copied");
    }
    fs::write(folder.join("my values.yaml"), "replicas: 2\n").expect("written");
    fs::create_dir(folder.join("a state")).expect("a folder");
    let (chart, values) = (folder.join("a chart"), folder.join("my values.yaml"));
    let words =
        ["upgrade", "shop", chart.to_str().expect("text"), "--yes", "-f", values.to_str().expect("text"), "-f", "-"];
    let mut command = scene.command(&words);
    command.env("XDG_STATE_HOME", folder.join("a state")).stdin(Stdio::piped());
    // The values come late: whoever reads them waits.
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("piped").write_all(b"version: 2.0.0\n").expect("it reads");
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    let live = bed.get(&scene.namespace.name, "deployment", "shop-small").expect("it is there");
    assert_eq!(live["spec"]["replicas"], 2, "the file");
    assert_eq!(live["spec"]["template"]["spec"]["containers"][0]["image"], "registry.example/small:2.0.0", "stdin");
    assert!(folder.join("a state/helm-csghub/runs").is_dir());
}

#[test]
fn status_and_verify_tell_of_an_upgraded_release() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "status", &[]);
    scene.run(&["status", "shop"]).expect(0).says("1 is deployed");
    scene.upgrade(&[]).expect(0);
    scene.run(&["status", "shop"]).expect(0).says("2 is deployed").says("shop 1.0.0 -> 2.0.0 is done");
    let view = scene.run(&["verify", "shop", "-o", "json"]).expect(0).json();
    assert_eq!(view["not_current"], serde_json::json!([]));
    scene.run(&["rollback", "shop", "--yes"]).expect(0);
    assert_eq!(scene.newest(), (3, "deployed".to_owned()));
    let live = bed.get(&scene.namespace.name, "deployment", "shop-server").expect("it is there");
    assert_eq!(live["spec"]["template"]["spec"]["containers"][0]["image"], "registry.example/hubble/server:1.0.0");
    scene.assert_tidy();
}
