//! What was fetched before and is still good.
//!
//! One file for each address, named by its SHA-256: a line of JSON, then the bytes. Whatever is wrong with such a file,
//! it is as if it were not there. The folder is a cache: it may be removed at any time, and nothing in it is trusted.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subrosa_attest::UnixSeconds;

use crate::failure::Failure;
use crate::folders::{read_bounded, write_private};

/// A folder of answers.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
}

/// An answer that can be kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Kept {
    pub(super) body: Vec<u8>,
    /// The certificates above it, where the service sent them.
    pub(super) issuers: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Head {
    url: String,
    fetched_at: u64,
    good_until: u64,
    issuers: Option<String>,
    /// Of the bytes below.
    sha256: String,
}

impl Cache {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The answer that was kept for this address, if it is whole and in date.
    pub(super) fn get(&self, url: &str, now: UnixSeconds) -> Option<Kept> {
        let bytes = read_bounded(&self.path(url), MAX_FILE_LEN).ok()?;
        let at = bytes.iter().position(|&byte| byte == b'\n')?;
        let (head, body) = bytes.split_at_checked(at)?;
        let body = body.get(1..)?;
        let head: Head = serde_json::from_slice(head).ok()?;
        // A clock that was set back makes every age wrong.
        let in_date = (head.fetched_at..=head.good_until).contains(&now.get());
        let is_whole = head.sha256 == hex::encode(Sha256::digest(body));
        (head.url == url && in_date && is_whole).then(|| Kept {
            body: body.to_vec(),
            issuers: head.issuers,
        })
    }

    /// Keeps an answer, whole or not at all.
    pub(super) fn put(
        &self,
        url: &str,
        kept: &Kept,
        now: UnixSeconds,
        good_until: UnixSeconds,
    ) -> Result<(), Failure> {
        self.sweep();
        let head = Head {
            url: url.to_owned(),
            fetched_at: now.get(),
            good_until: good_until.get(),
            issuers: kept.issuers.clone(),
            sha256: hex::encode(Sha256::digest(&kept.body)),
        };
        let mut bytes = serde_json::to_vec(&head).unwrap_or_default();
        bytes.push(b'\n');
        bytes.extend(&kept.body);
        write_private(&self.path(url), &bytes)
    }

    fn path(&self, url: &str) -> PathBuf {
        self.folder.join(hex::encode(Sha256::digest(url)))
    }

    /// Removes what is older than anything is kept for. A file that stays is no harm.
    fn sweep(&self) {
        let Some(oldest) = SystemTime::now().checked_sub(MAX_AGE) else {
            return;
        };
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let is_old = entry
                .metadata()
                .and_then(|metadata| metadata.modified())
                .is_ok_and(|modified| modified < oldest);
            if is_old && is_ours(&entry.path()) {
                let _stays = fs::remove_file(entry.path());
            }
        }
    }
}

fn is_ours(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| {
        name.starts_with(".unfinished-")
            || (name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
    })
}

/// The largest answer, and room for its head.
const MAX_FILE_LEN: u64 = 1024 * 1024;
const MAX_AGE: Duration = Duration::from_hours(60 * 24);

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://vendor.example/a";
    const NOW: UnixSeconds = UnixSeconds::new(1_000_000);

    fn kept() -> Kept {
        Kept {
            body: b"body\nwith a line".to_vec(),
            issuers: Some("issuers".to_owned()),
        }
    }

    fn filled() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("collateral"));
        cache
            .put(URL, &kept(), NOW, NOW.saturating_add(10))
            .unwrap();
        (folder, cache)
    }

    #[test]
    fn what_was_kept_comes_back_for_its_address_only() {
        let (_folder, cache) = filled();
        assert_eq!(cache.get(URL, NOW), Some(kept()));
        assert_eq!(cache.get("https://vendor.example/b", NOW), None);
    }

    #[test]
    fn nothing_comes_back_past_its_expiry_or_before_it_was_fetched() {
        let (_folder, cache) = filled();
        assert!(cache.get(URL, NOW.saturating_add(10)).is_some());
        assert_eq!(cache.get(URL, NOW.saturating_add(11)), None);
        assert_eq!(cache.get(URL, UnixSeconds::new(999_999)), None);
    }

    #[test]
    fn a_damaged_file_is_as_if_it_were_not_there() {
        let (_folder, cache) = filled();
        let path = cache.path(URL);
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            // A changed date or issuer is in a well-formed file; the body and the address never are.
            if let Some(got) = cache.get(URL, NOW) {
                assert_eq!(got.body, kept().body, "byte {at}");
            }
        }
        for bad in [&good[..good.len() - 1], &good[..10], b"", b"\n", b"{}\n"] {
            fs::write(&path, bad).unwrap();
            assert_eq!(cache.get(URL, NOW), None);
        }
        fs::write(&path, vec![b'x'; 1024 * 1024 + 1]).unwrap();
        assert_eq!(cache.get(URL, NOW), None);
    }

    #[test]
    fn a_file_of_another_address_is_not_used() {
        let (_folder, cache) = filled();
        let other = "https://vendor.example/b";
        fs::copy(cache.path(URL), cache.path(other)).unwrap();
        assert_eq!(cache.get(other, NOW), None);
    }

    #[test]
    fn nothing_unfinished_stays_behind() {
        let (folder, _cache) = filled();
        let names = fs::read_dir(folder.path().join("collateral")).unwrap();
        assert_eq!(names.count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_reads_the_cache() {
        use std::os::unix::fs::PermissionsExt;
        let (folder, cache) = filled();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&cache.path(URL)), 0o600);
        assert_eq!(mode(&folder.path().join("collateral")), 0o700);
    }
}
