//! The worker's environment file, found in the user data that writes it.
//!
//! It reads the here-document that goes to `/etc/weir/worker.env` and systemd's quoting of it
//! (`systemd.exec`, `EnvironmentFile=`); it runs nothing.

use std::collections::BTreeMap;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Where the boot script writes the environment.
const ENVIRONMENT_FILE: &str = "/etc/weir/worker.env";

/// Why no environment could be read.
#[derive(Debug, thiserror::Error)]
pub enum UserDataError {
    /// Not base64, or not text.
    #[error("the user data is not {0}")]
    Encoding(&'static str),
    /// No such here-document.
    #[error("the user data writes no {ENVIRONMENT_FILE} by a here-document")]
    NoFile,
    /// The settings file is not written by the user data.
    #[error("WEIR_CONFIG is {0}, which the user data does not write by a here-document")]
    NoSettings(String),
    /// A line that systemd would not read.
    #[error(
        "line {line} of {ENVIRONMENT_FILE} is {text:?}: NAME=value or NAME=\"value\" is allowed"
    )]
    Line {
        /// Its number in the file, from 1.
        line: usize,
        /// What it holds.
        text: String,
    },
}

/// What the user data tells a worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Its environment file.
    pub env: BTreeMap<String, String>,
    /// Its settings file, where `WEIR_CONFIG` names one.
    pub settings: Option<String>,
}

/// What a worker is told by user data, in base64 as EC2 gives it out.
pub fn read(user_data: &str) -> Result<Told, UserDataError> {
    let bytes = STANDARD.decode(user_data.trim());
    let bytes = bytes.map_err(|_| UserDataError::Encoding("base64"))?;
    let script = text(bytes).ok_or(UserDataError::Encoding("text"))?;
    let env = parse(here_document(&script, ENVIRONMENT_FILE).ok_or(UserDataError::NoFile)?)?;
    let settings = env.get("WEIR_CONFIG").map(|file| {
        let found = here_document(&script, file).map(str::to_owned);
        found.ok_or_else(|| UserDataError::NoSettings(file.clone()))
    });
    Ok(Told {
        settings: settings.transpose()?,
        env,
    })
}

/// cloud-init takes user data plain or as gzip.
fn text(bytes: Vec<u8>) -> Option<String> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return String::from_utf8(bytes).ok();
    }
    let mut plain = String::new();
    let read = flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut plain);
    read.ok().map(|_| plain)
}

/// What `… >FILE <<'WORD'` writes to `file`.
fn here_document<'a>(script: &'a str, file: &str) -> Option<&'a str> {
    let mut begin = 0;
    for line in script.split_inclusive('\n') {
        begin += line.len();
        if let Some(word) = begins(line.trim_end(), file) {
            let rest = &script[begin..];
            let mut end = 0;
            for line in rest.split_inclusive('\n') {
                if line.trim_end_matches('\n') == word {
                    return Some(&rest[..end]);
                }
                end += line.len();
            }
        }
    }
    None
}

/// The word that ends the here-document which this line begins.
fn begins<'a>(line: &'a str, file: &str) -> Option<&'a str> {
    let (command, word) = line.split_once("<<")?;
    let writes = command.rsplit('>').next()?.trim();
    if !command.contains('>') || writes.trim_matches(['\'', '"']) != file {
        return None;
    }
    Some(word.trim().trim_matches(['\'', '"']))
}

fn parse(file: &str) -> Result<BTreeMap<String, String>, UserDataError> {
    let mut env = BTreeMap::new();
    for (nth, line) in file.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let (name, value) = assignment(line).ok_or_else(|| UserDataError::Line {
            line: nth + 1,
            text: line.to_owned(),
        })?;
        env.insert(name, value);
    }
    Ok(env)
}

fn assignment(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once('=')?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty()
        || name.starts_with(|c: char| c.is_ascii_digit())
        || !name.chars().all(allowed)
    {
        return None;
    }
    unquoted(value.trim()).map(|value| (name.to_owned(), value))
}

