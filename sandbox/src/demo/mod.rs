//! The demo: a day of thumbnails in minutes, with the very programs that production runs.
//!
//! This module puts the parts together and says whether all went well. What it judges by is read
//! back from the queues, tables and bucket, never from what it meant to do.

pub mod arrivals;
pub mod front_end;
pub mod live;
pub mod photos;
pub mod rounds;
pub mod summary;
pub mod tally;
pub mod trace;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::arrivals::Shape;
use self::front_end::{FrontEnd, Request, SendError};
use self::live::{Live, Snapshot};
use self::photos::Photo;
use self::rounds::{Rounds, Schedule};
use self::summary::{Asked, Findings, Summary};
use self::tally::Books;
use self::trace::Trace;
use crate::cloud::CloudConfig;
use crate::fleet::Provisioning;
use crate::instances::InstanceProgram;
use crate::sandbox::{JOBS_TABLE, Sandbox, SandboxConfig};
use crate::stores::client_config;

const POLICY: &str = include_str!("policy.yaml");
const BUCKET: &str = "weir-demo";
const LEDGER_TABLE: &str = "weir-demo-commits";
/// As `policy.yaml` has it.
const BOOT: Duration = Duration::from_secs(6);
/// The controller's schedule.
const ROUND_EVERY: Duration = Duration::from_secs(3);
/// A bucket far away: a job reads and writes once, so it takes most of the second that the policy
/// guesses, and the processor has little of it: one machine can play eight.
const S3_LATENCY: Duration = Duration::from_millis(300);
/// After the last message the fleet has this long to finish and to go.
const AFTERMATH: Duration = Duration::from_secs(110);
/// The view is drawn, and the end is looked for, this often.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The programs that the demo runs.
#[derive(Clone, Debug)]
pub struct Programs {
    /// `weir`.
    pub controller: PathBuf,
    /// The worker that makes thumbnails.
    pub worker: PathBuf,
}

/// What to play.
#[derive(Clone, Debug)]
pub struct DemoConfig {
    /// The programs.
    pub programs: Programs,
    /// A trace that arrivals follow, and its name; else the seed makes a day.
    pub trace: Option<(Trace, String)>,
    /// Everything made by chance comes from it.
    pub seed: u64,
    /// The day is compressed into this many seconds.
    pub seconds: f64,
    /// Messages in the day.
    pub messages: u32,
    /// Where policy and logs are written.
    pub folder: PathBuf,
}

/// A demo, ready to be run.
#[derive(Debug)]
pub struct Demo {
    config: DemoConfig,
    about: String,
    photos: Vec<Photo>,
    requests: Vec<Request>,
}

impl Programs {
    /// Found beside this very program, where cargo puts them.
    pub fn beside_this_one() -> anyhow::Result<Self> {
        let this = std::env::current_exe().context("this program's place is not known")?;
        let folder = this.parent().unwrap_or(Path::new("."));
        let found = |name: &str, how: &str| {
            let path = folder.join(name);
            anyhow::ensure!(
                path.is_file(),
                "{} is not there: build it first, with `cargo build {how}`, or run `make demo`",
                path.display()
            );
            Ok(path)
        };
        Ok(Self {
            controller: found("weir", "-p weir-controller")?,
            worker: found("examples/thumbnails", "-p weir-worker --example thumbnails")?,
        })
    }
}

