//! A file's keys held against the command line's definition, and turned into flags.

use std::any::TypeId;
use std::error::Error as _;

use clap::{Arg, ArgAction, Command};

use super::problem::{Problem, Problems};
use crate::cli::{NotAllowed, Slots};
use weir_yaml::{Entry, Node, Place, Value};

/// What is set where it is called and not in a file.
const NOT_SETTINGS: [&str; 6] = ["config", "help", "version", "output", "settings", "verbose"];

/// The setting that may hold mappings, and their keys.
const QUEUES: &str = "queues";
const QUEUE_KEYS: [&str; 3] = ["name", "weight", "priority"];

/// The flags of each setting, in the order of the file.
type Settings = Vec<(String, Vec<String>)>;

/// A file and what is wrong with it.
pub(super) struct File<'a> {
    name: &'a str,
    text: &'a str,
    problems: Vec<Problem>,
}

/// The settings that a file may hold, each under its key.
pub(crate) fn keys(command: &Command) -> impl Iterator<Item = (&str, &Arg)> {
    command
        .get_arguments()
        .map(|arg| (arg.get_id().as_str(), arg))
        .filter(|(key, arg)| arg.get_long().is_some() && !NOT_SETTINGS.contains(key))
}

/// What the setting's parser allows.
pub(crate) fn allowed(arg: &Arg) -> String {
    // No parser but one for any text takes this.
    refused(arg, "\u{1}").map_or_else(|| "any text".into(), |it| it.allowed)
}

impl<'a> File<'a> {
    pub(super) fn new(name: &'a str, text: &'a str) -> Self {
        Self {
            name,
            text,
            problems: Vec::new(),
        }
    }

    /// All settings, or all problems in the order of the file.
    pub(super) fn settings(mut self, command: &Command) -> Result<Settings, Problems> {
        let mut settings = Vec::new();
        match weir_yaml::read(self.text) {
            Ok(node) => self.document(&node, command, &mut settings),
            Err(error) => {
                let found = (error.message.as_str(), "one YAML document");
                self.fault(error.place, "", found, String::new());
            }
        }
        if self.problems.is_empty() {
            return Ok(settings);
        }
        self.problems.sort_by_key(|problem| problem.place);
        Err(Problems(self.problems))
    }

    fn document(&mut self, node: &Node, command: &Command, settings: &mut Settings) {
        let known: Vec<(&str, &Arg)> = keys(command).collect();
        let names: Vec<&str> = known.iter().map(|(key, _)| *key).collect();
        let entries = match &node.value {
            Value::Map(entries) => entries,
            // An empty file sets nothing.
            Value::Null => return,
            _ => {
                let found = node.found();
                self.fault(
                    node.place,
                    "",
                    (&found, "a mapping of settings"),
                    String::new(),
                );
                return;
            }
        };
        for entry in self.known(entries, "", &names) {
            let key = entry.key.as_str();
            let arg = known.iter().find(|(known, _)| *known == key);
            let (_, arg) = arg.expect("invariant: unknown keys are left out");
            let flags = self.setting(key, &entry.value, arg);
            settings.push((key.to_owned(), flags));
        }
    }

