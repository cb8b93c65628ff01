//! Saved plans, and what a chart draws anew at each render: what was reviewed is what is applied, or nothing is.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use helm_csghub::domain::manifest;
use helm_csghub::domain::object::Object;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::program::{chart, files};
use crate::support::{Bed, Helm, Ran, Running, Scene, script};

const RANDOM: &str = "hazards.randomValue.enabled=true";

/// Returns the Helms that differ in how they call a post-renderer.
fn both() -> impl Iterator<Item = Helm> {
    Helm::all().into_iter().filter(|helm| helm.version != "3.17.4")
}

fn plan_words<'a>(scene: &Scene<'_>, two: &'a str, file: &'a str, flags: &[&'a str]) -> Vec<String> {
    let words = ["plan", &scene.release, two, "--skip-crds", "--out", file];
    words.iter().chain(flags).map(|word| (*word).to_owned()).collect()
}

/// Saves a plan for hubble 2.0.0, and returns its file.
#[track_caller]
fn save(scene: &Scene<'_>, flags: &[&str]) -> PathBuf {
    let file = scene.folder().join("the plan.json");
    let ran = scene.run(&plan_words(scene, &chart("hubble-2.0.0"), file.to_str().expect("text"), flags)).expect(0);
    ran.says("--plan");
    file
}

fn upgrade(scene: &Scene<'_>, file: &Path, flags: &[&str]) -> Ran {
    let flags: Vec<&str> = ["--plan", file.to_str().expect("text")].iter().chain(flags).copied().collect();
    scene.upgrade(&flags)
}

fn read_json(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).expect("a file")).expect("JSON")
}

/// Returns what was kept in the folder of a run: the objects, by kind and name.
fn kept(run: &Path) -> Vec<Value> {
    let file = run.join("render");
    assert_eq!(fs::metadata(&file).expect("it was kept").permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(file).expect("text");
    manifest::parse(&text).expect("manifests").into_iter().map(Object::into_value).collect()
}

fn named<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let is_it = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == name;
    objects.iter().find(is_it).unwrap_or_else(|| panic!("no {kind} {name}"))
}

const CHECKSUM: &str = "checksum/session";

/// Asserts that the cluster has the random values that were kept.
#[track_caller]
fn assert_applied(scene: &Scene<'_>, kept: &[Value]) {
    let namespace = &scene.namespace.name;
    let secret = scene.bed.get(namespace, "secret", "shop-session").expect("it is there");
    assert_eq!(
        secret["data"]["key"],
        named(kept, "Secret", "shop-session")["data"]["key"],
        "Helm {}",
        scene.helm.version
    );
    let server = scene.bed.get(namespace, "deployment", "shop-server").expect("it is there");
    let checksum = |object: &Value| object["spec"]["template"]["metadata"]["annotations"][CHECKSUM].clone();
    assert_eq!(checksum(&server), checksum(named(kept, "Deployment", "shop-server")), "Helm {}", scene.helm.version);
    assert!(checksum(&server).is_string());
}

#[test]
fn a_saved_plan_is_private_holds_no_secret_and_is_run() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "saved", &[]);
    let before = scene.state_of_all();
    let secret = "canary.secret=hunter2-of-the-canary";
    let file = save(&scene, &["--set", secret]);
    before.assert_unchanged(&scene);
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&file).expect("text");
    assert!(!text.contains("hunter2"), "a secret value is in the plan");
    let saved = read_json(&file);
    assert_eq!((&saved["format"], &saved["bound"]["release"]), (&json!(1), &json!("shop")));
    assert!(saved["bound"]["cluster"]["uid"].is_string());
    // Pods that come and go move nothing but status.
    bed.kubectl(&[
        "delete",
        "pods",
        "-n",
        &scene.namespace.name,
        "-l",
        "app.kubernetes.io/instance=shop",
        "--wait=false",
    ]);
    bed.kubectl(&["rollout", "status", "-n", &scene.namespace.name, "deployment/shop-server", "--timeout=60s"]);
    upgrade(&scene, &file, &["--set", secret]).expect(0).says_not("since the plan was saved");
    assert_eq!(scene.newest(), (2, "deployed".to_owned()));
    // It was for revision 1.
    upgrade(&scene, &file, &["--set", secret]).expect(20).says("the release moved from revision 1 to revision 2");
}

