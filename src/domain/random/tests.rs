use proptest::prelude::*;

use super::*;

fn render(text: &str) -> Vec<Rendered> {
    of_stream(text).expect("manifests")
}

/// A chart with a password, its checksum, a hook, and a Job that is named anew each time.
fn chart(random: &str, image: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: session}}\nstringData: {{key: {random}, user: shop}}\n\
         ---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  template:\n    metadata:\n      \
         annotations: {{checksum/session: sum-{random}}}\n    spec:\n      containers:\n      - {{name: other, image: o}}\n      \
         - {{name: web, image: {image}, env: [{{name: SEED, value: {random}}}]}}\n\
         ---\napiVersion: batch/v1\nkind: Job\nmetadata: {{name: migrate-{random}, labels: {{run: {random}}}}}\nspec: {{parallelism: 1}}\n\
         ---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: hook, annotations: {{helm.sh/hook: pre-upgrade}}}}\ndata: {{at: {random}}}\n"
    )
}

fn told(random: &[RandomField]) -> Vec<String> {
    random
        .iter()
        .map(|random| format!("{} {}{}", random.object, random.field, if random.is_hook { " (hook)" } else { "" }))
        .collect()
}

#[test]
fn what_differs_between_two_renders_is_random_checksums_names_and_hooks_too() {
    let random = recognise(&render(&chart("aaa", "web:1")), &render(&chart("abb", "web:1")));
    assert_eq!(
        told(&random),
        [
            "Secret session stringData.key",
            "Deployment web spec.template.metadata.annotations.checksum/session",
            "Deployment web spec.template.spec.containers[name=web].env[name=SEED].value",
            "ConfigMap hook data.at (hook)",
            "Job migrate-* metadata.name",
            "Job migrate-* metadata.labels.run",
        ]
    );
    let name_of = |object: &ObjectRef| ObjectRef { namespace: Some("shop".into()), ..object.clone() };
    let sentence = Told { random: &random, name_of: &name_of }.to_string();
    assert!(
        sentence.starts_with("random at each render: Secret shop/session stringData.key, Deployment shop/web"),
        "{sentence}"
    );
    assert!(sentence.ends_with("; the pods of Deployment shop/web restart at every upgrade"), "{sentence}");
}

#[test]
fn a_later_render_that_differs_in_random_fields_alone_is_the_same() {
    let random = recognise(&render(&chart("aaa", "web:1")), &render(&chart("abb", "web:1")));
    let (kept, now) = (render(&chart("xyz", "web:1")), render(&chart("123", "web:1")));
    assert_eq!(otherwise(&kept, &now, &random), []);
    assert_eq!(digests(&kept, &random), digests(&now, &random));
}

#[test]
fn a_later_render_that_differs_elsewhere_is_named_by_object_and_field() {
    let random = recognise(&render(&chart("aaa", "web:1")), &render(&chart("abb", "web:1")));
    let kept = render(&chart("xyz", "web:1"));
    let now = render(&chart("123", "web:2"));
    let found = otherwise(&kept, &now, &random);
    let [one] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(
        (one.object().to_string().as_str(), one.field()),
        ("Deployment web", Some("spec.template.spec.containers[name=web].image"))
    );
    let changed: Vec<_> = digests(&kept, &random)
        .into_iter()
        .zip(digests(&now, &random))
        .filter(|(kept, now)| kept != now)
        .map(|(kept, _)| kept.0.to_string())
        .collect();
    assert_eq!(changed, ["Deployment web"]);
}

#[test]
fn an_object_that_comes_or_goes_is_named() {
    let one = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n";
    let two = format!("{one}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: b}}\n");
    let names = |kept: &str, now: &str| -> Vec<String> {
        otherwise(&render(kept), &render(now), &[])
            .iter()
            .map(|found| format!("{}: {}", found.object(), found.cause()))
            .collect()
    };
    assert_eq!(names(one, &two), ["ConfigMap b: it is rendered now, and was not in the rehearsal"]);
    assert_eq!(names(&two, one), ["ConfigMap b: it is not rendered any more, and was in the rehearsal"]);
    let renamed = one.replace("name: a", "name: c");
    assert_eq!(names(one, &renamed).len(), 2, "a name that nobody saw to be random is another object");
}

#[test]
fn a_field_beside_a_random_one_is_not_covered_by_it() {
    let random = RandomField {
        object: ObjectRef { api_version: "v1".into(), kind: "Secret".into(), namespace: None, name: "s".into() },
        field: "data.key".into(),
        is_hook: false,
    };
    for (path, is_covered) in
        [("data.key", true), ("data.key.sub", true), ("data.key[0]", true), ("data.keys", false), ("data", false)]
    {
        assert_eq!(random.covers(path), is_covered, "{path}");
    }
}

#[test]
fn names_are_random_behind_their_last_separator() {
    for (one, other, expected) in [
        ("migrate-abc", "migrate-axy", "migrate-*"),
        ("abc", "abd", "*"),
        ("a.b-1", "a.b-2", "a.b-*"),
        ("größe-ä1", "größe-ö1", "größe-*"),
    ] {
        assert_eq!(pattern(one, other), expected);
    }
}

#[test]
fn objects_with_random_ends_of_their_names_are_compared_with_their_own_kind_in_any_order() {
    let jobs = |end: &str, image: &str| {
        let job = |name: &str, image: &str| {
            format!(
                "---\napiVersion: batch/v1\nkind: Job\nmetadata: {{name: {name}-{end}}}\nspec: {{image: {image}, draw: {end}}}\n"
            )
        };
        job("z", image) + &job("z-m", "of-m") + &job("a", "of-a")
    };
    let random = recognise(&render(&jobs("1", "of-z")), &render(&jobs("z", "of-z")));
    let fields: Vec<String> = random.iter().map(|random| format!("{} {}", random.object.name, random.field)).collect();
    assert_eq!(
        fields,
        [
            "a-* metadata.name",
            "a-* spec.draw",
            "z-* metadata.name",
            "z-* spec.draw",
            "z-m-* metadata.name",
            "z-m-* spec.draw"
        ]
    );
    assert_eq!(otherwise(&render(&jobs("1", "of-z")), &render(&jobs("3", "of-z")), &random), vec![]);
    assert_eq!(otherwise(&render(&jobs("1", "of-z")), &render(&jobs("3", "other")), &random).len(), 1);
}

proptest! {
    /// Whatever the random values are: the mask of two renders covers any third, and nothing else.
    #[test]
    fn a_mask_covers_every_other_draw_and_nothing_else(
        draws in proptest::collection::vec("[a-z][a-z0-9]{2,8}", 4),
        image in "[a-z]{1,5}",
    ) {
        let [one, other, kept, now] = draws.as_slice() else { return Ok(()) };
        prop_assume!(one != other);
        let random = recognise(&render(&chart(one, "web:1")), &render(&chart(other, "web:1")));
        prop_assert_eq!(otherwise(&render(&chart(kept, "web:1")), &render(&chart(now, "web:1")), &random), vec![]);
        let found = otherwise(&render(&chart(kept, "web:1")), &render(&chart(now, &image)), &random);
        prop_assert_eq!(found.len(), 1);
    }

    /// A render compared with itself has nothing random, and nothing otherwise.
    #[test]
    fn a_render_is_the_same_as_itself(random in "[a-z]{1,6}", image in "[a-z]{1,6}") {
        let render = render(&chart(&random, &image));
        prop_assert_eq!(recognise(&render, &render), vec![]);
        prop_assert_eq!(otherwise(&render, &render, &[]), vec![]);
    }
}
