//! `subrosa verify-web`: whether a web application is the logged one.

use clap::Args;
use serde_json::json;
use subrosa_translog::entry::release::Artefact;
use ureq::http::{HeaderMap, header};

use crate::download::check_address;
use crate::failure::{Exit, Failure};
use crate::printer::{Mark, Printer, Tone};
use crate::releases::LoggedFlags;
use crate::transparency::agent;

/// Check that a web application is of a logged release
///
/// Fetches every file that the release lists, and the page itself, and compares each byte; the page's policy must forbid all other
/// code. The release must be signed and logged, for now, and not older than what this device has seen. It says what
/// the server sent to this program now: a server can send somebody else another page.
/// Exits with 0 if all is the same, and with 3 if not.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Flags {
    /// Where the application is, such as https://chat.example.org
    #[arg(value_name = "URL")]
    url: String,

    #[command(flatten)]
    logged: LoggedFlags,
}

/// What one file came to.
struct Row {
    name: String,
    /// What is wrong with it.
    wrong: Option<String>,
}

/// What a server sent.
struct Page {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

pub(crate) fn run(flags: &Flags, printer: &Printer) -> Result<Exit, Failure> {
    let url = flags.url.trim_end_matches('/');
    check_address(url)?;
    let found = flags.logged.find()?;
    let manifest = found.release.manifest();
    let assets = &manifest.web_assets;
    let index = assets.iter().find(|asset| asset.name == "index.html");
    let index = index.ok_or_else(|| {
        Failure::new(Exit::Refused, "this release has no web application")
            .hint("look for the proof of the release that the application says it is of")
    })?;
    let mut rows = Vec::new();
    let page = fetch(&format!("{url}/"), index.bytes)?;
    rows.push(Row {
        name: "the page".to_owned(),
        wrong: difference(&page, index),
    });
    rows.push(Row {
        name: "the page's own policy".to_owned(),
        wrong: weakness(&page.headers),
    });
    if !assets.iter().any(|asset| asset.name == POLICY_FILE) {
        let wrong =
            "the release does not list it, so the server can change by what machines are judged";
        rows.push(Row {
            name: POLICY_FILE.to_owned(),
            wrong: Some(wrong.to_owned()),
        });
    }
    for asset in assets {
        let wrong = if is_plain(&asset.name) {
            difference(
                &fetch(&format!("{url}/{}", asset.name), asset.bytes)?,
                asset,
            )
        } else {
            Some("its name is no plain path".to_owned())
        };
        rows.push(Row {
            name: asset.name.clone(),
            wrong,
        });
    }
    found.remember()?;
    let is_same = rows.iter().all(|row| row.wrong.is_none());
    if printer.is_json() {
        let rows: Vec<_> = rows
            .iter()
            .map(|row| json!({ "name": row.name, "same": row.wrong.is_none(), "wrong": row.wrong }))
            .collect();
        printer.json(&json!({
            "url": url,
            "service": manifest.service,
            "version": manifest.version,
            "sequence": manifest.sequence,
            "same": is_same,
            "rows": rows,
        }))?;
    } else {
        printer.row(Mark::Passed, "release-logged", &found.words())?;
        for row in &rows {
            match &row.wrong {
                None => printer.row(Mark::Passed, &row.name, "the same bytes")?,
                Some(wrong) => printer.row(Mark::Failed, &row.name, wrong)?,
            }
        }
        let (tone, words) = if is_same {
            let words = format!("LOGGED: {url} shows version {} now", manifest.version);
            (Tone::Good, words)
        } else {
            let words = format!("NOT THE SAME: {url} does not show what was logged");
            (Tone::Bad, words)
        };
        printer.notice(tone, words);
    }
    Ok(if is_same { Exit::Done } else { Exit::Refused })
}

/// What is wrong with a file, if anything is.
fn difference(page: &Page, asset: &Artefact) -> Option<String> {
    use sha2::{Digest as _, Sha256};
    if page.status != 200 {
        return Some(format!("the server answered {}", page.status));
    }
    let digest: [u8; 32] = Sha256::digest(&page.body).into();
    (digest != asset.sha256).then(|| {
        let (found, logged) = (hex::encode(digest), hex::encode(asset.sha256));
        format!("its SHA-256 is {found}, logged is {logged}")
    })
}

/// What the page's policy allows that it must not (Content Security Policy Level 3).
fn weakness(headers: &HeaderMap) -> Option<String> {
    let mut policies = headers.get_all(header::CONTENT_SECURITY_POLICY).iter();
    let policy = match (policies.next(), policies.next()) {
        (Some(policy), None) => policy.to_str().ok()?,
        (None, _) => return Some("the server sends none".to_owned()),
        _ => return Some("the server sends several".to_owned()),
    };
    let directives: Vec<Vec<&str>> = policy
        .split(';')
        .map(|directive| directive.split_ascii_whitespace().collect())
        .collect();
    let wrong = REQUIRED.iter().find(|(name, values)| {
        // The first of a name counts (§2.2.1).
        let found = directives
            .iter()
            .find(|directive| directive.first().is_some_and(|first| first == name));
        found.and_then(|directive| directive.get(1..)) != Some(values)
    });
    wrong.map(|(name, values)| format!("`{name}` is not `{}`", values.join(" ")))
}

/// Fetches a file of this length. More is another file, and not read.
fn fetch(url: &str, length: u64) -> Result<Page, Failure> {
    let failed = |cause: String| {
        Failure::new(Exit::Network, format!("cannot read {url}"))
            .cause(cause)
            .hint("check the address, and that the service runs")
    };
    let answer = agent()
        .get(url)
        .header(header::ACCEPT_ENCODING, "identity")
        .call()
        .map_err(|error| failed(error.to_string()))?;
    let (parts, body) = answer.into_parts();
    let body = body.into_with_config().limit(length.saturating_add(1));
    let body = match body.read_to_vec() {
        Ok(body) => body,
        Err(ureq::Error::BodyExceedsLimit(_)) => Vec::new(),
        Err(error) => return Err(failed(error.to_string())),
    };
    Ok(Page {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body,
    })
}

fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.split('/')
        .all(|part| !part.is_empty() && !part.starts_with('.') && part.bytes().all(is_plain))
}

