//! Handlers in any language: one process a job.
//!
//! The body comes on standard input, the rest in `WEIR_*` variables; the exit status is the answer
//! and standard output the result. The process leads a group of its own, so that everything it
//! started ends with it. This module must not know of queues or records.

use std::collections::BTreeMap;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::{CancelCause, Context, Handler, Job, Outcome};
use crate::observe::Trace;
use crate::queue::Attribute;

/// A process answers with this to be tried again: `EX_TEMPFAIL` of sysexits.h.
const EXIT_RETRY: i32 = 75;
/// A process answers with this to give the job up: `EX_DATAERR` of sysexits.h.
const EXIT_POISON: i32 = 65;

/// The last line of standard error may ask for a delay by this prefix.
const RETRY_AFTER: &str = "WEIR_RETRY_AFTER=";

/// The default limit of a result: with it, a record stays well inside DynamoDB's 400 KB.
pub const RESULT_MAX_BYTES: usize = 256 * 1024;

/// How much of standard error is kept for the reason: the end, where programs say what went wrong.
const STDERR_KEPT_BYTES: usize = 4 * 1024;

/// Runs a command line for each job, through `sh -c`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exec {
    /// The command line.
    pub command: String,
    /// Longest result, bytes; a longer one is poison.
    pub result_max_bytes: usize,
    /// Time between SIGTERM and SIGKILL.
    pub grace: Duration,
}

impl Exec {
    /// A command line with the default limits.
    pub fn new(command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            result_max_bytes: RESULT_MAX_BYTES,
            grace: Duration::from_secs(5),
        }
    }

    fn spawn(&self, job: &Job, ctx: &Context) -> std::io::Result<Child> {
        Command::new("sh")
            .arg("-c")
            .arg(&self.command)
            .envs(variables(&job.attributes))
            .env("WEIR_JOB_ID", &job.id)
            .env("WEIR_ATTEMPT", ctx.attempt().to_string())
            .env(
                "WEIR_DEADLINE",
                ctx.deadline_unix_seconds().floor().to_string(),
            )
            .envs(trace_variables(ctx.trace()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }
}

#[async_trait]
impl Handler for Exec {
    async fn handle(&self, job: Job, ctx: Context) -> Outcome {
        let mut child = match self.spawn(&job, &ctx) {
            Ok(child) => child,
            Err(error) => return retry(format!("sh could not be started: {error}")),
        };
        let group = Group::led_by(&child);
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A program may end, or close its input, without reading it all: not a failure.
                let _ = stdin.write_all(job.body.as_bytes()).await;
            }
        };
        let exchange = async {
            let ((), output, errors) = tokio::join!(
                feed,
                head(stdout, self.result_max_bytes),
                tail(stderr, STDERR_KEPT_BYTES)
            );
            (output, errors)
        };
        let ended = async {
            let status = child.wait().await;
            // The job ends with its command: what that left running would hold the pipes open.
            group.signal(Signal::SIGKILL);
            status
        };
        let work = async { tokio::join!(ended, exchange) };
        tokio::pin!(work);
        let (status, (output, errors)) = tokio::select! {
            ended = &mut work => ended,
            cause = ctx.cancelled() => {
                group.signal(Signal::SIGTERM);
                // Whether it leaves in time or not, nothing of the group may stay behind.
                let _ = tokio::time::timeout(self.grace, &mut work).await;
                group.signal(Signal::SIGKILL);
                return stopped(cause);
            }
        };
        match status {
            Ok(status) => judge(status, output, &errors, self.result_max_bytes),
            Err(error) => retry(format!("the process could not be waited for: {error}")),
        }
    }
}

/// The process group of a child; killed when this is dropped, so that a job that is cut short
/// leaves nothing running.
struct Group(Option<Pid>);

