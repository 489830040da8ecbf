//! The worker of the chaos tests: its jobs are told by their bodies how to behave, and leave marks by
//! which an audit that trusts nobody can count them.
//!
//! A body is `{"millis": 200, "then": "done", "store": true, "mark": true}`. `then` is `done`,
//! `second` (fails at the first attempt) or `poison`. With `store`, an object `chaos/<job id>` is put
//! into the bucket first; with `mark`, the completion adds one to the job's item in the table of
//! marks, in the same transaction. Flags and environment are those of `weir-worker run`, and
//! `CHAOS_BUCKET` and `CHAOS_MARKS_TABLE`.

use std::process::ExitCode;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use aws_sdk_s3::error::DisplayErrorContext;
use serde::Deserialize;
use tokio::sync::OnceCell;
use weir_worker::{Context, Handler, Job, Outcome};

/// S3 may be away for long: a job that needs it asks again soon.
const ASK_AGAIN: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    weir_worker::cli::main_with_handler(Chaos {
        bucket: setting("CHAOS_BUCKET"),
        marks: setting("CHAOS_MARKS_TABLE"),
        s3: OnceCell::new(),
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "a handler's own settings come from the environment"
)]
fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    millis: u64,
    then: Then,
    #[serde(default)]
    store: bool,
    #[serde(default)]
    mark: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Then {
    Done,
    Second,
    Poison,
}

struct Chaos {
    bucket: String,
    marks: String,
    s3: OnceCell<aws_sdk_s3::Client>,
}

#[async_trait]
impl Handler for Chaos {
    async fn handle(&self, job: Job, ctx: Context) -> Outcome {
        let order: Order = match serde_json::from_str(&job.body) {
            Ok(order) => order,
            Err(error) => return poison(&format!("the body is not an order: {error}")),
        };
        pause(Duration::from_millis(order.millis)).await;
        if order.store
            && let Err(why) = self.store(&job).await
        {
            return Outcome::Retry {
                after: Some(ASK_AGAIN),
                reason: why,
            };
        }
        match order.then {
            Then::Poison => return poison("it was told to be poison"),
            Then::Second if ctx.attempt() == 1 => {
                return Outcome::Retry {
                    after: None,
                    reason: "it was told to fail once".into(),
                };
            }
            _ => {}
        }
        if order.mark {
            ctx.write_on_completion(self.mark(&job, &ctx));
        }
        Outcome::Done(ctx.token().to_owned())
    }
}

impl Chaos {
    async fn store(&self, job: &Job) -> Result<(), String> {
        let client = self
            .s3
            .get_or_init(async || aws_sdk_s3::Client::new(&aws_config::load_from_env().await));
        let put = client.await.put_object().bucket(&self.bucket);
        let put = put.key(format!("chaos/{}", job.id));
        let put = put.body(job.body.clone().into_bytes().into()).send().await;
        put.map(|_| ())
            .map_err(|error| format!("S3: {}", DisplayErrorContext(error)))
    }

    /// Adds one, under no condition: whatever the record says, two commits make two.
    fn mark(&self, job: &Job, ctx: &Context) -> TransactWriteItem {
        let update = Update::builder()
            .table_name(&self.marks)
            .key("job_id", AttributeValue::S(job.id.clone()))
            .update_expression("ADD commits :one SET by_token = :token")
            .expression_attribute_values(":one", AttributeValue::N("1".into()))
            .expression_attribute_values(":token", AttributeValue::S(ctx.token().to_owned()))
            .build()
            .expect("invariant: table, key and expression are set");
        TransactWriteItem::builder().update(update).build()
    }
}

fn poison(reason: &str) -> Outcome {
    Outcome::Poison {
        reason: reason.into(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a job's work is to take its time"
)]
async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
