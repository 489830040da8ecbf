//! The live view: redrawn in place on a terminal, a line every few seconds elsewhere.
//!
//! This module draws; what is shown is handed to it.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use super::tally::QueueCounts;
use crate::fleet::FleetCounts;

/// Off a terminal a line is written this often.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// The widest a bar gets.
const BAR: usize = 50;

/// What is going on at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Since the first message.
    pub elapsed: Duration,
    /// Messages accepted, and messages there will be.
    pub submitted: (u32, usize),
    /// The queue.
    pub queue: QueueCounts,
    /// The group.
    pub fleet: FleetCounts,
    /// Jobs that have ended.
    pub done: u64,
    /// The controller's latest word.
    pub latest: String,
}

/// Where the view is drawn.
#[derive(Debug)]
pub struct Live {
    terminal: bool,
    drawn: usize,
    last_line: Option<Duration>,
}

impl Live {
    /// On standard output, whatever it is.
    pub fn new() -> Self {
        Self {
            terminal: io::stdout().is_terminal(),
            drawn: 0,
            last_line: None,
        }
    }

    /// Shows a moment.
    pub fn show(&mut self, now: &Snapshot) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.terminal {
            let picture = picture(now);
            if self.drawn > 0 {
                write!(out, "\x1b[{}A\x1b[J", self.drawn)?;
            }
            self.drawn = picture.lines().count();
            out.write_all(picture.as_bytes())?;
        } else {
            let due = self
                .last_line
                .is_none_or(|last| now.elapsed >= last + LINE_EVERY);
            if !due {
                return Ok(());
            }
            self.last_line = Some(now.elapsed);
            writeln!(out, "{}", line(now))?;
        }
        out.flush()
    }
}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}

/// The moment in one line.
fn line(now: &Snapshot) -> String {
    let (fleet, queue) = (now.fleet, now.queue);
    format!(
        "{:>4}s  sent {:>4}/{}  backlog {:>3}  in flight {:>2}  done {:>4}  fleet {} up, {} \
         booting, {} leaving  {}",
        now.elapsed.as_secs(),
        now.submitted.0,
        now.submitted.1,
        queue.visible + queue.delayed,
        queue.in_flight,
        now.done,
        fleet.in_service,
        fleet.pending,
        fleet.terminating,
        now.latest
    )
}

/// The moment as a picture of a few lines, none wider than a common terminal.
fn picture(now: &Snapshot) -> String {
    let (fleet, queue) = (now.fleet, now.queue);
    let waiting = usize::try_from(queue.visible + queue.delayed).unwrap_or(usize::MAX);
    let done = usize::try_from(now.done).unwrap_or(usize::MAX);
    let instances = format!(
        "{}{}{}",
        "■".repeat(fleet.in_service),
        "□".repeat(fleet.pending),
        "▽".repeat(fleet.terminating)
    );
    let mut text = String::new();
    let mut row = |name: &str, shown: String| {
        let _ = writeln!(text, "  {name:<10} {shown}");
    };
    row("time", format!("{} s", now.elapsed.as_secs()));
    row("sent", bar(now.submitted.0 as usize, now.submitted.1));
    row("done", bar(done, now.submitted.1));
    row(
        "backlog",
        format!("{waiting:>5}  {}", "▪".repeat(waiting.div_ceil(4).min(BAR))),
    );
    row("in flight", format!("{:>5}", queue.in_flight));
    row(
        "fleet",
        format!(
            "{:>5}  {instances}  ({} wanted; ■ up □ booting ▽ leaving)",
            fleet.in_service + fleet.pending + fleet.terminating,
            fleet.desired
        ),
    );
    row("controller", clipped(&now.latest, 100));
    text
}

fn bar(part: usize, whole: usize) -> String {
    let filled = (part * BAR).checked_div(whole).unwrap_or(0).min(BAR);
    format!(
        "{part:>5}  {}{}",
        "█".repeat(filled),
        "░".repeat(BAR - filled)
    )
}

fn clipped(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    let mut clipped: String = text.chars().take(chars - 1).collect();
    clipped.push('…');
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment() -> Snapshot {
        Snapshot {
            elapsed: Duration::from_secs(47),
            submitted: (360, 720),
            queue: QueueCounts {
                visible: 41,
                in_flight: 8,
                delayed: 0,
            },
            fleet: FleetCounts {
                pending: 1,
                in_service: 4,
                terminating: 1,
                desired: 5,
            },
            done: 311,
            latest: "grow 5: 41 messages wait".into(),
        }
    }

    #[test]
    fn off_a_terminal_a_moment_is_one_line() {
        insta::assert_snapshot!(line(&moment()), @"  47s  sent  360/720  backlog  41  in flight  8  done  311  fleet 4 up, 1 booting, 1 leaving  grow 5: 41 messages wait");
    }

    #[test]
    fn on_a_terminal_a_moment_is_a_picture() {
        insta::assert_snapshot!(picture(&moment()), @r"
        time       47 s
        sent         360  █████████████████████████░░░░░░░░░░░░░░░░░░░░░░░░░
        done         311  █████████████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
        backlog       41  ▪▪▪▪▪▪▪▪▪▪▪
        in flight      8
        fleet          6  ■■■■□▽  (5 wanted; ■ up □ booting ▽ leaving)
        controller grow 5: 41 messages wait
        ");
    }

    #[test]
    fn a_long_word_of_the_controller_stays_on_its_line() {
        assert_eq!(clipped("abcdef", 4), "abc…");
        assert_eq!(clipped("äöü", 3), "äöü");
    }
}
