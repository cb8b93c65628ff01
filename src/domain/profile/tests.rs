use super::*;
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
    for (written, read) in [("0644", "644"), ("0b-1", "0b-1"), (".1_0", ".1_0")] {
        let text = PROFILE.replace("value: Always", &format!("value: {written}"));
        let error = error(&text);
        assert!(error.starts_with("post-render[0].changes[1].set.value: ") && error.contains(read), "{error}");
        let quoted = PROFILE.replace("value: Always", &format!("value: '{written}'"));
        assert!(parse(&quoted).is_ok());
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
        ("{team: ml}", "{team: 1}", "post-render[0].changes[0].set-labels.team: "),
        ("because: every object has an owner", "because: true", "post-render[0].because: "),
        ("names: ['web*']", "names: ['web*', 5]", "post-render[0].select.names[1]: "),
        ("to: '>=2.0.0'", "to: 2", "post-render[0].select.to: "),
    ];
    for (from, to, begins) in cases {
        let error = error(&PROFILE.replacen(from, to, 1));
        assert!(error.starts_with(begins), "{to}: {error}");
    }
    let twice = format!("{PROFILE}  - {{name: team, because: b, changes: [keep]}}\n");
    assert!(error(&twice).starts_with("post-render[1].name: "), "{}", error(&twice));
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
