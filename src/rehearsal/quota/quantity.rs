//! Amounts as Kubernetes writes them, exactly: `500m`, `1.5Gi`, `3e2`.
//!
//! Source: `k8s.io/apimachinery/pkg/api/resource` `Quantity`: the grammar, rounding up to a billionth, and the canonical form.

use std::fmt;

/// Billionths in one.
const NANO: i128 = 1_000_000_000;

/// Suffixes of powers of two, smallest first.
const BINARY: [(&str, u32); 6] = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];

/// Suffixes of powers of ten, smallest first, with the exponent.
const DECIMAL: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];

/// An amount. Compared by value alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quantity {
    nano: i128,
    is_binary: bool,
}

impl Quantity {
    /// A number of things.
    pub(super) fn count(count: usize) -> Self {
        let count = i128::try_from(count).unwrap_or(i128::MAX);
        Self { nano: count.saturating_mul(NANO), is_binary: false }
    }

    /// Reads an amount; nothing if it is none, or so large that no cluster has it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (is_negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(rest.len());
        let (number, suffix) = rest.split_at_checked(end)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        let digits: i128 = format!("0{whole}{fraction}").parse().ok()?;
        let places = i32::try_from(fraction.len()).ok()?;
        let (twos, tens, is_binary) = multiplier(suffix)?;
        // digits * 2^twos * 10^(tens - places + 9), rounded away from zero.
        let scaled = digits.checked_mul(1_i128.checked_shl(twos)?)?;
        let exponent = tens.checked_sub(places)?.checked_add(9)?;
        let power = 10_i128.checked_pow(exponent.unsigned_abs());
        let nano = match (exponent >= 0, power) {
            (true, Some(power)) => scaled.checked_mul(power)?,
            (true, None) => return (scaled == 0).then_some(Self { nano: 0, is_binary }),
            (false, Some(power)) => scaled / power + i128::from(scaled % power != 0),
            (false, None) => i128::from(scaled != 0),
        };
        Some(Self { nano: if is_negative { -nano } else { nano }, is_binary })
    }

    pub(super) fn is_positive(self) -> bool {
        self.nano > 0
    }

    /// Returns the sum, in the form of the first that is not zero.
    pub(super) fn plus(self, other: Self) -> Self {
        let is_binary = if self.nano == 0 { other.is_binary } else { self.is_binary };
        Self { nano: self.nano.saturating_add(other.nano), is_binary }
    }

    /// Returns the difference; may be negative.
    pub(super) fn minus(self, other: Self) -> Self {
        self.plus(Self { nano: other.nano.saturating_neg(), ..other })
    }
}

/// Returns the power of two, the power of ten, and whether the form is binary.
fn multiplier(suffix: &str) -> Option<(u32, i32, bool)> {
    if let Some((_, twos)) = BINARY.iter().find(|(name, _)| *name == suffix) {
        return Some((*twos, 0, true));
    }
    if let Some((_, tens)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Some((0, *tens, false));
    }
    let exponent = suffix.strip_prefix(['e', 'E'])?;
    let is_number = exponent.trim_start_matches(['+', '-']).bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return None;
    }
    exponent.parse().ok().map(|tens| (0, tens, false))
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nano == other.nano
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.nano.cmp(&other.nano)
    }
}

/// The canonical form: a whole number with the largest suffix.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nano == 0 {
            return f.write_str("0");
        }
        let units = self.nano / NANO;
        if self.is_binary && self.nano % NANO == 0 {
            let largest = BINARY.iter().rev().find(|(_, twos)| units % (1_i128 << twos) == 0);
            if let Some((suffix, twos)) = largest {
                return write!(f, "{}{suffix}", units >> twos);
            }
            // Below 1024, and what is no multiple of it: the number itself.
            return write!(f, "{units}");
        }
        let power = |tens: i32| 10_i128.checked_pow(tens.saturating_add(9).unsigned_abs()).unwrap_or(1);
        match DECIMAL.iter().rev().find(|(_, tens)| self.nano % power(*tens) == 0) {
            Some((suffix, tens)) => write!(f, "{}{suffix}", self.nano / power(*tens)),
            None => write!(f, "{}n", self.nano),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<String> {
        Quantity::parse(text).map(|quantity| quantity.to_string())
    }

    #[test]
    fn amounts_are_read_and_written_as_kubernetes_does() {
        for (text, canonical) in [
            ("0", "0"),
            ("1", "1"),
            ("+1", "1"),
            ("-1", "-1"),
            ("1000", "1k"),
            ("1500", "1500"),
            ("0.5", "500m"),
            (".5", "500m"),
            ("5.", "5"),
            ("1.5", "1500m"),
            ("500m", "500m"),
            ("1000m", "1"),
            ("2500m", "2500m"),
            ("1Ki", "1Ki"),
            ("1024", "1024"),
            ("1024Ki", "1Mi"),
            ("1.5Gi", "1536Mi"),
            ("0.5Gi", "512Mi"),
            ("1E", "1E"),
            ("1e3", "1k"),
            ("1E3", "1k"),
            ("12e-3", "12m"),
            ("1e+2", "100"),
            ("3n", "3n"),
            ("1.5n", "2n"),
            ("100M", "100M"),
            ("1000Mi", "1000Mi"),
            ("0.1Ki", "102400m"),
            ("8Ei", "8Ei"),
            ("0Gi", "0"),
        ] {
            assert_eq!(read(text).as_deref(), Some(canonical), "{text}");
        }
        for text in
            ["", "-", ".", "1.2.3", "Gi", "1GiB", "1 Gi", "1K", "1ki", "e3", "1e", "1e3Gi", "one", "0x10", "1e99", "é"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn amounts_are_compared_by_value() {
        let of = |text: &str| Quantity::parse(text).expect("an amount");
        assert_eq!(of("1Gi"), of("1024Mi"));
        assert!(of("1G") < of("1Gi") && of("999m") < of("1") && of("-1") < of("0"));
        assert_eq!(of("0").plus(of("1Gi")).to_string(), "1Gi");
        assert_eq!(of("1Gi").plus(of("1k")).to_string(), "1073742824");
        assert_eq!(of("1Gi").minus(of("512Mi")).to_string(), "512Mi");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(number in -9_000_000_000_i64..9_000_000_000, at in 0_usize..16) {
            let suffix = BINARY.iter().map(|(name, _)| *name).chain(DECIMAL.iter().map(|(name, _)| *name)).nth(at).expect("a suffix");
            let quantity = Quantity::parse(&format!("{number}{suffix}")).expect("an amount");
            prop_assert_eq!(Quantity::parse(&quantity.to_string()), Some(quantity));
        }

        #[test]
        fn sums_are_exact(a in 0_u32.., b in 0_u32.., c in 0_u32..) {
            let of = |number: u32| Quantity::parse(&format!("{number}m")).expect("an amount");
            prop_assert_eq!(of(a).plus(of(b)).plus(of(c)).minus(of(a)).minus(of(c)), of(b));
        }

        #[test]
        fn no_text_breaks_the_reader(text in "[-+0-9.eEKMGikmnu]{0,44}") {
            let _ = Quantity::parse(&text);
        }
    }
}
