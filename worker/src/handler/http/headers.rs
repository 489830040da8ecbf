//! What a service is told about a job beside its body.
//!
//! It owns the mapping of message attributes to headers, and must not send anything.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use serde::de::IgnoredAny;

use crate::handler::{Context, Job};
use crate::observe::trace::{TRACEPARENT, TRACESTATE};
use crate::queue::Attribute;

/// The attribute that gives the body's media type.
const CONTENT_TYPE_ATTRIBUTE: &str = "ContentType";

/// The headers of a job's request.
pub(super) fn of(job: &Job, ctx: &Context) -> HeaderMap {
    let deadline = ctx.deadline_unix_seconds().floor().to_string();
    let agent = concat!("weir-worker/", env!("CARGO_PKG_VERSION"));
    let own = [
        (USER_AGENT, agent.to_owned()),
        (CONTENT_TYPE, content_type(job)),
        (HeaderName::from_static("x-weir-job-id"), job.id.clone()),
        (
            HeaderName::from_static("x-weir-attempt"),
            ctx.attempt().to_string(),
        ),
        (HeaderName::from_static("x-weir-deadline"), deadline),
        (HeaderName::from_static("x-weir-token"), ctx.token().into()),
    ];
    let trace = ctx.trace().into_iter().flat_map(|trace| {
        let state = trace.tracestate.clone();
        let state = state.map(|state| (HeaderName::from_static(TRACESTATE), state));
        let parent = trace.traceparent.clone();
        std::iter::once((HeaderName::from_static(TRACEPARENT), parent)).chain(state)
    });
    let own = own
        .into_iter()
        .chain(trace)
        .filter_map(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?)));
    let attributes = job
        .attributes
        .iter()
        .filter_map(|(name, value)| attribute(name, value));
    let mut headers: HeaderMap = own.collect();
    // Names that differ only in case are one header to HTTP: both values are sent.
    for (name, value) in attributes {
        headers.append(name, value);
    }
    headers
}

/// The attribute's word, or what the body is: JSON, or else text.
fn content_type(job: &Job) -> String {
    let given = job
        .attributes
        .get(CONTENT_TYPE_ATTRIBUTE)
        .and_then(Attribute::text)
        .filter(|text| is_plain(text));
    given.map_or_else(|| sniffed(&job.body).to_owned(), str::to_owned)
}

fn sniffed(body: &str) -> &'static str {
    if serde_json::from_str::<IgnoredAny>(body).is_ok() {
        "application/json"
    } else {
        "text/plain; charset=utf-8"
    }
}

/// `X-Weir-Attr-` and the name, which by SQS's rules has only letters, digits, `_`, `-` and `.`.
/// Printable ASCII goes as it is; other text by RFC 8187 under the name with `*`; bytes as Base64.
fn attribute(name: &str, attribute: &Attribute) -> Option<(HeaderName, HeaderValue)> {
    let (suffix, value) = match attribute {
        Attribute::Text { value, .. } if is_plain(value) => ("", value.clone()),
        Attribute::Text { value, .. } => ("*", extended(value)),
        Attribute::Binary { value, .. } => ("", STANDARD.encode(value)),
    };
    let name = format!("x-weir-attr-{name}{suffix}").to_ascii_lowercase();
    Some((
        HeaderName::try_from(name).ok()?,
        HeaderValue::try_from(value).ok()?,
    ))
}

/// Whether a header carries the text unharmed: blanks at its ends would be cut.
fn is_plain(text: &str) -> bool {
    let printable = |byte: u8| matches!(byte, b' '..=b'~');
    text.bytes().all(printable) && text.trim_matches(' ') == text
}

/// RFC 8187's `UTF-8''…`: what it does not call `attr-char` is percent-encoded.
fn extended(text: &str) -> String {
    let mut value = String::from("UTF-8''");
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            value.push(char::from(byte));
        } else {
            let _ = write!(value, "%{byte:02X}");
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn text_that_a_header_cannot_carry_is_encoded() {
        let sent = |value| attribute("My.Name_1", &value).unwrap();
        let (name, value) = sent(Attribute::string("a b~"));
        assert_eq!(
            (name.as_str(), value.to_str().unwrap()),
            ("x-weir-attr-my.name_1", "a b~")
        );
        for (text, encoded) in [
            ("€ 5", "UTF-8''%E2%82%AC%205"),
            ("two\nlines", "UTF-8''two%0Alines"),
            (" blank", "UTF-8''%20blank"),
        ] {
            let (name, value) = sent(Attribute::string(text));
            assert_eq!(name, "x-weir-attr-my.name_1*");
            assert_eq!(value, encoded);
        }
        let bytes = Attribute::Binary {
            data_type: "Binary".into(),
            value: Bytes::from_static(b"\xff\x00"),
        };
        assert_eq!(sent(bytes).1, "/wA=");
    }

    /// As a service would.
    fn decoded(value: &str) -> String {
        let mut bytes = Vec::new();
        let mut rest = value.strip_prefix("UTF-8''").unwrap();
        while let Some(byte) = rest.bytes().next() {
            if byte == b'%' {
                bytes.push(u8::from_str_radix(&rest[1..3], 16).unwrap());
                rest = &rest[3..];
            } else {
                bytes.push(byte);
                rest = &rest[1..];
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    proptest::proptest! {
        #[test]
        fn every_text_arrives(text in "\\PC{0,20}|[\\x00-\\x7f]{0,20}|.{0,20}") {
            let (name, value) = attribute("Title", &Attribute::string(text.clone())).unwrap();
            let value = value.to_str().unwrap();
            let arrived = match name.as_str() {
                "x-weir-attr-title" => value.to_owned(),
                _ => decoded(value),
            };
            proptest::prop_assert_eq!(arrived, text);
        }
    }

    #[test]
    fn body_says_what_it_is_unless_an_attribute_does() {
        assert_eq!(sniffed(r#"{"width":1}"#), "application/json");
        assert_eq!(sniffed(r#"{"width":"#), "text/plain; charset=utf-8");
        assert_eq!(sniffed("hello"), "text/plain; charset=utf-8");
    }
}
