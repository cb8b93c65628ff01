//! Profiles as text.

use super::layout::{columns, text_of};
use super::style::Style;
use crate::domain::profile::Profile;
use crate::domain::wording::counted;

/// Returns one row for each profile: its name, what it is for, its charts and how many rules it has.
#[must_use]
pub(super) fn render_profiles(profiles: &[Profile], style: &Style) -> String {
    let rows: Vec<(String, String)> = profiles.iter().map(|profile| (profile.name.clone(), about(profile))).collect();
    text_of(&columns(*style, 0, &rows))
}

fn about(profile: &Profile) -> String {
    let charts = match profile.charts.as_slice() {
        [] => None,
        [chart] => Some(format!("chart {chart}")),
        charts => Some(format!("charts {}", charts.join(", "))),
    };
    let rules = (!profile.post_render.is_empty()).then(|| counted(profile.post_render.len(), "post-render rule"));
    let beside: Vec<String> = [charts, rules].into_iter().flatten().collect();
    let beside = if beside.is_empty() { String::new() } else { format!("({})", beside.join("; ")) };
    [profile.description.as_str(), &beside].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::profile;

    #[test]
    fn each_profile_has_a_row() {
        let own = profile::parse("format: 1\nname: own\npost-render: [{name: a, because: b, changes: [keep]}]\n")
            .expect("well-formed");
        let mut profiles: Vec<Profile> =
            profile::embedded().expect("each is well-formed").into_iter().map(|(profile, _)| profile).collect();
        profiles.push(own);
        insta::assert_snapshot!(render_profiles(&profiles, &Style { width: 80, colour: false, unicode: true }));
    }
}
