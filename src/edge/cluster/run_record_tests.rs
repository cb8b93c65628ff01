//! The rules of run records that need no server.

use super::*;

fn name(part: RecordPart) -> RecordName {
    RecordName { namespace: "prod".into(), release: "shop".into(), run_id: "r1".into(), part }
}

fn text(content: Vec<u8>) -> RecordText {
    RecordText { state: RunState::Running, notes: BTreeMap::from([("holder".into(), "alice@one".into())]), content }
}

/// What the server would store: what was sent, with the server's own fields.
fn stored(handle: &RecordHandle, text: &RecordText, version: &str) -> Object {
    let mut secret = build_secret(handle, text).expect("fits");
    secret["metadata"]["uid"] = json!("u1");
    secret["metadata"]["resourceVersion"] = json!(version);
    Object::new(secret).expect("an object")
}

/// A handle after its first write, and what is stored then.
fn first_write() -> (RecordHandle, Object) {
    let mut handle = RecordHandle::unwritten(name(RecordPart::Journal));
    handle.writes = 1;
    let live = stored(&handle, &text(b"one".to_vec()), "10");
    handle.see(&live);
    (handle, live)
}

fn touched_by_a_bystander(live: &Object) -> Object {
    let mut value = live.as_value().clone();
    value["metadata"]["resourceVersion"] = json!("11");
    value["metadata"]["labels"]["backup-tool"] = json!("seen");
    Object::new(value).expect("an object")
}

#[test]
fn the_two_records_of_a_run_have_names_of_their_own() {
    assert_eq!(name(RecordPart::Journal).secret_name(), "csghub.run.shop.r1");
    assert_eq!(name(RecordPart::Inputs).secret_name(), "csghub.run.shop.r1-inputs");
}

#[test]
fn helm_never_takes_a_record_for_its_own() {
    let secret = build_secret(&RecordHandle::unwritten(name(RecordPart::Inputs)), &text(Vec::new())).expect("fits");
    assert_eq!(secret["metadata"]["labels"].get("owner"), None);
    assert_eq!(secret["type"], json!("helm-csghub/run.v1"));
}

#[test]
fn a_record_reads_back_as_it_was_written() {
    let (_, live) = first_write();
    let record = parse_record(&live).expect("readable");
    assert_eq!((record.name, record.text), (name(RecordPart::Journal), text(b"one".to_vec())));
}

#[test]
fn large_content_is_packed_and_reads_back() {
    let content = b"a line of a journal that repeats itself\n".repeat(50_000);
    let handle = RecordHandle::unwritten(name(RecordPart::Journal));
    let live = stored(&handle, &text(content.clone()), "1");
    assert_eq!(live.annotation(ENCODING), Some("gzip"));
    assert_eq!(parse_record(&live).expect("readable").text.content, content);
}

#[test]
fn content_that_does_not_fit_even_packed_is_an_error() {
    let mut seed = 1_u64;
    let noise = (0..2 * RECORD_LIMIT_BYTES).map(|_| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed.to_be_bytes()[0]
    });
    let error = build_secret(&RecordHandle::unwritten(name(RecordPart::Journal)), &text(noise.collect()));
    assert!(matches!(error, Err(ClusterError::TooLarge { .. })), "{error:?}");
}

#[test]
fn a_write_whose_answer_was_lost_is_stored() {
    let (mut handle, _) = first_write();
    handle.writes = 2;
    let landed = stored(&handle, &text(b"two".to_vec()), "11");
    assert_eq!(handle.judge(Some(&landed)), Judgement::Stored);
}

#[test]
fn a_write_that_never_landed_is_repeated() {
    let (mut handle, before) = first_write();
    handle.writes = 2;
    assert_eq!(handle.judge(Some(&before)), Judgement::Repeat);
}

#[test]
fn an_earlier_lost_write_of_the_same_writer_is_no_fence() {
    let (mut handle, _) = first_write();
    handle.writes = 2;
    let landed_late = stored(&handle, &text(b"two".to_vec()), "11");
    handle.writes = 3;
    assert_eq!(handle.judge(Some(&landed_late)), Judgement::Repeat);
}

#[test]
fn a_bystander_that_touches_metadata_is_no_fence() {
    let (mut handle, before) = first_write();
    handle.writes = 2;
    assert_eq!(handle.judge(Some(&touched_by_a_bystander(&before))), Judgement::Repeat);
}

#[test]
fn another_writer_is_a_fence() {
    let (mut handle, before) = first_write();
    let mut other = parse_record(&before).expect("readable").handle;
    other.writes = 1;
    let taken_over = stored(&other, &text(b"mine".to_vec()), "11");
    handle.writes = 2;
    assert_eq!(handle.judge(Some(&taken_over)), Judgement::Fenced);
    assert_eq!(other.judge(Some(&taken_over)), Judgement::Stored);
}

#[test]
fn a_record_that_was_removed_or_made_anew_is_a_fence() {
    let (mut handle, before) = first_write();
    handle.writes = 2;
    assert_eq!(handle.judge(None), Judgement::Fenced);
    let mut anew = before.into_value();
    anew["metadata"]["uid"] = json!("u2");
    assert_eq!(handle.judge(Some(&Object::new(anew).expect("an object"))), Judgement::Fenced);
}

#[test]
fn a_new_record_is_ours_only_if_we_wrote_it() {
    let (ours, live) = first_write();
    let mut first = RecordHandle { uid: String::new(), ..ours };
    assert_eq!(first.judge(Some(&live)), Judgement::Stored);
    assert_eq!(first.judge(None), Judgement::Repeat);
    first.writer = new_writer();
    assert_eq!(first.judge(Some(&live)), Judgement::Fenced);
}

#[test]
fn a_foreign_secret_of_that_name_is_not_read_as_a_record() {
    let (_, live) = first_write();
    let change = |pointer: &str, to: Value| {
        let mut value = live.as_value().clone();
        *value.pointer_mut(pointer).expect("there") = to;
        parse_record(&Object::new(value).expect("an object")).expect_err("foreign").to_string()
    };
    assert!(change("/type", json!("Opaque")).contains("its type is not"));
    assert!(change("/metadata/labels/helm-csghub~1state", json!("odd")).contains("a later helm-csghub"));
    assert!(change("/metadata/annotations/helm-csghub~1encoding", json!("zstd")).contains("a later helm-csghub"));
    assert!(change("/data/content", json!("!")).contains("not base64"));
}

#[test]
fn writers_differ() {
    assert_ne!(new_writer(), new_writer());
}
