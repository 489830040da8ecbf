//! Handlers in any language, as services: real sockets, and what goes over them.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use weir_worker::handler::http::{Http, Service};
use weir_worker::handler::{Stop, Terms};
use weir_worker::queue::Attribute;
use weir_worker::{CancelCause, Context, Handler, Job, Outcome};

/// Longer than any of these exchanges needs, and shorter than a person waits.
const LIMIT: Duration = Duration::from_secs(30);

/// What a service saw.
#[derive(Debug)]
enum Seen {
    Request {
        head: String,
        body: String,
    },
    /// The client closed the connection while it waited for the answer.
    Closed,
}

/// A service that answers each request with the same words, and tells what it saw.
struct Stand {
    url: String,
    seen: mpsc::UnboundedReceiver<Seen>,
    connections: Arc<AtomicUsize>,
}

impl Stand {
    /// `answer`: the bytes of every response; an empty one never comes.
    async fn answering(answer: impl Into<Bytes>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, answer.into())
    }

    fn on(listener: TcpListener, answer: Bytes) -> Self {
        let url = format!("http://{}/jobs?kind=a", listener.local_addr().unwrap());
        let (tell, seen) = mpsc::unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(converse(stream, answer.clone(), tell.clone()));
            }
        });
        Self {
            url,
            seen,
            connections,
        }
    }

    async fn saw(&mut self) -> Seen {
        let seen = tokio::time::timeout(LIMIT, self.seen.recv()).await;
        seen.expect("seen in time").expect("the service lives")
    }
}

async fn converse(stream: TcpStream, answer: Bytes, tell: mpsc::UnboundedSender<Seen>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let body = String::from_utf8(body).unwrap();
        let _ = tell.send(Seen::Request { head, body });
        if answer.is_empty() {
            let mut more = [0];
            if stream.read(&mut more).await.unwrap_or(0) == 0 {
                let _ = tell.send(Seen::Closed);
            }
            return;
        }
        let last = String::from_utf8_lossy(&answer).contains("connection: close");
        if stream.write_all(&answer).await.is_err() || last {
            return;
        }
    }
}

/// A response with a length, so that the connection stays open.
fn response(status: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
    for header in headers {
        bytes.push_str(header);
        bytes.push_str("\r\n");
    }
    bytes.push_str("\r\n");
    [bytes.as_bytes(), body].concat()
}

fn job(body: &str) -> Job {
    let text = |value: &str| Attribute::string(value);
    let binary = Attribute::Binary {
        data_type: "Binary".into(),
        value: Bytes::from_static(b"\xff\x00"),
    };
    let attributes = [
        ("Colour", text("blue")),
        ("odd.name_x", text("two\nlines")),
        ("Blob", binary),
    ];
    Job {
        id: "job-1".into(),
        body: body.into(),
        attributes: attributes
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
    }
}

#[expect(clippy::disallowed_methods, reason = "a deadline in the real future")]
fn context(stop: &Stop, timeout: Duration) -> Context {
    let terms = Terms {
        attempt: 3,
        token: "token-1".into(),
        deadline: tokio::time::Instant::now() + timeout,
        deadline_unix_seconds: 1_700_000_600.9,
    };
    Context::new(terms, stop.clone())
}

fn client(url: &str) -> Http {
    Http::new(url.parse::<Service>().unwrap())
}

async fn post(url: &str, body: &str) -> Outcome {
    let ctx = context(&Stop::default(), Duration::from_mins(10));
    let http = client(url);
    let handled = http.handle(job(body), ctx);
    tokio::time::timeout(LIMIT, handled)
        .await
        .expect("handled in time")
}

/// The outcome of a job that a service answers like this.
async fn outcome_of(status: &str, headers: &[&str], body: &[u8]) -> Outcome {
    let stand = Stand::answering(response(status, headers, body)).await;
    post(&stand.url, "body").await
}

fn retry(after: Option<u64>, reason: &str) -> Outcome {
    Outcome::Retry {
        after: after.map(Duration::from_secs),
        reason: reason.into(),
    }
}

fn poison(reason: &str) -> Outcome {
    Outcome::Poison {
        reason: reason.into(),
    }
}

