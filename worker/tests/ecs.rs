//! A task's metadata, its protection and the order of its calls, over real HTTP on loopback.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weir_worker::ecs::{self, Agent, Endpoints};

const LIMIT: Duration = Duration::from_secs(30);
const ARN: &str = "arn:aws:ecs:us-west-2:111122223333:task/media/158d1c8083dd49d6b527399fd6414f5c";

/// A metadata endpoint and an agent in one: refuses so often, and keeps what was asked.
#[derive(Clone, Default)]
struct Fake {
    refusals: Arc<Mutex<u32>>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    async fn start(&self) -> Agent {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = format!("http://{}", listener.local_addr().expect("bound"));
        let fake = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(fake.clone().serve(stream));
            }
        });
        let endpoints = Endpoints {
            metadata: format!("{at}/v4/container"),
            agent: Some(format!("{at}/api/container")),
        };
        Agent::at(&endpoints).expect("URLs")
    }

    async fn serve(self, mut stream: TcpStream) {
        let mut request = Vec::new();
        while !is_whole(&request) {
            let mut part = [0; 4096];
            match stream.read(&mut part).await {
                Ok(count @ 1..) => request.extend_from_slice(&part[..count]),
                _ => return,
            }
        }
        let request = String::from_utf8(request).expect("text");
        let (status, body) = self.answer(&request);
        self.seen.lock().expect("no panic").push(request);
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n",
            body.len()
        );
        let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
    }

    fn answer(&self, request: &str) -> (&'static str, String) {
        if request.starts_with("GET /v4/container/task ") {
            let task = format!(
                r#"{{"Cluster":"arn:aws:ecs:us-west-2:111122223333:cluster/media","TaskARN":"{ARN}","Family":"thumbs","Revision":"3","KnownStatus":"RUNNING","ServiceName":"thumbs"}}"#
            );
            return ("200 OK", task);
        }
        assert!(request.starts_with("PUT /api/container/task-protection/v1/state "));
        let mut refusals = self.refusals.lock().expect("no panic");
        if *refusals > 0 {
            *refusals -= 1;
            let failure = format!(
                r#"{{"failure":{{"Arn":"{ARN}","Detail":null,"Reason":"TASK_NOT_VALID"}}}}"#
            );
            return ("200 OK", failure);
        }
        let enabled = request.contains(r#""ProtectionEnabled":true"#);
        let protection = format!(
            r#"{{"protection":{{"ExpirationDate":"2023-12-20T21:57:44.837Z","ProtectionEnabled":{enabled},"TaskArn":"{ARN}"}}}}"#
        );
        ("200 OK", protection)
    }

    fn bodies(&self) -> Vec<Value> {
        let seen = self.seen.lock().expect("no panic");
        let body = |request: &String| {
            let body = request.split("\r\n\r\n").nth(1).unwrap_or_default();
            serde_json::from_str(body).expect("JSON")
        };
        seen.iter().map(body).collect()
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| body.len() >= length.trim().parse().unwrap_or(0))
}

#[tokio::test]
async fn a_task_learns_who_it_is() {
    let task = Fake::default().start().await.task().await.expect("a task");
    assert_eq!(task.id, "158d1c8083dd49d6b527399fd6414f5c");
    assert_eq!(task.cluster, "media");
    assert_eq!(task.service.as_deref(), Some("thumbs"));
}

#[tokio::test]
async fn protection_is_asked_for_until_granted_and_taken_off_at_last() {
    let fake = Fake::default();
    *fake.refusals.lock().expect("no panic") = 2;
    let agent = fake.start().await;
    let (sender, mut granted) = watch::channel(false);
    let stop = CancellationToken::new();
    let keeping = tokio::spawn(ecs::keep(agent.clone(), sender, stop.clone()));
    let granted = tokio::time::timeout(LIMIT, granted.wait_for(|granted| *granted));
    granted.await.expect("in time").expect("kept");
    stop.cancel();
    keeping.await.expect("no panic");
    ecs::take_off(&agent).await;
    let on = json!({"ProtectionEnabled": true, "ExpiresInMinutes": 60});
    let off = json!({"ProtectionEnabled": false});
    assert_eq!(fake.bodies(), [on.clone(), on.clone(), on, off]);
}

#[tokio::test]
async fn a_refusal_is_told_in_ecs_words() {
    let fake = Fake::default();
    *fake.refusals.lock().expect("no panic") = 1;
    let error = fake.start().await.protect().await.expect_err("refused");
    let said = "ECS refused task protection: TASK_NOT_VALID";
    assert_eq!(error.to_string(), said);
}

#[tokio::test]
async fn an_agent_that_is_not_there_is_named() {
    let endpoints = Endpoints {
        metadata: "http://127.0.0.1:9".into(),
        agent: None,
    };
    let agent = Agent::at(&endpoints).expect("URLs");
    assert!(!agent.can_protect());
    let error = agent.task().await.expect_err("nobody").to_string();
    assert!(
        error.starts_with("no answer from http://127.0.0.1:9/task: "),
        "{error}"
    );
    let error = agent.protect().await.expect_err("no API").to_string();
    assert!(error.contains("ECS_AGENT_URI is not set"), "{error}");
}
