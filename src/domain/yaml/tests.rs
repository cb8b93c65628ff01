use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Returns what the text means as the value of a key, or the cause of the refusal.
fn read(text: &str) -> Result<Value, String> {
    match parse_mapping(&format!("a: {text}\n")) {
        Ok(map) => Ok(map.get("a").cloned().unwrap_or_default()),
        Err(MappingError::Syntax { cause, .. }) => Err(cause),
        Err(other) => Err(other.to_string()),
    }
}

fn key(text: &str) -> Result<String, String> {
    let map = parse_mapping(&format!("{text}: v\n")).map_err(|error| error.to_string())?;
    map.keys().next().cloned().ok_or_else(|| "no key".to_owned())
}

fn documents(text: &str) -> Vec<(usize, Value)> {
    parse_documents(text).expect("parses").into_iter().map(|document| (document.line, document.value)).collect()
}

#[test]
fn plain_words_are_booleans_and_nulls_as_in_yaml_1_1() {
    for text in ["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"] {
        assert_eq!(read(text), Ok(json!(true)), "{text}");
    }
    for text in ["n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"] {
        assert_eq!(read(text), Ok(json!(false)), "{text}");
    }
    for text in ["", "~", "null", "Null", "NULL", "&x", "# only a comment"] {
        assert_eq!(read(text), Ok(json!(null)), "{text}");
    }
}

#[test]
fn numbers_are_read_as_go_reads_them() {
    let cases = [
        ("0644", json!(420)),
        ("0o644", json!(420)),
        ("-0644", json!(-420)),
        ("08", json!(8)),
        ("08.5", json!(8.5)),
        ("0x1F", json!(31)),
        ("0x_0A_74_AE", json!(685_230)),
        ("0b101", json!(5)),
        ("-0b1", json!(-1)),
        ("0b-1", json!(-1)),
        ("1_000", json!(1000)),
        ("1_0.5", json!(10.5)),
        ("685_230.15", json!(685_230.15)),
        ("1e3", json!(1000)),
        ("12e03", json!(12000)),
        (".5e3", json!(500)),
        (".1_0", json!(0.1)),
        ("5.", json!(5)),
        ("1.10", json!(1.1)),
        ("+1", json!(1)),
        ("-0", json!(0)),
        ("-0.0", json!(0)),
        ("9223372036854775807", json!(9_223_372_036_854_775_807_i64)),
        ("9223372036854775808", json!(9_223_372_036_854_775_808.0)),
        ("-9223372036854775809", json!(-9_223_372_036_854_775_808.0)),
        ("4611686018427387904.0", json!(4_611_686_018_427_388_000_i64)),
        ("0777777777777777777777", json!(9_223_372_036_854_775_807_i64)),
        ("1e21", json!(1e21)),
        ("1e-7", json!(1e-7)),
    ];
    for (text, value) in cases {
        assert_eq!(read(text), Ok(value), "{text}");
    }
}

#[test]
fn what_only_looks_like_a_number_or_word_is_text() {
    let texts = "tRue nUll yes1 inf nan Infinity 1e400 0x 0o8 0b2 1e e3 1.2.3 v1.2 1,000 _1 1:30 190:20:30.15 2001-01-01 \
        2001-01-01T00:00:00Z = << .e3 ._1 .1__0 0x1p4 1.10-rc1 nil";
    for text in texts.split_whitespace() {
        assert_eq!(read(text), Ok(json!(text)), "{text}");
    }
    assert_eq!(read("\"0644\""), Ok(json!("0644")));
    assert_eq!(read("'yes'"), Ok(json!("yes")));
    assert_eq!(read("|\n  yes\n"), Ok(json!("yes\n")));
}

