//! Handlers in any language: one process a job.
//!
//! The body comes on standard input, the rest in `WEIR_*` variables; the exit status is the answer
//! and standard output the result. The process leads a group of its own, so that everything it
//! started ends with it. This module must not know of queues or records.

mod guard;
mod streams;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::{Either, select};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

use self::guard::Guard;
use self::streams::{Errors, Output};
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

/// How much of what was said on standard error makes the reason: a dead letter's attribute holds
/// 1 KB, and the exit status stands before it.
const REASON_MAX_BYTES: usize = 900;

/// How long pipes are read after the process and its group have ended. What left the group, as a
/// daemon does, may hold them open for ever.
const PIPES_LIMIT: Duration = Duration::from_secs(1);

/// Runs a command line for each job, through `sh -c`.
#[derive(Clone, Debug)]
pub struct Exec {
    /// The command line.
    pub command: String,
    /// Longest result, bytes; a longer one is poison.
    pub result_max_bytes: usize,
    /// Time between SIGTERM and SIGKILL.
    pub grace: Duration,
    guard: Guard,
}

impl Exec {
    /// A command line with the default limits.
    pub fn new(command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            result_max_bytes: RESULT_MAX_BYTES,
            grace: Duration::from_secs(5),
            guard: Guard::default(),
        }
    }

    fn spawn(&self, job: &Job, ctx: &Context) -> std::io::Result<Child> {
        Command::new("sh")
            .arg("-c")
            .arg(&self.command)
            .envs(variables(&job.attributes))
            .env("WEIR_JOB_ID", &job.id)
            .env("WEIR_ATTEMPT", ctx.attempt().to_string())
            .env("WEIR_TOKEN", ctx.token())
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

    /// Runs a process to its end, or to the end of its job.
    async fn run(&self, mut child: Child, job: &Job, ctx: &Context) -> Outcome {
        let group = Group::led_by(&child, &self.guard, self.grace);
        let mut output = Output::up_to(self.result_max_bytes);
        let mut errors = Errors::default();
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let ended = {
            let exchange = pin!(async {
                tokio::join!(
                    feed(stdin, job.body.as_bytes()),
                    output.read(stdout),
                    errors.read(stderr)
                );
            });
            let ended = pin!(async {
                let status = child.wait().await;
                // The job ends with its command: what that left running would hold the pipes open.
                group.signal(Signal::SIGKILL);
                status
            });
            let mut work = pin!(async {
                match select(ended, exchange).await {
                    Either::Left((status, exchange)) => {
                        let _ = timeout(PIPES_LIMIT, exchange).await;
                        status
                    }
                    Either::Right(((), ended)) => ended.await,
                }
            });
            tokio::select! {
                status = &mut work => Ok(status),
                cause = ctx.cancelled() => {
                    group.signal(Signal::SIGTERM);
                    // Whether it leaves in time or not, nothing of the group may stay behind.
                    let in_time = timeout(self.grace, &mut work).await.is_ok();
                    group.signal(Signal::SIGKILL);
                    if !in_time {
                        let _ = timeout(PIPES_LIMIT, work).await;
                    }
                    Err(cause)
                }
            }
        };
        group.reap();
        match ended {
            Ok(Ok(status)) => judge(status, output, &errors.text()),
            Ok(Err(error)) => retry(format!("the process could not be waited for: {error}")),
            Err(cause) => stopped(cause),
        }
    }
}

#[async_trait]
impl Handler for Exec {
    fn describe(&self) -> String {
        format!("exec {}", self.command)
    }

    async fn handle(&self, job: Job, ctx: Context) -> Outcome {
        match self.spawn(&job, &ctx) {
            Ok(child) => self.run(child, &job, &ctx).await,
            // It would be the same each time.
            Err(error) if error.kind() == ErrorKind::ArgumentListTooLong => Outcome::Poison {
                reason: "the message's attributes are too long for a process's environment: put \
                         what is long into the body"
                    .into(),
            },
            Err(error) => retry(format!("sh could not be started: {error}")),
        }
    }
}

