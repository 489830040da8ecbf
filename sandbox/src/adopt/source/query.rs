//! The few calls for which no SDK crate is at hand, or a very large one: IAM, STS, EC2, ECS, Lambda.
//!
//! It speaks their protocols, unsigned but for the scope that names the service: it is an emulator
//! that listens.

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use quick_xml::events::Event;
use serde_json::Value;

/// The largest answer taken.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// A call that failed.
#[derive(Debug, thiserror::Error)]
#[error("{call} failed: {reason}")]
pub struct CallError {
    /// Service and action.
    pub call: String,
    /// What came of it.
    pub reason: String,
}

/// The emulator's wire.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    url: String,
    region: String,
    client: Client<HttpConnector, Body>,
}

/// An XML element: its name, its text, what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Wire {
    pub(super) fn new(url: &str, region: &str) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            region: region.to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// A call in the Query protocol.
    pub(super) async fn query(
        &self,
        service: &str,
        action: &str,
        params: &[(&str, &str)],
    ) -> Result<Element, CallError> {
        let version = match service {
            "ec2" => "2016-11-15",
            "iam" => "2010-05-08",
            _ => "2011-06-15",
        };
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", action)
            .append_pair("Version", version)
            .extend_pairs(params)
            .finish();
        let request = self
            .request(service)
            .method("POST")
            .uri(format!("{}/", self.url))
            .header("content-type", "application/x-www-form-urlencoded");
        let call = format!("{service}:{action}");
        let answer = self.send(&call, request.body(body.into())).await?;
        let text = String::from_utf8_lossy(&answer);
        Element::parse(&text).map_err(|reason| CallError { call, reason })
    }

    /// A call in the JSON protocol, `target` being `PREFIX.Action`.
    pub(super) async fn json(
        &self,
        service: &str,
        target: &str,
        body: &Value,
    ) -> Result<Value, CallError> {
        let request = self
            .request(service)
            .method("POST")
            .uri(format!("{}/", self.url))
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", target);
        self.value(target, request.body(body.to_string().into()))
            .await
    }

    /// A call of a REST API.
    pub(super) async fn get(&self, service: &str, path: &str) -> Result<Value, CallError> {
        let request = self.request(service).uri(format!("{}{path}", self.url));
        let call = format!("{service}: GET {path}");
        self.value(&call, request.body(Body::empty())).await
    }

    fn request(&self, service: &str) -> axum::http::request::Builder {
        let scope = format!("testing/20260101/{}/{service}/aws4_request", self.region);
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
        Request::builder().header("authorization", authorization)
    }

    async fn value(
        &self,
        call: &str,
        request: axum::http::Result<Request<Body>>,
    ) -> Result<Value, CallError> {
        let answer = self.send(call, request).await?;
        serde_json::from_slice(&answer).map_err(|error| CallError {
            call: call.to_owned(),
            reason: format!("the answer is not JSON: {error}"),
        })
    }

    async fn send(
        &self,
        call: &str,
        request: axum::http::Result<Request<Body>>,
    ) -> Result<Bytes, CallError> {
        let failed = |reason: String| CallError {
            call: call.to_owned(),
            reason,
        };
        let request = request.map_err(|error| failed(error.to_string()))?;
        let answer = self.client.request(request).await;
        let answer =
            answer.map_err(|error| failed(format!("{} does not answer: {error}", self.url)))?;
        let status = answer.status();
        let body = axum::body::to_bytes(Body::new(answer.into_body()), ANSWER_BYTES_MAX).await;
        let body = body.map_err(|error| failed(error.to_string()))?;
        if status == StatusCode::OK {
            Ok(body)
        } else {
            Err(failed(format!(
                "{status}: {}",
                String::from_utf8_lossy(&body)
            )))
        }
    }
}

impl Element {
    fn parse(text: &str) -> Result<Self, String> {
        let mut reader = quick_xml::Reader::from_str(text);
        let mut open = vec![Element::default()];
        loop {
            let event = reader.read_event().map_err(|error| error.to_string())?;
            let top = open.len() - 1;
            match event {
                Event::Start(tag) => open.push(Element::named(tag.local_name().as_ref())),
                Event::Empty(tag) => open[top]
                    .children
                    .push(Element::named(tag.local_name().as_ref())),
                Event::Text(part) => {
                    open[top].text.push_str(&part);
                }
                Event::GeneralRef(entity) => {
                    let entity = format!("&{};", &*entity);
                    let plain = quick_xml::escape::unescape(&entity);
                    open[top]
                        .text
                        .push_str(&plain.map_err(|error| error.to_string())?);
                }
                Event::End(_) => {
                    if let (Some(done), Some(parent)) = (open.pop(), open.last_mut()) {
                        parent.children.push(done);
                    }
                }
                Event::Eof => return open.pop().ok_or_else(|| "the answer is no XML".into()),
                _ => {}
            }
        }
    }

    fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// All elements of this name, at any depth, that do not lie in one of the same name.
    pub(super) fn all(&self, name: &str) -> Vec<&Element> {
        let found = self.children.iter().flat_map(|child| {
            if child.name == name {
                vec![child]
            } else {
                child.all(name)
            }
        });
        found.collect()
    }

    /// The text of the first element of this name.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).first().map(|element| element.text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_by_the_names_of_their_elements() {
        let xml = "<?xml version=\"1.0\"?><R xmlns=\"x\"><L><member><N>a &lt; b</N></member><member><N>c</N></member></L><Empty/></R>";
        let answer = Element::parse(xml).unwrap();
        assert_eq!(answer.first("N"), Some("a < b"));
        assert_eq!(answer.all("member").len(), 2);
        assert_eq!(answer.first("Empty"), Some(""));
        assert_eq!(answer.first("None"), None);
        assert!(Element::parse("<R><open></R>").is_err());
    }
}
