//! The command line of a rehearsed command: a word that would lead it past the proxy refuses it.
//!
//! The command reaches the proxy by KUBECONFIG. Whatever names another server, another identity or another kubeconfig would
//! write for real, or would be played as someone else than it will be run. Scripts are not read: they are read-only as far as
//! they honour KUBECONFIG.

use thiserror::Error;

/// A word that a rehearsed command may not have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a rehearsed command may not have `{word}`: {because}")]
pub struct RefusedWord {
    /// The flag, variable or program, without its value: that may be a secret.
    pub word: String,
    /// Why not, in one line.
    pub because: &'static str,
}

const OTHER_WAY: &str =
    "the rehearsal has a kubeconfig of its own, and the command would pass it by; give it to `helm csghub`";
const OTHER_IDENTITY: &str = "the rehearsal is played as the user of the session; give it to `helm csghub`";
const LOST_ENVIRONMENT: &str = "what it starts does not get the rehearsal's KUBECONFIG";
const READS_PROFILES: &str = "a login or interactive shell reads profiles, which may set a KUBECONFIG of their own";
const OTHER_STORAGE: &str = "releases in a database are not in the cluster, so that it would write for real";

/// Flags that lead to another server.
///
/// Source: `k8s.io/cli-runtime/pkg/genericclioptions` `ConfigFlags`, kubectl's `--kuberc`, Helm `pkg/cli/environment.go`.
const TO_ANOTHER_SERVER: [&str; 7] =
    ["certificate-authority", "cluster", "context", "kubeconfig", "kuberc", "server", "tls-server-name"];

/// Flags that act as someone else. Sources as above.
const AS_ANOTHER_USER: [&str; 4] = ["as", "auth-provider", "token", "user"];

/// What flags that act as someone else begin with.
const AS_ANOTHER_USER_STARTS: [&str; 2] = ["as-", "client-"];

/// Helm's flags for the cluster all begin so, those of next year too.
const HELM_CLUSTER_FLAGS: &str = "kube-";

/// Variables that lead elsewhere begin so. Sources: Helm `pkg/cli/environment.go` (`HELM_KUBE*`), client-go (`KUBECONFIG`,
/// `KUBERNETES_SERVICE_HOST`, `KUBERNETES_MASTER`), kubectl (`KUBERC`, `KUBECTL_*`), the Terraform providers (`KUBE_*`),
/// Ansible's `kubernetes.core` (`K8S_AUTH_*`).
const VARIABLE_STARTS: [&str; 3] = ["HELM_KUBE", "K8S_AUTH_", "KUBE"];

/// Programs that start others with another environment, or elsewhere.
const LOSE_THE_ENVIRONMENT: [&str; 14] = [
    "chroot",
    "doas",
    "docker",
    "nerdctl",
    "nsenter",
    "pkexec",
    "podman",
    "rsh",
    "runuser",
    "ssh",
    "su",
    "sudo",
    "systemd-run",
    "unshare",
];

/// Programs that start the one that their words name.
const STARTERS: [&str; 14] = [
    "builtin", "chrt", "command", "env", "exec", "ionice", "nice", "nohup", "setsid", "stdbuf", "taskset", "time",
    "timeout", "xargs",
];

/// What a shell sets and takes away variables with.
const SETTERS: [&str; 6] = ["declare", "export", "local", "readonly", "typeset", "unset"];

/// Programs whose words are a command line of their own.
const SHELLS: [&str; 7] = ["ash", "bash", "busybox", "dash", "ksh", "sh", "zsh"];

/// kubectl's letters that take a value: what follows in the same word is that value.
///
/// Source: `kubectl --help` and that of its commands, 1.36.
const KUBECTL_LETTERS_WITH_VALUE: &str = "cfklLnopTv";

/// Tells whether an environment variable leads a program to another server, or lets it act as someone else. `KUBECONFIG` and
/// `KUBECACHEDIR` are among them: the rehearsal sets its own.
#[must_use]
pub fn leads_elsewhere(variable: &str) -> bool {
    VARIABLE_STARTS.iter().any(|start| variable.starts_with(start))
        || matches!(variable, "HELM_DRIVER_SQL_CONNECTION_STRING" | "BASH_ENV")
}

/// Checks the storage driver of Helm's releases, the value of `HELM_DRIVER`.
///
/// # Errors
/// [`RefusedWord`] for `sql`, in whatever case: Helm then writes to a database, past the proxy.
pub fn check_driver(driver: &str) -> Result<(), RefusedWord> {
    if driver.trim().eq_ignore_ascii_case("sql") {
        return Err(RefusedWord { word: "HELM_DRIVER=sql".to_owned(), because: OTHER_STORAGE });
    }
    Ok(())
}

