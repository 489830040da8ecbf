//! Hands a file to the CSV reader line by line, so that a record's line is known to the letter.
//!
//! Owns where reading has come to, and how long a line may be. It must not read meaning into it.

use std::io::{self, BufRead, BufReader, Read};

/// No row of numbers is longer, with room for other columns; a quote that is never closed is.
const RECORD_BYTES_MAX: usize = 1 << 20;

/// A source of bytes whose every `read` ends with a line, if it does not end within one.
#[derive(Debug)]
pub(super) struct Lines<R> {
    source: BufReader<R>,
    /// The present line; the last one stays when all is read.
    line: Vec<u8>,
    given: usize,
    number: usize,
    /// The line in which the present record begins.
    record_line: Option<usize>,
    record_bytes: usize,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source: BufReader::with_capacity(1 << 16, source),
            line: Vec::new(),
            given: 0,
            number: 0,
            record_line: None,
            record_bytes: 0,
        }
    }

    /// The number of the line in which the present record begins, from 1.
    pub(super) fn number(&self) -> usize {
        self.record_line.unwrap_or(self.number)
    }

    /// The present record's line, without its end; empty where the record has several.
    pub(super) fn text(&self) -> String {
        if self.number() != self.number {
            return String::new();
        }
        let text = String::from_utf8_lossy(&self.line);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        text.trim_end_matches(['\r', '\n']).to_owned()
    }

    /// A record begins: what came before does not count to its length.
    pub(super) fn begin_record(&mut self) {
        self.record_line = None;
        self.record_bytes = 0;
    }

    fn next_line(&mut self) -> io::Result<()> {
        if self.source.fill_buf()?.is_empty() {
            return Ok(());
        }
        self.line.clear();
        self.given = 0;
        self.number += 1;
        let mut source = (&mut self.source).take(RECORD_BYTES_MAX as u64 + 1);
        let bytes = source.read_until(b'\n', &mut self.line)?;
        if self.line.trim_ascii().is_empty() && self.record_line.is_none() {
            return Ok(());
        }
        self.record_line.get_or_insert(self.number);
        self.record_bytes += bytes;
        if self.record_bytes > RECORD_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(())
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.line.len() {
            self.next_line()?;
        }
        let rest = &self.line[self.given..];
        let bytes = rest.len().min(buffer.len());
        buffer[..bytes].copy_from_slice(&rest[..bytes]);
        self.given += bytes;
        Ok(bytes)
    }
}
