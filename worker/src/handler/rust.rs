//! Handlers in Rust: any `async` closure or function of a job and its context is one.
//!
//! It may answer with an [`Outcome`], or with a `Result` whose error is a [`Failure`], so that `?`
//! serves. [`json`] does the reading and writing of JSON around such a closure. State goes into a
//! type that implements [`Handler`] itself.

use std::future::Future;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Context, Failure, Handler, Job, Outcome};

#[async_trait]
impl<F, Work> Handler for F
where
    F: Fn(Job, Context) -> Work + Send + Sync + 'static,
    Work: Future + Send,
    Work::Output: Into<Outcome>,
{
    async fn handle(&self, job: Job, ctx: Context) -> Outcome {
        self(job, ctx).await.into()
    }
}

/// A handler of jobs whose body is JSON and whose result is to be.
///
/// A body that does not parse is poison, with the place in the reason. An error that `?` passes on
/// is a retry, see [`Failure`].
///
/// ```
/// use serde_json::{Value, json};
/// use weir_worker::{Job, json};
///
/// #[derive(serde::Deserialize)]
/// struct Order {
///     items: Vec<u32>,
/// }
///
/// let handler = json(|job: Job<Order>, _ctx| async move {
///     Ok(json!({ "order": job.id, "total": job.body.items.iter().sum::<u32>() }))
/// });
/// # fn is_handler(_: impl weir_worker::Handler) {}
/// # is_handler(handler);
/// ```
pub fn json<Body, Made, F, Work>(work: F) -> impl Handler
where
    Body: DeserializeOwned + Send + 'static,
    Made: Serialize + Send + 'static,
    F: Fn(Job<Body>, Context) -> Work + Send + Sync + 'static,
    Work: Future<Output = Result<Made, Failure>> + Send,
{
    move |job: Job, ctx: Context| {
        let begun = job.parse_json().map(|job| work(job, ctx));
        async move {
            match begun?.await {
                Ok(made) => Ok(Outcome::json(&made)),
                Err(failure) => Err(failure),
            }
        }
    }
}
