//! `release.toml`: what a release consists of.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::{Contents, ReleaseError};

/// What a release consists of, as its source says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Plan {
    schema: u64,
    /// Files that are published, below the folder of built files. Their names in a manifest are these paths.
    pub(crate) artefacts: Vec<String>,
    /// The file of measurements that the image builder writes, below the folder of built files.
    pub(crate) measurements: String,
    pub(crate) weights: Vec<Weights>,
    /// The folder of the web application, below the folder of built files. All files in it are listed.
    pub(crate) web_assets: Option<String>,
}

/// A model of the service.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Weights {
    pub(crate) name: String,
    /// Its file, below the source.
    pub(crate) file: String,
}

impl Plan {
    /// Where it is, below the source.
    pub const FILE: &'static str = "release.toml";
    /// The longest file, in bytes.
    pub const MAX_LEN: usize = 64 * 1024;
    const SCHEMA: u64 = 1;

    /// Reads the file's text.
    ///
    /// # Errors
    ///
    /// [`ReleaseError::Plan`].
    pub fn parse(text: &str) -> Result<Self, ReleaseError> {
        let wrong = |reason: &str| Err(ReleaseError::Plan(reason.to_owned()));
        if text.len() > Self::MAX_LEN {
            return wrong("it is longer than 64 KiB");
        }
        let plan: Self =
            toml::from_str(text).map_err(|error| ReleaseError::Plan(error.to_string()))?;
        if plan.schema != Self::SCHEMA {
            return wrong("its schema is another than 1: a newer version wrote it");
        }
        if let Some(path) = plan.paths().find(|path| !is_plain(path)) {
            return wrong(&format!("{path:?} is not a plain path"));
        }
        let unique: BTreeSet<_> = plan.artefacts.iter().collect();
        if unique.len() != plan.artefacts.len() {
            return wrong("an artefact is listed twice");
        }
        Ok(plan)
    }

    /// Names of what the list has and these contents do not.
    #[must_use]
    pub fn missing_from(&self, contents: &Contents) -> Vec<String> {
        let has = |name: &&String| !contents.artefacts.iter().any(|file| file.name == **name);
        let artefacts = self.artefacts.iter().filter(has);
        let weights = self
            .weights
            .iter()
            .filter(|one| !contents.weights.iter().any(|found| found.name == one.name));
        let measurements = contents
            .measurements
            .is_empty()
            .then_some(&self.measurements);
        let web = self
            .web_assets
            .as_ref()
            .filter(|_| contents.web_assets.is_empty());
        let mut missing: Vec<_> = artefacts
            .chain(measurements)
            .chain(weights.map(|one| &one.file))
            .chain(web)
            .cloned()
            .collect();
        missing.dedup();
        missing
    }

    fn paths(&self) -> impl Iterator<Item = &String> {
        let weights = self.weights.iter().map(|one| &one.file);
        let built = self.artefacts.iter().chain([&self.measurements]);
        built.chain(weights).chain(&self.web_assets)
    }
}

/// A relative path that leads nowhere else.
fn is_plain(path: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', ':', '\0'])
    };
    path.len() <= 200 && path.split('/').all(plain)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        schema = 1
        artefacts = ["subrosa", "image/uki.efi"]
        measurements = "image/measurement.json"
        web-assets = "web"

        [[weights]]
        name = "demo"
        file = "models/demo.gguf"
    "#;

    fn refused(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from));
        Plan::parse(&GOOD.replacen(from, to, 1))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_list_is_read() {
        let plan = Plan::parse(GOOD).unwrap();
        assert_eq!(plan.artefacts, ["subrosa", "image/uki.efi"]);
        assert_eq!(plan.web_assets.as_deref(), Some("web"));
        let without = GOOD.replace("web-assets = \"web\"", "");
        assert_eq!(Plan::parse(&without).unwrap().web_assets, None);
    }

    #[test]
    fn the_list_of_this_source_is_read() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../", "release.toml");
        let plan = Plan::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
        // Packages bear the version in their names.
        let version = env!("CARGO_PKG_VERSION");
        for package in [
            format!("subrosa_{version}_amd64.deb"),
            format!("subrosa-enclave_{version}_amd64.deb"),
        ] {
            assert!(plan.artefacts.contains(&package), "{package}");
        }
        let wheel = format!("subrosa-{version}-py3-none-");
        let is_wheel = |name: &String| {
            name.strip_suffix(".whl")
                .is_some_and(|name| name.starts_with(&wheel))
        };
        assert!(plan.artefacts.iter().any(is_wheel));
    }

    #[test]
    fn paths_lead_nowhere_else() {
        for path in [
            "",
            "/etc/passwd",
            "../x",
            "a/../x",
            "a//b",
            "./a",
            "a\\\\b",
            "c:a",
        ] {
            assert!(
                refused("image/uki.efi", path).contains("plain path"),
                "{path}"
            );
            assert!(refused("image/measurement.json", path).contains("plain path"));
            assert!(refused("models/demo.gguf", path).contains("plain path"));
            assert!(refused("\"web\"", &format!("\"{path}\"")).contains("plain path"));
        }
        assert!(refused("image/uki.efi", &"x".repeat(201)).contains("plain path"));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert!(refused("schema = 1", "schema = 2").contains("newer"));
        assert!(refused("schema = 1", "").contains("schema"));
        assert!(refused("schema = 1", "schema = 1\nmore = 1").contains("unknown field"));
        assert!(refused("image/uki.efi", "subrosa").contains("twice"));
        let long = format!("{GOOD}#{}", "x".repeat(Plan::MAX_LEN));
        assert!(
            Plan::parse(&long)
                .unwrap_err()
                .to_string()
                .contains("64 KiB")
        );
    }
}
