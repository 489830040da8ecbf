//! What became of the jobs: records, queues, and the list that every successful run was added to.
//!
//! It reads past IAM, from the stores themselves. Whether it is good is [`super::checks`]'s.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use weir_protocol::{JobRecord, JobState};

use super::deployment::Deployment;
use super::stage::Stage;
use crate::stores::client_config;

/// Clients and names.
#[derive(Debug)]
pub(super) struct Books {
    dynamodb: aws_sdk_dynamodb::Client,
    tables: Vec<String>,
    stage_cloud: crate::wire::SharedCloud,
    runs: PathBuf,
}

/// All that was found.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Job records by id.
    pub(super) records: BTreeMap<String, JobRecord>,
    /// Successful runs of the handler by job id.
    pub(super) runs: BTreeMap<String, u32>,
    /// Messages in each queue, hidden ones included.
    pub(super) messages: BTreeMap<String, u64>,
}

impl Books {
    pub(super) async fn of(deployment: &Deployment, stage: &Stage, runs: PathBuf) -> Self {
        let config = client_config(stage.sandbox.dynamodb_url()).await;
        let named =
            |fleet: &super::deployment::Fleet| fleet.worker_env.get("WEIR_JOBS_TABLE").cloned();
        let mut tables: Vec<String> = deployment.fleets.iter().filter_map(named).collect();
        tables.sort();
        tables.dedup();
        Self {
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            tables,
            stage_cloud: stage.sandbox.cloud().clone(),
            runs,
        }
    }

    /// The tables of job records.
    pub(super) fn tables(&self) -> &[String] {
        &self.tables
    }

    /// Reads everything.
    pub(super) async fn tally(&self, deployment: &Deployment) -> anyhow::Result<Tally> {
        let mut tally = Tally::default();
        for table in &self.tables {
            let scan = self.dynamodb.scan().table_name(table).consistent_read(true);
            let items: Result<Vec<_>, _> = scan.into_paginator().items().send().collect().await;
            for item in items.with_context(|| format!("table {table} could not be read"))? {
                let record: JobRecord = serde_dynamo::from_item(item)?;
                tally.records.insert(record.job_id.clone(), record);
            }
        }
        let runs = match std::fs::read_to_string(&self.runs) {
            Ok(runs) => runs,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).context("the list of runs could not be read"),
        };
        for job in runs.lines() {
            *tally.runs.entry(job.to_owned()).or_default() += 1;
        }
        for queue in &deployment.queues {
            let counts = self
                .stage_cloud
                .with(|cloud, now| cloud.sqs.counts(now, &queue.name));
            if let Ok(counts) = counts {
                let all = counts.visible + counts.in_flight + counts.delayed;
                tally.messages.insert(queue.name.clone(), all);
            }
        }
        Ok(tally)
    }
}

impl Tally {
    /// Whether the job waits for another attempt.
    pub(super) fn waits(&self, job: &str) -> bool {
        let state = self.records.get(job).map(|record| record.state);
        state == Some(JobState::Waiting)
    }

    /// Whether the job has come to its end.
    pub(super) fn is_final(&self, job: &str) -> bool {
        let state = self.records.get(job).map(|record| record.state);
        matches!(state, Some(JobState::Succeeded | JobState::Failed))
    }
}
