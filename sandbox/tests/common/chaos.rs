//! The stage of the chaos tests: a fleet of real workers under faults, and an audit that takes
//! nobody's word.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use nix::sys::signal::Signal;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use weir_protocol::{JobRecord, JobState};
use weir_sandbox::faults::{FaultPlan, Faults};
use weir_sandbox::fleet::Provisioning;
use weir_sandbox::history::Change;
use weir_sandbox::instances::InstanceProgram;
use weir_sandbox::sandbox::{JOBS_TABLE, SandboxConfig};
use weir_sandbox::stores::client_config;

use weir_worker::payload::{Pointer, SIZE_ATTRIBUTE};

use super::{BUCKET, Ground, QUEUE, program};

/// Where completions leave their marks.
pub const MARKS: &str = "chaos-marks";

/// Short, so that a worker that stands still becomes a zombie soon.
pub const VISIBILITY: Duration = Duration::from_secs(3);

/// Long enough for another worker to have taken over: the lease, the clocks' tolerance of two
/// seconds, and a second more.
pub const STANDSTILL: Duration = Duration::from_secs(6);

const POLICY: &str = "
version: 1
name: e2e
queues:
  - name: e2e
fleet: { auto_scaling_group: e2e-workers, min: 0, max: 4 }
objective: { start_within: 4s, percentile: 95 }
worker: { slots: 12, service_time: 1s, boot_time: 1s }
";

/// A fleet of chaos workers under faults.
pub struct Storm {
    pub ground: Ground,
    pub faults: Faults,
    began: Instant,
    /// Every job whose message SQS has accepted, and whether it is to end as poison.
    accepted: Mutex<BTreeMap<String, bool>>,
    signals: Mutex<BTreeMap<&'static str, u64>>,
}

/// What is done to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// SIGKILL.
    Kill,
    /// SIGSTOP, and SIGCONT when its leases are another's.
    StandStill,
    /// SIGTERM, and SIGTERM again.
    TermTwice,
}

impl Storm {
    /// Chaos workers under this plan's faults.
    pub async fn start(plan: FaultPlan) -> Self {
        let own = [("CHAOS_BUCKET", BUCKET), ("CHAOS_MARKS_TABLE", MARKS)];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let worker = InstanceProgram {
            program: program("examples/chaos_worker"),
            args: Vec::new(),
            env: own.into(),
        };
        Self::start_with(worker, plan).await
    }

