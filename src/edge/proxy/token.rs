//! The bearer token of a run: who has it may use the proxy, nobody else.

use std::io;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{HeaderMap, header};
use rustix::rand::{GetRandomFlags, getrandom};
use subtle::ConstantTimeEq as _;

/// Random bytes in a token.
const TOKEN_BYTES: usize = 32;

/// A token made for one run. Lives in memory and in the run's kubeconfig.
pub(super) struct Token(String);

impl Token {
    /// Returns a new token.
    ///
    /// # Errors
    /// If the system has no random bytes to give.
    pub(super) fn generate() -> io::Result<Self> {
        let mut bytes = [0_u8; TOKEN_BYTES];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            filled += getrandom(rest, GetRandomFlags::empty())?;
        }
        Ok(Self(BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Returns its text, for the kubeconfig.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// Tells whether a request brings this token, in a time that does not depend on how much of it is right.
    ///
    /// Source of the form: RFC 6750 section 2.1; the scheme's case does not matter (RFC 9110 section 11.1).
    pub(super) fn is_in(&self, headers: &HeaderMap) -> bool {
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (given.next(), given.next()) else { return false };
        let Some((scheme, token)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else { return false };
        scheme.eq_ignore_ascii_case("bearer") && bool::from(token.trim().as_bytes().ct_eq(self.0.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(values: &[&str]) -> HeaderMap {
        let pairs = values.iter().map(|value| (header::AUTHORIZATION, HeaderValue::from_str(value).expect("a value")));
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn only_the_whole_token_opens() {
        let token = Token::generate().expect("random bytes");
        let text = token.text().to_owned();
        assert_eq!(text.len(), 43);
        for good in [format!("Bearer {text}"), format!("bearer {text}"), format!("BEARER  {text}")] {
            assert!(token.is_in(&headers(&[&good])), "{good}");
        }
        let other = Token::generate().expect("random bytes");
        for bad in [
            String::new(),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            text.clone(),
            format!("Basic {text}"),
            format!("Bearer {}", &text[..42]),
            format!("Bearer {text}x"),
            format!("Bearer {}", text.to_ascii_uppercase()),
            format!("Bearer {}", other.text()),
        ] {
            assert!(!token.is_in(&headers(&[&bad])), "{bad}");
        }
        assert!(!token.is_in(&HeaderMap::new()));
        assert!(!token.is_in(&headers(&[&format!("Bearer {text}"), "Bearer x"])), "two are none");
    }
}