#[test]
fn a_plan_is_refused_for_other_inputs_each_named() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "bound", &[]);
    let copy = scene.folder().join("hubble");
    copy_folder(Path::new(&chart("hubble-2.0.0")), &copy);
    let chart_folder = copy.to_str().expect("text");
    let file = scene.folder().join("plan.json");
    let place = file.to_str().expect("text");
    scene.run(&plan_words(&scene, chart_folder, place, &["--set", "web.title=One"])).expect(0);
    let before = scene.state_of_all();
    let run = |release: &str, file: &str, flags: &[&str]| {
        let words = ["upgrade", release, chart_folder, "--yes", "--accept-drift", "--skip-crds", "--plan", file];
        scene.run(&words.iter().chain(flags).copied().collect::<Vec<_>>())
    };
    run("shop", place, &["--set", "web.title=Two"]).expect(20).says("the values are not those");
    run("shop", place, &["--set", "web.title=One", "--wait"]).expect(20).says("with `--wait`");
    run("store", place, &["--set", "web.title=One", "--install"]).expect(20).says("it is for release");
    run("shop", "/no/such/plan", &["--set", "web.title=One"]).expect(2).says("/no/such/plan");
    let mut other = read_json(&file);
    other["format"] = json!(7);
    let other_file = scene.folder().join("other.json");
    fs::write(&other_file, other.to_string()).expect("written");
    run("shop", other_file.to_str().expect("text"), &["--set", "web.title=One"]).expect(20).says("its format is 7");
    let mut other = read_json(&file);
    other["bound"]["cluster"]["uid"] = json!("another");
    fs::write(&other_file, other.to_string()).expect("written");
    run("shop", other_file.to_str().expect("text"), &["--set", "web.title=One"]).expect(20).says("another cluster");
    fs::write(copy.join("templates/more.yaml"), "# nothing\n").expect("written");
    run("shop", place, &["--set", "web.title=One"]).expect(20).says("the chart is not the one");
    before.assert_unchanged(&scene);
    scene.run(&["upgrade", "shop", chart_folder, "--accept-drift"]).expect(2).says("--plan");
}

#[test]
fn what_somebody_changed_since_is_named_and_yes_does_not_accept_it() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "drift", &[]);
    let file = save(&scene, &[]);
    let namespace = scene.namespace.name.clone();
    bed.kubectl(&["scale", "-n", &namespace, "deployment/shop-web", "--replicas=3"]);
    bed.kubectl(&["label", "-n", &namespace, "configmap/shop-server", "team=night"]);
    let before = scene.contents();
    let ran = upgrade(&scene, &file, &[]).expect(30);
    let ran = ran.says(&format!("Deployment {namespace}/shop-web")).says("spec.replicas").says("--accept-drift");
    ran.says(&format!("ConfigMap {namespace}/shop-server")).says("metadata.labels");
    assert_eq!(before.differences(&scene.contents(), &[]), Vec::<String>::new());
    assert_eq!(scene.newest().0, 1);
    let report = upgrade(&scene, &file, &["-o", "json"]).expect(30).json();
    assert_eq!(report["problems"].as_array().map(Vec::len), Some(2), "{report}");
    upgrade(&scene, &file, &["--accept-drift"]).expect(0);
    assert_eq!(scene.newest(), (2, "deployed".to_owned()));
}

#[test]
fn a_job_that_is_gone_since_is_drift_and_no_error() {
    let Some(bed) = Bed::open() else { return };
    let hazard = ["--set", "hazards.immutableJob.enabled=true"];
    let scene = Scene::hubble(&bed, "gone", &hazard);
    let file = save(&scene, &hazard);
    let steps = read_json(&file)["plan"]["steps"].to_string();
    assert!(steps.contains("remove-job"), "{steps}");
    let namespace = scene.namespace.name.clone();
    // As its TTL would.
    bed.kubectl(&["delete", "job", "-n", &namespace, "shop-importer"]);
    let ran = upgrade(&scene, &file, &hazard).expect(30);
    ran.says(&format!("Job {namespace}/shop-importer")).says("it is gone");
    upgrade(&scene, &file, &["--set", hazard[1], "--accept-drift"]).expect(0);
    assert_eq!(scene.newest(), (2, "deployed".to_owned()));
}

