//! `weir-worker check`: the settings, and whether what they name is there.

use clap::Args;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;

use super::run::{self, ProgramArgs, RunArgs};
use super::{CliError, EXIT_CHECK, Output, json, say};
use crate::check::{self, Finding, Outcome, Program};
use crate::config::{Setting, Source};

/// What is to be told.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct CheckFlags {
    /// Print each setting with its value and where it is from, and reach for nothing
    #[arg(long)]
    settings: bool,
    /// A table, or one JSON object
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    program: ProgramArgs,
    #[command(flatten)]
    flags: CheckFlags,
}

/// What programs read. Fields may be added.
#[derive(Debug, Serialize)]
struct Report<'a> {
    ok: bool,
    settings: &'a [Setting],
    findings: &'a [Finding],
}

pub(super) async fn with_program(args: CheckArgs, settings: Vec<Setting>) -> Result<u8, CliError> {
    let handler = args.program.handler;
    let program = match handler.http {
        Some(service) => Program::Http(service),
        None => Program::Exec(handler.exec.unwrap_or_default()),
    };
    Box::pin(check((args.program.run, args.flags), program, &settings)).await
}

pub(super) async fn built_in(
    args: (RunArgs, CheckFlags),
    settings: Vec<Setting>,
) -> Result<u8, CliError> {
    Box::pin(check(args, Program::BuiltIn, &settings)).await
}

async fn check(
    (args, flags): (RunArgs, CheckFlags),
    program: Program,
    settings: &[Setting],
) -> Result<u8, CliError> {
    let findings = if flags.settings {
        Vec::new()
    } else {
        Box::pin(check::all(&run::builder(args), program)).await?
    };
    let count = |outcome| findings.iter().filter(|f| f.outcome == outcome).count();
    let (failed, notes) = (count(Outcome::Failed), count(Outcome::Note));
    match flags.output {
        Output::Json => say(&json(&Report {
            ok: failed == 0,
            settings,
            findings: &findings,
        })?),
        Output::Text if flags.settings => say(&settings_table(settings)),
        Output::Text => {
            say(&findings_table(&findings));
            let ok = count(Outcome::Ok);
            say(&format!("{ok} ok, {notes} to note, {failed} failed"));
        }
    }
    Ok(if failed == 0 { 0 } else { EXIT_CHECK })
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header.to_vec());
    table
}

fn findings_table(findings: &[Finding]) -> String {
    let mut table = table(&["", "What", "Found", "Next"]);
    for finding in findings {
        let outcome = match finding.outcome {
            Outcome::Ok => "ok",
            Outcome::Note => "note",
            Outcome::Failed => "FAILED",
        };
        table.add_row([outcome, &finding.thing, &finding.found, &finding.next]);
    }
    table.to_string()
}

fn settings_table(settings: &[Setting]) -> String {
    let mut table = table(&["Setting", "Value", "From"]);
    for setting in settings {
        let source = match setting.source {
            Source::Flag => "flag",
            Source::Variable => "variable",
            Source::File => "file",
            Source::Default => "default",
            Source::Unset => "",
        };
        table.add_row([&setting.key, &setting.values.join("; "), source]);
    }
    table.to_string()
}
