//! A stream of manifests, document by document: cut where Helm cuts it, at each line that starts with `---`.
//!
//! The buffer holds one document at least and a read more. While it looks for the cut, it remembers where the keys of the root
//! mapping can be: lines that do not begin with a blank.

use std::io::{self, Read};
use std::ops::Range;

/// Bytes that are asked for at a time.
const READ: usize = 128 * 1024;

/// Bytes that are looked at together.
const BLOCK: usize = 64;

/// Where a block has a hit, so many of it are looked at together.
const PART: usize = 16;

/// One document, its separator included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Document<'b> {
    /// All its bytes, from `---` on, where it has one.
    pub(super) bytes: &'b [u8],
    /// Where the content begins: behind `---` and blanks.
    pub(super) body: usize,
    /// Where lines begin with neither a blank nor `#`.
    pub(super) roots: &'b [usize],
    /// Whether every byte is surely ASCII, and none a carriage return.
    pub(super) is_simple: bool,
    /// What of the stream stands before it, from a line on that was counted.
    before: &'b [u8],
    counted: usize,
}

impl Document<'_> {
    /// Returns the line of the stream on which it begins, counted from 1.
    pub(super) fn line(&self) -> usize {
        self.counted + breaks(self.before)
    }

    /// Returns where the root's entry stands that begins at `roots[index]`: up to the next one.
    pub(super) fn section(&self, index: usize) -> Range<usize> {
        let end = self.roots.get(index + 1).copied().unwrap_or(self.bytes.len());
        self.roots.get(index).map_or(end..end, |&start| start..end)
    }

    /// Tells whether there is more than blanks and comments.
    pub(super) fn has_content(&self) -> bool {
        // Quick where it can be; what is no ASCII may be a byte order mark.
        let first = self.roots.first().and_then(|&root| self.bytes.get(root));
        let body = self.bytes.get(self.body..).unwrap_or_default();
        first.is_some_and(u8::is_ascii)
            || body.split(|&byte| byte == b'\n').any(|line| {
                let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii();
                !line.is_empty() && !line.starts_with(b"#")
            })
    }
}

/// Reads documents from `input`.
pub(super) struct Documents<R> {
    input: R,
    buffer: Vec<u8>,
    /// Of the document that comes next.
    start: usize,
    /// Bytes of the buffer that hold input.
    filled: usize,
    /// No byte from there on is a carriage return, or beyond ASCII.
    simple_from: usize,
    has_ended: bool,
    /// The line of the stream with which the buffer begins, counted from 1.
    line: usize,
    /// What was found in the document that comes next, from its start.
    roots: Vec<usize>,
}

