//! Takes typed values out of the raw tree and notes everything that is wrong on the way.
//!
//! Owns what is common to all keys: types, unknown, duplicate and missing keys, durations. What
//! a policy's keys mean is `validate`'s affair.

use std::ops::RangeInclusive;

use jiff::SignedDuration;

use super::problem::{Place, Problem};
use crate::model::Seconds;
use weir_yaml::{Entry, Node, Value};

/// Collects the problems of one file.
pub(super) struct Reader<'a> {
    file: &'a str,
    lines: Vec<&'a str>,
    problems: Vec<Problem>,
}

/// A mapping whose keys are all known; the first of duplicates counts.
pub(super) struct Section<'n> {
    path: String,
    place: Place,
    entries: Vec<&'n Entry>,
}

/// A value and its key's path.
pub(super) struct Item<'n> {
    pub(super) node: &'n Node,
    pub(super) key: String,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self {
            file,
            lines: text.lines().collect(),
            problems: Vec::new(),
        }
    }

    /// The problems in the order of the file.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|p| p.place);
        self.problems
    }

    /// Notes that `item` is not what is allowed.
    pub(super) fn fault(&mut self, item: &Item<'_>, allowed: &str, advice: &str) {
        let found = item.node.found();
        self.report(item.node.place, (&item.key, &found), allowed, advice);
    }

    /// Notes a problem at a place; `what` is the key's path and what was found.
    pub(super) fn report(&mut self, place: Place, what: (&str, &str), allowed: &str, advice: &str) {
        let line = self
            .lines
            .get(place.line.saturating_sub(1))
            .copied()
            .unwrap_or_default();
        self.problems.push(Problem {
            file: self.file.to_owned(),
            place: Some(place),
            key: what.0.to_owned(),
            found: what.1.to_owned(),
            allowed: allowed.to_owned(),
            advice: advice.to_owned(),
            source_line: line.to_owned(),
        });
    }

    /// Opens a mapping; keys not in `keys` and duplicates are noted and left out.
    pub(super) fn section<'n>(&mut self, item: &Item<'n>, keys: &[&str]) -> Option<Section<'n>> {
        let Value::Map(entries) = &item.node.value else {
            self.fault(
                item,
                &format!("a mapping with the keys {}", keys.join(", ")),
                "",
            );
            return None;
        };
        let mut section = Section {
            path: item.key.clone(),
            place: item.node.place,
            entries: Vec::new(),
        };
        for entry in entries {
            let key = section.path_of(&entry.key);
            if !keys.contains(&entry.key.as_str()) {
                let advice = closest(&entry.key, keys).map_or_else(
                    || "remove it".to_owned(),
                    |near| format!("did you mean {near}?"),
                );
                let found = ("an unknown key", keys.join(", "));
                self.report(entry.place, (&key, found.0), &found.1, &advice);
            } else if let Some(first) = section.entries.iter().find(|e| e.key == entry.key) {
                let found = format!("the key a second time (first in line {})", first.place.line);
                self.report(
                    entry.place,
                    (&key, &found),
                    "each key once",
                    "remove one of them",
                );
            } else {
                section.entries.push(entry);
            }
        }
        Some(section)
    }

    /// The value of a key that must be there.
    pub(super) fn required<'n>(
        &mut self,
        section: &Section<'n>,
        key: &str,
        allowed: &str,
    ) -> Option<Item<'n>> {
        let item = section.get(key);
        if item.is_none() {
            let path = section.path_of(key);
            self.report(section.place, (&path, "no such key"), allowed, "add it");
        }
        item
    }

    /// The items of a list.
    pub(super) fn list<'n>(&mut self, item: &Item<'n>, allowed: &str) -> Option<Vec<Item<'n>>> {
        let Value::List(nodes) = &item.node.value else {
            self.fault(item, allowed, "start each item with a dash");
            return None;
        };
        let item_of = |(i, node)| Item {
            node,
            key: format!("{}[{i}]", item.key),
        };
        Some(nodes.iter().enumerate().map(item_of).collect())
    }

    /// Text; a number or a yes needs quotes.
    pub(super) fn text<'n>(&mut self, item: &Item<'n>, allowed: &str) -> Option<&'n str> {
        match &item.node.value {
            Value::Text(text) => Some(text),
            Value::Integer(_) | Value::Float(_) | Value::Bool(_) => {
                self.fault(item, allowed, "put it in quotes if it is meant as text");
                None
            }
            _ => {
                self.fault(item, allowed, "");
                None
            }
        }
    }

    /// A whole number within a range.
    pub(super) fn whole(&mut self, item: &Item<'_>, range: &RangeInclusive<i64>) -> Option<i64> {
        let number = item.node.whole().and_then(|n| i64::try_from(n).ok());
        let inside = number.filter(|n| range.contains(n));
        if inside.is_none() {
            let allowed = format!("a whole number from {} to {}", range.start(), range.end());
            self.fault(item, &allowed, unquote_advice(item.node));
        }
        inside
    }

    /// A number above zero.
    pub(super) fn positive(&mut self, item: &Item<'_>, allowed: &str) -> Option<f64> {
        let number = item.node.number().filter(|n| n.is_finite() && *n > 0.0);
        if number.is_none() {
            self.fault(item, allowed, unquote_advice(item.node));
        }
        number
    }

    /// A duration with its unit, within a range.
    pub(super) fn duration(
        &mut self,
        item: &Item<'_>,
        range: &RangeInclusive<SignedDuration>,
    ) -> Option<Seconds> {
        self.duration_or(item, range, "")
    }

    /// A duration with its unit, within a range; `or` says in the message what else is allowed.
    pub(super) fn duration_or(
        &mut self,
        item: &Item<'_>,
        range: &RangeInclusive<SignedDuration>,
        or: &str,
    ) -> Option<Seconds> {
        let least = range.start();
        let least = if least.is_zero() {
            "0s".to_owned()
        } else {
            format!("{least:#}")
        };
        let allowed = format!(
            "{or}a duration with its unit, such as 90s or 2m 30s, from {least} to {:#}",
            range.end()
        );
        let Value::Text(text) = &item.node.value else {
            let advice = match item.node.number() {
                Some(number) => format!("write {number}s if seconds are meant"),
                None => String::new(),
            };
            self.fault(item, &allowed, &advice);
            return None;
        };
        match text.trim().parse::<SignedDuration>() {
            Ok(duration) if range.contains(&duration) => Some(Seconds(duration.as_secs_f64())),
            _ => {
                self.fault(item, &allowed, "");
                None
            }
        }
    }

    /// One word of a few.
    pub(super) fn choice<T: Copy>(&mut self, item: &Item<'_>, choices: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let allowed = names.join(" or ");
        let text = self.text(item, &allowed)?;
        let found = choices
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, value)| *value);
        if found.is_none() {
            let advice = closest(text, &names).map(|near| format!("did you mean {near}?"));
            self.fault(item, &allowed, &advice.unwrap_or_default());
        }
        found
    }
}

