//! The endpoint that answers monitors, and takes a pause and a resume, on an address of its own.
//!
//! It is off unless asked for. It answers on threads of its own, so that a worker that hangs still
//! says so. It must not hold up a job: it reads what is known, and waits for nobody. Control is for
//! this machine only, whatever the address listens on.

use std::io::Cursor;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use prometheus_client::encoding::prometheus_text;
use serde::Serialize;
use tiny_http::{Header, Method, Request, Response, Server};

use super::Observer;
use crate::control::Control;

type Answer = Response<Cursor<Vec<u8>>>;

/// What there is to ask for, each with its method.
const PATHS: [(&str, Method); 6] = [
    ("/metrics", Method::Get),
    ("/healthz", Method::Get),
    ("/readyz", Method::Get),
    ("/status", Method::Get),
    ("/pause", Method::Post),
    ("/resume", Method::Post),
];

/// An endpoint that answers until it is closed.
pub(crate) struct Endpoint {
    server: Arc<Server>,
    answering: Option<JoinHandle<()>>,
}

/// What the endpoint answers from.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    pub(crate) observer: Observer,
    pub(crate) control: Control,
}

impl Endpoint {
    /// Listens on `address` and answers from now on.
    pub(crate) fn open(address: SocketAddr, answers: Answers) -> Result<Self, std::io::Error> {
        let listener = TcpListener::bind(address)?;
        let server = Server::from_listener(listener, None).map_err(std::io::Error::other)?;
        let server = Arc::new(server);
        let asked = Arc::clone(&server);
        let answering = std::thread::Builder::new()
            .name("weir-endpoint".into())
            .spawn(move || {
                for request in asked.incoming_requests() {
                    let answer = answer(&request, &answers);
                    // Whoever asked may have gone.
                    let _ = request.respond(answer);
                }
            })?;
        if let Some(address) = server.server_addr().to_ip() {
            tracing::info!(%address, "the endpoint answers");
        }
        Ok(Self {
            server,
            answering: Some(answering),
        })
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.server.unblock();
        if let Some(answering) = self.answering.take() {
            // A panic there has been printed, and is no reason for another here.
            let _ = answering.join();
        }
    }
}

fn answer(request: &Request, answers: &Answers) -> Answer {
    let path = request.url().split('?').next().unwrap_or_default();
    let Some((_, allowed)) = PATHS.iter().find(|(known, _)| *known == path) else {
        let known: Vec<&str> = PATHS.iter().map(|(path, _)| *path).collect();
        return refusal(
            404,
            &format!("no {path} here: there are {}", known.join(", ")),
        );
    };
    let method = match request.method() {
        Method::Head => &Method::Get,
        method => method,
    };
    if method != allowed {
        let error = format!("{path} takes {allowed}, not {method}");
        return refusal(405, &error).with_header(header("Allow", allowed.as_str()));
    }
    let from = request.remote_addr().map(SocketAddr::ip);
    if *allowed == Method::Post && !from.is_some_and(|ip| ip.to_canonical().is_loopback()) {
        return refusal(403, &format!("{path} is taken from this machine only"));
    }
    known(path, answers)
}

fn known(path: &str, answers: &Answers) -> Answer {
    let Answers { observer, control } = answers;
    match path {
        "/metrics" => Response::from_data(observer.prometheus())
            .with_header(header("Content-Type", prometheus_text::CONTENT_TYPE)),
        "/healthz" => verdict("healthy", &observer.hung()),
        "/readyz" => verdict("ready", &observer.unready()),
        "/status" => match observer.status() {
            Some(status) => json(200, &status),
            None => refusal(503, "the worker is starting"),
        },
        _ => {
            let pause = path == "/pause";
            if pause {
                control.pause();
            } else {
                control.resume();
            }
            tracing::info!(paused = pause, "told by the endpoint");
            json(200, &serde_json::json!({ "paused": control.is_paused() }))
        }
    }
}

/// 200 if there is nothing against it, else 503 with the reasons.
fn verdict(what: &str, reasons: &[String]) -> Answer {
    let status = if reasons.is_empty() { 200 } else { 503 };
    json(
        status,
        &serde_json::json!({ what: reasons.is_empty(), "reasons": reasons }),
    )
}

fn refusal(status: u16, error: &str) -> Answer {
    json(status, &serde_json::json!({ "error": error }))
}

fn json(status: u16, value: &impl Serialize) -> Answer {
    let mut text = serde_json::to_vec(value).expect("invariant: plain data becomes JSON");
    text.push(b'\n');
    Response::from_data(text)
        .with_status_code(status)
        .with_header(header("Content-Type", "application/json"))
}

fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("invariant: our headers are ASCII")
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    fn endpoint() -> (SocketAddr, Control, Endpoint) {
        let control = Control::new(4);
        let answers = Answers {
            observer: Observer::default(),
            control: control.clone(),
        };
        let endpoint = Endpoint::open(([127, 0, 0, 1], 0).into(), answers).expect("a port");
        let address = endpoint.server.server_addr().to_ip().expect("IP");
        (address, control, endpoint)
    }

    /// Status and body.
    fn ask(address: SocketAddr, method: &str, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(address).expect("connected");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
        let status = head.split(' ').nth(1).expect("a status");
        (status.parse().expect("a number"), body.to_owned())
    }

    #[test]
    fn starting_worker_is_alive_and_not_ready() {
        let (address, _, _endpoint) = endpoint();
        assert_eq!(ask(address, "GET", "/healthz").0, 200);
        let (status, body) = ask(address, "GET", "/readyz");
        assert_eq!(status, 503);
        assert!(body.contains("starting"), "{body}");
        assert_eq!(ask(address, "GET", "/status").0, 503);
        assert_eq!(ask(address, "GET", "/metrics").0, 200);
    }

    #[test]
    fn pause_and_resume_need_a_post() {
        let (address, control, _endpoint) = endpoint();
        assert_eq!(ask(address, "GET", "/pause").0, 405);
        assert!(!control.is_paused());
        let (status, body) = ask(address, "POST", "/pause");
        assert_eq!((status, body.trim()), (200, r#"{"paused":true}"#));
        assert!(control.is_paused());
        assert_eq!(ask(address, "POST", "/resume").0, 200);
        assert!(!control.is_paused());
        assert_eq!(ask(address, "POST", "/metrics").0, 405);
    }

    #[test]
    fn unknown_path_is_told_what_there_is() {
        let (address, _, _endpoint) = endpoint();
        let (status, body) = ask(address, "GET", "/");
        assert_eq!(status, 404);
        assert!(body.contains("/healthz"), "{body}");
    }

    #[test]
    fn address_in_use_is_an_error() {
        let (address, control, _endpoint) = endpoint();
        let observer = Observer::default();
        let again = Endpoint::open(address, Answers { observer, control });
        assert!(again.is_err());
    }
}
