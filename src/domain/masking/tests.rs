use proptest::prelude::*;
use serde_json::json;

use super::*;

fn secret(data: &Value, string_data: &Value) -> Object {
    Object::new(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop"},
        "data": data, "stringData": string_data}))
    .expect("an object")
}

fn masker(entries: &Value) -> Masker {
    let mut masker = Masker::new();
    masker.add_object(&secret(&json!({}), entries));
    masker
}

#[test]
fn the_values_of_a_secret_are_masked_in_every_form() {
    let mut masker = Masker::new();
    masker.add_object(&secret(&json!({"password": BASE64_STANDARD.encode("p4ss\"word/1")}), &json!(null)));
    for form in ["p4ss\"word/1", r#"p4ss\"word/1"#, "p4ss%22word%2F1", &BASE64_STANDARD.encode("p4ss\"word/1")] {
        assert_eq!(masker.mask(&format!("a {form} b")).trim_end_matches(" b").trim_end_matches('='), "a ***", "{form}");
    }
}

#[test]
fn names_and_addresses_in_a_secret_stay_readable() {
    let masker =
        masker(&json!({"host": "shop-postgresql.shop.svc", "port": "5432", "user": "shop", "password": "x9!kqp2m"}));
    assert_eq!(masker.mask("shop-postgresql.shop.svc:5432 shop x9!kqp2m"), "shop-postgresql.shop.svc:5432 shop ***");
}

#[test]
fn a_word_is_secret_where_a_key_says_so() {
    let masker = masker(&json!({"password": "correcthorse", "pin": "true"}));
    assert_eq!(masker.mask("correcthorse true admin"), "*** true admin");
    assert_eq!(masker.mask("password: admin"), "password: ***");
}

#[test]
fn a_value_of_several_lines_is_masked_line_by_line() {
    let key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\nshort\n-----END KEY-----\n";
    let masker = masker(&json!({"tls.key": key}));
    assert_eq!(masker.mask("MIIEvQIBADANBgkq"), "***");
    assert_eq!(masker.mask(&json!(key).to_string()), r#""-----BEGIN KEY-----\n***\n***\nshort\n-----END KEY-----\n""#);
    assert_eq!(masker.mask(&BASE64_STANDARD.encode(key.trim())), "***");
}

#[test]
fn passwords_within_configuration_files_are_learnt() {
    let masker = masker(&json!({
        "config.yaml": "database:\n  enabled: true\n  password: hunter22\nurl: redis://:r3dispw@redis:6379\n",
        ".dockerconfigjson": r#"{"auths":{"registry.example.com":{"username":"bob","password":"d0ckerpw","auth":"Ym9iOmQwY2tlcnB3"}}}"#,
    }));
    assert_eq!(masker.mask("hunter22 r3dispw d0ckerpw Ym9iOmQwY2tlcnB3"), "*** *** *** ***");
    assert_eq!(masker.mask("enabled: true"), "enabled: true");
}

#[test]
fn keys_and_named_environment_variables_are_learnt_from_any_object() {
    let mut masker = Masker::new();
    masker.add_json(
        &json!({"env": [{"name": "DB_PASSWORD", "value": "fr0m-env!"}, {"name": "HOST", "value": "db.shop"}],
        "minio": {"secretKey": "mini0k3y"}, "secretName": "shop-tls", "matchLabels": {"key": "kubernetes.io/arch"}}),
    );
    assert_eq!(
        masker.mask("fr0m-env! db.shop mini0k3y shop-tls kubernetes.io/arch"),
        "*** db.shop *** shop-tls kubernetes.io/arch"
    );
}

#[test]
fn overlapping_secrets_leave_no_rest() {
    let mut masker = Masker::new();
    masker.add_value("abc123def");
    masker.add_value("123def456xyz");
    masker.add_value("c123d");
    assert_eq!(masker.mask("<abc123def456xyz>"), "<***>");
}

#[test]
fn a_long_value_is_masked_to_its_end() {
    let long: String = (0..20_000).map(|number| (number * 7_919).to_string()).collect();
    let mut masker = Masker::new();
    masker.add_value(&long);
    assert_eq!(masker.mask(&format!("a {long} b")), "a *** b");
}

#[test]
fn a_long_value_that_repeats_itself_is_masked_too_much_rather_than_too_late() {
    let long = "x1Y".repeat(100_000);
    let mut masker = Masker::new();
    masker.add_value(&long);
    let shown = masker.mask(&format!("a {long} b"));
    assert!(shown.starts_with("a ***") && !shown.contains("x1Y"), "{shown}");
}

#[test]
fn json_is_masked_by_key_and_by_value() {
    let masker = masker(&json!({"token": "t0k3n-abc"}));
    assert_eq!(
        masker.mask_json(
            &json!({"a": ["see t0k3n-abc"], "password": "x", "env": [{"name": "API_TOKEN", "value": "short"}], "n": 1})
        ),
        json!({"a": ["see ***"], "password": "***", "env": [{"name": "API_TOKEN", "value": "***"}], "n": 1})
    );
}

#[test]
fn a_masker_does_not_show_what_it_knows() {
    assert!(!format!("{:?}", masker(&json!({"token": "t0k3n-abc"}))).contains("t0k3n"));
}

proptest! {
    #[test]
    fn no_known_value_survives(values in proptest::collection::vec("[a-z0-9]{3}[A-Z0-9!é/+]{5,20}", 1..8), around in "[ -~é]{0,20}") {
        let mut masker = Masker::new();
        for value in &values {
            masker.add_value(value);
        }
        let text = format!("{around}{}", values.join(&around));
        let masked = masker.mask(&text);
        for value in values.iter().filter(|value| !keys::is_too_ordinary(value)) {
            prop_assert!(!masked.contains(value.as_str()), "{masked} shows {value}");
        }
    }

    #[test]
    fn masking_never_fails_and_leaves_other_text_alone(text in any::<String>()) {
        let mut masker = Masker::new();
        masker.add_value("n3ver-there-é-at-all");
        let masked = masker.mask(&text);
        if patterns::find(&text).is_empty() {
            prop_assert_eq!(masked, text);
        }
    }
}

#[test]
fn secrets_are_replaced_by_what_stands_in_for_each() {
    let stand_in = |secret: &str| format!("<{}>", secret.len());
    let value = json!({"password": "abc", "env": [{"name": "API_TOKEN", "value": "12345"}], "name": "shop",
        "url": "postgres://shop:tr0ub4dor@db", "key": "web"});
    assert_eq!(
        replace_secrets(&value, &stand_in),
        json!({"password": "<3>", "env": [{"name": "API_TOKEN", "value": "<5>"}], "name": "shop",
            "url": "postgres://shop:<9>@db", "key": "web"})
    );
}
