//! A fleet as its policy file describes it, and its making on the cloud.
//!
//! This module reads of a policy only what provisioning needs, as Terraform does; judging the
//! rest is the controller's affair. What it makes is what `infra/` makes on AWS: a queue with a
//! dead-letter queue, and a group of protected instances with a terminating hook.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::cloud::autoscaling::{ActionResult, GroupChange, HookChange, Protection, Transition};
use crate::cloud::ec2::{TemplateData, TemplateSpec};
use crate::cloud::sqs::{FIFO_SUFFIX, NewQueue, Settings};
use crate::cloud::{ACCOUNT, ApiError, ApiResult, Cloud, Tags, Time};
use crate::stores::REGION;

/// The terminating hook's name, the same in every group.
pub const HOOK: &str = "weir-drain";

/// What provisioning needs of one policy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FleetSpec {
    /// The fleet's name.
    pub name: String,
    /// The queues it serves; at least one.
    pub queues: Vec<QueueSpec>,
    /// The group.
    pub fleet: GroupSpec,
    /// The worker's first guesses.
    #[serde(default)]
    pub worker: WorkerSpec,
}

/// One queue, by name or by URL.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct QueueSpec {
    name: Option<String>,
    url: Option<String>,
}

/// What is scaled, and its bounds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct GroupSpec {
    /// The Auto Scaling group's name, where it is one.
    pub auto_scaling_group: Option<String>,
    /// The ECS service as CLUSTER/SERVICE, where it is one.
    pub ecs_service: Option<String>,
    /// Never fewer instances.
    pub min: usize,
    /// Never more.
    pub max: usize,
}

impl GroupSpec {
    /// What the fleet's instances belong to: the group's name, or CLUSTER/SERVICE.
    pub fn scaler(&self) -> &str {
        let group = self.auto_scaling_group.as_deref();
        group.or(self.ecs_service.as_deref()).unwrap_or_default()
    }
}

/// What a worker is started with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WorkerSpec {
    /// Jobs it runs at a time.
    #[serde(default = "one")]
    pub slots: u32,
}

impl Default for WorkerSpec {
    fn default() -> Self {
        Self { slots: one() }
    }
}

fn one() -> u32 {
    1
}

/// Why a policy file cannot be provisioned from.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The file cannot be read.
    #[error("the policy {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not a policy.
    #[error("{} is no policy to provision from (`weir validate` says all that is wrong): {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The cloud refused.
    #[error("fleet {fleet} could not be made on the sandbox")]
    Make {
        /// The fleet's name.
        fleet: String,
        /// The service's answer.
        #[source]
        source: ApiError,
    },
}

impl FleetSpec {
    /// Reads a policy file.
    pub fn read(path: &Path) -> Result<Self, FleetError> {
        let text = std::fs::read_to_string(path).map_err(|source| FleetError::Read {
            path: path.to_owned(),
            source,
        })?;
        let invalid = |reason: String| FleetError::Invalid {
            path: path.to_owned(),
            reason,
        };
        let spec: Self = serde_yaml::from_str(&text).map_err(|error| invalid(error.to_string()))?;
        if spec.queues.is_empty() || spec.queues.iter().any(|queue| queue.name().is_empty()) {
            return Err(invalid(
                "each fleet needs queues, with a name or a url".into(),
            ));
        }
        let scaler = (&spec.fleet.auto_scaling_group, &spec.fleet.ecs_service);
        if !matches!(scaler, (Some(_), None) | (None, Some(_))) {
            return Err(invalid(
                "each fleet needs an auto_scaling_group or an ecs_service, one of them".into(),
            ));
        }
        Ok(spec)
    }

    /// The first queue's name.
    pub fn queue(&self) -> &str {
        self.queues[0].name()
    }
}

impl QueueSpec {
    /// Its name; from the URL's last part where the policy gives a URL.
    pub fn name(&self) -> &str {
        match (&self.name, &self.url) {
            (Some(name), _) => name,
            (None, Some(url)) => url.rsplit('/').next().unwrap_or_default(),
            (None, None) => "",
        }
    }

    /// Its dead-letter queue's name: of the same type, so with the same end.
    pub fn dead_letters(&self) -> String {
        match self.name().strip_suffix(FIFO_SUFFIX) {
            Some(stem) => format!("{stem}-dead-letters{FIFO_SUFFIX}"),
            None => format!("{}-dead-letters", self.name()),
        }
    }
}

