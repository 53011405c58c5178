//! Asking the bucket which day files it has.

use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_s3::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::Object;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use jiff::civil::Date;

use super::S3Source;
use crate::ingest::Reporter;
use crate::ingest::source::{DayFile, FileKind, SourceError, key};
use crate::model::Dataset;

/// Years asked for at once.
const YEARS_AT_ONCE: usize = 4;

/// Keys asked for to find one day file: some may be of something else.
const KEYS_TO_THE_FIRST: i32 = 10;

impl S3Source {
    /// The day files of a range of dates, ascending.
    ///
    /// One prefix per year, and `start-after` in the first: a listing of five years is five requests, not a walk
    /// through two decades.
    pub async fn list(
        &self,
        dataset: Dataset,
        kind: FileKind,
        range: RangeInclusive<Date>,
        reporter: &dyn Reporter,
    ) -> Result<Vec<DayFile>, SourceError> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let (first, last) = (*range.start(), *range.end());
        let mut years = Vec::new();
        for year in first.year()..=last.year() {
            let year_start = Date::new(year, 1, 1).unwrap_or(first);
            years.push(self.list_year(dataset, kind, year_start.max(first), last, reporter));
        }
        let pages: Vec<BTreeMap<Date, DayFile>> = stream::iter(years).buffered(YEARS_AT_ONCE).try_collect().await?;
        Ok(pages.into_iter().flat_map(BTreeMap::into_values).collect())
    }

    /// The day files of the year of `first`, from it to `last`.
    async fn list_year(
        &self,
        dataset: Dataset,
        kind: FileKind,
        first: Date,
        last: Date,
        reporter: &dyn Reporter,
    ) -> Result<BTreeMap<Date, DayFile>, SourceError> {
        let prefix = key::year_prefix(dataset, kind, first.year());
        let start_after = (first.day_of_year() > 1).then(|| key::just_before(dataset, kind, first));
        let mut found = BTreeMap::new();
        let mut seen = HashSet::new();
        let mut token: Option<String> = None;
        loop {
            let page = self.page(&prefix, start_after.as_deref(), token.as_deref(), None, reporter).await?;
            for object in page.contents() {
                let wanted = object.key().and_then(key::parse);
                let Some((_, _, date)) =
                    wanted.filter(|(d, k, date)| (*d, *k) == (dataset, kind) && (first..=last).contains(date))
                else {
                    continue;
                };
                found.insert(date, self.day_file(dataset, kind, date, object)?);
            }
            if !page.is_truncated().unwrap_or(false) {
                return Ok(found);
            }
            let next = page.next_continuation_token().map(str::to_owned);
            let fresh = next.as_ref().is_some_and(|next| seen.insert(next.clone()));
            if !fresh {
                let detail = "the listing says there is more, but not a new place to go on from".to_owned();
                return Err(SourceError::Unexpected { object: self.object(&prefix), detail });
            }
            token = next;
        }
    }

    /// The first day file that is listed of a date or later.
    pub async fn first_listed(
        &self,
        dataset: Dataset,
        kind: FileKind,
        from: Date,
        reporter: &dyn Reporter,
    ) -> Result<Option<DayFile>, SourceError> {
        let (prefix, start_after) = (key::prefix(dataset, kind), key::just_before(dataset, kind, from));
        let page = self.page(&prefix, Some(&start_after), None, Some(KEYS_TO_THE_FIRST), reporter).await?;
        let parsed = page.contents().iter().filter_map(|object| Some((object, key::parse(object.key()?)?)));
        let mut files = parsed.filter(|(_, (d, k, date))| (*d, *k) == (dataset, kind) && *date >= from);
        files.next().map(|(object, (_, _, date))| self.day_file(dataset, kind, date, object)).transpose()
    }

    async fn page(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        token: Option<&str>,
        most_keys: Option<i32>,
        reporter: &dyn Reporter,
    ) -> Result<ListObjectsV2Output, SourceError> {
        let note = |text: &str| reporter.note(text);
        let ask = || async {
            let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix).set_max_keys(most_keys);
            let request = match token {
                // The token remembers where the first page began.
                Some(token) => request.continuation_token(token),
                None => request.set_start_after(start_after.map(str::to_owned)),
            };
            let cut_off = CutOff::default();
            let page = request.customize().interceptor(cut_off.clone()).send().await;
            let page = page.map_err(|error| self.failure(prefix, &error))?;
            if cut_off.0.load(Ordering::Relaxed) {
                return Err(SourceError::unreachable(&self.object(prefix), "the listing ended early"));
            }
            Ok(page)
        };
        Ok(self.retry.run(&note, ask).await?)
    }

    fn day_file(&self, dataset: Dataset, kind: FileKind, date: Date, object: &Object) -> Result<DayFile, SourceError> {
        let key = object.key().unwrap_or_default().to_owned();
        let lacks = |what: &str| SourceError::Unexpected {
            object: self.object(&key),
            detail: format!("its listing has no {what}"),
        };
        let etag = object.e_tag().map(unquoted).filter(|etag| !etag.is_empty()).ok_or_else(|| lacks("ETag"))?;
        let size_bytes = object.size().and_then(|size| u64::try_from(size).ok()).ok_or_else(|| lacks("size"))?;
        let last_modified = object.last_modified().and_then(|at| Timestamp::from_second(at.secs()).ok());
        Ok(DayFile { dataset, kind, date, size_bytes, etag: etag.to_owned(), last_modified, key })
    }
}

/// Notices a listing that stops in the middle. The SDK takes what is there for all there is, and days that were not
/// listed would pass for days the vendor lacks.
#[derive(Debug, Clone, Default)]
struct CutOff(Arc<AtomicBool>);

impl Intercept for CutOff {
    fn name(&self) -> &'static str {
        "CutOff"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response().body().bytes().unwrap_or_default();
        self.0.store(!body.trim_ascii_end().ends_with(b"ListBucketResult>"), Ordering::Relaxed);
        Ok(())
    }
}

/// An ETag as a bare token.
pub(super) fn unquoted(etag: &str) -> &str {
    etag.trim().trim_start_matches("W/").trim_matches('"')
}
