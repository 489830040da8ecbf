//! Spans for OpenTelemetry: each job's, in its sender's trace, exported by OTLP over HTTP.
//!
//! Configured by OpenTelemetry's standard environment variables, and off without an endpoint. It
//! must not hold up a job: spans are handed to a thread of the SDK's, which drops what does not fit.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Status, TraceContextExt, TracerProvider};
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    HttpExporterBuilderSet, SpanExporter, SpanExporterBuilder, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracerProvider, Tracer};
use tokio::runtime::Handle;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt};
use tracing_subscriber::registry::LookupSpan;

use super::Fate;
use super::trace::{TRACEPARENT, TRACESTATE, Trace};
use crate::queue::Message;

/// The exporter's limit for a request unless `OTEL_EXPORTER_OTLP_TIMEOUT` says otherwise
/// (OpenTelemetry Protocol Exporter specification).
const EXPORT_LIMIT: Duration = Duration::from_secs(10);

/// How long the last spans may take at the end.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// Whether this process exports spans. `tracing::enabled!` cannot be asked instead: beside filters of
/// single layers it makes them miss the events that follow.
static ON: AtomicBool = AtomicBool::new(false);

pub(super) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// The exporter of a process, to be flushed at its end.
#[derive(Debug)]
pub struct Export {
    provider: SdkTracerProvider,
}

/// Why spans cannot be exported.
#[derive(Debug, thiserror::Error)]
#[error("spans cannot be exported: {why}: look at OTEL_EXPORTER_OTLP_ENDPOINT")]
pub struct ExportError {
    why: String,
}