impl Group {
    fn led_by(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.map(Pid::from_raw))
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // The group may have ended already.
            let _ = killpg(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

/// Attributes as variables: `WEIR_ATTR_` and the name, with `_` for what a variable's name cannot
/// have. Binary attributes cannot be variables and are left out, as are values that hold a NUL.
fn variables(attributes: &BTreeMap<String, Attribute>) -> BTreeMap<String, String> {
    let variable_name = |name: &str| {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        format!("WEIR_ATTR_{}", name.chars().map(plain).collect::<String>())
    };
    attributes
        .iter()
        .filter_map(|(name, attribute)| Some((variable_name(name), attribute.text()?.to_owned())))
        .filter(|(_, value)| !value.contains('\0'))
        .collect()
}

/// The trace in the variables by which OpenTelemetry hands it to processes (OpenTelemetry
/// Specification, "Environment Variables as Context Propagation Carriers").
fn trace_variables(trace: Option<&Trace>) -> Vec<(&'static str, &str)> {
    let Some(trace) = trace else {
        return Vec::new();
    };
    let state = trace.tracestate.as_deref();
    let state = state.filter(|state| !state.contains('\0'));
    let state = state.map(|state| ("TRACESTATE", state));
    let parent = ("TRACEPARENT", trace.traceparent.as_str());
    std::iter::once(parent).chain(state).collect()
}

/// Reads everything and keeps the first `max` bytes and one more, by which excess is told.
async fn head(stream: Option<impl AsyncRead + Unpin>, max: usize) -> Vec<u8> {
    let mut kept = Vec::new();
    read_all(stream, |part| {
        let room = (max + 1).saturating_sub(kept.len());
        kept.extend_from_slice(&part[..part.len().min(room)]);
    })
    .await;
    kept
}

/// Reads everything and keeps about the last `max` bytes.
async fn tail(stream: Option<impl AsyncRead + Unpin>, max: usize) -> String {
    let mut kept = Vec::new();
    read_all(stream, |part| {
        kept.extend_from_slice(part);
        let excess = kept.len().saturating_sub(max);
        kept.drain(..excess);
    })
    .await;
    String::from_utf8_lossy(&kept).trim_end().to_owned()
}

async fn read_all(stream: Option<impl AsyncRead + Unpin>, mut keep: impl FnMut(&[u8])) {
    let Some(mut stream) = stream else { return };
    let mut part = vec![0; 16 * 1024];
    // A broken pipe ends the stream as its end does; the exit status tells what happened.
    while let Ok(count @ 1..) = stream.read(&mut part).await {
        keep(&part[..count]);
    }
}

fn judge(status: ExitStatus, output: Vec<u8>, errors: &str, result_max_bytes: usize) -> Outcome {
    match status.code() {
        Some(0) if output.len() > result_max_bytes => Outcome::Poison {
            reason: format!(
                "the result on standard output is longer than {result_max_bytes} bytes: store it \
                 elsewhere and print where"
            ),
        },
        Some(0) => match String::from_utf8(output) {
            Ok(text) => Outcome::Done(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(_) => Outcome::Poison {
                reason: "the result on standard output is not UTF-8 text".into(),
            },
        },
        Some(EXIT_POISON) => Outcome::Poison {
            reason: reason(status, errors),
        },
        Some(EXIT_RETRY) => Outcome::Retry {
            after: retry_after(errors),
            reason: reason(status, errors),
        },
        _ => retry(reason(status, errors)),
    }
}

fn retry_after(errors: &str) -> Option<Duration> {
    let asked = errors.lines().last()?.strip_prefix(RETRY_AFTER)?.trim();
    let whole_seconds = asked.parse().ok().map(Duration::from_secs);
    whole_seconds.or_else(|| crate::cli::duration(asked).ok())
}

/// The exit status and the last words on standard error that are not a request to us.
fn reason(status: ExitStatus, errors: &str) -> String {
    let mut lines = errors.lines().rev();
    let said = lines.find(|line| !line.trim().is_empty() && !line.starts_with(RETRY_AFTER));
    match said {
        Some(words) => format!("{status}: {}", words.trim()),
        None => status.to_string(),
    }
}

fn stopped(cause: CancelCause) -> Outcome {
    retry(format!("the process was ended: {cause}"))
}

fn retry(reason: String) -> Outcome {
    Outcome::Retry {
        after: None,
        reason,
    }
}
