//! The trace that a message's sender was in, in the form that W3C gives it.
//!
//! Text to text, with no tracing library: handlers in any language are told of the trace whether or
//! not the worker exports spans. It must not invent a trace.

use std::collections::BTreeMap;

use crate::queue::Attribute;

/// The message attribute and header of the trace's place (W3C Trace Context, section 3.2).
pub const TRACEPARENT: &str = "traceparent";

/// The message attribute and header of what vendors add (W3C Trace Context, section 3.3).
pub const TRACESTATE: &str = "tracestate";

/// A place in a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// `00-<trace id>-<parent span id>-<flags>`.
    pub traceparent: String,
    /// What vendors added, unread.
    pub tracestate: Option<String>,
}

impl Trace {
    /// The trace of a message: from its attributes `traceparent` and `tracestate`, else from SQS's
    /// system attribute `AWSTraceHeader`. What is malformed counts as absent.
    pub fn of(
        attributes: &BTreeMap<String, Attribute>,
        trace_header: Option<&str>,
    ) -> Option<Self> {
        let text = |name| attributes.get(name).and_then(Attribute::text);
        let from_w3c = text(TRACEPARENT)
            .map(str::trim)
            .filter(|value| is_traceparent(value))
            .map(|traceparent| Self {
                traceparent: traceparent.to_owned(),
                tracestate: text(TRACESTATE).map(str::to_owned),
            });
        from_w3c.or_else(|| Self::from_xray(trace_header?))
    }

    /// The trace of an X-Ray header, `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=…;Sampled=1`.
    /// Its root is the trace id with a version and dashes (X-Ray Developer Guide, "Tracing header"
    /// and "Sending trace data: trace IDs"). Without a parent there is no place in the trace to
    /// continue from.
    pub fn from_xray(header: &str) -> Option<Self> {
        let fields: BTreeMap<&str, &str> = header
            .split(';')
            .filter_map(|field| field.trim().split_once('='))
            .collect();
        let (version, id) = fields.get("Root")?.split_once('-')?;
        let (time, unique) = id.split_once('-')?;
        let parent = fields.get("Parent")?;
        // `?`, or nothing: the sender leaves the decision to us.
        let flags = if fields.get("Sampled") == Some(&"0") {
            "00"
        } else {
            "01"
        };
        let traceparent = format!("00-{time}{unique}-{parent}-{flags}").to_ascii_lowercase();
        let whole = version == "1" && time.len() == 8 && is_traceparent(&traceparent);
        whole.then_some(Self {
            traceparent,
            tracestate: None,
        })
    }
}

/// Whether a text is a `traceparent` of version 00, or a later one that begins like it.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace_id, parent_id, flags, later @ ..] = parts.as_slice() else {
        return false;
    };
    let hex = |part: &str, length| {
        part.len() == length
            && part
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let not_zero = |part: &str| part.bytes().any(|b| b != b'0');
    hex(version, 2)
        && *version != "ff"
        && (later.is_empty() || *version != "00")
        && hex(trace_id, 32)
        && not_zero(trace_id)
        && hex(parent_id, 16)
        && not_zero(parent_id)
        && hex(flags, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const W3C: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const XRAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

    fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, Attribute> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Attribute::string(*value)))
            .collect()
    }

    #[test]
    fn xray_header_becomes_a_traceparent() {
        let trace = Trace::from_xray(XRAY).unwrap();
        assert_eq!(
            trace.traceparent,
            "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"
        );
        let unsampled = Trace::from_xray(&XRAY.replace("Sampled=1", "Sampled=0")).unwrap();
        assert!(unsampled.traceparent.ends_with("-00"));
        let undecided = Trace::from_xray(&XRAY.replace("Sampled=1", "Sampled=?")).unwrap();
        assert!(undecided.traceparent.ends_with("-01"));
        let odd = "Self=1-67891234-12456789abcdef012345678;Root=1-5759e988-bd862e3fe1be46a994272793; \
                   Parent=53995c3f42cd8ad8;Lineage=a:1";
        assert!(Trace::from_xray(odd).is_some());
    }

    #[test]
    fn w3c_wins_over_xray() {
        let both = attributes(&[(TRACEPARENT, W3C), (TRACESTATE, "a=1")]);
        let trace = Trace::of(&both, Some(XRAY)).unwrap();
        assert_eq!(trace.traceparent, W3C);
        assert_eq!(trace.tracestate.as_deref(), Some("a=1"));
        let malformed = attributes(&[(TRACEPARENT, "nonsense"), (TRACESTATE, "a=1")]);
        let trace = Trace::of(&malformed, Some(XRAY)).unwrap();
        assert!(trace.traceparent.starts_with("00-5759e988"));
        assert_eq!(trace.tracestate, None, "it belonged to what was refused");
    }

    #[test]
    fn malformed_is_absent() {
        let zeros = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        for bad in [
            "",
            "00",
            zeros,
            &W3C.to_uppercase(),
            &format!("{W3C}-x"),
            &format!("ff{}", &W3C[2..]),
        ] {
            assert_eq!(
                Trace::of(&attributes(&[(TRACEPARENT, bad)]), None),
                None,
                "{bad}"
            );
        }
        for bad in [
            "",
            "Root=1-5759e988-bd862e3fe1be46a994272793",
            "Root=;Parent=",
            "Root=2-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8",
            "Root=1-xx59e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8",
        ] {
            assert_eq!(Trace::from_xray(bad), None, "{bad}");
        }
        let later = format!("01{}-what-comes", &W3C[2..]);
        assert!(Trace::of(&attributes(&[(TRACEPARENT, &later)]), None).is_some());
    }
}
