//! A bucket that keeps versions, in memory: what the store with files does not.
//!
//! It answers as S3 does (S3 API Reference, `ListObjectVersions`: newest first for each key, delete
//! markers apart, in pages), with pages of two, so that whoever reads them has to turn them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder as Connections;
use s3s::auth::SimpleAuth;
use s3s::dto::{
    DeleteMarkerEntry, ETag, GetObjectInput, GetObjectOutput, ListObjectVersionsInput,
    ListObjectVersionsOutput, ListObjectsV2Input, ListObjectsV2Output, Object, ObjectVersion,
    StreamingBlob, Timestamp,
};
use s3s::service::S3ServiceBuilder;
use s3s::{Body, S3, S3Request, S3Response, S3Result, s3_error};
use tokio::net::TcpListener;
use weir_sandbox::stores::ACCESS_KEY;

const PAGE: usize = 2;
/// The first version's moment; each later one is a second younger.
const BEGIN: u64 = 1_700_000_000;

/// The bucket; clones share it.
#[derive(Clone, Default)]
pub struct Versioned {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    objects: BTreeMap<String, Vec<Version>>,
    written: u64,
    is_down: bool,
    gets: usize,
}

/// A version; one without a text is a delete marker.
#[derive(Clone)]
struct Version {
    id: String,
    at: Timestamp,
    text: Option<String>,
}

impl Versioned {
    /// Serves an empty bucket; gives it and its endpoint.
    pub async fn serve() -> (Self, String) {
        let bucket = Self::default();
        let mut service = S3ServiceBuilder::new(bucket.clone());
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, ACCESS_KEY));
        let service = service.build();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let http = Connections::new(TokioExecutor::new());
                let connection = http.serve_connection(TokioIo::new(socket), service.clone());
                tokio::spawn(connection.into_owned());
            }
        });
        (bucket, url)
    }

    /// Writes an object; gives its version.
    pub fn put(&self, key: &str, text: &str) -> String {
        self.push(key, Some(text.to_owned()))
    }

    /// Removes an object: a delete marker.
    pub fn remove(&self, key: &str) {
        self.push(key, None);
    }

    /// From now on nothing can be had, or all again.
    pub fn be_down(&self, is_down: bool) {
        self.kept.lock().unwrap().is_down = is_down;
    }

    /// How many objects were fetched.
    pub fn gets(&self) -> usize {
        self.kept.lock().unwrap().gets
    }

    fn push(&self, key: &str, text: Option<String>) -> String {
        let mut kept = self.kept.lock().unwrap();
        kept.written += 1;
        let id = format!("version-{}", kept.written);
        let at = UNIX_EPOCH + Duration::from_secs(BEGIN + kept.written);
        let version = Version {
            id: id.clone(),
            at: at.into(),
            text,
        };
        kept.objects
            .entry(key.to_owned())
            .or_default()
            .push(version);
        id
    }

    fn objects(&self) -> S3Result<BTreeMap<String, Vec<Version>>> {
        let kept = self.kept.lock().unwrap();
        if kept.is_down {
            return Err(s3_error!(ServiceUnavailable, "down, on purpose"));
        }
        Ok(kept.objects.clone())
    }
}

fn etag(version: &Version) -> ETag {
    ETag::Strong(format!("etag-of-{}", version.id))
}

#[async_trait]
impl S3 for Versioned {
    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let prefix = request.input.prefix.unwrap_or_default();
        let objects = self.objects()?;
        let there = objects.iter().filter_map(|(key, versions)| {
            let newest = versions.last()?;
            newest.text.as_ref()?;
            Some((key, newest))
        });
        let after = request.input.continuation_token.unwrap_or_default();
        let mut listed: Vec<Object> = there
            .filter(|(key, _)| key.starts_with(&prefix) && **key > after)
            .map(|(key, newest)| Object {
                key: Some(key.clone()),
                e_tag: Some(etag(newest)),
                last_modified: Some(newest.at.clone()),
                ..Object::default()
            })
            .collect();
        let is_truncated = listed.len() > PAGE;
        listed.truncate(PAGE);
        let last = listed.last().and_then(|object| object.key.clone());
        Ok(S3Response::new(ListObjectsV2Output {
            is_truncated: Some(is_truncated),
            next_continuation_token: last.filter(|_| is_truncated),
            contents: Some(listed),
            ..ListObjectsV2Output::default()
        }))
    }

    async fn list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        let prefix = request.input.prefix.unwrap_or_default();
        let objects = self.objects()?;
        let all: Vec<(&String, &Version)> = (objects.iter())
            .filter(|(key, _)| key.starts_with(&prefix))
            .flat_map(|(key, versions)| versions.iter().rev().map(move |version| (key, version)))
            .collect();
        let marker = request.input.version_id_marker;
        let begin = marker.map_or(0, |marker| {
            all.iter()
                .position(|(_, version)| version.id == marker)
                .unwrap()
                + 1
        });
        let page: Vec<_> = all.iter().skip(begin).take(PAGE).collect();
        let is_truncated = begin + page.len() < all.len();
        let last = page.last().filter(|_| is_truncated);
        let mut output = ListObjectVersionsOutput {
            is_truncated: Some(is_truncated),
            next_key_marker: last.map(|(key, _)| (*key).clone()),
            next_version_id_marker: last.map(|(_, version)| version.id.clone()),
            ..ListObjectVersionsOutput::default()
        };
        for (key, version) in page {
            let (key, id, at) = ((*key).clone(), version.id.clone(), version.at.clone());
            if version.text.is_some() {
                output.versions.get_or_insert_default().push(ObjectVersion {
                    key: Some(key),
                    version_id: Some(id),
                    last_modified: Some(at),
                    ..ObjectVersion::default()
                });
            } else {
                let markers = output.delete_markers.get_or_insert_default();
                markers.push(DeleteMarkerEntry {
                    key: Some(key),
                    version_id: Some(id),
                    last_modified: Some(at),
                    ..DeleteMarkerEntry::default()
                });
            }
        }
        Ok(S3Response::new(output))
    }

    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        self.kept.lock().unwrap().gets += 1;
        let objects = self.objects()?;
        let versions = objects.get(&request.input.key);
        let version = match &request.input.version_id {
            None => versions.and_then(|versions| versions.last()),
            Some(id) => versions.and_then(|all| all.iter().find(|version| version.id == *id)),
        };
        let found = version.and_then(|version| Some((version, version.text.clone()?)));
        let Some((version, text)) = found else {
            return Err(s3_error!(NoSuchKey));
        };
        Ok(S3Response::new(GetObjectOutput {
            content_length: i64::try_from(text.len()).ok(),
            body: Some(StreamingBlob::from(Body::from(text))),
            e_tag: Some(etag(version)),
            last_modified: Some(version.at.clone()),
            version_id: Some(version.id.clone()),
            ..GetObjectOutput::default()
        }))
    }
}
