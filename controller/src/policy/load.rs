//! Policy files from the disk: a file, or a folder of `*.yaml` in the order of their names.
//!
//! The only file access of this module's family. What stands in the files is not its affair.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::problem::{Problem, Problems};
use super::{Policy, parse};

/// One file and what came of it.
#[derive(Debug)]
pub struct PolicyFile {
    /// The file, as it was named.
    pub file: String,
    /// Its policy, or everything wrong with it.
    pub policy: Result<Policy, Problems>,
}

/// Reads every file that `paths` name. A policy that wants a name or a group that an earlier file
/// has taken is a problem of the later file.
pub fn read(paths: &[PathBuf]) -> Vec<PolicyFile> {
    let mut read: Vec<PolicyFile> = Vec::new();
    for path in paths {
        match files_of(path) {
            Ok(files) => {
                for file in files {
                    // A file that is named twice is one file.
                    if !read.iter().any(|known| Path::new(&known.file) == file) {
                        read.push(judge(read_file(&file), &read));
                    }
                }
            }
            Err(problems) => read.push(PolicyFile {
                file: path.display().to_string(),
                policy: Err(problems),
            }),
        }
    }
    read
}

/// The same for texts that were read elsewhere.
pub fn read_texts(texts: Vec<(String, Result<String, String>)>) -> Vec<PolicyFile> {
    let mut read: Vec<PolicyFile> = Vec::new();
    for (file, text) in texts {
        let policy = match text {
            Ok(text) => parse(&file, &text),
            Err(found) => Err(unreadable(&file, &found)),
        };
        read.push(judge(PolicyFile { file, policy }, &read));
    }
    read
}

/// Reads every file that `paths` name; all policies, or all problems of all files.
pub fn load(paths: &[PathBuf]) -> Result<Vec<Policy>, Problems> {
    let mut policies = Vec::new();
    let mut problems = Vec::new();
    for file in read(paths) {
        match file.policy {
            Ok(policy) => policies.push(policy),
            Err(mut found) => problems.append(&mut found.0),
        }
    }
    if problems.is_empty() {
        Ok(policies)
    } else {
        Err(Problems(problems))
    }
}

fn read_file(path: &Path) -> PolicyFile {
    let file = path.display().to_string();
    let policy = match fs::read_to_string(path) {
        Ok(text) => parse(&file, &text),
        Err(error) => Err(unreadable(&file, &found_at(&error))),
    };
    PolicyFile { file, policy }
}

/// Holds a policy against the files that came before it.
fn judge(read: PolicyFile, before: &[PolicyFile]) -> PolicyFile {
    let PolicyFile { file, policy } = read;
    let policy = policy.and_then(|policy| {
        let others = before.iter().filter_map(|other| {
            let held = other.policy.as_ref().ok()?;
            clash(&file, &policy, (&other.file, held))
        });
        let problems: Vec<Problem> = others.collect();
        if problems.is_empty() {
            Ok(policy)
        } else {
            Err(Problems(problems))
        }
    });
    PolicyFile { file, policy }
}

/// What `policy` of `file` wants that another file's policy has, if anything: two policies for one
/// fleet would work against each other.
pub fn clash(file: &str, policy: &Policy, (other, held): (&str, &Policy)) -> Option<Problem> {
    let scaler = &policy.fleet.scaler;
    let (key, found, allowed) = if policy.name == held.name {
        let allowed = "one policy a fleet, each with a name of its own";
        ("name", format!("the name {}", policy.name), allowed)
    } else if *scaler == held.fleet.scaler {
        let allowed = "one policy a group or service";
        ("fleet", scaler.to_string(), allowed)
    } else {
        return None;
    };
    let found = format!("{found}, which {other} has taken");
    Some(problem(file, key, &found, allowed))
}

/// The policy files that `path` names: itself, or a folder's `*.yaml` in the order of their names.
pub fn yaml_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files: Vec<PathBuf> = fs::read_dir(path)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|file| file.extension().is_some_and(|e| e == "yaml") && file.is_file())
        .collect();
    files.sort();
    Ok(files)
}

fn files_of(path: &Path) -> Result<Vec<PathBuf>, Problems> {
    let file = path.display().to_string();
    let files = yaml_files(path).map_err(|error| unreadable(&file, &found_at(&error)))?;
    if files.is_empty() {
        let found = "a folder without policies";
        let allowed = "at least one *.yaml file";
        return Err(Problems(vec![problem(&file, "", found, allowed)]));
    }
    Ok(files)
}

fn found_at(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or folder".to_owned(),
        io::ErrorKind::InvalidData => "bytes that are not UTF-8 text".to_owned(),
        _ => format!("a file that cannot be read ({error})"),
    }
}

/// The problem of a file that has no text.
pub fn unreadable(file: &str, found: &str) -> Problems {
    let allowed = "a policy file, or a folder of *.yaml";
    Problems(vec![problem(file, "", found, allowed)])
}

fn problem(file: &str, key: &str, found: &str, allowed: &str) -> Problem {
    Problem {
        file: file.to_owned(),
        place: None,
        key: key.to_owned(),
        found: found.to_owned(),
        allowed: allowed.to_owned(),
        advice: String::new(),
        source_line: String::new(),
    }
}
