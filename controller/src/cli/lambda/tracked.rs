//! A layer that knows whether an invocation is under way, its answer to the runtime included.

use std::task::{Context, Poll};

use lambda_runtime::Service;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TrackedFuture;

/// A service whose calls are counted as long as they run.
pub(super) struct Tracked<S> {
    inner: S,
    under_way: TaskTracker,
}

impl<S> Tracked<S> {
    pub(super) fn new(inner: S, under_way: TaskTracker) -> Self {
        Self { inner, under_way }
    }
}

impl<S: Service<Request>, Request> Service<Request> for Tracked<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = TrackedFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        self.under_way.track_future(self.inner.call(request))
    }
}
