use base64::Engine as _;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::json;

use super::messages::Headed;
use super::*;

/// The last second that `jiff` knows: hours before the year 9999 ends, in whatever zone.
const LAST_TIME: i64 = 253_402_207_200;

const CLIENT_GO: &str = include_str!("../../../tests/fixtures/rehearsal/client-go-0.37.1.txt");

/// Returns the title, the JSON and the bytes of every case of the fixture.
fn sent_by_client_go() -> Vec<(String, Value, Vec<u8>)> {
    let (mut title, mut value, mut cases) = (String::new(), Value::Null, Vec::new());
    for line in CLIENT_GO.lines() {
        match line.split_once(' ') {
            Some(("#", text)) => text.clone_into(&mut title),
            Some(("json", text)) => value = serde_json::from_str(text).expect("the fixture's JSON"),
            Some(("hex", text)) => cases.push((title.clone(), value.clone(), bytes_of(text))),
            Some(_) => panic!("{line}: no such line in the fixture"),
            None => {}
        }
    }
    cases
}

fn bytes_of(hex: &str) -> Vec<u8> {
    assert_eq!(hex.len() % 2, 0, "{hex}");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

fn envelope(api_version: &str, kind: &str, raw: Vec<u8>) -> Vec<u8> {
    let type_meta = TypeMeta { api_version: Some(api_version.to_owned()), kind: Some(kind.to_owned()) };
    let unknown = Unknown {
        type_meta: Some(type_meta),
        raw: Some(raw),
        content_encoding: Some(String::new()),
        content_type: Some(String::new()),
    };
    [MAGIC, unknown.encode_to_vec().as_slice()].concat()
}

/// Returns the body that says the same as this JSON. The way back of [`decode`].
fn encode(value: &Value) -> Vec<u8> {
    let kind = value["kind"].as_str().expect("a kind");
    let raw = match kind {
        "Secret" => Secret {
            metadata: Some(meta_message(&value["metadata"])),
            data: bytes_map(&value["data"]),
            r#type: text(&value["type"]),
            string_data: text_map(&value["stringData"]),
            immutable: value["immutable"].as_bool(),
        }
        .encode_to_vec(),
        "ConfigMap" => ConfigMap {
            metadata: Some(meta_message(&value["metadata"])),
            data: text_map(&value["data"]),
            binary_data: bytes_map(&value["binaryData"]),
            immutable: value["immutable"].as_bool(),
        }
        .encode_to_vec(),
        _ => DeleteOptions {
            grace_period_seconds: value["gracePeriodSeconds"].as_i64(),
            preconditions: value.get("preconditions").map(|conditions| Preconditions {
                uid: text(&conditions["uid"]),
                resource_version: text(&conditions["resourceVersion"]),
            }),
            orphan_dependents: value["orphanDependents"].as_bool(),
            propagation_policy: text(&value["propagationPolicy"]),
            dry_run: texts(&value["dryRun"]),
            ignore_store_read_error: value["ignoreStoreReadErrorWithClusterBreakingPotential"].as_bool(),
        }
        .encode_to_vec(),
    };
    envelope(value["apiVersion"].as_str().expect("a version"), kind, raw)
}

fn meta_message(value: &Value) -> ObjectMeta {
    let time = |value: &Value| {
        let time: Timestamp = value.as_str()?.parse().expect("a time");
        Some(Time { seconds: Some(time.as_second()), nanos: Some(0) })
    };
    ObjectMeta {
        name: text(&value["name"]),
        generate_name: text(&value["generateName"]),
        namespace: text(&value["namespace"]),
        uid: text(&value["uid"]),
        resource_version: text(&value["resourceVersion"]),
        generation: value["generation"].as_i64(),
        creation_timestamp: time(&value["creationTimestamp"]),
        deletion_timestamp: time(&value["deletionTimestamp"]),
        deletion_grace_period_seconds: value["deletionGracePeriodSeconds"].as_i64(),
        labels: text_map(&value["labels"]),
        annotations: text_map(&value["annotations"]),
        owner_references: value["ownerReferences"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|owner| OwnerReference {
                kind: text(&owner["kind"]),
                name: text(&owner["name"]),
                uid: text(&owner["uid"]),
                api_version: text(&owner["apiVersion"]),
                controller: owner["controller"].as_bool(),
                block_owner_deletion: owner["blockOwnerDeletion"].as_bool(),
            })
            .collect(),
        finalizers: texts(&value["finalizers"]),
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(ToOwned::to_owned)
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(text).collect()
}

fn text_map(value: &Value) -> std::collections::BTreeMap<String, String> {
    value.as_object().into_iter().flatten().filter_map(|(key, value)| Some((key.clone(), text(value)?))).collect()
}

fn bytes_map(value: &Value) -> std::collections::BTreeMap<String, Vec<u8>> {
    let bytes = |text: String| STANDARD.decode(text).expect("base64");
    text_map(value).into_iter().map(|(key, value)| (key, bytes(value))).collect()
}

#[test]
fn what_client_go_sends_is_read_as_go_writes_it_in_json() {
    let cases = sent_by_client_go();
    assert_eq!(cases.len(), 8);
    let (unread, read): (Vec<_>, Vec<_>) = cases.into_iter().partition(|(_, value, _)| value["kind"] == "Namespace");
    for (title, value, bytes) in read {
        assert_eq!(decode(&bytes), Ok(value), "{title}");
    }
    assert_eq!(unread.len(), 1);
    for (title, _, bytes) in unread {
        let error = decode(&bytes).expect_err("a kind that is not read");
        assert_eq!(error, ProtobufError::UnknownKind { kind: "v1 Namespace".to_owned() }, "{title}");
        assert!(error.to_string().contains("v1 Namespace"), "{error}");
    }
}

#[test]
fn our_own_bytes_of_what_client_go_sent_are_read_alike() {
    for (title, value, _) in sent_by_client_go().into_iter().filter(|(_, value, _)| value["kind"] != "Namespace") {
        assert_eq!(decode(&encode(&value)), Ok(value), "{title}");
    }
}

#[test]
fn a_body_that_is_cut_inside_its_object_is_an_error() {
    for (title, _, bytes) in sent_by_client_go() {
        // client-go ends every envelope with two empty fields, of two bytes each.
        for length in 0..bytes.len() - 4 {
            assert!(decode(&bytes[..length]).is_err(), "{title}: {length}");
        }
    }
}

#[test]
fn a_body_that_is_not_protobuf_is_refused() {
    for body in [&b""[..], b"k8s", b"{\"kind\":\"Secret\"}", b"\0k8s"] {
        assert_eq!(decode(body), Err(ProtobufError::NotProtobuf));
    }
    assert!(matches!(decode(b"k8s\0\xff"), Err(ProtobufError::DamagedEnvelope { .. })));
    assert_eq!(decode(b"k8s\0"), Err(ProtobufError::NoObject { kind: "(none)".to_owned() }));
}

#[test]
fn damage_is_told_with_the_kind_and_without_the_data() {
    let secret = Secret { data: [("password".to_owned(), b"hunter2".to_vec())].into(), ..Secret::default() };
    let mut raw = secret.encode_to_vec();
    // A field of type string that is none.
    raw.extend([0x1a, 2, 0xff, 0xfe]);
    let error = decode(&envelope("v1", "Secret", raw)).expect_err("it is damaged");
    assert_eq!(error.to_string(), "a protobuf body of kind v1 Secret is damaged");
    let ProtobufError::Damaged { source, .. } = &error else { panic!("{error:?}") };
    assert!(!format!("{error:?} {source}").contains("hunter2"));
}

#[test]
fn a_length_beyond_the_body_is_refused_before_anything_is_allocated() {
    // Field and length; the length says 2^62 bytes.
    let length = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40];
    for field in [0x0a, 0x12, 0x1a, 0x22] {
        let raw = [&[field][..], &length].concat();
        assert!(matches!(decode(&[MAGIC, &raw].concat()), Err(ProtobufError::DamagedEnvelope { .. })), "{field}");
        for kind in ["Secret", "ConfigMap"] {
            let read = decode(&envelope("v1", kind, raw.clone()));
            assert!(matches!(read, Err(ProtobufError::Damaged { .. })), "{field} of {kind}: {read:?}");
        }
    }
}

#[test]
fn only_known_versions_of_a_kind_are_read() {
    let read = |version, kind| decode(&envelope(version, kind, Vec::new()));
    for version in ["v1", "meta.k8s.io/v1", "apps/v1", "example.com/v1alpha1"] {
        assert_eq!(read(version, "DeleteOptions"), Ok(json!({"apiVersion": version, "kind": "DeleteOptions"})));
    }
    let long = "A".repeat(500);
    for (version, kind, told) in [
        ("", "DeleteOptions", "DeleteOptions"),
        ("v2", "Secret", "v2 Secret"),
        ("apps/v1", "Deployment", "apps/v1 Deployment"),
        ("v1", "Pod\n", "v1 Pod"),
        ("v1", long.as_str(), &format!("v1 {}", "A".repeat(100))),
    ] {
        assert_eq!(read(version, kind), Err(ProtobufError::UnknownKind { kind: told.to_owned() }));
    }
}

#[test]
fn an_object_that_is_compressed_or_in_json_is_refused() {
    for (content_encoding, content_type, told) in [("gzip", "", "gzip"), ("", "application/json", "application/json")] {
        let unknown = Unknown {
            type_meta: Some(TypeMeta { api_version: Some("v1".to_owned()), kind: Some("Secret".to_owned()) }),
            raw: Some(Vec::new()),
            content_encoding: Some(content_encoding.to_owned()),
            content_type: Some(content_type.to_owned()),
        };
        let body = [MAGIC, unknown.encode_to_vec().as_slice()].concat();
        let error = ProtobufError::Encoded { kind: "v1 Secret".to_owned(), encoding: told.to_owned() };
        assert_eq!(decode(&body), Err(error));
    }
}

#[test]
fn a_time_is_absent_if_empty_or_zero_and_an_error_if_json_cannot_say_it() {
    let with = |time| {
        let metadata = ObjectMeta { creation_timestamp: Some(time), ..ObjectMeta::default() };
        let secret = Secret { metadata: Some(metadata), ..Secret::default() };
        decode(&envelope("v1", "Secret", secret.encode_to_vec()))
    };
    let at = |seconds, nanos| with(Time { seconds, nanos }).map(|value| value["metadata"]["creationTimestamp"].clone());
    assert_eq!(at(None, None), Ok(Value::Null));
    assert_eq!(at(Some(NO_TIME), Some(0)), Ok(Value::Null));
    assert_eq!(at(Some(0), Some(7)), Ok(json!("1970-01-01T00:00:00Z")));
    assert_eq!(at(None, Some(7)), Ok(json!("1970-01-01T00:00:00Z")));
    assert_eq!(at(Some(NO_TIME + 1), None), Ok(json!("0001-01-01T00:00:01Z")));
    assert_eq!(at(Some(LAST_TIME), None), Ok(json!("9999-12-30T22:00:00Z")));
    let error = Err(ProtobufError::NoTime { kind: "v1 Secret".to_owned(), field: "metadata.creationTimestamp" });
    for seconds in [NO_TIME - 1, LAST_TIME + 1, i64::MIN, i64::MAX] {
        assert_eq!(at(Some(seconds), None), error);
    }
}

/// Removes what is null, and what Go leaves out when it is empty.
fn without_unset(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, field| !field.is_null() && field.as_array().is_none_or(|items| !items.is_empty()));
        let maps = ["labels", "annotations", "data", "stringData", "binaryData"];
        fields.retain(|key, field| !(maps.contains(&key.as_str()) && field.as_object().is_some_and(Map::is_empty)));
    }
    value
}