/// The process group of a child; killed when this is dropped, so that a job that is cut short
/// leaves nothing running.
struct Group {
    id: Option<Pid>,
    guard: Guard,
}

impl Group {
    fn led_by(child: &Child, guard: &Guard, grace: Duration) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(id) = id {
            guard.add(id, grace);
        }
        Self {
            id: id.map(Pid::from_raw),
            guard: guard.clone(),
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.id {
            // The group may have ended already.
            let _ = killpg(group, signal);
        }
    }

    /// Takes note of the deaths of grandchildren, which nobody else does where the worker is a
    /// container's first process: their parents are gone, and so they are its own children now.
    fn reap(&self) {
        let Some(group) = self.id else { return };
        let any = Pid::from_raw(-group.as_raw());
        loop {
            match waitpid(any, Some(WaitPidFlag::WNOHANG)) {
                // Killed, but not yet dead: a matter of moments.
                Ok(WaitStatus::StillAlive) => {
                    tokio::task::spawn_blocking(move || while waitpid(any, None).is_ok() {});
                    return;
                }
                Ok(_) => {}
                // None of it is ours: the usual case.
                Err(_) => return,
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        if let Some(group) = self.id {
            self.guard.remove(group.as_raw());
        }
    }
}

async fn feed(stdin: Option<ChildStdin>, body: &[u8]) {
    if let Some(mut stdin) = stdin {
        // A program may end, or close its input, without reading it all: not a failure.
        let _ = stdin.write_all(body).await;
    }
}

/// Attributes as variables: `WEIR_ATTR_` and the name, with `_` for what a variable's name cannot
/// have; of two names that become one, the later in byte order stands. Binary values are in Base64.
fn variables(attributes: &BTreeMap<String, Attribute>) -> BTreeMap<String, String> {
    let variable_name = |name: &str| {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        format!("WEIR_ATTR_{}", name.chars().map(plain).collect::<String>())
    };
    let value = |attribute: &Attribute| match attribute {
        Attribute::Text { value, .. } => value.clone(),
        Attribute::Binary { value, .. } => STANDARD.encode(value),
    };
    attributes
        .iter()
        .map(|(name, attribute)| (variable_name(name), value(attribute)))
        // SQS refuses it, and so would the kernel.
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

fn judge(status: ExitStatus, output: Output, errors: &str) -> Outcome {
    match status.code() {
        Some(0) => result(output),
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

fn result(output: Output) -> Outcome {
    let max = output.max();
    let Some(bytes) = output.within_limit() else {
        return Outcome::Poison {
            reason: format!(
                "the result on standard output is longer than {max} bytes: store it elsewhere and \
                 print where"
            ),
        };
    };
    match String::from_utf8(bytes) {
        Ok(text) => Outcome::Done(text.trim_end_matches(['\r', '\n']).to_owned()),
        Err(_) => Outcome::Poison {
            reason: "the result on standard output is not UTF-8 text".into(),
        },
    }
}

fn retry_after(errors: &str) -> Option<Duration> {
    let asked = errors.lines().last()?.strip_prefix(RETRY_AFTER)?.trim();
    let whole_seconds = asked.parse().ok().map(Duration::from_secs);
    whole_seconds.or_else(|| crate::cli::duration(asked).ok())
}

/// The exit status and the last words on standard error that are not a request to us: whole lines,
/// as many as there is room for. The last line alone says little in some languages.
fn reason(status: ExitStatus, errors: &str) -> String {
    let mut said = String::new();
    let lines = errors.lines().rev().map(str::trim);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with(RETRY_AFTER)) {
        if said.is_empty() {
            said.push_str(&line[..line.floor_char_boundary(REASON_MAX_BYTES)]);
        } else if said.len() + 1 + line.len() <= REASON_MAX_BYTES {
            said = format!("{line}\n{said}");
        } else {
            break;
        }
    }
    if said.is_empty() {
        status.to_string()
    } else {
        format!("{status}: {said}")
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
