//! A bucket in memory that fails, or lets another program come between, at any operation. Versions are digests of
//! content, as in S3: an object that is written anew with the same bytes stays in the same version.

use std::fmt;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};

/// What goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// The operation with this number is not done.
    Before(usize),
    /// It is done, but its answer is lost.
    After(usize),
    /// No condition is understood.
    NoConditions,
}

type Other = Box<dyn FnOnce() + Send>;

pub(super) struct Bucket {
    memory: Arc<InMemory>,
    fault: Option<Fault>,
    pause: Mutex<Option<(usize, Other)>>,
    operations: Mutex<usize>,
}

impl Bucket {
    pub(super) fn new(memory: Arc<InMemory>) -> Self {
        Self {
            memory,
            fault: None,
            pause: Mutex::new(None),
            operations: Mutex::new(0),
        }
    }

    pub(super) fn with(self, fault: Fault) -> Self {
        let fault = Some(fault);
        Self { fault, ..self }
    }

    /// Lets `other` do all its work before the operation with this number; its result comes later.
    pub(super) fn with_pause<T: Send + 'static>(
        self,
        at: usize,
        other: impl FnOnce() -> T + Send + 'static,
    ) -> (Self, Later<T>) {
        let later = Later(Arc::new(Mutex::new(None)));
        let result = Arc::clone(&later.0);
        let work: Other = Box::new(move || {
            // A thread of its own: this one is in the middle of the first program's work.
            let done = std::thread::spawn(other).join().unwrap();
            *result.lock().unwrap() = Some(done);
        });
        *self.pause.lock().unwrap() = Some((at, work));
        (self, later)
    }

    pub(super) fn operations(&self) -> usize {
        *self.operations.lock().unwrap()
    }

    /// Counts an operation, and says which it is.
    fn begin(&self) -> Result<usize> {
        let mut operations = self.operations.lock().unwrap();
        let number = *operations;
        *operations = number.checked_add(1).unwrap();
        drop(operations);
        let pause = self.pause.lock().unwrap().take_if(|(at, _)| *at == number);
        if let Some((_, other)) = pause {
            other();
        }
        if self.fault == Some(Fault::Before(number)) {
            return Err(lost());
        }
        Ok(number)
    }

    async fn digest(&self, location: &Path) -> Result<String> {
        let bytes = self.memory.get(location).await?.bytes().await?;
        let mut hasher = DefaultHasher::new();
        hasher.write(&bytes);
        Ok(format!("{:x}", hasher.finish()))
    }

    async fn put(
        &self,
        location: &Path,
        payload: PutPayload,
        mut options: PutOptions,
    ) -> Result<PutResult> {
        if let PutMode::Update(version) = &options.mode {
            if version.e_tag != Some(self.digest(location).await?) {
                return Err(Error::Precondition {
                    path: location.to_string(),
                    source: "it has changed".into(),
                });
            }
            options.mode = PutMode::Overwrite;
        }
        let mut done = self.memory.put_opts(location, payload, options).await?;
        (done.e_tag, done.version) = (Some(self.digest(location).await?), None);
        Ok(done)
    }

    fn end<T>(&self, number: usize, outcome: Result<T>) -> Result<T> {
        if self.fault == Some(Fault::After(number)) {
            return Err(lost());
        }
        outcome
    }
}

/// What another program came to.
pub(super) struct Later<T>(Arc<Mutex<Option<T>>>);

impl<T> Later<T> {
    /// None if its turn never came.
    pub(super) fn take(&self) -> Option<T> {
        self.0.lock().unwrap().take()
    }
}

fn lost() -> Error {
    Error::Generic {
        store: "bucket",
        source: "the connection is lost".into(),
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bucket")
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bucket")
    }
}

#[async_trait]
impl ObjectStore for Bucket {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let number = self.begin()?;
        if self.fault == Some(Fault::NoConditions) && options.mode != PutMode::Overwrite {
            return Err(Error::NotImplemented {
                operation: "put".to_owned(),
                implementer: "bucket".to_owned(),
            });
        }
        let outcome = self.put(location, payload, options).await;
        self.end(number, outcome)
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let number = self.begin()?;
        let outcome = match self.digest(location).await {
            Ok(digest) => self
                .memory
                .get_opts(location, options)
                .await
                .map(|mut found| {
                    (found.meta.e_tag, found.meta.version) = (Some(digest), None);
                    found
                }),
            Err(error) => Err(error),
        };
        self.end(number, outcome)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.memory.put_multipart_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.memory.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.memory.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.memory.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.memory.copy_opts(from, to, options).await
    }
}
