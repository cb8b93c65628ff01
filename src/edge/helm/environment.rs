//! The environment variables by which a Helm process is told where to work.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::process::Command;

/// Variables by which Helm reaches an API server in spite of the kubeconfig, or as someone else.
///
/// Source: Helm `pkg/cli/environment.go`.
const KUBE_OVERRIDES: [&str; 8] = [
    "HELM_KUBECONTEXT",
    "HELM_KUBETOKEN",
    "HELM_KUBEASUSER",
    "HELM_KUBEASGROUPS",
    "HELM_KUBEAPISERVER",
    "HELM_KUBECAFILE",
    "HELM_KUBEINSECURE_SKIP_TLS_VERIFY",
    "HELM_KUBETLS_SERVER_NAME",
];

/// Changes to our own environment for the processes of Helm; empty: they get ours as it is, which as a plugin holds
/// everything that the outer Helm was told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HelmEnvironment {
    changes: BTreeMap<OsString, Option<OsString>>,
}

impl HelmEnvironment {
    /// Returns an environment with this namespace for releases (`--namespace`).
    #[must_use]
    pub fn with_namespace(self, namespace: impl Into<OsString>) -> Self {
        self.with("HELM_NAMESPACE", namespace)
    }

    /// Returns an environment with this kubeconfig file, or list of files (`--kubeconfig`).
    #[must_use]
    pub fn with_kubeconfig(self, kubeconfig: impl Into<OsString>) -> Self {
        self.with("KUBECONFIG", kubeconfig)
    }

    /// Returns an environment with this context of the kubeconfig (`--kube-context`).
    #[must_use]
    pub fn with_kube_context(self, context: impl Into<OsString>) -> Self {
        self.with("HELM_KUBECONTEXT", context)
    }

    /// Returns an environment in which `kubeconfig` alone decides which API server is reached, and as whom: whatever else
    /// points Helm at a server is taken away, and client-go's discovery cache is moved to `cache_folder`, since it is kept
    /// by host and port.
    #[must_use]
    pub fn confined_to(mut self, kubeconfig: impl Into<OsString>, cache_folder: impl Into<OsString>) -> Self {
        self.changes.extend(KUBE_OVERRIDES.map(|name| (name.into(), None)));
        self.with_kubeconfig(kubeconfig).with("KUBECACHEDIR", cache_folder)
    }

    /// Returns an environment with this variable.
    #[must_use]
    pub fn with(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.changes.insert(name.into(), Some(value.into()));
        self
    }

    /// Returns an environment without this variable.
    #[must_use]
    pub fn without(mut self, name: impl Into<OsString>) -> Self {
        self.changes.insert(name.into(), None);
        self
    }

    /// Returns the changes: a variable and its value, or none where it is taken away.
    pub fn changes(&self) -> impl Iterator<Item = (&OsStr, Option<&OsStr>)> {
        self.changes.iter().map(|(name, value)| (name.as_os_str(), value.as_deref()))
    }

    /// Returns the namespace that Helm's processes work in, as far as variables say; empty if they do not.
    pub fn namespace(&self) -> String {
        const NAME: &str = "HELM_NAMESPACE";
        let inherited = || std::env::var_os(NAME);
        let namespace = self.changes.get(OsStr::new(NAME)).map_or_else(inherited, Clone::clone);
        namespace.unwrap_or_default().to_string_lossy().into_owned()
    }

    pub(super) fn apply_to(&self, command: &mut Command) {
        for (name, value) in self.changes() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confined_helm_reaches_no_other_server() {
        let environment = HelmEnvironment::default()
            .with_kube_context("prod")
            .with_namespace("shop")
            .confined_to("/run/kc", "/run/c");
        let value = |name: &str| environment.changes().find(|change| change.0 == name).map(|change| change.1);
        assert_eq!(value("KUBECONFIG"), Some(Some(OsStr::new("/run/kc"))));
        assert_eq!(value("HELM_NAMESPACE"), Some(Some(OsStr::new("shop"))));
        for name in KUBE_OVERRIDES {
            assert_eq!(value(name), Some(None), "{name}");
        }
    }
}
