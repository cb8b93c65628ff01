//! What each change of a rule comes to in the cluster, with every Helm; `post_render.rs` has those that are not here.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::post_render::{PROFILE, option, profile, upgrade};
use crate::support::program::{chart, program};
use crate::support::{Bed, Helm, Scene, eventually};

const DIGEST: &str = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

/// The rules of `post_render.rs`, with those that follow behind them.
const MORE: &str = "  - name: probe
    because: the pods run nothing
    select: {kinds: [Deployment.apps], names: ['*-server']}
    changes:
      - remove: spec.template.spec.containers[name=server].readinessProbe
      - remove-items: {path: 'spec.template.spec.containers[name=server].env', key: name, values: ['TRAC*']}
  - name: ports
    because: nobody asks for metrics
    select: {kinds: [Service], names: ['*-server']}
    changes: [{remove-items: {path: spec.ports, key: name, values: [metrics]}}]
  - name: marks
    because: others set and read them
    select: {kinds: [Secret], names: ['*-postgresql']}
    changes:
      - remove-annotations: [helm.sh/resource-policy]
      - remove-labels: [app.kubernetes.io/version, no-such-label]
      - set-annotations: {example.com/owner: ml, example.com/mode: '0644'}
  - name: data
    because: the worker goes on with the data that it has
    changes:
      - take-claim: {of: '{release}-worker', take: 'data-{release}-worker-0'}
  - name: claim
    because: the new claim begins with the old data
    select: {kinds: [PersistentVolumeClaim], names: ['*-worker']}
    changes: [{copy-claim-from: 'data-{release}-worker-0'}]
  - name: pins
    because: a tag may move
    changes: [{pin-images: {'registry.example/hubble/server:2.0.0': DIGEST}}]
";

fn container(object: &Value) -> &Value {
    &object["spec"]["template"]["spec"]["containers"][0]
}

#[test]
fn each_change_is_seen_in_the_cluster_with_every_helm() {
    let Some(bed) = Bed::open() else { return };
    let worker = ["--set", "hazards.statefulsetBecomesDeployment.enabled=true"];
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "changes", version);
        scene.install("hubble-1.0.0", &worker);
        let namespace = scene.namespace.name.clone();
        let get = |kind: &str, name: &str| bed.get(&namespace, kind, name);
        assert_eq!(
            get("secret", "shop-postgresql").expect("it is there")["metadata"]["annotations"]["helm.sh/resource-policy"],
            "keep"
        );
        let rules = format!("{PROFILE}{}", MORE.replace("DIGEST", DIGEST));
        let profile = profile(&scene, &rules);
        let mut command = upgrade(&scene, &[&option(&profile), "--release=shop", &format!("--namespace={namespace}")]);
        let output = command.args(worker).output().expect("helm starts");
        let version = &scene.helm.version;
        assert!(output.status.success(), "Helm {version}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(scene.newest(), (2, "deployed".to_owned()), "Helm {version}");

        let server = get("deployment", "shop-server").expect("it is there");
        let (image, env) = (&container(&server)["image"], container(&server)["env"].to_string());
        assert_eq!(*image, format!("mirror.example.com/hubble/server:2.0.0@{DIGEST}"), "Helm {version}");
        assert!(container(&server).get("readinessProbe").is_none(), "Helm {version}: {server}");
        assert!(
            !env.contains("TRACING") && env.contains("DATABASE_USER") && env.contains("MODE"),
            "Helm {version}: {env}"
        );
        let agent = get("daemonset", "shop-agent").expect("it is there");
        assert_eq!(
            container(&agent)["image"],
            "mirror.example.com/hubble/agent:2.0.0",
            "Helm {version}: no digest is known"
        );
        let cleanup = get("cronjob", "shop-cleanup").expect("it is there");
        let image = &container(&cleanup["spec"]["jobTemplate"])["image"];
        assert_eq!(*image, "mirror.example.com/hubble/cleanup:2.0.0", "Helm {version}");

        let service = get("service", "shop-server").expect("it is there");
        let ports: Vec<&Value> =
            service["spec"]["ports"].as_array().expect("ports").iter().map(|port| &port["name"]).collect();
        assert_eq!(ports, ["http"], "Helm {version}");

        let secret = get("secret", "shop-postgresql").expect("it is there");
        let annotations = &secret["metadata"]["annotations"];
        assert_eq!(
            (&annotations["example.com/owner"], &annotations["example.com/mode"]),
            (&json!("ml"), &json!("0644"))
        );
        assert!(annotations.get("helm.sh/resource-policy").is_none(), "Helm {version}: {secret}");
        let labels = secret["metadata"]["labels"].as_object().expect("labels");
        assert!(
            !labels.contains_key("app.kubernetes.io/version") && labels["team"] == "ml",
            "Helm {version}: {labels:?}"
        );

        let deployment = get("deployment", "shop-worker").expect("it is there");
        let claim = &deployment["spec"]["template"]["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"];
        assert_eq!(*claim, "data-shop-worker-0", "Helm {version}: the data of the StatefulSet");
        let new = get("persistentvolumeclaim", "shop-worker").expect("it is there");
        for mark in ["helm-csghub/copy-from", "helm-csghub/clean-up"] {
            assert_eq!(new["metadata"]["annotations"][mark], "data-shop-worker-0", "Helm {version}");
        }
        eventually(|| {
            let pods = bed.kubectl(&[
                "get",
                "pods",
                "-n",
                &namespace,
                "-l",
                "app.kubernetes.io/component=worker",
                "-o",
                "json",
            ]);
            if pods.contains("\"claimName\": \"data-shop-worker-0\"") { Ok(()) } else { Err(pods) }
        });

        let jobs = bed.kubectl(&["get", "jobs", "-n", &namespace, "-o", "name"]);
        let job = jobs.lines().find_map(|name| name.strip_prefix("job.batch/shop-setup-")).unwrap_or_default();
        let is_digest = job.len() == 10 && job.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(is_digest && get("job", "shop-setup").is_none(), "Helm {version}: {jobs}");

        // What is kept stays, what is kept no more goes.
        let uninstalled = scene.helm.run(&bed.kubeconfig, &["uninstall", "shop", "-n", &namespace, "--wait"]);
        assert_eq!(uninstalled.code, 0, "Helm {version}: {}", uninstalled.stderr);
        let uploads = get("persistentvolumeclaim", "shop-uploads").expect("it is kept");
        assert_eq!(uploads["metadata"]["annotations"]["helm.sh/resource-policy"], "keep", "Helm {version}");
        assert_eq!(get("secret", "shop-postgresql"), None, "Helm {version}");
    }
}

