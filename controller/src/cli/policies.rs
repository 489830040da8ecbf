//! `--policy` and `--policy-yaml`: which fleets a command is about.
//!
//! Reads policy files; what they mean is [`crate::policy`]'s affair.

use std::path::PathBuf;

use clap::Args;

use crate::policy::Policy;

/// Which fleets a command is about.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct PolicyArgs {
    /// A policy file, or a folder of *.yaml; may be repeated
    #[arg(long, value_name = "PATH", env = "WEIR_POLICY", value_delimiter = ',')]
    pub policy: Vec<PathBuf>,
    /// A policy's text itself
    #[arg(long, value_name = "TEXT", env = "WEIR_POLICY_YAML")]
    pub policy_yaml: Option<String>,
}

impl PolicyArgs {
    /// Reads and validates all of them; names are unique. The error carries every problem found
    /// and ends the process with 64.
    pub fn load(&self) -> anyhow::Result<Vec<Policy>> {
        anyhow::bail!("not there yet")
    }
}
