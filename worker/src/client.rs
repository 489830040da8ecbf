//! The front end's half: jobs sent, and looked up by their ids.
//!
//! It must not run anything: what becomes of a job is the workers' doing.
//!
//! ```no_run
//! use std::time::Duration;
//! use weir_worker::client::{Client, ClientSettings, NewJob};
//!
//! # async fn example() -> anyhow::Result<()> {
//! let client = Client::connect(&ClientSettings {
//!     queue: Some("thumbnails".into()),
//!     ..ClientSettings::default()
//! })
//! .await?;
//! let id = client.submit(NewJob::new("photos/1.png")).await?;
//! let record = client.result(&id, Duration::from_secs(30)).await?;
//! # Ok(())
//! # }
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use weir_protocol::JobRecord;

use crate::aws::CallError;
use crate::builder::{StartError, aws_config, check_queue, unready};
use crate::chance;
use crate::clock::{Clock, pause};
use crate::jobs::{DynamoJobs, Jobs, JobsError};
use crate::letters;
use crate::payload::{self, LEGACY_SIZE_ATTRIBUTE, Payloads, Pointer, SIZE_ATTRIBUTE};
use crate::queue::{
    ATTRIBUTES_MAX, Attribute, DELAY_MAX, JOB_ID_ATTRIBUTE, MESSAGE_MAX_BYTES, Outgoing, Queue,
    is_job_id,
};
use crate::send::send_all;
use crate::sqs::Sqs;

/// How often a record is read while a result is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What the keys of payloads begin with, for a lifecycle rule to name.
pub const PAYLOAD_PREFIX: &str = "weir-payloads/";

/// Where jobs go and where their records are kept.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// The queue's name or URL; needed to submit.
    pub queue: Option<String>,
    /// The table of job records.
    pub jobs_table: String,
    /// The bucket for bodies that are too large for a message; without it they are refused.
    pub payload_bucket: Option<String>,
    /// Messages larger than this, in bytes with their attributes, go through the bucket.
    pub payload_limit: usize,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            queue: None,
            jobs_table: "weir-jobs".into(),
            payload_bucket: None,
            payload_limit: MESSAGE_MAX_BYTES,
        }
    }
}

/// Sends jobs and looks them up. Cloned freely.
#[derive(Clone)]
pub struct Client {
    queue: Option<Arc<dyn Queue>>,
    jobs: Arc<dyn Jobs>,
    offload: Option<Offload>,
    clock: Clock,
}

/// Where bodies go that are too large for a message.
#[derive(Clone)]
pub struct Offload {
    /// The store.
    pub payloads: Arc<dyn Payloads>,
    /// The bucket.
    pub bucket: String,
    /// The largest message that is sent as it is, bytes.
    pub limit: usize,
}

/// A job to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// Its id: what its record and its result are found under. Sent twice, it is done once.
    pub id: String,
    /// What is to be done.
    pub body: String,
    /// Message attributes, at most nine; `JobId` and a dead letter's names are the worker's own.
    pub attributes: BTreeMap<String, Attribute>,
    /// Not to be begun before this has passed, at most 15 minutes; not on a FIFO queue.
    pub delay: Duration,
    /// On a FIFO queue, which needs one, jobs of a group are done in order; on a standard queue it
    /// names the tenant, for fair shares.
    pub group: Option<String>,
    /// On a FIFO queue: of two jobs with the same one within five minutes, one is taken; otherwise
    /// the job's id.
    pub deduplication_id: Option<String>,
    /// The sender's X-Ray trace, for `AWSTraceHeader`.
    pub trace_header: Option<String>,
}

