//! A job's span: what every log line within it carries, and where OpenTelemetry's span is made.
//!
//! It must not know how spans are exported.

use tracing::Span;

use super::{Fate, Trace};
use crate::queue::Message;

/// The span of what a message asks for. It ends with the message's stay in this worker.
pub(crate) fn of_job(message: &Message, queue: &str) -> Span {
    let span = tracing::info_span!(
        "job",
        job_id = message.job_id(),
        queue,
        attempt = tracing::field::Empty,
        otel.kind = tracing::field::Empty,
    );
    #[cfg(feature = "otel")]
    if super::otel::is_on() {
        super::otel::describe(&span, sent(message).as_ref(), message, queue);
    }
    span
}

/// An attempt begins within the job's span.
pub(crate) fn attempt(number: u32) {
    Span::current().record("attempt", number);
}

/// The job of the current span has met its fate.
pub(crate) fn ends(fate: Fate) {
    #[cfg(feature = "otel")]
    if super::otel::is_on() {
        super::otel::conclude(&Span::current(), fate);
    }
    #[cfg(not(feature = "otel"))]
    let _ = fate;
}

/// The trace to be handed to the job's handler: the place of the current span, if it is exported,
/// else the sender's.
pub(crate) fn trace(message: &Message) -> Option<Trace> {
    #[cfg(feature = "otel")]
    if super::otel::is_on()
        && let Some(place) = super::otel::place(&Span::current())
    {
        return Some(place);
    }
    sent(message)
}

fn sent(message: &Message) -> Option<Trace> {
    Trace::of(&message.attributes, message.trace_header.as_deref())
}