    /// The same with another worker.
    pub async fn start_with(mut worker: InstanceProgram, plan: FaultPlan) -> Self {
        let settings = [
            ("WEIR_VISIBILITY_TIMEOUT", "3s"),
            ("WEIR_POLL_WAIT", "1s"),
            ("WEIR_MAX_ATTEMPTS", "200"),
            ("WEIR_RETRY_BASE", "200ms"),
            ("WEIR_RETRY_MAX", "2s"),
            ("WEIR_DRAIN_TIMEOUT", "20s"),
            ("WEIR_PAYLOAD_BUCKET", BUCKET),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        worker.env.extend(settings);
        let config = SandboxConfig {
            provisioning: Provisioning {
                visibility_timeout: VISIBILITY,
                // SQS must not give up before the worker does: it would give no reason.
                max_receive_count: 1000,
                ..Provisioning::default()
            },
            program: Some(worker),
            tables: [(MARKS.to_owned(), "job_id".to_owned())].into(),
            faults: Some(plan),
            ..SandboxConfig::default()
        };
        let ground = Box::pin(Ground::start_with(POLICY, config)).await;
        let history = ground.sandbox.stores().keep_history(JOBS_TABLE);
        history.await.unwrap();
        Self {
            faults: ground.sandbox.faults().unwrap().clone(),
            ground,
            began: Instant::now(),
            accepted: Mutex::default(),
            signals: Mutex::default(),
        }
    }

    /// Sends jobs of every kind through the faults, each until SQS has accepted it.
    pub async fn send(&self, prefix: &str, count: usize, rng: &mut ChaCha8Rng) {
        let jobs: Vec<_> = (0..count)
            .map(|nth| order(format!("{prefix}-{nth:04}"), rng))
            .collect();
        self.send_jobs(&jobs).await;
    }

    /// Sends one job that takes so long and is done then.
    pub async fn send_one(&self, id: &str, millis: u64) {
        let body = json!({"millis": millis, "then": "done", "mark": true});
        let job = Job {
            id: id.to_owned(),
            body: body.to_string(),
            poison: false,
            offloaded: false,
        };
        self.send_jobs(&[job]).await;
    }

    async fn send_jobs(&self, jobs: &[Job]) {
        let door = &self.ground.sandbox.env()["AWS_ENDPOINT_URL"];
        let client = aws_sdk_sqs::Client::new(&client_config(door).await);
        for job in jobs.iter().filter(|job| job.offloaded) {
            let put = self.ground.books.s3.put_object().bucket(BUCKET);
            let put = put.key(pointer(&job.id).key);
            let put = put.body(job.body.clone().into_bytes().into());
            put.send().await.unwrap();
        }
        for batch in jobs.chunks(10) {
            let mut left: Vec<&Job> = batch.iter().collect();
            while !left.is_empty() {
                let entries = left.iter().map(|job| job.entry()).collect();
                let call = client.send_message_batch().set_entries(Some(entries));
                let url = client.get_queue_url().queue_name(QUEUE).send().await;
                let Ok(url) = url else { continue };
                let call = call.set_queue_url(url.queue_url).send().await;
                // A lost answer leaves the messages sent: sending them again makes duplicates.
                let Ok(answer) = call else { continue };
                let done: BTreeSet<String> = answer
                    .successful
                    .into_iter()
                    .map(|entry| entry.id)
                    .collect();
                let mut accepted = self.accepted.lock().unwrap();
                for job in &left {
                    if done.contains(&job.id) {
                        accepted.insert(job.id.clone(), job.poison);
                    }
                }
                drop(accepted);
                left.retain(|job| !done.contains(&job.id));
            }
        }
    }

    /// Does something to one of the workers that run: to one that works, if any does.
    pub async fn strike(&self, deed: Deed, rng: &mut ChaCha8Rng) {
        let running = self.ground.sandbox.running();
        let works = self.ground.in_state(JobState::Running).await;
        let works = works.into_iter().filter_map(|record| record.worker);
        let works: BTreeSet<String> = works.filter(|worker| running.contains(worker)).collect();
        let works: Vec<String> = works.into_iter().collect();
        let victims = if works.is_empty() { running } else { works };
        if !victims.is_empty() {
            self.strike_at(&victims[rng.random_range(0..victims.len())], deed);
        }
    }

    /// Does something to this worker.
    pub fn strike_at(&self, victim: &str, deed: Deed) {
        let send = |signal| self.ground.sandbox.kill_instance(victim, signal).is_ok();
        let (name, struck) = match deed {
            Deed::Kill => ("SIGKILL", send(Signal::SIGKILL)),
            Deed::StandStill => ("SIGSTOP, SIGCONT", send(Signal::SIGSTOP)),
            Deed::TermTwice => (
                "SIGTERM twice",
                send(Signal::SIGTERM) && send(Signal::SIGTERM),
            ),
        };
        if struck {
            *self.signals.lock().unwrap().entry(name).or_default() += 1;
        }
    }

    /// Lets a worker that stands still go on.
    pub fn go_on(&self) {
        for id in self.ground.sandbox.running() {
            // Those that never stood still are not moved by it.
            let _ = self.ground.sandbox.kill_instance(&id, Signal::SIGCONT);
        }
    }

    /// Whether every accepted job has ended and the queue is empty.
    pub async fn is_settled(&self) -> bool {
        let queue = self.ground.books.queue().await.unwrap();
        if queue.total() > 0 {
            return false;
        }
        let records = self.ground.records().await;
        let accepted = self.accepted.lock().unwrap();
        accepted
            .keys()
            .all(|id| records.get(id).is_some_and(|one| one.state.is_final()))
    }

    /// Waits until an attempt of the job runs under another token than this, and gives its record.
    pub async fn runs(&self, id: &str, but: &str) -> JobRecord {
        let mut found = None;
        self.ground
            .until("an attempt runs", Duration::from_mins(1), async || {
                let record = self.ground.records().await.remove(id);
                found = record.filter(|record| {
                    let token = record.token.as_deref();
                    record.state == JobState::Running && token != Some(but)
                });
                found.is_some()
            })
            .await;
        found.unwrap()
    }

    /// Waits until so many workers run.
    pub async fn until_running(&self, count: usize) {
        let patience = Duration::from_secs(20);
        self.ground
            .until("workers run", patience, async || {
                self.ground.sandbox.running().len() == count
            })
            .await;
    }

    /// Waits until all is settled; else says how far it is, and fails.
    pub async fn until_settled(&self, patience: Duration) {
        let until = Instant::now() + patience;
        while !self.is_settled().await {
            if Instant::now() > until {
                let audit = self.audit().await;
                self.print("not settled in time", &audit);
                self.ground
                    .until("all is settled", Duration::ZERO, async || false)
                    .await;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// Looks at everything and says what became of it.
    pub async fn audit(&self) -> Audit {
        let history = self.ground.sandbox.stores().history(JOBS_TABLE).unwrap();
        let letters = self.dead_letters().await;
        let records = self.ground.records().await;
        let marks = self.marks().await;
        let accepted = self.accepted.lock().unwrap().clone();
        let totals = self
            .ground
            .sandbox
            .cloud()
            .with(|cloud, _| cloud.sqs.totals(QUEUE).unwrap());
        let mut audit = Audit {
            jobs: accepted.len(),
            sent: totals.sent,
            deliveries: totals.received,
            ..Audit::default()
        };
        for (id, is_poison) in &accepted {
            let succeeded = records
                .get(id)
                .is_some_and(|record| record.state == JobState::Succeeded);
            let buried = letters.get(id).is_some_and(|reason| !reason.is_empty());
            audit.succeeded += usize::from(succeeded);
            audit.buried += usize::from(buried);
            if succeeded == buried || buried != *is_poison {
                audit.lost.push(id.clone());
            }
        }
        audit.read_history(&history);
        for (id, (commits, token)) in &marks {
            let record = records.get(id).and_then(|record| record.token.clone());
            if *commits != 1 || record.as_ref() != Some(token) {
                audit.twice.push(format!("{id}: {commits} marks"));
            }
        }
        audit.marks = marks.len();
        audit.refused = self.logged("another attempt took the job over");
        audit.seconds = self.began.elapsed().as_secs_f64();
        audit
    }

    /// Prints what was done, past the test harness, which keeps passing tests' output to itself.
    pub fn print(&self, title: &str, audit: &Audit) {
        let mut text = format!("\n{title}\n");
        for ((service, fault), count) in self.faults.counts() {
            let _ = writeln!(text, "  {service:<9} {fault:<15} {count:>6}");
        }
        for (name, count) in self.signals.lock().unwrap().iter() {
            let _ = writeln!(text, "  {:<9} {name:<15} {count:>6}", "worker");
        }
        let _ = writeln!(text, "{audit}");
        let _ = std::io::stdout().write_all(text.as_bytes());
    }

    /// How often a worker logged this.
    pub fn logged(&self, words: &str) -> usize {
        let logs = std::fs::read_dir(self.ground.sandbox.logs()).unwrap();
        let texts = logs.map(|log| std::fs::read(log.unwrap().path()).unwrap_or_default());
        texts
            .map(|text| String::from_utf8_lossy(&text).matches(words).count())
            .sum()
    }

    /// The dead letters' reasons by job.
    async fn dead_letters(&self) -> BTreeMap<String, String> {
        let mut letters = BTreeMap::new();
        let books = &self.ground.books;
        loop {
            let call = books.sqs.receive_message();
            let call = call.queue_url(&books.dead_letter_queue_url);
            let call = call.max_number_of_messages(10).visibility_timeout(600);
            let found = call.message_attribute_names("All").send().await.unwrap();
            let found = found.messages.unwrap_or_default();
            if found.is_empty() {
                return letters;
            }
            for letter in found {
                let attributes = letter.message_attributes.unwrap_or_default();
                let text = |name: &str| {
                    let value = attributes.get(name).and_then(|value| value.string_value());
                    value.unwrap_or_default().to_owned()
                };
                letters.insert(text("JobId"), text("WeirReason"));
            }
        }
    }

    /// How often each job left its mark, and by which token the last time.
    async fn marks(&self) -> BTreeMap<String, (u32, String)> {
        let text = |value: &AttributeValue| {
            let text = value.as_s().or_else(|_| value.as_n());
            text.cloned().unwrap_or_default()
        };
        let items = self.ground.items(MARKS).await;
        items
            .iter()
            .map(|item| {
                let commits = text(&item["commits"]).parse().unwrap();
                (text(&item["job_id"]), (commits, text(&item["by_token"])))
            })
            .collect()
    }
}

struct Job {
    id: String,
    body: String,
    poison: bool,
    /// Its body lies in S3, as a front end puts it there that sends it too large for a message.
    offloaded: bool,
}

impl Job {
    fn entry(&self) -> SendMessageBatchRequestEntry {
        let id = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(&self.id)
            .build()
            .unwrap();
        let entry = SendMessageBatchRequestEntry::builder()
            .id(&self.id)
            .message_attributes("JobId", id);
        let entry = if self.offloaded {
            let bytes = MessageAttributeValue::builder()
                .data_type("Number")
                .string_value(self.body.len().to_string())
                .build()
                .unwrap();
            let entry = entry.message_attributes(SIZE_ATTRIBUTE, bytes);
            entry.message_body(pointer(&self.id).body())
        } else {
            entry.message_body(&self.body)
        };
        entry.build().unwrap()
    }
}

/// Where an offloaded body lies.
fn pointer(id: &str) -> Pointer {
    Pointer {
        bucket: BUCKET.into(),
        key: format!("bodies/{id}"),
    }
}

/// A job by chance: most are quick, one in ten outlasts its message's visibility.
fn order(id: String, rng: &mut ChaCha8Rng) -> Job {
    let millis = if rng.random_bool(0.1) {
        rng.random_range(3000..4500)
    } else {
        rng.random_range(10..250)
    };
    let then = match rng.random_range(0..100) {
        0..8 => "poison",
        8..18 => "second",
        _ => "done",
    };
    let body = json!({"millis": millis, "then": then, "store": rng.random_bool(0.2),
                      "mark": rng.random_bool(0.5)});
    Job {
        id,
        body: body.to_string(),
        poison: then == "poison",
        offloaded: rng.random_bool(0.15),
    }
}

/// What became of everything.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    pub jobs: usize,
    pub succeeded: usize,
    pub buried: usize,
    /// Jobs that are neither done nor, as they should be, in the dead-letter queue.
    pub lost: Vec<String>,
    /// What was committed more than once, or changed after it had ended.
    pub twice: Vec<String>,
    pub sent: u64,
    pub deliveries: u64,
    pub attempts: usize,
    pub commits: usize,
    pub marks: usize,
    /// Endings of attempts that had lost their lease, refused.
    pub refused: usize,
    pub seconds: f64,
}

impl Audit {
    /// Nothing is lost, and nothing committed twice.
    pub fn assert_good(&self) {
        assert!(self.lost.is_empty(), "lost: {:?}", self.lost);
        assert!(self.twice.is_empty(), "twice: {:?}", self.twice);
        assert_eq!(self.succeeded + self.buried, self.jobs);
        assert_eq!(self.commits, self.succeeded);
    }

    /// The records' history: claims, commits, and what must not have happened.
    fn read_history(&mut self, history: &[Change]) {
        let mut commits: BTreeMap<String, usize> = BTreeMap::new();
        for change in history {
            let (_, Some(id)) = change.of("job_id") else {
                self.twice.push(format!("a record vanished: {change:?}"));
                continue;
            };
            let (state_before, state) = change.of("state");
            let (token_before, token) = change.of("token");
            let is_final =
                |state: &Option<String>| matches!(state.as_deref(), Some("succeeded" | "failed"));
            if is_final(&state_before) {
                self.twice
                    .push(format!("{id}: changed after its end: {change:?}"));
            }
            if state.as_deref() == Some("running") && token != token_before {
                self.attempts += 1;
            }
            if state.as_deref() == Some("succeeded") {
                self.commits += 1;
                // The worker's result is the token it ran under.
                let (_, result) = change.of("result");
                if result != token {
                    self.twice.push(format!("{id}: a fenced worker's commit"));
                }
                *commits.entry(id).or_default() += 1;
            }
        }
        let twice = commits.into_iter().filter(|(_, count)| *count > 1);
        self.twice
            .extend(twice.map(|(id, count)| format!("{id}: {count} commits")));
    }
}

impl std::fmt::Display for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let again = self.deliveries.saturating_sub(self.jobs as u64);
        write!(
            f,
            "  jobs {} · succeeded {} · dead letters with a reason {} · LOST {} · \
             COMMITTED TWICE {}\n  messages sent {} · deliveries {} ({again} beyond the first) · \
             attempts {} · commits {} ({} of them marked) · endings refused {} · {:.0} s",
            self.jobs,
            self.succeeded,
            self.buried,
            self.lost.len(),
            self.twice.len(),
            self.sent,
            self.deliveries,
            self.attempts,
            self.commits,
            self.marks,
            self.refused,
            self.seconds
        )
    }
}
