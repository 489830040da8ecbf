//! The small cloud as Terraform's result shapes it: the same queues, tables, buckets, groups and
//! hooks, the same roles, and real workers with the environment of the user data.
//!
//! It replaces what a sandbox must (endpoints, keys, who does the jobs) and nothing else.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

use super::deployment::{Deployment, Fleet, Role};
use crate::cloud::sqs::{NewQueue, Settings};
use crate::cloud::{ACCOUNT, ApiResult, Cloud, CloudConfig, Tags, Time};
use crate::iam::{Iam, IamConfig, Policies, Principal};
use crate::instances::InstanceProgram;
use crate::sandbox::{Sandbox, SandboxConfig, WeirTables};
use crate::stores::client_config;

/// Where the programs look for DynamoDB's endpoint.
const DYNAMODB_URL: &str = "AWS_ENDPOINT_URL_DYNAMODB";
/// The front end's access key.
pub const FRONT_END: &str = "front-end";
/// The access key of whoever looks after the fleets by hand.
pub const OPERATOR: &str = "operator";

/// What a stage is set with, beside the deployment.
#[derive(Clone, Debug)]
pub struct StageConfig {
    /// `weir-worker`.
    pub worker: PathBuf,
    /// The command that does a job.
    pub exec: String,
    /// From an instance's launch until it is up.
    pub boot: Duration,
    /// Everything made by chance comes from it.
    pub seed: u64,
    /// Where the programs' logs go.
    pub logs: PathBuf,
    /// What the front end may do; `None`: everything.
    pub producer: Option<Policies>,
    /// What the operator may do; `None`: everything.
    pub operator: Option<Policies>,
}

/// The small cloud, set.
#[derive(Debug)]
pub struct Stage {
    /// It.
    pub sandbox: Sandbox,
    /// Who may do what on it, and who did.
    pub iam: Iam,
    env: BTreeMap<String, String>,
}

impl Stage {
    /// Sets the stage: when this returns, groups with a minimum launch instances.
    pub async fn set(deployment: &Deployment, config: &StageConfig) -> anyhow::Result<Self> {
        let sandbox = SandboxConfig {
            cloud: CloudConfig {
                seed: config.seed,
                boot: config.boot,
                ..CloudConfig::default()
            },
            program: Some(InstanceProgram {
                program: config.worker.clone(),
                args: vec!["run".into()],
                env: BTreeMap::new(),
            }),
            weir_tables: WeirTables::Absent,
            logs: Some(config.logs.clone()),
            ..SandboxConfig::default()
        };
        let sandbox = Box::pin(Sandbox::start(sandbox)).await?;
        fill_stores(deployment, &sandbox).await?;
        let iam = Iam::new(iam_config(deployment, config));
        sandbox.cloud().enforce(iam.clone());
        let dynamodb = sandbox.stores().enforce(iam.clone()).await?;
        let mut env = sandbox.own_env();
        env.insert(DYNAMODB_URL.into(), dynamodb);
        env.insert("AWS_REGION".into(), deployment.place.region.clone());
        let stage = Self { sandbox, iam, env };
        for fleet in &deployment.fleets {
            let worker_env = stage.worker_env(fleet, &config.exec);
            if let (Some(settings), Some(file)) = (&fleet.settings, worker_env.get("WEIR_CONFIG")) {
                std::fs::write(file, settings)
                    .with_context(|| format!("{file} cannot be written"))?;
            }
            stage.sandbox.set_worker_env(&fleet.group.name, worker_env);
        }
        let made = stage
            .sandbox
            .cloud()
            .with(|cloud, now| make(deployment, cloud, now));
        made.map_err(|error| anyhow::anyhow!("{}: {}", error.code, error.message))
            .context("what Terraform made cannot be made on the small cloud")?;
        Ok(stage)
    }

    /// DynamoDB's endpoint, behind IAM.
    pub fn dynamodb_url(&self) -> &str {
        &self.env[DYNAMODB_URL]
    }

    /// The environment of a program that signs with this key.
    pub fn env_as(&self, access_key: &str) -> BTreeMap<String, String> {
        let mut env = self.env.clone();
        env.insert("AWS_ACCESS_KEY_ID".into(), access_key.into());
        env
    }