fn texts_by_key() -> impl Strategy<Value = Value> {
    btree_map("[a-z./é-]{1,8}", ".{0,12}", 0..4).prop_map(|entries| json!(entries))
}

fn bytes_by_key() -> impl Strategy<Value = Value> {
    btree_map("[a-z.]{1,8}", vec(any::<u8>(), 0..20).prop_map(|bytes| STANDARD.encode(bytes)), 0..4)
        .prop_map(|entries| json!(entries))
}

fn owner() -> impl Strategy<Value = Value> {
    (vec("[a-zA-Z0-9/-]{0,8}", 4), any::<[Option<bool>; 2]>()).prop_map(|(texts, [controller, blocks])| {
        without_unset(json!({"apiVersion": texts[0], "kind": texts[1], "name": texts[2], "uid": texts[3],
            "controller": controller, "blockOwnerDeletion": blocks}))
    })
}

fn some_metadata() -> impl Strategy<Value = Value> {
    let time = || option::of((NO_TIME + 1..=LAST_TIME).prop_map(|at| Timestamp::from_second(at).expect("a time")));
    let texts = vec(option::of(".{1,20}"), 5);
    let numbers = (option::of(prop_oneof![i64::MIN..=-1, 1..=i64::MAX]), any::<Option<i64>>());
    (texts, numbers, time(), time(), texts_by_key(), texts_by_key(), vec(owner(), 0..3), vec(".{0,9}", 0..3)).prop_map(
        |(texts, (generation, grace), created, deleted, labels, annotations, owners, finalizers)| {
            without_unset(json!({"name": texts[0], "generateName": texts[1], "namespace": texts[2], "uid": texts[3],
                "resourceVersion": texts[4], "generation": generation, "deletionGracePeriodSeconds": grace,
                "creationTimestamp": created, "deletionTimestamp": deleted, "labels": labels,
                "annotations": annotations, "ownerReferences": owners, "finalizers": finalizers}))
        },
    )
}

