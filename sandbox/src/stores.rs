//! The kept libraries behind the sandbox: DynamoDB from dynoxide-rs and S3 from s3s with its file
//! store, each on a loopback port of its own.
//!
//! This module owns their listeners and makes the two tables and the bucket. It must not know
//! what is kept in them.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    StreamSpecification, StreamViewType, TimeToLiveSpecification,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder as Connections;
use s3s::S3Result;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::path::S3Path;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use weir_protocol::keys;

use crate::history::{self, Change};
use crate::iam::{self, Iam, Refusal};

/// The access key and the secret key that every client of the sandbox signs with.
pub const ACCESS_KEY: &str = "test";

/// The region the sandbox says it is in.
pub const REGION: &str = "eu-west-1";

/// A running server lets its last requests finish for this long when the sandbox ends.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// What could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No loopback port was to be had.
    #[error("no port on 127.0.0.1 for {store}")]
    Listen {
        /// `DynamoDB` or `S3`.
        store: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The library behind the store did not open.
    #[error("the {store} store did not open: {reason}")]
    Open {
        /// `DynamoDB` or `S3`.
        store: &'static str,
        /// The library's own words.
        reason: String,
    },
    /// A table's history could not be read.
    #[error("the history of table {table} could not be read: {reason}")]
    History {
        /// The table.
        table: String,
        /// The library's own words.
        reason: String,
    },
    /// A table or bucket could not be made.
    #[error("{what} could not be made")]
    Make {
        /// The table or bucket.
        what: String,
        /// The service's answer.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// DynamoDB and S3, serving until [`Stores::shutdown`] or until it is dropped.
pub struct Stores {
    /// DynamoDB's endpoint.
    pub dynamodb_url: String,
    /// S3's endpoint.
    pub s3_url: String,
    database: dynoxide::Database,
    /// Asked about every call of S3, once it is there.
    iam: Arc<OnceLock<Iam>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Stores {
    /// Opens both; S3 keeps its objects as files under `objects`, which must exist, and lets
    /// each read and write of an object wait for `s3_latency`.
    pub async fn open(objects: &Path, s3_latency: Duration) -> Result<Self, StoreError> {
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let (listener, dynamodb_url) = listen("DynamoDB").await?;
        let database = dynoxide::Database::memory().map_err(|error| StoreError::Open {
            store: "DynamoDB",
            reason: error.to_string(),
        })?;
        let stopped = stop.clone().cancelled_owned();
        let served = database.clone();
        tasks.spawn(async move {
            if let Err(reason) =
                dynoxide::server::serve_with_shutdown(listener, served, stopped).await
            {
                tracing::error!(reason, "DynamoDB stopped serving");
            }
        });
        let iam = Arc::new(OnceLock::new());
        let (listener, s3_url) = listen("S3").await?;
        tasks.spawn(serve_s3(
            listener,
            s3_service(objects, s3_latency, Arc::clone(&iam))?,
            stop.clone(),
        ));
        Ok(Self {
            dynamodb_url,
            s3_url,
            database,
            iam,
            stop,
            tasks,
        })
    }

    /// From now on IAM is asked about every call of S3, and of DynamoDB at the gate whose URL this
    /// gives; the first IAM to be given stays. DynamoDB's own endpoint stays as it is.
    pub async fn enforce(&self, iam: Iam) -> Result<String, StoreError> {
        let _ = self.iam.set(iam.clone());
        let opened = iam::open_gate(iam, &self.dynamodb_url, self.stop.clone()).await;
        opened.map_err(|source| StoreError::Listen {
            store: "DynamoDB",
            source,
        })
    }

    /// Makes Weir's two tables, as Terraform makes them on AWS: keys, on-demand billing, TTL.
    pub async fn make_tables(&self, jobs: &str, state: &str) -> Result<(), StoreError> {
        self.make_table(jobs, &[keys::JOB_ID]).await?;
        self.make_table(state, &[keys::PK, keys::SK]).await
    }

    /// Makes a table whose keys, the partition's and then the sort key, are strings.
    pub async fn make_table(&self, name: &str, table_keys: &[&str]) -> Result<(), StoreError> {
        let client = aws_sdk_dynamodb::Client::new(&client_config(&self.dynamodb_url).await);
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Make {
            what: format!("table {name}"),
            source,
        };
        let mut request = client
            .create_table()
            .table_name(name)
            .billing_mode(BillingMode::PayPerRequest);
        for (key, kind) in table_keys.iter().zip([KeyType::Hash, KeyType::Range]) {
            request = request
                .attribute_definitions(
                    AttributeDefinition::builder()
                        .attribute_name(*key)
                        .attribute_type(ScalarAttributeType::S)
                        .build()
                        .map_err(|error| failed(error.into()))?,
                )
                .key_schema(
                    KeySchemaElement::builder()
                        .attribute_name(*key)
                        .key_type(kind)
                        .build()
                        .map_err(|error| failed(error.into()))?,
                );
        }
        request.send().await.map_err(|error| failed(error.into()))?;
        let ttl = TimeToLiveSpecification::builder()
            .attribute_name(keys::EXPIRES_AT)
            .enabled(true)
            .build()
            .map_err(|error| failed(error.into()))?;
        client
            .update_time_to_live()
            .table_name(name)
            .time_to_live_specification(ttl)
            .send()
            .await
            .map_err(|error| failed(error.into()))?;
        Ok(())
    }

    /// From now on every change of the table's items is kept, for [`Stores::history`].
    pub async fn keep_history(&self, table: &str) -> Result<(), StoreError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Make {
            what: format!("the history of table {table}"),
            source,
        };
        let stream = StreamSpecification::builder()
            .stream_enabled(true)
            .stream_view_type(StreamViewType::NewAndOldImages)
            .build()
            .map_err(|error| failed(error.into()))?;
        aws_sdk_dynamodb::Client::new(&client_config(&self.dynamodb_url).await)
            .update_table()
            .table_name(table)
            .stream_specification(stream)
            .send()
            .await
            .map_err(|error| failed(error.into()))?;
        Ok(())
    }

    /// Every change of the table's items since [`Stores::keep_history`].
    pub fn history(&self, table: &str) -> Result<Vec<Change>, StoreError> {
        history::read(&self.database, table)
    }

    /// Makes a bucket.
    pub async fn make_bucket(&self, name: &str) -> Result<(), StoreError> {
        aws_sdk_s3::Client::new(&client_config(&self.s3_url).await)
            .create_bucket()
            .bucket(name)
            .send()
            .await
            .map_err(|error| StoreError::Make {
                what: format!("bucket {name}"),
                source: error.into(),
            })?;
        Ok(())
    }

    /// Stops both; requests under way may finish, for a moment.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(LAST_REQUESTS, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::debug!("a store still had requests under way; they end with the sandbox");
        }
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores")
            .field("dynamodb_url", &self.dynamodb_url)
            .field("s3_url", &self.s3_url)
            .finish_non_exhaustive()
    }
}

