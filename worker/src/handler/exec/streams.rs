//! What a process says: the beginning of its standard output, the end of its standard error.
//!
//! Both are read to their end, or the process would block; what is kept is bounded. It must not
//! judge any of it.

use tokio::io::{AsyncRead, AsyncReadExt};

/// How much of standard error is kept for the reason: the end, where programs say what went wrong.
const ERRORS_KEPT_BYTES: usize = 4 * 1024;

/// Lines of standard error that are logged for one job: enough to see what it does, too few for a
/// program gone mad to fill a disk.
const LINES_LOGGED_MAX: usize = 1000;

/// A longer line is logged in parts.
const LINE_MAX_BYTES: usize = 4 * 1024;

/// Standard output: its first bytes, and one more than allowed, by which excess is told.
#[derive(Debug)]
pub(super) struct Output {
    max: usize,
    kept: Vec<u8>,
}

impl Output {
    pub(super) fn up_to(max: usize) -> Self {
        Self {
            max,
            kept: Vec::new(),
        }
    }

    pub(super) fn max(&self) -> usize {
        self.max
    }

    pub(super) async fn read(&mut self, stream: Option<impl AsyncRead + Unpin>) {
        read_all(stream, |part| {
            let room = (self.max + 1).saturating_sub(self.kept.len());
            self.kept.extend_from_slice(&part[..part.len().min(room)]);
        })
        .await;
    }

    /// The bytes, unless there are too many.
    pub(super) fn within_limit(self) -> Option<Vec<u8>> {
        (self.kept.len() <= self.max).then_some(self.kept)
    }
}

/// Standard error: logged line by line, its last bytes kept.
#[derive(Debug, Default)]
pub(super) struct Errors {
    kept: Vec<u8>,
    line: Vec<u8>,
    logged: usize,
}

impl Errors {
    pub(super) async fn read(&mut self, stream: Option<impl AsyncRead + Unpin>) {
        read_all(stream, |part| self.take(part)).await;
        self.log_line();
    }

    fn take(&mut self, part: &[u8]) {
        self.kept.extend_from_slice(part);
        let excess = self.kept.len().saturating_sub(ERRORS_KEPT_BYTES);
        self.kept.drain(..excess);
        for piece in part.split_inclusive(|byte| *byte == b'\n') {
            if self.logged > LINES_LOGGED_MAX {
                return;
            }
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.line.len() >= LINE_MAX_BYTES {
                self.log_line();
            }
        }
    }

    fn log_line(&mut self) {
        let line = String::from_utf8_lossy(&self.line);
        let line = line.trim_end();
        if !line.is_empty() {
            self.logged += 1;
            if self.logged <= LINES_LOGGED_MAX {
                tracing::info!(target: "weir_worker::job", "{line}");
            } else if self.logged == LINES_LOGGED_MAX + 1 {
                tracing::warn!(
                    "the job says more than {LINES_LOGGED_MAX} lines: no more is logged"
                );
            }
        }
        self.line.clear();
    }

    /// The last bytes as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.kept).trim_end().to_owned()
    }
}

async fn read_all(stream: Option<impl AsyncRead + Unpin>, mut keep: impl FnMut(&[u8])) {
    let Some(mut stream) = stream else { return };
    let mut part = vec![0; 16 * 1024];
    // A broken pipe ends the stream as its end does; the exit status tells what happened.
    while let Ok(count @ 1..) = stream.read(&mut part).await {
        keep(&part[..count]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn flood_of_errors_keeps_its_end() {
        let flood = format!("{}the end\n", "x".repeat(300_000));
        let mut errors = Errors::default();
        errors.read(Some(flood.as_bytes())).await;
        assert!(errors.kept.len() <= ERRORS_KEPT_BYTES && errors.line.is_empty());
        assert!(errors.text().ends_with("the end"));
    }

    #[tokio::test]
    async fn lines_are_logged_up_to_a_limit() {
        let lines = "line\n".repeat(LINES_LOGGED_MAX * 3);
        let mut errors = Errors::default();
        errors.read(Some(lines.as_bytes())).await;
        assert_eq!(errors.logged, LINES_LOGGED_MAX + 1);
        assert!(errors.line.len() <= LINE_MAX_BYTES);
    }
}
