//! Policy files from the disk: a file, or a folder of `*.yaml` in the order of their names.
//!
//! The only file access of this module's family. What stands in the files is not its affair.

use std::collections::BTreeMap;
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

/// Reads every file that `paths` name. A policy whose name an earlier file has taken is a problem
/// of the later file.
pub fn read(paths: &[PathBuf]) -> Vec<PolicyFile> {
    let mut read: Vec<PolicyFile> = Vec::new();
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    for path in paths {
        match files_of(path) {
            Ok(files) => {
                for file in files {
                    // A file that is named twice is one file.
                    if !read.iter().any(|known| Path::new(&known.file) == file) {
                        read.push(read_file(&file, &mut taken));
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

fn read_file(path: &Path, taken: &mut BTreeMap<String, String>) -> PolicyFile {
    let file = path.display().to_string();
    let policy = match fs::read_to_string(path) {
        Ok(text) => parse(&file, &text),
        Err(error) => Err(unreadable(path, &error)),
    };
    let policy = policy.and_then(|policy| {
        if let Some(first) = taken.get(&policy.name) {
            let found = format!("the name {}, which {first} has taken", policy.name);
            let allowed = "one policy a fleet, each with a name of its own";
            return Err(problem(&file, "name", &found, allowed));
        }
        taken.insert(policy.name.clone(), file.clone());
        Ok(policy)
    });
    PolicyFile { file, policy }
}

fn files_of(path: &Path) -> Result<Vec<PathBuf>, Problems> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|file| file.extension().is_some_and(|e| e == "yaml") && file.is_file())
        .collect();
    files.sort();
    if files.is_empty() {
        let file = path.display().to_string();
        return Err(problem(
            &file,
            "",
            "a folder without policies",
            "at least one *.yaml file",
        ));
    }
    Ok(files)
}

fn unreadable(path: &Path, error: &io::Error) -> Problems {
    let found = match error.kind() {
        io::ErrorKind::NotFound => "no such file or folder".to_owned(),
        io::ErrorKind::InvalidData => "bytes that are not UTF-8 text".to_owned(),
        _ => format!("a file that cannot be read ({error})"),
    };
    let file = path.display().to_string();
    problem(&file, "", &found, "a policy file, or a folder of *.yaml")
}

fn problem(file: &str, key: &str, found: &str, allowed: &str) -> Problems {
    Problems(vec![Problem {
        file: file.to_owned(),
        place: None,
        key: key.to_owned(),
        found: found.to_owned(),
        allowed: allowed.to_owned(),
        advice: String::new(),
        source_line: String::new(),
    }])
}
