//! The vendor's part of the S3 protocol: listing and reading.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use jiff::civil::Date;
use s3s::auth::{S3Auth, SecretKey};
use s3s::dto::{
    CommonPrefix, ETag, ETagCondition, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput,
    ListObjectsV2Input, ListObjectsV2Output, Object as ListedObject, Range, StreamingBlob, Timestamp,
};
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

use super::bucket::{Bucket, Object, Query};
use super::script::{Action, Strike};
use super::token::{opaque, plain};
use crate::model::Dataset;
use crate::sandbox::FileId;

/// What a customer may read; everything is listed either way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Datasets paid for.
    pub datasets: Vec<Dataset>,
    /// First date of the history paid for; `None` for all of it.
    pub from: Option<Date>,
}

impl Plan {
    pub(super) fn covers(&self, id: FileId) -> bool {
        self.datasets.contains(&id.dataset) && self.from.is_none_or(|from| id.date >= from)
    }
}

/// One customer's keys.
pub(super) struct Keys {
    pub access_key: String,
    pub secret_key: String,
}

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.access_key {
            Ok(SecretKey::from(self.secret_key.as_str()))
        } else {
            Err(s3_error!(InvalidAccessKeyId, "The access key you provided does not exist in our records"))
        }
    }
}

/// Answers requests whose signature is right.
pub(super) struct Vendor {
    pub name: String,
    pub bucket: Arc<Bucket>,
    pub plan: Plan,
}

/// Bytes read from a file at a time.
const BLOCK: u64 = 128 * 1024;
/// Keys of a page, at most.
const PAGE: i32 = 1000;

impl Vendor {
    fn check_bucket(&self, name: &str) -> S3Result<()> {
        if name == self.name { Ok(()) } else { Err(s3_error!(NoSuchBucket, "The specified bucket does not exist")) }
    }

    async fn open(&self, bucket: &str, key: &str, if_match: Option<&ETagCondition>) -> S3Result<Object> {
        self.check_bucket(bucket)?;
        if FileId::of_key(key).is_some_and(|id| !self.plan.covers(id)) {
            let mut error = S3Error::with_message(
                S3ErrorCode::from_bytes(b"NOT_AUTHORIZED").unwrap_or(S3ErrorCode::AccessDenied),
                "You are not entitled to this data. Please upgrade your plan",
            );
            error.set_status_code(hyper::StatusCode::FORBIDDEN);
            return Err(error);
        }
        let (bucket, owned) = (self.bucket.clone(), key.to_owned());
        let object = blocking(move || bucket.open(&owned)).await?;
        let object = object.ok_or_else(|| s3_error!(NoSuchKey, "The specified key does not exist"))?;
        match if_match {
            Some(ETagCondition::ETag(wanted)) if wanted.value() != object.etag => {
                Err(s3_error!(PreconditionFailed, "At least one of the preconditions you specified did not hold"))
            }
            _ => Ok(object),
        }
    }
}

/// What the faults do to a request; put there before the signature was checked.
fn strike<T>(request: &S3Request<T>) -> Strike {
    request.extensions.get::<Strike>().cloned().unwrap_or_default()
}

/// Runs file work off the async threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> S3Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(S3Error::internal_error)?.map_err(S3Error::internal_error)
}

fn length(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// The bytes of a file, a block at a time.
fn stream(object: Object, range: std::ops::Range<u64>) -> StreamingBlob {
    let read = move |(mut object, at): (Object, u64)| async move {
        let size = BLOCK.min(range.end - at);
        if size == 0 {
            return Ok(None);
        }
        let block = tokio::task::spawn_blocking(move || {
            let mut block = vec![0; size as usize];
            object.file.seek(SeekFrom::Start(at))?;
            object.file.read_exact(&mut block)?;
            io::Result::Ok((Bytes::from(block), (object, at + size)))
        });
        block.await.map_err(io::Error::other)?.map(Some)
    };
    StreamingBlob::wrap(futures_util::stream::try_unfold((object, range.start), read))
}

#[async_trait::async_trait]
impl S3 for Vendor {
    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let strike = strike(&req);
        let input = req.input;
        let object = self.open(&input.bucket, &input.key, input.if_match.as_ref()).await?;
        let size = object.size;
        let asked = input.range.filter(|_| !strike.whole);
        let range = asked.map_or(Ok(0..size), |range: Range| range.check(size))?;
        let content_range = asked.map(|_| format!("bytes {}-{}/{size}", range.start, range.end - 1));
        let output = GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(length(range.end - range.start)),
            content_range,
            e_tag: Some(ETag::Strong(object.etag.clone())),
            last_modified: Some(Timestamp::from(object.modified)),
            body: Some(stream(object, range)),
            ..GetObjectOutput::default()
        };
        Ok(S3Response::new(output))
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = req.input;
        let object = self.open(&input.bucket, &input.key, input.if_match.as_ref()).await?;
        let output = HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(length(object.size)),
            last_modified: Some(Timestamp::from(object.modified)),
            e_tag: Some(ETag::Strong(object.etag)),
            ..HeadObjectOutput::default()
        };
        Ok(S3Response::new(output))
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        let last_first = match strike(&req).action {
            Some(Action::Reorder(keys)) => Some(keys),
            _ => None,
        };
        let input = req.input;
        self.check_bucket(&input.bucket)?;
        let max_keys = input.max_keys.unwrap_or(PAGE).clamp(0, PAGE);
        let after = match &input.continuation_token {
            Some(token) => {
                plain(token).ok_or_else(|| s3_error!(InvalidArgument, "The continuation token is incorrect"))?
            }
            None => input.start_after.clone().unwrap_or_default(),
        };
        let query = Query {
            prefix: input.prefix.clone().unwrap_or_default(),
            after,
            continued: input.continuation_token.is_some(),
            delimiter: input.delimiter.clone(),
            limit: max_keys.unsigned_abs() as usize,
        };
        let bucket = self.bucket.clone();
        let (objects, groups, next) = blocking(move || {
            let page = match last_first {
                Some(keys) => bucket.list_last_first(&query, keys)?,
                None => bucket.list(&query)?,
            };
            let mut objects = Vec::new();
            for key in page.keys {
                // A file that went between the walk and now is not listed.
                let Some(object) = bucket.open(&key)? else { continue };
                objects.push(ListedObject {
                    key: Some(key),
                    size: Some(length(object.size)),
                    e_tag: Some(ETag::Strong(object.etag)),
                    last_modified: Some(Timestamp::from(object.modified)),
                    ..ListedObject::default()
                });
            }
            Ok((objects, page.groups, page.next))
        })
        .await?;
        let output = ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix,
            max_keys: Some(max_keys),
            key_count: Some((objects.len() + groups.len()) as i32),
            continuation_token: input.continuation_token,
            is_truncated: Some(next.is_some()),
            next_continuation_token: next.as_deref().map(opaque),
            contents: Some(objects),
            common_prefixes: Some(groups.into_iter().map(|group| CommonPrefix { prefix: Some(group) }).collect()),
            delimiter: input.delimiter,
            start_after: input.start_after,
            ..ListObjectsV2Output::default()
        };
        Ok(S3Response::new(output))
    }
}
