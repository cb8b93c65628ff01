//! Our post-renderer in a Helm command of ours, with the user's own before it.
//!
//! Helm 3 takes a program by its path. Helm 4 takes the name of a plugin: ours lies in the folder `postrenderer` of our own plugin,
//! one folder deeper than Helm looks, so that `HELM_PLUGINS` must name the plugin's folder too. Where we do not run as that plugin,
//! the run folder gets a plugin of its own.
//!
//! Source: Helm 3 `pkg/postrender/exec.go`; Helm 4 `pkg/postrenderer/postrenderer.go`, `internal/plugin`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use thiserror::Error;

use super::{Helm, HelmError};
use crate::domain::post_rendering::{
    FIRST_VARIABLE, FOLDER_VARIABLE, FirstRenderer, IN_RUN_FLAG, MODE_VARIABLE, Mode, RULES_VARIABLE,
};
use crate::domain::yaml;

/// The name in `postrenderer/plugin.yaml`.
const PLUGIN_NAME: &str = "csghub-postrender";

/// The word by which our program is a post-renderer.
const COMMAND: &str = "post-render";

/// Which post-renderer a command gets.
#[derive(Debug, Clone, Copy)]
pub struct PostRendering<'a> {
    /// What ours does.
    pub mode: Mode,
    /// The run folder.
    pub folder: &'a Path,
    /// The user's own, by name, and its arguments.
    pub first: Option<(&'a str, &'a [&'a str])>,
    /// The file with the rules, if there are any.
    pub rules: Option<&'a Path>,
}

/// A Helm command cannot be given our post-renderer.
#[derive(Debug, Error)]
pub enum PostRendererError {
    /// The user's own cannot run as our child.
    #[error("your post-renderer `{name}` cannot run before ours: {because}")]
    First {
        /// As the user named it.
        name: String,
        /// Why not.
        because: String,
    },
    /// Its folder cannot be made.
    #[error("cannot lay out our post-renderer in `{}`", folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Helm cannot be asked.
    #[error(transparent)]
    Helm(#[from] HelmError),
}

impl Helm {
    /// Returns this Helm with what our post-renderer needs in its environment, and the flags that name it. The user's own flags for
    /// a post-renderer must not be given besides.
    ///
    /// # Errors
    /// [`PostRendererError`].
    pub async fn with_post_renderer(
        &self,
        major: u64,
        rendering: &PostRendering<'_>,
    ) -> Result<(Self, Vec<String>), PostRendererError> {
        let mut environment =
            self.environment.clone().with(MODE_VARIABLE, rendering.mode.word()).with(FOLDER_VARIABLE, rendering.folder);
        let (name, arguments, first) = if major < 4 {
            let first = rendering.first.map(|(name, arguments)| program(name, arguments));
            (self.guard.to_string_lossy().into_owned(), vec![COMMAND, IN_RUN_FLAG], first)
        } else {
            let known = self.plugin_folders().await?;
            let first = rendering.first.map(|(name, arguments)| plugin(&known, name, arguments)).transpose()?;
            // Ours first: Helm takes the first of that name.
            let folders = std::iter::once(self.own_plugins(rendering.folder)?).chain(known);
            let list = std::env::join_paths(folders).map_err(|error| PostRendererError::Folder {
                folder: rendering.folder.to_owned(),
                source: io::Error::other(error),
            })?;
            environment = environment.with("HELM_PLUGINS", list);
            (PLUGIN_NAME.to_owned(), vec![IN_RUN_FLAG], first)
        };
        environment = match first {
            Some(first) => environment.with(FIRST_VARIABLE, json(&first)),
            None => environment.without(FIRST_VARIABLE),
        };
        environment = match rendering.rules {
            Some(rules) => environment.with(RULES_VARIABLE, rules),
            None => environment.without(RULES_VARIABLE),
        };
        let mut flags = vec!["--post-renderer".to_owned(), name];
        flags.extend(arguments.iter().flat_map(|word| ["--post-renderer-args".to_owned(), (*word).to_owned()]));
        Ok((self.clone().with_environment(environment), flags))
    }

    /// Returns the folders in which Helm looks for plugins.
    async fn plugin_folders(&self) -> Result<Vec<PathBuf>, HelmError> {
        let answer = self.ask("env", "", &["env".into(), "HELM_PLUGINS".into()]).await?;
        let text = String::from_utf8_lossy(&answer);
        // A WARNING about a plugin may stand before it.
        let list = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        Ok(std::env::split_paths(list.trim()).filter(|folder| !folder.as_os_str().is_empty()).collect())
    }

    /// Returns a folder in which a plugin of our name starts this very program.
    fn own_plugins(&self, run_folder: &Path) -> Result<PathBuf, PostRendererError> {
        if let Some(installed) = std::env::var_os("HELM_PLUGIN_DIR").map(PathBuf::from)
            && installed.join("postrenderer/plugin.yaml").is_file()
            && is_same_file(&installed.join("bin/csghub"), &self.guard)
        {
            return Ok(installed);
        }
        let folder = run_folder.join("plugins");
        lay_out(&folder.join(PLUGIN_NAME), &self.guard)
            .map_err(|source| PostRendererError::Folder { folder: folder.clone(), source })?;
        Ok(folder)
    }
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    fs::canonicalize(one).ok().zip(fs::canonicalize(other).ok()).is_some_and(|(one, other)| one == other)
}

/// Makes a plugin whose command is a link to `program`: a path in the command would be cut at its spaces.
fn lay_out(folder: &Path, program: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let link = folder.join("csghub");
    match fs::remove_file(&link) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    symlink(program, link)?;
    let version = env!("CARGO_PKG_VERSION");
    let manifest = format!(
        "apiVersion: v1\nname: {PLUGIN_NAME}\nversion: {version}\ntype: postrenderer/v1\nruntime: subprocess\nconfig: {{}}\n\
         runtimeConfig:\n  platformCommand:\n    - command: \"${{HELM_PLUGIN_DIR}}/csghub\"\n      args: [\"{COMMAND}\"]\n"
    );
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(folder.join("plugin.yaml"));
    file?.write_all(manifest.as_bytes())
}

fn json(first: &FirstRenderer) -> OsString {
    // Plain texts: this cannot fail, and a post-renderer that cannot read it says so.
    serde_json::to_string(first).unwrap_or_default().into()
}

/// Helm 3: a program by path or name.
fn program(name: &str, arguments: &[&str]) -> FirstRenderer {
    FirstRenderer {
        name: name.to_owned(),
        program: name.to_owned(),
        arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
        environment: BTreeMap::new(),
    }
}

/// Helm 4: a plugin by name.
fn plugin(folders: &[PathBuf], name: &str, arguments: &[&str]) -> Result<FirstRenderer, PostRendererError> {
    let because = |because: String| PostRendererError::First { name: name.to_owned(), because };
    for folder in folders {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        let mut plugins: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        plugins.sort();
        for path in plugins {
            let Ok(text) = fs::read_to_string(path.join("plugin.yaml")) else { continue };
            let Ok(manifest) = yaml::parse_mapping(&text) else { continue };
            if text_of(&manifest, "name") == name && text_of(&manifest, "type") == "postrenderer/v1" {
                return command_of(&manifest, &path, name, arguments).map_err(because);
            }
        }
    }
    Err(because("no plugin of type postrenderer/v1 has that name".to_owned()))
}

fn text_of<'m>(manifest: &'m Map<String, Value>, field: &str) -> &'m str {
    manifest.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Returns what Helm 4 would start for that plugin.
///
/// Source: Helm 4 `internal/plugin/subprocess_commands.go`: the command is cut at spaces, then variables are put in.
fn command_of(
    manifest: &Map<String, Value>,
    folder: &Path,
    name: &str,
    arguments: &[&str],
) -> Result<FirstRenderer, String> {
    let runtime = text_of(manifest, "runtime");
    if !matches!(runtime, "subprocess" | "") {
        return Err(format!("it is no program, its runtime is `{runtime}`"));
    }
    let commands = manifest.get("runtimeConfig").and_then(|config| config.get("platformCommand"));
    let commands = commands.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let command = for_this_platform(commands).ok_or("it has no command for this platform")?;
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()).to_string_lossy().into_owned();
    let environment =
        BTreeMap::from([("HELM_PLUGIN_NAME".to_owned(), name.to_owned()), ("HELM_PLUGIN_DIR".to_owned(), folder)]);
    let value = |variable: &str| {
        let inherited = || std::env::var(variable).unwrap_or_default();
        environment.get(variable).cloned().unwrap_or_else(inherited)
    };
    let text = |field: &str| command.get(field).and_then(Value::as_str).unwrap_or_default();
    let mut words = text("command").split(' ').map(|word| expand(word, &value));
    let program = words.next().filter(|program| !program.is_empty()).ok_or("its command is empty")?;
    let own = command.get("args").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let own = own.iter().filter_map(Value::as_str).map(|word| expand(word, &value));
    let arguments = words.chain(own).chain(arguments.iter().map(|&word| word.to_owned())).collect();
    Ok(FirstRenderer { name: name.to_owned(), program, arguments, environment })
}