fn some_body() -> impl Strategy<Value = Value> {
    let secret = (some_metadata(), bytes_by_key(), texts_by_key(), option::of(".{1,9}"), any::<Option<bool>>())
        .prop_map(|(metadata, data, string_data, secret_type, immutable)| {
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data,
                "stringData": string_data, "type": secret_type, "immutable": immutable})
        });
    let config_map = (some_metadata(), texts_by_key(), bytes_by_key(), any::<Option<bool>>()).prop_map(
        |(metadata, data, binary_data, immutable)| {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data,
                "binaryData": binary_data, "immutable": immutable})
        },
    );
    let preconditions = option::of(
        (option::of(".{0,9}"), option::of(".{0,9}"))
            .prop_map(|(uid, version)| without_unset(json!({"uid": uid, "resourceVersion": version}))),
    );
    let options = (
        "[a-z./]{1,9}",
        any::<Option<i64>>(),
        preconditions,
        any::<[Option<bool>; 2]>(),
        option::of(".{0,9}"),
        vec(".{0,9}", 0..3),
    )
        .prop_map(|(version, grace, preconditions, [orphan, ignore], policy, dry_run)| {
            json!({"apiVersion": version, "kind": "DeleteOptions", "gracePeriodSeconds": grace,
                "preconditions": preconditions, "orphanDependents": orphan, "propagationPolicy": policy,
                "dryRun": dry_run, "ignoreStoreReadErrorWithClusterBreakingPotential": ignore})
        });
    prop_oneof![secret, config_map, options].prop_map(without_unset)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn every_body_is_read_back(value in some_body()) {
        prop_assert_eq!(decode(&encode(&value)), Ok(value));
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in vec(any::<u8>(), 0..200),
        kind in prop_oneof![Just("Secret"), Just("ConfigMap"), Just("DeleteOptions"), Just("Pod")],
    ) {
        let _ = decode(&bytes);
        let _ = decode(&[MAGIC, &bytes].concat());
        let _ = decode(&envelope("v1", kind, bytes));
    }

    #[test]
    fn damaged_bytes_never_panic(case in 0..8_usize, flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let (_, _, mut bytes) = sent_by_client_go().swap_remove(case);
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= byte;
        }
        let _ = decode(&bytes);
    }
}

