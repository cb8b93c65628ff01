//! `edge::cluster`: run records and the Lease, with several writers.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use helm_csghub::edge::cluster::{
    Acquisition, Cluster, Deleted, KeepAlive, RecordName, RecordPart, RecordText, Renewal, RunState, Tenure, Written,
};
use serde_json::Value;
use tokio::sync::watch;

use crate::edge::{connect, options, run};
use crate::support::Bed;
use crate::support::waiting::{PATIENCE, PAUSE};

fn journal(namespace: &str, run_id: &str) -> RecordName {
    RecordName { namespace: namespace.into(), release: "shop".into(), run_id: run_id.into(), part: RecordPart::Journal }
}

fn text(content: &str) -> RecordText {
    let notes = BTreeMap::from([("holder".to_owned(), "alice@one".to_owned())]);
    RecordText { state: RunState::Running, notes, content: content.as_bytes().to_vec() }
}

#[test]
fn a_record_lives_beside_the_release_and_reads_back() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("record");
    let user = bed.user(&namespace.name);
    user.grant_namespace(&namespace.name);
    run(async {
        let cluster = connect(&user).await;
        let name = journal(&namespace.name, "r1");
        let inputs = RecordName { part: RecordPart::Inputs, ..name.clone() };
        let mut handle = cluster.create_run_record(&name, &text("one\n")).await.expect("stored").expect("new");
        cluster.create_run_record(&inputs, &text("values\n")).await.expect("stored").expect("new");
        let large = "a line of a journal\n".repeat(100_000);
        let last = RecordText { state: RunState::Finished, ..text(&large) };
        assert_eq!(cluster.update_run_record(&mut handle, &last).await.expect("stored"), Written::Stored);

        let listed =
            cluster.list_run_records(&namespace.name, Some("shop"), RecordPart::Journal).await.expect("listed");
        assert_eq!(listed.len(), 1);
        assert_eq!((&listed[0].name, &listed[0].text), (&name, &last));
        assert!(
            cluster.list_run_records(&namespace.name, Some("x"), RecordPart::Journal).await.expect("listed").is_empty()
        );
        assert_eq!(cluster.read_run_record(&inputs).await.expect("readable").expect("there").text, text("values\n"));

        let secret = bed.get(&namespace.name, "secret", "csghub.run.shop.r1").expect("there");
        assert_eq!(secret["type"], "helm-csghub/run.v1");
        let labels = &secret["metadata"]["labels"];
        assert_eq!((&labels["helm-csghub/state"], &labels["owner"]), (&"finished".into(), &Value::Null));
        let shown = bed.kubectl(&[
            "get",
            "-n",
            &namespace.name,
            "secret",
            "csghub.run.shop.r1",
            "-o",
            "json",
            "--show-managed-fields",
        ]);
        let managed: Value = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(managed["metadata"]["managedFields"][0]["manager"], "helm-csghub");

        assert_eq!(cluster.delete_run_record(&handle).await.expect("deleted"), Deleted::Deleted);
        assert!(cluster.read_run_record(&name).await.expect("an answer").is_none());
        assert_eq!(cluster.update_run_record(&mut handle, &last).await.expect("an answer"), Written::Fenced);
    });
}

#[test]
fn of_two_runs_that_write_one_journal_the_earlier_is_fenced() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("fence");
    let user = bed.user(&namespace.name);
    user.grant_namespace(&namespace.name);
    run(async {
        let (one, other) = (connect(&user).await, connect(&user).await);
        let name = journal(&namespace.name, "r1");
        let mut first = one.create_run_record(&name, &text("one\n")).await.expect("stored").expect("new");
        assert!(
            other.create_run_record(&name, &text("two\n")).await.expect("an answer").is_none(),
            "the name is taken"
        );

        let mut taken = other.read_run_record(&name).await.expect("readable").expect("there").handle;
        assert_eq!(other.update_run_record(&mut taken, &text("taken\n")).await.expect("stored"), Written::Stored);
        assert_eq!(one.update_run_record(&mut first, &text("late\n")).await.expect("an answer"), Written::Fenced);
        assert_eq!(one.update_run_record(&mut first, &text("again\n")).await.expect("an answer"), Written::Fenced);
        assert_eq!(other.update_run_record(&mut taken, &text("on\n")).await.expect("stored"), Written::Stored);
        let stored = other.read_run_record(&name).await.expect("readable").expect("there");
        assert_eq!(stored.text.content, b"on\n");
    });
}

