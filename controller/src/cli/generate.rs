//! `weir completions` and `weir man`: made from the command line's own definition.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, finish_output};

/// Arguments of `weir completions`.
#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// The shell they are for
    shell: Shell,
}

/// Arguments of `weir man`.
#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// Write a page for each subcommand into this folder, instead of the main page to the output
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn completions(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "weir", &mut script);
    finish_output(std::io::stdout().write_all(&script))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn man(args: &ManArgs) -> anyhow::Result<ExitCode> {
    if let Some(dir) = &args.dir {
        std::fs::create_dir_all(dir)?;
        clap_mangen::generate_to(Cli::command(), dir)?;
    } else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page)?;
        finish_output(std::io::stdout().write_all(&page))?;
    }
    Ok(ExitCode::SUCCESS)
}
