//! The front end: asks for thumbnails by sending messages, as the day goes.
//!
//! This module owns what is asked and when it is sent. It must not look at what becomes of it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use rand::Rng;
use rand::seq::IndexedRandom;
use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use super::photos::Photo;

/// The widths that are asked for; the small photographs have none of these.
const WIDTHS: [u32; 3] = [200, 256, 320];
/// A batch is sent this often at most, so that a crowd's messages share calls.
const SEND_EVERY: Duration = Duration::from_millis(150);
/// SQS takes this many messages a call ("Amazon SQS quotas": messages per batch).
const BATCH: usize = 10;
/// An entry that SQS refuses is sent this many times.
const TRIES: u32 = 4;

/// One thumbnail asked for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Request {
    /// Names the job; sent as the `JobId` attribute.
    #[serde(skip)]
    pub job_id: String,
    /// When to send it, in seconds from the day's start.
    #[serde(skip)]
    pub at: f64,
    /// The photograph's key.
    pub image: String,
    /// The thumbnail's width in pixels; a smaller photograph keeps its own.
    pub width: u32,
}

impl Request {
    /// One for each moment, of photographs drawn by chance.
    pub fn all(moments: &[f64], photos: &[Photo], rng: &mut impl Rng) -> Vec<Self> {
        let requests = moments.iter().enumerate().map(|(nth, at)| Self {
            job_id: format!("thumbnail-{:04}", nth + 1),
            at: *at,
            image: photos
                .choose(rng)
                .map_or_else(String::new, |photo| photo.key.clone()),
            width: *WIDTHS.choose(rng).expect("invariant: there are widths"),
        });
        requests.collect()
    }
}

/// Why a request could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The call failed.
    #[error("messages could not be sent to {queue}")]
    Call {
        /// The queue's URL.
        queue: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Single messages were refused again and again.
    #[error("{queue} refused {count} messages {TRIES} times; the first: {reason}")]
    Refused {
        /// The queue's URL.
        queue: String,
        /// How many.
        count: usize,
        /// The service's word on the first.
        reason: String,
    },
}

/// A sender to one queue.
#[derive(Clone, Debug)]
pub struct FrontEnd {
    client: aws_sdk_sqs::Client,
    queue_url: String,
}

impl FrontEnd {
    /// One that sends with `client`.
    pub fn new(client: aws_sdk_sqs::Client, queue_url: String) -> Self {
        Self { client, queue_url }
    }

    /// Sends each request when its moment comes, and counts in `accepted` what SQS has taken.
    #[expect(
        clippy::disallowed_methods,
        reason = "the day passes on the wall clock, compressed"
    )]
    pub async fn send(&self, requests: &[Request], accepted: &AtomicU32) -> Result<(), SendError> {
        let start = Instant::now();
        let mut rest = requests;
        while let Some(next) = rest.first() {
            sleep_until(start + Duration::from_secs_f64(next.at)).await;
            let now = start.elapsed().as_secs_f64();
            let due = rest.iter().take_while(|request| request.at <= now).count();
            let (batch, later) = rest.split_at(due.clamp(1, rest.len()));
            for chunk in batch.chunks(BATCH) {
                self.send_batch(chunk, accepted).await?;
            }
            rest = later;
            tokio::time::sleep(SEND_EVERY).await;
        }
        Ok(())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a refused entry is sent again a moment later"
    )]
    async fn send_batch(&self, chunk: &[Request], accepted: &AtomicU32) -> Result<(), SendError> {
        let mut left: Vec<&Request> = chunk.iter().collect();
        let mut reason = String::new();
        for attempt in 0..TRIES {
            tokio::time::sleep(SEND_EVERY * attempt).await;
            let entries = left.iter().map(|request| entry(request)).collect();
            let call = self.client.send_message_batch().queue_url(&self.queue_url);
            let answer = call.set_entries(Some(entries)).send().await;
            let answer = answer.map_err(|error| SendError::Call {
                queue: self.queue_url.clone(),
                source: error.into(),
            })?;
            let taken = u32::try_from(answer.successful.len());
            let taken = taken.expect("invariant: a batch has ten entries at most");
            accepted.fetch_add(taken, Ordering::Relaxed);
            let Some(refused) = answer.failed.first() else {
                return Ok(());
            };
            reason = format!("{} {}", refused.code, refused.message().unwrap_or_default());
            left.retain(|request| answer.failed.iter().any(|one| one.id == request.job_id));
        }
        Err(SendError::Refused {
            queue: self.queue_url.clone(),
            count: left.len(),
            reason,
        })
    }
}

fn entry(request: &Request) -> SendMessageBatchRequestEntry {
    let body = serde_json::to_string(request).expect("invariant: a request is plain JSON");
    let job_id = MessageAttributeValue::builder()
        .data_type("String")
        .string_value(&request.job_id)
        .build()
        .expect("invariant: the data type is given");
    SendMessageBatchRequestEntry::builder()
        .id(&request.job_id)
        .message_body(body)
        .message_attributes("JobId", job_id)
        .build()
        .expect("invariant: id and body are given")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn a_message_names_the_image_and_the_width_and_carries_its_job_id() {
        let request = Request {
            job_id: "thumbnail-0001".into(),
            at: 0.0,
            image: "photos/0001.png".into(),
            width: 256,
        };
        let entry = entry(&request);
        assert_eq!(
            entry.message_body(),
            r#"{"image":"photos/0001.png","width":256}"#
        );
        let attribute = &entry.message_attributes().unwrap()["JobId"];
        assert_eq!(attribute.string_value(), Some("thumbnail-0001"));
    }

    #[test]
    fn requests_have_names_of_their_own_and_ask_for_small_photographs_too() {
        let photos = Photo::all(1);
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let moments: Vec<f64> = (0..400).map(f64::from).collect();
        let requests = Request::all(&moments, &photos, &mut rng);
        let names: std::collections::BTreeSet<_> =
            requests.iter().map(|request| &request.job_id).collect();
        assert_eq!(names.len(), 400);
        let small = photos.iter().filter(|photo| photo.width < WIDTHS[0]);
        let small: Vec<_> = small.map(|photo| &photo.key).collect();
        assert!(
            requests
                .iter()
                .any(|request| small.contains(&&request.image))
        );
    }
}
