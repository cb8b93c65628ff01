//! Which keys name a secret, and which values are too ordinary to be one.

/// How surely a key names a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// `password`, `token`, `dsn`: whatever stands there is one.
    Sure,
    /// `key`, `secret`: it is one if it looks like one; else it names an object or a field.
    Maybe,
    /// Anything else.
    None,
}

const SURE: [&str; 20] = [
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "pwd",
    "requirepass",
    "masterauth",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "masterkey",
    "jwtkey",
    "dsn",
    "authorization",
    "connectionstring",
    "dockerconfigjson",
];

const MAYBE: [&str; 5] = ["secret", "secrets", "credential", "credentials", "key"];

/// Ends of keys whose values are names of something.
const NAMES: [&str; 6] = ["pullsecret", "pullsecrets", "existingsecret", "publickey", "topologykey", "labelkey"];

/// Values that stand everywhere, and would make every output unreadable.
const ORDINARY: [&str; 16] = [
    "password",
    "changeme",
    "postgres",
    "postgresql",
    "default",
    "disabled",
    "enabled",
    "administrator",
    "username",
    "internal",
    "external",
    "localhost",
    "kubernetes",
    "undefined",
    "redacted",
    "anonymous",
];

/// Returns how surely the key names a secret, in whatever case and with whatever separators it is written.
pub(super) fn claim(key: &str) -> Claim {
    let folded: String =
        key.chars().filter(char::is_ascii_alphanumeric).map(|character| character.to_ascii_lowercase()).collect();
    let ends_with = |ends: &[&str]| ends.iter().any(|end| folded.ends_with(end));
    let is_pass = folded == "pass"
        || folded == "auth"
        || ["_pass", "_PASS", "-pass", ".pass", "Pass"].iter().any(|end| key.ends_with(end));
    if ends_with(&NAMES) || folded.starts_with("existing") {
        Claim::None
    } else if is_pass || ends_with(&SURE) {
        Claim::Sure
    } else if ends_with(&MAYBE) {
        Claim::Maybe
    } else {
        Claim::None
    }
}

/// Tells whether a text, though a secret, may not be replaced wherever it occurs: it is short or an ordinary word.
pub(super) fn is_too_ordinary(value: &str) -> bool {
    let is_all = |is_one: fn(&u8) -> bool| value.as_bytes().iter().all(is_one);
    let shortest = if is_all(u8::is_ascii_lowercase) || is_all(u8::is_ascii_digit) { 8 } else { 6 };
    value.len() < shortest || ORDINARY.contains(&value.to_ascii_lowercase().as_str())
}

/// Tells whether a text reads like a name, an address or a setting: words and numbers with signs between them.
pub(super) fn reads_like_a_name(value: &str) -> bool {
    let is_wordy = |part: &str| {
        let word = part.trim_end_matches(|character: char| character.is_ascii_digit());
        let digits = part.len() - word.len();
        // `k8s` and `s3` are words.
        part.len() <= 3
            || word.chars().all(char::is_alphabetic)
                && (word.is_empty() && digits <= 5 || digits <= 2)
                && !has_random_case(word)
                && word.chars().count() <= 24
    };
    value.len() <= 253 && value.split(|character: char| !character.is_alphanumeric()).all(is_wordy)
}

/// `Password`, `camelCase` and `UPPER` are words; `xKqPzR` is none.
fn has_random_case(word: &str) -> bool {
    let capitals = word.chars().filter(|character| character.is_uppercase()).count();
    let length = word.chars().count();
    capitals != length && capitals * 4 > length + 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_in_every_spelling() {
        for key in
            ["password", "DB_PASSWORD", "redisPass", "api-key", "spring.datasource.password", "S3_SECRET_KEY", "dsn"]
        {
            assert_eq!(claim(key), Claim::Sure, "{key}");
        }
        for key in ["secret", "clientSecret", "key", "tls.key", "credentials"] {
            assert_eq!(claim(key), Claim::Maybe, "{key}");
        }
        for key in
            ["secretName", "existingSecret", "imagePullSecrets", "topologyKey", "tokenPath", "compass", "PASSWORD_FILE"]
        {
            assert_eq!(claim(key), Claim::None, "{key}");
        }
    }

    #[test]
    fn names_addresses_and_settings_are_no_secrets() {
        for value in [
            "shop-postgresql.shop.svc.cluster.local",
            "5432",
            "http://minio:9000",
            "enabled: true",
            "admin@example.com",
            "web2",
            "worker.sigs.k8s.io/name",
            "worker.sigs.k8s.io/name",
        ] {
            assert!(reads_like_a_name(value), "{value}");
        }
        for value in [
            "a8f5f167f44f4964e6c998dee827110c",
            "hunter2024",
            "xKqPzRtW",
            "s3cr3t-Pa55",
            "550e8400-e29b-41d4-a716-446655440000",
        ] {
            assert!(!reads_like_a_name(value), "{value}");
        }
    }

    #[test]
    fn short_and_ordinary_values_are_not_replaced_everywhere() {
        for value in ["", "true", "admin", "web12", "shop", "letters", "1234567", "Password", "postgres"] {
            assert!(is_too_ordinary(value), "{value}");
        }
        for value in ["hunt3r", "correcthorse", "12345678", "Hunter"] {
            assert!(!is_too_ordinary(value), "{value}");
        }
    }
}
