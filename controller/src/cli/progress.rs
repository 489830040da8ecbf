//! Progress of long work, on standard error: a bar on a terminal, a line at every quarter elsewhere.

use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

use crate::backtest::progress::Progress;

/// The bar of the stage at hand.
pub(super) struct Bars {
    bar: Mutex<ProgressBar>,
    quarter: Mutex<(&'static str, usize)>,
}

impl Bars {
    pub(super) fn new() -> Self {
        let style = ProgressStyle::with_template("{msg:10} {bar:40} {pos}/{len} {elapsed}")
            .expect("invariant: the template is right");
        Self {
            bar: Mutex::new(ProgressBar::new(0).with_style(style)),
            quarter: Mutex::new(("", 0)),
        }
    }

    pub(super) fn tell(&self, progress: Progress) {
        let Progress { stage, done, all } = progress;
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        bar.set_length(all as u64);
        bar.set_message(stage);
        bar.set_position(done as u64);
        if bar.is_hidden() {
            self.tell_in_lines(progress);
        }
    }

    /// Days that are there, of how many.
    #[cfg(feature = "aws")]
    pub(super) fn tell_days(&self, done: usize, all: usize) {
        let stage = "days";
        self.tell(Progress { stage, done, all });
    }

    pub(super) fn finish(&self) {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        bar.finish_and_clear();
    }

    #[expect(clippy::print_stderr, reason = "progress is for whoever watches")]
    fn tell_in_lines(&self, Progress { stage, done, all }: Progress) {
        let quarter = done * 4 / all.max(1);
        let mut told = self.quarter.lock().unwrap_or_else(PoisonError::into_inner);
        if quarter > 0 && *told != (stage, quarter) {
            *told = (stage, quarter);
            eprintln!("{stage}: {done} of {all}");
        }
    }
}