/// Returns the words of a command that may be rehearsed, program first: as they came.
///
/// Flags are refused wherever they stand, behind `--` too: it may be another program that reads them. In a shell's words, and in
/// those of `env`, settings of variables are looked for as well.
///
/// # Errors
/// [`RefusedWord`] for the first word that leads past the proxy.
pub fn scrub(words: &[String]) -> Result<Vec<String>, RefusedWord> {
    check_command(words)?;
    Ok(words.to_vec())
}

/// Checks a command, and those that it starts: `timeout 5m env A=b bash -c ...`. Which word is a program and which a value is not
/// known, so that each that could be one is taken for one.
fn check_command(words: &[String]) -> Result<(), RefusedWord> {
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    check_program(program)?;
    let program = base_name(program);
    let (is_starter, is_shell) = (STARTERS.contains(&program), SHELLS.contains(&program));
    for (index, word) in arguments.iter().enumerate() {
        check_flag(program, word)?;
        if program == "env" {
            check_env_word(word)?;
        }
        if is_starter {
            check_setting(word)?;
            check_program(word)?;
        }
        let is_started = STARTERS.contains(&base_name(word)) || SHELLS.contains(&base_name(word));
        if (is_starter || is_shell) && is_started {
            check_command(arguments.get(index..).unwrap_or_default())?;
        }
        if is_shell {
            word.split([';', '|', '&', '(', ')', '`', '\n']).try_for_each(check_shell_command)?;
        }
    }
    if is_shell { check_shell_options(program, arguments) } else { Ok(()) }
}

/// A shell's options end with its script.
fn check_shell_options(program: &str, arguments: &[String]) -> Result<(), RefusedWord> {
    for word in arguments.iter().take_while(|word| word.starts_with(['-', '+'])) {
        let letters = word.strip_prefix('-').filter(|letters| !letters.starts_with('-')).unwrap_or_default();
        if letters.contains(['l', 'i']) || matches!(word.as_str(), "--login" | "--rcfile" | "--init-file") {
            return Err(RefusedWord { word: format!("{program} {word}"), because: READS_PROFILES });
        }
        if letters.contains('c') {
            break;
        }
    }
    Ok(())
}

/// Checks one command of a script, as far as words alone tell. Letters are looked at where they are kubectl's: `curl -s` is none.
fn check_shell_command(text: &str) -> Result<(), RefusedWord> {
    let words = text.split_whitespace().map(|word| word.trim_matches(['\'', '"']));
    let mut program = None;
    for word in words.filter(|word| !word.is_empty()) {
        let own = base_name(program.unwrap_or_default());
        if program.is_none() || STARTERS.contains(&own) || SHELLS.contains(&own) {
            check_setting(word)?;
            check_program(word)?;
        }
        if SETTERS.contains(&own) {
            // `unset KUBECONFIG` leads to the user's own, as `KUBECONFIG=` does.
            check_setting(&format!("{}=", word.split('=').next().unwrap_or(word)))?;
            check_setting(word)?;
        }
        if program.is_none() && !word.contains('=') && word != "!" {
            program = Some(word);
        }
        if word.starts_with("--") || is_kubectl(own) {
            check_flag(own, word)?;
        }
    }
    Ok(())
}

fn base_name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

fn is_kubectl(program: &str) -> bool {
    matches!(program, "kubectl" | "oc")
}

fn check_program(word: &str) -> Result<(), RefusedWord> {
    let program = base_name(word);
    if LOSE_THE_ENVIRONMENT.contains(&program) {
        return Err(RefusedWord { word: program.to_owned(), because: LOST_ENVIRONMENT });
    }
    Ok(())
}

fn check_flag(program: &str, word: &str) -> Result<(), RefusedWord> {
    let refused = |word: &str, because| Err(RefusedWord { word: word.to_owned(), because });
    if let Some(long) = word.strip_prefix("--") {
        let typed = long.split('=').next().unwrap_or(long);
        // kubectl takes both.
        let name = typed.replace('_', "-");
        let shown = format!("--{typed}");
        if name.starts_with(HELM_CLUSTER_FLAGS) || TO_ANOTHER_SERVER.contains(&name.as_str()) {
            return refused(&shown, OTHER_WAY);
        }
        if AS_ANOTHER_USER.contains(&name.as_str())
            || AS_ANOTHER_USER_STARTS.iter().any(|start| name.starts_with(start))
        {
            return refused(&shown, OTHER_IDENTITY);
        }
        return Ok(());
    }
    let Some(letters) = word.strip_prefix('-') else { return Ok(()) };
    if letters == "s" || letters.starts_with("s=") {
        return refused("-s", OTHER_WAY);
    }
    // Letters may be typed together, with a value behind them.
    if is_kubectl(program) {
        let has_server = letters
            .chars()
            .take_while(|letter| *letter != '=' && !KUBECTL_LETTERS_WITH_VALUE.contains(*letter))
            .any(|letter| letter == 's');
        if has_server {
            return refused("-s", OTHER_WAY);
        }
    }
    Ok(())
}

