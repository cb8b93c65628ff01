//! Secret values are found nowhere but where they must be: strings that a user gave are looked for in all that a run leaves.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::support::bed::random_word;
use crate::support::program::files;
use crate::support::{Bed, Ran, Running, Scene};

/// A string that nobody else has, and the forms in which it may be written.
struct Canary {
    name: &'static str,
    plain: String,
    forms: Vec<Vec<u8>>,
}

impl Canary {
    fn new(name: &'static str, plain: String) -> Self {
        let json = json!(plain).to_string();
        let escaped = json.trim_matches('"').to_owned();
        let twice = json!(escaped).to_string().trim_matches('"').to_owned();
        let mut forms: Vec<Vec<u8>> = [&plain, &escaped, &twice].iter().map(|text| text.as_bytes().to_vec()).collect();
        // Within something longer that is base64, its letters depend on where it begins; the first and last are mixed
        // with those of its neighbours.
        for text in [&plain, &escaped] {
            for lead in 0..3 {
                let padded = [&vec![b'x'; lead], text.as_bytes()].concat();
                let encoded = BASE64_STANDARD.encode(padded);
                let from = if lead == 0 { 0 } else { 4 };
                let whole = encoded.trim_end_matches('=');
                forms.push(whole.as_bytes()[from..whole.len() - 1].to_vec());
            }
        }
        Self { name, plain, forms }
    }

    fn is_in(&self, content: &[u8]) -> bool {
        self.forms.iter().any(|form| content.windows(form.len()).any(|window| window == form))
    }
}

/// Asserts that no canary is in any of these.
#[track_caller]
fn assert_clean(canaries: &[Canary], places: &[(String, Vec<u8>)]) {
    assert!(!places.is_empty());
    for (place, content) in places {
        for canary in canaries {
            let text = String::from_utf8_lossy(content);
            let line = text.lines().find(|line| canary.is_in(line.as_bytes())).unwrap_or_default();
            let shown: String = line.chars().take(2000).collect();
            assert!(!canary.is_in(content), "{} is in {place}: {shown}", canary.name);
        }
    }
}

/// Returns all that a run left on this machine and beside the release, and what it said.
fn traces(scene: &Scene<'_>, said: &[(&str, &Ran)]) -> Vec<(String, Vec<u8>)> {
    let mut places = Vec::new();
    for (what, ran) in said {
        places.push((format!("stdout of {what}"), ran.stdout.clone().into_bytes()));
        places.push((format!("stderr of {what}"), ran.stderr.clone().into_bytes()));
    }
    let folders = [scene.state(), scene.temporary()];
    for path in folders.iter().flat_map(|folder| files(folder)).filter(|path| path.is_file()) {
        places.push((path.display().to_string(), fs::read(&path).expect("a file")));
    }
    for name in scene.records() {
        places.push((name.clone(), scene.record_text(&name).into_bytes()));
        let record = scene.bed.get(&scene.namespace.name, "secret", &name).expect("the record");
        places.push((format!("{name}, its metadata"), record["metadata"].to_string().into_bytes()));
    }
    places
}

#[test]
fn secret_values_are_found_nowhere_but_in_the_inputs_and_every_file_is_the_users_alone() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "canary", &[]);
    let canaries = [
        Canary::new("a password in a values file", format!("file-{}", random_word())),
        Canary::new("a password on the command line", format!("flag-{}", random_word())),
        Canary::new("a token with quotes", format!("to\"ken\\{}'", random_word())),
    ];
    let values = scene.folder().join("values.json");
    let content = json!({"canary": {"secret": canaries[0].plain}, "server": {"token": canaries[2].plain}});
    fs::write(&values, content.to_string()).expect("written");
    let password = format!("postgresql.password={}", canaries[1].plain);
    let given = ["-v", "-f", values.to_str().expect("text"), "--set", &password];

    let mut run = scene.start_upgrade(&given);
    let inputs = run.until(|_| scene.records().into_iter().find(|name| name.ends_with("-inputs")));
    let inputs = inputs.map(|name| scene.record_text(&name)).expect("the run keeps its inputs");
    for canary in &canaries {
        assert!(canary.is_in(inputs.as_bytes()), "{} is not among the inputs: the search is blind", canary.name);
    }
    let good = run.end().expect(0);
    assert_clean(&canaries, &traces(&scene, &[("a good upgrade", &good)]));

    let bad: Vec<&str> = given.iter().copied().chain(["--set", "hazards.behaviour=crash-loop"]).collect();
    let bad = scene.upgrade(&bad).expect(40);
    let refused: Vec<&str> = given.iter().copied().chain(["--set", "hazards.badObject.enabled=true"]).collect();
    let refused = scene.upgrade(&refused).expect(20);
    let plan = Running::start(scene.command(&[&scene.upgrade_words(&given)[..], &["--dry-run".into()]].concat())).end();
    let plan = plan.expect(0);
    let status = scene.run(&["status", "shop", "-v"]).expect(0);
    let verify = scene.run(&["verify", "shop", "-v", "-o", "json"]).expect(0);
    let said =
        [("a bad upgrade", &bad), ("refused", &refused), ("plan", &plan), ("status", &status), ("verify", &verify)];
    let places = traces(&scene, &said);
    let evidence = places.iter().filter(|(place, _)| place.contains("/evidence/")).count();
    assert!(evidence > 10, "the evidence is among what was looked at: {evidence} files");
    assert_clean(&canaries, &places);

    let ours = scene.state().join("helm-csghub");
    for path in files(&ours).into_iter().chain([ours.clone()]) {
        let mode = fs::metadata(&path).expect("it is there").permissions().mode() & 0o7777;
        let right = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, right, "{} has mode {mode:o}", path.display());
    }
}

#[test]
fn what_a_command_line_with_a_mistake_holds_is_not_repeated() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "mistake", &[]);
    let canary = [Canary::new("a password on the command line", format!("flag-{}", random_word()))];
    let password = format!("postgresql.password={}", canary[0].plain);
    let unknown = scene.upgrade(&["--set", &password, "--no-such-flag"]).expect(2);
    let no_chart = scene.run(&["upgrade", "shop", "/no/such/chart", "--yes", "--set", &password]).expect(20);
    assert_clean(&canary, &traces(&scene, &[("unknown flag", &unknown), ("no chart", &no_chart)]));
}