impl<R: Read> Documents<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            start: 0,
            filled: 0,
            simple_from: 0,
            has_ended: false,
            line: 1,
            roots: Vec::new(),
        }
    }

    /// Returns the next document; nothing at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Document<'_>>> {
        self.roots.clear();
        // The first line may be a separator of its own; any other begins the next document.
        let mut searched = 0;
        let length = loop {
            let pending = self.buffer.get(self.start..self.filled).unwrap_or_default();
            match cut(pending, searched, self.has_ended, &mut self.roots) {
                Cut::At(end) => break end,
                Cut::NeedsMore { .. } if self.has_ended => break pending.len(),
                Cut::NeedsMore { searched: so_far } => {
                    searched = so_far;
                    self.fill()?;
                }
            }
        };
        let bytes = self.buffer.get(self.start..self.start + length).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(None);
        }
        let is_simple = self.simple_from <= self.start;
        let before = self.buffer.get(..self.start).unwrap_or_default();
        self.start += length;
        let body = body_of(bytes);
        if bytes.get(body).is_some_and(|&byte| byte > b' ' && byte != b'#') {
            self.roots.insert(0, body);
        }
        Ok(Some(Document { bytes, body, roots: &self.roots, is_simple, before, counted: self.line }))
    }

    /// Reads more, behind what is pending.
    fn fill(&mut self) -> io::Result<()> {
        if self.start > 0 {
            self.line += breaks(self.buffer.get(..self.start).unwrap_or_default());
            self.buffer.copy_within(self.start..self.filled, 0);
            self.filled -= self.start;
            self.simple_from = self.simple_from.saturating_sub(self.start);
            self.start = 0;
        }
        if self.buffer.len() < self.filled + READ {
            // Not twice as much, as it would be by itself: a document may be large.
            self.buffer.reserve_exact(self.filled + READ - self.buffer.len());
            self.buffer.resize(self.filled + READ, 0);
        }
        let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
        loop {
            match self.input.read(room) {
                Ok(read) => {
                    self.filled += read;
                    let new = room.get(..read).unwrap_or_default();
                    if !new.is_ascii() || memchr::memchr(b'\r', new).is_some() {
                        self.simple_from = self.filled;
                    }
                    self.has_ended = read == 0;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn breaks(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', bytes).count()
}

/// Returns where the content begins.
fn body_of(bytes: &[u8]) -> usize {
    let Some(rest) = bytes.strip_prefix(b"---") else { return 0 };
    3 + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

enum Cut {
    /// The document has so many bytes.
    At(usize),
    /// Its end is not among the bytes; the first ones need not be looked at again.
    NeedsMore { searched: usize },
}

/// Looks for the next line that starts with `---`, from `searched` on, and notes lines that begin with content.
fn cut(pending: &[u8], searched: usize, has_ended: bool, roots: &mut Vec<usize>) -> Cut {
    let mut at = searched;
    while let Some(newline) = line_with_content(pending, at) {
        let root = newline + 1;
        let line = pending.get(root..).unwrap_or_default();
        if line.starts_with(b"---") {
            return Cut::At(root);
        }
        if line.len() < 3 && !has_ended {
            return Cut::NeedsMore { searched: newline };
        }
        if !line.starts_with(b"#") {
            roots.push(root);
        }
        at = root;
    }
    // The last byte may be a line break whose line has not come yet.
    Cut::NeedsMore { searched: pending.len().saturating_sub(1).max(searched) }
}

/// Returns the next line break behind which stands neither a blank nor another one.
fn line_with_content(bytes: &[u8], from: usize) -> Option<usize> {
    let here = bytes.get(from..bytes.len().checked_sub(1)?)?;
    let behind = bytes.get(from + 1..)?;
    let (blocks, rest) = here.as_chunks::<BLOCK>();
    let (next_blocks, next_rest) = behind.as_chunks::<BLOCK>();
    let is_hit = |(&one, &next): (&u8, &u8)| one == b'\n' && next > b' ';
    for (index, (block, next)) in blocks.iter().zip(next_blocks).enumerate() {
        if !has_hit(block, next) {
            continue;
        }
        let parts = block.as_chunks::<PART>().0.iter().zip(next.as_chunks::<PART>().0);
        for (part, (here, behind)) in parts.enumerate() {
            if has_hit(here, behind)
                && let Some(within) = here.iter().zip(behind).position(is_hit)
            {
                return Some(from + index * BLOCK + part * PART + within);
            }
        }
    }
    let done = blocks.len() * BLOCK;
    rest.iter().zip(next_rest).position(is_hit).map(|within| from + done + within)
}

/// Tells whether a line break stands before more than a blank; without a branch, so that the processor does many bytes at once.
fn has_hit<const N: usize>(here: &[u8; N], behind: &[u8; N]) -> bool {
    here.iter().zip(behind).fold(0, |hit, (one, next)| hit | u8::from(*one == b'\n') & u8::from(*next > b' ')) != 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives so many bytes at each read.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            let some = self.1.min(self.0.len()).min(room.len());
            let (now, later) = self.0.split_at(some);
            room[..some].copy_from_slice(now);
            self.0 = later;
            Ok(some)
        }
    }

    /// Returns each document's text, line and roots.
    fn documents(text: &str, at_a_time: usize) -> Vec<(String, usize, Vec<usize>)> {
        let mut documents = Documents::new(Slow(text.as_bytes(), at_a_time));
        let mut all = Vec::new();
        while let Some(document) = documents.next().expect("it reads") {
            let text = String::from_utf8_lossy(document.bytes).into_owned();
            all.push((text, document.line(), document.roots.to_vec()));
        }
        all
    }

    #[test]
    fn a_stream_is_cut_where_helm_cuts_it() {
        let text = "# first\n---\na: 1\n--- # comment\nb: |\n  x\n  ---\n---c: 1\n---\n";
        let cut: Vec<String> = documents(text, 1000).into_iter().map(|(text, ..)| text).collect();
        assert_eq!(cut, ["# first\n", "---\na: 1\n", "--- # comment\nb: |\n  x\n  ---\n", "---c: 1\n", "---\n"]);
    }

    #[test]
    fn roots_are_lines_that_begin_with_content() {
        let text = "--- \n# no\na: 1\n  b: 2\n\n- c\n#\nd:\n---e: 1\nf";
        let found: Vec<(usize, Vec<usize>)> =
            documents(text, 1000).into_iter().map(|(_, line, roots)| (line, roots)).collect();
        assert_eq!(found, [(1, vec![10, 23, 29]), (9, vec![3, 8])]);
    }

    #[test]
    fn blanks_and_comments_are_no_content() {
        let mut stream = Documents::new(&b"\n# x\n---\n  # y\n---\n  z: 1\n--- w\n"[..]);
        let mut has = Vec::new();
        while let Some(document) = stream.next().expect("it reads") {
            has.push(document.has_content());
        }
        assert_eq!(has, [false, false, true, true]);
    }

    proptest! {
        #[test]
        fn however_it_comes_it_is_cut_the_same(text in "([a#: \\n-]|---|\\n---\\n|\\r\\n|é){0,300}", at_a_time in 1..20_usize) {
            let all = documents(&text, 1_000_000);
            prop_assert_eq!(&documents(&text, at_a_time), &all);
            let joined: String = all.iter().map(|(text, ..)| text.as_str()).collect();
            prop_assert_eq!(joined, text.as_str());
            let mut stream = Documents::new(Slow(text.as_bytes(), at_a_time));
            while let Some(document) = stream.next().expect("it reads") {
                let is_simple = document.bytes.is_ascii() && !document.bytes.contains(&b'\r');
                prop_assert!(is_simple || !document.is_simple);
                let content = String::from_utf8_lossy(&document.bytes[document.body..]).replace('\u{feff}', "");
                let is_content = |line: &str| !line.trim_ascii().is_empty() && !line.starts_with('#');
                prop_assert_eq!(document.has_content(), content.split('\n').map(str::trim_ascii).any(is_content));
            }
            let mut line_now = 1;
            for (document, line, roots) in &all {
                prop_assert_eq!(*line, line_now);
                line_now += document.matches('\n').count();
                let body = body_of(document.as_bytes());
                let mut expected: Vec<usize> = Vec::new();
                let mut at = 0;
                for line in document.split_inclusive('\n') {
                    let start = if at == 0 { body } else { at };
                    if document.as_bytes().get(start).is_some_and(|&byte| byte > b' ' && byte != b'#') {
                        expected.push(start);
                    }
                    prop_assert!(at == 0 || !line.starts_with("---"));
                    at += line.len();
                }
                prop_assert_eq!(roots, &expected);
            }
        }
    }
}
