//! The run itself: jobs trickle in, people ask, fleets come and go.
//!
//! It looks on and waits; whether what it saw is good is [`super::checks`]'s.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::Instant;

use super::Adopt;
use super::books::{self, Books};
use super::checks::Check;
use super::deployment;
use super::front_end::FrontEnd;
use super::operator::Operator;
use super::stage::Stage;
use super::watch::Watch;
use super::work::{Expected, Heals, Job};

/// How often it is looked what the fleets do.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often the books are read.
const TALLY_EVERY: Duration = Duration::from_secs(1);

/// A run that is under way.
pub(super) struct Day<'a> {
    pub(super) adopt: &'a Adopt,
    pub(super) stage: &'a Stage,
    pub(super) books: Books,
    pub(super) front_end: FrontEnd<'a>,
    pub(super) start: Instant,
}

/// What a run leaves behind.
pub(super) struct Passed {
    /// What the operator's commands said.
    pub(super) said: Vec<Check>,
    /// Messages in each queue when every job had come to rest.
    pub(super) messages: BTreeMap<String, u64>,
}

impl Day<'_> {
    /// Sends the jobs and looks on until every one has ended and every group is at its minimum, or
    /// until patience ends, which the checks will tell. Gives what the operator's commands said.
    pub(super) async fn pass(&self, watch: &mut Watch, exec: &str) -> anyhow::Result<Passed> {
        let deployment = &self.adopt.deployment;
        let sending = self.front_end.trickle();
        let operator = Operator {
            stage: self.stage,
            worker: &self.adopt.config.worker,
            controller: &self.adopt.config.controller,
            policies: self.adopt.policies_folder(),
            exec,
        };
        let asking = async {
            let mut said = Vec::new();
            for (fleet, job) in deployment.fleets.iter().zip(self.own_jobs()) {
                said.extend(operator.meanwhile(fleet, &job.id).await?);
            }
            anyhow::Ok(said)
        };
        let both = async { tokio::try_join!(sending, asking).map(|((), said)| said) };
        let mut said = Box::pin(self.until(watch, both)).await?;
        self.ended(watch, |tally| self.all_ended(tally)).await?;
        for table in self.books.tables() {
            let reading = self.front_end.read_results(table);
            Box::pin(self.until(watch, reading)).await?;
        }
        said.extend(self.until(watch, self.give_back(&operator)).await?);
        self.ended(watch, |tally| {
            self.all_ended(tally) && self.all_healed(tally)
        })
        .await?;
        // Else a fleet would wait for what is due in hours.
        let messages = self.books.tally(deployment).await?.messages;
        self.take_away_put_off();
        self.at_rest(watch).await;
        Ok(Passed { said, messages })
    }

    /// The messages of jobs that were put off go, once every job has come to rest.
    fn take_away_put_off(&self) {
        let jobs = self.adopt.jobs.iter();
        for job in jobs.filter(|job| job.expected == Expected::PutOff) {
            let purged = self
                .stage
                .sandbox
                .cloud()
                .with(|cloud, now| cloud.sqs.purge(now, &job.queue));
            if let Err(error) = purged {
                tracing::warn!(queue = job.queue, error.message, "what was put off stays");
            }
        }
    }

    /// What ailed the sick jobs is gone; their dead letters are sent back.
    async fn give_back(&self, operator: &Operator<'_>) -> anyhow::Result<Vec<Check>> {
        std::fs::write(self.adopt.healed(), "").context("the cure could not be written")?;
        let mut said = Vec::new();
        for fleet in &self.adopt.deployment.fleets {
            for queue in fleet.queue_names() {
                let sick = self.adopt.jobs.iter();
                let sick =
                    sick.filter(|job| job.queue == queue && job.heals == Heals::WhenSentBack);
                let sick: Vec<&str> = sick.map(|job| job.id.as_str()).collect();
                if !sick.is_empty() {
                    said.extend(operator.redrive(fleet, &queue, &sick).await?);
                }
            }
        }
        Ok(said)
    }

    /// Looks on while something is done, as long as patience lasts.
    #[expect(
        clippy::disallowed_methods,
        reason = "fleets are watched by the wall clock"
    )]
    async fn until<T>(
        &self,
        watch: &mut Watch,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(LOOK_EVERY) => self.look(watch),
            }
        }
    }

    /// Looks on until the books say so.
    #[expect(
        clippy::disallowed_methods,
        reason = "books are read by the wall clock"
    )]
    async fn ended(
        &self,
        watch: &mut Watch,
        holds: impl Fn(&books::Tally) -> bool,
    ) -> anyhow::Result<()> {
        while !self.is_late() {
            let tally = self
                .until(watch, self.books.tally(&self.adopt.deployment))
                .await?;
            if holds(&tally) {
                break;
            }
            self.until(watch, async {
                tokio::time::sleep(TALLY_EVERY).await;
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "fleets are watched by the wall clock"
    )]
    async fn at_rest(&self, watch: &mut Watch) {
        while !self.is_late() && !watch.at_rest(&self.adopt.deployment) {
            tokio::time::sleep(LOOK_EVERY).await;
            self.look(watch);
        }
    }

    fn look(&self, watch: &mut Watch) {
        watch.look(&self.adopt.deployment, self.stage.sandbox.cloud());
    }

    /// Every job has come to its end, or waits for hours as it asked.
    fn all_ended(&self, tally: &books::Tally) -> bool {
        let fleets = self.adopt.deployment.fleets.iter();
        let queues = fleets.flat_map(deployment::Fleet::queue_names);
        let waiting: u64 = queues.filter_map(|queue| tally.messages.get(&queue)).sum();
        let put_off = |job: &&Job| job.expected == Expected::PutOff;
        let expected = self.adopt.jobs.iter().filter(put_off).count() as u64;
        let rests = |job: &Job| match job.expected {
            Expected::PutOff => tally.waits(&job.id),
            Expected::Done | Expected::GivenUp => tally.is_final(&job.id),
        };
        waiting == expected && self.adopt.jobs.iter().all(rests)
    }

    fn all_healed(&self, tally: &books::Tally) -> bool {
        let sick = self.adopt.jobs.iter();
        let mut sick = sick.filter(|job| job.heals == Heals::WhenSentBack);
        sick.all(|job| tally.runs.contains_key(&job.id))
    }

    fn is_late(&self) -> bool {
        self.start.elapsed() > self.adopt.config.patience
    }

    /// The jobs that the operator submits: one a fleet.
    pub(super) fn own_jobs(&self) -> Vec<Job> {
        let job = |fleet: &deployment::Fleet| Job {
            id: format!("operators-{}", fleet.name),
            queue: fleet.queue_names().into_iter().next().unwrap_or_default(),
            body: "plain".into(),
            expected: Expected::Done,
            heals: Heals::Never,
        };
        self.adopt.deployment.fleets.iter().map(job).collect()
    }
}
