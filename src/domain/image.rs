//! Names of images, as container runtimes read them: `[registry/]path[:tag][@digest]`; where objects name them.
//!
//! Source: `github.com/distribution/reference` `regexp.go`, `normalize.go`.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// The keys below which a pod's containers stand, in a workload or in a custom resource that holds a pod template.
pub const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Keys of lists that hold what is run like a container.
///
/// Source: Argo Workflows, `Template`; Tekton, `TaskSpec`.
pub const MORE_LISTS: [&str; 2] = ["sidecars", "steps"];

/// Keys of what is run like a container. Source: as [`MORE_LISTS`].
pub const SINGLE: [&str; 3] = ["container", "script", "stepTemplate"];

/// Images that are mounted: `volumes[].image.reference`.
///
/// Source: Kubernetes API reference, `ImageVolumeSource`.
pub const VOLUMES: &str = "volumes";

/// Where an image without a registry comes from.
const DEFAULT_REGISTRY: &str = "docker.io";
const OFFICIAL: &str = "library";
const OLD_NAME: &str = "index.docker.io";

/// The tag of an image that names neither tag nor digest.
const DEFAULT_TAG: &str = "latest";

/// The longest path.
const LONGEST: usize = 255;

type Pattern = LazyLock<Option<Regex>>;

static REGISTRY: Pattern = LazyLock::new(|| {
    let word = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
    Regex::new(&format!(r"^(?:{word}(?:\.{word})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$")).ok()
});
static PATH: Pattern = LazyLock::new(|| {
    let word = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
    Regex::new(&format!("^{word}(?:/{word})*$")).ok()
});
static TAG: Pattern = LazyLock::new(|| Regex::new("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$").ok());
static DIGEST: Pattern = LazyLock::new(|| {
    let word = "[A-Za-z][A-Za-z0-9]*";
    Regex::new(&format!("^{word}(?:[-_+.]{word})*:[0-9a-fA-F]{{32,}}$")).ok()
});

fn is(pattern: &Pattern, text: &str) -> bool {
    pattern.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

/// A place that images come from, or an image without tag and digest, by its full name: `docker.io/library/nginx` for `nginx`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(String);

impl Place {
    /// Returns the place that begins with a registry, as it must in profiles; nothing if it does not, or is none. A slash at its end says nothing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let (registry, path) = text.split_once('/').map_or((text, None), |(registry, path)| (registry, Some(path)));
        let is_one = is_registry(registry) && is(&REGISTRY, registry) && path.is_none_or(is_path);
        let registry = if registry == OLD_NAME { DEFAULT_REGISTRY } else { registry };
        is_one.then(|| Self(path.map_or_else(|| registry.to_owned(), |path| format!("{registry}/{path}"))))
    }

    /// Tells whether the text is this place by its full name.
    #[must_use]
    pub fn is_whole(&self, text: &str) -> bool {
        self.0 == text
    }

    /// Returns the part of the image's full name that is this place; nothing if the image does not come from there. An official image of
    /// Docker Hub has two names.
    #[must_use]
    pub fn covered<'i>(&self, image: &'i Image<'_>) -> Option<&'i str> {
        let official = self.0.strip_prefix(DEFAULT_REGISTRY).and_then(|path| path.strip_prefix('/'));
        let official = official.map(|path| format!("{DEFAULT_REGISTRY}/{OFFICIAL}/{path}"));
        let name = &image.repository;
        let is_it = |place: &str| {
            let behind = name.strip_prefix(place)?;
            (behind.is_empty() || behind.starts_with('/')).then(|| name.get(..place.len()))?
        };
        is_it(&self.0).or_else(|| official.filter(|official| official == name).and_then(|official| is_it(&official)))
    }
}

/// What an image's name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image<'a> {
    /// With its registry: `docker.io/library/nginx`.
    repository: String,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

impl<'a> Image<'a> {
    /// Returns what the text names; nothing if no runtime takes it for an image.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
        let (registry, rest) = match name.split_once('/') {
            Some((first, rest)) if is_registry(first) => (first, rest),
            _ => (DEFAULT_REGISTRY, name),
        };
        let (path, tag) = rest.split_once(':').map_or((rest, None), |(path, tag)| (path, Some(tag)));
        let is_one = is(&REGISTRY, registry)
            && is_path(path)
            && tag.is_none_or(|tag| is(&TAG, tag))
            && digest.is_none_or(|digest| is(&DIGEST, digest));
        let repository = match registry {
            DEFAULT_REGISTRY | OLD_NAME if !path.contains('/') => format!("{DEFAULT_REGISTRY}/{OFFICIAL}/{path}"),
            OLD_NAME => format!("{DEFAULT_REGISTRY}/{path}"),
            _ => format!("{registry}/{path}"),
        };
        is_one.then_some(Self { repository, tag, digest })
    }

    /// The digest that it names.
    #[must_use]
    pub fn digest(&self) -> Option<&'a str> {
        self.digest
    }

    /// Returns what stands behind that part of its full name, tag and digest included.
    #[must_use]
    pub fn behind(&self, covered: &str) -> String {
        let mut behind = self.repository.get(covered.len()..).unwrap_or_default().to_owned();
        for (mark, part) in [(':', self.tag), ('@', self.digest)] {
            if let Some(part) = part {
                behind.push(mark);
                behind.push_str(part);
            }
        }
        behind
    }

    /// Returns all of it: `docker.io/library/nginx:latest` for `nginx`.
    #[must_use]
    pub fn full_name(&self) -> String {
        let tag = self.tag.or(self.digest.is_none().then_some(DEFAULT_TAG));
        let all = Image { repository: String::new(), tag, digest: self.digest };
        format!("{}{}", self.repository, all.behind(""))
    }
}