#[test]
fn what_has_no_json_is_refused() {
    for text in [".inf", "-.Inf", ".nan", "[.NaN]"] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn tags_decide_what_a_scalar_is() {
    let cases = [
        ("!!str 1", json!("1")),
        ("!!int \"1\"", json!(1)),
        ("!!float 1", json!(1)),
        ("!!bool 'yes'", json!(true)),
        ("!!binary aGk=", json!("hi")),
        ("!!binary 4YF+", json!("\u{fffd}\u{fffd}~")),
        ("!x y", json!("y")),
        ("! yes", json!("yes")),
        ("!", json!("")),
        ("!!set {b}", json!({"b": null})),
        ("!!timestamp 2001-01-01", json!("2001-01-01")),
    ];
    for (text, value) in cases {
        assert_eq!(read(text), Ok(value), "{text}");
    }
    for text in ["!!int x", "!!int 1.5", "!!bool 1", "!!null x", "!!float x", "!!binary '?'", "!!timestamp x"] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn keys_become_text_as_go_writes_them() {
    let cases = [
        ("on", "true"),
        ("n", "false"),
        ("0644", "420"),
        ("1.10", "1.1"),
        ("1e3", "1000"),
        ("1e6", "1e+06"),
        ("1e-5", "1e-05"),
        ("0x1F", "31"),
        ("1:30", "1:30"),
        (".inf", ".inf"),
        ("'on'", "on"),
    ];
    for (text, name) in cases {
        assert_eq!(key(text).as_deref(), Ok(name), "{text}");
    }
    for text in ["null", "9223372036854775808", "? [a]\n", "? {a: b}\n"] {
        assert!(key(text).is_err(), "{text}");
    }
}

#[test]
fn the_last_of_equal_keys_wins() {
    assert_eq!(read("{b: 1, c: 2, b: 3}"), Ok(json!({"b": 3, "c": 2})));
}

#[test]
fn merges_count_in_the_order_of_the_text() {
    let text = "base: &base {x: 1, z: 1}\nafter: {<<: *base, x: 2}\nbefore: {x: 2, <<: *base}\nlist: {<<: [{x: 3}, *base]}\nquoted: {\"<<\": 1}\n";
    let map = parse_mapping(text).expect("parses");
    assert_eq!(map.get("after"), Some(&json!({"x": 2, "z": 1})));
    assert_eq!(map.get("before"), Some(&json!({"x": 1, "z": 1})));
    assert_eq!(map.get("list"), Some(&json!({"x": 3, "z": 1})));
    assert_eq!(map.get("quoted"), Some(&json!({"<<": 1})));
    for text in ["{<<: 1}", "{<<: [1]}", "{b: &b [{c: 1}], <<: *b}", "{<<: null}"] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn aliases_are_copied_and_may_be_keys() {
    assert_eq!(read("[&x {b: 1}, *x, &y 0644, {*y : *y}]"), Ok(json!([{"b": 1}, {"b": 1}, 420, {"420": 420}])));
    assert!(read("&x [*x]").is_err());
    assert!(read("*nowhere").is_err());
}

#[test]
fn aliases_that_expand_without_end_are_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let last = format!("*a{}", level - 1);
        let _ = writeln!(bomb, "a{level}: &a{level} [{}]", vec![last; 10].join(", "));
    }
    assert!(parse_mapping(&bomb).expect_err("a bomb").to_string().contains("aliases"));
    let heavy = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), vec!["*a"; 90].join(", "));
    assert!(parse_mapping(&heavy).expect_err("a heavy one").to_string().contains("aliases"));
}

#[test]
fn nesting_has_a_limit_even_through_aliases() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&nested(200)).is_ok());
    assert!(read(&nested(100_000)).is_err());
    let mut tower = format!("a0: &a0 {}\n", nested(200));
    for level in 1..5 {
        let inner = format!("{}*a{}{}", "[".repeat(200), level - 1, "]".repeat(200));
        let _ = writeln!(tower, "a{level}: &a{level} {inner}");
    }
    assert!(parse_mapping(&tower).expect_err("a tower").to_string().contains("500 levels"));
}

#[test]
fn a_stream_is_cut_at_each_line_that_starts_with_three_dashes() {
    let text = "# first\n---\n\na: 1\n---   # comment\nb: |\n  x\n  ---\n--- \nc: 'it''s'\n---d: 4\n---\n";
    assert_eq!(
        documents(text),
        [(4, json!({"a": 1})), (6, json!({"b": "x\n---\n"})), (10, json!({"c": "it's"})), (11, json!({"d": 4}))]
    );
}

#[test]
fn a_block_at_the_end_of_a_text_without_a_line_break_has_none() {
    assert_eq!(documents("a: |\n  x"), [(1, json!({"a": "x"}))]);
    assert_eq!(documents("a: >+\n  x\n  y"), [(1, json!({"a": "x y"}))]);
    assert_eq!(documents("a: |\n  x\n# end"), [(1, json!({"a": "x\n"}))]);
    assert_eq!(documents("a: |\n  x\n  "), [(1, json!({"a": "x\n"}))]);
    assert_eq!(documents("a: |\n  x\n---\nb: |\n  y\n"), [(1, json!({"a": "x\n"})), (4, json!({"b": "y\n"}))]);
}

#[test]
fn what_follows_three_dots_is_not_read() {
    assert_eq!(documents("a: 1\n...\n{ broken\n"), [(1, json!({"a": 1}))]);
}

#[test]
fn byte_order_marks_and_dos_line_ends_mean_nothing() {
    assert_eq!(
        documents("\u{feff}---\r\na: |\r\n  x\r\n---\r\n\u{feff}b: 1\r\n"),
        [(2, json!({"a": "x\n"})), (5, json!({"b": 1}))]
    );
}

#[test]
fn the_next_line_character_ends_a_line() {
    assert_eq!(documents("a: 1\u{85}b: |\u{85}  x\u{85}  y\n"), [(1, json!({"a": 1, "b": "x\ny\n"}))]);
}

