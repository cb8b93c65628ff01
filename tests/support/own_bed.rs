//! A bed of a test's own: where the whole cluster is compared, or filled.

use std::ops::Deref;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

use super::Bed;

/// Two of them at once are too much for a small machine.
static ONE_BED: Mutex<()> = Mutex::new(());

/// A bed that no other test uses, taken down when it is dropped: however the test ends. There is one at a time.
pub struct OwnBed {
    bed: Bed,
    folder: TempDir,
    /// Given back when the bed is down.
    _turn: MutexGuard<'static, ()>,
}

impl OwnBed {
    /// Starts it, with the programs of the bed that all tests share, once no other test has one.
    pub fn up(shared: &Bed) -> Self {
        let turn = ONE_BED.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().expect("a folder");
        let own = folder.path().join("bed");
        let owner = std::process::id().to_string();
        testbed(&["up", "--dir", &own.display().to_string(), "--owner-pid", &owner]).expect("a bed of one's own");
        let bed = Bed {
            kubeconfig: own.join("kubeconfig"),
            kubectl: shared.kubectl.clone(),
            tokens: own.join("tokens.csv"),
            audit: own.join("audit.log"),
            folder: own,
        };
        Self { bed, folder, _turn: turn }
    }

    /// Returns a folder that goes with the bed.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Deref for OwnBed {
    type Target = Bed;

    fn deref(&self) -> &Bed {
        &self.bed
    }
}

impl Drop for OwnBed {
    fn drop(&mut self) {
        let ended = testbed(&["down", "--dir", &self.bed.folder.display().to_string()]);
        // The test's own failure is told first.
        if !std::thread::panicking() {
            ended.expect("the bed is taken down");
        }
    }
}

fn testbed(words: &[&str]) -> Result<(), String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/testbed");
    let ended = Command::new(script).args(words).output().map_err(|error| error.to_string())?;
    let complaint = String::from_utf8_lossy(&ended.stderr).into_owned();
    if ended.status.success() { Ok(()) } else { Err(complaint) }
}
