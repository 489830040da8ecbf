//! The program as systemd, a monitor, CloudWatch's agent and a trace collector meet it.
//!
//! SQS, DynamoDB and the collector are one stand-in that knows just the calls of this test.
#![cfg(feature = "otel")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::{Value, json};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the stand-in gives and has got.
#[derive(Default)]
struct Cloud {
    /// Bodies to be received, each once.
    waiting: Vec<Value>,
    deleted: usize,
    spans: Vec<Span>,
}

fn cloud() -> (String, Arc<Mutex<Cloud>>) {
    let cloud: Arc<Mutex<Cloud>> = Arc::default();
    let server = tiny_http::Server::http("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", server.server_addr());
    let server = Arc::new(server);
    // A poll waits, so others must be answered meanwhile.
    for _ in 0..4 {
        let (server, cloud, url) = (Arc::clone(&server), Arc::clone(&cloud), url.clone());
        std::thread::spawn(move || {
            for mut request in server.incoming_requests() {
                let mut body = Vec::new();
                request.as_reader().read_to_end(&mut body).expect("a body");
                let named = |header: &&tiny_http::Header| header.field.equiv("X-Amz-Target");
                let target = request.headers().iter().find(named);
                let target = target.map(|header| header.value.to_string());
                let answer = target.map_or_else(
                    || collect(&body, &cloud),
                    |target| serve(&target, &body, &url, &cloud).to_string(),
                );
                let _ = request.respond(tiny_http::Response::from_string(answer));
            }
        });
    }
    (url, cloud)
}

/// Takes spans as a collector does.
fn collect(body: &[u8], cloud: &Mutex<Cloud>) -> String {
    let export = ExportTraceServiceRequest::decode(body).expect("OTLP");
    let resources = export.resource_spans.into_iter();
    let scopes = resources.flat_map(|resource| resource.scope_spans);
    let spans = scopes.flat_map(|scope| scope.spans);
    cloud.lock().expect("no panic").spans.extend(spans);
    String::new()
}

#[expect(clippy::disallowed_methods, reason = "a poll takes real time")]
fn serve(target: &str, body: &[u8], url: &str, cloud: &Mutex<Cloud>) -> Value {
    let request: Value = serde_json::from_slice(body).expect("JSON");
    match target.rsplit('.').next().unwrap_or_default() {
        "GetQueueUrl" => json!({ "QueueUrl": format!("{url}/000000000000/jobs") }),
        "ReceiveMessage" => {
            let messages: Vec<Value> = cloud.lock().expect("no panic").waiting.drain(..).collect();
            if messages.is_empty() {
                std::thread::sleep(Duration::from_millis(200));
            }
            json!({ "Messages": messages })
        }
        "DeleteMessageBatch" => {
            let entries = request["Entries"].as_array().expect("entries");
            cloud.lock().expect("no panic").deleted += entries.len();
            let ids: Vec<Value> = entries
                .iter()
                .map(|entry| json!({ "Id": entry["Id"] }))
                .collect();
            json!({ "Successful": ids, "Failed": [] })
        }
        _ => json!({}),
    }
}

