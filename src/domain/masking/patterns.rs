//! Secrets that are known by what stands before them: `password=...`, `"token": "..."`, `scheme://user:...@host`,
//! `Authorization: Bearer ...`, `--password ...`.

use std::ops::Range;

use super::keys::{self, Claim};

/// Parts of keys that are worth a closer look, in lower case.
const HINTS: [&str; 9] = ["pass", "pwd", "token", "secret", "credential", "key", "dsn", "auth", "connection"];

/// Returns where the secrets are, as byte ranges in no special order; they may overlap.
pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    find_in_urls(text, &mut found);
    find_bearers(text, &mut found);
    find_by_keys(text, &mut found);
    found
}

fn find_in_urls(text: &str, found: &mut Vec<Range<usize>>) {
    for (start, _) in text.match_indices("://") {
        let start = start + 3;
        let rest = text.get(start..).unwrap_or_default();
        let is_end = |character: char| character.is_whitespace() || matches!(character, '"' | '\'' | '`' | '<' | '>');
        let url = rest.split(is_end).next().unwrap_or_default();
        let authority = url.split(['/', '?', '#']).next().unwrap_or_default();
        // A password may hold a `/` that nobody escaped; a port may not.
        let has_port_only =
            authority.rsplit_once(':').is_none_or(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        let within = if authority.contains('@') || has_port_only { authority } else { url };
        let Some((user_info, _)) = within.rsplit_once('@') else { continue };
        match user_info.split_once(':') {
            Some((user, password)) if !is_reference(password) => {
                found.push(start + user.len() + 1..start + user_info.len());
            }
            None if user_info.len() >= 16 => found.push(start..start + user_info.len()),
            _ => {}
        }
    }
}

fn find_bearers(text: &str, found: &mut Vec<Range<usize>>) {
    let folded = text.to_ascii_lowercase();
    for (start, word) in folded.match_indices("bearer ").chain(folded.match_indices("basic ")) {
        let value = plain_value(text, start + word.len());
        let token = text.get(value.clone()).unwrap_or_default();
        if token.len() >= 8 && !keys::reads_like_a_name(token) {
            found.push(value);
        }
    }
}

fn find_by_keys(text: &str, found: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let mut position = 0;
    // Every `=` and `:`, and every blank behind a flag, may separate a key from its value.
    while let Some(&byte) = bytes.get(position) {
        let separator = position;
        position += 1;
        if !matches!(byte, b'=' | b':' | b' ') {
            continue;
        }
        let Some(key) = key_before(text, separator, byte == b' ') else { continue };
        let claim = keys::claim(key);
        if claim == Claim::None {
            continue;
        }
        let value = value_at(text, separator + 1, key);
        let secret = text.get(value.clone()).unwrap_or_default();
        let is_secret = claim == Claim::Sure || !keys::reads_like_a_name(secret);
        if is_secret && !is_reference(secret) {
            position = position.max(value.end);
            found.push(value);
        }
    }
}

/// Returns the key that ends before `end`, its quotes taken off; for a blank only if it is a long flag.
fn key_before(text: &str, end: usize, is_flag: bool) -> Option<&str> {
    let before = text.get(..end)?;
    let before = if is_flag { before } else { before.trim_end_matches([' ', '\t']) };
    let before = if is_flag { before } else { before.trim_end_matches(['"', '\'', '\\']) };
    let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let length = before.as_bytes().iter().rev().take(100).take_while(|byte| is_key(byte)).count();
    let key = before.get(before.len() - length..)?;
    if is_flag && !key.starts_with("--") {
        return None;
    }
    let folded = key.to_ascii_lowercase();
    HINTS.iter().any(|hint| folded.contains(hint)).then_some(key)
}

/// Returns the range of the value that begins at `start`, its quotes left out.
fn value_at(text: &str, start: usize, key: &str) -> Range<usize> {
    let rest = text.get(start..).unwrap_or_default();
    let start = start + rest.len() - rest.trim_start_matches([' ', '\t', '=']).len();
    let rest = text.get(start..).unwrap_or_default();
    let escapes = rest.len() - rest.trim_start_matches('\\').len();
    let quote = rest.get(escapes..).and_then(|rest| rest.chars().next()).filter(|first| matches!(first, '"' | '\''));
    if let Some(quote) = quote {
        let start = start + escapes + 1;
        return start..quoted_end(text, start, quote, escapes);
    }
    let value = plain_value(text, start);
    let is_scheme = ["bearer", "basic", "token", "digest"]
        .iter()
        .any(|scheme| text.get(value.clone()).is_some_and(|value| value.eq_ignore_ascii_case(scheme)));
    if is_scheme && key.to_ascii_lowercase().ends_with("authorization") {
        return plain_value(text, value.end + 1);
    }
    value
}

/// Returns where the quotes close: at the same quote behind just as many backslashes; without any, at the end of the text.
fn quoted_end(text: &str, start: usize, quote: char, escapes: usize) -> usize {
    let mut backslashes = 0;
    for (offset, character) in text.get(start..).unwrap_or_default().char_indices() {
        match character {
            '\\' => backslashes += 1,
            _ if character == quote
                && (quote == '\'' || backslashes == escapes || escapes == 0 && backslashes % 2 == 0) =>
            {
                return start + offset - if quote == '\'' { 0 } else { escapes };
            }
            _ => backslashes = 0,
        }
    }
    text.len()
}

/// Returns the range of the word at `start`, without the punctuation behind it.
fn plain_value(text: &str, start: usize) -> Range<usize> {
    let is_end = |character: char| character.is_whitespace() || matches!(character, '"' | '\'' | '`' | '&');
    let rest = text.get(start..).unwrap_or_default();
    let word = rest.split(is_end).next().unwrap_or_default();
    start..start + word.trim_end_matches([',', ';', ')', '}', ']', '\\']).len()
}

/// Tells whether the value only says where the secret is, or that there is none.
fn is_reference(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    matches!(
        lower.as_str(),
        "" | "***" | "null" | "nil" | "none" | "true" | "false" | "~" | "|" | "|-" | ">" | ">-" | "{" | "[" | "|+"
    ) || ["$(", "${", "{{", "<"].iter().any(|start| value.starts_with(start))
        || value.starts_with("***")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> Vec<&str> {
        let mut ranges = find(text);
        ranges.sort_by_key(|range| range.start);
        ranges.dedup();
        ranges.into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn a_key_gives_its_value_away_in_every_notation() {
        assert_eq!(masked("password=hunter2, user=bob"), ["hunter2"]);
        assert_eq!(masked("  password: hunter2\n  user: bob"), ["hunter2"]);
        assert_eq!(masked(r#"{"api_key": "a b\"c", "x": 1}"#), [r#"a b\"c"#]);
        assert_eq!(masked(r#""{\"token\":\"abc\",\"x\":1}""#), ["abc"]);
        assert_eq!(masked("psql --password hunter2 -h db"), ["hunter2"]);
        assert_eq!(masked("POSTGRES_PASSWORD='a b' x"), ["a b"]);
        assert_eq!(masked("http://x/?token=abc&y=1"), ["abc"]);
    }

    #[test]
    fn a_url_gives_its_password_away() {
        assert_eq!(masked("postgres://bob:hunter2@db:5432/shop?x=1"), ["hunter2"]);
        assert_eq!(masked("postgres://bob:hun/ter@2@db/shop"), ["hun/ter@2"]);
        assert_eq!(masked("https://ghp_0123456789abcdef@example.com/x"), ["ghp_0123456789abcdef"]);
        assert_eq!(masked("ssh://git@example.com:22/a@b https://example.com/a@b"), Vec::<&str>::new());
    }

    #[test]
    fn an_authorization_gives_its_token_away() {
        assert_eq!(masked("Authorization: Bearer abc.DEF123"), ["abc.DEF123"]);
        assert_eq!(masked("sent bearer eyJhbGciOiJI.UzI1 to server"), ["eyJhbGciOiJI.UzI1"]);
        assert_eq!(masked("Bearer authentication failed"), Vec::<&str>::new());
    }

    #[test]
    fn names_and_references_are_left_alone() {
        for text in [
            "secretName: shop-tls",
            "secret: shop-postgresql",
            "password: $(DB_PASSWORD)",
            "token: ***",
            "key: kubernetes.io/arch",
            "password authentication failed for user bob",
        ] {
            assert_eq!(masked(text), Vec::<&str>::new(), "{text}");
        }
    }
}
