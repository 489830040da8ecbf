//! Configuration: what flags and variables leave open is taken from a YAML file.
//!
//! The command line's own definition says which keys there are and what they may hold, so a setting
//! is written down once. What the file gives becomes `--flag=value` beside the words that were
//! typed. This module must not know a setting, but for the shape of a queue.

mod origin;
mod problem;
mod settings;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgGroup, ArgMatches, Command};

pub(crate) use self::origin::{Setting, Source};
pub(crate) use self::problem::{Problem, Problems};
use self::settings::File;
#[cfg(test)]
use self::settings::{allowed, keys};

/// The flag that names the file.
const CONFIG: &str = "config";

/// Why settings could not be made out.
#[derive(Debug)]
pub(crate) enum ConfigError {
    /// Flags or variables are wrong, or help was asked for.
    Usage(clap::Error),
    /// The file is.
    File(Problems),
}

impl From<clap::Error> for ConfigError {
    fn from(error: clap::Error) -> Self {
        Self::Usage(error)
    }
}

/// Settings that were made out.
#[derive(Debug)]
pub(crate) struct Read {
    /// What everything together comes to.
    pub(crate) matches: ArgMatches,
    /// The settings that the file gave.
    from_file: Vec<String>,
}

impl Read {
    fn without_file(matches: ArgMatches) -> Self {
        Self {
            matches,
            from_file: Vec::new(),
        }
    }

    /// Each setting of the subcommand in use, with its value and where that is from.
    pub(crate) fn settings(&self, mut command: Command) -> Vec<Setting> {
        command.build();
        let (command, matches) = match self.matches.subcommand() {
            Some((name, matches)) => (command.find_subcommand(name), matches),
            None => (Some(&command), &self.matches),
        };
        let keys = command.into_iter().flat_map(settings::keys);
        keys.map(|(key, arg)| Setting::of(key, arg, matches, &self.from_file))
            .collect()
    }
}

/// Parses `words`, the program's name first: a flag goes before a variable, a variable before the
/// file that `--config` names, the file before the default.
pub(crate) fn matches(command: &Command, words: &[OsString]) -> Result<Read, ConfigError> {
    let strict = |command: Command, words: &[OsString]| command.try_get_matches_from(words);
    let mut lenient = lenient(command.clone());
    lenient.build();
    let Ok(typed) = lenient.clone().try_get_matches_from(words) else {
        // What is wrong even so, the true definition says better.
        return Ok(Read::without_file(strict(command.clone(), words)?));
    };
    let (name, typed) = match typed.subcommand() {
        Some((name, typed)) => (Some(name), typed),
        None => (None, &typed),
    };
    let given = Given::read(in_use(&lenient, name), in_use(command, name), typed);
    let command = change(command.clone(), name, |command| {
        given.without_overruled(command)
    });
    let file = typed.try_get_one::<PathBuf>(CONFIG).ok().flatten();
    let Some(file) = file else {
        return Ok(Read::without_file(strict(command, words)?));
    };
    let settings = read(file, in_use(&lenient, name)).map_err(ConfigError::File)?;
    let (from_file, flags): (Vec<String>, Vec<Vec<String>>) = settings
        .into_iter()
        .filter(|(arg, _)| given.leaves_open(arg))
        .unzip();
    let flags = flags.into_iter().flatten().map(OsString::from);
    let end = words.iter().position(|word| word == "--");
    let (before, after) = words.split_at(end.unwrap_or(words.len()));
    let all: Vec<OsString> = before
        .iter()
        .cloned()
        .chain(flags)
        .chain(after.iter().cloned())
        .collect();
    Ok(Read {
        matches: strict(command, &all)?,
        from_file,
    })
}

/// The definition of the subcommand in use, if there is one.
fn in_use<'a>(command: &'a Command, name: Option<&str>) -> &'a Command {
    let named = name.and_then(|name| command.find_subcommand(name));
    named.unwrap_or(command)
}

/// The same command with that of the subcommand in use changed.
fn change(
    command: Command,
    name: Option<&str>,
    change: impl FnOnce(Command) -> Command,
) -> Command {
    match name {
        Some(name) => command.mut_subcommand(name, change),
        None => change(command),
    }
}

/// A definition that takes any part of the settings: the file may hold what is missing, and a flag
/// stands before the variable of its rival.
fn lenient(command: Command) -> Command {
    let groups: Vec<_> = command
        .get_groups()
        .map(|group| group.get_id().clone())
        .collect();
    let optional = |arg: Arg| arg.required(false);
    let command = groups.into_iter().fold(command, |command, group| {
        command.mut_group(group, |group| group.required(false).multiple(true))
    });
    let commands: Vec<_> = command
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    commands
        .into_iter()
        .fold(command.mut_args(optional), |command, name| {
            command.mut_subcommand(name, lenient)
        })
}

/// What flags and variables gave.
struct Given {
    flags: Vec<String>,
    variables: Vec<String>,
    /// Settings of which only one may be given.
    rivals: Vec<Vec<String>>,
}

impl Given {
    /// What was `typed`, by a built definition that takes it, and the true one.
    fn read(lenient: &Command, command: &Command, typed: &ArgMatches) -> Self {
        let by = |source| {
            let ids = lenient.get_arguments().map(|arg| arg.get_id().as_str());
            let given = ids.filter(|id| {
                typed.try_contains_id(id).unwrap_or(false) && typed.value_source(id) == Some(source)
            });
            given.map(str::to_owned).collect()
        };
        let exclusive = command
            .get_groups()
            .filter(|group| !(*group).clone().is_multiple());
        let members = |group: &ArgGroup| group.get_args().map(ToString::to_string).collect();
        Self {
            flags: by(ValueSource::CommandLine),
            variables: by(ValueSource::EnvVariable),
            rivals: exclusive.map(members).collect(),
        }
    }

    /// Whether neither a flag nor a variable gave it, nor what stands in its stead.
    fn leaves_open(&self, arg: &str) -> bool {
        let given = |arg: &str| {
            let mut all = self.flags.iter().chain(&self.variables);
            all.any(|given| given == arg)
        };
        !given(arg) && !self.rivals_of(arg).any(given)
    }

    /// The definition without the variables in whose stead a flag was given.
    fn without_overruled(&self, command: Command) -> Command {
        let flagged = |arg: &str| self.flags.iter().any(|flag| flag == arg);
        let overruled = |arg: &&String| !flagged(arg) && self.rivals_of(arg).any(flagged);
        let overruled = self.variables.iter().filter(overruled);
        overruled.fold(command, |command, arg| {
            command.mut_arg(arg, |arg| arg.env(None::<&'static str>))
        })
    }

    fn rivals_of<'a>(&'a self, arg: &'a str) -> impl Iterator<Item = &'a str> {
        let groups = self
            .rivals
            .iter()
            .filter(move |group| group.iter().any(|member| member == arg));
        let members = groups.flatten().map(String::as_str);
        members.filter(move |member| *member != arg)
    }
}

fn read(path: &Path, command: &Command) -> Result<Vec<(String, Vec<String>)>, Problems> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let found = match error.kind() {
            std::io::ErrorKind::NotFound => "no such file".to_owned(),
            std::io::ErrorKind::InvalidData => "bytes that are not UTF-8 text".to_owned(),
            _ => format!("a file that cannot be read ({error})"),
        };
        Problems(vec![Problem::of_file(
            &name,
            found,
            "a YAML file of settings",
        )])
    })?;
    File::new(&name, &text).settings(command)
}

#[cfg(test)]
mod tests;
