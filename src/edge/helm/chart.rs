//! Charts: pulled once into the run folder, so that every later Helm process reads the same bytes.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{Helm, HelmError};
use crate::domain::chart::ChartMetadata;

/// A chart may not be larger than this, in bytes, unpacked. Helm's own limit is 100 MiB.
///
/// Source: Helm `pkg/chart/loader/archive` `MaxDecompressedChartSize`.
const CHART_LIMIT_BYTES: u64 = 256 * 1024 * 1024;

/// Folders may not be nested deeper than this: the guard against symlinks in a circle.
const DEPTH_LIMIT: usize = 64;

/// Folders of version control: never a part of a chart, often large, and changed by every commit.
const LEFT_OUT: [&str; 4] = [".git", ".hg", ".svn", ".bzr"];

/// Which chart to pull.
#[derive(Debug, Clone, Copy)]
pub struct PullRequest<'a> {
    /// As the user named it: a folder, an archive, `repo/name`, a URL, `oci://...`, or a name with `--repo`.
    pub chart: &'a str,
    /// Flags that say where it comes from, from [`crate::domain::helm_flags::HelmArgs::source_words`].
    pub source_flags: &'a [String],
    /// Whether missing dependencies of a folder are fetched first, as `helm upgrade --dependency-update` does: into the
    /// user's own folder.
    pub updates_dependencies: bool,
}

/// A chart in the run folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PulledChart {
    /// Folder or archive.
    pub path: PathBuf,
    /// What it says of itself.
    pub metadata: ChartMetadata,
    /// `sha256:...` over the sorted paths and contents of its files; the same for a folder and for an archive of that
    /// folder. (`helm package` rewrites `Chart.yaml`, so a packaged chart has a digest of its own.)
    pub digest: String,
}

impl Helm {
    /// Copies the chart into `into`, a folder that is empty or does not exist. A path that exists is copied (symlinks
    /// followed, `.helmignore` left to Helm), anything else is left to `helm pull`.
    ///
    /// # Errors
    /// [`HelmError::NoChart`] for what is no chart, [`HelmError::File`], and Helm's own failures.
    pub async fn pull_chart(&self, request: &PullRequest<'_>, into: &Path) -> Result<PulledChart, HelmError> {
        let failed = |doing| move |source| HelmError::File { doing, path: into.to_owned(), source };
        fs::create_dir_all(into).map_err(failed("create"))?;
        // Helm decides the same way: what exists as a path is one, even with --repo.
        let local = Path::new(request.chart);
        let path = match fs::metadata(local) {
            Ok(found) if found.is_dir() => {
                if request.updates_dependencies && has_missing_dependencies(local)? {
                    self.ask("dependency update", "", &["dependency".into(), "update".into(), local.into()]).await?;
                }
                let copy = into.join("chart");
                let files = read_folder(local)?;
                write_files(&files, &copy)?;
                copy
            }
            Ok(_) => {
                let copy = into.join(local.file_name().unwrap_or_else(|| "chart.tgz".as_ref()));
                fs::copy(local, &copy).map_err(|source| HelmError::File {
                    doing: "copy",
                    path: local.to_owned(),
                    source,
                })?;
                copy
            }
            Err(_) => {
                let mut words: Vec<OsString> = vec!["pull".into(), request.chart.into()];
                words.extend(request.source_flags.iter().map(OsString::from));
                words.extend(["--destination".into(), into.into()]);
                self.ask("pull", "", &words).await?;
                only_archive(into)?
            }
        };
        restrict(into).map_err(failed("restrict"))?;
        let files = if path.is_dir() { read_folder(&path)? } else { read_archive(&path, request.chart)? };
        Ok(PulledChart { metadata: read_metadata(&files, request.chart)?, digest: digest(&files), path })
    }
}