/// In double quotes a backslash keeps `"`, `\`, `` ` `` and `$` as they are; in single quotes
/// nothing is special; without quotes a backslash keeps the next character.
fn unquoted(value: &str) -> Option<String> {
    if let Some(rest) = value.strip_prefix('\'') {
        return rest.strip_suffix('\'').map(str::to_owned);
    }
    let quoted = value.strip_prefix('"');
    let mut plain = String::new();
    let mut characters = quoted.unwrap_or(value).chars();
    while let Some(character) = characters.next() {
        match (character, quoted.is_some()) {
            ('"', true) => return characters.as_str().is_empty().then_some(plain),
            ('\\', true) => match characters.next()? {
                kept @ ('"' | '\\' | '`' | '$') => plain.push(kept),
                other => plain.extend(['\\', other]),
            },
            ('\\', false) => plain.push(characters.next()?),
            (other, _) => plain.push(other),
        }
    }
    quoted.is_none().then_some(plain)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const SCRIPT: &str = "#!/usr/bin/env bash
cat >/etc/weir/other.env <<'WEIR_END'
WEIR_QUEUE=\"wrong\"
WEIR_END
cat >/etc/weir/worker.env <<'WEIR_END'
# What differs between fleets.
AWS_REGION=\"eu-west-1\"

WEIR_EXEC=\"say \\\"a\\\\b\\\" $HOME\"
WEIR_SLOTS=4
SINGLE='as \\it is'
WEIR_END
chmod 0640 /etc/weir/worker.env
";

    fn env_of(script: &[u8]) -> Result<BTreeMap<String, String>, UserDataError> {
        read(&STANDARD.encode(script)).map(|told| told.env)
    }

    #[test]
    fn reads_the_environment_file_and_no_other_with_systemds_quoting() {
        let env = env_of(SCRIPT.as_bytes()).unwrap();
        let pairs: Vec<_> = env
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            pairs,
            [
                ("AWS_REGION", "eu-west-1"),
                ("SINGLE", "as \\it is"),
                ("WEIR_EXEC", "say \"a\\b\" $HOME"),
                ("WEIR_SLOTS", "4"),
            ]
        );
    }

    #[test]
    fn reads_the_settings_file_that_the_environment_names() {
        let script = "cat >/etc/weir/worker.env <<'E'\nWEIR_CONFIG=/etc/weir/worker.yaml\nE\n";
        let error = read(&STANDARD.encode(script)).unwrap_err().to_string();
        assert!(
            error.starts_with("WEIR_CONFIG is /etc/weir/worker.yaml"),
            "{error}"
        );
        let written = format!("{script}cat >/etc/weir/worker.yaml <<'E'\nslots: 2\nE\n");
        let told = read(&STANDARD.encode(written)).unwrap();
        assert_eq!(told.settings.as_deref(), Some("slots: 2\n"));
    }

    #[test]
    fn reads_user_data_that_is_compressed() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(SCRIPT.as_bytes()).unwrap();
        let env = env_of(&gzip.finish().unwrap()).unwrap();
        assert_eq!(env["WEIR_SLOTS"], "4");
    }

    #[test]
    fn what_is_no_environment_is_told_with_its_line() {
        let error = env_of(b"#!/bin/sh\necho hello\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the user data writes no /etc/weir/worker.env by a here-document"
        );
        for (bad, complaint) in [
            ("no assignment", "line 2"),
            ("A=\"no end", "line 2"),
            ("A=\"end\" more", "line 2"),
            ("1A=x", "line 2"),
        ] {
            let script = format!("cat >/etc/weir/worker.env <<E\nOK=1\n{bad}\nE\n");
            let error = env_of(script.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(complaint), "{bad}: {error}");
        }
        // A here-document without an end.
        assert!(env_of(b"cat >/etc/weir/worker.env <<E\nOK=1\n").is_err());
        assert!(matches!(read("%"), Err(UserDataError::Encoding("base64"))));
    }
}