#[test]
fn a_plan_tells_by_its_exit_code_whether_there_are_changes() {
    let Some(bed) = Bed::open() else { return };
    for helm in both() {
        let scene = Scene::with_helm(&bed, "code", helm);
        scene.install("small", &[]);
        let words = |flags: &[&str]| -> Vec<String> {
            let words = ["plan", "shop", &chart("small"), "--detailed-exitcode"];
            words.iter().chain(flags).map(|word| (*word).to_owned()).collect()
        };
        scene.run(&words(&[])).expect(0);
        scene.run(&words(&["--set", "version=2.0.0"])).expect(10);
    }
}

#[test]
fn what_a_chart_draws_anew_is_said_kept_and_applied_as_it_was_rehearsed() {
    let Some(bed) = Bed::open() else { return };
    for helm in Helm::all() {
        let scene = Scene::with_helm(&bed, "random", helm);
        scene.install("hubble-1.0.0", &["--set", RANDOM]);
        let ran = scene.upgrade(&["--set", RANDOM]).expect(0);
        let namespace = &scene.namespace.name;
        let ran = ran.says("random at each render").says(&format!("Secret {namespace}/shop-session data.key"));
        ran.says(&format!("the pods of Deployment {namespace}/shop-server restart at every upgrade"));
        assert_applied(&scene, &kept(&scene.last_run()));
        scene.assert_tidy();
        // The value stands in one file alone.
        let secret = named(&kept(&scene.last_run()), "Secret", "shop-session")["data"]["key"].clone();
        let secret = secret.as_str().expect("a text");
        for file in files(&scene.last_run()).into_iter().filter(|file| file.is_file() && !file.ends_with("render")) {
            let text = fs::read(&file).expect("a file");
            assert!(!String::from_utf8_lossy(&text).contains(secret), "{}", file.display());
        }
    }
}

#[test]
fn a_saved_plan_applies_the_values_that_it_was_rehearsed_with() {
    let Some(bed) = Bed::open() else { return };
    for helm in both() {
        let scene = Scene::with_helm(&bed, "reviewed", helm);
        scene.install("hubble-1.0.0", &["--set", RANDOM]);
        let file = save(&scene, &["--set", RANDOM]);
        let planned = scene.last_run();
        let reviewed = kept(&planned);
        upgrade(&scene, &file, &["--set", RANDOM]).expect(0).says_not("since the plan was saved");
        assert_ne!(scene.last_run(), planned);
        assert_applied(&scene, &reviewed);
        // On a machine that does not have them they are drawn anew, and that is said.
        let file = save(&scene, &["--set", RANDOM]);
        fs::remove_file(scene.last_run().join("render")).expect("removed");
        upgrade(&scene, &file, &["--set", RANDOM]).expect(0).says("not on this machine");
        assert_applied(&scene, &kept(&scene.last_run()));
    }
}

/// A chart that draws a password, looks something up, and has a place for the user's own post-renderer.
fn drawing(scene: &Scene<'_>) -> String {
    let folder = scene.folder().join("drawing");
    fs::create_dir_all(folder.join("templates")).expect("a folder");
    fs::write(folder.join("Chart.yaml"), "apiVersion: v2\nname: drawing\nversion: 1.0.0\n").expect("written");
    fs::write(folder.join("values.yaml"), "version: one\n").expect("written");
    let template = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: drawn\nstringData:\n  key: {{ randAlphaNum 24 }}\n---\n\
        apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: looked-up\ndata:\n  mark: PLACE\n  version: {{ .Values.version }}\n  \
        knob: {{ (lookup \"v1\" \"ConfigMap\" .Release.Namespace \"knob\").data.value | quote }}\n";
    fs::write(folder.join("templates/all.yaml"), template).expect("written");
    folder.to_str().expect("text").to_owned()
}

fn turn(scene: &Scene<'_>, value: &str) {
    scene.bed.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"value": value},
        "metadata": {"name": "knob", "namespace": scene.namespace.name}}));
}

/// Returns a program that is Helm, but does something first where the rehearsed manifests are about to be applied.
fn helm_that(scene: &Scene<'_>, act: &str) -> PathBuf {
    let path = scene.folder().join("helm");
    let real = scene.helm.binary.display();
    script(&path, &format!("if [ \"$CSGHUB_POST_RENDER$1\" = replayupgrade ]; then {act}; fi\nexec '{real}' \"$@\""));
    path
}

