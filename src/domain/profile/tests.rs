use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::domain::object::Object;
use crate::domain::post_rendering::About;

const PROFILE: &str = "format: 1
name: shop
description: The shop
charts: [shop]
post-render:
  - name: team
    because: every object has an owner
    select: {kinds: [Deployment.apps, Service], names: ['web*'], labels: {tier: front}, to: '>=2.0.0'}
    changes:
      - set-labels: {team: ml}
      - set: {path: 'spec.template.spec.containers[name=web].imagePullPolicy', value: Always}
      - add-items: {path: spec.list, key: name, items: [{name: a}]}
      - keep
";

fn error(text: &str) -> String {
    parse(text).expect_err("it is wrong").to_string()
}

#[test]
fn a_profile_is_read() {
    let profile = parse(PROFILE).expect("well-formed");
    let rule = &profile.post_render[0];
    assert_eq!(rule.changes.iter().map(Change::word).collect::<Vec<_>>(), ["set-labels", "set", "add-items", "keep"]);
    assert!(rule.select.kinds[0].is_of("apps/v1", "Deployment") && !rule.select.kinds[0].is_of("v1", "Deployment"));
    assert!(
        rule.select.kinds[1].is_of("v1", "Service") && !rule.select.kinds[1].is_of("serving.knative.dev/v1", "Service")
    );
    assert!(rule.select.names[0].covers("web-1") && !rule.select.names[0].covers("my-web"));
    let json = serde_json::to_value(&profile).expect("JSON");
    assert_eq!(serde_json::from_value::<Profile>(json).expect("the same"), profile);
}

#[test]
fn a_field_that_nobody_knows_is_named_with_its_line() {
    let text = PROFILE.replace("    because:", "    becuase:");
    assert!(error(&text).starts_with("line 7: "), "{}", error(&text));
    assert!(error(&text).contains("becuase"), "{}", error(&text));
    assert!(!error(&text).replacen("line 7", "", 1).contains("line 7"), "told once: {}", error(&text));
    let text = PROFILE.replace("      - keep", "      - kept");
    assert!(error(&text).starts_with("line 13: ") && error(&text).contains("kept"), "{}", error(&text));
}

#[test]
fn what_two_readers_read_differently_must_be_quoted() {
    let field = "line 11: post-render[0].changes[1].set.value: ";
    for (written, by_helm, by_others) in [
        ("0644", "420", "644"),
        ("0b-1", "-1", "\"0b-1\""),
        (".1_0", "0.1", "\".1_0\""),
        ("1_000", "1000", "\"1_000\""),
        ("0b11", "3", "\"0b11\""),
        ("0xFFFF_FFFF_FFFF_FFFF", "18446744073709551615", "\"0xFFFF_FFFF_FFFF_FFFF\""),
        ("yes", "true", "\"yes\""),
        ("Off", "false", "\"Off\""),
        ("y", "true", "\"y\""),
    ] {
        let what = if matches!(by_helm, "true" | "false") { "boolean" } else { "number" };
        let expected = format!(
            "{field}`{written}` is read in two ways, as {by_helm} by Helm and as {by_others} by others: write {by_helm} for the {what}, \
             or quotes for the text"
        );
        assert_eq!(error(&PROFILE.replace("value: Always", &format!("value: {written}"))), expected);
        let quoted = PROFILE.replace("value: Always", &format!("value: '{written}'"));
        assert!(parse(&quoted).is_ok());
    }
}

#[test]
fn what_all_readers_read_alike_needs_no_quotes() {
    for written in [
        "1",
        "-12",
        "+1",
        "1.5",
        "1e3",
        "-.5",
        "0x1F",
        "0xFFFFFFFFFFFFFFFF",
        "18446744073709551615",
        "-9223372036854775808",
        "True",
        "FALSE",
        "on-call",
        "yes please",
        "1.2.3",
        "2001-01-01",
        "12:30",
    ] {
        parse(&PROFILE.replace("value: Always", &format!("value: {written}"))).expect(written);
    }
}

