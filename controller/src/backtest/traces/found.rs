//! What is wrong with a trace, gathered until there is enough to act on.
//!
//! Owns the limit, and how what was found is shown. It must not judge a value.

use crate::policy::{Place, Problem, Problems};

/// Nobody reads more at once; the first few tell what is wrong with all.
const PROBLEMS_MAX: usize = 20;

/// The problems of one file.
#[derive(Debug)]
pub(super) struct Found {
    file: String,
    problems: Vec<Problem>,
    stopped: bool,
}

/// Where a problem is.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    /// The column's name; empty for the whole row.
    pub(super) key: &'static str,
    /// Line and column.
    pub(super) place: Option<Place>,
    /// The line itself, where it is at hand.
    pub(super) line: String,
}

/// What is wrong.
#[derive(Debug)]
pub(super) struct Wrong<'a> {
    /// What stands there.
    pub(super) found: String,
    /// What may stand there.
    pub(super) allowed: &'a str,
    /// What to do next; may be empty.
    pub(super) advice: &'a str,
}

impl Spot {
    /// The whole file.
    pub(super) fn file() -> Self {
        Self {
            key: "",
            place: None,
            line: String::new(),
        }
    }

    /// A time, of a row whose text is no longer at hand.
    pub(super) fn time(place: Place) -> Self {
        Self {
            key: super::csv::TIME,
            place: Some(place),
            line: String::new(),
        }
    }
}

impl Found {
    pub(super) fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            problems: Vec::new(),
            stopped: false,
        }
    }

    pub(super) fn add(&mut self, spot: Spot, wrong: Wrong<'_>) {
        if self.stopped {
            return;
        }
        self.problems.push(self.problem(spot, wrong));
        if self.problems.len() == PROBLEMS_MAX {
            let wrong = Wrong {
                found: format!("{PROBLEMS_MAX} problems, and read no further"),
                allowed: "none",
                advice: "mend these first",
            };
            self.problems.push(self.problem(Spot::file(), wrong));
            self.stopped = true;
        }
    }

    /// After this one, reading on makes no sense.
    pub(super) fn end_with(&mut self, spot: Spot, wrong: Wrong<'_>) {
        self.add(spot, wrong);
        self.stopped = true;
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    pub(super) fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    pub(super) fn into_problems(self) -> Problems {
        Problems(self.problems)
    }

    fn problem(&self, spot: Spot, wrong: Wrong<'_>) -> Problem {
        let Spot { key, place, line } = spot;
        Problem {
            file: self.file.clone(),
            place,
            key: key.to_owned(),
            found: wrong.found,
            allowed: wrong.allowed.to_owned(),
            advice: wrong.advice.to_owned(),
            source_line: cut(&line, 160),
        }
    }
}

/// One problem, of an option or of a file that cannot be read.
pub(super) fn one(file: &str, wrong: Wrong<'_>) -> Problems {
    let mut found = Found::new(file);
    found.end_with(Spot::file(), wrong);
    found.into_problems()
}

/// A value as it stands there, or `nothing`.
pub(super) fn shown(text: &str) -> String {
    if text.is_empty() {
        "nothing".to_owned()
    } else {
        format!("{:?}", cut(text, 40))
    }
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