#[test]
fn a_chart_that_renders_otherwise_in_the_end_stops_and_names_object_and_field() {
    let Some(bed) = Bed::open() else { return };
    for helm in both() {
        let scene = Scene::with_helm(&bed, "otherwise", helm);
        turn(&scene, "low");
        let folder = drawing(&scene);
        scene.install_folder(&folder);
        let before = scene.contents();
        let (kubectl, config) = (bed.kubectl.display(), bed.kubeconfig.display());
        let act = format!(
            "'{kubectl}' --kubeconfig '{config}' patch configmap knob -n {} --type merge -p '{{\"data\":{{\"value\":\"high\"}}}}' >&2",
            scene.namespace.name
        );
        let words = ["upgrade", "shop", &folder, "--yes", "--set", "version=two"];
        let mut command = scene.command(&words);
        command.env("HELM_BIN", helm_that(&scene, &act));
        let ran = Running::start(command).end().expect(40);
        ran.says(&format!("ConfigMap {}/looked-up", scene.namespace.name)).says("data.knob").says("plan again");
        assert_eq!(scene.newest(), (1, "deployed".to_owned()), "Helm {}", scene.helm.version);
        let mut differences = before.differences(&scene.contents(), &[]);
        differences.retain(|difference| !difference.contains("ConfigMap knob"));
        assert_eq!(differences, Vec::<String>::new());
        scene.assert_tidy();
    }
}

#[test]
fn a_saved_plan_of_a_chart_that_renders_otherwise_now_is_stopped_before_anything() {
    let Some(bed) = Bed::open() else { return };
    for helm in both() {
        let scene = Scene::with_helm(&bed, "moved", helm);
        turn(&scene, "low");
        let folder = drawing(&scene);
        scene.install_folder(&folder);
        let file = scene.folder().join("plan.json");
        let place = file.to_str().expect("text");
        scene.run(&["plan", "shop", &folder, "--set", "version=two", "--out", place]).expect(0);
        turn(&scene, "high");
        let words = ["upgrade", "shop", &folder, "--set", "version=two", "--plan", place, "--yes", "--accept-drift"];
        scene.run(&words).expect(20).says("looked-up").says("data.knob");
        assert_eq!(scene.newest(), (1, "deployed".to_owned()));
        turn(&scene, "low");
        scene.run(&words).expect(0);
    }
}

/// Lays out a post-renderer of the user's own for this Helm, and returns how it is named on the command line.
pub(crate) fn own_renderer(scene: &Scene<'_>, command: &str) -> String {
    let plugin = scene.folder().join("plugins/own");
    fs::create_dir_all(&plugin).expect("a folder");
    script(&plugin.join("render.sh"), command);
    if scene.helm.major() < 4 {
        return plugin.join("render.sh").to_str().expect("text").to_owned();
    }
    let manifest = "apiVersion: v1\nname: own\nversion: 1.0.0\ntype: postrenderer/v1\nruntime: subprocess\nconfig: {}\n\
        runtimeConfig:\n  platformCommand:\n    - command: \"${HELM_PLUGIN_DIR}/render.sh\"\n";
    fs::write(plugin.join("plugin.yaml"), manifest).expect("written");
    "own".to_owned()
}

pub(crate) fn with_plugins(scene: &Scene<'_>, words: &[&str]) -> Running {
    let mut command: Command = scene.command(words);
    command.env("HELM_PLUGINS", scene.folder().join("plugins"));
    Running::start(command)
}