#[test]
fn somebody_who_labels_the_record_does_not_stop_the_run() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("label");
    let user = bed.user(&namespace.name);
    user.grant_namespace(&namespace.name);
    run(async {
        let cluster = connect(&user).await;
        let name = journal(&namespace.name, "r1");
        let mut handle = cluster.create_run_record(&name, &text("one\n")).await.expect("stored").expect("new");
        bed.kubectl(&["label", "-n", &namespace.name, "secret", &name.secret_name(), "seen-by=backup"]);
        assert_eq!(cluster.update_run_record(&mut handle, &text("two\n")).await.expect("stored"), Written::Stored);
    });
}

/// A way to the API server that loses answers: of each method in `lose`, the server's answer to the next request is dropped.
fn losing_way(server: &str, answers_to_lose: Arc<AtomicU32>) -> String {
    let target = server.trim_start_matches("https://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("https://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(&target).expect("the API server");
            let (mut from_client, mut to_server) =
                (client.try_clone().expect("a handle"), server.try_clone().expect("a handle"));
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from_client, &mut to_server);
                let _ = to_server.shutdown(Shutdown::Write);
            });
            let (mut from_server, mut to_client) = (server, client);
            let answers_to_lose = Arc::clone(&answers_to_lose);
            std::thread::spawn(move || {
                let mut buffer = vec![0; 65_536];
                while let Ok(read) = from_server.read(&mut buffer) {
                    if read == 0 {
                        break;
                    }
                    let is_lost = answers_to_lose
                        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                        .is_ok();
                    if is_lost || to_client.write_all(&buffer[..read]).is_err() {
                        break;
                    }
                }
                let _ = to_client.shutdown(Shutdown::Both);
            });
        }
    });
    url
}

#[test]
fn a_lost_answer_is_not_taken_for_a_fence() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("lost");
    let user = bed.user(&namespace.name);
    user.grant_namespace(&namespace.name);
    let answers_to_lose = Arc::new(AtomicU32::new(0));
    run(async {
        let direct = connect(&user).await;
        let mut through = options(&user.kubeconfig);
        through.api_server = Some(losing_way(&direct.endpoint().url, Arc::clone(&answers_to_lose)));
        let cluster = Cluster::connect(&through).await.expect("reaches the bed");
        let name = journal(&namespace.name, "r1");
        // The kinds are known from here on, so that the next answer is the one to the write.
        assert!(cluster.read_run_record(&name).await.expect("an answer").is_none());

        answers_to_lose.store(1, Ordering::SeqCst);
        let created = cluster.create_run_record(&name, &text("one\n")).await.expect("stored");
        let mut handle = created.expect("ours, although the answer was lost");
        assert_eq!(answers_to_lose.load(Ordering::SeqCst), 0, "no answer was lost");
        for content in ["two\n", "three\n", "four\n"] {
            answers_to_lose.store(1, Ordering::SeqCst);
            let written = cluster.update_run_record(&mut handle, &text(content)).await.expect("stored");
            assert_eq!(written, Written::Stored);
            let stored = direct.read_run_record(&name).await.expect("readable").expect("there");
            assert_eq!(stored.text.content, content.as_bytes());
        }
    });
    let writes = user.audit().writes().into_iter().filter(|request| request.resource == "secrets").count();
    assert_eq!(writes, 4, "a write that had landed was sent again");
}

#[test]
fn a_lease_has_one_holder_and_is_released_by_nobody_else() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("lease");
    let user = bed.user(&namespace.name);
    user.grant_namespace(&namespace.name);
    let here = namespace.name.as_str();
    let duration = Duration::from_secs(15);
    run(async {
        let cluster = connect(&user).await;
        assert_eq!(cluster.read_lease(here, "shop").await.expect("an answer"), None);
        let Acquisition::Acquired(mut mine) =
            cluster.acquire_lease(here, "shop", "alice", duration).await.expect("an answer")
        else {
            panic!("nobody held it");
        };
        let Acquisition::HeldBy(state) = cluster.acquire_lease(here, "shop", "bob", duration).await.expect("an answer")
        else {
            panic!("alice holds it");
        };
        assert_eq!((state.holder.as_str(), state.transitions), ("alice", 0));
        assert!(state.renewed_at.is_some());
        assert_eq!(cluster.renew_lease(&mut mine).await.expect("an answer"), Renewal::Renewed);
        assert!(mine.state().renewed_at > state.renewed_at);

        // What bob saw is old by now: no reason to take over.
        let too_late = cluster.take_over_lease(here, "shop", &state, "bob", duration).await.expect("an answer");
        assert!(matches!(too_late, Acquisition::HeldBy(_)), "{too_late:?}");
        let seen = cluster.read_lease(here, "shop").await.expect("an answer").expect("there");
        let Acquisition::Acquired(bobs) =
            cluster.take_over_lease(here, "shop", &seen, "bob", duration).await.expect("an answer")
        else {
            panic!("alice did not renew");
        };
        assert_eq!(bobs.state().transitions, 1);
        let lost = cluster.renew_lease(&mut mine).await.expect("an answer");
        assert!(matches!(lost, Renewal::LostTo(ref state) if state.holder == "bob"), "{lost:?}");
        assert!(!cluster.release_lease(&mine).await.expect("an answer"), "it is bob's");
        assert!(cluster.release_lease(&bobs).await.expect("an answer"));
        assert_eq!(cluster.read_lease(here, "shop").await.expect("an answer"), None);
    });
}

