//! What the controller of one process works with: its clients, its policies, its ports.
//!
//! Reads policies again when it is asked to, and hands what is in force to the rounds. When that
//! is, `run` and `lambda` say.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::PolicyArgs;
use super::run::StateArgs;
use crate::aws::{self, Aws};
use crate::clock::Clock;
use crate::drive::Ports;
use crate::journal::{Ledger, MemoryLedger};
#[cfg(feature = "lambda")]
use crate::policies::Refusal;
use crate::policies::{Fleets, Policies};
use crate::ports::{Act, DryRun};

/// Between readings of the policies in a long run: an edit is in force within the minute.
const REREAD_EVERY: Duration = Duration::from_secs(30);

/// The controller of one process.
pub(super) struct Controller {
    /// What its rounds work with.
    pub(super) ports: Ports,
    args: PolicyArgs,
    aws: Arc<Aws>,
    policies: Policies,
    fleets: watch::Sender<Fleets>,
    rehearsal: Option<Rehearsal>,
}

/// A dry run's own ledger, and the fleets that it has begun with.
#[derive(Default)]
struct Rehearsal {
    ledger: Arc<MemoryLedger>,
    known: BTreeSet<String>,
}

/// What a controller does with its verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deeds {
    /// It carries them out.
    Real,
    /// It changes nothing, publishes nothing and keeps nothing.
    None,
}

impl Controller {
    /// Builds the clients once for the process; no policy is in force before the first
    /// [`reread`](Self::reread).
    pub(super) async fn open(
        args: &PolicyArgs,
        state: &StateArgs,
        deeds: Deeds,
    ) -> anyhow::Result<Self> {
        let config = aws::config().await;
        let policies = args.open(&config)?;
        let aws = Arc::new(Aws::with(&config, &[], &state.state_table)?);
        let rehearsal = (deeds == Deeds::None).then(Rehearsal::default);
        let ports = match &rehearsal {
            Some(Rehearsal { ledger, .. }) => ports(&aws, Arc::new(DryRun), ledger.clone()),
            None => ports(&aws, aws.clone(), Arc::new(aws.state_table())),
        };
        Ok(Self {
            ports,
            args: args.clone(),
            aws,
            policies,
            fleets: watch::Sender::default(),
            rehearsal,
        })
    }

    /// The policies in force, now and as they change.
    pub(super) fn fleets(&self) -> watch::Receiver<Fleets> {
        self.fleets.subscribe()
    }

    /// What is refused of the policies.
    #[cfg(feature = "lambda")]
    pub(super) fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        self.policies.refusals()
    }

    /// Reads the policies anew, and puts in force what is good.
    ///
    /// # Errors
    /// None is in force: there is nothing to do.
    pub(super) async fn reread(&mut self) -> anyhow::Result<()> {
        let out_of_reach = self.policies.read().await;
        for failure in &out_of_reach {
            tracing::warn!("the policies in hand stay in force: {failure}");
        }
        let fleets = self.policies.in_force();
        self.aws.attend(&fleets).await;
        match &mut self.rehearsal {
            Some(rehearsal) => rehearsal.begin_with(&fleets, &self.aws.state_table()).await,
            None => self.publish_standing().await,
        }
        self.fleets.send_if_modified(|known| {
            let is_other = *known != fleets;
            *known = fleets;
            is_other
        });
        self.args.some_in_force(&self.policies, &out_of_reach)
    }

    /// Reads the policies anew as long as it is let.
    pub(super) async fn keep_reading(&mut self) -> Infallible {
        let mut readings = tokio::time::interval(REREAD_EVERY);
        readings.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        readings.tick().await; // at once: they have just been read
        loop {
            readings.tick().await;
            if let Err(error) = self.reread().await {
                tracing::error!("{error:#}");
            }
        }
    }

    async fn publish_standing(&self) {
        let now = self.ports.clock.now();
        let standing = self.policies.standing();
        if let Err(error) = self.aws.publish_standing(now, &standing).await {
            tracing::warn!("refused policies not published: {}", error.story());
        }
    }
}

impl Rehearsal {
    /// A dry run starts from the history there is, and keeps what follows to itself.
    async fn begin_with(&mut self, fleets: &Fleets, kept: &dyn Ledger) {
        for fleet in fleets.keys() {
            if !self.known.insert(fleet.clone()) {
                continue;
            }
            match kept.carried(fleet).await {
                Ok(carried) => self.ledger.start_from(fleet, carried),
                Err(error) => tracing::warn!(
                    fleet,
                    "the dry run starts without history: {}",
                    error.story()
                ),
            }
        }
    }
}

/// The ports of a round on AWS.
pub(super) fn ports(aws: &Arc<Aws>, act: Arc<dyn Act>, ledger: Arc<dyn Ledger>) -> Ports {
    let observe: Arc<Aws> = Arc::clone(aws);
    Ports {
        observe,
        act,
        ledger,
        clock: Clock::System,
        token: new_token(),
    }
}

/// No two controller processes ever share one.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the controller makes tokens"
)]
fn new_token() -> String {
    uuid::Uuid::new_v4().to_string()
}
