//! The example for Argo CD, run as a sidecar of its repo server runs it.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Returns the command of the example in the folder of a chart; `helm` and `csghub` are those in `programs`.
pub(crate) fn generate(programs: &Path, chart: &Path) -> Command {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let text = fs::read_to_string(examples.join("argocd-plugin.yaml")).expect("the example");
    let documents = helm_csghub::domain::yaml::parse_documents(&text).expect("YAML");
    let generate = &documents[0].value["spec"]["generate"];
    let words = |field: &str| -> Vec<String> {
        let list = generate[field].as_array().expect("a list");
        list.iter().map(|word| word.as_str().expect("a text").to_owned()).collect()
    };
    let program = words("command");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(&program[0]);
    command
        .args(&program[1..])
        .args(words("args"))
        .current_dir(chart)
        .env("PATH", format!("{}:{path}", programs.display()))
        .envs([("ARGOCD_APP_NAME", "shop"), ("ARGOCD_APP_NAMESPACE", "front")])
        .envs([("KUBE_VERSION", "1.36.3"), ("KUBE_API_VERSIONS", "v1,apps/v1,policy/v1/PodDisruptionBudget")])
        .env("ARGOCD_ENV_PROFILE", examples.join("profile.yaml"));
    command
}
