//! Fetches one large file whose SHA-256 is known.
//!
//! What was fetched before is kept and continued. The file gets its name only
//! when its hash is right.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};
use ureq::http::{Response, StatusCode, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::disk::{free_bytes, size_words};
use crate::failure::{Exit, Failure};
use crate::folders::make_private_folder;
use crate::printer::Printer;

/// What to fetch, and what it must be.
pub(crate) struct Download<'a> {
    pub(crate) url: &'a str,
    pub(crate) sha256: [u8; 32],
    /// Where the finished file goes.
    pub(crate) to: &'a Path,
    pub(crate) max_bytes: u64,
}

impl Download<'_> {
    /// Fetches, checks and names the file; its length is the answer.
    pub(crate) fn run(&self, printer: &Printer) -> Result<u64, Failure> {
        self.run_with(&agent(RootCerts::WebPki), printer)
    }

    fn run_with(&self, agent: &Agent, printer: &Printer) -> Result<u64, Failure> {
        let folder = self.to.parent().unwrap_or(Path::new("."));
        make_private_folder(folder)?;
        let partial = self.partial();
        let have = fs::metadata(&partial).map_or(0, |metadata| metadata.len());
        let response = self.request(agent, have)?;
        let (mut file, start) = self.open(&partial, &response, have)?;
        let total = self.total(&response, start)?;
        check_space(folder, total.map(|total| total.saturating_sub(start)))?;
        if start > 0 {
            printer.say(format!("continuing after {}", size_words(start)));
        }
        let progress = progress(printer, total, start);
        let fetched = self.copy(response, &mut file, start, &progress);
        progress.finish_and_clear();
        let length = fetched?;
        if total.is_some_and(|total| total != length) {
            return Err(Failure::new(
                Exit::Network,
                format!("the connection ended after {}", size_words(length)),
            )
            .hint("run the same command again: it continues where this ended"));
        }
        self.check_hash(&partial)?;
        file.sync_all()
            .and_then(|()| fs::rename(&partial, self.to))
            .map_err(|error| Failure::file("write", self.to, &error))?;
        Ok(length)
    }

    /// The unfinished file is named after the hash, so that another model's
    /// beginning is never continued.
    fn partial(&self) -> PathBuf {
        let name = format!(".unfinished-{}", hex::encode(self.sha256));
        self.to.with_file_name(name)
    }

    fn request(&self, agent: &Agent, have: u64) -> Result<Response<Body>, Failure> {
        let mut url = self.url.to_owned();
        for _ in 0..MAX_REDIRECTS {
            check_address(&url)?;
            let mut request = agent.get(&url).header(header::ACCEPT_ENCODING, "identity");
            if have > 0 {
                request = request.header(header::RANGE, format!("bytes={have}-"));
            }
            let response = request
                .call()
                .map_err(|error| unreachable_server(&url, &error))?;
            if !response.status().is_redirection() {
                return self.expect_content(agent, response, have);
            }
            url = next_address(&url, &response)?;
        }
        Err(Failure::new(
            Exit::Network,
            format!("{} was redirected {MAX_REDIRECTS} times", self.url),
        )
        .hint("open the address in a browser and use the one it ends at"))
    }

    fn expect_content(
        &self,
        agent: &Agent,
        response: Response<Body>,
        have: u64,
    ) -> Result<Response<Body>, Failure> {
        match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(response),
            // The unfinished file is already as long as the whole: start again.
            StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
                let partial = self.partial();
                fs::remove_file(&partial)
                    .map_err(|error| Failure::file("remove", &partial, &error))?;
                self.request(agent, 0)
            }
            status => Err(
                Failure::new(Exit::Network, format!("{} answered {status}", self.url)).hint(
                    "check the address; a model behind a login has to be fetched with a browser",
                ),
            ),
        }
    }

    /// Opens the unfinished file where the server's answer goes on.
    fn open(
        &self,
        partial: &Path,
        response: &Response<Body>,
        have: u64,
    ) -> Result<(File, u64), Failure> {
        let continues = response.status() == StatusCode::PARTIAL_CONTENT;
        if continues && range_start(response) != Some(have) {
            return Err(Failure::new(
                Exit::Network,
                format!("{} sent another part than the one asked for", self.url),
            )
            .hint(format!(
                "remove {} and run the command again",
                partial.display()
            )));
        }
        let mut options = OpenOptions::new();
        options
            .create(true)
            .write(true)
            .append(continues)
            .truncate(!continues);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options
            .open(partial)
            .map_err(|error| Failure::file("write", partial, &error))?;
        Ok((file, if continues { have } else { 0 }))
    }

    /// The length of the whole file, as far as the server says it.
    fn total(&self, response: &Response<Body>, start: u64) -> Result<Option<u64>, Failure> {
        let length = response
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let total = length.map(|length| start.saturating_add(length));
        match total {
            Some(total) if total > self.max_bytes => Err(self.too_large(total)),
            total => Ok(total),
        }
    }

    fn copy(
        &self,
        response: Response<Body>,
        file: &mut File,
        start: u64,
        progress: &ProgressBar,
    ) -> Result<u64, Failure> {
        let mut body = response
            .into_body()
            .into_with_config()
            .limit(u64::MAX)
            .reader();
        let mut buffer = vec![0; BUFFER];
        let mut length = start;
        loop {
            let read = match body.read(&mut buffer) {
                Ok(0) => return Ok(length),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    return Err(Failure::new(
                        Exit::Network,
                        format!("the connection broke after {}", size_words(length)),
                    )
                    .because(&error)
                    .hint("run the same command again: it continues where this ended"));
                }
            };
            length = length.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
            if length > self.max_bytes {
                return Err(self.too_large(length));
            }
            let piece = buffer.get(..read).unwrap_or_default();
            file.write_all(piece)
                .map_err(|error| Failure::file("write", &self.partial(), &error))?;
            progress.set_position(length);
        }
    }

    /// Reads the file again from the disk: what is named is what was hashed.
    fn check_hash(&self, partial: &Path) -> Result<(), Failure> {
        let got = hash_file(partial)?;
        if got == self.sha256 {
            return Ok(());
        }
        // Continuing a wrong file would never make it right.
        fs::remove_file(partial).map_err(|error| Failure::file("remove", partial, &error))?;
        Err(Failure::new(
            Exit::Refused,
            "the file that was fetched is not the one you asked for",
        )
        .cause(format!("expected SHA-256 {}", hex::encode(self.sha256)))
        .cause(format!("got      SHA-256 {}", hex::encode(got)))
        .hint("nothing was kept; check the hash with whoever published the model, and the address"))
    }

    fn too_large(&self, length: u64) -> Failure {
        let message = format!(
            "the file has at least {}, and at most {} are fetched",
            size_words(length),
            size_words(self.max_bytes)
        );
        Failure::new(Exit::Usage, message)
            .hint("allow more with --max-bytes, if this is the right file")
    }
}