#[test]
fn of_another_kind_the_metadata_is_read_and_rewritten_and_nothing_else() {
    let (_, value, bytes) = sent_by_client_go().pop().expect("the Namespace is the last");
    assert_eq!(decode_head(&bytes).map(|head| head["metadata"]["name"].clone()), Ok(value["metadata"]["name"].clone()));
    assert_eq!(with_metadata(&bytes, &value["metadata"]), Some(bytes.clone()), "it has these already");
    let metadata = json!({"name": "a-longer-name", "namespace": "x", "resourceVersion": "5"});
    let changed = with_metadata(&bytes, &metadata).expect("it can be changed");
    let expected = Headed {
        metadata: Some(ObjectMeta {
            name: Some("a-longer-name".into()),
            namespace: Some("x".into()),
            resource_version: Some("5".into()),
            ..Unknown::decode(&bytes[4..])
                .ok()
                .and_then(|unknown| Headed::decode(unknown.raw?.as_slice()).ok()?.metadata)
                .expect("metadata")
        }),
    };
    let raw = Unknown::decode(&changed[4..]).expect("an envelope").raw.expect("an object");
    assert_eq!(Headed::decode(raw.as_slice()), Ok(expected));
    assert_eq!(with_metadata(&changed, &value["metadata"]), Some(bytes), "there and back");
}

#[test]
fn a_release_record_that_is_rewritten_keeps_what_it_holds() {
    for (title, value, bytes) in sent_by_client_go().into_iter().filter(|(_, value, _)| value["kind"] == "Secret") {
        let mut expected = value.clone();
        expected["metadata"]["name"] = json!("other");
        let changed = with_metadata(&bytes, &expected["metadata"]).expect("it can be changed");
        assert_eq!(decode(&changed), Ok(expected), "{title}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_rewrite_fail_otherwise_than_by_saying_so(bytes in vec(any::<u8>(), 0..200), name in "[a-z]{1,9}") {
        for body in [[MAGIC, &bytes].concat(), envelope("v1", "Job", bytes.clone())] {
            if let Some(changed) = with_metadata(&body, &json!({"name": name})) {
                let head = decode_head(&changed).expect("a head");
                prop_assert_eq!(&head["metadata"]["name"], &json!(name));
            }
        }
    }
}
