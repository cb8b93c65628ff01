//! Regular expressions in Go's syntax (RE2), for a Rust engine.
//!
//! Both come from RE2 and differ in little: Go's `\d`, `\s`, `\w` and `\b` are ASCII, its brackets do not nest, and a brace that is
//! no repetition is a brace. Source: the Go package `regexp/syntax`, and the documentation of the crate `regex`.

use regex::{Regex, RegexBuilder};

/// Returns the expression, or nothing if it cannot be told what Go would make of it.
pub(super) fn compile(pattern: &str) -> Option<Regex> {
    let translated = Translation { rest: pattern.chars().collect(), at: 0, out: String::new() }.run()?;
    RegexBuilder::new(&translated).size_limit(16 << 20).build().ok()
}

struct Translation {
    rest: Vec<char>,
    at: usize,
    out: String,
}

impl Translation {
    fn run(mut self) -> Option<String> {
        while let Some(character) = self.next() {
            match character {
                '\\' => self.escape(false)?,
                '[' => self.class()?,
                '{' if !self.is_repetition() => self.out.push_str("\\{"),
                other => self.out.push(other),
            }
        }
        Some(self.out)
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek(0);
        self.at += usize::from(character.is_some());
        character
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest.get(self.at + ahead).copied()
    }

    /// Tells whether what follows a `{` makes it a repetition: `3}`, `3,}`, `3,5}`.
    fn is_repetition(&self) -> bool {
        let rest: String = self.rest.iter().skip(self.at).take_while(|character| **character != '}').collect();
        let has_end = self.rest.iter().skip(self.at).any(|character| *character == '}');
        let (least, most) = rest.split_once(',').unwrap_or((&rest, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        has_end && !least.is_empty() && digits(least) && digits(most)
    }

    /// What follows a backslash.
    fn escape(&mut self, in_class: bool) -> Option<()> {
        let character = self.next()?;
        match character {
            'd' => self.out.push_str("[0-9]"),
            'D' => self.out.push_str("[^0-9]"),
            's' => self.out.push_str(r"[\t\n\x0C\r ]"),
            'S' => self.out.push_str(r"[^\t\n\x0C\r ]"),
            'w' => self.out.push_str("[0-9A-Za-z_]"),
            'W' => self.out.push_str("[^0-9A-Za-z_]"),
            'b' if !in_class => self.out.push_str(r"(?-u:\b)"),
            'B' if !in_class => self.out.push_str(r"(?-u:\B)"),
            'Q' if !in_class => self.literal(),
            'p' | 'P' => {
                self.out.extend(['\\', character]);
                let first = self.next()?;
                self.out.push(first);
                let mut last = first;
                while first == '{' && last != '}' {
                    last = self.next()?;
                    self.out.push(last);
                }
            }
            'a' | 'f' | 't' | 'n' | 'r' | 'v' | 'x' => self.out.extend(['\\', character]),
            'A' | 'z' if !in_class => self.out.extend(['\\', character]),
            other if other.is_ascii() && !other.is_ascii_alphanumeric() => self.push_literal(other),
            // Octal numbers, `\C`, and what Go refuses.
            _ => return None,
        }
        Some(())
    }

    /// `\Q...\E`: all of it literally.
    fn literal(&mut self) {
        while let Some(character) = self.next() {
            if character == '\\' && self.peek(0) == Some('E') {
                self.at += 1;
                return;
            }
            self.push_literal(character);
        }
    }

    fn push_literal(&mut self, character: char) {
        if character.is_ascii_punctuation() && character != '_' && character != '<' && character != '>' {
            self.out.push('\\');
        }
        self.out.push(character);
    }

    /// What follows a `[`. Only there are `&&`, `--`, `~~` and `[` special to the Rust engine, and never to Go.
    fn class(&mut self) -> Option<()> {
        self.out.push('[');
        if self.peek(0) == Some('^') {
            self.at += 1;
            self.out.push('^');
        }
        let mut is_first = true;
        loop {
            let character = self.next()?;
            match character {
                ']' if !is_first => {
                    self.out.push(']');
                    return Some(());
                }
                '[' if self.peek(0) == Some(':') => {
                    self.out.push('[');
                    loop {
                        let character = self.next()?;
                        self.out.push(character);
                        if character == ']' {
                            break;
                        }
                    }
                }
                '\\' if self.peek(0).is_some_and(|next| "dDsSwWpP".contains(next)) => self.escape(true)?,
                _ => {
                    self.class_character(character)?;
                    if self.peek(0) == Some('-') && self.peek(1).is_some_and(|next| next != ']') {
                        self.at += 1;
                        self.out.push('-');
                        let last = self.next()?;
                        self.class_character(last)?;
                    }
                }
            }
            is_first = false;
        }
    }

    fn class_character(&mut self, character: char) -> Option<()> {
        if character == '\\' {
            return self.escape(true);
        }
        self.push_literal(character);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_what_go_matches() {
        for (pattern, text, matches) in [
            (r"^\d+$", "12", true),
            (r"^\d+$", "\u{661}", false),
            (r"^\w+$", "\u{e9}", false),
            (r"^[\w-]+$", "a-b_c", true),
            (r"^[a-z0-9-\.]+$", "a-.b", true),
            (r"^[a[b]+$", "a[b", true),
            (r"^[a&&b]+$", "&", true),
            (r"^[^\s/]+$", "a/b", false),
            (r"^[^\s/]+$", "ab", true),
            (r"^a{,2}$", "aa", false),
            (r"^a{,2}$", "a{,2}", true),
            (r"^a{2,3}$", "aaa", true),
            (r"^\<a\>$", "<a>", true),
            (r"^\Qa.b\E$", "a.b", true),
            (r"^\Qa.b\E$", "axb", false),
            (r"^[[:alpha:]]+$", "ab", true),
            (r"^\p{Lu}+\pL$", "\u{c9}a", true),
            (r"^[]a]+$", "]a", true),
            (r"a\b", "a b", true),
            (r"^\/x\_\-$", "/x_-", true),
            (r"^[\]\\\-\^]+$", r"]\-^", true),
        ] {
            let compiled = compile(pattern).unwrap_or_else(|| panic!("{pattern} is not understood"));
            assert_eq!(compiled.is_match(text), matches, "{pattern} on {text}");
        }
    }

    #[test]
    fn what_go_would_make_of_it_is_not_guessed() {
        for pattern in [r"\C", r"\12", "a(?=b)", "[a", r"(a)\1"] {
            assert!(compile(pattern).is_none(), "{pattern}");
        }
    }
}
