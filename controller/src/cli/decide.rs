//! `weir decide`: the engine as a filter, one observation a line in, one verdict a line out.

use std::fs;
use std::io::{self, BufRead, BufReader, BufWriter, Read, StdoutLock, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;

use super::{PolicyArgs, UsageError, finish_output};
use crate::check::check;
use crate::decide::{History, decide};
use crate::model::Observation;
use crate::policy::Policy;

/// A longer line is no observation; reading it whole would let input decide how much memory is
/// used.
const LINE_MAX: u64 = 1 << 20;

/// Arguments of `weir decide`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    policy: PolicyArgs,
    /// Read the history from this file at the start, if it is there, and write it at the end
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
}

/// Reads until the input ends.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let policy = args.policy.load_one()?;
    let mut history = args
        .history
        .as_deref()
        .map_or_else(|| Ok(History::default()), read_history)?;
    let input = BufReader::with_capacity(1 << 16, io::stdin().lock());
    let output = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let filtered = filter(&policy, &mut history, input, output);
    if let Some(path) = &args.history {
        write_history(path, &history)?;
    }
    finish_output(filtered)?;
    Ok(ExitCode::SUCCESS)
}

/// Answers each line. What is written is flushed before the filter waits for input again, so that
/// a program on the other end may speak and listen in turns.
fn filter(
    policy: &Policy,
    history: &mut History,
    mut input: BufReader<impl Read>,
    mut output: BufWriter<StdoutLock<'_>>,
) -> io::Result<()> {
    let mut line = Vec::with_capacity(1024);
    let mut number = 0_u64;
    while read_line(&mut input, &mut line)? {
        number += 1;
        match observation(&line) {
            Ok(observation) => {
                let decision = decide(policy, &observation, history);
                let verdict = check(policy, &observation, decision.verdict);
                *history = decision.history;
                serde_json::to_writer(&mut output, &verdict)?;
            }
            Err(error) => {
                serde_json::to_writer(&mut output, &json!({ "error": error, "line": number }))?;
            }
        }
        output.write_all(b"\n")?;
        if !input.buffer().contains(&b'\n') {
            output.flush()?;
        }
    }
    output.flush()
}

/// Reads one line without its end; false at the end of the input. Of a line that is too long only
/// the start is kept, which is not JSON then.
fn read_line(input: &mut BufReader<impl Read>, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    if input.by_ref().take(LINE_MAX).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.ends_with(b"\n") {
        line.pop();
        return Ok(true);
    }
    if line.len() as u64 == LINE_MAX {
        input.skip_until(b'\n')?;
    }
    Ok(true)
}

fn observation(line: &[u8]) -> Result<Observation, String> {
    if line.len() as u64 >= LINE_MAX {
        return Err(format!(
            "found a line of {LINE_MAX} bytes or more, allowed one observation"
        ));
    }
    if line.iter().all(u8::is_ascii_whitespace) {
        return Err("found an empty line, allowed one observation as a JSON object".to_owned());
    }
    // Serde would take a list for an object whose keys are left out.
    if !line.trim_ascii_start().starts_with(b"{") {
        return Err("found no JSON object, allowed one observation as a JSON object".to_owned());
    }
    serde_json::from_slice(line).map_err(|error| explain(line, &error))
}

/// Names the field that is wrong; serde names only its column.
fn explain(line: &[u8], error: &serde_json::Error) -> String {
    let text = error
        .to_string()
        .replace(" at line 1 column ", " at column ");
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(line) else {
        return format!("not JSON: {text}");
    };
    match field_at(&value, line, error.column()) {
        Some(field) => format!("{field}: {text}"),
        None => text,
    }
}

/// The last key that stands before the error's column: the field whose value is wrong.
fn field_at(value: &serde_json::Value, line: &[u8], column: usize) -> Option<String> {
    value.as_object()?;
    let before = String::from_utf8_lossy(line.get(..column)?);
    let (head, _) = before.rsplit_once("\":")?;
    let (_, key) = head.rsplit_once('"')?;
    Some(key.to_owned())
}

fn read_history(path: &Path) -> anyhow::Result<History> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(History::default()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", path.display()));
        }
    };
    serde_json::from_slice(&text).map_err(|error| {
        let path = path.display();
        UsageError(format!(
            "{path}: found no history ({error}), allowed what an earlier run wrote; remove the \
             file to begin anew"
        ))
        .into()
    })
}

/// Written beside and renamed, so that a crash leaves the old one whole.
fn write_history(path: &Path, history: &History) -> anyhow::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let write = || {
        fs::write(&beside, serde_json::to_vec(history)?)?;
        fs::rename(&beside, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
