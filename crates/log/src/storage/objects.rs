//! A bucket of an object store.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode,
    PutOptions, PutPayload, UpdateVersion,
};
use tokio::runtime::{Builder, Runtime};

use super::Storage;

/// Objects below a prefix, which one program at a time may write.
///
/// An object store has no locks. What takes their place: the object that says what the others are begins with a line that
/// names the program that has taken it. Taking it writes that line anew; committing replaces it only in the version that
/// this program wrote (`If-Match`); and anything else is written only in the version that was there before this program
/// saw that the object was still its own. So a program that was left behind, however late it wakes, cannot sign, and
/// does not write over what its successor wrote; only if versions are digests of content (as in S3) and the successor
/// wrote over a left-over with those very bytes would it not be noticed, and then the next opening finds damage: a tree
/// that was signed is never signed otherwise.
pub struct ObjectStorage {
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
    /// None only while it is dropped.
    runtime: Option<Runtime>,
    /// None where only reading is allowed.
    claim: Option<Mutex<Claim>>,
}

/// What this program has taken.
struct Claim {
    line: String,
    taken: Option<Taken>,
}

#[derive(Clone)]
struct Taken {
    path: Path,
    /// None while there is no such object.
    version: Option<UpdateVersion>,
}

impl fmt::Debug for ObjectStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStorage")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl ObjectStorage {
    /// Objects below a prefix, for the program that `writer` names: random bytes of its own.
    ///
    /// # Errors
    ///
    /// What the system says about threads.
    pub fn open(objects: Arc<dyn ObjectStore>, prefix: &str, writer: [u8; 16]) -> io::Result<Self> {
        let mut storage = Self::read_only(objects, prefix)?;
        let line = format!("{CLAIM}{:032x}\n", u128::from_be_bytes(writer));
        storage.claim = Some(Mutex::new(Claim { line, taken: None }));
        Ok(storage)
    }

    /// Objects that are only read, whoever writes them.
    ///
    /// # Errors
    ///
    /// As [`ObjectStorage::open`].
    pub fn read_only(objects: Arc<dyn ObjectStore>, prefix: &str) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("objects")
            .enable_all()
            .build()?;
        Ok(Self {
            objects,
            prefix: Path::from(prefix),
            runtime: Some(runtime),
            claim: None,
        })
    }

    fn wait<T>(&self, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        match &self.runtime {
            Some(runtime) => runtime.block_on(work),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn path(&self, name: &str) -> Path {
        name.split('/').fold(self.prefix.clone(), Path::join)
    }

    fn claim(&self) -> io::Result<std::sync::MutexGuard<'_, Claim>> {
        let claim = self.claim.as_ref();
        let claim = claim.ok_or(io::ErrorKind::ReadOnlyFilesystem)?;
        // Whoever held it and ended has written or not, and the store knows.
        Ok(claim.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn load(&self, path: &Path, max: usize) -> io::Result<Option<(Vec<u8>, UpdateVersion)>> {
        let found = match self.objects.get(path).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            found => found.map_err(of_store)?,
        };
        let version = version_of(&found.meta);
        let too_large = |size: u64| usize::try_from(size).is_ok_and(|size| size > max);
        if too_large(found.meta.size) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let bytes = found.bytes().await.map_err(of_store)?;
        if bytes.len() > max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(Some((bytes.into(), version)))
    }

    async fn version(&self, path: &Path) -> io::Result<Option<UpdateVersion>> {
        match self.objects.head(path).await {
            Ok(meta) => Ok(Some(version_of(&meta))),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(of_store(error)),
        }
    }

    /// Writes an object if it is in this version, or is not there.
    async fn replace(
        &self,
        path: &Path,
        old: Option<UpdateVersion>,
        bytes: Vec<u8>,
        public: bool,
    ) -> io::Result<UpdateVersion> {
        let mut attributes = Attributes::new();
        if public {
            let (media, cache) = if path.filename() == Some("checkpoint") {
                ("text/plain; charset=utf-8", "no-store")
            } else {
                let cache = "public, max-age=31536000, immutable";
                ("application/octet-stream", cache)
            };
            attributes.insert(Attribute::ContentType, media.into());
            attributes.insert(Attribute::CacheControl, cache.into());
        }
        let options = PutOptions {
            mode: old.map_or(PutMode::Create, PutMode::Update),
            attributes,
            ..PutOptions::default()
        };
        let payload = PutPayload::from(bytes);
        let done = self.objects.put_opts(path, payload, options).await;
        done.map(UpdateVersion::from).map_err(of_store)
    }

    async fn take_over(
        &self,
        claim: &mut Claim,
        path: Path,
        max: usize,
    ) -> io::Result<Option<Vec<u8>>> {
        claim.taken = None;
        let line = claim.line.len();
        let Some((old, version)) = self.load(&path, max.saturating_add(line)).await? else {
            let version = None;
            claim.taken = Some(Taken { path, version });
            return Ok(None);
        };
        let bytes = unclaimed(&old).ok_or(io::ErrorKind::InvalidData)?.to_vec();
        let mine = [claim.line.as_bytes(), &bytes].concat();
        let version = self.replace(&path, Some(version), mine, false).await?;
        let version = Some(version);
        claim.taken = Some(Taken { path, version });
        Ok(Some(bytes))
    }
}

impl Drop for ObjectStorage {
    fn drop(&mut self) {
        // It may be dropped where nothing may wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Storage for ObjectStorage {
    fn get(&self, name: &str, max: usize) -> io::Result<Option<Vec<u8>>> {
        let path = self.path(name);
        let found = self.wait(self.load(&path, max))?;
        Ok(found.map(|(bytes, _)| bytes))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let taken = self.claim()?.taken.clone().ok_or_else(busy)?;
        let path = self.path(name);
        self.wait(async {
            // In this order: see above.
            let old = self.version(&path).await?;
            if self.version(&taken.path).await? != taken.version {
                return Err(busy());
            }
            self.replace(&path, old, bytes.to_vec(), true).await?;
            Ok(())
        })
    }

    fn take(&self, name: &str, max: usize) -> io::Result<Option<Vec<u8>>> {
        let path = self.path(name);
        if self.claim.is_none() {
            let found = self.wait(self.load(&path, max.saturating_add(CLAIM_LEN)))?;
            let bytes = found.map(|(bytes, _)| unclaimed(&bytes).map(<[u8]>::to_vec));
            return bytes
                .map(|bytes| bytes.ok_or_else(|| io::ErrorKind::InvalidData.into()))
                .transpose();
        }
        let mut claim = self.claim()?;
        self.wait(self.take_over(&mut claim, path, max))
    }

    fn commit(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(name);
        let mut claim = self.claim()?;
        let taken = claim.taken.take().filter(|taken| taken.path == path);
        let taken = taken.ok_or_else(busy)?;
        let bytes = [claim.line.as_bytes(), bytes].concat();
        let version = self.wait(self.replace(&path, taken.version, bytes, false))?;
        let version = Some(version);
        // If it failed nothing is taken any more: what is there is not known.
        claim.taken = Some(Taken { path, version });
        Ok(())
    }
}

fn version_of(meta: &ObjectMeta) -> UpdateVersion {
    UpdateVersion {
        e_tag: meta.e_tag.clone(),
        version: meta.version.clone(),
    }
}

/// What was committed, without the line of who committed it.
fn unclaimed(bytes: &[u8]) -> Option<&[u8]> {
    let (line, rest) = bytes.split_at_checked(CLAIM_LEN)?;
    let name = line.strip_prefix(CLAIM.as_bytes())?.strip_suffix(b"\n")?;
    name.iter().all(u8::is_ascii_hexdigit).then_some(rest)
}

fn busy() -> io::Error {
    io::Error::new(
        io::ErrorKind::ResourceBusy,
        "another program has taken it over",
    )
}

fn of_store(error: Error) -> io::Error {
    match error {
        Error::AlreadyExists { .. } | Error::Precondition { .. } => busy(),
        Error::NotImplemented { .. } | Error::NotSupported { .. } => io::Error::new(
            io::ErrorKind::Unsupported,
            "this store has no conditional writes",
        ),
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            io::Error::new(io::ErrorKind::PermissionDenied, error)
        }
        error => io::Error::other(error),
    }
}

const CLAIM: &str = "subrosa-writer ";
/// With 32 hexadecimal digits and the end of the line.
const CLAIM_LEN: usize = CLAIM.len() + 33;

#[cfg(test)]
mod tests;
