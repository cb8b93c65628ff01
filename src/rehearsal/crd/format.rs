//! The formats of strings that the server knows.
//!
//! Source: `k8s.io/apiextensions-apiserver/pkg/apiserver/validation/formats.go` (which are known), `k8s.io/kube-openapi/pkg/validation/strfmt`
//! (what they mean).

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use regex::Regex;

/// What is known of a text and its format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// It has the format.
    Fits,
    /// It does not have it.
    Differs,
    /// Servers differ, or the format is too odd to be read here.
    Unknown,
}

impl From<bool> for Fit {
    fn from(fits: bool) -> Self {
        if fits { Self::Fits } else { Self::Differs }
    }
}

const HOSTNAME: &str = r"^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9\-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63})$";
const CREDIT_CARD: &str = r"^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35[0-9]{3})[0-9]{11})$";
const BASE64: &str = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$";
const EMAIL: &str =
    r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-]+)*@[A-Za-z0-9\-]+(\.[A-Za-z0-9\-]+)*$";
const SHORT_NAME: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";

/// Tells whether the server knows this format of strings; it ignores others. `date-time` and `datetime` are the same to it.
pub(super) fn is_known(format: &str) -> bool {
    matches!(
        format.replace('-', "").as_str(),
        "bsonobjectid"
            | "uri"
            | "email"
            | "hostname"
            | "ipv4"
            | "ipv6"
            | "cidr"
            | "mac"
            | "uuid"
            | "uuid3"
            | "uuid4"
            | "uuid5"
            | "isbn"
            | "isbn10"
            | "isbn13"
            | "creditcard"
            | "ssn"
            | "hexcolor"
            | "rgbcolor"
            | "byte"
            | "password"
            | "date"
            | "duration"
            | "datetime"
            | "k8sshortname"
            | "k8slongname"
    )
}

/// Tells whether a text has a format that [`is_known`].
pub(super) fn fits(format: &str, text: &str) -> Fit {
    match format.replace('-', "").as_str() {
        "bsonobjectid" => (text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).into(),
        "uri" => uri(text),
        "email" => email(text),
        "hostname" => hostname(text).into(),
        "ipv4" => (sloppy_ip(text).is_some() && text.contains('.')).into(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok().into(),
        "cidr" => cidr(text).into(),
        "mac" => mac(text).into(),
        "uuid" => uuid(text, None).into(),
        "uuid3" => uuid(text, Some('3')).into(),
        "uuid4" => uuid(text, Some('4')).into(),
        "uuid5" => uuid(text, Some('5')).into(),
        "isbn" => (isbn10(text) || isbn13(text)).into(),
        "isbn10" => isbn10(text).into(),
        "isbn13" => isbn13(text).into(),
        "creditcard" => credit_card(text).into(),
        "ssn" => (text.len() == 11 && matches(text, r"^[0-9]{3}[- ]?[0-9]{2}[- ]?[0-9]{4}$")).into(),
        "hexcolor" => matches(text, "^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$").into(),
        "rgbcolor" => rgb_color(text).into(),
        "byte" => matches(text, BASE64).into(),
        "date" => is_date(text).into(),
        "duration" => duration(text),
        "datetime" => is_date_time(text).into(),
        // Only servers from 1.34 on know these two.
        "k8sshortname" => newer(text.len() <= 63 && matches(text, &format!("^{SHORT_NAME}$"))),
        "k8slongname" => newer(text.len() <= 253 && matches(text, &format!(r"^{SHORT_NAME}(\.{SHORT_NAME})*$"))),
        _ => Fit::Fits,
    }
}

fn newer(fits: bool) -> Fit {
    if fits { Fit::Fits } else { Fit::Unknown }
}

fn matches(text: &str, pattern: &str) -> bool {
    Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
}

fn hostname(text: &str) -> bool {
    static PATTERN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(HOSTNAME).ok());
    let is_written_so = PATTERN.as_ref().is_some_and(|pattern| pattern.is_match(text));
    is_written_so && text.len() <= 255 && text.split('.').all(|label| label.len() <= 63)
}

/// Go reads full addresses (`Ada <ada@example.com>`, comments, quotes); here only plain ones are read.
fn email(text: &str) -> Fit {
    match text {
        _ if matches(text, EMAIL) => Fit::Fits,
        _ if !text.contains('@') || text.ends_with('@') || text.starts_with('@') => Fit::Differs,
        _ => Fit::Unknown,
    }
}

