//! What the user says about the cluster: Helm's flags, as Helm hands them to a plugin.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// Which cluster to talk to, and as whom. Everything absent comes from the kubeconfig.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ClusterOptions {
    /// `KUBECONFIG`: a list of paths; absent or empty: `~/.kube/config`.
    pub kubeconfig: Option<OsString>,
    /// Name of a context; absent: the current one.
    pub context: Option<String>,
    /// Namespace; absent: the context's.
    pub namespace: Option<String>,
    /// URL of the API server.
    pub api_server: Option<String>,
    /// Bearer token; every other credential of the kubeconfig but client certificates is then left aside.
    pub token: Option<String>,
    /// File with certificates to trust, PEM.
    pub ca_file: Option<PathBuf>,
    /// User to act as.
    pub as_user: Option<String>,
    /// Groups to act as.
    pub as_groups: Vec<String>,
    /// Trust any certificate.
    pub insecure_skip_tls_verify: bool,
    /// Name to look for in the server's certificate.
    pub tls_server_name: Option<String>,
}

/// The token is a secret.
impl std::fmt::Debug for ClusterOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterOptions")
            .field("kubeconfig", &self.kubeconfig)
            .field("context", &self.context)
            .field("namespace", &self.namespace)
            .field("api_server", &self.api_server)
            .field("token", &self.token.as_ref().map(|_| "***"))
            .field("ca_file", &self.ca_file)
            .field("as_user", &self.as_user)
            .field("as_groups", &self.as_groups)
            .field("insecure_skip_tls_verify", &self.insecure_skip_tls_verify)
            .field("tls_server_name", &self.tls_server_name)
            .finish()
    }
}

impl ClusterOptions {
    /// Returns what Helm's environment says; `read_variable` returns one variable.
    ///
    /// Empty variables count as absent: Helm sets every one of them for its plugins. Groups that Helm names twice are kept once.
    ///
    /// Source: Helm `pkg/cli/environment.go`, `EnvSettings.EnvVars`; a flag given to a plugin is set as its variable too.
    #[must_use]
    pub fn from_environment(read_variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let bytes = |name: &str| read_variable(name).filter(|value| !value.is_empty());
        let text = |name: &str| bytes(name).map(|value| value.to_string_lossy().into_owned());
        let mut as_groups: Vec<String> = Vec::new();
        for group in text("HELM_KUBEASGROUPS").unwrap_or_default().split(',').map(str::trim) {
            if !group.is_empty() && !as_groups.iter().any(|known| known == group) {
                as_groups.push(group.to_owned());
            }
        }
        Self {
            kubeconfig: bytes("KUBECONFIG"),
            context: text("HELM_KUBECONTEXT"),
            namespace: text("HELM_NAMESPACE"),
            api_server: text("HELM_KUBEAPISERVER"),
            token: text("HELM_KUBETOKEN"),
            ca_file: bytes("HELM_KUBECAFILE").map(PathBuf::from),
            as_user: text("HELM_KUBEASUSER"),
            as_groups,
            insecure_skip_tls_verify: text("HELM_KUBEINSECURE_SKIP_TLS_VERIFY").is_some_and(|value| is_true(&value)),
            tls_server_name: text("HELM_KUBETLS_SERVER_NAME"),
        }
    }

    /// Returns the kubeconfig files in question, in order; they need not exist.
    pub(super) fn kubeconfig_files(&self) -> Vec<PathBuf> {
        let listed: Vec<PathBuf> = self
            .kubeconfig
            .as_ref()
            .map(|list| env::split_paths(list).filter(|path| !path.as_os_str().is_empty()).collect())
            .unwrap_or_default();
        if listed.is_empty() {
            return env::home_dir().map(|home| home.join(".kube/config")).into_iter().collect();
        }
        listed
    }
}

/// Go's `strconv.ParseBool`, which Helm reads the variable with; anything else is false there too.
fn is_true(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> ClusterOptions {
        ClusterOptions::from_environment(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(*value))
        })
    }

    #[test]
    fn an_empty_variable_is_an_absent_one() {
        let empty = [("KUBECONFIG", ""), ("HELM_KUBECONTEXT", ""), ("HELM_KUBEASGROUPS", ""), ("HELM_KUBETOKEN", "")];
        assert_eq!(from(&empty), ClusterOptions::default());
    }

    #[test]
    fn a_group_named_twice_is_one_group() {
        assert_eq!(from(&[("HELM_KUBEASGROUPS", "ops, dev,ops,dev,")]).as_groups, ["ops", "dev"]);
    }

    #[test]
    fn only_a_true_skips_the_check_of_certificates() {
        assert!(from(&[("HELM_KUBEINSECURE_SKIP_TLS_VERIFY", "true")]).insecure_skip_tls_verify);
        assert!(!from(&[("HELM_KUBEINSECURE_SKIP_TLS_VERIFY", "false")]).insecure_skip_tls_verify);
        assert!(!from(&[("HELM_KUBEINSECURE_SKIP_TLS_VERIFY", "yes")]).insecure_skip_tls_verify);
    }

    #[test]
    fn a_token_is_never_shown() {
        let options = from(&[("HELM_KUBETOKEN", "s3cr3t")]);
        assert_eq!(options.token.as_deref(), Some("s3cr3t"));
        assert!(!format!("{options:?}").contains("s3cr3t"));
    }

    #[test]
    fn a_list_of_paths_is_read_in_order_without_its_gaps() {
        let files = from(&[("KUBECONFIG", ":/a/config::/b/config:")]).kubeconfig_files();
        assert_eq!(files, [PathBuf::from("/a/config"), PathBuf::from("/b/config")]);
    }
}
