//! The kubeconfig of a run, and the folder that holds it: nobody but this user reads them, and they go with the run.

use std::fs::{self, DirBuilder, OpenOptions};
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
///
/// A command that edits it (`kubectl config`, a cloud's `update-kubeconfig`) and goes on would work on a real cluster. So it can
/// only be read, client-go finds it locked, and [`Self::is_intact`] tells whether it was edited all the same.
pub(super) struct RunKubeconfig {
    /// Removes itself. Where that cannot be, what is left opens nothing: the port is closed and the token dead.
    _folder: TempDir,
    file: PathBuf,
    content: String,
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
            .permissions(fs::Permissions::from_mode(0o700))
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
        let content = content.to_string();
        let create = |file: &Path| OpenOptions::new().write(true).create_new(true).mode(0o400).open(file);
        create(&file)?.write_all(content.as_bytes())?;
        // Source: client-go `tools/clientcmd` `lockFile`: this file must not be there for the other to be written.
        create(&folder.path().join("kubeconfig.lock"))?;
        Ok(Self { _folder: folder, file, content, cache })
    }

    /// Returns the file.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Returns the folder for client-go's discovery cache.
    pub(super) fn cache(&self) -> &Path {
        &self.cache
    }
    /// Tells whether it says what it said at first.
    pub(super) fn is_intact(&self) -> bool {
        fs::read(&self.file).is_ok_and(|content| content == self.content.as_bytes())
    }
}
