//! `--from-cloudwatch`: the fleet's own history as the arrivals.
//!
//! Parses and asks; what is made of the history is [`crate::backtest::history`]'s affair.

use std::path::PathBuf;
use std::time::Duration;

use crate::aws::history::{Ask, History};
use crate::backtest::history::{Cache, Past, Subject, Terms, Window, since};
use crate::backtest::traces;
use crate::clock::Clock;
use crate::model::UnixSeconds;
use crate::policy::{Policy, Queue};

use super::UsageError;
use super::progress::Bars;

/// The fleet's own history as the arrivals.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "The fleet's own history")]
pub(super) struct PastArgs {
    /// What CloudWatch recorded of the policy's queue and group
    #[arg(long, group = "source")]
    from_cloudwatch: bool,
    /// How far back
    #[arg(long, value_name = "SPAN", value_parser = since, default_value = "7d", requires = "from_cloudwatch")]
    since: Duration,
    /// When it ends [default: now]
    #[arg(long, value_name = "TIME", value_parser = traces::starts_at, requires = "from_cloudwatch")]
    until: Option<UnixSeconds>,
    /// Where fetched days are kept [default: the user's cache folder]
    #[arg(
        long,
        value_name = "DIR",
        requires = "from_cloudwatch",
        conflicts_with = "no_cache"
    )]
    cache: Option<PathBuf>,
    /// Keep no fetched days, and use none
    #[arg(long, requires = "from_cloudwatch")]
    no_cache: bool,
}

impl PastArgs {
    /// Whether it is asked for.
    pub(super) fn is_wanted(&self) -> bool {
        self.from_cloudwatch
    }

    /// Reads it; `queue` is the policy's own, under its own name.
    pub(super) async fn read(
        &self,
        policy: &Policy,
        queue: &Queue,
        slots: u32,
    ) -> anyhow::Result<Past> {
        let now = Clock::System.now();
        let window = Window::back(self.since, self.until, now)
            .map_err(|error| UsageError(error.to_string()))?;
        let Some(group) = policy.fleet.scaler.group() else {
            let scaler = &policy.fleet.scaler;
            return Err(UsageError(format!(
                "{} scales the ECS service {scaler}, and CloudWatch records sizes of Auto Scaling \
                 groups only: give the arrivals as a trace instead of --from-cloudwatch",
                policy.name
            ))
            .into());
        };
        let ask = Ask {
            subject: Subject {
                queue: queue.name.clone(),
                group: group.to_owned(),
            },
            window,
            now,
        };
        let terms = Terms {
            objective_seconds: queue.objective.start_within.0,
            slots,
        };
        let history = History::connect(self.cache()).await?;
        let bars = Bars::new();
        let past = history
            .past(&ask, &terms, &|there, days| bars.tell_days(there, days))
            .await;
        bars.finish();
        Ok(past?)
    }

    fn cache(&self) -> Cache {
        match &self.cache {
            _ if self.no_cache => Cache::none(),
            Some(folder) => Cache::at(folder.clone()),
            None => Cache::of_user(),
        }
    }
}
