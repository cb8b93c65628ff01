//! The corpus: what three Helms really printed, provoked with small charts of our own on Kubernetes 1.36. Each file holds
//! one Helm's texts, parted by lines `=== NAME`; long dumps are made up, since real ones hold someone's settings.

use super::*;

const SCENE: ErrorScene<'static> = ErrorScene { release: "shop", namespace: "prod" };

fn told(problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        let field = problem.field.as_ref().map_or_else(String::new, |field| format!(" [{field}]"));
        let remedy = problem.remedy.as_ref().map_or_else(String::new, |remedy| format!("\n    -> {remedy}"));
        text.extend(["  ", &problem.object, &field, ": ", &problem.cause, &remedy, "\n"]);
    }
    text
}

fn corpus(texts: &str) -> Vec<(&str, &str)> {
    texts.split("=== ").skip(1).map(|case| case.split_once('\n').expect("a name and a text")).collect()
}

fn explained(texts: &str) -> String {
    corpus(texts)
        .into_iter()
        .fold(String::new(), |all, (name, text)| format!("{all}{name}\n{}", told(&explain(text, &SCENE))))
}

const HELM_3_17_4: &str = include_str!("../../../tests/fixtures/helm-errors/3.17.4.txt");
const HELM_3_22_0: &str = include_str!("../../../tests/fixtures/helm-errors/3.22.0.txt");
const HELM_4_3_1: &str = include_str!("../../../tests/fixtures/helm-errors/4.3.1.txt");

#[test]
fn helm_3_17_4_is_explained() {
    insta::assert_snapshot!(explained(HELM_3_17_4));
}

#[test]
fn helm_3_22_0_is_explained() {
    insta::assert_snapshot!(explained(HELM_3_22_0));
}

#[test]
fn helm_4_3_1_is_explained() {
    insta::assert_snapshot!(explained(HELM_4_3_1));
}

#[test]
fn every_text_of_the_corpus_is_explained_in_few_words() {
    for (name, text) in [HELM_3_17_4, HELM_3_22_0, HELM_4_3_1].into_iter().flat_map(corpus) {
        let problems = explain(text, &SCENE);
        assert!(!problems.is_empty(), "{name}");
        for problem in problems {
            assert!(problem.cause.chars().count() <= CAUSE_LIMIT && !problem.cause.contains('\n'), "{name}");
            assert!(problem.object.chars().count() <= 120, "{name}");
        }
    }
}

/// A pod template as an API server dumps it, 20 kB, with all that could lead a reader astray.
fn dump_of_go_values() -> String {
    let env = r#"core.EnvVar{Name:"A", Value:"x && cannot patch \"db\" with kind Job: {[(: field is immutable"}, "#
        .repeat(180);
    format!(
        r#"core.PodTemplateSpec{{ObjectMeta:v1.ObjectMeta{{Labels:map[string]string{{"app":"a"}}}}, Env:[]core.EnvVar{{{env}}}}}"#
    )
}

#[test]
fn a_wall_of_dumps_is_told_in_one_line_an_object() {
    let dump = dump_of_go_values();
    let refusal = |name: &str| {
        format!(
            "cannot patch \"{name}\" with kind Job: Job.batch \"{name}\" is invalid: spec.template: Invalid value: {dump}: field is immutable"
        )
    };
    let wall =
        format!("Error: UPGRADE FAILED: {} && {} && {}\n", refusal("minio"), refusal("importer"), refusal("minio"));
    assert!(wall.len() > 40_000);
    insta::assert_snapshot!(told(&explain(&wall, &SCENE)), @r"
      Job minio [spec.template]: field is immutable
        -> delete the finished Job first: `kubectl delete job minio -n prod`
      Job importer [spec.template]: field is immutable
        -> delete the finished Job first: `kubectl delete job importer -n prod`
    ");
}

#[test]
fn the_description_of_a_failed_revision_is_read_too() {
    let problems = explain("Upgrade \"shop\" failed: pre-upgrade hooks failed: context canceled", &SCENE);
    assert_eq!(told(&problems), "  release shop: pre-upgrade hook: Helm was told to stop\n");
}

#[test]
fn of_an_unknown_wall_only_the_first_line_is_told() {
    let wall = format!("level=INFO msg=x\nError: UPGRADE FAILED: something new {}\nsecond line", "x".repeat(20_000));
    let problems = explain(&wall, &SCENE);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].cause.starts_with("something new xxx") && problems[0].cause.ends_with(" ..."));
}

#[test]
fn no_remedy_deletes_what_holds_data() {
    for kind in ["PersistentVolumeClaim", "PersistentVolume", "Namespace", "CustomResourceDefinition"] {
        let text = format!(
            "Error: UPGRADE FAILED: cannot patch \"x\" with kind {kind}: {kind} \"x\" is invalid: spec: Forbidden: spec is immutable after creation"
        );
        assert!(!told(&explain(&text, &SCENE)).contains("delete"), "{kind}");
    }
}

#[test]
fn silence_is_not_explained() {
    assert_eq!(explain("", &SCENE), Vec::new());
    assert_eq!(explain("level=WARN msg=x\n", &SCENE), Vec::new());
}