/// Status and body.
fn ask(address: SocketAddr, method: &str, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

fn get(address: SocketAddr, path: &str) -> (u16, String) {
    ask(address, "GET", path).expect("an answer")
}

#[expect(clippy::disallowed_methods, reason = "a real program takes real time")]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Reads what systemd is told until a line of it begins so.
fn told(socket: &UnixDatagram, line: &str) -> String {
    let mut text = [0; 4096];
    loop {
        let length = socket
            .recv(&mut text)
            .unwrap_or_else(|_| panic!("never told {line}"));
        let text = String::from_utf8_lossy(&text[..length]);
        if text.lines().any(|told| told.starts_with(line)) {
            return text.into_owned();
        }
    }
}

fn start(url: &str, listen: SocketAddr, folder: &Path) -> Child {
    let emf = format!("--emf={}", folder.join("emf.log").display());
    let listen = listen.to_string();
    let log = std::fs::File::create(folder.join("log")).expect("a log");
    let words = [
        "run",
        "--queue",
        "jobs",
        "--idempotency",
        "off",
        "--poll-wait",
        "1s",
        "--no-metadata",
    ];
    Command::new(assert_cmd::cargo::cargo_bin("weir-worker"))
        .args(words)
        .args([
            "--exec",
            "sleep 1; echo $TRACEPARENT",
            "--listen",
            &listen,
            &emf,
        ])
        .args(["--log-format", "json", "--verbose"])
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .envs([("AWS_REGION", "eu-west-1"), ("AWS_ENDPOINT_URL", url)])
        .envs([
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        .env("NOTIFY_SOCKET", folder.join("notify"))
        .env("WATCHDOG_USEC", "1000000")
        .stderr(Stdio::from(log))
        .spawn()
        .expect("the program starts")
}

#[test]
fn worker_tells_whoever_looks() {
    let folder = tempfile::tempdir().expect("a folder");
    let systemd = UnixDatagram::bind(folder.path().join("notify")).expect("a socket");
    systemd.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let (url, cloud) = cloud();
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let mut worker = start(&url, address, folder.path());

    let ready = told(&systemd, "READY=1");
    assert!(
        ready.contains("STATUS=working: 0 of 4 slots busy"),
        "{ready}"
    );
    told(&systemd, "WATCHDOG=1");
    told(&systemd, "WATCHDOG=1");
    assert_eq!(get(address, "/healthz").0, 200);
    assert_eq!(get(address, "/readyz").0, 200);
    assert!(get(address, "/metrics").1.contains("\nweir_worker_slots 4"));
    assert_eq!(ask(address, "POST", "/pause").expect("an answer").0, 200);
    let status: Value = serde_json::from_str(&get(address, "/status").1).expect("JSON");
    assert_eq!(status["paused"], true, "{status}");
    assert_eq!(ask(address, "POST", "/resume").expect("an answer").0, 200);

    let message = json!({
        "MessageId": "m-1", "ReceiptHandle": "r-1", "Body": "hello",
        "Attributes": {
            "SentTimestamp": "1700000000000", "ApproximateReceiveCount": "1",
            "AWSTraceHeader": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
        },
    });
    cloud.lock().expect("no panic").waiting.push(message);
    until("the job runs", || {
        let status: Value = serde_json::from_str(&get(address, "/status").1).expect("JSON");
        status["jobs"][0]["job_id"] == "m-1" && status["busy_slots"] == 1
    });
    let pid = Pid::from_raw(worker.id().try_into().expect("a pid"));
    kill(pid, Signal::SIGTERM).expect("told to leave");
    told(&systemd, "STOPPING=1");
    let (code, reasons) = get(address, "/readyz");
    assert!(code == 503 && reasons.contains("draining"), "{reasons}");
    assert_eq!(get(address, "/healthz").0, 200);
    let more = told(&systemd, "EXTEND_TIMEOUT_USEC=");
    assert!(more.contains("leaving after a signal to stop"), "{more}");
    assert!(worker.wait().expect("it ends").success());

    let cloud = cloud.lock().expect("no panic");
    assert_eq!(cloud.deleted, 1, "the job was finished");
    let span = cloud.spans.iter().find(|span| span.name == "process jobs");
    let span = span.expect("the last spans are sent at the end");
    assert_eq!(
        span.parent_span_id,
        [0x53, 0x99, 0x5c, 0x3f, 0x42, 0xcd, 0x8a, 0xd8]
    );
    check_emf(&std::fs::read_to_string(folder.path().join("emf.log")).expect("lines"));
    check_log(&std::fs::read_to_string(folder.path().join("log")).expect("lines"));
}

fn check_emf(lines: &str) {
    let last: Value = serde_json::from_str(lines.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last["Completed"].as_f64(), Some(1.0), "{last}");
    assert_eq!(last["Queue"], "jobs");
}

/// The first line says what it is, the last what it did, and each within the job whose it is.
fn check_log(lines: &str) {
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let saying = |words: &str| {
        let found = lines.iter().find(|line| line["message"] == words);
        found.unwrap_or_else(|| panic!("no line says {words:?}: {lines:#?}"))
    };
    let begins = saying("worker begins");
    assert_eq!(begins["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(begins["handler"], "exec sleep 1; echo $TRACEPARENT");
    assert_eq!(
        (&begins["queues"], &begins["fleet"]),
        (&json!("jobs"), &json!("jobs"))
    );
    for words in ["job begins", "job done"] {
        let span = &saying(words)["span"];
        assert_eq!(
            (&span["job_id"], &span["queue"]),
            (&json!("m-1"), &json!("jobs"))
        );
        assert_eq!(span["attempt"], 1);
    }
    assert_eq!(saying("worker ends")["jobs"], "1 done");
}
