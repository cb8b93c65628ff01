use super::*;

/// The columns of the table below.
const VERSIONS: [&str; 8] =
    ["v1.33.2-gke.100", "v1.30.1+rke2r1", "v1.30.0", "v1.28.0-rc.1", "1.37.0", "v0.2.9", "2.0.0", "v1.30.1"];

/// Answers of `github.com/Masterminds/semver/v3` 3.5.0, as Helm asks it: `y` for satisfied.
const ANSWERS: [(&str, &str); 24] = [
    (">=1.28.0-0", "yyyyy-yy"),
    (">= 1.25 < 1.37", "-yy----y"),
    (">=1.25, <1.37", "-yy----y"),
    ("~1.30", "-yy----y"),
    (">=1.28.0", "-yy-y-yy"),
    ("^1.2.3", "-yy-y--y"),
    ("^0.2", "-----y--"),
    ("^0.0.3", "--------"),
    ("1.x", "-yy-y--y"),
    ("*", "-yy-yyyy"),
    (">=1.20.0-0 || ^2", "yyyyy-yy"),
    ("1.25 - 1.30", "-yy----y"),
    ("v1.30.x", "-yy----y"),
    ("!=1.30.1", "--y-yyy-"),
    ("!=1.30", "----yyy-"),
    (">1.30", "----y-y-"),
    ("<=1.30", "-yy--y-y"),
    ("=1.30.1", "-y-----y"),
    ("~>1.30.0", "-yy----y"),
    ("=> 1.28", "-yy-y-yy"),
    ("<1.30-0", "---y-y--"),
    (">=1.28.0 <1.30.0-0", "--------"),
    (">0.0.0-0", "yyyyyyyy"),
    ("<=1.30.1-0", "--yy-y--"),
];

#[test]
fn constraints_mean_what_they_mean_to_helm() {
    for (constraint, answers) in ANSWERS {
        for (version, answer) in VERSIONS.iter().zip(answers.chars()) {
            assert_eq!(satisfies(constraint, version), Ok(answer == 'y'), "{constraint} {version}");
        }
    }
}

#[test]
fn what_helm_cannot_read_is_an_error_of_its_own() {
    for constraint in
        ["", "latest", ">>1", "1.2.3.4", ">=1.2<2", "1.2,", "1 || ", "-1", "1.a", "==1", "1.x 1 - 2", ">= 01.2.3-01"]
    {
        let error = satisfies(constraint, "1.2.3").expect_err(constraint);
        assert_eq!(error.to_string(), format!("`{constraint}` is no version constraint"));
    }
    let error = satisfies("*", "unknown").expect_err("no version");
    assert_eq!(error.to_string(), "`unknown` is no version");
    assert!(satisfies(&"1 ".repeat(300), "1.0.0").is_err());
    assert!(satisfies(&vec!["1"; 33].join("||"), "1.0.0").is_err());
}