impl Demo {
    /// Plans the day; nothing is started.
    pub fn new(config: DemoConfig) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
        let shape = match &config.trace {
            Some((trace, name)) => Shape::of_trace(trace.clone(), name),
            None => Shape::day_with_flash_crowd(&mut rng),
        };
        let photos = Photo::all(config.seed);
        let moments = shape.moments(config.messages, config.seconds, &mut rng);
        Self {
            requests: Request::all(&moments, &photos, &mut rng),
            about: shape.about,
            photos,
            config,
        }
    }

    /// Where the controller's and the instances' logs go.
    pub fn logs(&self) -> PathBuf {
        self.config.folder.join("logs")
    }

    /// Plays the day, on a sandbox that is gone afterwards, however it ends: also when `end`
    /// resolves first.
    pub async fn run(
        &self,
        end: impl Future<Output = std::io::Result<()>>,
    ) -> anyhow::Result<Summary> {
        tokio::pin!(end);
        let policy = self.prepare_folder()?;
        tell("Starting a small cloud on 127.0.0.1.")?;
        let sandbox = tokio::select! {
            started = Sandbox::start(self.sandbox(&policy)) => started?,
            asked = &mut end => return Err(interrupted(asked)),
        };
        let played = tokio::select! {
            played = self.play(&sandbox, policy) => played,
            asked = &mut end => Err(interrupted(asked)),
        };
        sandbox.shutdown().await;
        played
    }

    /// Makes the folder, writes the policy and removes the logs of the run before.
    fn prepare_folder(&self) -> anyhow::Result<PathBuf> {
        let logs = self.logs();
        let prepare = || {
            std::fs::create_dir_all(&logs)?;
            for entry in std::fs::read_dir(&logs)? {
                let path = entry?.path();
                if path.extension().is_some_and(|extension| extension == "log") {
                    std::fs::remove_file(path)?;
                }
            }
            let policy = self.config.folder.join("policy.yaml");
            std::fs::write(&policy, POLICY)?;
            Ok(policy)
        };
        prepare().map_err(|error: std::io::Error| {
            let folder = self.config.folder.display();
            anyhow::Error::new(error).context(format!("{folder} cannot be prepared"))
        })
    }

    fn sandbox(&self, policy: &Path) -> SandboxConfig {
        let env = [
            ("THUMBNAILS_BUCKET", BUCKET),
            ("THUMBNAILS_LEDGER_TABLE", LEDGER_TABLE),
            ("WEIR_VISIBILITY_TIMEOUT", "30s"),
            // A drain waits for the open poll.
            ("WEIR_POLL_WAIT", "2s"),
        ];
        SandboxConfig {
            policies: vec![policy.to_owned()],
            cloud: CloudConfig {
                seed: self.config.seed,
                boot: BOOT,
                ..CloudConfig::default()
            },
            provisioning: Provisioning {
                visibility_timeout: Duration::from_secs(30),
                ..Provisioning::default()
            },
            program: Some(InstanceProgram {
                program: self.config.programs.worker.clone(),
                args: Vec::new(),
                env: env.map(|(name, value)| (name.into(), value.into())).into(),
            }),
            s3_latency: S3_LATENCY,
            buckets: vec![BUCKET.into()],
            tables: [(LEDGER_TABLE.into(), "commit_id".into())].into(),
            logs: Some(self.logs()),
            ..SandboxConfig::default()
        }
    }

    async fn play(&self, sandbox: &Sandbox, policy: PathBuf) -> anyhow::Result<Summary> {
        let start = now();
        self.upload_photos(sandbox).await?;
        tell(&format!(
            "{} photographs painted and stored in {:.1} s; the day begins: {} messages, {}.\n",
            self.photos.len(),
            start.elapsed().as_secs_f64(),
            self.requests.len(),
            self.about
        ))?;
        let stop_rounds = CancellationToken::new();
        let (sender, rounds) = watch::channel(Rounds::default());
        let schedule = Schedule {
            controller: self.config.programs.controller.clone(),
            policy,
            env: sandbox.own_env(),
            log: self.logs().join("controller.log"),
            every: ROUND_EVERY,
        };
        let scheduled = tokio::spawn(schedule.run(stop_rounds.clone(), sender));
        let _stop = stop_rounds.clone().drop_guard();

        let books = books(sandbox).await;
        let accepted = Arc::new(AtomicU32::new(0));
        let front_end = FrontEnd::new(books.sqs.clone(), books.queue_url.clone());
        let day = Day {
            start: now(),
            demo: self,
            sandbox,
            books: &books,
            accepted: &accepted,
            rounds: &rounds,
        };
        // The view's loop ends by itself once the fleet is gone; a failed send ends it early.
        let sending = async { front_end.send(&self.requests, &accepted).await };
        day.watch(sending).await?;
        let seconds_in_all = day.start.elapsed().as_secs_f64();
        stop_rounds.cancel();
        scheduled
            .await
            .context("the schedule of rounds broke off")?;
        let rounds = rounds.borrow().clone();
        self.summarize(sandbox, &books, &rounds, seconds_in_all)
            .await
    }

    async fn upload_photos(&self, sandbox: &Sandbox) -> anyhow::Result<()> {
        let s3 = aws_sdk_s3::Client::new(&client_config(sandbox.s3_url()).await);
        let mut uploads = JoinSet::new();
        for photo in self.photos.clone() {
            let s3 = s3.clone();
            uploads.spawn(async move {
                let key = photo.key.clone();
                let rendered = tokio::task::spawn_blocking(move || photo.render()).await?;
                let bytes = rendered.with_context(|| format!("{key} could not be painted"))?;
                let put = s3.put_object().bucket(BUCKET).key(&key).body(bytes.into());
                put.send()
                    .await
                    .with_context(|| format!("{key} could not be stored"))?;
                anyhow::Ok(())
            });
        }
        while let Some(uploaded) = uploads.join_next().await {
            uploaded??;
        }
        Ok(())
    }

    async fn summarize(
        &self,
        sandbox: &Sandbox,
        books: &Books,
        rounds: &Rounds,
        seconds_in_all: f64,
    ) -> anyhow::Result<Summary> {
        let tally = books.tally().await?;
        let submitted: BTreeSet<String> = self
            .requests
            .iter()
            .map(|request| request.job_id.clone())
            .collect();
        let asked = Asked {
            seed: self.config.seed,
            trace: self.config.trace.as_ref().map(|(_, name)| name.clone()),
            arrivals: self.about.clone(),
            seconds: self.config.seconds,
            rounds: (rounds.ended, rounds.failed),
        };
        let (lifetimes, now) = sandbox.lifetimes();
        let findings = Findings {
            submitted: &submitted,
            tally: &tally,
            lifetimes: &lifetimes,
            now,
            seconds_in_all,
        };
        Ok(Summary::new(&asked, &findings))
    }
}

