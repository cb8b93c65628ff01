//! How a field of a nested value is named in every output: `spec.containers[name=web].image`, `labels."app.kubernetes.io/name"`.

/// Returns the path of `key` within `parent`; an empty parent is the whole value. A key that is no plain word is quoted.
#[must_use]
pub fn child(parent: &str, key: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/');
    let is_word = !key.is_empty() && key.bytes().all(is_plain);
    let key = if is_word { key.to_owned() } else { format!("{key:?}") };
    if parent.is_empty() { key } else { format!("{parent}.{key}") }
}

/// Returns the path of the list item in which `field` has that value.
#[must_use]
pub fn keyed_item(parent: &str, field: &str, value: &str) -> String {
    format!("{parent}[{field}={value}]")
}

/// Returns the path of the list item at that place, counted from 0.
#[must_use]
pub fn item(parent: &str, index: usize) -> String {
    format!("{parent}[{index}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_no_plain_word_is_quoted() {
        assert_eq!(child("", "global"), "global");
        assert_eq!(child("a", "b.c"), "a.\"b.c\"");
        assert_eq!(child("a", ""), "a.\"\"");
        assert_eq!(child("a", "say \"b\""), r#"a."say \"b\"""#);
    }

    #[test]
    fn an_item_is_named_by_its_key_or_its_place() {
        assert_eq!(keyed_item("containers", "name", "web"), "containers[name=web]");
        assert_eq!(item("args", 2), "args[2]");
    }
}
