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
use clap::{Arg, ArgMatches, Command};

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
    let strict = |words: Vec<OsString>| command.clone().try_get_matches_from(words);
    let mut lenient = lenient(command.clone());
    lenient.build();
    let Ok(typed) = lenient.clone().try_get_matches_from(words) else {
        // What is wrong even so, the true definition says better.
        return Ok(Read::without_file(strict(words.to_vec())?));
    };
    let (command_in_use, typed) = match typed.subcommand() {
        Some((name, typed)) => (lenient.find_subcommand(name), typed),
        None => (Some(&lenient), &typed),
    };
    let file = typed.try_get_one::<PathBuf>(CONFIG).ok().flatten();
    let (Some(command_in_use), Some(file)) = (command_in_use, file) else {
        return Ok(Read::without_file(strict(words.to_vec())?));
    };
    let settings = read(file, command_in_use).map_err(ConfigError::File)?;
    let (from_file, flags): (Vec<String>, Vec<Vec<String>>) = settings
        .into_iter()
        .filter(|(arg, _)| is_open(command_in_use, typed, arg))
        .unzip();
    let flags = flags.into_iter().flatten().map(OsString::from);
    let end = words.iter().position(|word| word == "--");
    let (before, after) = words.split_at(end.unwrap_or(words.len()));
    let all = before
        .iter()
        .cloned()
        .chain(flags)
        .chain(after.iter().cloned());
    Ok(Read {
        matches: strict(all.collect())?,
        from_file,
    })
}

/// A definition that takes any part of the settings: the file may hold what is missing.
fn lenient(command: Command) -> Command {
    let groups: Vec<_> = command
        .get_groups()
        .map(|group| group.get_id().clone())
        .collect();
    let optional = |arg: Arg| arg.required(false);
    let command = groups.into_iter().fold(command, |command, group| {
        command.mut_group(group, |group| group.required(false))
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

/// Whether neither a flag nor a variable gave it, nor what stands in its stead.
fn is_open(command: &Command, typed: &ArgMatches, arg: &str) -> bool {
    let given = |arg: &str| {
        let source = typed.value_source(arg);
        matches!(
            source,
            Some(ValueSource::CommandLine | ValueSource::EnvVariable)
        )
    };
    let rivals = command
        .get_groups()
        .filter(|group| !(*group).clone().is_multiple())
        .filter(|group| group.get_args().any(|member| member == arg))
        .flat_map(clap::ArgGroup::get_args);
    !given(arg) && !rivals.into_iter().any(|rival| given(rival.as_str()))
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
