//! From kubeconfig files and the user's options to the settings of one connection, by kubectl's rules.
//!
//! Source of the rules: client-go `tools/clientcmd` `loader.go`, `client_config.go`, `overrides.go`.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kube::Config;
use kube::config::{AuthInfo, Cluster, ExecAuthCluster, Kubeconfig, KubeconfigError};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::error::{ClusterError, Endpoint};
use super::options::ClusterOptions;
use super::way_out;

/// Settings of one connection, and where they come from.
pub(super) struct Settings {
    pub(super) config: Config,
    pub(super) endpoint: Endpoint,
}

/// Returns the settings that `options` and the files they name amount to.
///
/// # Errors
/// Names the file, context or setting that is no use.
pub(super) fn read_settings(options: &ClusterOptions) -> Result<Settings, ClusterError> {
    let (files, kubeconfig) = read_kubeconfigs(options)?;
    if is_blank(&kubeconfig) && options.context.is_none() && options.api_server.is_none() {
        return read_settings_in_cluster(options)?.ok_or(ClusterError::NoKubeconfig { looked_at: files });
    }
    let chosen = choose_context(&kubeconfig, options, &files)?;
    build_settings(chosen, options)
}

/// Cluster and user that a connection is made of.
struct Chosen {
    cluster: Cluster,
    user: AuthInfo,
    namespace: Option<String>,
    origin: String,
}