    /// The entries whose keys are known, each the first of its key; the others are problems.
    fn known<'n>(&mut self, entries: &'n [Entry], path: &str, names: &[&str]) -> Vec<&'n Entry> {
        let mut known: Vec<&Entry> = Vec::new();
        for entry in entries {
            let key = format!("{path}{}", entry.key);
            if !names.contains(&entry.key.as_str()) {
                let advice = advice_on(&entry.key, names);
                let words = ("an unknown key", names.join(", "));
                self.fault(entry.place, &key, (words.0, &words.1), advice);
            } else if let Some(first) = known.iter().find(|first| first.key == entry.key) {
                let found = format!("the key again (first in line {})", first.place.line);
                let advice = "remove one of them".into();
                self.fault(entry.place, &key, (&found, "each key once"), advice);
            } else {
                known.push(entry);
            }
        }
        known
    }

    fn setting(&mut self, key: &str, node: &Node, arg: &Arg) -> Vec<String> {
        let nodes = match (arg.get_action(), &node.value) {
            (ArgAction::Append, Value::List(nodes)) if !nodes.is_empty() => nodes,
            (ArgAction::Append, _) => {
                let advice = "start each item with a dash".into();
                self.fault(
                    node.place,
                    key,
                    (&node.found(), "a list of one or more"),
                    advice,
                );
                return Vec::new();
            }
            _ => return self.scalar(key, node, arg).into_iter().collect(),
        };
        let mut flags = Vec::new();
        for (nth, node) in nodes.iter().enumerate() {
            let key = format!("{key}[{nth}]");
            flags.extend(match &node.value {
                Value::Map(entries) if arg.get_id() == QUEUES => {
                    self.queue(&key, node.place, entries, arg)
                }
                _ => self.scalar(&key, node, arg),
            });
        }
        flags
    }

    /// `{name, weight, priority}` as the flag has it: `name,weight=3,priority=1`.
    fn queue(&mut self, key: &str, place: Place, entries: &[Entry], arg: &Arg) -> Option<String> {
        let before = self.problems.len();
        if !entries.iter().any(|entry| entry.key == "name") {
            let path = format!("{key}.name");
            let words = ("no such key", "a queue's name or URL");
            self.fault(place, &path, words, "add it".into());
        }
        let mut words = String::new();
        for entry in self.known(entries, &format!("{key}."), &QUEUE_KEYS) {
            match queue_part(entry, arg) {
                Ok(word) if entry.key == "name" => words.insert_str(0, &word),
                Ok(word) => words.push_str(&word),
                Err(allowed) => {
                    let path = format!("{key}.{}", entry.key);
                    let found = entry.value.found();
                    self.fault(entry.value.place, &path, (&found, allowed), String::new());
                }
            }
        }
        (self.problems.len() == before).then(|| flag(arg, &words))
    }

    fn scalar(&mut self, key: &str, node: &Node, arg: &Arg) -> Option<String> {
        let takes_text = !is_number(arg);
        let word = match &node.value {
            Value::Bool(wanted) if !arg.get_action().takes_values() => {
                return wanted.then(|| format!("--{}", long(arg)));
            }
            Value::Integer(number) if takes_number(arg) => number.to_string(),
            Value::Float(number) if takes_number(arg) => number.to_string(),
            Value::Text(text) if takes_text && arg.get_action().takes_values() => text.clone(),
            _ => {
                self.wrong_type(key, node, arg);
                return None;
            }
        };
        // What parts values in a variable would make two of one.
        let parted = arg
            .get_value_delimiter()
            .is_some_and(|mark| word.contains(mark));
        match refused(arg, &word) {
            None if !parted => Some(flag(arg, &word)),
            refusal => {
                let refusal = refusal.unwrap_or_else(|| NotAllowed {
                    allowed: allowed(arg),
                    why: None,
                });
                let why = refusal.why.unwrap_or_default();
                self.fault(node.place, key, (&node.found(), &refusal.allowed), why);
                None
            }
        }
    }

    fn wrong_type(&mut self, key: &str, node: &Node, arg: &Arg) {
        let allowed = if arg.get_action().takes_values() {
            allowed(arg)
        } else {
            "true or false".into()
        };
        let advice = match &node.value {
            Value::Null => "give it a value, or remove the key".to_owned(),
            Value::Integer(number) if allowed.starts_with("a duration") => {
                format!("write {number}s if seconds are meant")
            }
            Value::Integer(_) | Value::Float(_) | Value::Bool(_) if !is_number(arg) => {
                "put it in quotes if it is meant as text".to_owned()
            }
            Value::Text(text) if text.parse::<f64>().is_ok() => "remove the quotes".to_owned(),
            _ => String::new(),
        };
        self.fault(node.place, key, (&node.found(), &allowed), advice);
    }

    /// Notes a problem: what was found, and what is allowed.
    fn fault(&mut self, place: Place, key: &str, words: (&str, &str), advice: String) {
        let line = self.text.lines().nth(place.line.saturating_sub(1));
        self.problems.push(Problem {
            file: self.name.to_owned(),
            place: Some(place),
            key: key.to_owned(),
            found: words.0.to_owned(),
            allowed: words.1.to_owned(),
            advice,
            source_line: line.unwrap_or_default().to_owned(),
        });
    }
}

/// One key of a queue as the flag has it, judged by itself, so that a problem stands at its place.
fn queue_part(entry: &Entry, arg: &Arg) -> Result<String, &'static str> {
    let allowed = match entry.key.as_str() {
        "name" => "a queue's name or URL",
        "weight" => "a whole number of at least 1",
        _ => "a whole number; 0 is served first",
    };
    let (word, whole) = match &entry.value.value {
        Value::Text(text) if entry.key == "name" && !text.contains([',', ';']) => {
            (text.clone(), text.clone())
        }
        Value::Integer(number) if entry.key != "name" => {
            let word = format!(",{}={number}", entry.key);
            (word.clone(), format!("queue{word}"))
        }
        _ => return Err(allowed),
    };
    match refused(arg, &whole) {
        None => Ok(word),
        Some(_) => Err(allowed),
    }
}

fn flag(arg: &Arg, value: &str) -> String {
    format!("--{}={value}", long(arg))
}

fn long(arg: &Arg) -> &str {
    arg.get_long()
        .expect("invariant: every key is a long flag's")
}

/// Whether it holds a number and nothing else.
fn is_number(arg: &Arg) -> bool {
    let held = arg.get_value_parser().type_id();
    let numbers = [
        TypeId::of::<u32>(),
        TypeId::of::<u64>(),
        TypeId::of::<usize>(),
        TypeId::of::<f64>(),
    ];
    numbers.iter().any(|number| held == *number)
}

fn takes_number(arg: &Arg) -> bool {
    is_number(arg) || arg.get_value_parser().type_id() == TypeId::of::<Slots>()
}

/// Has the setting's parser judge a value, by itself.
fn refused(arg: &Arg, value: &str) -> Option<NotAllowed> {
    let alone = arg.clone().env(None::<&'static str>).global(false);
    let command = Command::new("setting").no_binary_name(true).arg(alone);
    let error = command.try_get_matches_from([flag(arg, value)]).err()?;
    let choices: Vec<String> = arg
        .get_possible_values()
        .iter()
        .map(|choice| choice.get_name().to_owned())
        .collect();
    let parser = error.source().map(|source| {
        let own = source.downcast_ref::<NotAllowed>().cloned();
        own.unwrap_or_else(|| NotAllowed {
            allowed: source.to_string(),
            why: None,
        })
    });
    Some(parser.unwrap_or_else(|| NotAllowed {
        allowed: choices.join(" or "),
        why: None,
    }))
}

/// A slip, if a known key is near enough.
fn advice_on(key: &str, names: &[&str]) -> String {
    let distance = |name: &&&str| strsim::damerau_levenshtein(key, name);
    let near = names.iter().min_by_key(distance);
    match near {
        Some(near) if strsim::damerau_levenshtein(key, near) <= 1 + near.len() / 4 => {
            format!("did you mean {near}?")
        }
        _ => "remove it".into(),
    }
}