/// Returns manifests through `filter` with the changes.
fn filtered(scene: &Scene<'_>, changes: &str, manifests: &str) -> String {
    let text = format!("format: 1\nname: p\npost-render: [{{name: r, because: b, changes: [{changes}]}}]\n");
    let profile = profile(scene, &text);
    let mut filter = Command::new(program());
    filter.args(["filter", "--release=shop", "-n", &scene.namespace.name, &option(&profile)]).stdin(Stdio::piped());
    let mut child = filter.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("piped");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || std::io::Write::write_all(&mut stdin, manifests.as_bytes()).expect("it reads"));
        child.wait_with_output().expect("it ends")
    });
    assert!(output.status.success(), "{changes}");
    String::from_utf8(output.stdout).expect("a text")
}

#[test]
fn what_a_pipeline_adopts_every_helm_takes() {
    let Some(bed) = Bed::open() else { return };
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "adopts", version);
        scene.install("hubble-1.0.0", &[]);
        let namespace = &scene.namespace.name;
        let shared = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: shop-shared # of somebody else\ndata:\n  theirs: 'yes'\n";
        let apply = |manifests: &str| {
            let output = bed.try_kubectl(&["apply", "-n", namespace, "-f", "-"], Some(manifests));
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        let chart = chart("hubble-2.0.0");
        let words =
            ["upgrade", "shop", &chart, "-n", namespace, "--skip-crds", "--set", "hazards.unownedObject.enabled=true"];
        apply(shared);
        let refused = scene.helm.run(&bed.kubeconfig, &words);
        let version = &scene.helm.version;
        assert!(
            refused.code != 0 && refused.stderr.contains("invalid ownership metadata"),
            "Helm {version}: {}",
            refused.stderr
        );
        apply(&filtered(&scene, "adopt", shared));
        let taken = scene.helm.run(&bed.kubeconfig, &words);
        assert_eq!(taken.code, 0, "Helm {version}: {}", taken.stderr);
    }
}

#[test]
fn what_a_cluster_gave_back_can_be_applied_again_without_its_servers_fields() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "strips", &[]);
    let namespace = &scene.namespace.name;
    let objects = ["deployment/shop-server", "service/shop-server", "configmap/shop-server", "cronjob/shop-cleanup"];
    let words = [&["get", "-n", namespace, "-o", "yaml", "--show-managed-fields"], objects.as_slice()].concat();
    let before = bed.kubectl(&words);
    bed.kubectl(&[&["delete", "-n", namespace, "--wait"], objects.as_slice()].concat());
    let apply = ["apply", "--server-side", "-n", namespace, "-f", "-"];
    let refused = bed.try_kubectl(&apply, Some(&before));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("managedFields must be nil"), "{told}");
    let stripped = filtered(&scene, "strip-server-fields", &before);
    for field in ["managedFields", "resourceVersion:", "uid:", "creationTimestamp: \"", "status:", "generation:"] {
        assert!(before.contains(field) && !stripped.contains(&format!("\n    {field}")), "{field}: {stripped}");
    }
    let created = bed.try_kubectl(&apply, Some(&stripped));
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    let server = bed.get(namespace, "deployment", "shop-server").expect("it is there again");
    assert_eq!(container(&server)["image"], "registry.example/hubble/server:1.0.0");
    assert_eq!(server["metadata"]["annotations"]["meta.helm.sh/release-name"], "shop", "it is still the release's");
}

