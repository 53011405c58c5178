//! The objects below the data directory.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use super::clock::SimulatedClock;
use crate::sandbox::FileId;
use crate::sandbox::mirror::republished;

/// A file that is one version of its content, whatever happens to the directory.
#[derive(Debug)]
pub(super) struct Object {
    pub file: File,
    pub size: u64,
    pub modified: SystemTime,
    /// 32 hex digits that no other content has; not a checksum anyone could compute.
    pub etag: String,
}

/// A directory as a bucket. It is read at each request: files may come, change and go.
#[derive(Debug)]
pub(super) struct Bucket {
    directory: PathBuf,
    /// Files that are not in the directory: in another one, or nowhere.
    elsewhere: RwLock<HashMap<FileId, Option<PathBuf>>>,
    /// ETags by what tells one version of a file from another without reading it.
    etags: Mutex<HashMap<Version, String>>,
    /// What the time is. Files that were put there later are not there yet.
    clock: Option<SimulatedClock>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Version {
    inode: u64,
    size: u64,
    modified: Option<SystemTime>,
}

/// Part of a listing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// Ascending by their bytes.
    pub keys: Vec<String>,
    /// Groups of keys, up to and with the delimiter.
    pub groups: Vec<String>,
    /// The key after which the listing goes on; `None` at its end.
    pub next: Option<String>,
}

/// What of the bucket to list.
#[derive(Debug, Default)]
pub(super) struct Query {
    pub prefix: String,
    /// Only keys behind this one.
    pub after: String,
    /// Whether this goes on where an earlier page ended.
    pub continued: bool,
    /// Keys with the same text up to the next delimiter behind the prefix are one group.
    pub delimiter: Option<String>,
    /// Keys and groups per page.
    pub limit: usize,
}

impl Bucket {
    pub(super) fn new(directory: PathBuf, hidden: BTreeSet<FileId>, clock: Option<SimulatedClock>) -> Self {
        let elsewhere = hidden.into_iter().map(|id| (id, None)).collect();
        Self { directory, elsewhere: RwLock::new(elsewhere), etags: Mutex::new(HashMap::new()), clock }
    }

    /// The object is not there any more.
    pub(super) fn vanish(&self, key: &str) {
        self.put_elsewhere(key, None);
    }

    /// The object is the one of the same key in another directory.
    pub(super) fn republish(&self, key: &str, directory: &Path) {
        self.put_elsewhere(key, Some(directory.to_owned()));
    }

    fn put_elsewhere(&self, key: &str, directory: Option<PathBuf>) {
        if let Some(id) = FileId::of_key(key) {
            self.elsewhere.write().unwrap_or_else(PoisonError::into_inner).insert(id, directory);
        }
    }

    /// The directory that an object is in.
    fn directory_of(&self, id: FileId) -> Option<PathBuf> {
        let elsewhere = self.elsewhere.read().unwrap_or_else(PoisonError::into_inner);
        elsewhere.get(&id).cloned().unwrap_or_else(|| Some(self.directory.clone()))
    }

    /// Versions of the files that were published more than once, as their directories' manifests tell them. A file that is
    /// not there is as it was.
    pub(super) fn versions(&self) -> HashMap<FileId, u8> {
        let mut versions = republished(&self.directory);
        let elsewhere = self.elsewhere.read().unwrap_or_else(PoisonError::into_inner);
        for (id, directory) in elsewhere.iter().filter_map(|(id, directory)| Some((*id, directory.as_ref()?))) {
            versions.insert(id, republished(directory).get(&id).copied().unwrap_or(1));
        }
        versions
    }

    /// Opens an object; `None` if there is none of this key.
    pub(super) fn open(&self, key: &str) -> io::Result<Option<Object>> {
        // Only keys of day files are objects: no other path is ever opened.
        let Some(id) = FileId::of_key(key) else { return Ok(None) };
        let Some(directory) = self.directory_of(id) else { return Ok(None) };
        let mut file = match File::open(directory.join(id.key())) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let metadata = file.metadata()?;
        let modified = metadata.modified()?;
        if let Some(clock) = &self.clock
            && modified > SystemTime::from(clock.now()?)
        {
            return Ok(None);
        }
        let etag = self.etag(&mut file, &metadata)?;
        Ok(Some(Object { file, size: metadata.len(), modified, etag }))
    }

