//! Files that live in memory alone: values may hold secrets, so the copies that a run keeps never touch the disk.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A read-only copy of some bytes that a child process can open by path for as long as this value lives.
///
/// On Linux an anonymous memory file, reached through `/proc/<our pid>/fd/<n>`; elsewhere a temporary file of mode 0600,
/// removed when the value is dropped.
#[derive(Debug)]
pub struct MemoryFile {
    path: PathBuf,
    _keep: Keep,
}

#[derive(Debug)]
enum Keep {
    #[cfg(target_os = "linux")]
    Memory { _file: File },
    #[cfg(not(target_os = "linux"))]
    Disk { _file: tempfile::NamedTempFile },
}

impl MemoryFile {
    /// Returns a file with that content.
    ///
    /// # Errors
    /// The system has no memory or no descriptor left.
    #[cfg(target_os = "linux")]
    pub fn new(content: &[u8]) -> io::Result<Self> {
        use std::os::fd::AsRawFd;

        let descriptor = rustix::fs::memfd_create("values", rustix::fs::MemfdFlags::CLOEXEC)?;
        let mut file = File::from(descriptor);
        file.write_all(content)?;
        let path = PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()));
        Ok(Self { path, _keep: Keep::Memory { _file: file } })
    }

    /// Returns a file with that content.
    ///
    /// # Errors
    /// The temporary folder cannot be written.
    #[cfg(not(target_os = "linux"))]
    pub fn new(content: &[u8]) -> io::Result<Self> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(content)?;
        Ok(Self { path: file.path().to_path_buf(), _keep: Keep::Disk { _file: file } })
    }

    /// Returns the path by which a child process opens it, as often as it likes.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_process_reads_it_twice() {
        let file = MemoryFile::new(b"replicas: 2\n").expect("memory");
        let output =
            std::process::Command::new("cat").arg(file.path()).arg(file.path()).output().expect("cat is there");
        assert_eq!(output.stdout, b"replicas: 2\nreplicas: 2\n");
    }
}