/// Returns the command for this system and processor, else for this system, else for any.
fn for_this_platform(commands: &[Value]) -> Option<&Value> {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        system => system,
    };
    let processor = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        processor => processor,
    };
    let is = |command: &Value, system: &str, processor: &str| {
        let text = |field: &str| command.get(field).and_then(Value::as_str).unwrap_or_default();
        text("os").eq_ignore_ascii_case(system) && text("arch").eq_ignore_ascii_case(processor)
    };
    let choices = [(system, processor), (system, ""), ("", "")];
    choices.into_iter().find_map(|(system, processor)| commands.iter().find(|command| is(command, system, processor)))
}

/// Returns the text with `$NAME` and `${NAME}` replaced.
///
/// Source: Go `os.Expand`, as far as names of variables go.
fn expand(text: &str, value: &dyn Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let (name, behind) = match after.strip_prefix('{').and_then(|after| after.split_once('}')) {
            Some(braced) => braced,
            None => after.split_at(after.find(|letter| !is_name(letter)).unwrap_or(after.len())),
        };
        if name.is_empty() {
            out.push('$');
        } else {
            out.push_str(&value(name));
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "apiVersion: v1\nname: kustomize\nversion: 1.0.0\ntype: postrenderer/v1\nruntime: subprocess\n\
        runtimeConfig:\n  platformCommand:\n    - {os: plan9, command: nothing}\n    - {command: \"$HELM_PLUGIN_DIR/run build\", \
        args: [\"--name=${HELM_PLUGIN_NAME}\", \"$\"]}\n";

    #[test]
    fn a_plugins_command_is_found_by_its_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a plugin");
        fs::create_dir(&path).expect("a folder");
        fs::write(path.join("plugin.yaml"), MANIFEST).expect("written");
        let folders = [folder.path().join("not there"), folder.path().to_owned()];
        let first = plugin(&folders, "kustomize", &["--last"]).expect("it is there");
        let dir = path.to_string_lossy();
        assert_eq!(first.program, format!("{dir}/run"));
        assert_eq!(first.arguments, ["build", "--name=kustomize", "$", "--last"]);
        assert_eq!(first.environment.get("HELM_PLUGIN_DIR").map(String::as_str), Some(dir.as_ref()));
        let error = plugin(&folders, "other", &[]).expect_err("no such plugin");
        assert!(error.to_string().contains("no plugin of type postrenderer/v1"), "{error}");
    }

    #[test]
    fn a_plugin_that_is_no_program_cannot_run_before_ours() {
        let manifest = yaml::parse_mapping(&MANIFEST.replace("subprocess", "extism/v1")).expect("YAML");
        let because = command_of(&manifest, Path::new("/p"), "x", &[]).expect_err("no program");
        assert!(because.contains("extism/v1"), "{because}");
    }

    #[test]
    fn the_command_for_this_system_comes_before_that_for_any() {
        let any = serde_json::json!({"command": "any"});
        let own = serde_json::json!({"os": "linux", "command": "own"});
        let found = for_this_platform(&[any.clone(), own.clone()]).cloned();
        assert_eq!(found, Some(if cfg!(target_os = "linux") { own } else { any }));
    }

    #[test]
    fn a_plugin_of_the_runs_own_starts_this_program() {
        let folder = tempfile::tempdir().expect("a folder");
        for _ in 0..2 {
            lay_out(&folder.path().join("plugins"), Path::new("/a path/csghub")).expect("laid out");
        }
        let link = fs::read_link(folder.path().join("plugins/csghub")).expect("a link");
        assert_eq!(link, Path::new("/a path/csghub"));
        let manifest = fs::read_to_string(folder.path().join("plugins/plugin.yaml")).expect("a file");
        let shipped = include_str!("../../../postrenderer/plugin.yaml");
        let (own, shipped) =
            (yaml::parse_mapping(&manifest).expect("YAML"), yaml::parse_mapping(shipped).expect("YAML"));
        for field in ["apiVersion", "name", "version", "type", "runtime"] {
            assert_eq!(own.get(field), shipped.get(field), "{field}");
        }
    }
}
