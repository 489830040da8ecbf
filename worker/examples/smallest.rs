//! The smallest worker: a message's body is a name in JSON, the job's result a greeting.

use weir_worker::{Job, Worker, json};

fn main() -> std::process::ExitCode {
    Worker::builder()
        .queue("greetings")
        .main(json(|job: Job<String>, _ctx| async move {
            Ok(format!("Hello, {}!", job.body))
        }))
}