    fn etag(&self, file: &mut File, metadata: &Metadata) -> io::Result<String> {
        let version = Version { inode: metadata.ino(), size: metadata.len(), modified: metadata.modified().ok() };
        let etags = || self.etags.lock().expect("Invariant: no thread panics while it looks up an ETag");
        if let Some(known) = etags().get(&version) {
            return Ok(known.clone());
        }
        let etag = format!("{:032x}", content_hash(file, metadata.len())?);
        file.rewind()?;
        etags().insert(version, etag.clone());
        Ok(etag)
    }

    /// Lists keys.
    pub(super) fn list(&self, query: &Query) -> io::Result<Page> {
        let mut keys = BTreeSet::new();
        self.walk(&self.directory, "", &query.prefix, &mut keys)?;
        let mut page = Page::default();
        let mut last = None;
        for key in keys.range::<String, _>((std::ops::Bound::Excluded(&query.after), std::ops::Bound::Unbounded)) {
            let group = query.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty()).and_then(|delimiter| {
                let end = query.prefix.len() + key[query.prefix.len()..].find(delimiter)? + delimiter.len();
                Some(key[..end].to_owned())
            });
            if group.is_none() || group.as_ref() != page.groups.last() {
                if page.keys.len() + page.groups.len() >= query.limit {
                    page.next = last;
                    return Ok(page);
                }
                match group {
                    Some(group) => page.groups.push(group),
                    None => page.keys.push(key.clone()),
                }
            }
            last = Some(key.clone());
        }
        Ok(page)
    }

    /// Lists keys in pages of a few, the last keys first. A page goes on before the key where the page before it ended.
    pub(super) fn list_last_first(&self, query: &Query, limit: usize) -> io::Result<Page> {
        let mut keys = BTreeSet::new();
        self.walk(&self.directory, "", &query.prefix, &mut keys)?;
        keys.retain(|key| if query.continued { *key < query.after } else { *key > query.after });
        let mut keys: Vec<_> = keys.into_iter().rev().collect();
        let next = keys.get(limit).and(limit.checked_sub(1)).map(|last| keys[last].clone());
        keys.truncate(limit);
        Ok(Page { keys, groups: Vec::new(), next })
    }

    fn walk(&self, folder: &Path, path: &str, prefix: &str, keys: &mut BTreeSet<String>) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let key = if path.is_empty() { name } else { format!("{path}/{name}") };
            if entry.file_type()?.is_dir() {
                let below = format!("{key}/");
                if below.starts_with(prefix) || prefix.starts_with(&below) {
                    self.walk(&entry.path(), &key, prefix, keys)?;
                }
            } else if key.starts_with(prefix) && FileId::of_key(&key).is_some_and(|id| self.directory_of(id).is_some())
            {
                keys.insert(key);
            }
        }
        Ok(())
    }
}

