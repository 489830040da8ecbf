//! Log lines of the controller, on standard error.
//!
//! Standard output is for results. This module chooses format and level once, at the start; it
//! must not be called by anything but the command line.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One line for a person.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging: warnings, with `verbosity` 1 also what each step does, with 2 and more also
/// what the AWS SDK does. A second call changes nothing.
pub fn start(format: Format, verbosity: u8) {
    let lines = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(EnvFilter::new(filter(verbosity)));
    // Only a second start can fail, and the first one's choice stands.
    let _ = match format {
        Format::Text => lines.with_target(false).try_init(),
        Format::Json => lines.json().try_init(),
    };
}

/// The SDK logs each credential look-up at info and each byte at trace: it stays a level below.
fn filter(verbosity: u8) -> &'static str {
    match verbosity {
        0 => "warn",
        1 => "warn,weir_controller=debug",
        2 => "info,weir_controller=trace",
        _ => "debug,weir_controller=trace",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_a_filter_that_parses() {
        for verbosity in 0..5 {
            assert!(
                filter(verbosity).parse::<EnvFilter>().is_ok(),
                "verbosity {verbosity}"
            );
        }
    }
}
