//! Logs in a bucket of an S3-compatible object store, and the file in the log's folder that says so.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use getrandom::SysRng;
use http_body_util::BodyExt as _;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::client::{
    ClientOptions, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpService,
};
use object_store::{ObjectStore, RetryConfig};
use rand_core::TryRng as _;
use serde::{Deserialize, Serialize};
use subrosa_log::ObjectStorage;
use ureq::Agent;
use ureq::http::request::Parts;
use ureq::http::{Method, Request, Response};

use super::agent;
use crate::download::check_address;
use crate::failure::{Exit, Failure};
use crate::folders::{read_text, write_private};

/// A place in a bucket, as `s3://bucket/prefix`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Bucket {
    name: String,
    prefix: String,
}

/// The file that says where a log's data are, when they are not in its folder.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: u64,
    objects: String,
}

impl Bucket {
    /// Reads an address such as `s3://bucket/logs/one`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            "expected s3://BUCKET/PREFIX, of letters, digits, dots, dashes and (in PREFIX) slashes";
        let (name, prefix) = text
            .strip_prefix("s3://")
            .and_then(|rest| rest.split_once('/'))
            .ok_or(wrong)?;
        let plain = |text: &str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
            !text.is_empty() && !text.starts_with('.') && text.bytes().all(is_plain)
        };
        let prefix = prefix.trim_end_matches('/');
        if text.len() > 1024 || !plain(name) || !prefix.split('/').all(plain) {
            return Err(wrong.to_owned());
        }
        Ok(Self {
            name: name.to_owned(),
            prefix: prefix.to_owned(),
        })
    }

    /// What the log's folder says, or none if its data are in it.
    pub(crate) fn of_log(folder: &Path) -> Result<Option<Self>, Failure> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let wrong = |cause: String| {
            let message = format!("{} does not say where the log's data are", path.display());
            Failure::new(Exit::Usage, message).cause(cause)
        };
        let text = read_text(&path, 4096)?;
        let file: File = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if file.schema != SCHEMA {
            let cause = format!(
                "it has schema {}, and this program reads {SCHEMA}",
                file.schema
            );
            return Err(wrong(cause).hint("a newer version wrote it: update this program"));
        }
        Self::parse(&file.objects).map(Some).map_err(wrong)
    }

    /// Notes in the log's folder that its data are here.
    pub(crate) fn note(&self, folder: &Path) -> Result<(), Failure> {
        let file = File {
            schema: SCHEMA,
            objects: format!("s3://{}/{}", self.name, self.prefix),
        };
        let text = toml::to_string(&file).map_err(|error| {
            Failure::new(Exit::Failed, "cannot write where the data are").because(&error)
        })?;
        write_private(&folder.join(FILE), text.as_bytes())
    }

    /// For the program that writes.
    pub(crate) fn open(&self) -> Result<ObjectStorage, Failure> {
        let mut writer = [0; 16];
        SysRng.try_fill_bytes(&mut writer).map_err(|error| {
            Failure::new(Exit::Failed, "the system gives no random numbers").because(&error)
        })?;
        ObjectStorage::open(self.connect()?, &self.prefix, writer)
            .map_err(|error| Failure::new(Exit::Failed, "cannot reach the bucket").because(&error))
    }

    /// For reading alone.
    pub(crate) fn read_only(&self) -> Result<ObjectStorage, Failure> {
        ObjectStorage::read_only(self.connect()?, &self.prefix)
            .map_err(|error| Failure::new(Exit::Failed, "cannot reach the bucket").because(&error))
    }

    fn connect(&self) -> Result<Arc<dyn ObjectStore>, Failure> {
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(&self.name)
            .with_http_connector(Connector)
            .with_retry(RetryConfig {
                max_retries: 5,
                retry_timeout: Duration::from_mins(1),
                ..RetryConfig::default()
            });
        if let Some(endpoint) = builder.get_config_value(&AmazonS3ConfigKey::Endpoint) {
            check_address(&endpoint)?;
            builder = builder.with_allow_http(endpoint.starts_with("http://"));
        }
        let store = builder.build().map_err(|error| {
            Failure::new(Exit::Usage, "this object store cannot be used")
                .because(&error)
                .hint(ENVIRONMENT)
        })?;
        Ok(Arc::new(store))
    }
}

