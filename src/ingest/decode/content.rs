//! A hash of a file's unpacked content, by which a day that the vendor uploads again is recognised.
//!
//! XXH3 with 128 bits: as fast as memory, and far longer than files that differ by accident need. It is no protection
//! against somebody who wants two files to look alike: it is not cryptographic.

use std::io::{self, Read};

use twox_hash::xxhash3_128::Hasher;

use super::{MAX_UNPACKED_BYTES, gunzip};
use crate::store::ContentHash;

/// A reader that hashes what is read through it.
pub(super) struct Hashing<R> {
    reader: R,
    hasher: Hasher,
}

impl<R> Hashing<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, hasher: Hasher::new() }
    }

    /// The hash of everything read so far.
    pub(super) fn hash(&self) -> ContentHash {
        ContentHash(self.hasher.finish_128())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.hasher.write(&buffer[..read]);
        Ok(read)
    }
}

/// The hash of a gzip file's content, whatever it holds.
pub fn content_hash(packed: impl Read) -> io::Result<ContentHash> {
    // One byte more than is ever decoded: a file beyond the limit equals none that was loaded.
    let mut content = Hashing::new(gunzip(packed)).take(MAX_UNPACKED_BYTES + 1);
    io::copy(&mut content, &mut io::sink())?;
    Ok(content.into_inner().hash())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(parts: &[&[u8]], level: u32) -> Vec<u8> {
        let pack = |part: &&[u8]| {
            let mut packer = GzEncoder::new(Vec::new(), Compression::new(level));
            packer.write_all(part).unwrap();
            packer.finish().unwrap()
        };
        parts.iter().flat_map(pack).collect()
    }

    #[test]
    fn the_hash_is_of_the_content_and_not_of_its_packing() {
        let text: Vec<u8> = (0..100_000_u32).flat_map(|n| format!("{n}\n").into_bytes()).collect();
        let (head, tail) = text.split_at(12_345);
        let hashes = [packed(&[&text], 1), packed(&[&text], 9), packed(&[head, tail], 6)]
            .map(|file| content_hash(file.as_slice()).unwrap());
        assert_eq!(hashes, [ContentHash(Hasher::oneshot(&text)); 3]);
        assert_ne!(content_hash(packed(&[tail, head], 6).as_slice()).unwrap(), hashes[0]);
    }

    #[test]
    fn a_cut_file_has_no_hash() {
        let whole = packed(&[b"some text"], 6);
        assert!(content_hash(&whole[..whole.len() - 1]).is_err());
    }
}
