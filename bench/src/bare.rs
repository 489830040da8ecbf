//! A consumer without an SDK: receive ten, delete the ten, over plain HTTP.
//!
//! It looks for nothing but the receipt handles, so what it reaches is what the sandbox can give.

use anyhow::{Context as _, bail};
use bytes::Bytes;
use futures::future::try_join_all;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Loops at once; more do not make the sandbox faster on two cores.
const LOOPS: usize = 4;

/// The sandbox takes the service from the signature's scope and checks no signature.
const SCOPE: &str =
    "AWS4-HMAC-SHA256 Credential=bench/20260101/eu-west-1/sqs/aws4_request, Signature=0";

type Http = Client<HttpConnector, Full<Bytes>>;

/// Consumes a queue until the process is ended.
pub(crate) async fn consume(queue_url: &str) -> anyhow::Result<()> {
    let http: Http = Client::builder(TokioExecutor::new()).build_http();
    try_join_all((0..LOOPS).map(|_| endless(&http, queue_url))).await?;
    Ok(())
}

async fn endless(http: &Http, queue_url: &str) -> anyhow::Result<()> {
    let receive =
        format!(r#"{{"QueueUrl":"{queue_url}","MaxNumberOfMessages":10,"WaitTimeSeconds":20}}"#);
    loop {
        let answer = call(http, queue_url, "ReceiveMessage", receive.clone()).await?;
        let entries: Vec<String> = receipts(&answer)
            .enumerate()
            .map(|(nth, receipt)| format!(r#"{{"Id":"{nth}","ReceiptHandle":"{receipt}"}}"#))
            .collect();
        if entries.is_empty() {
            continue;
        }
        let entries = entries.join(",");
        let delete = format!(r#"{{"QueueUrl":"{queue_url}","Entries":[{entries}]}}"#);
        call(http, queue_url, "DeleteMessageBatch", delete).await?;
    }
}

async fn call(http: &Http, url: &str, action: &str, body: String) -> anyhow::Result<String> {
    let request = Request::post(url)
        .header("authorization", SCOPE)
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", format!("AmazonSQS.{action}"))
        .body(Full::from(body))?;
    let answer = http.request(request).await?;
    let status = answer.status();
    let bytes = answer.into_body().collect().await?.to_bytes();
    let text = String::from_utf8(bytes.to_vec()).context("the answer is not text")?;
    if !status.is_success() {
        bail!("{action}: {status}: {text}");
    }
    Ok(text)
}

/// The receipt handles in an answer; they are base64, so no quote is inside.
fn receipts(answer: &str) -> impl Iterator<Item = &str> {
    let parts = answer.split(r#""ReceiptHandle":""#).skip(1);
    parts.filter_map(|part| part.split('"').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_all_receipts() {
        let answer = r#"{"Messages":[{"ReceiptHandle":"a=","Body":"x"},{"ReceiptHandle":"b"}]}"#;
        assert_eq!(receipts(answer).collect::<Vec<_>>(), ["a=", "b"]);
        assert_eq!(receipts("{}").count(), 0);
    }
}