fn check_space(folder: &Path, needed: Option<u64>) -> Result<(), Failure> {
    let (Some(needed), Some(free)) = (needed, free_bytes(folder)) else {
        return Ok(());
    };
    if free >= needed.saturating_add(SPACE_LEFT) {
        return Ok(());
    }
    let message = format!(
        "{} are needed and only {} are free at {}",
        size_words(needed),
        size_words(free),
        folder.display()
    );
    Err(Failure::new(Exit::Failed, message)
        .hint("free some space, or point XDG_DATA_HOME at a disk that has some"))
}

/// SHA-256 of a file.
pub(crate) fn hash_file(path: &Path) -> Result<[u8; 32], Failure> {
    let failed = |error: io::Error| Failure::file("read", path, &error);
    let mut file = File::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(hash.finalize().into()),
            read => hash.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

/// No proxy from the environment, no redirect that was not looked at.
fn agent(roots: RootCerts) -> Agent {
    Agent::config_builder()
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .timeout_resolve(Some(TIMEOUT))
        .timeout_connect(Some(TIMEOUT))
        .timeout_recv_response(Some(TIMEOUT))
        .user_agent(concat!("subrosa/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}

/// Refuses what is neither https nor on this machine.
pub(crate) fn check_address(url: &str) -> Result<(), Failure> {
    let wrong = |why: &str| {
        Failure::new(Exit::Usage, format!("{url} is not fetched"))
            .cause(why)
            .hint("use an https address; plain http is accepted from this machine only")
    };
    let uri: ureq::http::Uri = url.parse().map_err(|_| wrong("it is not an address"))?;
    let host = uri
        .host()
        .unwrap_or_default()
        .trim_start_matches('[')
        .trim_end_matches(']');
    let is_loopback = host == "localhost"
        || host
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    match uri.scheme_str() {
        _ if host.is_empty() => Err(wrong("it names no server")),
        Some("https") => Ok(()),
        Some("http") if is_loopback => Ok(()),
        Some("http") => Err(wrong("plain http tells the network what you fetch")),
        _ => Err(wrong("it is neither https nor http")),
    }
}

/// Where a redirect leads: an absolute address, or a path on the same server.
pub(crate) fn next_address(from: &str, response: &Response<Body>) -> Result<String, Failure> {
    let target = response
        .headers()
        .get(header::LOCATION)
        .and_then(|value| value.to_str().ok())
        .ok_or_else(|| {
            Failure::new(Exit::Network, format!("{from} was redirected to nowhere"))
                .hint("check the address with a browser")
        })?;
    if !target.starts_with('/') || target.starts_with("//") {
        return Ok(target.to_owned());
    }
    let origin_end = from
        .find("://")
        .and_then(|scheme| Some((scheme.checked_add(3)?, from.get(scheme.checked_add(3)?..)?)))
        .and_then(|(start, rest)| start.checked_add(rest.find('/').unwrap_or(rest.len())));
    let origin = origin_end.and_then(|end| from.get(..end)).unwrap_or(from);
    Ok(format!("{origin}{target}"))
}

/// The first byte of `content-range: bytes FIRST-LAST/TOTAL` (RFC 9110 §14.4).
fn range_start(response: &Response<Body>) -> Option<u64> {
    let value = response
        .headers()
        .get(header::CONTENT_RANGE)?
        .to_str()
        .ok()?;
    let (first, _) = value.strip_prefix("bytes ")?.split_once('-')?;
    first.parse().ok()
}

fn unreachable_server(url: &str, error: &ureq::Error) -> Failure {
    Failure::new(Exit::Network, format!("cannot reach {url}"))
        .because(error)
        .hint("check the network and the address; a proxy from the environment is not used")
}

fn progress(printer: &Printer, total: Option<u64>, start: u64) -> ProgressBar {
    if !printer.is_watched() {
        return ProgressBar::hidden();
    }
    let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    if let Ok(style) = ProgressStyle::with_template(
        "{bytes} of {total_bytes}  {wide_bar}  {bytes_per_sec}, {eta} left",
    ) {
        bar.set_style(style);
    }
    bar.with_position(start)
}

const BUFFER: usize = 64 * 1024;
const MAX_REDIRECTS: usize = 5;
/// Kept free for everything else on the disk.
const SPACE_LEFT: u64 = 64 * 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(20);

#[cfg(test)]
mod https_tests;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_loopback_addresses_are_fetched() {
        for good in [
            "https://models.example/a.gguf",
            "http://127.0.0.1:1/a",
            "http://localhost/a",
            "http://[::1]:8/a",
        ] {
            assert!(check_address(good).is_ok(), "{good}");
        }
        for bad in [
            "http://models.example/a",
            "http://127.0.0.1.example/a",
            "http://localhost.example/a",
            "file:///etc/passwd",
            "ftp://127.0.0.1/a",
            "/a",
            "",
        ] {
            assert!(check_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_redirect_to_a_path_stays_on_its_server() {
        let response = |to: &str| {
            Response::builder()
                .header(header::LOCATION, to)
                .body(Body::builder().data(""))
                .unwrap()
        };
        let next = |to: &str| next_address("https://a.example/x/y?z", &response(to)).unwrap();
        assert_eq!(next("/q"), "https://a.example/q");
        assert_eq!(next("https://b.example/q"), "https://b.example/q");
        assert!(check_address(&next("//b.example/q")).is_err());
        assert!(check_address(&next("http://b.example/q")).is_err());
    }
}
