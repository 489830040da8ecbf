//! `--policy` and `--policy-yaml`: which fleets a command is about.
//!
//! Finds the policies; what they mean is [`crate::policy`]'s affair.

use std::path::PathBuf;

use clap::Args;

use super::UsageError;
use crate::policy::{self, Policy};

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
        match &self.policy_yaml {
            Some(text) => Ok(vec![policy::parse("--policy-yaml", text)?]),
            None => Ok(policy::load(&self.policy)?),
        }
    }

    /// The one policy they name; more are bad usage.
    pub fn load_one(&self) -> anyhow::Result<Policy> {
        let mut policies = self.load()?;
        match (policies.pop(), policies.len()) {
            (Some(policy), 0) => Ok(policy),
            (_, others) => {
                let found = others + 1;
                let what = format!("--policy names {found} policies; this command takes one");
                Err(UsageError(what).into())
            }
        }
    }
}