#[test]
fn an_error_names_the_document_and_the_line_of_the_stream() {
    let error = parse_documents("---\n# nothing\n---\na: 1\n---\n\nb: 1\nc: [1\nd: 2\n").expect_err("broken");
    assert_eq!(error.document, 2);
    assert!((8..=9).contains(&error.line), "{error}");
    let error = parse_documents("a: 1\n---\nb: .inf\n").expect_err("no JSON");
    assert_eq!((error.document, error.line), (2, 3));
}

#[test]
fn quoted_lines_may_stand_as_far_left_as_their_key() {
    let text =
        "a:\n  b: 'one\n  two\n\n  it''s \"three\"\n  four'\n  c: |\n    d: 'not\n    quoted'\n  e: \"x\n  y\"\n";
    let value = json!({"b": "one two\nit's \"three\" four", "c": "d: 'not\nquoted'\n", "e": "x y"});
    assert_eq!(documents(text), [(1, json!({"a": value}))]);
    // A first guess would take the text of the block scalar for a quoted one.
    let misleading = "a:\n  c: |\n    d: 'not closed\n    x\n  b: 'one\n  two'\n";
    assert_eq!(documents(misleading), [(1, json!({"a": {"c": "d: 'not closed\nx\n", "b": "one two"}}))]);
}

#[test]
fn more_comments_than_a_parser_likes_to_keep_are_fine() {
    let text = format!("a:\n{}  b: 1\n", "# comment\n".repeat(500));
    assert_eq!(documents(&text), [(1, json!({"a": {"b": 1}}))]);
}

#[test]
fn a_values_file_is_a_mapping_or_empty() {
    assert_eq!(parse_mapping(""), Ok(Map::new()));
    assert_eq!(parse_mapping("# nothing\n---\n# at all\n"), Ok(Map::new()));
    assert_eq!(parse_mapping("---\na: 1\n").map(Value::Object), Ok(json!({"a": 1})));
    assert_eq!(parse_mapping("- a\n"), Err(MappingError::NoMapping { found: "a list" }));
    assert_eq!(parse_mapping("text").expect_err("text").to_string(), "expected a mapping, found a string");
    assert!(matches!(parse_mapping("a: [\n"), Err(MappingError::Syntax { .. })));
}

fn json_values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e15..1e15).prop_map(|number: f64| if number.fract() == 0.0 { json!(0.5) } else { json!(number) }),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(text(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Texts that YAML could take for something else are as likely as any.
fn text() -> impl Strategy<Value = String> {
    let tricky = "y|no|on|0644|1_000|1e3|0x1F|~|null|<<|=|- a|a: b|#c|'|\"|\\|---|...|%a|@a|*a|&a|!a|[a|{a| a|a |.inf|2001-01-01";
    prop_oneof![
        proptest::sample::select(tricky.split('|').collect::<Vec<_>>()).prop_map(str::to_owned),
        "[ -~\n\t]{0,12}",
        "[a-zé日😀]{0,6}",
    ]
}

/// Writes block style with double-quoted text, as a machine would.
fn write_block(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let _ = write!(out, "\n{pad}{}:", Value::from(key.as_str()));
                write_block(value, indent + 2, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let _ = write!(out, "\n{pad}-");
                write_block(item, indent + 2, out);
            }
        }
        Value::String(text) if is_block_text(text) => {
            out.push_str(" |2");
            out.push_str(if text.ends_with('\n') { "+" } else { "-" });
            for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
                let _ = write!(out, "\n{}{line}", " ".repeat(indent.saturating_sub(2) + 2));
            }
        }
        scalar => {
            let _ = write!(out, " {scalar}");
        }
    }
}

/// Only where the rules of trailing breaks and blanks are plain.
fn is_block_text(text: &str) -> bool {
    text.contains('\n')
        && text.lines().all(|line| !line.trim().is_empty() && !line.contains('\t'))
        && !text.ends_with("\n\n")
}

proptest! {
    #[test]
    fn json_is_read_as_json(value in json_values()) {
        let text = format!("{{\"a\": {value}}}");
        prop_assert_eq!(parse_mapping(&text).map(Value::Object), Ok(json!({"a": value})));
    }

    #[test]
    fn block_style_is_read_back(value in json_values()) {
        let mut text = "a:".to_owned();
        write_block(&value, 2, &mut text);
        text.push('\n');
        prop_assert_eq!(parse_mapping(&text).map(Value::Object), Ok(json!({"a": value})), "{}", text);
    }

    #[test]
    fn no_text_makes_the_reader_fail_other_than_by_an_error(text in "[ \n:\\-'\"|>&*a!\\[\\]{},?#%~.0-9]{0,60}") {
        if let Err(error) = parse_documents(&text) {
            prop_assert!(error.document >= 1 && error.line >= 1 && !error.cause.is_empty());
        }
    }
}