#[tokio::test]
async fn body_is_posted_and_headers_describe_the_job() {
    let mut stand = Stand::answering(response("200 OK", &[], b"made")).await;
    let outcome = post(&stand.url, r#"{"width":1}"#).await;
    assert_eq!(outcome, Outcome::Done("made".into()));
    let Seen::Request { head, body } = stand.saw().await else {
        panic!("no request")
    };
    assert_eq!(body, r#"{"width":1}"#);
    let lines: Vec<&str> = head.lines().collect();
    assert_eq!(lines[0], "POST /jobs?kind=a HTTP/1.1");
    for header in [
        "content-type: application/json",
        "x-weir-job-id: job-1",
        "x-weir-attempt: 3",
        "x-weir-deadline: 1700000600",
        "x-weir-token: token-1",
        "x-weir-attr-colour: blue",
        "x-weir-attr-odd.name_x*: UTF-8''two%0Alines",
        "x-weir-attr-blob: /wA=",
    ] {
        assert!(lines.contains(&header), "{header} is not in {head}");
    }
}

#[tokio::test]
async fn content_type_is_the_attributes_if_given() {
    let mut stand = Stand::answering(response("204 No Content", &[], b"")).await;
    let mut job = job("<a/>");
    let xml = Attribute::string("application/xml");
    job.attributes.insert("ContentType".into(), xml);
    let ctx = context(&Stop::default(), LIMIT);
    let outcome = client(&stand.url).handle(job, ctx).await;
    assert_eq!(outcome, Outcome::Done(String::new()));
    let Seen::Request { head, .. } = stand.saw().await else {
        panic!("no request")
    };
    assert!(
        head.contains("\r\ncontent-type: application/xml\r\n"),
        "{head}"
    );
}

#[tokio::test]
async fn status_decides() {
    let made = outcome_of("201 Created", &[], "é".as_bytes()).await;
    assert_eq!(made, Outcome::Done("é".into()));
    let never = outcome_of("422 Unprocessable Entity", &[], b"no such colour\n").await;
    assert_eq!(never, poison("no such colour"));
    let silent = outcome_of("422 Unprocessable Entity", &[], b"").await;
    assert_eq!(silent, poison("422 Unprocessable Entity"));
    let broken = outcome_of("500 Internal Server Error", &[], b"a bug").await;
    assert_eq!(broken, retry(None, "500 Internal Server Error: a bug"));
    let odd = outcome_of("404 Not Found", &[], b"").await;
    assert_eq!(odd, retry(None, "404 Not Found"));
}

#[tokio::test]
async fn retry_after_is_heard_from_429_and_503_alone() {
    let asks = &["retry-after: 90"];
    let busy = outcome_of("503 Service Unavailable", asks, b"busy").await;
    assert_eq!(busy, retry(Some(90), "503 Service Unavailable: busy"));
    let many = outcome_of("429 Too Many Requests", asks, b"").await;
    assert_eq!(many, retry(Some(90), "429 Too Many Requests"));
    let past = &["retry-after: Sun, 06 Nov 1994 08:49:37 GMT"];
    let over = outcome_of("503 Service Unavailable", past, b"").await;
    assert_eq!(over, retry(Some(0), "503 Service Unavailable"));
    let far = &["retry-after: Fri, 01 Jan 2100 00:00:00 GMT"];
    let outcome = outcome_of("503 Service Unavailable", far, b"").await;
    let Outcome::Retry { after, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(after > Some(Duration::from_hours(24)), "{after:?}");
    let nonsense = &["retry-after: soon"];
    let unsaid = outcome_of("503 Service Unavailable", nonsense, b"").await;
    assert_eq!(unsaid, retry(None, "503 Service Unavailable"));
    let other = outcome_of("500 Internal Server Error", asks, b"").await;
    assert_eq!(other, retry(None, "500 Internal Server Error"));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let mut stand = Stand::answering(response("302 Found", &["location: /"], b"")).await;
    let outcome = post(&stand.url, "body").await;
    assert_eq!(
        outcome,
        retry(None, "302 Found: redirects are not followed")
    );
    assert!(matches!(stand.saw().await, Seen::Request { .. }));
    assert!(stand.seen.try_recv().is_err(), "one request alone");
}

#[tokio::test]
async fn result_beyond_the_limit_is_poison() {
    let stand = Stand::answering(response("200 OK", &[], b"12345678")).await;
    let at_most = async |max| {
        let ctx = context(&Stop::default(), LIMIT);
        let http = client(&stand.url).result_max_bytes(max);
        http.handle(job(""), ctx).await
    };
    assert_eq!(at_most(8).await, Outcome::Done("12345678".into()));
    let outcome = at_most(7).await;
    let Outcome::Poison { reason } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(reason.contains("longer than 7 bytes"), "{reason}");
}

#[tokio::test]
async fn result_that_is_not_text_is_poison() {
    let outcome = outcome_of("200 OK", &[], b"\xff").await;
    assert!(matches!(outcome, Outcome::Poison { .. }), "{outcome:?}");
}

#[tokio::test]
async fn answer_that_breaks_off_is_a_retry() {
    for answer in [
        "HTTP/1.1 200 OK\r\nconnection: close\r\n",
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 10\r\n\r\nhalf",
        "220 mail.example.com ESMTP, connection: close\r\n",
    ] {
        let stand = Stand::answering(answer).await;
        let outcome = post(&stand.url, "body").await;
        assert!(
            matches!(&outcome, Outcome::Retry { after: None, reason } if reason.contains("broke off")),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn connections_are_kept_for_the_next_job() {
    let stand = Stand::answering(response("200 OK", &[], b"")).await;
    let http = client(&stand.url);
    for _ in 0..20 {
        let ctx = context(&Stop::default(), LIMIT);
        let outcome = http.handle(job(""), ctx).await;
        assert_eq!(outcome, Outcome::Done(String::new()));
    }
    assert_eq!(stand.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn request_of_a_stopped_job_is_closed() {
    for (cause, words) in [
        (CancelCause::LeaseLost, "its lease was lost"),
        (CancelCause::Timeout, "the job timeout"),
        (CancelCause::DrainDeadline, "the worker had to leave"),
    ] {
        let mut stand = Stand::answering("").await;
        let stop = Stop::default();
        let http = client(&stand.url);
        let handled = http.handle(job("body"), context(&stop, Duration::from_mins(10)));
        let (outcome, ()) = tokio::join!(handled, async {
            assert!(matches!(stand.saw().await, Seen::Request { .. }));
            stop.because(cause);
        });
        let Outcome::Retry { reason, .. } = outcome else {
            panic!("{outcome:?}")
        };
        assert!(reason.contains(words), "{reason}");
        assert!(matches!(stand.saw().await, Seen::Closed), "{cause:?}");
    }
}

/// An address where nothing listens yet.
async fn unused() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn service_that_is_not_up_is_waited_for() {
    let address = unused().await;
    let http = client(&format!("http://{address}/"));
    let served = async {
        let early = tokio::time::timeout(Duration::from_millis(50), http.ready()).await;
        assert!(early.is_err(), "nothing listens yet");
        let listener = TcpListener::bind(address).await.unwrap();
        let stand = Stand::on(listener, response("200 OK", &[], b"").into());
        http.ready().await;
        stand
    };
    let stand = tokio::time::timeout(LIMIT, served).await.expect("in time");
    let before = stand.connections.load(Ordering::SeqCst);
    http.ready().await;
    assert_eq!(
        stand.connections.load(Ordering::SeqCst),
        before,
        "what is known is not asked again"
    );
}

#[tokio::test]
async fn job_waits_while_the_service_restarts() {
    let address = unused().await;
    let http = client(&format!("http://{address}/"));
    let ctx = context(&Stop::default(), Duration::from_mins(10));
    let (outcome, _stand) = tokio::join!(http.handle(job("body"), ctx), async {
        tokio::task::yield_now().await;
        let listener = TcpListener::bind(address).await.unwrap();
        Stand::on(listener, response("200 OK", &[], b"late").into())
    });
    assert_eq!(outcome, Outcome::Done("late".into()));
}

#[tokio::test]
async fn job_that_met_no_service_is_handed_back_uncounted() {
    let http = client(&format!("http://{}/", unused().await));
    let ctx = context(&Stop::default(), Duration::from_millis(100));
    let outcome = http.handle(job("body"), ctx).await;
    let Outcome::HandBack { reason, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(reason.contains("refused"), "{reason}");
    let asked_again = tokio::time::timeout(Duration::from_millis(50), http.ready()).await;
    assert!(asked_again.is_err(), "no more is fetched until it is back");
}

#[tokio::test]
async fn waiting_job_is_handed_back_when_the_worker_leaves() {
    let http = client(&format!("http://{}/", unused().await));
    let draining = CancellationToken::new();
    let ctx = context(&Stop::default(), Duration::from_mins(10)).with_draining(draining.clone());
    draining.cancel();
    let outcome = tokio::time::timeout(LIMIT, http.handle(job("body"), ctx)).await;
    let outcome = outcome.expect("at once");
    assert!(matches!(outcome, Outcome::HandBack { .. }), "{outcome:?}");
}

#[test]
fn urls_that_cannot_serve_are_refused_with_what_can() {
    let cases = BTreeMap::from([
        ("https://127.0.0.1/", "TLS"),
        ("127.0.0.1:8080", "http://"),
        ("ftp://host/", "http://"),
        ("http://user:secret@host/", "user name"),
        ("http:///path", "URL"),
        ("a b", "URL"),
        ("", "URL"),
    ]);
    for (url, named) in cases {
        let words = url.parse::<Service>().unwrap_err().to_string();
        assert!(words.contains(named), "{words}");
        assert!(words.contains("http://127.0.0.1:8080/"), "{words}");
    }
    for good in [
        "http://127.0.0.1:8080",
        "http://app/jobs?x=1",
        "http://[::1]:80/",
    ] {
        assert!(good.parse::<Service>().is_ok(), "{good}");
    }
}