/// Charts may hold passwords among their default values: folders 0700, files 0600.
fn restrict(path: &Path) -> io::Result<()> {
    if !path.is_dir() {
        return fs::set_permissions(path, fs::Permissions::from_mode(0o600));
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(path)? {
        restrict(&entry?.path())?;
    }
    Ok(())
}

/// The files of a chart by their path within it, sorted, separated by `/`.
type Files = Vec<(String, Vec<u8>)>;

fn read_folder(root: &Path) -> Result<Files, HelmError> {
    let mut files = Files::new();
    let mut left = CHART_LIMIT_BYTES;
    let mut folders = vec![(root.to_owned(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        let failed = |source| HelmError::File { doing: "read", path: folder.clone(), source };
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                return Err(no_chart(root.display(), format!("the name of `{}` is not UTF-8", path.display())));
            };
            let within = format!("{prefix}{name}");
            let failed = |source| HelmError::File { doing: "read", path: path.clone(), source };
            let found = fs::metadata(&path).map_err(failed)?;
            if found.is_dir() && !LEFT_OUT.contains(&name) {
                if depth == DEPTH_LIMIT {
                    return Err(no_chart(root.display(), format!("`{within}` lies deeper than {DEPTH_LIMIT} folders")));
                }
                folders.push((path, format!("{within}/"), depth + 1));
            } else if found.is_file() {
                let content = fs::read(&path).map_err(failed)?;
                left = spend(left, content.len(), &root.display())?;
                files.push((within, content));
            }
        }
    }
    files.sort();
    Ok(files)
}

fn read_archive(path: &Path, chart: &str) -> Result<Files, HelmError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            no_chart(chart, format!("not a whole gzipped tar archive ({source})"))
        }
        _ => HelmError::File { doing: "read", path: path.to_owned(), source },
    };
    let file = fs::File::open(path).map_err(failed)?;
    // One byte more than allowed, so that too much is told from just enough.
    let unpacked = flate2::read::MultiGzDecoder::new(io::BufReader::new(file)).take(CHART_LIMIT_BYTES + 1);
    let mut archive = tar::Archive::new(unpacked);
    let mut files = Files::new();
    let mut left = CHART_LIMIT_BYTES;
    for entry in archive.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        let kind = entry.header().entry_type();
        if kind.is_dir() || kind.is_pax_global_extensions() {
            continue;
        }
        let named = String::from_utf8(entry.path_bytes().into_owned())
            .map_err(|_| no_chart(chart, "a path in the archive is not UTF-8".to_owned()))?;
        let within = path_within(&named).map_err(|because| no_chart(chart, because))?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(failed)?;
        left = spend(left, content.len(), &chart)?;
        files.push((within, content));
    }
    files.sort();
    Ok(files)
}

/// Returns the path below the archive's one top folder.
///
/// Source: Helm `pkg/chart/loader/archive` `LoadArchiveFiles`, which refuses the same.
fn path_within(named: &str) -> Result<String, String> {
    let path = named.replace('\\', "/");
    let mut parts = Vec::new();
    for part in Path::new(&path).components() {
        match part {
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            Component::CurDir => {}
            Component::ParentDir => return Err(format!("`{named}` in the archive points out of it")),
            Component::RootDir | Component::Prefix(_) => {
                return Err(format!("`{named}` in the archive is an absolute path"));
            }
        }
    }
    match parts.split_first() {
        Some((_, within)) if !within.is_empty() => Ok(within.join("/")),
        _ => Err(format!("`{named}` lies outside of the archive's top folder")),
    }
}

fn spend(left: u64, bytes: usize, chart: &dyn std::fmt::Display) -> Result<u64, HelmError> {
    left.checked_sub(bytes as u64).ok_or_else(|| no_chart(chart, format!("larger than {CHART_LIMIT_BYTES} bytes")))
}

fn write_files(files: &Files, root: &Path) -> Result<(), HelmError> {
    for (within, content) in files {
        let path = root.join(within);
        let failed = |doing| {
            let path = path.clone();
            move |source| HelmError::File { doing, path, source }
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed("create"))?;
        }
        fs::write(&path, content).map_err(failed("write"))?;
    }
    Ok(())
}

