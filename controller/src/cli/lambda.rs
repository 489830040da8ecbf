//! `weir` as an AWS Lambda function: each invocation is a minute's rounds.
//!
//! Serves the Lambda runtime API, keeps each invocation inside its deadline, and answers with what
//! the rounds did. What a round does is [`crate::drive`]'s affair.

mod answer;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use lambda_runtime::tower::layer::layer_fn;
use lambda_runtime::{Diagnostic, LambdaEvent, Runtime, service_fn};
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::answer::Answer;
use self::tracked::Tracked;
use super::controller::{Controller, Deeds};
use super::run::{self, INTERVAL, stopped_by_signals, tell};
use super::{Global, LogFormat, Output};
use crate::model::UnixSeconds;
use crate::rounds::{self, Course, Pace};

mod tracked;

/// How long an invocation begins rounds, where nothing else is asked for: the next one comes after
/// a minute.
const DURING: Duration = Duration::from_secs(50);
/// A round is not begun with less than this left: a call that is answered at its second attempt of
/// 5 s, and a margin.
const ROUND_NEEDS: Duration = Duration::from_secs(10);
/// What is left of an invocation for its answer.
const ANSWER_NEEDS: Duration = Duration::from_secs(1);

/// Whether this process was started as a Lambda function: the runtime API is there, and nobody
/// asked for anything else.
#[expect(
    clippy::disallowed_methods,
    reason = "clap cannot know that there are no arguments on purpose"
)]
pub(super) fn is_called() -> bool {
    std::env::var("AWS_LAMBDA_RUNTIME_API").is_ok() && std::env::args_os().len() == 1
}

/// Serves invocations until the process is told to end; an invocation in progress is answered.
pub(super) async fn serve(args: run::Args, global: &Global) -> anyhow::Result<ExitCode> {
    let stop = stopped_by_signals()?;
    let under_way = TaskTracker::new();
    let function = Mutex::new(Function {
        controller: Controller::open(&args.policies, &args.state, Deeds::Real).await?,
        interval: args.every.unwrap_or(INTERVAL),
        during: args.during.unwrap_or(DURING),
        output: match global.log_format {
            LogFormat::Json => Output::Json,
            LogFormat::Text => global.output,
        },
        stop: stop.clone(),
    });
    let handler = service_fn(async |event: LambdaEvent<Map<String, Value>>| {
        let deadline = UnixSeconds(event.context.deadline as f64 / 1000.0);
        let answered = function.lock().await.invoke(deadline).await;
        answered.map_err(|error| Diagnostic {
            error_type: "Weir.Failed".to_owned(),
            error_message: format!("{error:#}"), // which the runtime logs
        })
    });
    let track = layer_fn(|inner| Tracked::new(inner, under_way.clone()));
    let runtime = Runtime::new(handler).layer(track);
    tokio::select! {
        ended = runtime.run() => ended.map_err(|error| anyhow::anyhow!("{error}"))?,
        () = quiet(&stop, &under_way) => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Until the process is to end and nothing is under way. An environment that is frozen between
/// invocations holds no lease: each invocation gives up what it took.
async fn quiet(stop: &CancellationToken, under_way: &TaskTracker) {
    stop.cancelled().await;
    under_way.close();
    under_way.wait().await;
}

/// What is kept from invocation to invocation.
struct Function {
    controller: Controller,
    interval: Duration,
    during: Duration,
    output: Output,
    stop: CancellationToken,
}

impl Function {
    /// One invocation, that ends before `deadline`.
    async fn invoke(&mut self, deadline: UnixSeconds) -> anyhow::Result<Value> {
        self.controller.reread().await?;
        let left = deadline.0 - self.controller.ports.clock.now().0;
        let left = Duration::try_from_secs_f64(left).unwrap_or_default();
        let Some(room) = room_for_rounds(left) else {
            bail!(
                "found {left:.1?} left of the invocation, a round needs {ROUND_NEEDS:?}: give the \
                 function a timeout of 60 s"
            );
        };
        let answer = Answer::new(&self.controller.fleets().borrow());
        let course = Course {
            pace: Pace::Every {
                interval: self.interval,
                during: Some(self.during.min(room)),
            },
            stop: self.stop.clone(),
            told: &|round| {
                tell(round, self.output);
                answer.hear(round);
            },
        };
        let fleets = self.controller.fleets();
        let rounds = rounds::keep(&fleets, &self.controller.ports, &course);
        let in_time = tokio::time::timeout(left.saturating_sub(ANSWER_NEEDS), rounds).await;
        answer.give(in_time.is_ok(), self.controller.refusals())
    }
}

/// How long rounds may begin with so much left; none where there is not enough for one.
fn room_for_rounds(left: Duration) -> Option<Duration> {
    let room = left.checked_sub(ROUND_NEEDS)?;
    (!room.is_zero()).then_some(room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_round_begins_that_could_not_end_before_the_deadline() {
        let room = |seconds| room_for_rounds(Duration::from_secs(seconds));
        assert_eq!(room(60), Some(Duration::from_secs(50)));
        assert_eq!(room(11), Some(Duration::from_secs(1)));
        assert_eq!(room(10), None);
        assert_eq!(room(0), None);
    }
}
