//! Reads `key=value,key=value`, all that is wrong with it at once.
//!
//! Owns the notation, and bounds as they are said. It must not know what a key is for.

use std::ops::RangeInclusive;

use super::found::{Found, Spot, Wrong, shown};
use super::grid::in_words;
use crate::policy::Problems;

/// Keys and values of one generator. Each `take` says which keys there are.
#[derive(Debug)]
pub(super) struct Keys<'a> {
    given: Vec<(&'a str, &'a str)>,
    known: Vec<&'static str>,
    found: Found,
}

impl<'a> Keys<'a> {
    /// Splits `text`, the part after a generator's name; `option` names it in the problems.
    pub(super) fn split(option: &str, text: &'a str) -> Self {
        let mut keys = Self {
            given: Vec::new(),
            known: Vec::new(),
            found: Found::new(option),
        };
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            match part.split_once('=') {
                Some((key, value)) => keys.given.push((key.trim(), value.trim())),
                None => keys.wrong("", shown(part), "key=value pairs, as in days=2,seed=7"),
            }
        }
        keys
    }

    /// A number within bounds.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        default: f64,
        bounds: RangeInclusive<f64>,
    ) -> f64 {
        let Some(text) = self.take(key) else {
            return default;
        };
        let number = text.parse::<f64>().ok();
        number.filter(|n| bounds.contains(n)).unwrap_or_else(|| {
            let allowed = format!("a number from {} to {}", bounds.start(), bounds.end());
            self.wrong(key, shown(text), &allowed);
            default
        })
    }

    /// A whole number.
    pub(super) fn whole(&mut self, key: &'static str, default: u64) -> u64 {
        let Some(text) = self.take(key) else {
            return default;
        };
        text.parse().unwrap_or_else(|_| {
            let allowed = "a whole number from 0 to 18446744073709551615";
            self.wrong(key, shown(text), allowed);
            default
        })
    }

    /// A span with its unit, in seconds.
    pub(super) fn span(
        &mut self,
        key: &'static str,
        default: f64,
        bounds: RangeInclusive<f64>,
    ) -> f64 {
        self.span_if_given(key, bounds).unwrap_or(default)
    }

    /// A span with its unit, in seconds, that may be left out.
    pub(super) fn span_if_given(
        &mut self,
        key: &'static str,
        bounds: RangeInclusive<f64>,
    ) -> Option<f64> {
        let text = self.take(key)?;
        let seconds = seconds_of(text).filter(|s| bounds.contains(s));
        if seconds.is_none() {
            let (least, most) = (in_words(*bounds.start()), in_words(*bounds.end()));
            let allowed = format!("a time from {least} to {most} with its unit, such as 90s or 2h");
            self.wrong(key, shown(text), &allowed);
        }
        seconds
    }

    /// One of a few words; the first is the default.
    pub(super) fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> T {
        let default = words[0].1;
        let Some(text) = self.take(key) else {
            return default;
        };
        let one = words.iter().find(|(word, _)| *word == text);
        one.map_or_else(
            || {
                let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                self.wrong(key, shown(text), &names.join(" or "));
                default
            },
            |(_, meaning)| *meaning,
        )
    }

    /// Something is wrong with a key's value.
    pub(super) fn wrong(&mut self, key: &'static str, found: String, allowed: &str) {
        let spot = Spot {
            key,
            ..Spot::file()
        };
        let wrong = Wrong {
            found,
            allowed,
            advice: "",
        };
        self.found.add(spot, wrong);
    }

    /// All problems, keys that nobody took among them.
    pub(super) fn finish(mut self) -> Result<(), Problems> {
        let known = format!("the keys {}", self.known.join(", "));
        for (key, _) in std::mem::take(&mut self.given) {
            if self.known.contains(&key) {
                self.wrong("", format!("{key} more than once"), "each key once");
            } else {
                self.wrong("", format!("the key {}", shown(key)), &known);
            }
        }
        if self.found.is_empty() {
            Ok(())
        } else {
            Err(self.found.into_problems())
        }
    }

    fn take(&mut self, key: &'static str) -> Option<&'a str> {
        self.known.push(key);
        let place = self.given.iter().position(|(given, _)| *given == key)?;
        Some(self.given.remove(place).1)
    }
}

/// Days are told apart from spans of the calendar: here they have 24 hours.
fn seconds_of(text: &str) -> Option<f64> {
    let days = text
        .strip_suffix('d')
        .and_then(|days| days.trim().parse::<f64>().ok());
    days.map(|days| days * 86_400.0).or_else(|| {
        let span = text.parse::<jiff::SignedDuration>().ok()?;
        Some(span.as_secs_f64())
    })
}
