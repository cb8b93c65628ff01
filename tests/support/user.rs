//! Users of the bed, one a test: they may do nothing until the test grants it, and the audit log can be filtered by them.

use std::cell::RefCell;
use std::fs::{self, File};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::audit::Audit;
use super::bed::{Bed, random_word};
use super::waiting::eventually;

/// A user that no other test has at the same time; given back with the value, its grants removed.
pub struct BedUser<'a> {
    bed: &'a Bed,
    claim: PathBuf,
    folder: tempfile::TempDir,
    grants: RefCell<Vec<(String, String)>>,
    audit_from: u64,
    /// Such as `bed-user-07`.
    pub name: String,
    /// Its bearer token.
    pub token: String,
    /// Its kubeconfig.
    pub kubeconfig: PathBuf,
}

/// Verbs on resources of an API group.
pub struct Rule<'a> {
    /// Empty for the core group.
    pub group: &'a str,
    /// `pods`, `pods/log`, `*`, ...
    pub resources: &'a [&'a str],
    /// `get`, `*`, ...
    pub verbs: &'a [&'a str],
}

impl Bed {
    /// Returns a user without any rights beyond discovery; its default namespace is `namespace`.
    pub fn user(&self, namespace: &str) -> BedUser<'_> {
        let claims = self.folder.join("user-claims");
        fs::create_dir_all(&claims).expect("a folder for claims");
        let tokens = fs::read_to_string(&self.tokens).expect("tokens");
        let free = tokens.lines().find_map(|line| {
            let (token, rest) = line.split_once(',')?;
            let name = rest.split(',').next().filter(|name| name.starts_with("bed-user-"))?;
            let claim = claims.join(name);
            File::create_new(&claim).ok()?;
            Some((token.to_owned(), name.to_owned(), claim))
        });
        let (token, name, claim) = free.expect("a free user: every claim in the bed's user-claims folder is taken");
        let folder = tempfile::tempdir().expect("a folder");
        let kubeconfig = folder.path().join("kubeconfig");
        let config = self.kubectl(&["config", "view", "--raw", "--minify", "-o", "json"]);
        let mut config: Value = serde_json::from_str(&config).expect("kubectl prints JSON");
        config["users"] = json!([{"name": name, "user": {"token": token}}]);
        let cluster = config["contexts"][0]["context"]["cluster"].take();
        let context = json!({"cluster": cluster, "user": name, "namespace": namespace});
        config["contexts"] = json!([{"name": "bed", "context": context}]);
        config["current-context"] = json!("bed");
        fs::write(&kubeconfig, config.to_string()).expect("written");
        let audit_from = fs::metadata(&self.audit).map_or(0, |found| found.len());
        BedUser { bed: self, claim, folder, grants: RefCell::default(), audit_from, name, token, kubeconfig }
    }
}

impl BedUser<'_> {
    /// Grants rights in one namespace.
    pub fn grant(&self, namespace: &str, rules: &[Rule<'_>]) {
        let name = format!("{}-{}", self.name, random_word());
        let rules: Vec<Value> = rules
            .iter()
            .map(|rule| json!({"apiGroups": [rule.group], "resources": rule.resources, "verbs": rule.verbs}))
            .collect();
        let metadata = json!({"name": name, "namespace": namespace});
        let api_version = "rbac.authorization.k8s.io/v1";
        self.bed.apply(&json!({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": api_version, "kind": "Role", "metadata": metadata, "rules": rules},
            {"apiVersion": api_version, "kind": "RoleBinding", "metadata": metadata,
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
                "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": self.name}]},
        ]}));
        self.wait_for_rule(Some(namespace), rules.last().expect("a rule"));
    }

    /// Grants everything in one namespace.
    pub fn grant_namespace(&self, namespace: &str) {
        self.grant(namespace, &[Rule { group: "*", resources: &["*"], verbs: &["*"] }]);
    }

    /// Grants a cluster role everywhere, such as `cluster-admin`, until the value is dropped.
    pub fn grant_cluster_role(&self, role: &str) {
        let name = format!("{}-{}", self.name, random_word());
        self.bed.kubectl(&["create", "clusterrolebinding", &name, "--clusterrole", role, "--user", &self.name]);
        self.grants.borrow_mut().push(("clusterrolebinding".to_owned(), name));
        let role = self.bed.get("default", "clusterrole", role).expect("the role");
        self.wait_for_rule(None, &role["rules"][0]);
    }

    /// Grants verbs on cluster-scoped resources (as `resources=a,b`), until the value is dropped.
    pub fn grant_cluster(&self, verbs: &str, resources: &str) {
        let name = format!("{}-{}", self.name, random_word());
        let role = ["create", "clusterrole", &name, "--verb", verbs, "--resource", resources, "-o", "json"];
        let role: Value = serde_json::from_str(&self.bed.kubectl(&role)).expect("kubectl prints JSON");
        self.grants.borrow_mut().push(("clusterrole".to_owned(), name.clone()));
        self.bed.kubectl(&["create", "clusterrolebinding", &name, "--clusterrole", &name, "--user", &self.name]);
        self.grants.borrow_mut().push(("clusterrolebinding".to_owned(), name));
        self.wait_for_rule(None, &role["rules"][0]);
    }

    /// Waits until the server goes by a rule of a role that was bound to this user: it hears of it a moment later.
    pub fn wait_for_rule(&self, namespace: Option<&str>, rule: &Value) {
        let last = |field: &str| rule[field].as_array().and_then(|all| all.last()?.as_str()).unwrap_or_default();
        let (resource, subresource) = last("resources").split_once('/').unwrap_or((last("resources"), ""));
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
            "user": self.name,
            "resourceAttributes": {"namespace": namespace, "group": last("apiGroups"), "resource": resource,
                "subresource": subresource, "name": last("resourceNames"), "verb": last("verbs")}}});
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        eventually(|| {
            let answered = self.bed.try_kubectl(&["create", "--raw", path, "-f", "-"], Some(&review.to_string()));
            let answer = serde_json::from_slice::<Value>(&answered.stdout).unwrap_or_default();
            if answer["status"]["allowed"] == true { Ok(()) } else { Err(format!("{review}: {answered:?}")) }
        });
    }

    /// Returns what this user has asked of the API server since it was handed out.
    pub fn audit(&self) -> Audit {
        self.settle();
        Audit::read(&self.bed.audit, self.audit_from, &self.name)
    }

    /// A request whose line in the log proves that those before it are there too.
    fn settle(&self) {
        let mark = format!("/version?mark={}", random_word());
        self.bed.try_kubectl_as(&self.kubeconfig, &["get", "--raw", &mark], None);
        for _ in 0..100 {
            if Audit::read(&self.bed.audit, self.audit_from, &self.name).requests.iter().any(|seen| seen.uri == mark) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("the audit log {} does not show {mark}", self.bed.audit.display());
    }
}

impl Drop for BedUser<'_> {
    fn drop(&mut self) {
        for (kind, name) in self.grants.borrow().iter().rev() {
            self.bed.try_kubectl(&["delete", kind, name], None);
        }
        let _ = fs::remove_file(&self.claim);
    }
}
