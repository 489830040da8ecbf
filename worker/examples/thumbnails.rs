//! A worker that makes thumbnails: the demo's work, and a pattern for one's own.
//!
//! A message's body is `{"image":"photos/0001.png","width":256}`; the image is read from the bucket
//! `THUMBNAILS_BUCKET`, the thumbnail stored there as `thumbnails/<job id>.jpg`, and the job's
//! result is `{"key":…,"bytes":…,"width":…,"height":…}`. With `THUMBNAILS_LEDGER_TABLE` set, each
//! completion also puts an item into that table, in the completion's own transaction: an audit that
//! does not depend on the job record. Two commits of one job would leave two items.
//!
//! Flags and environment are those of `weir-worker run`.

#![expect(
    clippy::print_stderr,
    reason = "a program says what is wrong with its settings"
)]

use std::io::Cursor;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use aws_sdk_s3::primitives::{AggregatedBytes, ByteStream};
use image::imageops::FilterType;
use image::{DynamicImage, ImageReader};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use weir_worker::{Context, Failure, Handler, Job, Outcome};

/// Where thumbnails stop showing artefacts to the eye at sizes a page uses.
const JPEG_QUALITY: u8 = 82;

/// Wider is no thumbnail.
const WIDTH_MAX: u32 = 4096;

fn main() -> ExitCode {
    let settings = match Settings::from_environment() {
        Ok(settings) => settings,
        Err(what) => {
            eprintln!("error: {what}");
            return ExitCode::from(64);
        }
    };
    weir_worker::cli::main_with_handler(Thumbnails {
        settings,
        s3: OnceCell::new(),
    })
}

struct Settings {
    bucket: String,
    ledger_table: Option<String>,
}

impl Settings {
    #[expect(
        clippy::disallowed_methods,
        reason = "a handler's own settings come from the environment"
    )]
    fn from_environment() -> Result<Self, String> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Ok(Self {
            bucket: set("THUMBNAILS_BUCKET")
                .ok_or("THUMBNAILS_BUCKET is not set: name the bucket that holds the images")?,
            ledger_table: set("THUMBNAILS_LEDGER_TABLE"),
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    image: String,
    width: u32,
}

#[derive(Debug, Serialize)]
struct Made {
    key: String,
    bytes: usize,
    width: u32,
    height: u32,
}

struct Thumbnails {
    settings: Settings,
    s3: OnceCell<aws_sdk_s3::Client>,
}

#[async_trait]
impl Handler for Thumbnails {
    async fn handle(&self, job: Job, ctx: Context) -> Outcome {
        let job_id = job.id.clone();
        let made = match self.make(job).await {
            Ok(made) => made,
            Err(failure) => return failure.into(),
        };
        if let Some(table) = &self.settings.ledger_table {
            ctx.write_on_completion(ledger_entry(table, &job_id, ctx.token()));
        }
        Outcome::json(&made)
    }
}

impl Thumbnails {
    async fn make(&self, job: Job) -> Result<Made, Failure> {
        let job = job.parse_json::<Order>()?;
        let Order { image, width } = job.body;
        if !(1..=WIDTH_MAX).contains(&width) {
            let words = format!("width {width}: 1 to {WIDTH_MAX} are allowed");
            return Err(Failure::poison(words));
        }
        let original = self.fetch(&image).await?;
        let resized = tokio::task::spawn_blocking(move || thumbnail(&original, width)).await;
        let not_an_image =
            |error| Failure::poison(error).context(format!("{image} is not an image"));
        let (jpeg, width, height) = resized
            .map_err(|error| Failure::poison(error).context(format!("resizing {image}")))?
            .map_err(not_an_image)?;
        let made = Made {
            key: format!("thumbnails/{}.jpg", job.id),
            bytes: jpeg.len(),
            width,
            height,
        };
        self.store(&made.key, jpeg).await?;
        Ok(made)
    }

    async fn fetch(&self, key: &str) -> Result<Vec<u8>, Failure> {
        let request = self.client().await.get_object();
        let object = request
            .bucket(&self.settings.bucket)
            .key(key)
            .send()
            .await
            .map_err(|error| match error.as_service_error() {
                Some(service) if service.is_no_such_key() => {
                    Failure::poison(format!("there is no image {key}"))
                }
                _ => Failure::retry(error).context(format!("reading {key}")),
            })?;
        let bytes = object.body.collect().await;
        bytes
            .map(AggregatedBytes::to_vec)
            .map_err(|error| Failure::retry(error).context(format!("reading {key}")))
    }

    async fn store(&self, key: &str, jpeg: Vec<u8>) -> Result<(), Failure> {
        let request = self.client().await.put_object();
        request
            .bucket(&self.settings.bucket)
            .key(key)
            .content_type("image/jpeg")
            .body(ByteStream::from(jpeg))
            .send()
            .await
            .map(drop)
            .map_err(|error| Failure::retry(error).context(format!("storing {key}")))
    }

    async fn client(&self) -> &aws_sdk_s3::Client {
        let connect = || async {
            let latest = aws_config::BehaviorVersion::latest();
            let shared = aws_config::defaults(latest).load().await;
            // Bucket names in the path work with every S3 there is, also without wildcard DNS.
            let config = aws_sdk_s3::config::Builder::from(&shared).force_path_style(true);
            aws_sdk_s3::Client::from_conf(config.build())
        };
        self.s3.get_or_init(connect).await
    }
}

/// Scales an image to `width`, never up, keeping its aspect; JPEG and its real dimensions.
fn thumbnail(original: &[u8], width: u32) -> Result<(Vec<u8>, u32, u32), image::ImageError> {
    let image = ImageReader::new(Cursor::new(original))
        .with_guessed_format()?
        .decode()?;
    let (from_width, from_height) = (image.width(), image.height());
    let width = width.min(from_width);
    let height = u64::from(from_height) * u64::from(width) / u64::from(from_width.max(1));
    let height = u32::try_from(height).unwrap_or(u32::MAX).max(1);
    let small = DynamicImage::from(
        image
            .resize_exact(width, height, FilterType::Triangle)
            .to_rgb8(),
    );
    let mut jpeg = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY);
    small.write_with_encoder(encoder)?;
    Ok((jpeg, width, height))
}

