//! `weir schema`: the policies' JSON Schema.

use std::io::Write as _;
use std::process::ExitCode;

use super::finish_output;
use crate::policy;

/// Prints the schema; the same text is kept in `policies/schema.json`.
pub(super) fn run() -> anyhow::Result<ExitCode> {
    let text = serde_json::to_string_pretty(&policy::schema())?;
    finish_output(writeln!(std::io::stdout(), "{text}"))?;
    Ok(ExitCode::SUCCESS)
}