#[test]
fn a_key_that_two_readers_read_differently_is_named_without_what_stands_beside_it() {
    for (written, by_helm) in [("n", "false"), ("On", "true"), ("0644", "420"), ("1.10", "1.1"), ("1_000", "1000")] {
        let read = format!("`{written}` is read in two ways, as \"{by_helm}\" by Helm and as \"{written}\" by others");
        let places = [
            ("{team: ml}", format!("{{a: s3cret, {written}: s3cret}}"), "10: post-render[0].changes[0].set-labels"),
            (
                "{name: a}",
                format!("{{name: s3cret, b: {{c: s3cret, {written}: s3cret}}}}"),
                "12: post-render[0].changes[2].add-items.items[0].b",
            ),
        ];
        for (from, to, place) in places {
            let error = error(&PROFILE.replace(from, &to));
            assert_eq!(error, format!("line {place}: the key {read}: put it in quotes"));
        }
    }
}

#[test]
fn what_is_no_text_is_quoted_as_it_is_written() {
    let cases = [
        ("name: shop", "name: n", "line 2: name: ", "n"),
        ("because: every object has an owner", "because: y", "line 7: post-render[0].because: ", "y"),
        ("{team: ml}", "{team: 1.10}", "line 10: post-render[0].changes[0].set-labels.team: ", "1.10"),
        (
            "{team: ml}",
            "\n          a: s3cret\n          team: Yes",
            "line 12: post-render[0].changes[0].set-labels.team: ",
            "Yes",
        ),
        ("charts: [shop]", "charts: [shop, 0x10]", "line 4: charts[1]: ", "0x10"),
    ];
    for (from, to, place, word) in cases {
        let expected = format!("{place}a text is wanted, and `{word}` is none without quotes");
        assert_eq!(error(&PROFILE.replacen(from, to, 1)), expected);
    }
    let alias = PROFILE.replace("format: 1\nname: shop", "format: &a 1\nname: *a");
    assert_eq!(error(&alias), "name: a text is wanted, and what it stands for is none without quotes");
}

