//! `weir run`.

use std::process::ExitCode;

use super::{Global, PolicyArgs};

/// Arguments of `weir run`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    policies: PolicyArgs,
}

pub(super) async fn run(args: Args, _global: &Global) -> anyhow::Result<ExitCode> {
    let _policies = args.policies.load()?;
    Ok(ExitCode::SUCCESS)
}
