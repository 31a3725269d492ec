//! An OCI image layout with one image of one layer (OCI image specification 1.1).

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use crate::{PackageError, read};

/// What is in an image.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is another image"
)]
pub struct Image {
    /// Its name and tag, such as `subrosa:0.1.0`.
    pub name: String,
    /// Files, with their absolute paths inside.
    pub files: Vec<(PathBuf, String)>,
    /// Folders that are there and empty.
    pub folders: Vec<String>,
    /// What is started.
    pub entrypoint: Vec<String>,
    /// With which arguments, unless others are given.
    pub arguments: Vec<String>,
}

/// Writes the layout to a folder that is empty or not there yet, and gives the digest of the image's manifest.
///
/// # Errors
///
/// [`PackageError`].
pub fn write(image: &Image, folder: &Path) -> Result<String, PackageError> {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).map_err(PackageError::io("make", &blobs))?;
    let put = |bytes: &[u8]| -> Result<(String, usize), PackageError> {
        let digest = hex::encode(Sha256::digest(bytes));
        let path = blobs.join(&digest);
        fs::write(&path, bytes).map_err(PackageError::io("write", &path))?;
        Ok((format!("sha256:{digest}"), bytes.len()))
    };
    let layer = layer(image)?;
    let uncompressed = format!("sha256:{}", hex::encode(Sha256::digest(&layer)));
    let (layer, layer_len) = put(&compressed(&layer)?)?;
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {
            // Nobody: nothing in the image belongs to it.
            "User": "65532:65532",
            "Env": ["PATH=/usr/bin"],
            "Entrypoint": image.entrypoint,
            "Cmd": image.arguments,
            "WorkingDir": "/",
        },
        "rootfs": { "type": "layers", "diff_ids": [uncompressed] },
    });
    let (config, config_len) = put(&document(&config)?)?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": { "mediaType": CONFIG, "digest": config, "size": config_len },
        "layers": [{ "mediaType": LAYER, "digest": layer, "size": layer_len }],
    });
    let (manifest, manifest_len) = put(&document(&manifest)?)?;
    let index = json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [{
            "mediaType": MANIFEST,
            "digest": manifest,
            "size": manifest_len,
            "platform": { "architecture": "amd64", "os": "linux" },
            "annotations": { "org.opencontainers.image.ref.name": image.name },
        }],
    });
    for (name, value) in [
        ("index.json", index),
        ("oci-layout", json!({ "imageLayoutVersion": "1.0.0" })),
    ] {
        let path = folder.join(name);
        fs::write(&path, document(&value)?).map_err(PackageError::io("write", &path))?;
    }
    Ok(manifest)
}

