//! The boot script's last part: the launching hook lets an instance in once its worker is ready.
//!
//! On a machine the boot script waits for the worker and completes the hook with the instance's
//! role; here somebody does it for every instance. It must not complete any other hook.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use tokio_util::sync::CancellationToken;
use weir_protocol::keys;

use super::deployment::{Deployment, Fleet};
use super::stage::{Stage, worker_key};
use crate::cloud::autoscaling::Transition;
use crate::stores::{ACCESS_KEY, client_config};

/// How often it is looked who is held.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Completes launching hooks, for the instances of one fleet.
pub(super) struct Boot {
    fleet: String,
    group: String,
    hooks: Vec<String>,
    state_table: String,
    stage_cloud: crate::wire::SharedCloud,
    dynamodb: aws_sdk_dynamodb::Client,
    autoscaling: aws_sdk_autoscaling::Client,
}

impl Boot {
    /// For each fleet with a launching hook.
    pub(super) async fn of(deployment: &Deployment, stage: &Stage) -> Vec<Self> {
        let mut boots = Vec::new();
        for fleet in &deployment.fleets {
            boots.extend(Self::of_fleet(fleet, stage).await);
        }
        boots
    }

    async fn of_fleet(fleet: &Fleet, stage: &Stage) -> Option<Self> {
        let hooks = fleet.hooks(Transition::Launching);
        let hooks: Vec<String> = hooks.map(|hook| hook.name.clone()).collect();
        if hooks.is_empty() {
            return None;
        }
        let config = client_config(stage.sandbox.url()).await;
        let keys = aws_sdk_sqs::config::Credentials::new(
            worker_key(&fleet.name),
            ACCESS_KEY,
            None,
            None,
            "boot",
        );
        let config = aws_sdk_autoscaling::config::Builder::from(&config).credentials_provider(keys);
        Some(Self {
            fleet: fleet.name.clone(),
            group: fleet.group.name.clone(),
            hooks,
            state_table: fleet
                .worker_env
                .get("WEIR_STATE_TABLE")
                .cloned()
                .unwrap_or_default(),
            stage_cloud: stage.sandbox.cloud().clone(),
            dynamodb: aws_sdk_dynamodb::Client::new(
                &client_config(stage.sandbox.dynamodb_url()).await,
            ),
            autoscaling: aws_sdk_autoscaling::Client::from_conf(config.build()),
        })
    }

    /// Does so until `stop`. What fails is tried again: the hook's timeout is the limit.
    #[expect(
        clippy::disallowed_methods,
        reason = "instances boot on the wall clock"
    )]
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut done = BTreeSet::new();
        loop {
            for id in self.held() {
                if !done.contains(&id) && self.is_ready(&id).await && self.complete(&id).await {
                    done.insert(id);
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// The instances that a launching hook holds.
    fn held(&self) -> Vec<String> {
        self.stage_cloud.look(|cloud, _| {
            let group = cloud.autoscaling.group(&self.group);
            let members = group
                .map(|group| group.members().to_vec())
                .unwrap_or_default();
            let held = members
                .into_iter()
                .filter(|one| one.lifecycle_state() == "Pending:Wait");
            held.map(|member| member.id).collect()
        })
    }

    /// A worker reports as soon as it works.
    async fn is_ready(&self, id: &str) -> bool {
        let key = BTreeMap::from([
            (keys::PK, keys::reports(&self.fleet)),
            (keys::SK, id.into()),
        ]);
        let key = key
            .into_iter()
            .map(|(name, value)| (name.into(), AttributeValue::S(value)));
        let asked = self.dynamodb.get_item().table_name(&self.state_table);
        let answer = asked
            .set_key(Some(key.collect()))
            .consistent_read(true)
            .send()
            .await;
        answer.is_ok_and(|answer| answer.item.is_some())
    }

    async fn complete(&self, id: &str) -> bool {
        let mut all = true;
        for hook in &self.hooks {
            let call = self.autoscaling.complete_lifecycle_action();
            let call = call
                .auto_scaling_group_name(&self.group)
                .lifecycle_hook_name(hook);
            let call = call.instance_id(id).lifecycle_action_result("CONTINUE");
            if let Err(error) = call.send().await {
                let error = aws_sdk_sqs::error::DisplayErrorContext(error).to_string();
                tracing::warn!(
                    instance = id,
                    hook,
                    error,
                    "the launching hook was not completed"
                );
                all = false;
            }
        }
        all
    }
}
