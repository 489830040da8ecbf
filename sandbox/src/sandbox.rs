//! The sandbox: stores, cloud, front door and instances put together, and taken apart again.
//!
//! This module owns what is started and in which order it ends. Whatever way the sandbox goes,
//! nothing of it stays: [`Sandbox::shutdown`] ends all in order, dropping it ends all at once, and
//! a guard outside ends what a killed sandbox leaves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cloud::{ACCOUNT, Cloud, CloudConfig, Event, autoscaling, ecs};
use crate::faults::gate::{self, Behind};
use crate::faults::{FaultPlan, Faults};
use crate::fleet::{FleetCounts, FleetError, FleetSpec, HOOK, Lifetime, Provisioning, provision};
use crate::instances::guard::Guard;
use crate::instances::{
    Belonging, Died, InstanceProgram, InstanceSettings, Instances, KillError, NewInstance,
};
use crate::stores::{ACCESS_KEY, REGION, StoreError, Stores};
use crate::wire::{self, SharedCloud};

/// The jobs table's name.
pub const JOBS_TABLE: &str = "weir-jobs";
/// The state table's name.
pub const STATE_TABLE: &str = "weir-state";

/// What the sandbox is to hold.
#[derive(Clone, Debug, Default)]
pub struct SandboxConfig {
    /// Policy files; each one's queues and group are made.
    pub policies: Vec<PathBuf>,
    /// How the cloud behaves.
    pub cloud: CloudConfig,
    /// What Terraform's variables say on AWS.
    pub provisioning: Provisioning,
    /// What runs on each instance; without one instances run nothing.
    pub program: Option<InstanceProgram>,
    /// Each read and write of an object takes this long.
    pub s3_latency: Duration,
    /// Buckets to make.
    pub buckets: Vec<String>,
    /// Whether Weir's two tables are made.
    pub weir_tables: WeirTables,
    /// Tables to make beside Weir's two, and their partition keys.
    pub tables: BTreeMap<String, String>,
    /// What goes wrong for the programs that are given [`Sandbox::env`]; `None`: nothing does.
    pub faults: Option<FaultPlan>,
    /// Where instances' logs go; else to the sandbox's own folder, which ends with it.
    pub logs: Option<PathBuf>,
}

/// Weir's two tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeirTables {
    /// Made, by the names that the programs know without being told.
    #[default]
    Made,
    /// Whoever starts the sandbox makes them.
    Absent,
}

/// A worker's environment by its group or service.
type WorkerEnvs = Arc<Mutex<BTreeMap<String, BTreeMap<String, String>>>>;

