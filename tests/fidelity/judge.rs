//! The judge: a Go program that decodes YAML as Helm does.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// What a document means to Go, or why it means nothing.
pub(crate) type Verdict = Result<Value, String>;

/// Straight to the file: the test harness keeps what passing tests print.
pub(crate) fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("stderr");
}

/// Returns the judge; nothing where there is no Go to build it.
pub(crate) fn judge() -> Option<&'static Path> {
    static JUDGE: OnceLock<Option<PathBuf>> = OnceLock::new();
    JUDGE.get_or_init(build).as_deref()
}

fn build() -> Option<PathBuf> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fidelity/judge");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("judge");
    match Command::new("go").args(["build", "-o"]).arg(&program).arg(".").current_dir(sources).output() {
        Err(error) => {
            say(&format!("fidelity: skipped: the judge needs Go: {error}"));
            None
        }
        Ok(output) => {
            assert!(output.status.success(), "the judge: {}", String::from_utf8_lossy(&output.stderr));
            Some(program)
        }
    }
}

/// Returns what each of the documents means to Go.
pub(crate) fn decode(judge: &Path, documents: &[impl AsRef<[u8]> + Sync]) -> Vec<Verdict> {
    let mut child = Command::new(judge).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the judge starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            for document in documents {
                assert!(!document.as_ref().contains(&0), "a zero byte separates documents");
                stdin.write_all(document.as_ref()).and_then(|()| stdin.write_all(&[0])).expect("the judge reads");
            }
        });
        child.wait_with_output().expect("the judge ends")
    });
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    let verdicts: Vec<Verdict> = text.lines().map(verdict).collect();
    assert_eq!(verdicts.len(), documents.len(), "the judge answers to each");
    verdicts
}

/// A judge that is asked again and again.
pub(crate) struct Session {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Session {
    pub(crate) fn open(judge: &Path) -> Self {
        let mut child =
            Command::new(judge).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the judge starts");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, answers }
    }

    /// Returns what a document means to Go.
    pub(crate) fn decode(&mut self, document: &str) -> Verdict {
        assert!(!document.contains('\0'), "a zero byte separates documents");
        let question = self.child.stdin.as_mut().expect("a pipe");
        question.write_all(format!("{document}\0").as_bytes()).expect("the judge reads");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the judge answers");
        verdict(line.trim_end_matches('\n'))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn verdict(line: &str) -> Verdict {
    match line.strip_prefix('!') {
        Some(error) => Err(error.to_owned()),
        None => Ok(serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))),
    }
}

#[test]
fn the_judge_reads_as_helm_does() {
    let Some(judge) = judge() else { return };
    let verdicts = decode(judge, &["a: yes", "a: 0644\nb: '0644'", "a: [", "on: 1"]);
    let json: Vec<Option<String>> =
        verdicts.iter().map(|verdict| verdict.as_ref().ok().map(Value::to_string)).collect();
    let expected = [Some(r#"{"a":true}"#), Some(r#"{"a":420,"b":"0644"}"#), None, Some(r#"{"true":1}"#)];
    assert_eq!(json, expected.map(|text| text.map(str::to_owned)));
}
