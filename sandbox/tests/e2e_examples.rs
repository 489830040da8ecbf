//! The same job in three languages: `worker/examples` has the thumbnail job in Rust, as a shell
//! script and as a Python service, and each does it here as on EC2, with the same answers.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
#![allow(
    clippy::disallowed_methods,
    reason = "real programs pass real time; every wait has a deadline"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{BUCKET, Ground, program, said, shown};
use image::ImageFormat;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use weir_protocol::{JobRecord, JobState};
use weir_sandbox::demo::front_end::{FrontEnd, Request};
use weir_sandbox::demo::photos::Photo;

const PATIENCE: Duration = Duration::from_mins(1);
const WIDTH: u32 = 256;

/// A program that ends with the test.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        let name = format!("{command:?}");
        Self(
            command
                .spawn()
                .unwrap_or_else(|error| panic!("{name}: {error}")),
        )
    }

    /// Asks it to leave; its exit code.
    async fn leave(mut self) -> Option<i32> {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
        let ended = async {
            loop {
                if let Some(status) = self.0.try_wait().unwrap() {
                    return status.code();
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let ended = tokio::time::timeout(PATIENCE, ended).await;
        ended.expect("it leaves when it is asked to")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn example(name: &str) -> PathBuf {
    let worker = Path::new(env!("CARGO_MANIFEST_DIR")).join("../worker/examples");
    worker.join(name).canonicalize().unwrap()
}

/// The Python that has what `thumbnail.py` needs.
fn python() -> PathBuf {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/examples/venv/bin/python");
    assert!(
        python.is_file(),
        "{} is missing: make it with `make target/examples/venv/ready`, or run `make e2e`",
        shown(&python)
    );
    python
}

/// A command in the sandbox's environment, as a worker of its fleet.
fn inside(ground: &Ground, program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .envs(ground.sandbox.own_env())
        .envs(ground.sandbox.worker_env(&ground.sandbox.fleets()[0]))
        .env("THUMBNAILS_BUCKET", BUCKET)
        .env("WEIR_POLL_WAIT", "1s");
    command
}

/// A port of this machine that nobody listens at.
async fn unused_port() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port().to_string()
}

/// The service, which begins to listen long after its worker has begun to work.
async fn late_service(ground: &Ground, port: &str) -> Running {
    tokio::time::sleep(Duration::from_secs(4)).await;
    let mut command = inside(ground, &python());
    command.arg(example("thumbnail.py")).arg(port);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Running::start(&mut command)
}

/// The jobs that every language gets: an id's ending, the image, the width.
fn jobs(photos: &[Photo]) -> Vec<(String, String, u32)> {
    let good = photos.iter().enumerate();
    let good = good.map(|(nth, photo)| (format!("photo-{nth}"), photo.key.clone(), WIDTH));
    let missing = ("missing".into(), "photos/no such.png".into(), WIDTH);
    let too_small = ("nothing".into(), photos[0].key.clone(), 0);
    let no_image = ("text".into(), "notes.txt".into(), WIDTH);
    good.chain([missing, too_small, no_image]).collect()
}

/// Has one language do all jobs; the records by the id's ending.
async fn done_by(
    ground: &Ground,
    language: &str,
    command: &mut Command,
    jobs: &[(String, String, u32)],
) -> BTreeMap<String, JobRecord> {
    let worker = Running::start(command);
    let requests: Vec<Request> = jobs
        .iter()
        .map(|(name, image, width)| Request {
            job_id: format!("{language}-{name}"),
            at: 0.0,
            image: image.clone(),
            width: *width,
        })
        .collect();
    let front_end = FrontEnd::new(ground.books.sqs.clone(), ground.books.queue_url.clone());
    front_end.send(&requests, &0.into()).await.unwrap();
    let own = format!("{language}-");
    let mut records = BTreeMap::new();
    ground
        .until(
            &format!("{language} has done all jobs"),
            PATIENCE,
            async || {
                records = ground.records().await;
                records.retain(|id, record| id.starts_with(&own) && record.state.is_final());
                records.len() == jobs.len()
            },
        )
        .await;
    assert_eq!(worker.leave().await, Some(0), "{language}");
    records
        .into_iter()
        .map(|(id, record)| (id[own.len()..].to_owned(), record))
        .collect()
}

async fn store(ground: &Ground, key: &str, content: Vec<u8>) {
    let put = ground.books.s3.put_object().bucket(BUCKET).key(key);
    put.body(content.into()).send().await.unwrap();
}

/// Width and height of the thumbnail that a record tells of, which is where and what it says.
async fn made(ground: &Ground, record: &JobRecord) -> (u32, u32) {
    assert_eq!(record.state, JobState::Succeeded, "{record:?}");
    let result: Value = serde_json::from_str(record.result.as_deref().unwrap()).unwrap();
    let fields: Vec<_> = result.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["key", "bytes", "width", "height"]);
    let key = format!("thumbnails/{}.jpg", record.job_id);
    assert_eq!(result["key"], key.as_str());
    let get = ground.books.s3.get_object().bucket(BUCKET).key(key);
    let object = get.send().await.unwrap();
    assert_eq!(object.content_type(), Some("image/jpeg"));
    let jpeg = object.body.collect().await.unwrap().into_bytes();
    assert_eq!(result["bytes"], jpeg.len());
    let picture = image::load_from_memory_with_format(&jpeg, ImageFormat::Jpeg).unwrap();
    let size = (picture.width(), picture.height());
    assert_eq!(
        (result["width"].clone(), result["height"].clone()),
        (size.0.into(), size.1.into())
    );
    size
}

#[tokio::test(flavor = "multi_thread")]
async fn one_job_has_one_result_in_every_language() {
    let ground = Ground::start(None).await;
    let all = Photo::all(1);
    // JPEG, PNG, and one that must not be enlarged.
    let photos = [all[0].clone(), all[7].clone(), all[43].clone()];
    for photo in &photos {
        store(&ground, &photo.key, photo.render().unwrap()).await;
    }
    store(&ground, "notes.txt", b"no picture".to_vec()).await;
    let jobs = jobs(&photos);

    let mut rust = inside(&ground, &program("examples/thumbnails"));
    let mut shell = inside(&ground, &program("weir-worker"));
    shell.arg("run").arg("--exec").arg(example("thumbnail.sh"));
    let port = unused_port().await;
    let url = format!("http://127.0.0.1:{port}/");
    let mut python = inside(&ground, &program("weir-worker"));
    python.args(["run", "--http", &url]);
    let by_rust = done_by(&ground, "rust", &mut rust, &jobs).await;
    let by_shell = done_by(&ground, "shell", &mut shell, &jobs).await;
    let (by_python, service) = tokio::join!(
        done_by(&ground, "python", &mut python, &jobs),
        late_service(&ground, &port)
    );
    drop(service);
    for (language, records) in [
        ("rust", by_rust),
        ("shell", by_shell),
        ("python", by_python),
    ] {
        for (nth, photo) in photos.iter().enumerate() {
            let record = &records[&format!("photo-{nth}")];
            let width = photo.width.min(WIDTH);
            let size = (width, photo.height * width / photo.width);
            assert_eq!(made(&ground, record).await, size, "{language}: {photo:?}");
            assert_eq!(record.attempt, 1, "{language}");
        }
        for (name, words) in [
            ("missing", "there is no image photos/no such.png"),
            ("nothing", ""),
            ("text", "notes.txt is not an image"),
        ] {
            let record = &records[name];
            let told = (record.state, record.attempt);
            assert_eq!(told, (JobState::Failed, 1), "{language}: {record:?}");
            let reason = record.reason.as_deref().unwrap();
            assert!(reason.contains(words), "{language}: {reason}");
        }
    }
    let keys: BTreeSet<_> = ground.records().await.into_keys().collect();
    assert_eq!(keys.len(), 3 * jobs.len());
    ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_lines_of_rust_are_a_worker() {
    let ground = Ground::start(None).await;
    let sqs = &ground.books.sqs;
    let queue = sqs.create_queue().queue_name("greetings").send().await;
    let queue = queue.unwrap().queue_url.unwrap();
    let mut command = inside(&ground, &program("examples/smallest"));
    let worker = Running::start(&mut command);
    let send = sqs
        .send_message()
        .queue_url(queue)
        .message_body("\"World\"");
    let id = send.send().await.unwrap().message_id.unwrap();
    let is_done = async || ground.records().await.contains_key(&id);
    ground.until("the job is there", PATIENCE, is_done).await;
    // `weir-worker result` is how a person asks.
    let result = tokio::task::spawn_blocking({
        let mut command = inside(&ground, &program("weir-worker"));
        command.args(["result", &id, "--wait", "30s"]);
        move || command.output().unwrap()
    });
    let output = result.await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let record: Value = serde_json::from_str(&said(&output)).unwrap();
    assert_eq!(record["result"], "\"Hello, World!\"");
    assert_eq!(worker.leave().await, Some(0));
    ground.sandbox.shutdown().await;
}
