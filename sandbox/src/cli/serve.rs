//! `weir-sandbox serve`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use crate::cloud::CloudConfig;
use crate::faults::{FaultPlan, Faults};
use crate::fleet::FleetError;
use crate::instances::InstanceProgram;
use crate::sandbox::{Sandbox, SandboxConfig, SandboxError};

use super::{Failure, asked_to_end};

/// Arguments of `weir-sandbox serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A fleet's policy file: its queues and its group are made; may be repeated
    #[arg(long, value_name = "FILE", required = true)]
    policy: Vec<PathBuf>,
    /// Seconds that an instance takes to boot
    #[arg(long, value_name = "DURATION", default_value = "6s", value_parser = duration)]
    boot: Duration,
    /// What runs on each instance, a shell command; without one instances run nothing
    #[arg(long, value_name = "COMMAND")]
    program: Option<String>,
    /// A bucket to make; may be repeated
    #[arg(long, value_name = "NAME")]
    bucket: Vec<String>,
    /// A JSON file of what is to go wrong, as {"seed": 7, "rates": {"sqs": {"throttled": 0.02}},
    /// "outages": [{"service": "s3", "after": "10s", "for": "30s"}]}
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// Where the instances' logs go; kept when the sandbox ends
    #[arg(long, value_name = "FOLDER")]
    logs: Option<PathBuf>,
    /// All ids and all noise come from it
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let faults = args.faults.as_deref().map(plan).transpose();
    let faults = faults.map_err(Failure::Usage)?;
    let config = SandboxConfig {
        policies: args.policy,
        cloud: CloudConfig {
            seed: args.seed,
            boot: args.boot,
            ..CloudConfig::default()
        },
        program: args.program.map(|command| InstanceProgram {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), command],
            ..InstanceProgram::default()
        }),
        buckets: args.bucket,
        faults,
        logs: args.logs,
        ..SandboxConfig::default()
    };
    // Asked for before anything is started, so that nothing can be missed.
    let end = asked_to_end();
    tokio::pin!(end);
    let sandbox = tokio::select! {
        started = Sandbox::start(config) => started.map_err(failure)?,
        asked = &mut end => return asked.map(|()| ExitCode::SUCCESS).map_err(Failure::from),
    };
    let told = tell(&sandbox);
    if told.is_ok() {
        end.await?;
    }
    for ((service, fault), count) in sandbox.faults().map(Faults::counts).unwrap_or_default() {
        // Whoever closed the output has no wish to know.
        let _ = writeln!(std::io::stdout(), "# {service} {fault} {count}");
    }
    sandbox.shutdown().await;
    told?;
    Ok(ExitCode::SUCCESS)
}

fn plan(file: &Path) -> anyhow::Result<FaultPlan> {
    let named = || format!("--faults {}", file.display());
    let text = std::fs::read_to_string(file).with_context(named)?;
    text.parse().with_context(named)
}

fn tell(sandbox: &Sandbox) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "# The sandbox serves until Ctrl-C. In another shell:")?;
    for (name, value) in sandbox.env() {
        writeln!(out, "export {name}='{value}'")?;
    }
    writeln!(out, "# What it starts carries {}", sandbox.belonging())?;
    writeln!(out, "# Instances' logs: {}", sandbox.logs().display())?;
    out.flush()
}

fn failure(error: SandboxError) -> Failure {
    match error {
        SandboxError::Fleet(FleetError::Read { .. } | FleetError::Invalid { .. }) => {
            Failure::Usage(error.into())
        }
        _ => Failure::Runtime(error.into()),
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text
        .parse()
        .map_err(|error| format!("{error}; write it with a unit, as 6s or 1m30s"))?;
    Duration::try_from(span).map_err(|_| "it must not be negative".into())
}
