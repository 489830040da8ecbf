//! A job's span as a collector receives it. The subscriber is the whole process's, so this program
//! has one test.
#![cfg(feature = "otel")]

mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::{Span, Status, span::SpanKind, status::StatusCode};
use prost::Message as _;
use support::{SECOND, World};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use weir_worker::observe::otel::Export;
use weir_worker::queue::{Attribute, JOB_ID_ATTRIBUTE, Outgoing, Queue};
use weir_worker::{Context, Job, Outcome};

const XRAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
const W3C: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Receives spans as a collector does, by OTLP over HTTP.
fn collector() -> (String, Arc<Mutex<Vec<Span>>>) {
    let spans: Arc<Mutex<Vec<Span>>> = Arc::default();
    let received = Arc::clone(&spans);
    let server = tiny_http::Server::http("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}/v1/traces", server.server_addr());
    std::thread::spawn(move || {
        for mut request in server.incoming_requests() {
            assert_eq!(request.url(), "/v1/traces");
            let mut body = Vec::new();
            request.as_reader().read_to_end(&mut body).expect("a body");
            let export = ExportTraceServiceRequest::decode(body.as_slice()).expect("OTLP");
            let scopes = export
                .resource_spans
                .into_iter()
                .flat_map(|r| r.scope_spans);
            received
                .lock()
                .expect("no panic before")
                .extend(scopes.flat_map(|s| s.spans));
            let _ = request.respond(tiny_http::Response::empty(200));
        }
    });
    (endpoint, spans)
}

fn message(job_id: &str, attributes: &[(&str, &str)], trace_header: Option<&str>) -> Outgoing {
    let attributes = std::iter::once((JOB_ID_ATTRIBUTE, job_id))
        .chain(attributes.iter().copied())
        .map(|(name, value)| (name.to_owned(), Attribute::string(value)));
    Outgoing {
        attributes: attributes.collect(),
        trace_header: trace_header.map(str::to_owned),
        ..Outgoing::new("body")
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn texts(span: &Span) -> BTreeMap<&str, &str> {
    let pairs =
        span.attributes
            .iter()
            .filter_map(|pair| match pair.value.as_ref()?.value.as_ref()? {
                Value::StringValue(text) => Some((pair.key.as_str(), text.as_str())),
                _ => None,
            });
    pairs.collect()
}

fn of_job<'a>(spans: &'a [Span], job_id: &str) -> &'a Span {
    let named = |span: &&Span| texts(span).get("job_id") == Some(&job_id);
    spans.iter().find(named).expect("the job's span")
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_continue_the_senders_trace() {
    let (endpoint, spans) = collector();
    let handle = tokio::runtime::Handle::current();
    let export = Export::to(&endpoint, handle).expect("an exporter");
    tracing_subscriber::registry().with(export.layer()).init();
    let mut world = World::new();
    world.settings.poll_wait = SECOND / 10;
    for message in [
        message("xray", &[], Some(XRAY)),
        message(
            "both",
            &[("traceparent", W3C), ("tracestate", "vendor=1")],
            Some(XRAY),
        ),
        message("neither", &[], None),
        message("poison", &[("traceparent", W3C)], None),
    ] {
        world.queue.send(&[message]).await.expect("sent");
    }
    let told: Arc<Mutex<BTreeMap<String, String>>> = Arc::default();
    let teller = Arc::clone(&told);
    let worker = world.start(move |job: Job, ctx: Context| {
        let place = ctx.trace().expect("a place").traceparent.clone();
        teller.lock().unwrap().insert(job.id.clone(), place);
        let _inner = tracing::info_span!("decode").entered();
        let outcome = match job.id.as_str() {
            "poison" => Outcome::Poison {
                reason: "bad".into(),
            },
            _ => Outcome::Done(String::new()),
        };
        async { outcome }
    });
    world.until_empty().await;
    worker.end().await;
    tokio::task::spawn_blocking(|| export.flush())
        .await
        .expect("flushed");

    let spans = spans.lock().unwrap().clone();
    let told = told.lock().unwrap().clone();
    let xray = of_job(&spans, "xray");
    assert_eq!(hex(&xray.trace_id), "5759e988bd862e3fe1be46a994272793");
    assert_eq!(hex(&xray.parent_span_id), "53995c3f42cd8ad8");
    assert_eq!(
        (xray.kind(), xray.name.as_str()),
        (SpanKind::Consumer, "process jobs")
    );
    let texts_of_it = texts(xray);
    assert_eq!(texts_of_it["messaging.system"], "aws_sqs");
    assert_eq!(texts_of_it["messaging.operation.type"], "process");
    assert_eq!(texts_of_it["messaging.destination.name"], "jobs");
    assert!(!texts_of_it["messaging.message.id"].is_empty());
    assert_eq!(xray.status.as_ref().map(Status::code), Some(StatusCode::Ok));
    // The handler hands on the worker's own span, of the same trace.
    let place = format!("00-{}-{}-01", hex(&xray.trace_id), hex(&xray.span_id));
    assert_eq!(told["xray"], place);

    let both = of_job(&spans, "both");
    assert_eq!(
        hex(&both.trace_id),
        "0af7651916cd43dd8448eb211c80319c",
        "W3C wins"
    );
    assert_eq!(hex(&both.parent_span_id), "b7ad6b7169203331");
    assert_eq!(both.trace_state, "vendor=1");

    let neither = of_job(&spans, "neither");
    assert!(
        neither.parent_span_id.is_empty(),
        "it begins a trace of its own"
    );

    let poison = of_job(&spans, "poison");
    assert_eq!(
        poison.status.as_ref().map(Status::code),
        Some(StatusCode::Error)
    );
    assert_eq!(texts(poison)["weir.outcome"], "poison");

    // A handler's own spans lie within its job's.
    let inner = spans.iter().filter(|span| span.name == "decode");
    let parents: Vec<String> = inner.map(|span| hex(&span.parent_span_id)).collect();
    assert_eq!(parents.len(), 4);
    assert!(parents.contains(&hex(&xray.span_id)));
}
