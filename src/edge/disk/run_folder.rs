//! One folder a run: `$XDG_STATE_HOME/helm-csghub/runs/<run-id>`.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::DiskError;
use crate::domain::journal::{Journal, RunState};

/// How many runs are kept; older ones are removed when a run begins, unfinished ones never.
pub const KEPT_RUNS: usize = 10;

const JOURNAL: &str = "journal.jsonl";

/// Returns the folder of all runs: below `XDG_STATE_HOME`, else below `~/.local/state`.
///
/// Source: XDG Base Directory specification; a relative path in the variable is to be ignored.
#[must_use]
pub fn runs_root(xdg_state_home: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let state = xdg_state_home.filter(|path| path.is_absolute()).or_else(|| Some(home?.join(".local/state")))?;
    Some(state.join("helm-csghub/runs"))
}

/// The folder of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes the folder of a new run, and those above it that are missing, mode 0700; removes runs past [`KEPT_RUNS`].
    ///
    /// # Errors
    /// [`DiskError`] names the folder that could not be made.
    pub fn create(root: &Path, run_id: &str) -> Result<Self, DiskError> {
        make_folder(root, true)?;
        prune(root, KEPT_RUNS.saturating_sub(1));
        let path = root.join(run_id);
        make_folder(&path, false)?;
        Ok(Self { path })
    }

    /// Opens the folder of a run, or makes it where the run was begun on another machine.
    ///
    /// # Errors
    /// [`DiskError`] names the folder that could not be made.
    pub fn open_or_create(root: &Path, run_id: &str) -> Result<Self, DiskError> {
        let path = root.join(run_id);
        make_folder(&path, true)?;
        Ok(Self { path })
    }

    /// Returns the folder of a run that is there.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Returns the folder's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of the journal in it.
    #[must_use]
    pub fn journal_path(&self) -> PathBuf {
        self.path.join(JOURNAL)
    }

    /// Makes a folder in it, mode 0700, if it is not there.
    ///
    /// # Errors
    /// [`DiskError`] names the folder.
    pub fn make_folder(&self, name: &str) -> Result<PathBuf, DiskError> {
        let path = self.path.join(name);
        make_folder(&path, true)?;
        Ok(path)
    }

    /// Writes a whole file, mode 0600: a reader sees the old content or the new, never half of it, also after a crash.
    ///
    /// # Errors
    /// [`DiskError`] names the file; the old content is then still there.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<PathBuf, DiskError> {
        let path = self.path.join(name);
        write_private(&path, content)?;
        Ok(path)
    }

    /// Removes a file of the run, if it is there.
    ///
    /// # Errors
    /// [`DiskError`]: it is still there.
    pub fn remove(&self, name: &str) -> Result<(), DiskError> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(DiskError::because("remove", path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Reads a file of the run; nothing if there is none.
    ///
    /// # Errors
    /// [`DiskError`] if it is there and cannot be read.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, DiskError> {
        let path = self.path.join(name);
        match fs::read(&path) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(DiskError::because("read", path)(error)),
        }
    }
}

/// Writes a whole file, mode 0600: a reader sees the old content or the new, never half of it, also after a crash.
///
/// # Errors
/// [`DiskError`] names the file; the old content is then still there.
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), DiskError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        .tempfile_in(parent)
        .map_err(DiskError::because("create a file in", parent))?;
    file.write_all(content).and_then(|()| file.as_file().sync_all()).map_err(DiskError::because("write", path))?;
    file.persist(path).map_err(|error| DiskError::because("write", path)(error.error))?;
    sync_folder(parent)
}

/// Removes all but the newest `kept` folders; one whose journal is unfinished, or cannot be read, stays whatever its age.
/// Best effort: a folder that cannot be removed costs space and nothing else.
fn prune(root: &Path, kept: usize) {
    let Ok(entries) = fs::read_dir(root) else { return };
    let mut runs: Vec<PathBuf> =
        entries.flatten().filter(|entry| entry.path().is_dir()).map(|entry| entry.path()).collect();
    // Run ids begin with their time, so names sort by age.
    runs.sort();
    let old = runs.len().saturating_sub(kept);
    for run in runs.into_iter().take(old).filter(|run| is_finished(run)) {
        let _ = fs::remove_dir_all(run);
    }
}

/// A run without a journal never began.
fn is_finished(run: &Path) -> bool {
    match fs::read_to_string(run.join(JOURNAL)) {
        Ok(text) => Journal::parse(&text).is_ok_and(|journal| matches!(journal.state(), RunState::Finished { .. })),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

fn make_folder(path: &Path, may_exist: bool) -> Result<(), DiskError> {
    DirBuilder::new().recursive(may_exist).mode(0o700).create(path).map_err(DiskError::because("create folder", path))
}

/// A rename is on disk only once its folder is.
pub(super) fn sync_folder(path: &Path) -> Result<(), DiskError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(DiskError::because("write", path))
}

/// Opens a new file for appending, mode 0600.
pub(super) fn create_file(path: &Path) -> Result<File, DiskError> {
    OpenOptions::new().append(true).create_new(true).mode(0o600).open(path).map_err(DiskError::because("create", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("is there").permissions().mode() & 0o777
    }

    #[test]
    fn folders_are_0700_and_files_0600() {
        let root = tempfile::tempdir().expect("temporary folder");
        let run = RunFolder::create(&root.path().join("a/runs"), "20260101-000000-aaaa").expect("creates");
        let file = run.write("facts.json", b"{}").expect("writes");
        assert_eq!((mode(run.path()), mode(&file)), (0o700, 0o600));
        assert_eq!(mode(&root.path().join("a/runs")), 0o700);
    }

    #[test]
    fn a_relative_state_home_is_ignored() {
        let home = Some(PathBuf::from("/home/alice"));
        let root = runs_root(Some(PathBuf::from("state")), home);
        assert_eq!(root, Some(PathBuf::from("/home/alice/.local/state/helm-csghub/runs")));
    }

    #[test]
    fn old_runs_go_and_unfinished_ones_stay() {
        let root = tempfile::tempdir().expect("temporary folder");
        let unfinished = root.path().join("20250101-000000-0000");
        fs::create_dir(&unfinished).expect("creates");
        fs::write(unfinished.join(JOURNAL), Journal::new("20250101-000000-0000", "shop", "shop").text())
            .expect("writes");
        for day in 1..=12 {
            RunFolder::create(root.path(), &format!("202601{day:02}-000000-aaaa")).expect("creates");
        }
        let mut left: Vec<_> =
            fs::read_dir(root.path()).expect("reads").flatten().map(|entry| entry.file_name()).collect();
        left.sort();
        assert!(unfinished.exists());
        assert_eq!(left.len(), KEPT_RUNS + 1, "the unfinished run comes on top: {left:?}");
    }
}