#[test]
fn no_error_tells_a_value_that_is_not_to_blame() {
    let labels = [
        "{a: s3cret, n: b}",
        "{a: s3cret, b: no}",
        "{a: s3cret, a: b}",
        "{a: s3cret, b: }",
        "{a: s3cret, b: [c]}",
        "{a: s3cret, b: 0644}",
        "{a: s3cret, ~: b}",
        "{a: s3cret, b: &b {c: d}, e: *b}",
        "{a: s3cret, b: *c}",
        "{a: s3cret, b",
        "{a: s3cret} b",
        "[s3cret]",
        "{<<: [s3cret], n: b}",
    ];
    for given in labels {
        let error = error(&PROFILE.replace("{team: ml}", given));
        assert!(!error.contains("s3cret"), "{error}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let cases = [
        ("format: 1", "format: 2", "format: "),
        ("name: shop", "name: Shop", "name: "),
        ("name: team", "name: ''", "post-render[0].name: "),
        ("to: '>=2.0.0'", "to: newest", "post-render[0].select.to: "),
        ("value: Always", "value: [a]", "post-render[0].changes[1].set: "),
        ("items: [{name: a}]", "items: [{nam: a}]", "post-render[0].changes[2].add-items: "),
        ("- keep", "- pin-images: {a: latest}", "post-render[0].changes[3].pin-images: "),
        ("- keep", "- add-document: {kind: ConfigMap}", "post-render[0].changes[3].add-document: "),
        ("[Deployment.apps,", "[deployment,", "line 8: "),
        ("[Deployment.apps,", "[Deployment,", "post-render[0].select.kinds: "),
        ("value: Always", "value: null", "post-render[0].changes[1].set: "),
        ("containers[name=web]", "containers[name", "line 11: "),
        ("{team: ml}", "{team: 1}", "line 10: post-render[0].changes[0].set-labels.team: "),
        ("because: every object has an owner", "because: true", "line 7: post-render[0].because: "),
        ("names: ['web*']", "names: ['web*', 5]", "line 8: post-render[0].select.names[1]: "),
        ("format: 1", "format: '1'", "line 1: format: a number is wanted, and `1` is none in quotes"),
        ("to: '>=2.0.0'", "record-over: '5'", "line 8: post-render[0].select.record-over: "),
        ("to: '>=2.0.0'", "to: 2", "line 8: post-render[0].select.to: "),
    ];
    for (from, to, begins) in cases {
        let error = error(&PROFILE.replacen(from, to, 1));
        assert!(error.starts_with(begins), "{to}: {error}");
    }
    let twice = format!("{PROFILE}  - {{name: team, because: b, changes: [keep]}}\n");
    assert!(error(&twice).starts_with("post-render[1].name: "), "{}", error(&twice));
}

#[test]
fn what_images_are_called_is_said_so_that_it_can_work() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let other = format!("sha256:{}", "1".repeat(64));
    let cases = [
        (
            "mirror-images: {nginx: m.corp/a}".to_owned(),
            "does not begin with a registry, such as docker.io or host:5000: write a registry",
        ),
        ("mirror-images: {docker.io: 'https://m.corp/a'}".to_owned(), "begins with a scheme: write `m.corp/a`"),
        ("mirror-images: {'https://docker.io': m.corp}".to_owned(), "begins with a scheme: write `docker.io`"),
        (
            "mirror-images: {docker.io: 'm.corp/nginx:1.27'}".to_owned(),
            "has a tag or a digest, and images keep theirs: write `m.corp/nginx`",
        ),
        ("mirror-images: {'docker.io/nginx:1': m.corp}".to_owned(), "images keep theirs: write `docker.io/nginx`"),
        (
            format!("mirror-images: {{'docker.io/nginx@{digest}': m.corp}}"),
            "images keep theirs: write `docker.io/nginx`",
        ),
        ("mirror-images: {docker.io: 'm.corp/a '}".to_owned(), "has a blank in it: write `m.corp/a`"),
        ("mirror-images: {docker.io: 'm.corp/a b'}".to_owned(), "has a blank in it: write a registry and a path"),
        (
            "mirror-images: {docker.io: m.corp/A}".to_owned(),
            "has upper-case letters behind the registry, which no image has: write `m.corp/a`",
        ),
        ("mirror-images: {docker.io: m.corp//a}".to_owned(), "is no place of images: write a registry and a path"),
        (
            "mirror-images: {docker.io: a, index.docker.io/: b}"
                .replace(": a,", ": m.corp/a,")
                .replace(": b}", ": m.corp/b}"),
            "are the same place: write one of them",
        ),
        (
            format!("pin-images: {{'nginx:1': '{digest}', 'docker.io/library/nginx:1': '{other}'}}"),
            "are the same image: write one of them",
        ),
        (
            format!("pin-images: {{nginx: '{digest}', 'nginx:latest': '{other}'}}"),
            "are the same image: write one of them",
        ),
        (format!("pin-images: {{'nginx@{digest}': '{other}'}}"), "has a digest already, and keeps it: write `nginx`"),
        (format!("pin-images: {{' nginx': '{digest}'}}"), "is no name of an image"),
    ];
    for (change, cause) in cases {
        let told = error(&PROFILE.replacen("- keep", &format!("- {change}"), 1));
        let field = change.split(':').next().unwrap_or_default();
        assert!(
            told.starts_with(&format!("post-render[0].changes[3].{field}: ")) && told.contains(cause),
            "{change}: {told}"
        );
    }
    let fine = [
        "mirror-images: {docker.io: host:5000/a, index.docker.io/library/: m.corp/b/, localhost: 'm.corp'}".to_owned(),
        format!("pin-images: {{'nginx:1': '{digest}', 'docker.io/library/nginx:1': '{digest}', 'nginx:2': '{other}'}}"),
    ];
    for change in fine {
        parse(&PROFILE.replacen("- keep", &format!("- {change}"), 1)).expect(&change);
    }
}