fn only_archive(folder: &Path) -> Result<PathBuf, HelmError> {
    let failed = |source| HelmError::File { doing: "read", path: folder.to_owned(), source };
    let mut archives = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        // Beside it `--verify` puts a .prov file.
        if path.extension().is_some_and(|extension| extension == "tgz" || extension == "gz") {
            archives.push(path);
        }
    }
    match archives.pop() {
        Some(archive) if archives.is_empty() => Ok(archive),
        _ => Err(HelmError::Answer { verb: "pull", what: format!("not one archive in `{}`", folder.display()) }),
    }
}

fn digest(files: &Files) -> String {
    let mut hash = Sha256::new();
    for (within, content) in files {
        // Lengths keep a name and a content from running into each other.
        for bytes in [within.as_bytes(), content] {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        }
    }
    let hex = hash.finalize().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    format!("sha256:{hex}")
}

fn read_metadata(files: &Files, chart: &str) -> Result<ChartMetadata, HelmError> {
    let text = chart_yaml(files).ok_or_else(|| no_chart(chart, "it has no Chart.yaml".to_owned()))?;
    serde_saphyr::from_str(text)
        .map_err(|error| no_chart(chart, format!("its Chart.yaml cannot be read: {}", first_line(&error))))
}

fn chart_yaml(files: &Files) -> Option<&str> {
    let (_, content) = files.iter().find(|(within, _)| within == "Chart.yaml")?;
    std::str::from_utf8(content).ok()
}

/// A dependency in `Chart.yaml`.
#[derive(Deserialize)]
struct Dependency {
    name: String,
}

#[derive(Deserialize)]
struct Dependencies {
    #[serde(default)]
    dependencies: Vec<Dependency>,
}

