//! A fleet's instances as real processes: each with a metadata endpoint and a log of its own.
//!
//! This module owns what runs on an instance from the moment it is up: start, run, die. It must
//! not know why one is launched or ended, nor how long it boots; that is the cloud's affair.

pub mod guard;
mod metadata;
mod process;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::faults::Faults;
use crate::faults::gate::{self, Behind};

use self::metadata::{Identity, Metadata};
use self::process::Process;

pub(crate) use self::process::own_settings;
pub use self::process::{Belonging, InstanceProgram};

/// An instance that is ended has this long between SIGTERM and SIGKILL. EC2 gives a minute or
/// more; a worker that drained before its hook was completed needs none of it.
pub const GRACE: Duration = Duration::from_secs(3);

/// What every instance has in common.
#[derive(Clone, Debug)]
pub struct InstanceSettings {
    /// What runs on each; without one an instance has its metadata and nothing else.
    pub program: Option<InstanceProgram>,
    /// The environment beside the program's own: endpoints, credentials, region.
    pub env: BTreeMap<String, String>,
    /// What goes wrong with the metadata services.
    pub faults: Option<Faults>,
    /// Where each instance's log is written, as `<instance id>.log`; must exist.
    pub logs: PathBuf,
    /// Marks everything the sandbox starts.
    pub belonging: Belonging,
}

/// An instance that is up.
#[derive(Clone, Debug)]
pub struct NewInstance {
    /// EC2 instance id.
    pub id: String,
    /// Its availability zone.
    pub zone: String,
    /// What its program finds in its environment beside what all do.
    pub env: BTreeMap<String, String>,
}

/// An instance whose program ended though nobody asked it to.
#[derive(Clone, Debug)]
pub struct Died {
    /// EC2 instance id.
    pub id: String,
    /// How it ended, in words.
    pub how: String,
}

/// Why an instance could not be sent a signal.
#[derive(Debug, thiserror::Error)]
pub enum KillError {
    /// There is none by this id, or its program does not run.
    #[error("no program runs on instance {id}; running: {running:?}")]
    NotRunning {
        /// The id asked for.
        id: String,
        /// The ids that would do.
        running: Vec<String>,
    },
    /// The signal was refused.
    #[error("instance {id} could not be sent {signal}")]
    Refused {
        /// The id asked for.
        id: String,
        /// The signal.
        signal: Signal,
        /// Why.
        #[source]
        source: nix::Error,
    },
}

/// All instances that live.
#[derive(Clone, Debug)]
pub struct Instances {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: InstanceSettings,
    living: Mutex<BTreeMap<String, Living>>,
    died: mpsc::UnboundedSender<Died>,
    tasks: TaskTracker,
}

#[derive(Clone, Debug)]
struct Living {
    metadata: Arc<Metadata>,
    end: CancellationToken,
    group: Option<Pid>,
}

impl Instances {
    /// None yet; deaths nobody asked for are told through the receiver.
    pub fn new(settings: InstanceSettings) -> (Self, mpsc::UnboundedReceiver<Died>) {
        let (died, deaths) = mpsc::unbounded_channel();
        let shared = Shared {
            settings,
            living: Mutex::new(BTreeMap::new()),
            died,
            tasks: TaskTracker::new(),
        };
        let instances = Self {
            shared: Arc::new(shared),
        };
        (instances, deaths)
    }

    /// Starts an instance's metadata service and its program.
    pub fn launch(&self, new: NewInstance) {
        let metadata = Arc::new(Metadata::new(Identity {
            instance_id: new.id.clone(),
            zone: new.zone.clone(),
        }));
        let living = Living {
            metadata,
            end: CancellationToken::new(),
            group: None,
        };
        let before = self.living().insert(new.id.clone(), living.clone());
        debug_assert!(before.is_none(), "instance {} was launched twice", new.id);
        let shared = Arc::clone(&self.shared);
        self.shared.tasks.spawn(live(shared, new, living));
    }

    /// Shows the instance, in its metadata, the lifecycle state its group means it to reach.
    pub fn show_target_lifecycle_state(&self, id: &str, state: &str) {
        if let Some(living) = self.living().get(id) {
            living.metadata.set_target_lifecycle_state(state);
        }
    }

    /// Shows the instance a spot notice: it will be ended at `time`, RFC 3339.
    pub fn show_spot_notice(&self, id: &str, time: &str) {
        if let Some(living) = self.living().get(id) {
            living.metadata.set_spot_notice(time);
        }
    }