impl Export {
    /// Sets the export up if the environment asks for it: `OTEL_EXPORTER_OTLP_ENDPOINT` or
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, and neither `OTEL_SDK_DISABLED=true` nor
    /// `OTEL_TRACES_EXPORTER=none`. Requests are made on the runtime of `handle`.
    pub fn from_environment(handle: Handle) -> Result<Option<Self>, ExportError> {
        let disabled = variable("OTEL_SDK_DISABLED")
            .is_some_and(|v| v.eq_ignore_ascii_case("true"))
            || variable("OTEL_TRACES_EXPORTER").is_some_and(|v| v == "none");
        let endpoint = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
            .or_else(|| variable("OTEL_EXPORTER_OTLP_ENDPOINT"));
        let Some(endpoint) = endpoint.filter(|_| !disabled) else {
            return Ok(None);
        };
        // The exporter itself reads the endpoint from the environment, and the path with it.
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new(&endpoint, handle)?);
        Self::through(exporter).map(Some)
    }

    /// Exports to one endpoint, such as `http://127.0.0.1:4318/v1/traces`.
    pub fn to(endpoint: &str, handle: Handle) -> Result<Self, ExportError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new(endpoint, handle)?)
            .with_endpoint(endpoint);
        Self::through(exporter)
    }

    fn through(exporter: SpanExporterBuilder<HttpExporterBuilderSet>) -> Result<Self, ExportError> {
        let exporter = exporter.build().map_err(|error| ExportError {
            why: error.to_string(),
        })?;
        let provider = SdkTracerProvider::builder()
            .with_resource(resource())
            .with_batch_exporter(exporter)
            .build();
        ON.store(true, Ordering::Relaxed);
        Ok(Self { provider })
    }

    /// The layer that makes OpenTelemetry's spans of tracing's.
    pub fn layer<S>(&self) -> OpenTelemetryLayer<S, Tracer>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer()
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_tracer(self.provider.tracer("weir-worker"))
    }

    /// Sends what is left. It blocks, and the runtime given at the start must still be there.
    pub fn flush(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(FLUSH_LIMIT) {
            tracing::warn!(%error, "the last spans could not be exported");
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "OpenTelemetry is configured by its standard environment variables, here as everywhere"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The service's name is the program's unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES`
/// says otherwise.
fn resource() -> Resource {
    let named = variable("OTEL_SERVICE_NAME").is_some()
        || variable("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|v| v.contains("service.name="));
    let builder = Resource::builder();
    if named {
        builder.build()
    } else {
        builder.with_service_name("weir-worker").build()
    }
}

/// A client that speaks TLS only if the endpoint does: the roots take memory.
fn client(endpoint: &str) -> Result<Arc<dyn HttpClient>, ExportError> {
    let limit = variable("OTEL_EXPORTER_OTLP_TIMEOUT").and_then(|millis| millis.parse().ok());
    let limit = limit.map_or(EXPORT_LIMIT, Duration::from_millis);
    if !endpoint.starts_with("https:") {
        return Ok(Arc::new(HyperClient::with_default_connector(limit, None)));
    }
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())
        .map_err(|error| ExportError {
            why: format!("no root certificates: {error}"),
        })?
        .https_only()
        .enable_http1()
        .build();
    Ok(Arc::new(HyperClient::new(connector, limit, None)))
}

/// The SDK exports from a thread of its own, and hyper needs a runtime.
#[derive(Debug)]
struct Client {
    inner: Arc<dyn HttpClient>,
    handle: Handle,
}

impl Client {
    fn new(endpoint: &str, handle: Handle) -> Result<Self, ExportError> {
        let inner = client(endpoint)?;
        Ok(Self { inner, handle })
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let inner = Arc::clone(&self.inner);
        let sent = self
            .handle
            .spawn(async move { inner.send_bytes(request).await });
        sent.await?
    }
}

/// Makes a job's span one of a consumer in its sender's trace, by OpenTelemetry's conventions for
/// messaging ("Semantic conventions for messaging spans" and "for AWS SQS").
pub(super) fn describe(span: &Span, trace: Option<&Trace>, message: &Message, queue: &str) {
    span.record("otel.kind", "consumer");
    if let Some(trace) = trace {
        // It fails only where no layer makes spans of it.
        let _ = span.set_parent(TraceContextPropagator::new().extract(&carrier(trace)));
    }
    span.context()
        .span()
        .update_name(format!("process {queue}"));
    span.set_attribute("messaging.system", "aws_sqs");
    span.set_attribute("messaging.operation.type", "process");
    span.set_attribute("messaging.operation.name", "process");
    span.set_attribute("messaging.destination.name", queue.to_owned());
    span.set_attribute("messaging.message.id", message.id.clone());
    let size = i64::try_from(message.body.len()).unwrap_or(i64::MAX);
    span.set_attribute("messaging.message.body.size", size);
}

/// Where the span stands, to be handed on.
pub(super) fn place(span: &Span) -> Option<Trace> {
    let context = span.context();
    if !context.span().span_context().is_valid() {
        return None;
    }
    let mut fields = HashMap::new();
    TraceContextPropagator::new().inject_context(&context, &mut fields);
    Some(Trace {
        traceparent: fields.remove(TRACEPARENT)?,
        tracestate: fields.remove(TRACESTATE).filter(|state| !state.is_empty()),
    })
}

/// Gives the span the status that goes with its job's fate.
pub(super) fn conclude(span: &Span, fate: Fate) {
    span.set_attribute("weir.outcome", fate.label());
    match fate {
        Fate::Done | Fate::Duplicate => span.set_status(Status::Ok),
        Fate::Retried | Fate::Poison | Fate::Fenced => {
            span.set_attribute("error.type", fate.label());
            span.set_status(Status::error(fate.label()));
        }
        Fate::HandedBack | Fate::Elsewhere => {}
    }
}

fn carrier(trace: &Trace) -> HashMap<String, String> {
    let state = trace.tracestate.clone();
    let state = state.map(|state| (TRACESTATE.to_owned(), state));
    let parent = (TRACEPARENT.to_owned(), trace.traceparent.clone());
    std::iter::once(parent).chain(state).collect()
}
