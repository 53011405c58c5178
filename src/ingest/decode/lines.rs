//! Lines of a gzip file, with limits.

use std::io::Read;

use memchr::memchr;

use super::DecodeError;

/// Longest line taken, in bytes. Real lines have about 80.
pub const MAX_LINE_BYTES: usize = 64 * 1024;

/// Most bytes a file may unpack to. The largest known (indices) have about 500 MB.
pub const MAX_UNPACKED_BYTES: u64 = 8 * 1024 * 1024 * 1024;

/// Bytes unpacked at a time: large enough that the cost per call vanishes, small enough to stay in the cache.
const CHUNK: usize = 256 * 1024;

/// Hands out the lines of a reader one at a time, without their line ends, from one reused buffer.
///
/// An own splitter because this is where a full-market day spends its time: a line of a symbol nobody asked for is
/// skipped after a look at its ticker and its time stamp.
pub(crate) struct Lines<R> {
    reader: R,
    buffer: Box<[u8]>,
    /// Unread part of the buffer.
    start: usize,
    end: usize,
    /// The first byte at or after `start` that was not searched for a line end yet.
    searched: usize,
    at_end: bool,
    line: u64,
    unpacked: u64,
    max_unpacked: u64,
    /// Bounds of the line handed out last.
    current: (usize, usize),
    /// Whether there is a quotation mark in the unread part of the buffer: hardly ever, and looking for one in every line
    /// would cost more than splitting it.
    quotes: bool,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self::with_limit(reader, MAX_UNPACKED_BYTES)
    }

    fn with_limit(reader: R, max_unpacked: u64) -> Self {
        let buffer = vec![0; CHUNK + MAX_LINE_BYTES].into_boxed_slice();
        Self {
            reader,
            buffer,
            start: 0,
            end: 0,
            searched: 0,
            at_end: false,
            line: 0,
            unpacked: 0,
            max_unpacked,
            current: (0, 0),
            quotes: false,
        }
    }

    /// What is read from.
    pub(crate) const fn reader(&self) -> &R {
        &self.reader
    }

    /// Number of the line handed out last, the first being 1.
    pub(crate) const fn number(&self) -> u64 {
        self.line
    }

    /// Whether the line handed out last may have quoted fields.
    #[inline]
    pub(crate) const fn may_be_quoted(&self) -> bool {
        self.quotes
    }

    /// The line handed out last.
    #[inline]
    pub(crate) fn current(&self) -> &[u8] {
        &self.buffer[self.current.0..self.current.1]
    }

    /// The next line that is not empty, without `\n` or `\r\n`; `None` at the end.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, DecodeError> {
        loop {
            let (from, to) = match memchr(b'\n', &self.buffer[self.searched..self.end]) {
                Some(found) => {
                    let line = (self.start, self.searched + found);
                    self.start = line.1 + 1;
                    line
                }
                None if self.at_end => {
                    if self.start == self.end {
                        return Ok(None);
                    }
                    let line = (self.start, self.end);
                    self.start = self.end;
                    line
                }
                None => {
                    self.fill()?;
                    continue;
                }
            };
            self.searched = self.start;
            self.line += 1;
            let to = if to > from && self.buffer[to - 1] == b'\r' { to - 1 } else { to };
            if to - from > MAX_LINE_BYTES {
                return Err(DecodeError::LineTooLong { line: self.line });
            }
            if to > from {
                self.current = (from, to);
                return Ok(Some(&self.buffer[from..to]));
            }
        }
    }

    #[cold]
    fn fill(&mut self) -> Result<(), DecodeError> {
        self.searched = self.end;
        if self.end - self.start >= MAX_LINE_BYTES {
            return Err(DecodeError::LineTooLong { line: self.line + 1 });
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.searched = self.end;
            self.start = 0;
        }
        let room = self.end + CHUNK;
        while self.end < room {
            match self.reader.read(&mut self.buffer[self.end..room]) {
                Ok(0) => {
                    self.at_end = true;
                    break;
                }
                Ok(read) => {
                    self.end += read;
                    self.unpacked += read as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => return Err(DecodeError::unreadable(source, self.line)),
            }
        }
        self.quotes = memchr(b'"', &self.buffer[self.start..self.end]).is_some();
        if self.unpacked > self.max_unpacked {
            return Err(DecodeError::TooLarge { limit_bytes: self.max_unpacked });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> Vec<(u64, String)> {
        let mut lines = Lines::new(text);
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            let line = String::from_utf8(line.to_vec()).unwrap();
            found.push((lines.number(), line));
        }
        found
    }

    #[test]
    fn lines_come_with_their_numbers_whatever_their_ends() {
        let expected = vec![(1, "a".to_owned()), (2, "b".to_owned()), (4, "c".to_owned())];
        assert_eq!(all(b"a\nb\n\nc\n"), expected);
        assert_eq!(all(b"a\r\nb\r\n\r\nc"), expected, "no line end at the end");
        assert_eq!(all(b""), vec![]);
    }

    #[test]
    fn lines_survive_the_borders_of_the_buffer() {
        let text: String = (0..60_000).map(|n| format!("{n},{}\n", "x".repeat(n % 37))).collect();
        let found = all(text.as_bytes());
        assert_eq!(found.len(), 60_000);
        assert!(found.iter().zip(text.lines()).all(|((_, line), expected)| line == expected));
    }

    #[test]
    fn a_line_without_end_is_refused_before_it_fills_the_memory() {
        let endless = std::io::repeat(b'x');
        assert!(matches!(Lines::new(endless).next(), Err(DecodeError::LineTooLong { line: 1 })));
    }

    #[test]
    fn a_file_that_unpacks_without_end_is_refused() {
        let endless = std::io::repeat(b'\n');
        let mut lines = Lines::with_limit(endless, 10 * 1024 * 1024);
        assert!(matches!(lines.next(), Err(DecodeError::TooLarge { .. })));
    }
}