    /// Shows the instance a rebalance recommendation, given at `time`, RFC 3339.
    pub fn show_rebalance(&self, id: &str, time: &str) {
        if let Some(living) = self.living().get(id) {
            living.metadata.set_rebalance(time);
        }
    }

    /// Ends an instance: SIGTERM, and SIGKILL after [`GRACE`]. Returns at once.
    pub fn end(&self, id: &str) {
        if let Some(living) = self.living().get(id) {
            living.end.cancel();
        }
    }

    /// Sends the program's process group a signal, as a crash or a stray `kill` would.
    pub fn kill(&self, id: &str, signal: Signal) -> Result<(), KillError> {
        let group = self.living().get(id).and_then(|living| living.group);
        let group = group.ok_or_else(|| KillError::NotRunning {
            id: id.to_owned(),
            running: self.running(),
        })?;
        nix::sys::signal::killpg(group, signal).map_err(|source| KillError::Refused {
            id: id.to_owned(),
            signal,
            source,
        })
    }

    /// The ids of the instances whose program runs.
    pub fn running(&self) -> Vec<String> {
        let living = self.living();
        let running = living.iter().filter(|(_, one)| one.group.is_some());
        running.map(|(id, _)| id.clone()).collect()
    }

    /// The log of an instance, whether it still lives or not.
    pub fn log(&self, id: &str) -> PathBuf {
        log_path(&self.shared.settings.logs, id)
    }

    /// Ends all instances and waits until they are gone.
    pub async fn shutdown(&self) {
        for living in self.living().values() {
            living.end.cancel();
        }
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    fn living(&self) -> MutexGuard<'_, BTreeMap<String, Living>> {
        self.shared.living()
    }
}

impl Shared {
    fn living(&self) -> MutexGuard<'_, BTreeMap<String, Living>> {
        self.living
            .lock()
            .expect("invariant: nothing panics while it holds the instances")
    }

    fn set_group(&self, id: &str, group: Option<Pid>) {
        if let Some(living) = self.living().get_mut(id) {
            living.group = group;
        }
    }
}

/// An instance's life, from its start to its end.
async fn live(shared: Arc<Shared>, new: NewInstance, living: Living) {
    let how = match serve_and_run(&shared, &new, &living).await {
        Ok(None) => None,
        Ok(Some(status)) => Some(format!("its program ended with {status}")),
        Err(error) => Some(format!("it could not be started: {error}")),
    };
    shared.living().remove(&new.id);
    if let Some(how) = how {
        tracing::warn!(instance = new.id, how, "an instance died");
        // Nobody listens any more when the sandbox itself is ending.
        let _ = shared.died.send(Died { id: new.id, how });
    }
}

/// Runs the instance until it is ended (`None`) or its program ends by itself.
async fn serve_and_run(
    shared: &Shared,
    new: &NewInstance,
    living: &Living,
) -> std::io::Result<Option<ExitStatus>> {
    let endpoint = metadata::serve(Arc::clone(&living.metadata)).await?;
    let settings = &shared.settings;
    let Some(program) = &settings.program else {
        living.end.cancelled().await;
        return Ok(None);
    };
    let stop = CancellationToken::new();
    let _gate_stands = stop.clone().drop_guard();
    let metadata_url = match &settings.faults {
        Some(faults) => gate::open(faults.clone(), Behind::Metadata, &endpoint.url, stop).await?,
        None => endpoint.url.clone(),
    };
    let mut env = settings.env.clone();
    env.extend(new.env.clone());
    env.insert("AWS_EC2_METADATA_SERVICE_ENDPOINT".into(), metadata_url);
    env.remove("AWS_EC2_METADATA_DISABLED");
    let belonging = settings.belonging.instance(&new.id);
    let log = log_path(&settings.logs, &new.id);
    let mut process = Process::start(program, &env, &belonging, &log)?;
    shared.set_group(&new.id, Some(process.group()));
    let ended = tokio::select! {
        status = process.wait() => Some(status?),
        () = living.end.cancelled() => None,
    };
    shared.set_group(&new.id, None);
    process.end(GRACE).await;
    Ok(ended)
}

fn log_path(logs: &Path, id: &str) -> PathBuf {
    logs.join(format!("{id}.log"))
}