#[test]
fn a_post_renderer_of_the_users_own_keeps_working_before_ours() {
    let Some(bed) = Bed::open() else { return };
    for helm in both() {
        let scene = Scene::with_helm(&bed, "own", helm);
        turn(&scene, "low");
        let folder = drawing(&scene);
        scene.install_folder(&folder);
        let own = own_renderer(&scene, "exec sed \"s/PLACE/$1/\"");
        let words = ["upgrade", "shop", &folder, "--yes", "--set", "version=two", "--post-renderer", &own];
        let words: Vec<&str> = words.into_iter().chain(["--post-renderer-args", "marked"]).collect();
        with_plugins(&scene, &words).end().expect(0);
        let live = bed.get(&scene.namespace.name, "configmap", "looked-up").expect("it is there");
        assert_eq!((&live["data"]["mark"], &live["data"]["version"]), (&json!("marked"), &json!("two")));
        let kept = kept(&scene.last_run());
        let secret = bed.get(&scene.namespace.name, "secret", "drawn").expect("it is there");
        let key = named(&kept, "Secret", "drawn")["stringData"]["key"].as_str().expect("a text").to_owned();
        let applied = secret["data"]["key"].as_str().expect("a text");
        assert_eq!(
            applied,
            base64::Engine::encode(&base64::prelude::BASE64_STANDARD, key),
            "Helm {}",
            scene.helm.version
        );
        // One that fails only when it counts, in the second run that has begun, is named, and nothing is applied.
        let journals = scene.state().join("helm-csghub/runs/*/journal.jsonl");
        let count = format!("[ $(ls {} | wc -l) -gt 1 ]", journals.display());
        own_renderer(&scene, &format!("{count} && {{ echo no overlay today >&2; exit 3; }}; exec cat"));
        let ran = with_plugins(&scene, &words).end().expect(40);
        ran.says("no overlay today");
        assert_eq!(scene.newest(), (2, "deployed".to_owned()));
    }
}

#[test]
fn a_run_that_is_resumed_where_its_rehearsed_bytes_are_not_says_so_and_goes_back() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::new(&bed, "elsewhere");
    turn(&scene, "low");
    let folder = drawing(&scene);
    scene.install_folder(&folder);
    let before = scene.contents();
    let waiting = scene.folder().join("waiting");
    let act = format!("touch '{}'; sleep 60", waiting.display());
    let mut command = scene.command(&["upgrade", "shop", &folder, "--yes", "--set", "version=two"]);
    command.env("HELM_BIN", helm_that(&scene, &act));
    let mut run = Running::start(command);
    run.until(|_| waiting.exists().then_some(())).expect("Helm is about to begin");
    run.signal(Signal::KILL);
    assert_eq!(run.end().signal, Some(9));
    let mut command = scene.command(&["resume", "shop"]);
    let elsewhere = scene.folder().join("elsewhere");
    fs::create_dir(&elsewhere).expect("a folder");
    command.env("XDG_STATE_HOME", elsewhere);
    Running::start(command).end().expect(40).says("on the machine that began the run alone");
    assert_eq!(before.differences(&scene.contents(), &[]), Vec::<String>::new());
    assert_eq!(scene.newest(), (1, "deployed".to_owned()));
    scene.assert_tidy();
}

/// Serves values that are others at each request, and counts these.
fn values_server() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/values,1.yaml?token=t", listener.local_addr().expect("it is bound"));
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
            let mut request = [0; 4096];
            // What is asked for does not matter.
            let _ = stream.read(&mut request);
            let body = format!("# \u{e9}\nversion: draw-{number}\n");
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    (url, count)
}

#[test]
fn a_url_is_read_once_whatever_helm_is_asked() {
    let Some(bed) = Bed::open() else { return };
    for helm in both() {
        let scene = Scene::with_helm(&bed, "url", helm);
        scene.install("small", &[]);
        let (url, count) = values_server();
        let quoted = format!("\"{url}\"");
        scene.run(&["upgrade", "shop", &chart("small"), "--yes", "-f", &quoted]).expect(0);
        assert_eq!(count.load(Ordering::SeqCst), 1, "Helm {}", scene.helm.version);
        let live = bed.get(&scene.namespace.name, "configmap", "shop-small").expect("it is there");
        assert_eq!(live["data"]["version"], "draw-1");
        let gone = "http://127.0.0.1:1/values.yaml?token=t0ken";
        scene
            .run(&["upgrade", "shop", &chart("small"), "--yes", "-f", gone])
            .expect(2)
            .says("127.0.0.1:1")
            .says_not("t0ken");
    }
}

fn copy_folder(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).expect("below"));
        if file.is_dir() {
            fs::create_dir_all(target).expect("a folder");
        } else {
            fs::create_dir_all(target.parent().expect("a parent")).expect("a folder");
            fs::copy(file, target).expect("copied");
        }
    }
}
