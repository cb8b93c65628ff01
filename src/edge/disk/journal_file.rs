//! The journal's file: append and fsync, before each act.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use super::run_folder::{create_file, sync_folder};
use super::{DiskError, RunFolder};

/// An open journal file.
#[derive(Debug)]
pub struct JournalFile {
    file: File,
    path: PathBuf,
}

impl JournalFile {
    /// Makes the file with `text`, on disk when this returns.
    ///
    /// # Errors
    /// [`DiskError`]; the file exists already, or the disk is full.
    pub fn create(folder: &RunFolder, text: &str) -> Result<Self, DiskError> {
        let path = folder.journal_path();
        let mut journal = Self { file: create_file(&path)?, path };
        journal.append(text)?;
        sync_folder(folder.path())?;
        Ok(journal)
    }

    /// Replaces the file by `text`, and opens it: what a run taken over begins with.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn replace(folder: &RunFolder, text: &str) -> Result<Self, DiskError> {
        let path = folder.journal_path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        folder.write(&name, text.as_bytes())?;
        let file = OpenOptions::new().append(true).open(&path).map_err(DiskError::because("open", &path))?;
        Ok(Self { file, path })
    }

    /// Appends `text`; it is on disk when this returns.
    ///
    /// # Errors
    /// [`DiskError`]; a line that was cut off by a full disk has no line end, and readers drop it.
    pub fn append(&mut self, text: &str) -> Result<(), DiskError> {
        self.file
            .write_all(text.as_bytes())
            .and_then(|()| self.file.sync_data())
            .map_err(DiskError::because("write", &self.path))
    }
}