impl Drop for Stores {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The AWS SDK's settings for a client of the sandbox that is not one of its child programs.
pub async fn client_config(endpoint: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .credentials_provider(Credentials::new(
            ACCESS_KEY,
            ACCESS_KEY,
            None,
            None,
            "weir-sandbox",
        ))
        .endpoint_url(endpoint)
        .load()
        .await
}

async fn listen(store: &'static str) -> Result<(TcpListener, String), StoreError> {
    let failed = |source| StoreError::Listen { store, source };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, format!("http://{address}")))
}

fn s3_service(
    objects: &Path,
    latency: Duration,
    iam: Arc<OnceLock<Iam>>,
) -> Result<S3Service, StoreError> {
    let files = s3s_fs::FileSystem::new(objects).map_err(|error| StoreError::Open {
        store: "S3",
        reason: format!("{error:?}"),
    })?;
    let mut builder = S3ServiceBuilder::new(files);
    // Without an account s3s refuses every signed request, and the SDK signs all of them.
    builder.set_auth(AnyKey);
    builder.set_access(Door { latency, iam });
    Ok(builder.build())
}

/// Every access key has the same secret: who may do what is IAM's affair.
#[derive(Debug)]
struct AnyKey;

#[async_trait]
impl S3Auth for AnyKey {
    async fn get_secret_key(&self, _: &str) -> S3Result<SecretKey> {
        Ok(ACCESS_KEY.into())
    }
}

/// Lets everyone who signed and may in, after the time that a distant bucket takes to answer.
#[derive(Debug)]
struct Door {
    latency: Duration,
    iam: Arc<OnceLock<Iam>>,
}

impl Door {
    fn judge(&self, request: &S3AccessContext<'_>, access_key: &str) -> S3Result<()> {
        let Some(iam) = self.iam.get() else {
            return Ok(());
        };
        let operation = iam::S3Operation {
            name: request.s3_op().name(),
            place: match request.s3_path() {
                S3Path::Root => None,
                S3Path::Bucket { bucket } => Some((bucket, None)),
                S3Path::Object { bucket, key } => Some((bucket, Some(key))),
            },
            query: request.uri().query().unwrap_or_default(),
        };
        let accesses = iam::s3_accesses(iam.place(), &operation);
        let refused = |refusal: Refusal| match refusal {
            Refusal::UnknownKey => s3s::s3_error!(InvalidAccessKeyId, "{refusal}"),
            Refusal::Denied { .. } => s3s::s3_error!(AccessDenied, "{refusal}"),
        };
        iam.judge(access_key, &accesses).map_err(refused)
    }
}

#[async_trait]
impl S3Access for Door {
    #[expect(
        clippy::disallowed_methods,
        reason = "a bucket's latency passes on the wall clock"
    )]
    async fn check(&self, request: &mut S3AccessContext<'_>) -> S3Result<()> {
        let Some(credentials) = request.credentials() else {
            return Err(s3s::s3_error!(AccessDenied, "the request is not signed"));
        };
        self.judge(request, &credentials.access_key)?;
        if matches!(request.s3_op().name(), "GetObject" | "PutObject") {
            tokio::time::sleep(self.latency).await;
        }
        Ok(())
    }
}

async fn serve_s3(listener: TcpListener, service: S3Service, stop: CancellationToken) {
    let http = Connections::new(TokioExecutor::new());
    loop {
        let socket = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => socket,
                Err(error) => {
                    tracing::warn!(%error, "S3 could not accept a connection");
                    continue;
                }
            },
        };
        let connection = http
            .serve_connection(TokioIo::new(socket), service.clone())
            .into_owned();
        let stop = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%error, "an S3 connection broke off");
                },
            }
        });
    }
}
