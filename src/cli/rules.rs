//! The flags that name profiles, and those by which `post-render` and `filter` are told what rules may know of the release.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::Args;

use crate::domain::post_rendering::About;
use crate::domain::profile::{self, Profile, Rule};
use crate::domain::report::ExitStatus;
use crate::edge::terminal::Failure;
use crate::postrender::Rules;

/// Which profiles.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct ProfileArgs {
    /// Follow the rules of this embedded profile; may be given several times
    #[arg(long, value_name = "NAME")]
    profile: Vec<String>,
    /// Follow the rules of this profile of yours; may be given several times
    #[arg(long, value_name = "FILE")]
    profile_file: Vec<PathBuf>,
}

impl ProfileArgs {
    /// Tells whether any was given.
    #[cfg(feature = "cluster")]
    pub(super) fn are_named(&self) -> bool {
        !self.profile.is_empty() || !self.profile_file.is_empty()
    }

    /// Returns their rules, in the order in which they are followed: those of embedded profiles first.
    ///
    /// # Errors
    /// A profile that cannot be read or is not well-formed.
    pub(super) fn rules(&self) -> Result<Vec<Rule>, Failure> {
        let mut rules = Vec::new();
        for name in &self.profile {
            let (profile, _) = embedded(name)?;
            rules.extend(profile.post_render);
        }
        for file in &self.profile_file {
            let hint = || format!("change it, and check it by `helm csghub profile check {}`", file.display());
            rules.extend(read(file).map_err(|failure| failure.hinted(hint()))?.post_render);
        }
        let mut names: Vec<&str> = rules.iter().map(|rule: &Rule| rule.name.as_str()).collect();
        names.sort_unstable();
        if let Some(&[name, _]) = names.array_windows().find(|[one, other]| one == other) {
            let error = anyhow!("two of the profiles have a rule called `{name}`, and notes and errors name rules");
            return Err(Failure::new(ExitStatus::Usage, error).hinted("give one of them another name"));
        }
        Ok(rules)
    }
}

/// Which profiles, and what of the release.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct RulesArgs {
    #[command(flatten)]
    profiles: ProfileArgs,
    /// Name of the release
    #[arg(long, value_name = "NAME")]
    release: Option<String>,
    /// Chart version that the release has now
    #[arg(long, value_name = "VERSION", conflicts_with = "new")]
    from: Option<String>,
    /// Chart version that is rendered
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    /// How large Helm's record of the release would be, for rules that hold from a size on
    #[arg(long, value_name = "BYTES")]
    record_bytes: Option<u64>,
    /// The release is installed now: it has no version to come from
    #[arg(long)]
    new: bool,
}

impl RulesArgs {
    /// Returns the rules that hold. `names_all`: of what they change, every object is named.
    ///
    /// # Errors
    /// A profile that cannot be read or is not well-formed, or a rule that needs to know more.
    pub(super) fn rules(&self, namespace: Option<&str>, names_all: bool) -> Result<Rules, Failure> {
        let rules = self.profiles.rules()?;
        // As from a variable that is not set.
        let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        let about = About {
            release: given(&self.release),
            namespace: namespace.map(str::to_owned),
            from: given(&self.from),
            to: given(&self.to),
            record_bytes: self.record_bytes,
            is_new: self.new,
        };
        let rules = Rules::new(&rules, about).map_err(|error| Failure::new(ExitStatus::Usage, error))?;
        Ok(rules.naming_all(names_all))
    }
}

/// Returns an embedded profile and its text.
///
/// # Errors
/// There is none of that name.
pub(super) fn embedded(name: &str) -> Result<(Profile, &'static str), Failure> {
    let all = profile::embedded().map_err(|error| Failure::new(ExitStatus::Unexpected, error))?;
    let names: Vec<String> = all.iter().map(|(profile, _)| profile.name.clone()).collect();
    all.into_iter().find(|(profile, _)| profile.name == name).ok_or_else(|| {
        Failure::new(ExitStatus::Usage, anyhow!("no profile is called `{name}`; there are {}", names.join(", ")))
            .hinted("`csghub profile list` says more; `--profile-file FILE` names one of yours")
    })
}

/// Returns the profile in a file.
///
/// # Errors
/// It cannot be read, or is not well-formed.
pub(super) fn read(file: &std::path::Path) -> Result<Profile, Failure> {
    let failure = |error: anyhow::Error| Failure::new(ExitStatus::Usage, error);
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("read the profile {}", file.display()))
        .map_err(failure)?;
    profile::parse(&text).with_context(|| format!("the profile {} cannot be used", file.display())).map_err(failure)
}