/// Tells whether an object, or a part of one, names an image where rules look for images.
#[must_use]
pub fn is_named_in(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, below)| is_named_below(key, below) || is_named_in(below)),
        Value::Array(items) => items.iter().any(is_named_in),
        _ => false,
    }
}

fn is_named_below(key: &str, value: &Value) -> bool {
    let is_at = |value: &Value, pointer: &str| value.pointer(pointer).is_some_and(Value::is_string);
    let is_in_list =
        |pointer: &str| value.as_array().is_some_and(|items| items.iter().any(|item| is_at(item, pointer)));
    if CONTAINERS.contains(&key) || MORE_LISTS.contains(&key) {
        is_in_list("/image")
    } else if key == VOLUMES {
        is_in_list("/image/reference")
    } else {
        SINGLE.contains(&key) && is_at(value, "/image")
    }
}

/// Tells whether the first part of an image's name is a registry.
#[must_use]
pub fn is_registry(name: &str) -> bool {
    name.contains(['.', ':']) || name == "localhost" || name.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_path(text: &str) -> bool {
    text.len() <= LONGEST && is(&PATH, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn an_image_without_a_registry_is_of_docker_hub() {
        for (image, full) in [
            ("nginx:1", "docker.io/library/nginx"),
            ("a/b", "docker.io/a/b"),
            ("docker.io/nginx", "docker.io/library/nginx"),
            ("index.docker.io/library/nginx", "docker.io/library/nginx"),
            ("index.docker.io/a/b", "docker.io/a/b"),
            ("quay.io/a/b:1", "quay.io/a/b"),
            ("localhost/a", "localhost/a"),
            ("host:5000/a", "host:5000/a"),
            ("Host/a", "Host/a"),
            ("[::1]:5000/a__b/c--d.e", "[::1]:5000/a__b/c--d.e"),
        ] {
            assert_eq!(Image::parse(image).expect(image).repository, full);
        }
    }

    #[test]
    fn what_no_runtime_takes_is_no_image() {
        for text in [
            "",
            " nginx",
            "nginx ",
            "$(IMAGE)",
            "${IMAGE}",
            "{{ image }}",
            "nginx:",
            "nginx@",
            "a//b",
            "/a",
            "a/",
            "Nginx",
            "quay.io/A/b",
            "a_-b",
            "a___b",
            "-a",
            "nginx:-1",
            "nginx:a b",
            "nginx@sha256:0",
            "https://quay.io/a",
            "quay.io:x/a",
            "nginx\n",
            "ä",
        ] {
            assert_eq!(Image::parse(text), None, "{text}");
        }
        assert!(Image::parse(&format!("quay.io/a:1@{DIGEST}")).is_some());
        assert!(Image::parse(&"a".repeat(256)).is_none());
    }

    #[test]
    fn a_place_may_be_named_in_every_way_that_an_image_can() {
        let pinned = format!("a/b@{DIGEST}");
        for (image, from, rest) in [
            ("nginx:1", "docker.io", Some("/library/nginx:1")),
            ("nginx:1", "index.docker.io/", Some("/library/nginx:1")),
            ("nginx:1", "docker.io/library", Some("/nginx:1")),
            ("nginx:1", "docker.io/nginx", Some(":1")),
            ("nginx/nginx:1", "docker.io/nginx", Some("/nginx:1")),
            ("nginx:1", "docker.io/library/nginx", Some(":1")),
            (&pinned, "docker.io/a/", Some(&format!("/b@{DIGEST}"))),
            ("a/b", "docker.io/b", None),
            ("ab/c", "docker.io/a", None),
            ("quay.io/a", "docker.io", None),
        ] {
            let (image, place) = (Image::parse(image).expect(image), Place::parse(from).expect(from));
            let behind = place.covered(&image).map(|covered| image.behind(covered));
            assert_eq!(behind.as_deref(), rest, "{image:?} from {from}");
        }
    }

    #[test]
    fn images_are_named_by_containers_steps_and_volumes_of_any_kind() {
        for (object, is_named) in [
            (json!({"spec": {"template": {"spec": {"initContainers": [{"name": "a"}, {"image": "b"}]}}}}), true),
            (json!({"spec": {"templates": [{"container": {"image": "a"}}]}}), true),
            (json!({"spec": {"taskSpec": {"steps": [{"image": "a"}]}}}), true),
            (json!({"spec": {"volumes": [{"image": {"reference": "a"}}]}}), true),
            (json!({"data": {"image": "a", "containers": "[{image: a}]"}}), false),
            (json!({"spec": {"containers": [{"name": "a", "image": null}]}}), false),
            (json!({"spec": {"image": "a", "steps": [{"name": "a"}], "script": "echo"}}), false),
        ] {
            assert_eq!(is_named_in(&object), is_named, "{object}");
        }
    }

    #[test]
    fn an_image_without_a_tag_is_the_latest() {
        let full_name = |image: &str| Image::parse(image).expect(image).full_name();
        assert_eq!(full_name("nginx"), "docker.io/library/nginx:latest");
        assert_eq!(full_name("nginx:1"), "docker.io/library/nginx:1");
        assert_eq!(full_name(&format!("nginx@{DIGEST}")), format!("docker.io/library/nginx@{DIGEST}"));
    }
}
