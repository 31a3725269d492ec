//! The web application: files of a folder, read once.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use bytes::Bytes;

use crate::session::sha256_hex;

/// Bytes of all files.
const MAX_BYTES: u64 = 64 << 20;
const MAX_FILES: usize = 2048;

/// The files of the web application, as they were when the program started.
#[derive(Debug, Default)]
pub(crate) struct Assets(BTreeMap<String, Asset>);

#[derive(Debug)]
struct Asset {
    media: &'static str,
    tag: String,
    bytes: Bytes,
}

impl Assets {
    pub(crate) fn read(folder: &Path) -> io::Result<Self> {
        let mut assets = Self::default();
        let mut left = MAX_BYTES;
        assets.add(folder, folder, &mut left)?;
        if !assets.0.contains_key("index.html") {
            return Err(io::Error::other(
                "it has no index.html: build the web application first",
            ));
        }
        Ok(assets)
    }

    fn add(&mut self, root: &Path, folder: &Path, left: &mut u64) -> io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_dir() {
                self.add(root, &path, left)?;
            } else if kind.is_file() {
                self.add_file(root, &path, left)?;
            } else {
                return Err(io::Error::other(format!("{} is no file", path.display())));
            }
        }
        Ok(())
    }

    fn add_file(&mut self, root: &Path, path: &PathBuf, left: &mut u64) -> io::Result<()> {
        let length = std::fs::metadata(path)?.len();
        let rest = left.checked_sub(length);
        *left = rest.ok_or_else(|| io::Error::other("the files have more than 64 MiB"))?;
        if self.0.len() >= MAX_FILES {
            return Err(io::Error::other("there are more than 2048 files"));
        }
        let name = path.strip_prefix(root).unwrap_or(path);
        let name = name
            .to_str()
            .ok_or_else(|| io::Error::other("a file's name is no text"))?;
        let bytes = Bytes::from(std::fs::read(path)?);
        let asset = Asset {
            media: media_type(name),
            tag: format!("\"{}\"", sha256_hex(&bytes)),
            bytes,
        };
        self.0.insert(name.to_owned(), asset);
        Ok(())
    }

    /// The file of a path, or nothing.
    pub(crate) fn answer(&self, path: &str, headers: &HeaderMap) -> Option<Response<Body>> {
        let name = path.strip_prefix('/')?;
        let name = if name.is_empty() { "index.html" } else { name };
        let asset = self.0.get(name)?;
        let tag = HeaderValue::from_str(&asset.tag).ok()?;
        let is_known = headers.get(header::IF_NONE_MATCH) == Some(&tag);
        let (status, body) = if is_known {
            (StatusCode::NOT_MODIFIED, Body::empty())
        } else {
            (StatusCode::OK, Body::from(asset.bytes.clone()))
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.media));
        headers.insert(header::ETAG, tag);
        // Asked again each time, and answered with 304: a new release must not run with old parts.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        Some(response)
    }
}

/// What a page may do. The page can load nothing from elsewhere, and run nothing that is not one of its files.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; \
    font-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types dompurify svelte-trusted-html subrosa-pdf subrosa-worker";

/// Puts onto every answer what keeps pages apart.
pub(crate) fn protect(headers: &mut HeaderMap) {
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-embedder-policy", "require-corp"),
        ("cross-origin-resource-policy", "same-origin"),
        ("origin-agent-cluster", "?1"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        (
            "permissions-policy",
            "camera=(), geolocation=(), microphone=(), publickey-credentials-get=(self), publickey-credentials-create=(self)",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("ico") => "image/x-icon",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("png") => "image/png",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("webmanifest") => "application/manifest+json",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_folder_are_answered() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Assets::read(folder.path()).is_err());
        std::fs::write(folder.path().join("index.html"), "page").unwrap();
        std::fs::create_dir(folder.path().join("assets")).unwrap();
        std::fs::write(folder.path().join("assets/a.wasm"), "code").unwrap();
        let assets = Assets::read(folder.path()).unwrap();
        let none = HeaderMap::new();
        let page = assets.answer("/", &none).unwrap();
        assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
        let code = assets.answer("/assets/a.wasm", &none).unwrap();
        assert_eq!(code.headers()["content-type"], "application/wasm");
        for path in [
            "",
            "x",
            "/x",
            "/assets",
            "/assets/../index.html",
            "//index.html",
            "/../x",
        ] {
            assert!(assets.answer(path, &none).is_none(), "{path}");
        }
        let mut known = HeaderMap::new();
        known.insert("if-none-match", page.headers()["etag"].clone());
        assert_eq!(assets.answer("/index.html", &known).unwrap().status(), 304);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("index.html"), "page").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("x")).unwrap();
        assert!(Assets::read(folder.path()).is_err());
    }
}