/// A day that is being played.
struct Day<'a> {
    start: Instant,
    demo: &'a Demo,
    sandbox: &'a Sandbox,
    books: &'a Books,
    accepted: &'a AtomicU32,
    rounds: &'a watch::Receiver<Rounds>,
}

impl Day<'_> {
    /// Shows the day until every job has ended and every instance is gone, or until it has taken
    /// too long, which the summary will tell.
    #[expect(
        clippy::disallowed_methods,
        reason = "the view is drawn by the wall clock"
    )]
    async fn watch(
        &self,
        sending: impl Future<Output = Result<(), SendError>>,
    ) -> anyhow::Result<()> {
        let too_long = Duration::from_secs_f64(self.demo.config.seconds) + AFTERMATH;
        let mut live = Live::new();
        let mut sent = false;
        tokio::pin!(sending);
        while self.start.elapsed() < too_long {
            tokio::select! {
                result = &mut sending, if !sent => {
                    result?;
                    sent = true;
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let snapshot = self.look().await?;
            live.show(&snapshot)?;
            let all = snapshot.done == self.demo.requests.len() as u64;
            if sent && all && snapshot.fleet.is_empty() {
                break;
            }
        }
        Ok(())
    }

    async fn look(&self) -> anyhow::Result<Snapshot> {
        let (queue, done) = tokio::try_join!(self.books.queue(), self.books.final_jobs())?;
        Ok(Snapshot {
            elapsed: self.start.elapsed(),
            submitted: (
                self.accepted.load(Ordering::Relaxed),
                self.demo.requests.len(),
            ),
            queue,
            fleet: self.sandbox.fleet(),
            done,
            latest: self.rounds.borrow().latest.clone(),
        })
    }
}

async fn books(sandbox: &Sandbox) -> Books {
    let queues = &sandbox.fleets()[0].queues;
    Books {
        dynamodb: aws_sdk_dynamodb::Client::new(&client_config(sandbox.dynamodb_url()).await),
        sqs: aws_sdk_sqs::Client::new(&client_config(sandbox.url()).await),
        s3: aws_sdk_s3::Client::new(&client_config(sandbox.s3_url()).await),
        jobs_table: JOBS_TABLE.into(),
        ledger_table: LEDGER_TABLE.into(),
        queue_url: sandbox.queue_url(queues[0].name()),
        dead_letter_queue_url: sandbox.queue_url(&queues[0].dead_letters()),
        bucket: BUCKET.into(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the day begins on the wall clock"
)]
fn now() -> Instant {
    Instant::now()
}

/// A line for whoever watches.
fn tell(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{line}")
}

fn interrupted(asked: std::io::Result<()>) -> anyhow::Error {
    match asked {
        Ok(()) => anyhow::anyhow!("interrupted; everything that was started has been ended"),
        Err(error) => anyhow::Error::new(error).context("signals cannot be watched for"),
    }
}