/// What machines are judged by.
const POLICY_FILE: &str = "policy.toml";

/// Directives without which a page could run code that is not one of its files.
const REQUIRED: [(&str, &[&str]); 7] = [
    ("default-src", &["'none'"]),
    ("script-src", &["'self'", "'wasm-unsafe-eval'"]),
    ("worker-src", &["'self'"]),
    ("connect-src", &["'self'"]),
    ("base-uri", &["'none'"]),
    ("frame-ancestors", &["'none'"]),
    ("require-trusted-types-for", &["'script'"]),
];

const EXAMPLE: &str = "\
Example:
  subrosa verify-web https://chat.example.org release.tlog-proof --policy policy.toml";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const GOOD: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; worker-src 'self'; connect-src 'self'; \
        base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

    fn found(policies: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for policy in policies {
            headers.append(header::CONTENT_SECURITY_POLICY, policy.parse().unwrap());
        }
        weakness(&headers)
    }

    #[test]
    fn a_page_that_may_run_other_code_is_found() {
        assert_eq!(found(&[GOOD]), None);
        assert!(found(&[]).unwrap().contains("none"));
        assert!(found(&[GOOD, GOOD]).unwrap().contains("several"));
        for (name, values) in REQUIRED {
            let directive = format!("{name} {}", values.join(" "));
            for other in [
                "",
                &format!("{name} *"),
                &format!("{directive} 'unsafe-inline'"),
            ] {
                let wrong = found(&[&GOOD.replace(&directive, other)]).unwrap();
                assert!(wrong.contains(name), "{wrong}");
            }
            // A second one of the same name does not count, whatever it says.
            let first = format!("{name} 'x'; {GOOD}");
            assert!(found(&[&first]).is_some(), "{name}");
        }
    }

    #[test]
    fn only_plain_paths_are_asked_for() {
        for good in ["index.html", "assets/app-1_a.js"] {
            assert!(is_plain(good), "{good}");
        }
        for bad in [
            "", "/x", "a//b", "../x", "a/../b", ".x", "a?b", "a%2fb", "a b", "a#b",
        ] {
            assert!(!is_plain(bad), "{bad}");
        }
    }
}
