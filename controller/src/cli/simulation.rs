//! What `backtest` and `tune` share: whose policy, what arrives, what it runs on.
//!
//! Turns arguments into a scenario; an argument's place is the policy's guess where it is not
//! given. It must not run anything.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use super::spans::{duration, moment_and_factor, positive, share, window_and_count};
use super::{PolicyArgs, UsageError};
use crate::backtest::history::Actual;
#[cfg(feature = "aws")]
use crate::backtest::history::Past;
#[cfg(feature = "aws")]
use crate::backtest::scenario;
use crate::backtest::scenario::{NotSimulated, Scenario, simulated};
use crate::backtest::traces::{self, Arrivals, Generator, MONDAY, Options, Scale, Source};
use crate::model::UnixSeconds;
use crate::policy::Policy;
use crate::sim::{Conditions, Drift, SeenToo, Service, Setup, Shortage, Spread};

/// Whose policy, what arrives, what it runs on.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct SimulationArgs {
    #[command(flatten)]
    pub(super) policies: PolicyArgs,
    #[command(flatten)]
    pub(super) arrivals: ArrivalsArgs,
    #[cfg(feature = "aws")]
    #[command(flatten)]
    past: super::past::PastArgs,
    #[command(flatten)]
    fleet: FleetArgs,
    #[command(flatten)]
    conditions: ConditionsArgs,
}

/// What arrives.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Arrivals")]
pub(super) struct ArrivalsArgs {
    /// Arrivals recorded as CSV: `t_seconds,arrivals[,mean_service_s]`
    #[arg(long, value_name = "FILE", group = "source")]
    trace: Option<PathBuf>,
    /// Arrivals made up, such as `flash-crowd,days=2,seed=7`; --help lists the shapes
    #[arg(long, value_name = "SHAPE", group = "source", long_help = shapes())]
    generate: Option<String>,
    /// Which of the policy's queues they are for, where it has several
    #[arg(long, value_name = "NAME")]
    pub(super) queue: Option<String>,
    /// Only the first so many days
    #[arg(long, value_name = "N", value_parser = positive)]
    days: Option<f64>,
    /// So many times as many messages
    #[arg(long, value_name = "FACTOR", value_parser = positive, conflicts_with = "scale_to")]
    scale: Option<f64>,
    /// As many messages as keep so many instances busy on average
    #[arg(long, value_name = "INSTANCES", value_parser = positive)]
    scale_to: Option<f64>,
    /// When the arrivals begin; schedules go by it [default: a Monday, 00:00 UTC]
    #[arg(long, value_name = "TIME", value_parser = traces::starts_at)]
    starts_at: Option<UnixSeconds>,
    /// A step's length, where the file's rows do not tell
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    step: Option<Duration>,
}

/// What it runs on.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Fleet")]
struct FleetArgs {
    /// Jobs an instance runs at a time [default: the policy's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    slots: Option<u32>,
    /// Mean time a job takes, where the trace does not tell [default: the policy's]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    service_time: Option<Duration>,
    /// How jobs' lengths spread: `exponential`, `fixed`, or `lognormal:S`, S the standard
    /// deviation in parts of the mean
    #[arg(long, value_name = "SPREAD", value_parser = spread, default_value = "exponential")]
    service_spread: Spread,
    /// Mean time from launch to the first job [default: the policy's]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    boot_time: Option<Duration>,
    /// Standard deviation of the boot time, in parts of its mean (lognormal)
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "0")]
    boot_spread: f64,
    /// Between looks
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "15s")]
    interval: Duration,
    /// Of chance: the same seed gives the same figures
    #[arg(long, value_name = "N", default_value_t = 7)]
    seed: u64,
}

/// What is not as one would wish.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Conditions")]
struct ConditionsArgs {
    /// Standard deviation of SQS's counts
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "0")]
    count_noise: f64,
    /// How old SQS's counts are when they are seen
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    counts_late: Option<Duration>,
    /// The queue's `DelaySeconds`; waits begin after it
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    delay: Option<Duration>,
    /// The share of attempts that fail and come back when their visibility timeout is over
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "0")]
    failing: f64,
    /// The queue's visibility timeout
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    visibility_timeout: Duration,
    /// Spot reclaims an instance-hour, each with two minutes' notice
    #[arg(long, value_name = "RATE", value_parser = positive)]
    reclaims: Option<f64>,
    /// While capacity is short no launch goes above so many instances, such as `2h-4h:10`
    #[arg(long, value_name = "FROM-UNTIL:N", value_parser = window_and_count)]
    shortage: Option<(Duration, Duration, u32)>,
    /// From a moment on jobs take so many times as long, such as `36h:4`
    #[arg(long, value_name = "MOMENT:FACTOR", value_parser = moment_and_factor)]
    drift: Option<(Duration, f64)>,
    /// Workers do not report
    #[arg(long)]
    no_reports: bool,
    /// The oldest message's age is not known
    #[arg(long)]
    no_ages: bool,
}

impl SimulationArgs {
    /// The scenario; bad usage and bad traces end the process with 64.
    pub(super) fn scenario(&self) -> anyhow::Result<Scenario> {
        Ok(self.scenario_and_actual()?.0)
    }

    /// The scenario, and what the fleet really did where that is known.
    pub(super) fn scenario_and_actual(&self) -> anyhow::Result<(Scenario, Option<Actual>)> {
        let policy = self.policies.load_one()?;
        let name = self.arrivals.queue.as_deref();
        let unfit = |error: NotSimulated| UsageError(error.to_string());
        let simulated = simulated(&policy, name).map_err(unfit)?;
        #[cfg(feature = "aws")]
        if self.past.is_wanted() {
            let queue = scenario::queue(&policy, name).map_err(unfit)?;
            let slots = self.fleet.slots(&policy);
            let past = super::block_on(self.past.read(&policy, queue, slots))?;
            return self.of_past(simulated, past);
        }
        let arrivals = self.arrivals.load(&self.fleet, &simulated)?;
        Ok((self.scenario_of(simulated, arrivals, &self.fleet), None))
    }

