//! SQS over HTTP: AWS JSON 1.0, and the waiting of long polls.

mod error;
mod messages;
mod queues;
mod receive;
mod shapes;

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::request::{Call, Protocol};
use super::{SharedCloud, reply};
use crate::cloud::{ApiError, ApiResult};

/// What answers with nothing answers with this.
#[derive(Serialize)]
struct Empty {}

pub(super) async fn answer(cloud: &SharedCloud, call: &Call, action: &str) -> Response {
    if call.protocol != Protocol::Json {
        return super::request::unreadable(
            "SQS is played in its JSON protocol only; Query is what SDKs before 2023 speak.",
        );
    }
    let result = match action {
        "ReceiveMessage" => receive::receive(cloud, call).await,
        _ => messages::answer(cloud, call, action)
            .or_else(|| queues::answer(cloud, call, action))
            .unwrap_or_else(|| Err(unknown(action))),
    };
    result.map_or_else(
        |error| error::response(&error),
        |body| reply::json(StatusCode::OK, body),
    )
}

/// An answer's body.
type Body = Vec<u8>;

fn read<T: DeserializeOwned>(call: &Call) -> ApiResult<T> {
    serde_json::from_slice(&call.body)
        .map_err(|error| ApiError::new("SerializationException", error))
}

fn write(value: &impl Serialize) -> ApiResult<Body> {
    serde_json::to_vec(value).map_err(|error| ApiError::new("InternalFailure", error))
}

/// A queue's name is the last part of its URL.
fn queue_name(url: &str) -> ApiResult<&str> {
    match url.rsplit('/').next() {
        Some(name) if !name.is_empty() => Ok(name),
        _ => Err(ApiError::new(
            "MissingParameter",
            "The request must contain the parameter QueueUrl.",
        )),
    }
}

fn unknown(action: &str) -> ApiError {
    ApiError::new(
        "UnknownOperationException",
        format!("SQS's operation {action} is not played here."),
    )
}
