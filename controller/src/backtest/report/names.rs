//! What a row is called, and how it is drawn: a colour and a mark for each scaler, a line for each
//! kind of setting.
//!
//! Owns names and looks, the same in the table, the legends and the charts. It must not touch
//! figures.

use std::collections::BTreeMap;

use crate::backtest::outcome::{Outcome, Row, Setting};
use crate::backtest::words;

/// Colours beside the policy's own; with more scalers they come round again.
const COLOURS: usize = 8;

/// The scalers of an outcome, the policy's first.
#[derive(Debug)]
pub(super) struct Scalers<'a> {
    /// In the order of their first row, then of their frontier.
    pub names: Vec<&'a str>,
}

impl<'a> Scalers<'a> {
    pub(super) fn of(outcome: &'a Outcome) -> Self {
        let mut names: Vec<&str> = Vec::new();
        let rows = outcome.rows.iter().map(|row| row.scaler.as_str());
        let frontiers = outcome.frontiers.iter().map(|f| f.scaler.as_str());
        for name in rows.chain(frontiers) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Self { names }
    }

    /// The place of a scaler among the names.
    pub(super) fn index(&self, name: &str) -> usize {
        let place = self.names.iter().position(|other| *other == name);
        place.unwrap_or(self.names.len())
    }

    /// Number of a scaler's colour and mark: 0 is kept for the first.
    pub(super) fn look(&self, name: &str) -> usize {
        match self.index(name) {
            0 => 0,
            n => 1 + (n - 1) % COLOURS,
        }
    }
}

/// `KEDA, behavior block`.
pub(super) fn scaler(name: &str, variant: Option<&str>) -> String {
    match variant {
        Some(variant) => format!("{name}, {variant}"),
        None => name.to_owned(),
    }
}

/// `KEDA, behavior block – tuned`; unique among an outcome's rows but for parameters.
pub(super) fn row(row: &Row) -> String {
    let name = scaler(&row.scaler, row.variant.as_deref());
    format!("{name} – {}", setting(row.setting))
}

/// Where a setting is from, in words.
pub(super) fn setting(setting: Setting) -> &'static str {
    match setting {
        Setting::Policy => "the policy",
        Setting::Documented => "as documented",
        Setting::Tuned => "tuned",
        Setting::LeastLate => "least late",
        Setting::Actual => "as it was",
    }
}

/// How its line is drawn: `solid`, `dashed`, `dotted`.
pub(super) fn line(setting: Setting) -> &'static str {
    match setting {
        Setting::Policy | Setting::Tuned => "solid",
        Setting::Documented => "dashed",
        Setting::LeastLate | Setting::Actual => "dotted",
    }
}

/// `target 30, cooldown seconds 300`; empty where there are none.
pub(super) fn parameters(parameters: &BTreeMap<String, f64>) -> String {
    let texts = parameters.iter().map(|(name, value)| {
        let name = name.replace('_', " ");
        format!("{name}\u{a0}{}", words::number(*value))
    });
    texts.collect::<Vec<_>>().join(", ")
}
