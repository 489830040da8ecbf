//! CloudWatch over HTTP: Smithy RPC v2 CBOR, which the Rust SDK speaks, and AWS JSON 1.0, which boto3
//! and the AWS CLI speak. Both read into the same requests, and both are written from the same answers.

mod data;
mod out;
mod shapes;

use axum::http::StatusCode;
use axum::response::Response;
use serde::de::DeserializeOwned;

use self::out::Out;
use super::request::{Call, Protocol};
use super::{SharedCloud, reply};
use crate::cloud::{ApiError, ApiResult};

pub(super) fn answer(cloud: &SharedCloud, call: &Call, action: &str) -> Response {
    if call.protocol == Protocol::Query {
        return super::autoscaling::error_response(&ApiError::new(
            "InvalidAction",
            "CloudWatch is played in its CBOR and JSON protocols; Query is what older SDKs speak.",
        ));
    }
    let result = match action {
        "PutMetricData" => data::put(cloud, call),
        "GetMetricData" => data::get(cloud, call),
        "GetMetricStatistics" => data::statistics(cloud, call),
        "ListMetrics" => data::list(cloud, call),
        _ => Err(ApiError::new(
            "UnknownOperationException",
            format!("CloudWatch's operation {action} is not played here."),
        )),
    };
    match result {
        Ok(out) => written(call.protocol, StatusCode::OK, &out),
        Err(error) => error_response(call.protocol, &error),
    }
}

fn error_response(protocol: Protocol, error: &ApiError) -> Response {
    let shape = match error.code {
        "InvalidParameterValue" | "InvalidParameterCombination" => {
            format!("com.amazonaws.cloudwatch#{}Exception", error.code)
        }
        "MissingParameter" => "com.amazonaws.cloudwatch#MissingRequiredParameterException".into(),
        code => format!("com.amazonaws.cloudwatch#{code}"),
    };
    let response = self::error(protocol, &shape, &error.message);
    reply::with_query_error(response, error.code)
}

pub(super) fn error(protocol: Protocol, shape: &str, message: &str) -> Response {
    let body = Out::map([
        ("__type", Out::Text(shape.to_owned())),
        ("message", Out::Text(message.to_owned())),
    ]);
    written(protocol, StatusCode::BAD_REQUEST, &body)
}

/// The namespace that a call is about.
pub(super) fn namespace(call: &Call) -> Option<String> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct About {
        namespace: String,
    }
    read(call).ok().map(|about: About| about.namespace)
}

fn written(protocol: Protocol, status: StatusCode, out: &Out) -> Response {
    match protocol {
        Protocol::Cbor => reply::cbor(status, out.to_cbor()),
        _ => reply::json(status, out.to_json().to_string()),
    }
}

fn read<T: DeserializeOwned>(call: &Call) -> ApiResult<T> {
    let unreadable = |error: String| ApiError::new("SerializationException", error);
    let value = match call.protocol {
        Protocol::Cbor => out::json_of_cbor(&call.body).map_err(unreadable)?,
        _ => serde_json::from_slice(&call.body).map_err(|error| unreadable(error.to_string()))?,
    };
    serde_json::from_value(value).map_err(|error| unreadable(error.to_string()))
}