    /// What was measured takes the place of what was guessed, not of what was given.
    #[cfg(feature = "aws")]
    fn of_past(&self, policy: Policy, past: Past) -> anyhow::Result<(Scenario, Option<Actual>)> {
        let measured = past.service_seconds.map(Duration::from_secs_f64);
        let fleet = FleetArgs {
            service_time: self.fleet.service_time.or(measured),
            ..self.fleet.clone()
        };
        let options = Options {
            starts_at: past.arrivals.starts_at,
            ..self.arrivals.options(&fleet, &policy)
        };
        let Arrivals {
            name, trace, notes, ..
        } = past.arrivals;
        let mut arrivals = traces::fit(&name, traces::Recorded { trace, notes }, &options)?;
        let is_whole = options.days.is_none() && options.scale.is_none();
        if !is_whole && past.actual.is_some() {
            let note = "what happened is left out: it is of the whole time, unscaled";
            arrivals.notes.push(note.to_owned());
        }
        let actual = past.actual.filter(|_| is_whole);
        Ok((self.scenario_of(policy, arrivals, &fleet), actual))
    }

    fn scenario_of(&self, policy: Policy, arrivals: Arrivals, fleet: &FleetArgs) -> Scenario {
        let conditions = &self.conditions;
        let setup = Setup {
            slots: fleet.slots(&policy),
            boot_seconds: fleet.boot_time.map_or(policy.worker.boot_time.0, seconds),
            interval_seconds: seconds(fleet.interval),
            max: policy.fleet.max.0,
            count_noise: conditions.count_noise,
            seen: SeenToo {
                reports: !conditions.no_reports,
                oldest_age: !conditions.no_ages,
            },
            starts_at: arrivals.starts_at,
            conditions: conditions.of(fleet.boot_spread),
            seed: fleet.seed,
        };
        let service = Service {
            seconds_mean: fleet.service_seconds(&policy),
            spread: fleet.service_spread,
            drift: conditions.drift.map(|(at, factor)| Drift {
                at_seconds: seconds(at),
                factor,
            }),
        };
        Scenario {
            policy,
            arrivals,
            setup,
            service,
        }
    }
}

impl ArrivalsArgs {
    fn load(&self, fleet: &FleetArgs, policy: &Policy) -> anyhow::Result<Arrivals> {
        let source = match (&self.trace, &self.generate) {
            (Some(file), _) => Source::File(file.clone()),
            (None, Some(text)) => Source::Generated(text.parse::<Generator>()?),
            (None, None) => {
                let what = if cfg!(feature = "aws") {
                    "nothing arrives: give --trace FILE, --generate SHAPE or --from-cloudwatch"
                } else {
                    "nothing arrives: give --trace FILE or --generate SHAPE"
                };
                return Err(UsageError(what.to_owned()).into());
            }
        };
        Ok(traces::load(&source, &self.options(fleet, policy))?)
    }

    fn options(&self, fleet: &FleetArgs, policy: &Policy) -> Options {
        let to_instances = |mean| Scale::Instances {
            mean,
            slots: fleet.slots(policy),
            service_seconds: fleet.service_seconds(policy),
        };
        Options {
            days: self.days,
            scale: (self.scale.map(Scale::Factor)).or(self.scale_to.map(to_instances)),
            starts_at: self.starts_at.unwrap_or(MONDAY),
            step_seconds: self.step.map(seconds),
        }
    }
}

impl FleetArgs {
    fn slots(&self, policy: &Policy) -> u32 {
        self.slots.unwrap_or(policy.worker.slots)
    }

    fn service_seconds(&self, policy: &Policy) -> f64 {
        self.service_time
            .map_or(policy.worker.service_time.0, seconds)
    }
}

impl ConditionsArgs {
    fn of(&self, boot_spread: f64) -> Conditions {
        Conditions {
            boot_spread,
            counts_late_seconds: self.counts_late.map_or(0.0, seconds),
            delay_seconds: self.delay.map_or(0.0, seconds),
            failing_share: self.failing,
            visibility_seconds: seconds(self.visibility_timeout),
            reclaims_per_hour: self.reclaims.unwrap_or(0.0),
            shortage: self.shortage.map(|(from, until, instances)| Shortage {
                from_seconds: seconds(from),
                until_seconds: seconds(until),
                instances,
            }),
        }
    }
}

/// What `--generate` can make.
fn shapes() -> String {
    let mut text = "Arrivals made up, such as `flash-crowd,days=2,seed=7`. All shapes take \
                    `days=7,seed=1,mean=1,step=1m,noise=poisson,service=…` too:"
        .to_owned();
    for (name, keys, about) in traces::GENERATORS {
        let comma = if keys.is_empty() { "" } else { "," };
        let _ = write!(text, "\n- {name}{comma}{keys}: {about}");
    }
    text
}

fn seconds(span: Duration) -> f64 {
    span.as_secs_f64()
}

fn spread(text: &str) -> Result<Spread, String> {
    match (text, text.strip_prefix("lognormal:")) {
        ("exponential", _) => Ok(Spread::Exponential),
        ("fixed", _) => Ok(Spread::Fixed),
        (_, Some(spread)) => positive(spread).map(Spread::Lognormal),
        _ => Err(format!(
            "found {text:?}; allowed are exponential, fixed and lognormal:S, such as lognormal:1.5"
        )),
    }
}