/// Instances by what they are doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FleetCounts {
    /// Booting, or held by a launching hook.
    pub pending: usize,
    /// In service.
    pub in_service: usize,
    /// Leaving.
    pub terminating: usize,
    /// The size asked for.
    pub desired: usize,
}

impl FleetCounts {
    /// Nothing is there and nothing is to come.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One instance's life, in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lifetime {
    /// Its launch.
    pub from: f64,
    /// Its end; `None` while it lives.
    pub to: Option<f64>,
}

/// What Terraform's variables say on AWS.
#[derive(Clone, Copy, Debug)]
pub struct Provisioning {
    /// The queues' visibility timeout.
    pub visibility_timeout: Duration,
    /// A message received more often goes to the dead-letter queue.
    pub max_receive_count: u32,
    /// The terminating hook holds an instance for this long without a heartbeat.
    pub hook_timeout: Duration,
}

impl Default for Provisioning {
    fn default() -> Self {
        Self {
            visibility_timeout: Duration::from_mins(1),
            max_receive_count: 10,
            hook_timeout: Duration::from_mins(5),
        }
    }
}

/// Makes the fleet's queues and its group, from nothing.
pub fn provision(
    cloud: &mut Cloud,
    now: Time,
    spec: &FleetSpec,
    settings: &Provisioning,
) -> Result<(), FleetError> {
    let queues = spec
        .queues
        .iter()
        .try_for_each(|queue| make_queue(cloud, now, queue, settings));
    let made = queues.and_then(|()| match &spec.fleet.auto_scaling_group {
        Some(group) => make_group(cloud, now, (group, spec), settings),
        None => make_service(cloud, spec),
    });
    made.map_err(|source| FleetError::Make {
        fleet: spec.name.clone(),
        source,
    })
}

fn make_queue(
    cloud: &mut Cloud,
    now: Time,
    queue: &QueueSpec,
    provisioning: &Provisioning,
) -> ApiResult<()> {
    let new = |name: String, settings: Settings| NewQueue {
        name,
        region: REGION.into(),
        settings,
        tags: Tags::default(),
    };
    let dead_letters = queue.dead_letters();
    let fifo = queue.name().ends_with(FIFO_SUFFIX);
    let of_type = fifo.then(|| ("FifoQueue".to_owned(), "true".to_owned()));
    let of_type: Settings = of_type.into_iter().collect();
    cloud
        .sqs
        .create_queue(now, new(dead_letters.clone(), of_type.clone()))?;
    let redrive = serde_json::json!({
        "deadLetterTargetArn": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{dead_letters}"),
        "maxReceiveCount": provisioning.max_receive_count,
    });
    let visibility = provisioning.visibility_timeout.as_secs().to_string();
    let mut settings = of_type;
    settings.insert("VisibilityTimeout".into(), visibility);
    settings.insert("RedrivePolicy".into(), redrive.to_string());
    cloud
        .sqs
        .create_queue(now, new(queue.name().into(), settings))
}

/// Tasks come from a service as instances do from a group, but for hooks, which ECS does not have.
fn make_service(cloud: &mut Cloud, spec: &FleetSpec) -> ApiResult<()> {
    let Some((cluster, service)) = spec.fleet.scaler().split_once('/') else {
        let what = format!("{} is no CLUSTER/SERVICE", spec.fleet.scaler());
        return Err(ApiError::new("InvalidParameterException", what));
    };
    cloud.ecs.create_service((cluster, service), spec.fleet.min)
}