/// `env -i` and `env -u` take the rehearsal's variables away, `env KUBECONFIG=...` changes them.
fn check_env_word(word: &str) -> Result<(), RefusedWord> {
    let takes_away = matches!(word, "-" | "--ignore-environment")
        || word.starts_with("--unset")
        || (word.starts_with('-') && !word.starts_with("--") && word.contains(['i', 'u']));
    if takes_away {
        let shown = word.split('=').next().unwrap_or(word);
        return Err(RefusedWord { word: format!("env {shown}"), because: LOST_ENVIRONMENT });
    }
    check_setting(word)
}

fn check_setting(word: &str) -> Result<(), RefusedWord> {
    let Some((name, value)) = word.split_once('=') else { return Ok(()) };
    if leads_elsewhere(name) {
        return Err(RefusedWord { word: format!("{name}="), because: OTHER_WAY });
    }
    if name == "HELM_DRIVER" { check_driver(value) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scrubbed(line: &str) -> Result<Vec<String>, RefusedWord> {
        scrub(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    fn refused(line: &str) -> String {
        scrubbed(line).err().unwrap_or_else(|| panic!("`{line}` is let through")).word
    }

    const FLAGS: [&str; 27] = [
        "kubeconfig",
        "kube-context",
        "kube-apiserver",
        "kube-token",
        "kube-ca-file",
        "kube-as-user",
        "kube-as-group",
        "kube-tls-server-name",
        "kube-insecure-skip-tls-verify",
        "kube-of-next-year",
        "context",
        "cluster",
        "user",
        "server",
        "token",
        "as",
        "as-group",
        "as-uid",
        "as-user-extra",
        "certificate-authority",
        "client-certificate",
        "client-key",
        "tls-server-name",
        "kuberc",
        "certificate_authority",
        "tls_server_name",
        "client_key",
    ];

    #[test]
    fn a_flag_that_leads_past_the_proxy_is_refused_in_every_form_and_place() {
        for flag in FLAGS {
            for program in ["helm", "kubectl", "/usr/bin/kubectl", "./deploy.sh", "helmfile"] {
                for line in [
                    format!("{program} --{flag} s3cr3t apply"),
                    format!("{program} --{flag}=s3cr3t apply"),
                    format!("{program} apply -f x --{flag} s3cr3t"),
                    format!("{program} apply -- --{flag}=s3cr3t"),
                ] {
                    assert_eq!(refused(&line), format!("--{flag}"), "{line}");
                    let error = scrubbed(&line).expect_err("refused").to_string();
                    assert!(!error.contains("s3cr3t"), "a value may be a secret: {error}");
                }
            }
        }
    }

    #[test]
    fn kubectls_letter_for_the_server_is_found_among_others() {
        for line in [
            "kubectl get pods -s https://a",
            "kubectl -shttps://a",
            "kubectl get -As https://a",
            "oc -s=a get",
            "kubectl apply -Rs=https://a -f x",
            "./deploy.sh -s https://a",
        ] {
            assert_eq!(refused(line), "-s", "{line}");
        }
        for line in [
            "kubectl get pods -nshop",
            "kubectl get pods -lapp=sets",
            "kubectl apply -Rfsome.yaml",
            "kubectl get -ojson",
            "helm list -a --short",
            "./deploy.sh -silent",
        ] {
            assert!(scrubbed(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn helms_flags_for_repositories_are_not_the_clusters() {
        let line = "helm upgrade shop ./chart -n prod --username u --password p --ca-file c --insecure-skip-tls-verify \
                    --set-string arg=--server=x --set KUBECONFIG=/x --timeout 5m --description as-is --atomic";
        assert_eq!(scrubbed(line).expect("let through").join(" "), line);
    }

    #[test]
    fn a_program_that_loses_the_environment_is_refused() {
        for (line, word) in [
            ("sudo helm upgrade", "sudo"),
            ("/usr/bin/ssh host helm list", "ssh"),
            ("docker run helm", "docker"),
            ("timeout 5m sudo helm upgrade", "sudo"),
            ("env A=b sudo helm upgrade", "sudo"),
            ("env -i helm list", "env -i"),
            ("env -u KUBECONFIG helm list", "env -u"),
            ("env --unset=KUBECONFIG helm list", "env --unset"),
            ("env KUBECONFIG=/x helm list", "KUBECONFIG="),
            ("env A=b HELM_KUBETOKEN=s3cr3t helm list", "HELM_KUBETOKEN="),
            ("env HELM_DRIVER=SQL helm list", "HELM_DRIVER=sql"),
            ("timeout 10m env KUBECONFIG=/x helm upgrade", "KUBECONFIG="),
            ("timeout 10m env -i helm upgrade", "env -i"),
            ("nohup nice env A=b sudo helm upgrade", "sudo"),
            ("bash -l deploy.sh", "bash -l"),
            ("bash -lc ls", "bash -lc"),
            ("nice bash --login deploy.sh", "bash --login"),
        ] {
            assert_eq!(refused(line), word, "{line}");
        }
        assert!(scrubbed("env HELM_DRIVER=configmap A=b helm list").is_ok());
    }

    #[test]
    fn a_shells_words_are_looked_into() {
        for (script, word) in [
            ("kubectl apply --server=https://a -f x", "--server"),
            ("set -e; KUBECONFIG=/x kubectl apply", "KUBECONFIG="),
            ("echo a && (sudo helm upgrade)", "sudo"),
            ("kubectl -s https://a get pods", "-s"),
            ("true && A=b kubectl get -As https://a", "-s"),
            ("exec sudo helm upgrade", "sudo"),
            ("A=b HELM_KUBETOKEN=x helm upgrade", "HELM_KUBETOKEN="),
            ("export KUBECONFIG=/x; helm upgrade", "KUBECONFIG="),
            ("unset KUBECONFIG; helm upgrade", "KUBECONFIG="),
            ("declare -x KUBECONFIG=/x && helm upgrade", "KUBECONFIG="),
            ("timeout 5m env KUBECONFIG=/x helm upgrade", "KUBECONFIG="),
            ("bash -c 'KUBECONFIG=/x helm upgrade'", "KUBECONFIG="),
        ] {
            for start in [&["bash", "-ec"][..], &["nice", "bash", "-c"], &["env", "A=b", "sh", "-c"]] {
                let words: Vec<String> = start.iter().chain([&script]).map(|word| (*word).to_owned()).collect();
                assert_eq!(scrub(&words).expect_err("refused").word, word, "{start:?} {script}");
            }
        }
        for script in [
            "helm upgrade shop . -n shop --set KUBECONFIG=b && kubectl -n shop get pods",
            "curl -s https://a | grep -rs x; echo sudo",
            "set -eu; unset A; export B=c; timeout 5m helm upgrade shop .",
        ] {
            let words = ["sh", "-c", script].map(str::to_owned);
            assert_eq!(scrub(&words).map(|_| ()), Ok(()), "{script}");
        }
    }

    #[test]
    fn only_a_database_as_storage_is_refused() {
        for driver in ["", "secret", "secrets", "configmap", "memory"] {
            assert_eq!(check_driver(driver), Ok(()), "{driver}");
        }
        for driver in ["sql", "SQL", "Sql"] {
            assert!(check_driver(driver).is_err(), "{driver}");
        }
    }

    #[test]
    fn variables_of_the_cluster_are_known_and_others_left() {
        for name in [
            "KUBECONFIG",
            "KUBERNETES_SERVICE_HOST",
            "KUBERNETES_SERVICE_PORT",
            "KUBERNETES_MASTER",
            "KUBE_TOKEN",
            "KUBERC",
            "HELM_KUBEAPISERVER",
            "HELM_KUBEASGROUPS",
            "HELM_KUBE_OF_NEXT_YEAR",
            "K8S_AUTH_HOST",
        ] {
            assert!(leads_elsewhere(name), "{name}");
        }
        for name in
            ["HELM_NAMESPACE", "HELM_BURST_LIMIT", "HELM_QPS", "HELM_DRIVER", "HELM_PLUGINS", "PATH", "HTTPS_PROXY"]
        {
            assert!(!leads_elsewhere(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn what_is_let_through_is_not_changed(words in prop::collection::vec("[ -~]{0,12}", 0..6)) {
            if let Ok(scrubbed) = scrub(&words) {
                prop_assert_eq!(scrubbed, words);
            }
        }

        #[test]
        fn no_words_around_it_hide_a_flag(before in prop::collection::vec("[a-z./=-]{0,8}", 1..5),
            flag in prop::sample::select(FLAGS.to_vec()), after in prop::collection::vec("[a-z./=-]{0,8}", 0..5)) {
            let mut words = before;
            words.push(format!("--{flag}"));
            words.extend(after);
            prop_assert!(scrub(&words).is_err());
        }
    }
}
