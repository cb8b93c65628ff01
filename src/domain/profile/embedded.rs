//! The profiles that the program brings.

use super::{Profile, ProfileError, parse};

/// Name and text of each.
const TEXTS: [(&str, &str); 4] = [
    ("casa", include_str!("../../profiles/casa.yaml")),
    ("csghub", include_str!("../../profiles/csghub.yaml")),
    ("dataflow", include_str!("../../profiles/dataflow.yaml")),
    ("opsta-ai-gateway", include_str!("../../profiles/opsta-ai-gateway.yaml")),
];

/// Returns the embedded profiles with their texts, by name.
///
/// # Errors
/// [`ProfileError`] if one of them is broken, which a test rules out.
pub fn embedded() -> Result<Vec<(Profile, &'static str)>, ProfileError> {
    TEXTS.iter().map(|(_, text)| Ok((parse(text)?, *text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_profile_is_well_formed_and_called_like_its_file() {
        for ((name, _), (profile, _)) in TEXTS.iter().zip(embedded().expect("each is well-formed")) {
            assert_eq!(profile.name, *name);
            assert!(!profile.charts.is_empty() && !profile.description.is_empty(), "{name}");
        }
    }
}
