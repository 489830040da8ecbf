//! What Terraform made, read from where it was applied: plain data.
//!
//! It says what there is. Reading it is [`super::source`]'s, playing it [`super::stage`]'s.

use std::collections::BTreeMap;

use crate::cloud::autoscaling::{GroupChange, HookChange, Transition};
use crate::cloud::ec2::TemplateData;
use crate::cloud::sqs::Settings;
use crate::iam::{Place, Policies, Statement};

/// Everything that a run is shaped by.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Partition, region and account.
    pub place: Place,
    /// The queues, dead-letter queues first, by which no queue names one that is not there yet.
    pub queues: Vec<Queue>,
    /// The fleets on Auto Scaling groups.
    pub fleets: Vec<Fleet>,
    /// The tables.
    pub tables: Vec<Table>,
    /// The buckets.
    pub buckets: Vec<Bucket>,
    /// The controller, once for each place it is defined in.
    pub controllers: Vec<Controller>,
    /// Roles by ARN: those of workers and controllers.
    pub roles: BTreeMap<String, Role>,
    /// Statements of the queues' own policies.
    pub resource_policies: Vec<Statement>,
    /// What was found and is not played.
    pub not_played: Vec<String>,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The name.
    pub name: String,
    /// Its settable attributes.
    pub settings: Settings,
}

/// A fleet: a group, and what its instances are made of.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// The fleet's name, as its workers know it.
    pub name: String,
    /// The group, hooks included.
    pub group: GroupChange,
    /// The launch template's name.
    pub template_name: String,
    /// The launch template.
    pub template: TemplateData,
    /// The worker's environment file, as the user data writes it.
    pub worker_env: BTreeMap<String, String>,
    /// The worker's settings file, where it has one.
    pub settings: Option<String>,
    /// The ARN of the role in the template's instance profile.
    pub role: String,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The name.
    pub name: String,
    /// The partition key and, where there is one, the sort key.
    pub keys: Vec<String>,
    /// The attribute by which items expire.
    pub ttl: Option<String>,
}

/// A bucket, with the objects that the programs read when they start: policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The name.
    pub name: String,
    /// Texts by key.
    pub policies: BTreeMap<String, String>,
}

/// How the controller is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    /// The function's or the task's name.
    pub name: String,
    /// Arguments of `weir`; none where it runs in Lambda.
    pub command: Vec<String>,
    /// Its environment.
    pub env: BTreeMap<String, String>,
    /// Its role's ARN.
    pub role: String,
}

/// A role and what it may do.
#[derive(Clone, Debug)]
pub struct Role {
    /// The name.
    pub name: String,
    /// The ARN.
    pub arn: String,
    /// Its policies.
    pub policies: Policies,
}

impl Fleet {
    /// The names of the queues that its workers serve: `a` or `a,weight=3;b,priority=1`.
    pub fn queue_names(&self) -> Vec<String> {
        let queues = self.worker_env.get("WEIR_QUEUE").map_or("", String::as_str);
        let named = queues
            .split(';')
            .filter_map(|queue| queue.split(',').next());
        let last = |queue: &str| {
            queue
                .trim()
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        named.map(last).filter(|name| !name.is_empty()).collect()
    }

    /// The hooks of this transition, by name.
    pub fn hooks(&self, transition: Transition) -> impl Iterator<Item = &HookChange> {
        let hooks = self.group.hooks.iter();
        hooks.filter(move |hook| hook.transition == Some(transition))
    }

    /// The group's bounds.
    pub fn bounds(&self) -> (usize, usize) {
        (self.group.min.unwrap_or(0), self.group.max.unwrap_or(0))
    }
}

impl Queue {
    /// The name of its dead-letter queue.
    pub fn dead_letters(&self) -> Option<String> {
        let redrive = self.settings.get("RedrivePolicy")?;
        let redrive: serde_json::Value = serde_json::from_str(redrive).ok()?;
        let arn = redrive.get("deadLetterTargetArn")?.as_str()?;
        arn.rsplit(':').next().map(str::to_owned)
    }

    /// Whether it keeps order.
    pub fn is_fifo(&self) -> bool {
        self.settings
            .get("FifoQueue")
            .is_some_and(|fifo| fifo == "true")
    }
}

impl Deployment {
    /// The queue of this name.
    pub fn queue(&self, name: &str) -> Option<&Queue> {
        self.queues.iter().find(|queue| queue.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(queues: &str) -> Fleet {
        Fleet {
            name: "a".into(),
            group: GroupChange::default(),
            template_name: "a".into(),
            template: TemplateData::default(),
            worker_env: BTreeMap::from([("WEIR_QUEUE".into(), queues.into())]),
            settings: None,
            role: "arn".into(),
        }
    }

    #[test]
    fn queues_are_named_by_name_or_url_with_or_without_weights() {
        assert_eq!(fleet("a").queue_names(), ["a"]);
        assert_eq!(fleet("a,weight=3;b,priority=1").queue_names(), ["a", "b"]);
        assert_eq!(
            fleet("https://sqs.r.amazonaws.com/1/a").queue_names(),
            ["a"]
        );
        assert!(fleet("").queue_names().is_empty());
    }

    #[test]
    fn dead_letter_queue_is_named_by_the_redrive_policy() {
        let redrive = r#"{"deadLetterTargetArn":"arn:aws:sqs:r:1:a-dlq","maxReceiveCount":10}"#;
        let mut queue = Queue {
            name: "a".into(),
            settings: Settings::from([("RedrivePolicy".into(), redrive.into())]),
        };
        assert_eq!(queue.dead_letters().as_deref(), Some("a-dlq"));
        queue.settings.clear();
        assert_eq!(queue.dead_letters(), None);
    }
}
