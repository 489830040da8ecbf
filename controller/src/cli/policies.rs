//! `--policy` and `--policy-yaml`: which fleets a command is about.
//!
//! Finds the policies; what they mean is [`crate::policy`]'s affair, which version of each is in
//! force [`crate::policies`]'.

use std::path::PathBuf;

use clap::Args;

use super::UsageError;
use crate::policies::Place;
#[cfg(feature = "aws")]
use crate::policies::{Disk, OutOfReach, Policies, Shelf};
use crate::policy::{self, Policy};

/// Which fleets a command is about.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct PolicyArgs {
    /// A policy file, a folder of *.yaml, `s3://BUCKET/PREFIX/` or `s3://BUCKET/KEY.yaml`; may be
    /// repeated
    #[arg(
        long,
        value_name = "PATH",
        env = "WEIR_POLICY",
        value_delimiter = ',',
        value_parser = |text: &str| text.parse::<Place>()
    )]
    pub policy: Vec<Place>,
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
            None => Ok(policy::load(&self.paths()?)?),
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

    /// The files and folders, for commands that look at nothing else.
    pub fn paths(&self) -> Result<Vec<PathBuf>, UsageError> {
        let path = |place: &Place| match place {
            Place::Path(path) => Ok(path.clone()),
            Place::Bucket(address) => Err(UsageError(format!(
                "--policy: found {address}, allowed here a file or a folder; fetch it first: \
                 aws s3 cp {address} ."
            ))),
        };
        self.policy.iter().map(path).collect()
    }
}

#[cfg(feature = "aws")]
impl PolicyArgs {
    /// Where they lie, to be read again and again. What is wrong with a file on the disk is said
    /// at once, and ends the process with 64: somebody is there to mend it.
    pub(super) fn open(&self, config: &aws_config::SdkConfig) -> anyhow::Result<Policies> {
        if self.policy_yaml.is_some() {
            return Ok(Policies::fixed(self.load()?));
        }
        let mut shelves: Vec<std::sync::Arc<dyn Shelf>> = Vec::new();
        let mut paths = Vec::new();
        for place in &self.policy {
            match place {
                Place::Path(path) => {
                    paths.push(path.clone());
                    shelves.push(std::sync::Arc::new(Disk::new(path.clone())));
                }
                Place::Bucket(address) => {
                    let bucket = crate::aws::Bucket::new(config, address.clone())?;
                    shelves.push(std::sync::Arc::new(bucket));
                }
            }
        }
        policy::load(&paths)?;
        Ok(Policies::on(shelves))
    }

    /// The policies that are in force now; what is refused or out of reach is logged.
    pub(super) async fn in_force(
        &self,
        config: &aws_config::SdkConfig,
    ) -> anyhow::Result<Vec<Policy>> {
        let mut policies = self.open(config)?;
        let out_of_reach = policies.read().await;
        for failure in &out_of_reach {
            tracing::warn!("{failure}");
        }
        self.some_in_force(&policies, &out_of_reach)?;
        let in_force = policies.in_force();
        Ok(in_force
            .values()
            .map(|policy| Policy::clone(policy))
            .collect())
    }

    /// That there is one policy at least; else why there is none.
    pub(super) fn some_in_force(
        &self,
        policies: &Policies,
        out_of_reach: &[OutOfReach],
    ) -> anyhow::Result<()> {
        if !policies.in_force().is_empty() {
            return Ok(());
        }
        let failures = out_of_reach.iter().map(ToString::to_string);
        let refusals = policies.refusals().map(ToString::to_string);
        let why: Vec<String> = failures.chain(refusals).collect();
        if why.is_empty() {
            let places: Vec<String> = self.policy.iter().map(ToString::to_string).collect();
            let places = places.join(", ");
            anyhow::bail!("no policy is in force: there is no *.yaml at {places}");
        }
        anyhow::bail!("no policy is in force: {}", why.join("; "));
    }
}