fn ledger_entry(table: &str, job_id: &str, token: &str) -> TransactWriteItem {
    let text = |value: String| AttributeValue::S(value);
    let put = Put::builder()
        .table_name(table)
        .item("commit_id", text(format!("{job_id}#{token}")))
        .item("job_id", text(job_id.to_owned()))
        .item("at", AttributeValue::N(now().to_string()))
        .build()
        .expect("invariant: table and item are set");
    TransactWriteItem::builder().put(put).build()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the ledger notes the time of day"
)]
fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut png = Cursor::new(Vec::new());
        DynamicImage::new_rgba8(width, height)
            .write_to(&mut png, image::ImageFormat::Png)
            .unwrap();
        png.into_inner()
    }

    #[test]
    fn keeps_the_aspect_and_gives_a_jpeg() {
        let (jpeg, width, height) = thumbnail(&png(600, 400), 256).unwrap();
        assert_eq!((width, height), (256, 170));
        let read = image::load_from_memory_with_format(&jpeg, image::ImageFormat::Jpeg).unwrap();
        assert_eq!((read.width(), read.height()), (256, 170));
    }

    #[test]
    fn never_scales_up_nor_to_nothing() {
        let (_, width, height) = thumbnail(&png(100, 50), 256).unwrap();
        assert_eq!((width, height), (100, 50));
        let (_, width, height) = thumbnail(&png(900, 2), 9).unwrap();
        assert_eq!((width, height), (9, 1));
    }

    #[test]
    fn what_is_no_image_is_refused() {
        assert!(thumbnail(b"GIF?", 256).is_err());
        assert!(thumbnail(&png(10, 10)[..40], 256).is_err());
    }

    #[test]
    fn orders_are_strict() {
        let order = |body| serde_json::from_str::<Order>(body);
        assert!(order(r#"{"image":"a.png","width":256}"#).is_ok());
        for bad in [
            "",
            r#"{"image":"a.png"}"#,
            r#"{"image":"a.png","width":"256"}"#,
            r#"{"image":"a.png","width":-1}"#,
            r#"{"image":"a.png","width":1,"height":1}"#,
        ] {
            assert!(order(bad).is_err(), "{bad}");
        }
    }
}