/// Why a sandbox did not start. What had been started already has been ended.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A folder, a port or the guard was not to be had.
    #[error("the sandbox's {what} could not be had")]
    System {
        /// What.
        what: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A policy could not be provisioned.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// A store did not open.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A running sandbox.
#[derive(Debug)]
pub struct Sandbox {
    fleets: Vec<FleetSpec>,
    url: String,
    env: BTreeMap<String, String>,
    faults: Option<Faults>,
    logs: PathBuf,
    cloud: SharedCloud,
    stop: CancellationToken,
    tasks: TaskTracker,
    instances: Instances,
    workers: WorkerEnvs,
    belonging: Belonging,
    stores: Stores,
    guard: Guard,
    _folder: TempDir,
}

impl Sandbox {
    /// Starts everything: when this returns, all endpoints answer.
    pub async fn start(config: SandboxConfig) -> Result<Self, SandboxError> {
        let fleets = config.policies.iter().map(|policy| FleetSpec::read(policy));
        let fleets = fleets.collect::<Result<Vec<_>, _>>()?;
        let cloud = made_cloud(&config, &fleets)?;

        let folder = tempfile::Builder::new().prefix("weir-sandbox-").tempdir();
        let folder = folder.map_err(system("folder"))?;
        let belonging = Belonging::new(token());
        let guard = Guard::start(&belonging, folder.path()).map_err(system("guard"))?;
        let logs = config
            .logs
            .clone()
            .unwrap_or_else(|| folder.path().join("logs"));
        let objects = folder.path().join("objects");
        for made in [&logs, &objects] {
            std::fs::create_dir_all(made).map_err(system("folder"))?;
        }
        // The programs must not meet the person's own AWS profile.
        let no_profile = folder.path().join("no-aws-profile");
        std::fs::write(&no_profile, "").map_err(system("folder"))?;

        let stores = made_stores(&config, &objects).await?;
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .map_err(system("port"))?;
        let url = format!("http://{}", listener.local_addr().map_err(system("port"))?);
        let stop = CancellationToken::new();
        let faults = config.faults.clone().map(Faults::new);
        let mut doors = Doors {
            front: url.clone(),
            dynamodb: stores.dynamodb_url.clone(),
            s3: stores.s3_url.clone(),
        };
        if let Some(faults) = &faults {
            doors = doors.gated(faults, &cloud, &stop).await?;
        }
        let env = env(&doors, &no_profile);
        let (instances, deaths) = Instances::new(InstanceSettings {
            program: config.program,
            env: env.clone(),
            faults: faults.clone(),
            logs: logs.clone(),
            belonging: belonging.clone(),
        });
        let workers = fleets.iter().map(worker_env).collect();
        let sandbox = Self {
            workers: Arc::new(Mutex::new(workers)),
            fleets,
            url,
            env,
            faults,
            logs,
            cloud,
            stop,
            tasks: TaskTracker::new(),
            instances,
            belonging,
            stores,
            guard,
            _folder: folder,
        };
        sandbox.spawn(listener, deaths);
        Ok(sandbox)
    }

    fn spawn(&self, listener: TcpListener, deaths: mpsc::UnboundedReceiver<Died>) {
        let stopped = self.stop.clone().cancelled_owned();
        let serving = wire::serve(listener, self.cloud.clone(), stopped);
        self.tasks.spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the cloud stopped serving");
            }
        });
        let (sender, events) = mpsc::unbounded_channel();
        self.tasks.spawn(wire::drive(self.cloud.clone(), sender));
        let stage = Stage {
            cloud: self.cloud.clone(),
            door: self.url.clone(),
            instances: self.instances.clone(),
            workers: Arc::clone(&self.workers),
        };
        self.tasks
            .spawn(stage.play(events, deaths, self.stop.clone()));
    }

    /// Ends everything, in order, and waits until it is gone.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        self.cloud.with(|_, _| ());
        self.instances.shutdown().await;
        self.tasks.close();
        self.tasks.wait().await;
        self.stores.shutdown().await;
        self.belonging.kill_all();
        self.guard.dismiss().await;
    }

    /// What a program needs in its environment to meet this sandbox instead of AWS.
    pub fn env(&self) -> BTreeMap<String, String> {
        self.env.clone()
    }

    /// The same for a program that belongs to this sandbox: it carries the mark, and so is ended
    /// with it. Never for a shell of the user's, whose other programs would be ended too.
    pub fn own_env(&self) -> BTreeMap<String, String> {
        let mark = self.belonging.env().into_iter();
        let mark = mark.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.env.clone().into_iter().chain(mark).collect()
    }

    /// The mark of what this sandbox starts.
    pub fn belonging(&self) -> &Belonging {
        &self.belonging
    }

    /// What a worker of this fleet needs besides, as flags in the environment.
    pub fn worker_env(&self, fleet: &FleetSpec) -> BTreeMap<String, String> {
        worker_env(fleet).1
    }

    /// Every instance that the group launches from now on finds this in its environment, beside
    /// what all do.
    pub fn set_worker_env(&self, group: &str, env: BTreeMap<String, String>) {
        lock(&self.workers).insert(group.to_owned(), env);
    }

    /// The faults that were planned, to count them, to add outages, to end them.
    pub fn faults(&self) -> Option<&Faults> {
        self.faults.as_ref()
    }

    /// DynamoDB and S3 themselves.
    pub fn stores(&self) -> &Stores {
        &self.stores
    }

    /// The fleets, in the order of the policy files.
    pub fn fleets(&self) -> &[FleetSpec] {
        &self.fleets
    }

    /// The front door, with no fault before it, of SQS, Auto Scaling, EC2 and CloudWatch.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// DynamoDB's endpoint, with no fault before it.
    pub fn dynamodb_url(&self) -> &str {
        &self.stores.dynamodb_url
    }

    /// S3's endpoint, with no fault before it.
    pub fn s3_url(&self) -> &str {
        &self.stores.s3_url
    }

    /// A queue's URL.
    pub fn queue_url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.url)
    }

    /// The folder of the instances' logs.
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// The cloud behind the front door, and the count of its calls.
    pub fn cloud(&self) -> &SharedCloud {
        &self.cloud
    }

    /// The instances whose program runs.
    pub fn running(&self) -> Vec<String> {
        self.instances.running()
    }

    /// Sends an instance's program a signal, as a crash or a stray `kill` would.
    pub fn kill_instance(&self, id: &str, signal: Signal) -> Result<(), KillError> {
        self.instances.kill(id, signal)
    }

    /// The instances of all groups and the tasks of all services, by what they are doing.
    pub fn fleet(&self) -> FleetCounts {
        self.cloud.with(|cloud, now| {
            cloud.advance(now);
            let mut fleet = FleetCounts::default();
            for group in cloud.autoscaling.groups() {
                fleet.desired += group.size.desired;
                for member in group.members() {
                    if member.is_in_service() {
                        fleet.in_service += 1;
                    } else if member.is_leaving() {
                        fleet.terminating += 1;
                    } else {
                        fleet.pending += 1;
                    }
                }
            }
            for service in cloud.ecs.services() {
                let running = service.wanted().filter(|task| task.is_running()).count();
                fleet.desired += service.desired;
                fleet.in_service += running;
                fleet.pending += service.wanted().count() - running;
            }
            fleet
        })
    }

    /// The lives of all instances there were within the last hour, and the present moment, in
    /// Unix seconds.
    pub fn lifetimes(&self) -> (Vec<Lifetime>, f64) {
        self.cloud.with(|cloud, now| {
            let instances = cloud.ec2.describe(&[], &[]).unwrap_or_default();
            let lives = instances.iter().map(|instance| Lifetime {
                from: instance.launched_at.as_secs_f64(),
                to: instance.ended_at.map(crate::cloud::Time::as_secs_f64),
            });
            (lives.collect(), now.as_secs_f64())
        })
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.cancel();
        self.belonging.kill_all();
    }
}