fn make_group(
    cloud: &mut Cloud,
    now: Time,
    (name, spec): (&str, &FleetSpec),
    provisioning: &Provisioning,
) -> ApiResult<()> {
    let group = &spec.fleet;
    let template = format!("{}-worker", spec.name);
    let data = TemplateData {
        image_id: Some("ami-00000000000000000".into()),
        instance_type: Some("c7g.large".into()),
        ..TemplateData::default()
    };
    cloud.ec2.create_launch_template(now, &template, data)?;
    let change = GroupChange {
        name: name.to_owned(),
        region: REGION.into(),
        min: Some(group.min),
        max: Some(group.max),
        desired: Some(group.min),
        zones: ["a", "b", "c"].map(|zone| format!("{REGION}{zone}")).into(),
        template: Some(TemplateSpec {
            name: Some(template),
            ..TemplateSpec::default()
        }),
        new_instances: Some(Protection::Protected),
        hooks: vec![HookChange {
            name: HOOK.into(),
            transition: Some(Transition::Terminating),
            heartbeat_timeout: Some(provisioning.hook_timeout),
            default_result: Some(ActionResult::Continue),
            ..HookChange::default()
        }],
        ..GroupChange::default()
    };
    cloud.autoscaling.create_group(now, &change, &mut cloud.ec2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::CloudConfig;

    const POLICY: &str = "
version: 1
name: thumbnails
queues:
  - { name: thumbnails, weight: 1 }
  - { url: 'https://sqs.eu-west-1.amazonaws.com/000000000000/urgent' }
fleet: { auto_scaling_group: thumbnails-workers, min: 0, max: 8 }
objective: { start_within: 4s, percentile: 95 }
worker: { slots: 2, service_time: 1s }
";

    fn read(text: &str) -> Result<FleetSpec, FleetError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.yaml");
        std::fs::write(&path, text).unwrap();
        FleetSpec::read(&path)
    }

    #[test]
    fn takes_what_it_needs_from_the_policy_that_the_controller_reads() {
        let spec = read(POLICY).unwrap();
        assert_eq!(spec.queue(), "thumbnails");
        assert_eq!(spec.queues[1].name(), "urgent");
        assert_eq!((spec.fleet.max, spec.worker.slots), (8, 2));
    }

    #[test]
    fn keys_that_only_terraform_needs_are_no_matter() {
        let text = "name: p\nqueues: [{ name: q, visibility_timeout: 60s, max_receive_count: 12 }]\n\
                    fleet: { ecs_service: media/p, min: 0, max: 2 }\n\
                    worker: { max_attempts: 3 }\n";
        assert_eq!(read(text).unwrap().fleet.scaler(), "media/p");
    }

    #[test]
    fn a_file_that_is_no_policy_is_refused_with_its_name() {
        let error = read("name: x\nqueues: []\n").unwrap_err().to_string();
        assert!(error.contains("policy.yaml"), "{error}");
        let both = POLICY.replace("fleet: {", "fleet: { ecs_service: c/s,");
        let error = read(&both).unwrap_err().to_string();
        assert!(error.contains("one of them"), "{error}");
        let error = FleetSpec::read(Path::new("nowhere.yaml")).unwrap_err();
        assert!(error.to_string().contains("nowhere.yaml"), "{error}");
    }

    #[test]
    fn makes_queues_with_dead_letters_and_a_protected_group_with_a_hook() {
        let mut cloud = Cloud::new(&CloudConfig::default());
        let spec = read(POLICY).unwrap();
        let now = Time::from_secs(1_700_000_000);
        provision(&mut cloud, now, &spec, &Provisioning::default()).unwrap();
        let redrive = cloud
            .sqs
            .settings("urgent")
            .unwrap()
            .redrive
            .clone()
            .unwrap();
        assert_eq!(redrive.target_name(), "urgent-dead-letters");
        let group = cloud.autoscaling.group("thumbnails-workers").unwrap();
        assert_eq!(
            (group.size.min, group.size.max, group.size.desired),
            (0, 8, 0)
        );
        assert_eq!(group.settings.new_instances, Protection::Protected);
        assert_eq!(group.hooks().next().unwrap().name, HOOK);
    }

    #[test]
    fn a_fifo_queue_gets_dead_letters_of_its_own_type() {
        let mut cloud = Cloud::new(&CloudConfig::default());
        let policy = POLICY.replace("urgent", "urgent.fifo");
        let spec = read(&policy).unwrap();
        let now = Time::from_secs(1_700_000_000);
        provision(&mut cloud, now, &spec, &Provisioning::default()).unwrap();
        let settings = cloud.sqs.settings("urgent.fifo").unwrap();
        assert!(settings.fifo.is_some());
        let redrive = settings.redrive.as_ref().unwrap();
        assert_eq!(redrive.target_name(), "urgent-dead-letters.fifo");
    }
}