/// Why a job was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// No queue would take it.
    #[error("{what}")]
    Invalid {
        /// What is wrong, what is allowed.
        what: String,
    },
    /// It was tried, again and again where that may help. If the last answer was lost, it may have
    /// been sent after all; sent again under the same id, it is done once.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl NewJob {
    /// A job with a new id and nothing else.
    pub fn new(body: impl Into<String>) -> Self {
        Self::with_id(chance::token(), body)
    }

    /// A job with an id of the sender's: 1 to 256 visible ASCII characters.
    pub fn with_id(id: impl Into<String>, body: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            body: body.into(),
            attributes: BTreeMap::new(),
            delay: Duration::ZERO,
            group: None,
            deduplication_id: None,
            trace_header: None,
        }
    }

    /// Whether a queue may take it, as far as that can be said here; `fifo`: a FIFO queue.
    pub(crate) fn check(&self, fifo: bool) -> Result<(), SubmitError> {
        match self.problem(fifo) {
            Some(what) => Err(SubmitError::Invalid { what }),
            None => Ok(()),
        }
    }

    fn message(self, fifo: bool) -> Result<Outgoing, SubmitError> {
        self.check(fifo)?;
        let own_id = fifo.then(|| self.id.clone());
        let mut attributes = self.attributes;
        attributes.insert(JOB_ID_ATTRIBUTE.into(), Attribute::string(self.id));
        Ok(Outgoing {
            body: self.body,
            attributes,
            delay: self.delay,
            group: self.group,
            deduplication_id: self.deduplication_id.or(own_id),
            trace_header: self.trace_header,
        })
    }

    fn problem(&self, fifo: bool) -> Option<String> {
        let reserved = |name: &&String| is_reserved(name);
        if !is_job_id(&self.id) {
            Some(format!(
                "job id {:?}: 1 to 256 visible ASCII characters are allowed",
                self.id
            ))
        } else if self.body.is_empty() {
            Some("the body is empty, which SQS does not take".into())
        } else if let Some(name) = self.attributes.keys().find(reserved) {
            Some(format!(
                "the attribute name {name} is the worker's own: choose another"
            ))
        } else if self.attributes.len() >= ATTRIBUTES_MAX {
            Some(format!(
                "{} attributes: {} are allowed beside {JOB_ID_ATTRIBUTE}",
                self.attributes.len(),
                ATTRIBUTES_MAX - 1
            ))
        } else if self.delay > DELAY_MAX {
            Some(format!(
                "delay {:?}: at most 15 minutes are allowed",
                self.delay
            ))
        } else if fifo && !self.delay.is_zero() {
            Some("a FIFO queue takes no delay of a single job".into())
        } else if fifo && self.group.is_none() {
            Some("a FIFO queue needs the job's group".into())
        } else if !fifo && self.deduplication_id.is_some() {
            Some("only a FIFO queue takes a deduplication id".into())
        } else {
            None
        }
    }
}

/// Whether an attribute's name means something to the worker.
fn is_reserved(name: &str) -> bool {
    letters::NAMES.contains(&name)
        || [JOB_ID_ATTRIBUTE, SIZE_ATTRIBUTE, LEGACY_SIZE_ATTRIBUTE].contains(&name)
}

impl Client {
    /// A client of AWS, with the SDK's configuration from the environment.
    pub async fn connect(settings: &ClientSettings) -> Result<Self, StartError> {
        if let Some(queue) = &settings.queue {
            check_queue(queue)?;
        }
        let config = aws_config().await?;
        let queue: Option<Arc<dyn Queue>> = match &settings.queue {
            Some(name) => {
                let found = Sqs::find(aws_sdk_sqs::Client::new(&config), name).await;
                let found = found.map_err(|error| unready(&error, "--queue (WEIR_QUEUE)"))?;
                Some(Arc::new(found))
            }
            None => None,
        };
        let dynamo = aws_sdk_dynamodb::Client::new(&config);
        Ok(Self {
            queue,
            jobs: Arc::new(DynamoJobs::new(dynamo, &settings.jobs_table)),
            offload: offload(&config, settings),
            clock: Clock::system(),
        })
    }

    /// A client of these ports.
    pub fn of(
        queue: Option<Arc<dyn Queue>>,
        jobs: Arc<dyn Jobs>,
        offload: Option<Offload>,
        clock: Clock,
    ) -> Self {
        Self {
            queue,
            jobs,
            offload,
            clock,
        }
    }

    /// Sends a job and gives its id.
    pub async fn submit(&self, job: NewJob) -> Result<String, SubmitError> {
        let mut answers = self.submit_all(vec![job]).await;
        answers.pop().expect("invariant: one job, one answer")
    }