impl<'n> Section<'n> {
    /// The value of a key, if it is there.
    pub(super) fn get(&self, key: &str) -> Option<Item<'n>> {
        let entry = self.entries.iter().find(|e| e.key == key)?;
        Some(Item {
            node: &entry.value,
            key: self.path_of(key),
        })
    }

    /// Whether the mapping has no key that is known.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}

fn unquote_advice(node: &Node) -> &'static str {
    match &node.value {
        Value::Text(text) if text.parse::<f64>().is_ok() => "remove the quotes",
        _ => "",
    }
}

/// The whole file as an item: its key is empty.
pub(super) fn whole_file(node: &Node) -> Item<'_> {
    Item {
        node,
        key: String::new(),
    }
}

/// The candidate nearest to `word`, if it is near enough to be a slip.
fn closest<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let near = |candidate: &&str| edits(word, candidate);
    let best = candidates.iter().copied().min_by_key(near)?;
    (edits(word, best) <= 1 + best.len() / 4).then_some(best)
}

/// Edit distance (Levenshtein), by characters.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_slips_and_nothing_else() {
        let keys = ["min", "max", "auto_scaling_group"];
        assert_eq!(
            closest("mni", &keys),
            None,
            "two edits in three letters are another word"
        );
        assert_eq!(closest("mim", &keys), Some("min"));
        assert_eq!(
            closest("autoscaling_group", &keys),
            Some("auto_scaling_group")
        );
        assert_eq!(closest("colour", &keys), None);
    }
}
