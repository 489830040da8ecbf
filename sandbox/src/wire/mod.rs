//! The cloud over HTTP, in AWS's own protocols, on one port.
//!
//! Owns protocols, waiting and the clock. What a call does is the models' business, in
//! [`crate::cloud`], who may make it [`crate::iam`]'s. A request's service and caller are told by the
//! scope of its `SigV4` signature; signatures are not checked: everything is on loopback.

mod access;
mod autoscaling;
mod clock;
mod cloudwatch;
mod driver;
mod ec2;
mod ecs;
mod query;
mod reply;
mod request;
mod shared;
mod sqs;
mod xml;

use std::future::Future;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::response::Response;
use tokio::net::TcpListener;

pub use self::driver::drive;
use self::request::{Call, Service};
pub use self::shared::{Calls, SharedCloud};

/// The largest body taken: a batch of messages of 1 MiB in all, escaped at its worst.
const BODY_BYTES_MAX: usize = 16 << 20;

/// Serves the cloud on `listener` until `shutdown` completes. Calls under way are finished; receives
/// that wait are ended with what there is.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    cloud: SharedCloud,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let app = Router::new()
        .fallback(answer)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(cloud);
    let serving = axum::serve(listener, app);
    tokio::select! {
        result = serving => result,
        () = shutdown => Ok(()),
    }
}

/// What a task's container finds in its environment, where the cloud is served at `door`.
pub fn container_env(door: &str, task: &str) -> [(&'static str, String); 2] {
    ecs::container::endpoints(door, task)
}

async fn answer(State(cloud): State<SharedCloud>, request: Request) -> Response {
    if ecs::container::is_from_inside(request.uri().path()) {
        return ecs::container::answer(&cloud, request).await;
    }
    let call = match Call::read(request, BODY_BYTES_MAX).await {
        Ok(call) => call,
        Err(response) => return *response,
    };
    let Some(action) = call.action() else {
        return request::unreadable("The request names no action.");
    };
    if let Some(iam) = cloud.iam() {
        let accesses = access::accesses(&cloud, &call, &action, iam.place());
        if let Err(refusal) = iam.judge(&call.access_key, &accesses) {
            return access::refused(&call, &refusal);
        }
    }
    cloud.count_call(call.service.name(), &action);
    match call.service {
        Service::Sqs => sqs::answer(&cloud, &call, &action).await,
        Service::Autoscaling => autoscaling::answer(&cloud, &call, &action),
        Service::Ec2 => ec2::answer(&cloud, &call, &action),
        Service::Ecs => ecs::answer(&cloud, &call, &action),
        Service::CloudWatch => cloudwatch::answer(&cloud, &call, &action),
    }
}