/// Tells whether `charts/` lacks a dependency that `Chart.yaml` names, by name as Helm does.
fn has_missing_dependencies(chart: &Path) -> Result<bool, HelmError> {
    let path = chart.join("Chart.yaml");
    let text = fs::read_to_string(&path).map_err(|source| HelmError::File { doing: "read", path, source })?;
    let wanted: Dependencies = serde_saphyr::from_str(&text)
        .map_err(|error| no_chart(chart.display(), format!("its Chart.yaml cannot be read: {}", first_line(&error))))?;
    let there: Vec<String> = fs::read_dir(chart.join("charts"))
        .map(|entries| entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
        .unwrap_or_default();
    Ok(wanted.dependencies.iter().any(|dependency| {
        let archive = format!("{}-", dependency.name);
        !there.iter().any(|entry| *entry == dependency.name || entry.starts_with(&archive))
    }))
}

fn first_line(error: &dyn std::fmt::Display) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

fn no_chart(chart: impl std::fmt::Display, because: String) -> HelmError {
    HelmError::NoChart { chart: chart.to_string(), because }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHART_YAML: &str =
        "apiVersion: v2\nname: shop\nversion: 1.2.3\nappVersion: \"7\"\nkubeVersion: \">=1.28.0-0\"\n";

    fn shop() -> Files {
        vec![
            ("Chart.yaml".to_owned(), CHART_YAML.as_bytes().to_vec()),
            ("templates/a.yaml".to_owned(), b"kind: ConfigMap\n".to_vec()),
            ("values.yaml".to_owned(), b"{}\n".to_vec()),
        ]
    }

    /// Packs without the crate's own checks of paths, which a hostile archive does not make either.
    fn pack(entries: &[(&str, &[u8])]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let gzip = flate2::write::GzEncoder::new(file.reopen().expect("a handle"), flate2::Compression::fast());
        let mut archive = tar::Builder::new(gzip);
        for (path, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.as_gnu_mut().expect("gnu").name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            archive.append(&header, *content).expect("an entry");
        }
        archive.into_inner().expect("a whole archive").finish().expect("a whole file");
        file
    }

    #[test]
    fn a_folder_and_an_archive_of_it_have_the_same_digest() {
        let folder = tempfile::tempdir().expect("a folder");
        write_files(&shop(), folder.path()).expect("written");
        let packed: Vec<(String, Vec<u8>)> =
            shop().into_iter().rev().map(|(within, content)| (format!("shop/{within}"), content)).collect();
        let entries: Vec<(&str, &[u8])> =
            packed.iter().map(|(path, content)| (path.as_str(), content.as_slice())).collect();
        let archive = pack(&entries);
        let from_folder = read_folder(folder.path()).expect("a chart");
        assert_eq!(from_folder, read_archive(archive.path(), "shop.tgz").expect("a chart"));
        assert_eq!(read_metadata(&from_folder, "shop").expect("metadata").kube_version.as_deref(), Some(">=1.28.0-0"));
    }

    #[test]
    fn the_digest_knows_names_contents_and_where_one_ends() {
        let of = |within: &str, content: &str| digest(&vec![(within.to_owned(), content.as_bytes().to_vec())]);
        assert_ne!(of("ab", "c"), of("a", "bc"));
        assert_ne!(of("a", "b"), of("a", "c"));
        assert_eq!(of("a", "b").len(), "sha256:".len() + 64);
    }

    #[test]
    fn an_archive_that_points_outside_is_refused() {
        for (path, why) in [
            ("shop/../../etc/passwd", "points out of it"),
            ("/etc/passwd", "is an absolute path"),
            ("Chart.yaml", "lies outside of the archive's top folder"),
            ("..\\x", "points out of it"),
        ] {
            let archive = pack(&[("shop/Chart.yaml", CHART_YAML.as_bytes()), (path, b"x")]);
            let error = read_archive(archive.path(), "shop.tgz").expect_err(path).to_string();
            assert!(error.contains(why), "{path}: {error}");
        }
    }

    #[test]
    fn a_file_that_is_no_archive_is_no_chart() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), "not gzip at all").expect("written");
        assert!(
            read_archive(file.path(), "x.tgz").expect_err("no gzip").to_string().starts_with("`x.tgz` is no chart")
        );
        let whole = fs::read(pack(&[("shop/Chart.yaml", CHART_YAML.as_bytes())]).path()).expect("read");
        fs::write(file.path(), &whole[..whole.len() / 2]).expect("written");
        assert!(read_archive(file.path(), "x.tgz").is_err(), "cut off");
    }

    #[test]
    fn symlinks_are_followed_but_not_in_a_circle() {
        let folder = tempfile::tempdir().expect("a folder");
        let elsewhere = tempfile::tempdir().expect("a folder");
        write_files(&shop(), folder.path()).expect("written");
        fs::write(elsewhere.path().join("linked.yaml"), "kind: Secret\n").expect("written");
        std::os::unix::fs::symlink(elsewhere.path().join("linked.yaml"), folder.path().join("templates/b.yaml"))
            .expect("a link");
        let names: Vec<String> = read_folder(folder.path()).expect("a chart").into_iter().map(|file| file.0).collect();
        assert_eq!(names, ["Chart.yaml", "templates/a.yaml", "templates/b.yaml", "values.yaml"]);
        std::os::unix::fs::symlink(folder.path(), folder.path().join("templates/again")).expect("a link");
        assert!(read_folder(folder.path()).is_err(), "a circle");
    }

    #[test]
    fn version_control_is_no_part_of_a_chart() {
        let folder = tempfile::tempdir().expect("a folder");
        write_files(&shop(), folder.path()).expect("written");
        fs::create_dir(folder.path().join(".git")).expect("a folder");
        fs::write(folder.path().join(".git/index"), "x").expect("written");
        assert_eq!(read_folder(folder.path()).expect("a chart"), shop());
    }

    #[test]
    fn a_chart_without_its_yaml_says_so() {
        let files = vec![("values.yaml".to_owned(), Vec::new())];
        let error = read_metadata(&files, "./x").expect_err("no Chart.yaml").to_string();
        assert_eq!(error, "`./x` is no chart: it has no Chart.yaml");
    }

    #[test]
    fn dependencies_are_missed_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let with_dependency =
            format!("{CHART_YAML}dependencies:\n- name: redis\n  version: 1.x.x\n  repository: file://../r\n");
        fs::write(folder.path().join("Chart.yaml"), with_dependency).expect("written");
        assert!(has_missing_dependencies(folder.path()).expect("a chart"));
        fs::create_dir_all(folder.path().join("charts/redis")).expect("a folder");
        assert!(!has_missing_dependencies(folder.path()).expect("a chart"));
    }
}