/// A hash of all bytes and their number, good enough to tell versions apart.
fn content_hash(file: &mut File, size: u64) -> io::Result<u128> {
    let mut hash = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d ^ u128::from(size);
    let mut block = vec![0; 1 << 20];
    loop {
        let mut filled = 0;
        while filled < block.len() {
            match file.read(&mut block[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        for word in block[..filled].chunks(16) {
            let mut bytes = [0; 16];
            bytes[..word.len()].copy_from_slice(word);
            // A large odd factor carries low bits up, the rotation high bits down.
            hash = (hash ^ u128::from_le_bytes(bytes))
                .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
                .rotate_right(41);
        }
        if filled < block.len() {
            return Ok(hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(keys: &[&str]) -> (tempfile::TempDir, Bucket) {
        let directory = tempfile::tempdir().unwrap();
        for key in keys {
            let path = directory.path().join(key);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, key).unwrap();
        }
        let hidden = ["2026-10-05".parse().unwrap()].into();
        let bucket = Bucket::new(directory.path().to_owned(), hidden, None);
        (directory, bucket)
    }

    const KEYS: [&str; 6] = [
        "us_indices/day_aggs_v1/2026/10/2026-10-01.csv.gz",
        "us_stocks_sip/day_aggs_v1/2026/10/2026-10-01.csv.gz",
        "us_stocks_sip/minute_aggs_v1/2026/09/2026-09-30.csv.gz",
        "us_stocks_sip/minute_aggs_v1/2026/10/2026-10-01.csv.gz",
        "us_stocks_sip/minute_aggs_v1/2026/10/2026-10-05.csv.gz",
        "us_stocks_sip/minute_aggs_v1/2026/10/2026-10-06.csv.gz.99.tmp",
    ];

    #[test]
    fn pages_go_on_where_they_ended_and_show_only_objects() {
        let (_directory, bucket) = bucket(&KEYS);
        let mut seen = Vec::new();
        let mut after = String::new();
        loop {
            let page = bucket.list(&Query { after, limit: 1, ..Query::default() }).unwrap();
            seen.extend(page.keys);
            match page.next {
                Some(next) => after = next,
                None => break,
            }
        }
        assert_eq!(seen, KEYS[..4], "hidden and unfinished files are not there");
    }

    #[test]
    fn groups_are_counted_once() {
        let (_directory, bucket) = bucket(&KEYS);
        let query = |prefix: &str, after: &str, limit| Query {
            prefix: prefix.to_owned(),
            after: after.to_owned(),
            continued: false,
            delimiter: Some("/".to_owned()),
            limit,
        };
        let first = bucket.list(&query("", "", 1)).unwrap();
        assert_eq!(first.groups, ["us_indices/"]);
        let rest = bucket.list(&query("", &first.next.unwrap(), 1)).unwrap();
        assert_eq!((rest.groups, rest.next), (vec!["us_stocks_sip/".to_owned()], None));
        let folder = bucket.list(&query("us_stocks_sip/minute_aggs_v1/2026/10/", "", 10)).unwrap();
        assert_eq!(folder.keys, [KEYS[3]]);
    }

    #[test]
    fn keys_are_listed_last_first_on_request() {
        let (_directory, bucket) = bucket(&KEYS);
        let mut seen = Vec::new();
        let mut query = Query { after: KEYS[0].to_owned(), ..Query::default() };
        loop {
            let page = bucket.list_last_first(&query, 2).unwrap();
            assert!(page.keys.len() <= 2);
            seen.extend(page.keys);
            let Some(next) = page.next else { break };
            query = Query { after: next, continued: true, ..query };
        }
        assert_eq!(seen, [KEYS[3], KEYS[2], KEYS[1], KEYS[0]], "a token does not remember where the listing began");
    }

    #[test]
    fn objects_go_and_come_from_elsewhere() {
        let (_directory, bucket) = bucket(&KEYS);
        let (other, _) = self::bucket(&KEYS);
        fs::write(other.path().join(KEYS[3]), "other bytes").unwrap();
        bucket.republish(KEYS[3], other.path());
        assert_eq!(bucket.open(KEYS[3]).unwrap().unwrap().size, 11);
        bucket.vanish(KEYS[3]);
        assert!(bucket.open(KEYS[3]).unwrap().is_none());
        assert_eq!(bucket.list(&Query { limit: 9, ..Query::default() }).unwrap().keys, KEYS[..3]);
    }

    #[test]
    fn what_is_put_there_later_is_not_there_yet() {
        let (directory, mut bucket) = bucket(&KEYS);
        let clock = directory.path().join("clock");
        bucket.clock = Some(SimulatedClock::new(clock.clone()));
        let published = File::options().append(true).open(directory.path().join(KEYS[3])).unwrap();
        let at = |instant: &str| SystemTime::from(instant.parse::<jiff::Timestamp>().unwrap());
        published.set_modified(at("2026-10-02T13:00:00Z")).unwrap();
        fs::write(&clock, "2026-10-02T12:59:59Z\n").unwrap();
        assert!(bucket.open(KEYS[3]).unwrap().is_none());
        fs::write(&clock, "2026-10-02T13:00:00Z").unwrap();
        assert!(bucket.open(KEYS[3]).unwrap().is_some());
    }

    #[test]
    fn etags_follow_the_content() {
        let (directory, bucket) = bucket(&KEYS);
        let etag = || bucket.open(KEYS[3]).unwrap().unwrap().etag;
        let first = etag();
        assert_eq!((first.len(), etag()), (32, first.clone()));
        fs::write(directory.path().join(KEYS[3]), "other bytes").unwrap();
        assert_ne!(etag(), first);
        assert!(bucket.open(KEYS[4]).unwrap().is_none(), "hidden");
        assert!(bucket.open("us_stocks_sip/../us_indices/day_aggs_v1/2026/10/2026-10-01.csv.gz").unwrap().is_none());
    }
}