/// Makes requests as everything else here does: no proxy, no redirects, bounded times.
#[derive(Debug)]
struct Connector;

#[derive(Debug)]
struct Requests(Agent);

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Requests(agent())))
    }
}

#[async_trait::async_trait]
impl HttpService for Requests {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let agent = self.0.clone();
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes().to_vec();
        let answer = tokio::task::spawn_blocking(move || send(&agent, parts, body));
        answer
            .await
            .unwrap_or_else(|error| Err(HttpError::new(HttpErrorKind::Interrupted, error)))
    }
}

fn send(agent: &Agent, parts: Parts, body: Vec<u8>) -> Result<HttpResponse, HttpError> {
    let has_body = parts.method == Method::PUT || parts.method == Method::POST;
    let answer = if has_body {
        agent.run(Request::from_parts(parts, body))
    } else {
        agent.run(Request::from_parts(parts, ()))
    };
    let (parts, body) = answer.map_err(of_request)?.into_parts();
    let bytes = body
        .into_with_config()
        .limit(MAX_OBJECT)
        .read_to_vec()
        .map_err(of_request)?;
    Ok(Response::from_parts(parts, bytes.into()))
}

fn of_request(error: ureq::Error) -> HttpError {
    let kind = match &error {
        ureq::Error::ConnectionFailed | ureq::Error::HostNotFound => HttpErrorKind::Connect,
        ureq::Error::Io(_) => HttpErrorKind::Interrupted,
        ureq::Error::Timeout(_) => HttpErrorKind::Timeout,
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, error)
}

/// More than the largest tile has.
const MAX_OBJECT: u64 = 20 << 20;
const FILE: &str = "storage.toml";
const SCHEMA: u64 = 1;
const ENVIRONMENT: &str = "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and, unless it is Amazon's, AWS_ENDPOINT";

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_plain_places_in_a_bucket_are_read() {
        let bucket = Bucket::parse("s3://my.bucket/logs/one/").unwrap();
        assert_eq!((&*bucket.name, &*bucket.prefix), ("my.bucket", "logs/one"));
        for wrong in [
            "",
            "s3://",
            "s3://bucket",
            "s3://bucket/",
            "s3:///prefix",
            "s3://bucket//prefix",
            "s3://bucket/../prefix",
            "s3://user:secret@bucket/prefix",
            "s3://bucket/prefix?x",
            "https://bucket/prefix",
        ] {
            assert!(Bucket::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Bucket::parse(&format!("s3://bucket/{}", "x".repeat(1012))).is_ok());
        assert!(Bucket::parse(&format!("s3://bucket/{}", "x".repeat(1013))).is_err());
    }

    #[test]
    fn what_was_noted_is_read_and_a_newer_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Bucket::of_log(folder.path()).unwrap(), None);
        let bucket = Bucket::parse("s3://bucket/logs").unwrap();
        bucket.note(folder.path()).unwrap();
        assert_eq!(Bucket::of_log(folder.path()).unwrap(), Some(bucket));
        let path = folder.path().join(FILE);
        for (wrong, hint) in [
            ("schema = 2\nobjects = \"s3://bucket/logs\"\n", true),
            ("schema = 1\nobjects = \"bucket\"\n", false),
            (
                "schema = 1\nobjects = \"s3://bucket/logs\"\nmore = 1\n",
                false,
            ),
            ("objects = \"s3://bucket/logs\"\n", false),
        ] {
            std::fs::write(&path, wrong).unwrap();
            let failure = Bucket::of_log(folder.path()).unwrap_err();
            assert_eq!(failure.next_step().is_some(), hint, "{wrong}");
        }
    }
}