#[test]
fn labels_and_annotations_are_such_as_a_server_takes() {
    let long = "a".repeat(64);
    let longest = "a".repeat(63);
    let key = "no server takes that key of";
    let value = "no server takes that value of a label";
    let cases = [
        ("set-labels: {'a b': c}".to_owned(), "set-labels.\"a b\"", key),
        ("set-labels: {'': c}".to_owned(), "set-labels.\"\"", key),
        ("set-labels: {a/b/c: d}".to_owned(), "set-labels.a/b/c", key),
        ("set-labels: {-a: d}".to_owned(), "set-labels.-a", key),
        ("set-labels: {A.com/b: d}".to_owned(), "set-labels.\"A.com/b\"", key),
        ("set-labels: {a..com/b: d}".to_owned(), "set-labels.\"a..com/b\"", key),
        (format!("set-labels: {{{long}: d}}"), &format!("set-labels.{long}"), key),
        (format!("set-labels: {{a: {long}}}"), "set-labels.a", "(64 bytes)"),
        ("set-labels: {a: b c}".to_owned(), "set-labels.a", value),
        ("set-labels: {a: '{release}'}".to_owned(), "set-labels.a", value),
        ("set-annotations: {a_/b: c}".to_owned(), "set-annotations.a_/b", key),
        (
            "set: {path: metadata.labels.y, value: 5}".to_owned(),
            "set",
            "the value of label `y` is a text: put `5` in quotes",
        ),
        (
            "set: {path: metadata.annotations.y, value: true}".to_owned(),
            "set",
            "annotation `y` is a text: put `true` in quotes",
        ),
        ("set: {path: metadata.labels.y, value: a b}".to_owned(), "set", value),
        (
            "set: {path: metadata.labels, value: a}".to_owned(),
            "set",
            "labels have a key each: write `metadata.labels.KEY`",
        ),
        (
            "set: {path: metadata.labels.app.kubernetes.io/name, value: a}".to_owned(),
            "set",
            "write `metadata.labels.\"app.kubernetes.io/name\"`",
        ),
        (
            "set: {path: 'spec.jobs[0].metadata.annotations.a.b', value: a}".to_owned(),
            "set",
            "write `spec.jobs[0].metadata.annotations.\"a.b\"`",
        ),
        (
            "remove: spec.template.metadata.labels.app.kubernetes.io/name".to_owned(),
            "remove",
            "write `spec.template.metadata.labels.\"app.kubernetes.io/name\"`",
        ),
        (
            "remove: metadata.annotations.helm.sh/hook".to_owned(),
            "remove",
            "write `metadata.annotations.\"helm.sh/hook\"`",
        ),
        ("remove: 'metadata.labels[0]'".to_owned(), "remove", "labels are no list"),
        ("add-items: {path: metadata.labels, items: [a]}".to_owned(), "add-items", "`set-labels` and `remove-labels`"),
    ];
    for (change, field, cause) in cases {
        let told = error(&PROFILE.replacen("- keep", &format!("- {change}"), 1));
        assert!(
            told.starts_with(&format!("post-render[0].changes[3].{field}: ")) && told.contains(cause),
            "{change}: {told}"
        );
    }
    let fine = [
        "set-labels: {app.kubernetes.io/name: '', A_b.c: 1.2.x, z: 'A'}".to_owned(),
        format!("set-labels: {{a/{longest}: {longest}}}"),
        "set-annotations: {A.com/b: '{release} ä, any text', a: ''}".to_owned(),
        "set: {path: 'metadata.annotations.\"a.b/c\"', value: any text}".to_owned(),
        "remove: metadata.labels".to_owned(),
        "remove: spec.metadata.labels.a".to_owned(),
        // Templates, patterns, and what is called so in custom resources.
        "set: {path: spec.template.metadata.labels.env, value: '{{env}}'}".to_owned(),
        "set: {path: 'spec.rules[*].validate.pattern.metadata.labels.team', value: '?*'}".to_owned(),
        "set: {path: 'spec.rules[*].validate.pattern.metadata.labels.+(team)', value: '?*'}".to_owned(),
        "set: {path: spec.metadata.labels.on, value: true}".to_owned(),
        "set: {path: spec.metadata.labels, value: all}".to_owned(),
        "set: {path: 'spec.metadata.labels[0].name', value: a}".to_owned(),
        "add-items: {path: spec.metadata.labels, items: [a]}".to_owned(),
        "remove-items: {path: spec.metadata.annotations, values: [a]}".to_owned(),
        "set: {path: spec.labels.a.b, value: 5}".to_owned(),
    ];
    for change in fine {
        parse(&PROFILE.replacen("- keep", &format!("- {change}"), 1)).expect(&change);
    }
}

