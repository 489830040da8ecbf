//! `weir-worker completions` and `weir-worker man`: made from the command line's own definition.

use std::io::Write as _;
use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{CliError, Program};

#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// The shell they are for
    shell: Shell,
}

#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// Write a page for each subcommand into this folder, instead of the main page to the output
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn completions(args: &CompletionsArgs) -> Result<u8, CliError> {
    let mut script = Vec::new();
    let mut command = Program::command();
    clap_complete::generate(args.shell, &mut command, "weir-worker", &mut script);
    print(&script)
}

pub(super) fn man(args: &ManArgs) -> Result<u8, CliError> {
    let unwritten = |error: std::io::Error| CliError::Runtime(format!("the manual: {error}"));
    if let Some(dir) = &args.dir {
        std::fs::create_dir_all(dir).map_err(unwritten)?;
        clap_mangen::generate_to(Program::command(), dir).map_err(unwritten)?;
        return Ok(0);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Program::command())
        .render(&mut page)
        .map_err(unwritten)?;
    print(&page)
}

/// A reader that has seen enough is no error.
fn print(bytes: &[u8]) -> Result<u8, CliError> {
    match std::io::stdout().write_all(bytes) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CliError::Runtime(format!("standard output: {error}")))
        }
        _ => Ok(0),
    }
}
