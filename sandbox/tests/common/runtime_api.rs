//! A stand-in for Lambda's runtime API on loopback (Lambda developer guide, "Using the Lambda
//! runtime API"): it hands events out one by one and takes what is answered.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};

/// What a function answered: its response, or its error.
pub type Answer = Result<Value, Value>;

/// The runtime API, for one function.
pub struct RuntimeApi {
    pub address: String,
    events: mpsc::UnboundedSender<Event>,
    answers: mpsc::UnboundedReceiver<(String, Answer)>,
    invoked: usize,
}

struct Event {
    id: String,
    deadline: SystemTime,
    body: String,
}

struct Doors {
    events: Mutex<mpsc::UnboundedReceiver<Event>>,
    answers: mpsc::UnboundedSender<(String, Answer)>,
}

impl RuntimeApi {
    pub async fn serve() -> Self {
        let (events, waiting) = mpsc::unbounded_channel();
        let (answered, answers) = mpsc::unbounded_channel();
        let doors = Arc::new(Doors {
            events: Mutex::new(waiting),
            answers: answered,
        });
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route(
                "/2018-06-01/runtime/invocation/{id}/response",
                post(response),
            )
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .with_state(doors);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self {
            address,
            events,
            answers,
            invoked: 0,
        }
    }

    /// Puts an event before the function, which has so much time for it.
    pub fn send(&mut self, body: &str, timeout: Duration) {
        self.invoked += 1;
        let event = Event {
            id: format!("request-{}", self.invoked),
            deadline: SystemTime::now() + timeout,
            body: body.to_owned(),
        };
        self.events.send(event).unwrap();
    }

    /// The answer to the last event.
    pub async fn answer(&mut self, patience: Duration) -> Answer {
        let answer = tokio::time::timeout(patience, self.answers.recv());
        let (id, answer) = answer.await.expect("an answer in time").unwrap();
        assert_eq!(id, format!("request-{}", self.invoked));
        answer
    }
}

async fn next(State(doors): State<Arc<Doors>>) -> (HeaderMap, String) {
    let event = doors.events.lock().await.recv().await;
    let event = event.expect("the test goes on");
    let deadline = event.deadline.duration_since(UNIX_EPOCH).unwrap();
    let headers = [
        ("lambda-runtime-aws-request-id", event.id),
        (
            "lambda-runtime-deadline-ms",
            deadline.as_millis().to_string(),
        ),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-west-1:123456789012:function:weir".to_owned(),
        ),
        (
            "lambda-runtime-trace-id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0".to_owned(),
        ),
    ];
    let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    (headers.into_iter().collect(), event.body)
}

async fn response(
    State(doors): State<Arc<Doors>>,
    Path(id): Path<String>,
    body: String,
) -> StatusCode {
    doors.answers.send((id, Ok(parsed(&body)))).unwrap();
    StatusCode::ACCEPTED
}

async fn error(
    State(doors): State<Arc<Doors>>,
    Path(id): Path<String>,
    body: String,
) -> StatusCode {
    doors.answers.send((id, Err(parsed(&body)))).unwrap();
    StatusCode::ACCEPTED
}

fn parsed(body: &str) -> Value {
    serde_json::from_str(body).unwrap()
}
