//! Where a setting's value is from.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches};
use serde::Serialize;

/// Who gave a value; the first goes before the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Source {
    /// A flag.
    Flag,
    /// A variable of the environment.
    Variable,
    /// The configuration file.
    File,
    /// Nobody; this is what it then is.
    Default,
    /// Nobody, and it has no value.
    Unset,
}

/// A setting as it came out. As JSON, a stable shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Setting {
    /// The configuration file's key.
    pub(crate) key: String,
    /// The values, of which most settings have one at most.
    pub(crate) values: Vec<String>,
    /// Where they are from.
    pub(crate) source: Source,
}

impl Setting {
    pub(super) fn of(key: &str, arg: &Arg, matches: &ArgMatches, from_file: &[String]) -> Self {
        let id = arg.get_id().as_str();
        let raw = matches.try_get_raw(id).ok().flatten();
        let values = raw.into_iter().flatten();
        let source = match matches.value_source(id) {
            _ if from_file.iter().any(|given| given == key) => Source::File,
            Some(ValueSource::CommandLine) => Source::Flag,
            Some(ValueSource::EnvVariable) => Source::Variable,
            Some(_) => Source::Default,
            None => Source::Unset,
        };
        Self {
            key: key.to_owned(),
            values: values.map(|v| v.to_string_lossy().into_owned()).collect(),
            source,
        }
    }
}