/// Go's `url.ParseRequestURI`, as far as plain URIs go.
fn uri(text: &str) -> Fit {
    if text.is_empty() || text.bytes().any(|byte| byte.is_ascii_control()) {
        return Fit::Differs;
    }
    if text == "*" {
        return Fit::Fits;
    }
    let is_scheme = |scheme: &&str| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    if text.starts_with(':') {
        return Fit::Differs;
    }
    let scheme = text.split_once(':').map(|(scheme, _)| scheme).filter(is_scheme);
    let rest = scheme.map_or(text, |scheme| text.get(scheme.len() + 1..).unwrap_or_default());
    let rest = rest.split_once('?').map_or(rest, |(path, _)| path);
    if !rest.starts_with('/') {
        return scheme.is_some().into();
    }
    let (authority, path) = match rest.strip_prefix("//").filter(|_| scheme.is_some()) {
        Some(rest) => rest.find('/').map_or((rest, ""), |at| rest.split_at(at)),
        None => ("", rest),
    };
    if authority.contains(['%', '[', ']', '@']) || authority.matches(':').count() > 1 {
        return Fit::Unknown;
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    let is_host = |byte: u8| !byte.is_ascii() || byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=<>\"".contains(&byte);
    let fits = host.bytes().all(is_host) && port.bytes().all(|byte| byte.is_ascii_digit()) && is_unescapable(path);
    fits.into()
}

fn is_unescapable(path: &str) -> bool {
    path.split('%')
        .skip(1)
        .all(|rest| rest.as_bytes().get(..2).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)))
}

/// An address, leading zeros allowed in the parts of IPv4. Returns its length in bits.
fn sloppy_ip(text: &str) -> Option<u32> {
    let number = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) && part.parse::<u64>().is_ok_and(|n| n <= 255)
    };
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() == 4 && parts.iter().all(|part| number(part)) {
        return Some(Ipv4Addr::BITS);
    }
    let (head, tail) = text.rsplit_once(':')?;
    let tail: Vec<&str> = tail.split('.').collect();
    let plain = if tail.len() == 4 && tail.iter().all(|part| number(part)) {
        format!("{head}:1.2.3.4")
    } else {
        text.to_owned()
    };
    plain.parse::<Ipv6Addr>().ok().map(|_| Ipv6Addr::BITS)
}

fn cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let is_number = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    sloppy_ip(address).is_some_and(|bits| is_number && length.parse::<u32>().is_ok_and(|length| length <= bits))
}

fn mac(text: &str) -> bool {
    let groups = |separator: char, digits: usize| {
        let groups: Vec<&str> = text.split(separator).collect();
        let is_hex = |group: &&str| group.len() == digits && group.bytes().all(|byte| byte.is_ascii_hexdigit());
        groups.iter().all(is_hex).then_some(groups.len() * digits / 2)
    };
    [groups(':', 2), groups('-', 2), groups('.', 4)].into_iter().flatten().any(|bytes| matches!(bytes, 6 | 8 | 20))
}

fn uuid(text: &str, version: Option<char>) -> bool {
    let (version, variant) = match version {
        None => ("[0-9a-f]{4}".to_owned(), "[0-9a-f]{4}"),
        Some('3') => ("3[0-9a-f]{3}".to_owned(), "[0-9a-f]{4}"),
        Some(version) => (format!("{version}[0-9a-f]{{3}}"), "[89ab][0-9a-f]{3}"),
    };
    text.is_ascii()
        && matches(text, &format!("(?i)^[0-9a-f]{{8}}-?[0-9a-f]{{4}}-?{version}-?{variant}-?[0-9a-f]{{12}}$"))
}

fn isbn_digits(text: &str) -> Vec<u8> {
    text.bytes().filter(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c | b'-')).collect()
}

fn isbn10(text: &str) -> bool {
    let digits = isbn_digits(text);
    let [first @ .., last] = digits.as_slice() else { return false };
    if first.len() != 9 || !first.iter().all(u8::is_ascii_digit) || !(last.is_ascii_digit() || *last == b'X') {
        return false;
    }
    let last = if *last == b'X' { 10 } else { u32::from(last - b'0') };
    let sum: u32 = first.iter().zip(1..).map(|(digit, weight)| weight * u32::from(digit - b'0')).sum();
    (sum + 10 * last).is_multiple_of(11)
}

fn isbn13(text: &str) -> bool {
    let digits = isbn_digits(text);
    let [first @ .., last] = digits.as_slice() else { return false };
    if first.len() != 12 || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let sum: u32 =
        first.iter().zip([1, 3].iter().cycle()).map(|(digit, weight)| weight * u32::from(digit - b'0')).sum();
    u32::from(last - b'0') == (10 - sum % 10) % 10
}

fn credit_card(text: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let sum: u32 = (digits.bytes().rev().map(|digit| u32::from(digit - b'0')).enumerate())
        .map(|(at, digit)| if at % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    matches(&digits, CREDIT_CARD) && sum.is_multiple_of(10)
}

fn rgb_color(text: &str) -> bool {
    let number = "(0|[1-9][0-9]?|1[0-9][0-9]?|2[0-4][0-9]|25[0-5])";
    let blank = r"[\t\n\x0C\r ]*";
    matches(text, &format!(r"^rgb\({blank}{number}{blank},{blank}{number}{blank},{blank}{number}{blank}\)$"))
}

fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_written_so = bytes.len() == 10
        && bytes
            .iter()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { *byte == b'-' } else { byte.is_ascii_digit() });
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|digits| digits.parse::<i16>().ok());
    let (Some(year), Some(month), Some(day)) = (number(0..4), number(5..7), number(8..10)) else { return false };
    let (Ok(month), Ok(day)) = (i8::try_from(month), i8::try_from(day)) else { return false };
    is_written_so && jiff::civil::Date::new(year, month, day).is_ok()
}

