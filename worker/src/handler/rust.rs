//! Handlers in Rust: any `async` closure or function of a job and its context is one.
//!
//! State goes into a type that implements [`Handler`] itself.

use std::future::Future;

use async_trait::async_trait;

use super::{Context, Handler, Job, Outcome};

#[async_trait]
impl<F, Done> Handler for F
where
    F: Fn(Job, Context) -> Done + Send + Sync + 'static,
    Done: Future<Output = Outcome> + Send,
{
    async fn handle(&self, job: Job, ctx: Context) -> Outcome {
        self(job, ctx).await
    }
}
