//! The kubeconfig of a run, and the folder that holds it: nobody but this user reads them, and they go with the run.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use tempfile::TempDir;

use super::token::Token;

/// Name of cluster, context and user in the kubeconfig.
const NAME: &str = "helm-csghub-rehearsal";

/// What the rehearsed command finds its way by. Removed with the value.
pub(super) struct RunKubeconfig {
    folder: TempDir,
    file: PathBuf,
    cache: PathBuf,
}

impl RunKubeconfig {
    /// Writes it to a new folder (mode 0700) in `parent`.
    ///
    /// # Errors
    /// If folder or file cannot be made.
    pub(super) fn write(
        parent: &Path,
        address: SocketAddr,
        authority_pem: &str,
        token: &Token,
        namespace: &str,
    ) -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("rehearsal-")
            .permissions(std::fs::Permissions::from_mode(0o700))
            .tempdir_in(parent)?;
        let cache = folder.path().join("cache");
        DirBuilder::new().mode(0o700).create(&cache)?;
        let file = folder.path().join("kubeconfig");
        // JSON is YAML.
        let content = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": NAME, "cluster": {
                "server": format!("https://{address}"),
                "certificate-authority-data": BASE64_STANDARD.encode(authority_pem),
            }}],
            "users": [{"name": NAME, "user": {"token": token.text()}}],
            "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME, "namespace": namespace}}],
            "current-context": NAME,
        });
        let mut written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file)?;
        written.write_all(content.to_string().as_bytes())?;
        Ok(Self { folder, file, cache })
    }

    /// Returns the file.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Returns the folder for client-go's discovery cache.
    pub(super) fn cache(&self) -> &Path {
        &self.cache
    }

    /// Removes file and folder.
    pub(super) fn remove(self) {
        // What is left opens nothing: the port is closed and the token dead.
        let _ = self.folder.close();
    }
}