    /// What a worker of this fleet finds in its environment: the file that the user data writes,
    /// but for who does the jobs and where AWS is.
    pub fn worker_env(&self, fleet: &Fleet, exec: &str) -> BTreeMap<String, String> {
        let mut env = self.env_as(&worker_key(&fleet.name));
        env.extend(fleet.worker_env.clone());
        env.remove("WEIR_HTTP");
        env.insert("WEIR_EXEC".into(), exec.into());
        // Instances share this machine's files and ports.
        if let Some(file) = env.get_mut("WEIR_CONFIG") {
            let own = format!("worker-{}.yaml", fleet.name);
            *file = self.sandbox.logs().join(own).display().to_string();
        }
        if let Some(address) = env.get_mut("WEIR_LISTEN") {
            *address = "127.0.0.1:0".into();
        }
        env
    }
}

/// The access key of a fleet's workers.
pub fn worker_key(fleet: &str) -> String {
    format!("worker-{fleet}")
}

/// The access key of whoever has the controller's role.
pub fn controller_key(role: &str) -> String {
    format!("controller-{}", role.rsplit('/').next().unwrap_or(role))
}

async fn fill_stores(deployment: &Deployment, sandbox: &Sandbox) -> anyhow::Result<()> {
    for table in &deployment.tables {
        let keys: Vec<&str> = table.keys.iter().map(String::as_str).collect();
        sandbox.stores().make_table(&table.name, &keys).await?;
    }
    let s3 = aws_sdk_s3::Client::new(&client_config(sandbox.s3_url()).await);
    for bucket in &deployment.buckets {
        sandbox.stores().make_bucket(&bucket.name).await?;
        for (key, text) in &bucket.policies {
            let put = s3.put_object().bucket(&bucket.name).key(key);
            let put = put.body(text.clone().into_bytes().into()).send().await;
            put.with_context(|| format!("s3://{}/{key} could not be stored", bucket.name))?;
        }
    }
    Ok(())
}

fn iam_config(deployment: &Deployment, config: &StageConfig) -> IamConfig {
    let of_role = |name: String, role: &Role| Principal {
        name,
        arn: role.arn.clone(),
        policies: Some(role.policies.clone()),
    };
    let mut principals = BTreeMap::new();
    for fleet in &deployment.fleets {
        if let Some(role) = deployment.roles.get(&fleet.role) {
            let name = format!("worker of {}", fleet.name);
            principals.insert(worker_key(&fleet.name), of_role(name, role));
        }
    }
    for controller in &deployment.controllers {
        if let Some(role) = deployment.roles.get(&controller.role) {
            principals.insert(
                controller_key(&role.arn),
                of_role("controller".into(), role),
            );
        }
    }
    for (key, policies) in [(FRONT_END, &config.producer), (OPERATOR, &config.operator)] {
        let principal = Principal {
            name: key.replace('-', " "),
            arn: format!("arn:aws:iam::{}:role/{key}", deployment.place.account),
            policies: policies.clone(),
        };
        principals.insert(key.into(), principal);
    }
    let keys = deployment.tables.iter();
    let keys = keys.filter_map(|table| Some((table.name.clone(), table.keys.first()?.clone())));
    IamConfig {
        place: deployment.place.clone(),
        principals,
        resource_policies: deployment.resource_policies.clone(),
        partition_keys: keys.collect(),
    }
}

fn make(deployment: &Deployment, cloud: &mut Cloud, now: Time) -> ApiResult<()> {
    let region = &deployment.place.region;
    for queue in &deployment.queues {
        let new = NewQueue {
            name: queue.name.clone(),
            region: region.clone(),
            settings: in_this_account(&queue.settings, &deployment.place.account),
            tags: Tags::default(),
        };
        cloud.sqs.create_queue(now, new)?;
    }
    for fleet in &deployment.fleets {
        let (name, data) = (&fleet.template_name, fleet.template.clone());
        cloud.ec2.create_launch_template(now, name, data)?;
        cloud
            .autoscaling
            .create_group(now, &fleet.group, &mut cloud.ec2)?;
        let settings = cloud.autoscaling.settings_mut(&fleet.group.name)?;
        settings.suspended.clone_from(&fleet.group.kept.suspended);
        settings
            .enabled_metrics
            .clone_from(&fleet.group.kept.enabled_metrics);
    }
    Ok(())
}

/// The same with the ARNs of other queues in the small cloud's account.
fn in_this_account(settings: &Settings, account: &str) -> Settings {
    let moved = |(name, value): (&String, &String)| {
        let value = match name.as_str() {
            "RedrivePolicy" | "RedriveAllowPolicy" => {
                value.replace(&format!(":{account}:"), &format!(":{ACCOUNT}:"))
            }
            _ => value.clone(),
        };
        (name.clone(), value)
    };
    settings.iter().map(moved).collect()
}