/// Waits until the tenure is told to be so. What is told in between, on a busy machine, is passed over.
async fn told(tenure: &mut watch::Receiver<Tenure>, is_so: impl FnMut(&Tenure) -> bool) {
    let told = tokio::time::timeout(PATIENCE, tenure.wait_for(is_so)).await.map(|told| told.map(|_| ()));
    told.unwrap_or_else(|_| panic!("last: {:?}", *tenure.borrow())).expect("the task lives");
}

#[test]
fn a_lease_is_kept_alive_until_it_is_stopped_or_lost() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("alive");
    let user = bed.user(&namespace.name);
    user.grant_namespace(&namespace.name);
    let here = namespace.name.as_str();
    let duration = Duration::from_secs(1);
    // Beside the runtime, which must go on to renew.
    let kubectl = async |words: &'static [&'static str]| {
        let words = [words, &["-n", here]].concat().into_iter().map(str::to_owned).collect::<Vec<_>>();
        let done = tokio::task::spawn_blocking(move || Bed::open().expect("the bed").kubectl(&words));
        done.await.expect("kubectl ends well");
    };
    let acquire = async |cluster: &Cluster| match cluster.acquire_lease(here, "shop", "alice", duration).await {
        Ok(Acquisition::Acquired(held)) => held,
        other => panic!("{other:?}"),
    };
    run(async {
        let cluster = connect(&user).await;
        let held = acquire(&cluster).await;
        let first = held.state().renewed_at;
        let alive = KeepAlive::start(&cluster, held);
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        kubectl(&["delete", "lease", "csghub-shop"]).await;
        let written_again = async {
            while cluster.read_lease(here, "shop").await.expect("an answer").is_none() {
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::time::timeout(PATIENCE, written_again).await.expect("a removed Lease is written again");
        told(&mut alive.tenure(), |now| *now == Tenure::Held).await;
        let held = alive.stop().await.expect("the Lease");
        assert!(held.state().renewed_at > first);
        assert!(cluster.release_lease(&held).await.expect("an answer"));

        let held = acquire(&cluster).await;
        let alive = KeepAlive::start(&cluster, held);
        let mut tenure = alive.tenure();
        kubectl(&["patch", "lease", "csghub-shop", "--type=merge", "-p", r#"{"spec":{"holderIdentity":"bob"}}"#]).await;
        told(&mut tenure, |now| matches!(now, Tenure::LostTo(state) if state.holder == "bob")).await;
    });
}

#[test]
fn a_lease_that_the_server_does_not_confirm_is_said_to_be_so() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("dark");
    let user = bed.user(&namespace.name);
    user.grant_namespace(&namespace.name);
    let answers_to_lose = Arc::new(AtomicU32::new(0));
    run(async {
        let direct = connect(&user).await;
        let mut through = options(&user.kubeconfig);
        through.api_server = Some(losing_way(&direct.endpoint().url, Arc::clone(&answers_to_lose)));
        let cluster = Cluster::connect(&through).await.expect("reaches the bed");
        let acquired = cluster.acquire_lease(&namespace.name, "shop", "alice", Duration::from_secs(1)).await;
        let Acquisition::Acquired(held) = acquired.expect("an answer") else { panic!("nobody held it") };
        let alive = KeepAlive::start(&cluster, held);
        let mut tenure = alive.tenure();
        answers_to_lose.store(u32::MAX, Ordering::SeqCst);
        told(&mut tenure, |now| matches!(now, Tenure::Unconfirmed { .. })).await;
        answers_to_lose.store(0, Ordering::SeqCst);
        told(&mut tenure, |now| *now == Tenure::Held).await;
    });
}
