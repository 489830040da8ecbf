//! Ports of a process that may be killed or stopped, between any two calls and in the midst of one.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::TransactWriteItem;
use tokio::sync::watch;
use weir_protocol::JobRecord;
use weir_worker::aws::CallError;
use weir_worker::jobs::{Jobs, JobsError};
use weir_worker::lease::{Claim, Claimed, Finish, Held, Reopen, Reopened};
use weir_worker::queue::{Buried, Entries, Message, Outgoing, Queue, Visibility};

/// How a process fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Running,
    /// Stopped, as by SIGSTOP: it knows nothing of the time that passes.
    Stopped,
    Dead,
}

/// A process, as whoever kills it sees it.
#[derive(Clone)]
pub(crate) struct Process {
    health: watch::Sender<Health>,
    /// Steps it still lives; a call has two, its beginning and its answer.
    steps_left: Arc<Mutex<Option<u32>>>,
}

impl Process {
    pub(crate) fn new() -> Self {
        Self {
            health: watch::Sender::new(Health::Running),
            steps_left: Arc::default(),
        }
    }

    pub(crate) fn becomes(&self, health: Health) {
        self.health.send_replace(health);
    }

    pub(crate) fn dies_after(&self, steps: u32) {
        *self.steps_left.lock().expect("no panic") = Some(steps);
    }

    pub(crate) async fn died(&self) {
        self.comes_to(Health::Dead).await;
    }

    pub(crate) fn port<T>(&self, port: Arc<T>) -> Arc<Mortal<T>> {
        let process = self.clone();
        Arc::new(Mortal { port, process })
    }

    async fn step(&self) {
        if let Some(left) = &mut *self.steps_left.lock().expect("no panic") {
            match left.checked_sub(1) {
                Some(fewer) => *left = fewer,
                None => self.becomes(Health::Dead),
            }
        }
        self.comes_to(Health::Running).await;
    }

    async fn comes_to(&self, wanted: Health) {
        let mut health = self.health.subscribe();
        // The sender lives in self.
        let _ = health.wait_for(|health| *health == wanted).await;
    }
}

/// A port of such a process: a call is made and its answer taken only while it runs.
pub(crate) struct Mortal<T> {
    port: Arc<T>,
    process: Process,
}

impl<T> Mortal<T> {
    async fn alive<R>(&self, call: impl Future<Output = R>) -> R {
        self.process.step().await;
        let answer = call.await;
        self.process.step().await;
        answer
    }
}

#[async_trait]
impl<T: Queue> Queue for Mortal<T> {
    fn name(&self) -> &str {
        self.port.name()
    }

    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Message>, CallError> {
        self.alive(self.port.receive(max, wait, visibility)).await
    }

    async fn delete(&self, receipts: &[String]) -> Result<Entries<()>, CallError> {
        self.alive(self.port.delete(receipts)).await
    }

    async fn change_visibility(&self, changes: &[Visibility]) -> Result<Entries<()>, CallError> {
        self.alive(self.port.change_visibility(changes)).await
    }

    async fn send(&self, messages: &[Outgoing]) -> Result<Entries<String>, CallError> {
        self.alive(self.port.send(messages)).await
    }

    async fn bury(&self, message: &Outgoing) -> Result<Buried, CallError> {
        self.alive(self.port.bury(message)).await
    }
}

#[async_trait]
impl<T: Jobs> Jobs for Mortal<T> {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, JobsError> {
        self.alive(self.port.claim(claim)).await
    }

    async fn extend(&self, job_id: &str, token: &str, lease_until: f64) -> Result<Held, JobsError> {
        self.alive(self.port.extend(job_id, token, lease_until))
            .await
    }

    async fn finish(
        &self,
        finish: &Finish,
        writes: &[TransactWriteItem],
    ) -> Result<Held, JobsError> {
        self.alive(self.port.finish(finish, writes)).await
    }

    async fn reopen(&self, reopen: &Reopen) -> Result<Reopened, JobsError> {
        self.alive(self.port.reopen(reopen)).await
    }

    async fn write(&self, token: &str, writes: &[TransactWriteItem]) -> Result<(), JobsError> {
        self.alive(self.port.write(token, writes)).await
    }

    async fn get(&self, job_id: &str) -> Result<Option<JobRecord>, JobsError> {
        self.alive(self.port.get(job_id)).await
    }
}
