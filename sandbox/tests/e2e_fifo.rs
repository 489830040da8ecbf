//! A FIFO queue worked by two processes, one of which is killed: every group in order, nothing lost.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
#![allow(
    clippy::disallowed_methods,
    reason = "real programs pass real time; every wait has a deadline"
)]

mod common;

use std::path::Path;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName as Name;
use common::{Ground, exec_worker, program, shown};
use tokio::process::{Child, Command};
use weir_sandbox::fleet::Provisioning;
use weir_sandbox::sandbox::SandboxConfig;

const PATIENCE: Duration = Duration::from_mins(2);
const GROUPS: usize = 3;
const MESSAGES: usize = 12;

const POLICY: &str = "
version: 1
name: e2e
queues:
  - name: e2e.fifo
fleet: { auto_scaling_group: e2e-workers, min: 0, max: 3 }
objective: { start_within: 4s, percentile: 95 }
worker: { slots: 2, service_time: 1s, boot_time: 1s }
";

/// The bodies that ran, of one group, in order; what ran several times in a row stands once, as a
/// worker that was killed may have run what it could not complete.
fn order(ran: &Path, group: usize) -> Vec<String> {
    let ran = std::fs::read_to_string(ran).unwrap_or_default();
    let of_group = |line: &&str| line.starts_with(&format!("{group}-"));
    let mut order: Vec<String> = ran.lines().filter(of_group).map(Into::into).collect();
    order.dedup();
    order
}

fn sent(group: usize) -> Vec<String> {
    (0..MESSAGES).map(|nth| format!("{group}-{nth}")).collect()
}

async fn send_all(ground: &Ground) {
    for nth in 0..MESSAGES {
        for group in 0..GROUPS {
            let body = format!("{group}-{nth}");
            let send = ground.books.sqs.send_message();
            let send = send
                .queue_url(&ground.books.queue_url)
                .message_group_id(group.to_string())
                .message_deduplication_id(&body)
                .message_body(body);
            send.send().await.unwrap();
        }
    }
}

async fn left(ground: &Ground) -> u64 {
    let names = [
        Name::ApproximateNumberOfMessages,
        Name::ApproximateNumberOfMessagesNotVisible,
    ];
    let get = ground.books.sqs.get_queue_attributes();
    let get = get.queue_url(&ground.books.queue_url);
    let got = get.set_attribute_names(Some(names.to_vec())).send();
    let got = got.await.unwrap().attributes.unwrap();
    names
        .iter()
        .map(|name| got[name].parse::<u64>().unwrap())
        .sum()
}

fn worker(ground: &Ground, command: &str) -> Child {
    Command::new(program("weir-worker"))
        .args(["run", "--exec", command])
        .envs(exec_worker(command).env)
        .envs(ground.sandbox.own_env())
        .envs(ground.sandbox.worker_env(&ground.sandbox.fleets()[0]))
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_stay_in_order_through_retries_and_a_killed_worker() {
    let config = SandboxConfig {
        provisioning: Provisioning {
            visibility_timeout: Duration::from_secs(10),
            ..Provisioning::default()
        },
        ..SandboxConfig::default()
    };
    let ground = Ground::start_with(POLICY, config).await;
    let ran = ground.folder.path().join("ran");
    // The third of each group is not done at first.
    let command = format!(
        "read -r body; echo \"$body\" >>{}; sleep 0.2; case \"$body:$WEIR_ATTEMPT\" in \
         *-2:1) echo WEIR_RETRY_AFTER=1 >&2; exit 75;; esac",
        shown(&ran)
    );
    send_all(&ground).await;
    let mut killed = worker(&ground, &command);
    let under_way = async || (0..GROUPS).all(|group| order(&ran, group).len() >= 2);
    ground
        .until("every group is under way", PATIENCE, under_way)
        .await;
    let _other = worker(&ground, &command);
    let half = async || order(&ran, 0).len() >= MESSAGES / 2;
    ground.until("half is done", PATIENCE, half).await;
    // SIGKILL.
    killed.kill().await.unwrap();
    let empty = async || left(&ground).await == 0;
    ground.until("the queue is empty", PATIENCE, empty).await;
    for group in 0..GROUPS {
        assert_eq!(order(&ran, group), sent(group), "group {group}");
    }
    ground.sandbox.shutdown().await;
}
