//! The instance's metadata and its group's hook, over real HTTP on loopback.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use weir_worker::drain::{DrainCause, DrainLimits, DrainSwitch};
use weir_worker::instance::{self, Hook, Metadata};

const LIMIT: Duration = Duration::from_secs(30);

/// A metadata service and an Auto Scaling endpoint in one: paths to answer, requests seen.
#[derive(Clone, Default)]
struct Fake {
    paths: Arc<Mutex<BTreeMap<&'static str, &'static str>>>,
    seen: Arc<Mutex<Vec<String>>>,
    /// So many reads are answered with 503 first.
    failures: Arc<AtomicUsize>,
}

impl Fake {
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
        let fake = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(fake.clone().serve(stream));
            }
        });
        endpoint
    }

    fn set(&self, path: &'static str, value: &'static str) {
        self.paths.lock().expect("no panic").insert(path, value);
    }

    fn actions(&self) -> Vec<String> {
        let seen = self.seen.lock().expect("no panic");
        let actions = seen.iter().filter(|request| request.contains("Action="));
        actions.cloned().collect()
    }

    /// Answers one request a connection.
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
            "HTTP/1.1 {status}\r\nx-aws-ec2-metadata-token-ttl-seconds: 21600\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
    }

    fn answer(&self, request: &str) -> (&'static str, &'static str) {
        let path = request.split(' ').nth(1).unwrap_or_default();
        if path == "/latest/api/token" {
            return ("200 OK", "token");
        }
        if request.starts_with("POST") {
            return ("200 OK", "<CompleteLifecycleActionResponse/>");
        }
        if !request
            .to_lowercase()
            .contains("x-aws-ec2-metadata-token: token")
        {
            return ("401 Unauthorized", "");
        }
        let fails = |left: usize| left.checked_sub(1);
        let order = Ordering::SeqCst;
        if self.failures.fetch_update(order, order, fails).is_ok() {
            return ("503 Service Unavailable", "");
        }
        let paths = self.paths.lock().expect("no panic");
        paths
            .get(path)
            .map_or(("404 Not Found", ""), |value| ("200 OK", value))
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

fn hook(endpoint: &str) -> Hook {
    let credentials =
        aws_sdk_autoscaling::config::Credentials::new("test", "test", None, None, "test");
    let config = aws_sdk_autoscaling::Config::builder()
        .behavior_version(aws_sdk_autoscaling::config::BehaviorVersion::latest())
        .region(aws_sdk_autoscaling::config::Region::new("eu-west-1"))
        .credentials_provider(credentials)
        .endpoint_url(endpoint)
        .build();
    Hook {
        client: aws_sdk_autoscaling::Client::from_conf(config),
        group: "workers".into(),
        name: "weir-drain".into(),
        instance_id: "i-1".into(),
    }
}

#[tokio::test]
async fn target_lifecycle_state_begins_the_drain_and_keeps_the_hook_alive() {
    let fake = Fake::default();
    let endpoint = fake.start().await;
    fake.set("/latest/meta-data/instance-id", "i-1");
    fake.set(
        "/latest/meta-data/autoscaling/target-lifecycle-state",
        "InService",
    );
    let metadata = Metadata::at(&endpoint).expect("a URL");
    assert_eq!(metadata.instance_id().await.as_deref(), Some("i-1"));
    assert!(metadata.announced().await.notices().is_empty());

    fake.set(
        "/latest/meta-data/autoscaling/target-lifecycle-state",
        "Terminated",
    );
    let drain = DrainSwitch::new(DrainLimits::default());
    let stop = CancellationToken::new();
    let watching = tokio::spawn(instance::watch(
        metadata,
        Some(hook(&endpoint)),
        drain.clone(),
        stop.clone(),
    ));
    tokio::time::timeout(LIMIT, drain.begun())
        .await
        .expect("a drain");
    let begun = drain.current().expect("a drain");
    assert_eq!(begun.cause, DrainCause::Lifecycle("Terminated".into()));
    assert_eq!(begun.deadline, None);
    let kept_alive = async {
        while fake.actions().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, kept_alive)
        .await
        .expect("a heartbeat");
    stop.cancel();
    watching.await.expect("no panic");
    let actions = fake.actions();
    assert!(
        actions[0].contains("Action=RecordLifecycleActionHeartbeat"),
        "{actions:?}"
    );
}

#[tokio::test]
async fn hook_is_completed_only_when_it_waits() {
    let fake = Fake::default();
    let endpoint = fake.start().await;
    let metadata = Metadata::at(&endpoint).expect("a URL");
    let hook = hook(&endpoint);
    instance::let_go(&metadata, &hook).await;
    fake.set(
        "/latest/meta-data/autoscaling/target-lifecycle-state",
        "InService",
    );
    instance::let_go(&metadata, &hook).await;
    assert!(fake.actions().is_empty());

    fake.set(
        "/latest/meta-data/autoscaling/target-lifecycle-state",
        "Terminated",
    );
    instance::let_go(&metadata, &hook).await;
    let actions = fake.actions();
    assert_eq!(actions.len(), 1);
    for part in [
        "Action=CompleteLifecycleAction",
        "LifecycleActionResult=CONTINUE",
        "AutoScalingGroupName=workers",
        "LifecycleHookName=weir-drain",
        "InstanceId=i-1",
    ] {
        assert!(actions[0].contains(part), "{part}: {actions:?}");
    }
}

#[tokio::test]
async fn no_metadata_service_means_not_on_ec2() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
    drop(listener);
    let metadata = Metadata::at(&endpoint).expect("a URL");
    assert_eq!(metadata.instance_id().await, None);
    assert!(metadata.announced().await.notices().is_empty());
}

#[tokio::test]
async fn metadata_service_that_fails_at_first_is_asked_again() {
    let fake = Fake::default();
    fake.set("/latest/meta-data/instance-id", "i-0123456789abcdef0");
    // The SDK asks twice: this comes through its own retries.
    fake.failures.store(5, Ordering::SeqCst);
    let metadata = Metadata::at(&fake.start().await).expect("a URL");
    let id = tokio::time::timeout(LIMIT, metadata.instance_id()).await;
    assert_eq!(id.expect("in time").as_deref(), Some("i-0123456789abcdef0"));
}