fn is_date_time(text: &str) -> bool {
    static TIME: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new("^([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$").ok());
    let lower = text.to_lowercase();
    let mut parts = lower.split('t');
    let (Some(date), Some(time)) = (parts.next(), parts.next()) else { return false };
    let Some(found) = TIME.as_ref().and_then(|pattern| pattern.captures(time)) else { return false };
    let at_most = |group: usize, most: &str| found.get(group).is_some_and(|part| part.as_str() <= most);
    is_date(date) && at_most(1, "23") && at_most(2, "59") && at_most(3, "59")
}

/// A duration of Go (`1h30m`), or of Scala (`5 minutes`), anywhere in the text.
fn duration(text: &str) -> Fit {
    const GO: &str = r"^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*$";
    static PART: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[0-9]+[\t\n\x0C\r ]*([A-Za-zµ]+)").ok());
    if matches!(text, "0" | "+0" | "-0") {
        return Fit::Fits;
    }
    let longest = text.split(|character: char| !character.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    if longest > 8 {
        return Fit::Unknown; // It may overflow.
    }
    if matches(text, GO) {
        return Fit::Fits;
    }
    let Some(part) = PART.as_ref() else { return Fit::Unknown };
    let units = part.captures_iter(text).filter_map(|found| found.get(1)).map(|unit| unit.as_str().to_lowercase());
    units.into_iter().any(|unit| is_unit(&unit)).into()
}

fn is_unit(unit: &str) -> bool {
    const SHORT: [&str; 11] = ["ns", "us", "µs", "ms", "s", "m", "h", "hr", "d", "w", "wk"];
    const LONG: [&str; 8] = ["nano", "micro", "milli", "sec", "min", "hour", "day", "week"];
    SHORT.contains(&unit) || LONG.iter().any(|long| unit.starts_with(long))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_format_is_told_from_what_has_not() {
        for (format, good, bad) in [
            (
                "date-time",
                ["2024-02-29T23:59:59Z", "2024-01-01t00:00:00.5+02:00"],
                ["2023-02-29T00:00:00Z", "2024-01-01T24:00:00Z"],
            ),
            ("date", ["2024-12-31", "0000-01-01"], ["2024-13-01", "2024-1-1"]),
            ("duration", ["1h30m", "5 minutes"], ["", "soon"]),
            ("ipv4", ["10.0.0.1", "010.0.0.1"], ["10.0.0", "10.0.0.256"]),
            ("ipv6", ["::1", "fe80::1"], ["1.2.3.4", "::g"]),
            ("cidr", ["10.0.0.0/8", "fd00::/64"], ["10.0.0.0", "10.0.0.0/33"]),
            ("mac", ["00:00:5e:00:53:01", "0000.5e00.5301"], ["00:00:5e", "zz:00:5e:00:53:01"]),
            ("uuid", ["5F3A6D0E-0000-4000-8000-000000000000", "5f3a6d0e000040008000000000000000"], ["5f3a", ""]),
            (
                "uuid4",
                ["5f3a6d0e-0000-4000-8000-000000000000", "5f3a6d0e-0000-4000-b000-000000000000"],
                ["5f3a6d0e-0000-3000-8000-000000000000", "5f3a6d0e-0000-4000-c000-000000000000"],
            ),
            ("hostname", ["example.com", "a"], ["-a", "a..b"]),
            ("uri", ["https://example.com/a?b=%", "/a"], ["example.com", "https://exa mple/"]),
            ("email", ["a@example.com", "a.b+c@d"], ["a", "@b"]),
            ("byte", ["aGk=", "aGkh"], ["aGk", "a*=="]),
            ("isbn10", ["3 401 01319 X", "1-61729-085-8"], ["3423214121", "1"]),
            ("isbn13", ["9784873113685", "978-4-87311-368-5"], ["9784873113686", "x"]),
            ("creditcard", ["4220855426222389", "4220-8554-2622-2389"], ["4220855426213389", "1"]),
            ("hexcolor", ["#fff", "00ff00"], ["#ff", "#ggg"]),
            ("rgbcolor", ["rgb(0, 31,255)", "rgb(1,2,3)"], ["rgb(1,2)", "rgb(256,0,0)"]),
            ("ssn", ["123-45-6789", "123 45 6789"], ["123456789", "x"]),
            ("bsonobjectid", ["5f3a6d0e5f3a6d0e5f3a6d0e", "000000000000000000000000"], ["5f3a", "x"]),
        ] {
            assert!(is_known(format), "{format}");
            for text in good {
                assert_eq!(fits(format, text), Fit::Fits, "{format} {text}");
            }
            for text in bad {
                assert_eq!(fits(format, text), Fit::Differs, "{format} {text}");
            }
        }
        assert!(!is_known("colour"));
    }

    #[test]
    fn what_is_too_odd_is_not_guessed() {
        for (format, text) in [("email", "Ada <ada@example.com>"), ("uri", "http://[::1]/"), ("k8s-short-name", "-")] {
            assert_eq!(fits(format, text), Fit::Unknown, "{format} {text}");
        }
    }
}
