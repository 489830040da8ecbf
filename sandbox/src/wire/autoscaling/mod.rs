//! Auto Scaling over HTTP: AWS Query, answered in XML.

mod groups;
mod instances;
mod policies;
mod write;

use axum::http::StatusCode;
use axum::response::Response;

use super::query::Params;
use super::request::{Call, Protocol};
use super::xml::Xml;
use super::{SharedCloud, reply};
use crate::cloud::ApiError;

const NAMESPACE: &str = "http://autoscaling.amazonaws.com/doc/2011-01-01/";

/// What writes an answer's result element.
type Answer = Box<dyn FnOnce(&mut Xml)>;

pub(super) fn answer(cloud: &SharedCloud, call: &Call, action: &str) -> Response {
    if call.protocol != Protocol::Query {
        return super::request::unreadable("Auto Scaling is played in the Query protocol only.");
    }
    let params = call.params();
    let request = Request {
        cloud,
        region: &call.region,
        params: &params,
    };
    let result = groups::answer(&request, action)
        .or_else(|| instances::answer(&request, action))
        .or_else(|| policies::answer(&request, action))
        .unwrap_or_else(|| Err(unknown(action)));
    cloud.wake_driver();
    match result {
        Ok(answer) => reply::xml(StatusCode::OK, document(action, answer)),
        Err(error) => error_response(&error),
    }
}

/// A request, and what it works on.
struct Request<'a> {
    cloud: &'a SharedCloud,
    region: &'a str,
    params: &'a Params,
}

fn document(action: &str, answer: Answer) -> String {
    Xml::document(&format!("{action}Response"), NAMESPACE, |xml| {
        xml.node(&format!("{action}Result"), answer);
        xml.node("ResponseMetadata", |xml| {
            xml.text("RequestId", reply::REQUEST_ID);
        });
    })
}

fn nothing() -> Answer {
    Box::new(|_| {})
}

pub(super) fn error_response(error: &ApiError) -> Response {
    let body = error_document(error.code, &error.message);
    reply::xml(StatusCode::BAD_REQUEST, body)
}

pub(super) fn error_document(code: &str, message: &str) -> String {
    Xml::document("ErrorResponse", NAMESPACE, |xml| {
        xml.node("Error", |xml| {
            xml.text("Type", "Sender");
            xml.text("Code", code);
            xml.text("Message", message);
        });
        xml.text("RequestId", reply::REQUEST_ID);
    })
}

fn unknown(action: &str) -> ApiError {
    ApiError::new(
        "InvalidAction",
        format!("Auto Scaling's operation {action} is not played here."),
    )
}