/// Carries the cloud's events to the instances, and the instances' deaths to the cloud.
#[derive(Debug)]
struct Stage {
    cloud: SharedCloud,
    door: String,
    instances: Instances,
    workers: WorkerEnvs,
}

impl Stage {
    async fn play(
        self,
        mut events: mpsc::UnboundedReceiver<Event>,
        mut deaths: mpsc::UnboundedReceiver<Died>,
        stop: CancellationToken,
    ) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(event) = events.recv() => self.event(event),
                Some(died) = deaths.recv() => {
                    self.cloud.with(|cloud, now| cloud.instance_failed(now, &died.id));
                }
                else => return,
            }
        }
    }

    fn event(&self, event: Event) {
        match event {
            Event::Instance(instance) => self.instance_event(instance),
            Event::Task(ecs::Event::Started { service, task }) => {
                let own = wire::container_env(&self.door, &task.id);
                let own = own.map(|(name, value)| (name.to_owned(), value));
                let mut env = lock(&self.workers)
                    .get(&service)
                    .cloned()
                    .unwrap_or_default();
                env.extend(own);
                self.instances.launch(NewInstance {
                    id: task.id,
                    zone: task.zone,
                    env,
                });
            }
            Event::Task(ecs::Event::Stopped { task }) => self.instances.end(&task),
        }
    }

    fn instance_event(&self, event: autoscaling::Event) {
        use autoscaling::Event;
        match event {
            Event::Launched { group, instance } => {
                self.instances.launch(NewInstance {
                    id: instance.id.clone(),
                    zone: instance.zone,
                    env: lock(&self.workers).get(&group).cloned().unwrap_or_default(),
                });
            }
            Event::LifecycleStateChanged {
                instance,
                target_state,
            } => {
                let state = target_state.name();
                self.instances.show_target_lifecycle_state(&instance, state);
            }
            Event::Ended { instance } => self.instances.end(&instance),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .expect("invariant: nothing panics while it holds the workers' environments")
}

fn made_cloud(config: &SandboxConfig, fleets: &[FleetSpec]) -> Result<SharedCloud, FleetError> {
    let cloud = SharedCloud::new(Cloud::new(&config.cloud));
    for fleet in fleets {
        cloud.with(|cloud, now| provision(cloud, now, fleet, &config.provisioning))?;
    }
    Ok(cloud)
}

async fn made_stores(config: &SandboxConfig, objects: &Path) -> Result<Stores, StoreError> {
    let stores = Stores::open(objects, config.s3_latency).await?;
    if config.weir_tables == WeirTables::Made {
        stores.make_tables(JOBS_TABLE, STATE_TABLE).await?;
    }
    for (table, key) in &config.tables {
        stores.make_table(table, &[key]).await?;
    }
    for bucket in &config.buckets {
        stores.make_bucket(bucket).await?;
    }
    Ok(stores)
}

/// Where the programs find the services.
#[derive(Debug)]
struct Doors {
    front: String,
    dynamodb: String,
    s3: String,
}

impl Doors {
    /// The same with gates before them, at which calls suffer.
    async fn gated(
        self,
        faults: &Faults,
        cloud: &SharedCloud,
        stop: &CancellationToken,
    ) -> Result<Self, SandboxError> {
        let open = async |behind, url: &str| {
            let opened = gate::open(faults.clone(), behind, url, stop.clone()).await;
            opened.map_err(system("port"))
        };
        Ok(Self {
            front: open(Behind::FrontDoor(cloud.clone()), &self.front).await?,
            dynamodb: open(Behind::DynamoDb, &self.dynamodb).await?,
            s3: open(Behind::S3, &self.s3).await?,
        })
    }
}

fn env(doors: &Doors, no_profile: &Path) -> BTreeMap<String, String> {
    let no_profile = no_profile.display().to_string();
    let settings = [
        ("AWS_ENDPOINT_URL", doors.front.as_str()),
        ("AWS_ENDPOINT_URL_DYNAMODB", &doors.dynamodb),
        ("AWS_ENDPOINT_URL_S3", &doors.s3),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", ACCESS_KEY),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", &no_profile),
        ("AWS_SHARED_CREDENTIALS_FILE", &no_profile),
        ("NO_PROXY", "127.0.0.1"),
    ];
    settings
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// A fleet's group or service, and what tells a worker which fleet it serves: on EC2 user data sets it.
fn worker_env(fleet: &FleetSpec) -> (String, BTreeMap<String, String>) {
    let scaler = fleet.fleet.scaler();
    let kind = match fleet.fleet.auto_scaling_group {
        Some(_) => "WEIR_AUTO_SCALING_GROUP",
        None => "WEIR_ECS_SERVICE",
    };
    let slots = fleet.worker.slots.to_string();
    let settings = [
        ("WEIR_QUEUE", fleet.queue()),
        ("WEIR_FLEET", &fleet.name),
        (kind, scaler),
        ("WEIR_LIFECYCLE_HOOK", HOOK),
        ("WEIR_JOBS_TABLE", JOBS_TABLE),
        ("WEIR_STATE_TABLE", STATE_TABLE),
        ("WEIR_SLOTS", &slots),
    ];
    let env = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    (scaler.to_owned(), env.into())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the mark of a sandbox must be like no other's, whatever its seed"
)]
fn token() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn system(what: &'static str) -> impl Fn(std::io::Error) -> SandboxError {
    move |source| SandboxError::System { what, source }
}
