//! Runs the cases of the suites for queues over whatever answers at `AWS_ENDPOINT_URL`, each on queues
//! of its own, and prints a line of JSON for each: the suite, the case, and what it found wrong.
//!
//! The sandbox's `tests/moto` holds moto to them. Not for a real account: the queues stay.
#![expect(clippy::print_stdout, reason = "the output is the result")]

use std::collections::HashMap;

use anyhow::{Context, ensure};
use aws_config::BehaviorVersion;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName as Name;
use serde_json::json;
use weir_worker::conformance::{FIFO_QUEUE, QUEUE, QueueCase};
use weir_worker::sqs::Sqs;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let endpoint = config.endpoint_url().unwrap_or_default();
    ensure!(
        endpoint.starts_with("http://127.0.0.1:"),
        "AWS_ENDPOINT_URL is '{endpoint}': the cases run on an emulator on 127.0.0.1 only"
    );
    let client = Client::new(&config);
    run(&client, "queue", &QUEUE, "").await?;
    run(&client, "fifo_queue", &FIFO_QUEUE, ".fifo").await
}

async fn run(
    client: &Client,
    suite: &str,
    cases: &[QueueCase],
    suffix: &str,
) -> anyhow::Result<()> {
    for (nth, case) in cases.iter().enumerate() {
        let name = format!("{suite}-{nth}{suffix}");
        make(client, &name, suffix)
            .await
            .with_context(|| format!("making {name}"))?;
        let found = case
            .run(&Sqs::find(client.clone(), &name).await?)
            .await
            .err();
        println!(
            "{}",
            json!({ "suite": suite, "case": case.name, "found": found })
        );
    }
    Ok(())
}

/// Makes a queue with a dead-letter queue, both of the type that the suffix says.
async fn make(client: &Client, name: &str, suffix: &str) -> anyhow::Result<()> {
    let fifo = (!suffix.is_empty()).then(|| (Name::FifoQueue, "true".to_owned()));
    let attributes: HashMap<Name, String> = fifo.into_iter().collect();
    let dead = client
        .create_queue()
        .queue_name(format!("dead-{name}"))
        .set_attributes(Some(attributes.clone()))
        .send()
        .await?;
    let dead = client
        .get_queue_attributes()
        .queue_url(dead.queue_url.unwrap_or_default())
        .attribute_names(Name::QueueArn)
        .send()
        .await?;
    let arn = dead.attributes().and_then(|all| all.get(&Name::QueueArn));
    let arn = arn.context("the dead-letter queue has no ARN")?;
    let redrive = json!({ "deadLetterTargetArn": arn, "maxReceiveCount": 20 });
    let create = client.create_queue().queue_name(name);
    let create = create.set_attributes(Some(attributes));
    let create = create.attributes(Name::RedrivePolicy, redrive.to_string());
    create.send().await?;
    Ok(())
}