#[test]
fn a_list_is_no_mapping() {
    let all = "format: 1\nname: p\npost-render: [{name: r, because: b, select: [], changes: [drop]}]\n";
    assert!(parse(all).is_err(), "every document would be selected");
    assert!(parse("- 1\n- shop\n").is_err());
    let rule = "format: 1\nname: p\npost-render: [[r, b, {}, [keep]]]\n";
    assert!(parse(rule).is_err());
    let change = "format: 1\nname: p\npost-render: [{name: r, because: b, changes: [{set: [spec.replicas, 3]}]}]\n";
    assert!(parse(change).is_err());
    let more = "format: 1\nname: p\n---\npost-render: []\n";
    assert!(parse(more).is_err(), "a second document is not read");
}

#[test]
fn a_rule_for_large_records_wants_to_know_how_large_it_is() {
    let text = "format: 1\nname: p\npost-render: [{name: r, because: b, select: {record-over: 1048576}, changes: [slim-crd-descriptions]}]\n";
    let rules = parse(text).expect("a profile").post_render;
    let held = |record_bytes: Option<u64>| holding(&rules, &About { record_bytes, ..About::default() });
    let error = held(None).expect_err("it is not known");
    assert_eq!(error.to_string(), "rule `r`: it selects by the size of Helm's record: say `--record-bytes N`");
    assert!(held(Some(1_048_576)).expect("known").is_empty(), "it fits");
    assert_eq!(held(Some(1_048_577)).expect("known").len(), 1);
}

#[test]
fn what_is_known_may_rule_a_rule_out_before_more_is_asked_for() {
    let text = "format: 1\nname: p\npost-render: [{name: r, because: b, select: {from: <2.2.0, to: '>=2.2.0', record-over: 5, namespaces: [a]}, \
        changes: [keep]}]\n";
    let rules = parse(text).expect("a profile").post_render;
    let version = |version: &str| Some(version.to_owned());
    let unknown = About::default();
    for about in [
        About { is_new: true, ..unknown.clone() },
        About { from: version("2.2.0"), ..unknown.clone() },
        About { to: version("1.0.0"), ..unknown.clone() },
        About { record_bytes: Some(5), ..unknown.clone() },
    ] {
        assert!(holding(&rules, &about).expect("known").is_empty(), "{about:?}");
    }
    let all = About {
        from: version("2.1.0"),
        to: version("2.2.0"),
        record_bytes: Some(6),
        namespace: version("a"),
        ..unknown
    };
    assert_eq!(holding(&rules, &all).expect("known").len(), 1);
    for (about, flag) in [
        (About { from: None, to: None, ..all.clone() }, "--from VERSION"),
        (About { to: None, ..all.clone() }, "--to VERSION"),
        (About { record_bytes: None, ..all.clone() }, "--record-bytes N"),
        (About { namespace: None, ..all.clone() }, "-n NAMESPACE"),
    ] {
        let error = holding(&rules, &about).expect_err("it is not known").to_string();
        assert!(error.ends_with(&format!("say `{flag}`")), "{error}");
    }
}

#[test]
fn a_change_is_for_hooks_in_which_it_finds_what_it_is_about() {
    let hook = |kind: &str, spec: serde_json::Value| {
        let value = json!({"apiVersion": "example.com/v1", "kind": kind, "metadata": {"name": "a"}, "spec": spec});
        Object::new(value).expect("an object")
    };
    let job = hook(
        "Job",
        json!({"template": {"spec": {
            "containers": [{"image": "a"}],
            "volumes": [{"persistentVolumeClaim": {"claimName": "data-a-0"}}],
        }}}),
    );
    let steps = hook("TaskRun", json!({"taskSpec": {"steps": [{"image": "a"}]}}));
    let crd = hook("CustomResourceDefinition", json!({}));
    let take = |of: &str| Change::TakeClaim(TakeClaim { of: of.to_owned(), take: "data".to_owned() });
    for (change, is_for) in [
        (Change::MirrorImages(BTreeMap::new()), [true, true, false]),
        (Change::PinImages(BTreeMap::new()), [true, true, false]),
        (take("data-a-0"), [true, false, false]),
        (take("data-b-0"), [false, false, false]),
        (Change::SlimCrdDescriptions, [false, false, true]),
        (Change::UniqueJobNames, [false, false, false]),
        (Change::Drop, [true, true, true]),
    ] {
        assert_eq!([&job, &steps, &crd].map(|hook| change.is_for(hook)), is_for, "{change:?}");
    }
}