/// The files as a tar archive, in the order of their paths, with the folders that they are in.
fn layer(image: &Image) -> Result<Vec<u8>, PackageError> {
    let mut folders: BTreeSet<String> = BTreeSet::new();
    let paths = image.files.iter().map(|(_, at)| parent(at));
    for path in paths.chain(image.folders.iter().map(String::as_str)) {
        let mut path = path.trim_matches('/');
        while !path.is_empty() {
            folders.insert(path.to_owned());
            path = parent(path);
        }
    }
    let failed = |error: std::io::Error| PackageError::Format(error.to_string());
    let mut archive = Builder::new(Vec::new());
    for folder in &folders {
        let mut header = header(EntryType::Directory, 0, 0o755);
        archive
            .append_data(&mut header, format!("{folder}/"), &[][..])
            .map_err(failed)?;
    }
    let mut files: Vec<_> = image.files.iter().collect();
    files.sort_by(|one, other| one.1.cmp(&other.1));
    for (from, at) in files {
        let bytes = read(from)?;
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let is_program = bytes.starts_with(b"\x7fELF");
        let mode = if is_program { 0o755 } else { 0o644 };
        let mut header = header(EntryType::Regular, size, mode);
        archive
            .append_data(&mut header, at.trim_start_matches('/'), &*bytes)
            .map_err(failed)?;
    }
    archive.into_inner().map_err(failed)
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// The same for whoever packs, whenever.
fn header(kind: EntryType, size: u64, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

fn compressed(bytes: &[u8]) -> Result<Vec<u8>, PackageError> {
    let failed = |error: std::io::Error| PackageError::Format(error.to_string());
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::best());
    gzip.write_all(bytes).map_err(failed)?;
    gzip.finish().map_err(failed)
}

fn document(value: &Value) -> Result<Vec<u8>, PackageError> {
    serde_json::to_vec(value).map_err(|error| PackageError::Format(error.to_string()))
}

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    fn image(folder: &Path) -> Image {
        fs::write(folder.join("program"), b"\x7fELF and so on").unwrap();
        fs::write(folder.join("text"), b"words").unwrap();
        Image {
            name: "subrosa:0.1.0".to_owned(),
            files: vec![
                (folder.join("text"), "/etc/subrosa/enclave.toml".to_owned()),
                (folder.join("program"), "/usr/bin/subrosa".to_owned()),
            ],
            folders: vec!["/tmp".to_owned()],
            entrypoint: vec!["/usr/bin/subrosa".to_owned()],
            arguments: vec!["doctor".to_owned()],
        }
    }

    /// All blobs of a layout, whose names are checked.
    fn blobs(layout: &Path) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(layout.join("blobs/sha256")).unwrap();
        let blob = |entry: std::io::Result<fs::DirEntry>| {
            let entry = entry.unwrap();
            let bytes = fs::read(entry.path()).unwrap();
            let name = entry.file_name().into_string().unwrap();
            assert_eq!(name, hex::encode(Sha256::digest(&bytes)));
            (format!("sha256:{name}"), bytes)
        };
        entries.map(blob).collect()
    }

    #[test]
    fn the_layout_leads_from_its_index_to_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let layout = folder.path().join("oci");
        let digest = write(&image(folder.path()), &layout).unwrap();
        let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
        let index = json(&fs::read(layout.join("index.json")).unwrap());
        let version = json(&fs::read(layout.join("oci-layout")).unwrap());
        assert_eq!(version["imageLayoutVersion"], "1.0.0");
        let blobs = blobs(&layout);
        assert_eq!(blobs.len(), 3);
        let blob = |descriptor: &Value| {
            let bytes = &blobs[descriptor["digest"].as_str().unwrap()];
            assert_eq!(descriptor["size"], bytes.len());
            bytes
        };
        assert_eq!(index["manifests"][0]["digest"], *digest);
        let manifest = json(blob(&index["manifests"][0]));
        let config = json(blob(&manifest["config"]));
        assert_eq!(config["config"]["User"], "65532:65532");
        let mut tar = Vec::new();
        GzDecoder::new(&**blob(&manifest["layers"][0]))
            .read_to_end(&mut tar)
            .unwrap();
        let whole = format!("sha256:{}", hex::encode(Sha256::digest(&tar)));
        assert_eq!(config["rootfs"]["diff_ids"][0], *whole);

        let mut archive = tar::Archive::new(&*tar);
        let entries = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.uid().unwrap(), header.mtime().unwrap()), (0, 0));
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            (path, header.mode().unwrap())
        });
        let expected = [
            ("etc/", 0o755),
            ("etc/subrosa/", 0o755),
            ("tmp/", 0o755),
            ("usr/", 0o755),
            ("usr/bin/", 0o755),
            ("etc/subrosa/enclave.toml", 0o644),
            ("usr/bin/subrosa", 0o755),
        ];
        let expected = expected.map(|(path, mode)| (path.to_owned(), mode));
        assert_eq!(entries.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_same_files_give_the_same_image() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let write = |folder: &Path| {
            let mut image = image(folder);
            if folder == other.path() {
                image.files.reverse();
            }
            write(&image, &folder.join("oci")).unwrap()
        };
        assert_eq!(write(one.path()), write(other.path()));
        assert_eq!(
            blobs(&one.path().join("oci")),
            blobs(&other.path().join("oci"))
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut image = image(folder.path());
        image
            .files
            .push((folder.path().join("none"), "/none".to_owned()));
        let error = write(&image, &folder.path().join("oci")).unwrap_err();
        assert!(error.to_string().contains("none"), "{error}");
    }
}