/// What a Secret may hold.
const LIMIT: usize = 1_048_576;

#[test]
fn crds_without_their_descriptions_fit_into_helms_record_and_do_what_they_did() {
    let Some(bed) = Bed::open() else { return };
    let slim = "format: 1\nname: p\npost-render: [{name: slim, because: b, changes: [slim-crd-descriptions]}]\n";
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "slim", version);
        let namespace = &scene.namespace.name;
        let chart = chart("described");
        let plain = scene.helm.run(&bed.kubeconfig, &["install", "shop", &chart, "-n", namespace]);
        let version = &scene.helm.version;
        assert!(plain.code != 0 && plain.stderr.contains("Too long"), "Helm {version}: {}", plain.stderr);
        assert_eq!(scene.history(), [], "Helm {version}");

        let profile = profile(&scene, slim);
        let slimming = upgrade(&scene, &[&option(&profile)]);
        let mut install = crate::post_render::replace_argument(
            &slimming,
            crate::support::program::chart("hubble-2.0.0").as_ref(),
            chart.as_ref(),
        );
        let output = install.args(["--install"]).output().expect("helm starts");
        assert!(output.status.success(), "Helm {version}: {}", String::from_utf8_lossy(&output.stderr));
        let record = bed.get(namespace, "secret", "sh.helm.release.v1.shop.v1").expect("the record");
        let size = record["data"]["release"].as_str().expect("a text").len();
        assert!(size < LIMIT / 4, "Helm {version}: {size} bytes");

        let name = format!("lenses0.shop.{namespace}.hubble.example");
        bed.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", &format!("crd/{name}")]);
        let crd: Value = serde_json::from_str(&bed.kubectl(&["get", "crd", &name, "-o", "json"])).expect("JSON");
        let fields = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
        assert_eq!(fields["field99"], json!({"type": "integer"}), "Helm {version}");
        assert_eq!(fields["description"], json!({"type": "string"}), "Helm {version}: a field of that name");
        // The schema still says what a field holds.
        let lens = |field: &str| {
            json!({
                "apiVersion": format!("shop.{namespace}.hubble.example/v1"), "kind": "Lens0", "metadata": {"name": "a", "namespace": namespace},
                "spec": {"description": "read", field: 1, "unknown": 1},
            })
            .to_string()
        };
        let create = ["create", "--validate=ignore", "-f", "-"];
        let wrong = bed.try_kubectl(&create, Some(&lens("field1").replace(":1", ":\"one\"")));
        let told = String::from_utf8_lossy(&wrong.stderr).into_owned();
        assert!(told.contains("must be of type integer"), "Helm {version}: {told}");
        let right = bed.try_kubectl(&create, Some(&lens("field1")));
        assert!(right.status.success(), "Helm {version}: {}", String::from_utf8_lossy(&right.stderr));
        let live = bed.get(namespace, &name, "a").expect("it is there");
        assert_eq!(live["spec"], json!({"description": "read", "field1": 1}), "Helm {version}: the rest is pruned");
        let gone = scene.helm.run(&bed.kubeconfig, &["uninstall", "shop", "-n", namespace]);
        assert_eq!(gone.code, 0, "Helm {version}: {}", gone.stderr);
    }
}

#[test]
fn a_run_of_ours_slims_where_helm_could_not_store_the_release() {
    let Some(bed) = Bed::open() else { return };
    let slim = "format: 1\nname: p\npost-render: [{name: slim, because: b, select: {record-over: 1000000}, changes: [slim-crd-descriptions]}]\n";
    let scene = Scene::new(&bed, "slim-run");
    let flag = option(&profile(&scene, slim));
    let chart = chart("described");
    for (few, said) in [("crds=1", false), ("crds=3", true)] {
        let words = ["upgrade", "shop", &chart, "--install", "--yes", &flag, "--set", few];
        let ran = scene.run(&words).expect(0);
        assert_eq!(ran.all().contains("slim: 3 changes (b)"), said, "{few}: {}", ran.all());
    }
    let record = bed.get(&scene.namespace.name, "secret", "sh.helm.release.v1.shop.v2").expect("the record");
    assert!(record["data"]["release"].as_str().expect("a text").len() < LIMIT);
    let gone = scene.helm.run(&bed.kubeconfig, &["uninstall", "shop", "-n", &scene.namespace.name]);
    assert_eq!(gone.code, 0, "{}", gone.stderr);
}