/// Returns the files in question, and what those that exist say together.
///
/// A file that does not exist is passed over, as kubectl does with those in `KUBECONFIG`.
fn read_kubeconfigs(options: &ClusterOptions) -> Result<(Vec<PathBuf>, Kubeconfig), ClusterError> {
    let files = options.kubeconfig_files();
    let mut merged = Kubeconfig::default();
    for file in &files {
        let unreadable = |error: KubeconfigError| {
            let text = match error {
                KubeconfigError::ReadConfig(cause, _) => cause.to_string(),
                error => error.to_string(),
            };
            let because = text.lines().next().unwrap_or_default().to_owned();
            ClusterError::UnreadableKubeconfig { file: file.clone(), because }
        };
        match Kubeconfig::read_from(file) {
            Ok(mut read) => {
                // `kubectl config view` and others write the key with nothing in it: that sets no context.
                read.current_context = read.current_context.filter(|context| !context.is_empty());
                merged = merged.merge(read).map_err(unreadable)?;
            }
            Err(KubeconfigError::ReadConfig(error, _)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    Ok((files, merged))
}

fn is_blank(kubeconfig: &Kubeconfig) -> bool {
    kubeconfig.contexts.is_empty() && kubeconfig.clusters.is_empty() && kubeconfig.current_context.is_none()
}

fn choose_context(
    kubeconfig: &Kubeconfig,
    options: &ClusterOptions,
    files: &[PathBuf],
) -> Result<Chosen, ClusterError> {
    let Some(context) = options.context.clone().or_else(|| kubeconfig.current_context.clone()) else {
        if options.api_server.is_some() {
            return Ok(Chosen {
                cluster: Cluster::default(),
                user: AuthInfo::default(),
                namespace: None,
                origin: "the server that was named".to_owned(),
            });
        }
        return Err(ClusterError::NoContext { files: files.to_vec() });
    };
    let named = kubeconfig.contexts.iter().find(|named| named.name == context).and_then(|named| named.context.as_ref());
    let Some(found) = named else {
        return Err(ClusterError::UnknownContext {
            context,
            files: files.to_vec(),
            known: kubeconfig.contexts.iter().map(|named| named.name.clone()).collect(),
        });
    };
    let incomplete =
        |missing: String| ClusterError::IncompleteContext { context: context.clone(), files: files.to_vec(), missing };
    let cluster = kubeconfig.clusters.iter().find(|named| named.name == found.cluster);
    let cluster = match cluster.and_then(|named| named.cluster.clone()) {
        Some(cluster) => cluster,
        None if options.api_server.is_some() => Cluster::default(),
        None => return Err(incomplete(format!("cluster `{}`", found.cluster))),
    };
    let user = match found.user.as_deref().filter(|name| !name.is_empty()) {
        // kubectl goes on without credentials; the server's 401 would then be the first sign of the typo.
        Some(name) => kubeconfig
            .auth_infos
            .iter()
            .find(|named| named.name == name)
            .map(|named| named.auth_info.clone().unwrap_or_default())
            .ok_or_else(|| incomplete(format!("user `{name}`")))?,
        None => AuthInfo::default(),
    };
    let listed = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
    Ok(Chosen {
        cluster,
        user,
        namespace: found.namespace.clone().filter(|namespace| !namespace.is_empty()),
        origin: format!("context `{context}` of {listed}"),
    })
}

fn build_settings(mut chosen: Chosen, options: &ClusterOptions) -> Result<Settings, ClusterError> {
    override_cluster(&mut chosen.cluster, options);
    override_user(&mut chosen.user, options);
    let Chosen { cluster, mut user, namespace, origin } = chosen;

    let server = cluster.server.clone().unwrap_or_default();
    let url = with_scheme(&server);
    let uri: http::Uri = url.parse().map_err(|error: http::uri::InvalidUri| ClusterError::BadSetting {
        setting: "the server URL",
        value: server.clone(),
        because: format!("{error} ({origin})"),
    })?;
    if uri.host().is_none_or(str::is_empty) || !matches!(uri.scheme_str(), Some("http" | "https")) {
        let because = format!("it is no URL with http or https and a host ({origin})");
        return Err(ClusterError::BadSetting { setting: "the server URL", value: server, because });
    }
    if let Some(exec) = user.exec.as_mut().filter(|exec| exec.provide_cluster_info) {
        let cluster = ExecAuthCluster::try_from(&cluster).map_err(|error| ClusterError::BadSetting {
            setting: "the cluster",
            value: url.clone(),
            because: error.to_string(),
        })?;
        exec.cluster = Some(cluster);
    }
    let mut config = Config::new(uri);
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or(false);
    config.disable_compression = cluster.disable_compression.unwrap_or(false);
    config.tls_server_name = cluster.tls_server_name.clone().filter(|name| !name.is_empty());
    config.root_cert = read_authorities(&cluster)?;
    config.proxy_url =
        way_out::choose_proxy(cluster.proxy_url.as_deref(), &config.cluster_url, |name| env::var(name).ok())?;
    config.auth_info = user;
    config.default_namespace = options.namespace.clone().or(namespace).unwrap_or_else(|| "default".to_owned());
    Ok(Settings { endpoint: Endpoint { url, origin }, config: tuned(config) })
}

/// `None` if this process does not run in a pod.
fn read_settings_in_cluster(options: &ClusterOptions) -> Result<Option<Settings>, ClusterError> {
    if env::var_os("KUBERNETES_SERVICE_HOST").is_none() || env::var_os("KUBERNETES_SERVICE_PORT").is_none() {
        return Ok(None);
    }
    let origin = "the service account of this pod".to_owned();
    let mut config = Config::incluster().map_err(|error| ClusterError::BadSetting {
        setting: "the service account of this pod",
        value: "/var/run/secrets/kubernetes.io/serviceaccount".to_owned(),
        because: error.to_string(),
    })?;
    override_user(&mut config.auth_info, options);
    if let Some(file) = &options.ca_file {
        config.root_cert_file = None;
        config.root_cert = Some(read_certificates_of(file)?);
    }
    config.accept_invalid_certs |= options.insecure_skip_tls_verify;
    if options.tls_server_name.is_some() {
        config.tls_server_name.clone_from(&options.tls_server_name);
    }
    if let Some(namespace) = &options.namespace {
        config.default_namespace.clone_from(namespace);
    }
    let url = config.cluster_url.to_string().trim_end_matches('/').to_owned();
    Ok(Some(Settings { endpoint: Endpoint { url, origin }, config: tuned(config) }))
}

/// Time limits and repetitions are `transport`'s.
fn tuned(mut config: Config) -> Config {
    config.connect_timeout = Some(std::time::Duration::from_secs(10));
    config.default_retry = false;
    config
}

fn override_cluster(cluster: &mut Cluster, options: &ClusterOptions) {
    if let Some(server) = &options.api_server {
        cluster.server = Some(server.clone());
    }
    if let Some(file) = &options.ca_file {
        cluster.certificate_authority = Some(file.to_string_lossy().into_owned());
        cluster.certificate_authority_data = None;
        cluster.insecure_skip_tls_verify = None;
    }
    if options.insecure_skip_tls_verify {
        cluster.insecure_skip_tls_verify = Some(true);
        cluster.certificate_authority = None;
        cluster.certificate_authority_data = None;
    }
    if let Some(name) = &options.tls_server_name {
        cluster.tls_server_name = Some(name.clone());
    }
}

fn override_user(user: &mut AuthInfo, options: &ClusterOptions) {
    if let Some(token) = &options.token {
        user.token = Some(token.clone().into());
        user.token_file = None;
        user.username = None;
        user.password = None;
        user.auth_provider = None;
        user.exec = None;
    }
    if let Some(name) = &options.as_user {
        user.impersonate = Some(name.clone());
    }
    if !options.as_groups.is_empty() {
        user.impersonate_groups = Some(options.as_groups.clone());
    }
    if has_empty_token(user) {
        user.token = None;
    }
    // client-go trims the file, kube does not. Files that are rotated are written by machines, without the line break.
    let written =
        user.token_file.as_ref().filter(|_| user.token.is_none()).and_then(|file| fs::read_to_string(file).ok());
    if let Some(token) = written.filter(|token| token.trim() != token) {
        user.token = Some(token.trim().to_owned().into());
    }
}

/// Tells whether the user has a `token:` with nothing in it, as tools leave behind: it would hide every other credential.
fn has_empty_token(user: &AuthInfo) -> bool {
    serde_json::to_value(user).is_ok_and(|fields| fields.get("token").and_then(serde_json::Value::as_str) == Some(""))
}

/// client-go takes `host:port` for `http://host:port` (`rest.DefaultServerURL`).
fn with_scheme(server: &str) -> String {
    if server.contains("://") || server.is_empty() { server.to_owned() } else { format!("http://{server}") }
}

fn read_authorities(cluster: &Cluster) -> Result<Option<Vec<Vec<u8>>>, ClusterError> {
    if let Some(data) = cluster.certificate_authority_data.as_deref().filter(|data| !data.is_empty()) {
        let setting = "the field `certificate-authority-data`";
        let bad = |because: String| ClusterError::BadSetting { setting, value: String::new(), because };
        let pem = BASE64_STANDARD.decode(data).map_err(|error| bad(error.to_string()))?;
        return parse_certificates(&pem).map(Some).map_err(bad);
    }
    match cluster.certificate_authority.as_deref().filter(|file| !file.is_empty()) {
        Some(file) => read_certificates_of(Path::new(file)).map(Some),
        None => Ok(None),
    }
}

fn read_certificates_of(file: &Path) -> Result<Vec<Vec<u8>>, ClusterError> {
    let bad = |because: String| ClusterError::BadSetting {
        setting: "the file of certificates",
        value: file.display().to_string(),
        because,
    };
    let pem = fs::read(file).map_err(|error| bad(error.to_string()))?;
    parse_certificates(&pem).map_err(bad)
}

fn parse_certificates(pem: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let read: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = read.map_err(|error| error.to_string())?;
    if certificates.is_empty() {
        return Err("there is no certificate in it".to_owned());
    }
    Ok(certificates.into_iter().map(|certificate| certificate.as_ref().to_vec()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    const ONE: &str = "
apiVersion: v1
kind: Config
current-context: ''
clusters:
- {name: prod, cluster: {server: 'https://10.0.0.1:6443', tls-server-name: api.prod}}
- {name: bare, cluster: {server: ''}}
contexts:
- {name: prod, context: {cluster: prod, user: alice, namespace: shop}}
- {name: halved, context: {cluster: gone, user: alice}}
- {name: nobody, context: {cluster: prod, user: bob}}
users:
- {name: alice, user: {token: first, as-groups: [ops]}}
";
    const TWO: &str = "
apiVersion: v1
kind: Config
current-context: dev
clusters:
- {name: prod, cluster: {server: 'https://other:6443'}}
- {name: dev, cluster: {server: '10.0.0.2:8080', insecure-skip-tls-verify: true}}
contexts:
- {name: dev, context: {cluster: dev, user: carol, namespace: ''}}
users:
- {name: alice, user: {token: second}}
- {name: carol, user: {token: '', username: carol, password: s3cr3t}}
";

    fn folder_of(files: &[(&str, &str)]) -> (tempfile::TempDir, ClusterOptions) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut list = OsString::new();
        for (name, text) in files {
            if !text.is_empty() {
                fs::write(folder.path().join(name), text).expect("written");
            }
            list.push(folder.path().join(name));
            list.push(":");
        }
        (folder, ClusterOptions { kubeconfig: Some(list), ..ClusterOptions::default() })
    }

    fn settings(options: &ClusterOptions) -> Settings {
        read_settings(options).unwrap_or_else(|error| panic!("{error}"))
    }

    fn error(options: &ClusterOptions) -> ClusterError {
        read_settings(options).err().expect("an error")
    }

    #[test]
    fn the_first_file_that_names_something_wins() {
        let (_folder, mut options) = folder_of(&[("one", ONE), ("two", TWO)]);
        options.context = Some("prod".into());
        let settings = settings(&options);
        assert_eq!(settings.endpoint.url, "https://10.0.0.1:6443");
        assert_eq!(settings.config.tls_server_name.as_deref(), Some("api.prod"));
        assert_eq!(settings.config.default_namespace, "shop");
        assert!(settings.endpoint.origin.starts_with("context `prod` of "));
    }

    #[test]
    fn an_empty_current_context_is_none_and_the_next_files_counts() {
        let (_folder, options) = folder_of(&[("one", ONE), ("two", TWO)]);
        let settings = settings(&options);
        assert_eq!(settings.endpoint.url, "http://10.0.0.2:8080");
        assert_eq!(settings.config.default_namespace, "default");
        assert!(settings.config.accept_invalid_certs);
        assert!(settings.config.auth_info.token.is_none(), "an empty token hides the password");
    }

    #[test]
    fn a_file_of_the_list_that_is_not_there_is_passed_over() {
        let (_folder, options) = folder_of(&[("gone", ""), ("two", TWO)]);
        assert_eq!(settings(&options).endpoint.url, "http://10.0.0.2:8080");
    }

    #[test]
    fn no_file_at_all_is_an_error_that_names_the_files() {
        let (folder, options) = folder_of(&[("gone", "")]);
        let error = error(&options);
        assert!(matches!(error, ClusterError::NoKubeconfig { .. }), "{error:?}");
        assert!(error.to_string().contains(&folder.path().join("gone").display().to_string()), "{error}");
    }

    #[test]
    fn a_file_that_is_no_kubeconfig_is_named_but_not_quoted() {
        let (_folder, options) = folder_of(&[("broken", "users:\n- name: a\n  user: {token: s3cr3t}\nclusters: 7\n")]);
        let error = error(&options);
        assert!(matches!(error, ClusterError::UnreadableKubeconfig { .. }), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error}");
    }

    #[test]
    fn a_token_file_may_end_with_a_line_break() {
        let (folder, mut options) = folder_of(&[("one", ONE)]);
        fs::write(folder.path().join("token"), "abc\n").expect("written");
        fs::write(folder.path().join("one"), ONE.replace("token: first", "tokenFile: token")).expect("written");
        options.context = Some("prod".into());
        let user = serde_json::to_value(settings(&options).config.auth_info).expect("JSON");
        assert_eq!(user["token"], "abc");
    }

    #[test]
    fn no_context_an_unknown_one_and_a_half_one_are_told_apart() {
        let (_folder, mut options) = folder_of(&[("one", ONE)]);
        assert!(matches!(error(&options), ClusterError::NoContext { .. }));
        options.context = Some("prdo".into());
        assert!(matches!(error(&options), ClusterError::UnknownContext { known, .. } if known.len() == 3));
        options.context = Some("halved".into());
        assert!(error(&options).to_string().ends_with("has no cluster `gone`"));
        options.context = Some("nobody".into());
        assert!(error(&options).to_string().ends_with("has no user `bob`"));
    }

    #[test]
    fn what_the_user_says_beats_the_kubeconfig() {
        let (folder, mut options) = folder_of(&[("one", ONE)]);
        options.context = Some("prod".into());
        options.namespace = Some("other".into());
        options.api_server = Some("https://elsewhere".into());
        options.token = Some("mine".into());
        options.as_user = Some("root".into());
        options.as_groups = vec!["dev".into()];
        options.tls_server_name = Some("api".into());
        options.insecure_skip_tls_verify = true;
        let config = settings(&options).config;
        assert_eq!(config.cluster_url.host(), Some("elsewhere"));
        assert_eq!(config.default_namespace, "other");
        assert_eq!(config.auth_info.impersonate.as_deref(), Some("root"));
        assert_eq!(config.auth_info.impersonate_groups.as_deref(), Some(["dev".to_owned()].as_slice()));
        assert_eq!(config.tls_server_name.as_deref(), Some("api"));
        assert!(config.accept_invalid_certs);
        options.ca_file = Some(folder.path().join("gone.crt"));
        options.insecure_skip_tls_verify = false;
        assert!(error(&options).to_string().contains("gone.crt"));
    }

    #[test]
    fn a_server_can_be_named_without_any_kubeconfig() {
        let (_folder, mut options) = folder_of(&[("gone", "")]);
        options.api_server = Some("https://api.shop:6443".into());
        let settings = settings(&options);
        assert_eq!(settings.endpoint.url, "https://api.shop:6443");
        assert_eq!(settings.endpoint.origin, "the server that was named");
    }

    #[test]
    fn a_server_that_is_no_url_is_named_with_its_context() {
        for server in ["", "ftp://10.0.0.1", "https://", "https://a b"] {
            let (_folder, mut options) = folder_of(&[("one", ONE)]);
            options.context = Some("prod".into());
            options.api_server = Some(server.into());
            let error = error(&options);
            assert!(matches!(error, ClusterError::BadSetting { setting: "the server URL", .. }), "{server}: {error}");
            assert!(error.to_string().contains("context `prod`"), "{error}");
        }
    }
}