    /// Sends jobs, ten and a mebibyte a call, and gives their ids; failed ones are tried again
    /// without the others. The answers are in the order asked.
    pub async fn submit_all(&self, jobs: Vec<NewJob>) -> Vec<Result<String, SubmitError>> {
        let Some(queue) = &self.queue else {
            let what = "the client has no queue to submit to".to_owned();
            let error = || SubmitError::Invalid { what: what.clone() };
            return jobs.iter().map(|_| Err(error())).collect();
        };
        let mut answers = Vec::new();
        let mut messages = Vec::new();
        for job in jobs {
            let id = job.id.clone();
            let made = match job.message(queue.is_fifo()) {
                Ok(message) => self.checked_in(message, queue.name()).await,
                Err(error) => Err(error),
            };
            answers.push(made.map(|message| {
                messages.push(message);
                id
            }));
        }
        let sent = send_all(&**queue, &messages).await;
        let mut sent = messages.iter().zip(sent);
        for answer in &mut answers {
            if answer.is_ok()
                && let Some((message, Err(error))) = sent.next()
            {
                self.forget_payload(message, &error).await;
                *answer = Err(error.into());
            }
        }
        answers
    }

    /// The message as it is, or with its body in the bucket.
    async fn checked_in(&self, message: Outgoing, queue: &str) -> Result<Outgoing, SubmitError> {
        let bytes = message.bytes();
        let invalid = |what: String| SubmitError::Invalid { what };
        let Some(offload) = &self.offload else {
            return if bytes > MESSAGE_MAX_BYTES {
                Err(invalid(format!(
                    "the message has {bytes} bytes, and SQS takes {MESSAGE_MAX_BYTES}: name a \
                     bucket for larger ones with --payload-bucket (WEIR_PAYLOAD_BUCKET)"
                )))
            } else {
                Ok(message)
            };
        };
        if bytes <= offload.limit {
            return Ok(message);
        }
        if message.attributes.len() >= ATTRIBUTES_MAX {
            return Err(invalid(format!(
                "{} attributes: a body that goes through S3 needs {SIZE_ATTRIBUTE} as well, so \
                 that {} are allowed beside {JOB_ID_ATTRIBUTE}",
                message.attributes.len() - 1,
                ATTRIBUTES_MAX - 2
            )));
        }
        let pointer = Pointer {
            bucket: offload.bucket.clone(),
            key: format!("{PAYLOAD_PREFIX}{queue}/{}", chance::token()),
        };
        let mut attributes = message.attributes;
        attributes.extend([Pointer::attribute(message.body.len())]);
        let payload = Bytes::from(message.body);
        offload.payloads.put(&pointer, payload).await?;
        Ok(Outgoing {
            body: pointer.body(),
            attributes,
            ..message
        })
    }

    /// A message that was refused points nowhere. One whose fate is unknown may have been sent.
    async fn forget_payload(&self, message: &Outgoing, error: &CallError) {
        let pointer = Pointer::of(&message.body, &message.attributes);
        if let (Some(offload), Ok(Some(pointer)), CallError::Refused { .. }) =
            (&self.offload, pointer, error)
            && let Err(error) = offload.payloads.remove(&pointer).await
        {
            tracing::warn!(%error, "a payload is left for the bucket's lifecycle rule");
        }
    }

    /// The job's record once it has ended, or as it stands after `wait`; `None`: there is none, as
    /// no worker has begun the job, or its record has expired.
    pub async fn result(&self, id: &str, wait: Duration) -> Result<Option<JobRecord>, JobsError> {
        let until = self.clock.instant() + wait;
        loop {
            let record = self.jobs.get(id).await?;
            let ended = record
                .as_ref()
                .is_some_and(|record| record.state.is_final());
            let left = until.saturating_duration_since(self.clock.instant());
            if ended || left.is_zero() {
                return Ok(record);
            }
            pause(LOOK_EVERY.min(left)).await;
        }
    }

    /// The job's record as it stands.
    pub async fn status(&self, id: &str) -> Result<Option<JobRecord>, JobsError> {
        self.jobs.get(id).await
    }
}

fn offload(config: &aws_config::SdkConfig, settings: &ClientSettings) -> Option<Offload> {
    let bucket = settings.payload_bucket.clone()?;
    Some(Offload {
        payloads: payload::on_aws(config)?,
        bucket,
        limit: settings.payload_limit,
    })
}
