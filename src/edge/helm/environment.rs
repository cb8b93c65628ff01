//! The environment variables by which a Helm process is told where to work.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::process::Command;

use crate::domain::rehearsed::command;

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

/// The lists of hosts that are not reached through an HTTP proxy; programs differ in which they read.
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];

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

    /// Returns the environment of a rehearsed command: [`Self::confined_to`] the kubeconfig of the proxy, and without any other
    /// variable of `inherited` (our own environment) that leads a program to a cluster. The loopback is not reached through an
    /// HTTP proxy; namespace, storage driver, limits and all else stay.
    #[must_use]
    pub fn rehearsed(
        self,
        kubeconfig: impl Into<OsString>,
        cache_folder: impl Into<OsString>,
        inherited: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        const LOOPBACK: &str = "127.0.0.1";
        let mut environment = self;
        let mut no_proxy = [None, None];
        for (name, value) in inherited {
            if name.to_str().is_some_and(command::leads_elsewhere) {
                environment = environment.without(name);
            } else if let Some(found) = NO_PROXY.iter().zip(&mut no_proxy).find(|(known, _)| name == **known) {
                *found.1 = Some(value);
            }
        }
        for (name, change) in &mut environment.changes {
            if name.to_str().is_some_and(command::leads_elsewhere) {
                *change = None;
            }
        }
        // Where only one is set, programs that read the other would otherwise see another list than before.
        let of_other = no_proxy.iter().flatten().next().cloned().unwrap_or_default();
        for (name, list) in NO_PROXY.into_iter().zip(no_proxy) {
            let mut list = list.unwrap_or_else(|| of_other.clone());
            // Some programs know `*` only where it stands alone.
            if list != "*" {
                list.push(if list.is_empty() { "" } else { "," });
                list.push(LOOPBACK);
            }
            environment = environment.with(name, list);
        }
        // kubectl's preferences may hold flags such as `--server`.
        // Source: Kubernetes documentation, "Kubectl user preferences (kuberc)".
        environment.confined_to(kubeconfig, cache_folder).with("KUBERC", "off").with("KUBECTL_KUBERC", "false")
    }

    /// Returns the storage driver of releases, as far as variables say (`HELM_DRIVER`); empty if they do not.
    pub fn driver(&self) -> String {
        self.value_of("HELM_DRIVER")
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
        self.value_of("HELM_NAMESPACE")
    }

    fn value_of(&self, name: &str) -> String {
        let inherited = || std::env::var_os(name);
        let value = self.changes.get(OsStr::new(name)).map_or_else(inherited, Clone::clone);
        value.unwrap_or_default().to_string_lossy().into_owned()
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

    #[test]
    fn a_rehearsed_command_is_led_to_the_proxy_alone() {
        let inherited = |pairs: &[(&str, &str)]| -> Vec<(OsString, OsString)> {
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
        };
        let environment = HelmEnvironment::default()
            .with_kube_context("prod")
            .with_kubeconfig("/home/alice/.kube/config")
            .with_namespace("shop")
            .with("KUBE_TOKEN", "s3cr3t");
        let ours = inherited(&[
            ("KUBECONFIG", "/elsewhere"),
            ("HELM_KUBETOKEN", "s3cr3t"),
            ("HELM_KUBE_OF_NEXT_YEAR", "x"),
            ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
            ("KUBERNETES_SERVICE_PORT", "443"),
            ("KUBERC", "/home/alice/kuberc"),
            ("HELM_DRIVER_SQL_CONNECTION_STRING", "s3cr3t"),
            ("HELM_BURST_LIMIT", "100"),
            ("HELM_NAMESPACE", "shop"),
            ("HTTPS_PROXY", "http://gate"),
            ("no_proxy", "10.0.0.0/8"),
        ]);
        let environment = environment.rehearsed("/run/kc", "/run/c", ours);
        let changes: Vec<(&str, Option<&str>)> = environment
            .changes()
            .map(|(name, value)| (name.to_str().expect("UTF-8"), value.and_then(OsStr::to_str)))
            .filter(|(name, _)| !KUBE_OVERRIDES.contains(name))
            .collect();
        let expected = [
            ("HELM_DRIVER_SQL_CONNECTION_STRING", None),
            ("HELM_KUBE_OF_NEXT_YEAR", None),
            ("HELM_NAMESPACE", Some("shop")),
            ("KUBECACHEDIR", Some("/run/c")),
            ("KUBECONFIG", Some("/run/kc")),
            ("KUBECTL_KUBERC", Some("false")),
            ("KUBERC", Some("off")),
            ("KUBERNETES_SERVICE_HOST", None),
            ("KUBERNETES_SERVICE_PORT", None),
            ("KUBE_TOKEN", None),
            ("NO_PROXY", Some("10.0.0.0/8,127.0.0.1")),
            ("no_proxy", Some("10.0.0.0/8,127.0.0.1")),
        ];
        assert_eq!(changes, expected);
        for name in KUBE_OVERRIDES {
            assert!(environment.changes().any(|change| change == (OsStr::new(name), None)), "{name}");
        }
        let bare = HelmEnvironment::default().rehearsed("/run/kc", "/run/c", []);
        assert!(bare.changes().any(|change| change == (OsStr::new("NO_PROXY"), Some(OsStr::new("127.0.0.1")))));
    }
}
