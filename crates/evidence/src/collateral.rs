//! Files of collateral: what `subrosa collateral` gathered for this machine.
//!
//! They are read again for every bundle, so that newer ones can be put in their
//! place while the service runs. They are passed on and not trusted: devices
//! verify what is in them. A file was gathered for earlier evidence of the same
//! machine; what it holds does not depend on what that evidence was about.

use std::path::{Path, PathBuf};

use serde_json::json;
use subrosa_attest::UnixSeconds;
use subrosa_attest::bundle::{Label as Part, gpu};
use subrosa_attest::collateral::{Collateral, Entry, Kind, Label, split_signed_json};

use crate::error::CollectError;
use crate::file;
use crate::settings::{GpuSettings, PlatformSettings, SnpSettings};
use crate::snp::{Certificates, Table};

/// The files that the settings name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    snp: Option<SnpSettings>,
    tdx: Option<PathBuf>,
    gpus: Vec<PathBuf>,
}

impl Files {
    pub(crate) fn of(platform: &PlatformSettings, gpus: Option<&GpuSettings>) -> Self {
        let mut files = Self {
            gpus: gpus.map(|gpus| gpus.collateral.clone()).unwrap_or_default(),
            ..Self::default()
        };
        match platform {
            PlatformSettings::Azure(azure) => files.snp = Some(azure.snp()),
            PlatformSettings::Snp(snp) => files.snp = Some(snp.clone()),
            PlatformSettings::Tdx(tdx) => files.tdx = Some(tdx.collateral.clone()),
            _ => {}
        }
        files
    }

    /// The certificates for a report: from configured files, else from the file
    /// of collateral, else from the host's table.
    pub(crate) fn snp(
        &self,
        table: &Table,
        now: UnixSeconds,
    ) -> Result<Certificates, CollectError> {
        let Some(settings) = &self.snp else {
            return Table::choose(&[table]);
        };
        let files = Table::of_files(settings)?;
        let gathered = match &settings.collateral {
            Some(path) => Table::of_collateral(&load(path, Kind::SevSnpReport, now)?),
            None => Table::default(),
        };
        Table::choose(&[&files, &gathered, table])
    }

    /// What goes with a quote, in the JSON that a bundle takes.
    pub(crate) fn tdx(&self, now: UnixSeconds) -> Result<Vec<u8>, CollectError> {
        let path = self.tdx.as_deref().unwrap_or(Path::new(""));
        let collateral = load(path, Kind::TdxQuote, now)?;
        dcap_json(&collateral).ok_or_else(|| unusable(path, Kind::TdxQuote, "a part is missing"))
    }

    /// What goes with the GPUs; devices of one kind share manifests.
    pub(crate) fn gpus(&self, now: UnixSeconds) -> Result<Option<Vec<u8>>, CollectError> {
        let kind = Kind::NvidiaReport;
        let mut files = Vec::new();
        for path in &self.gpus {
            files.push(load(path, kind, now)?);
        }
        let Some(first) = self.gpus.first() else {
            return Ok(None);
        };
        let mut collateral = gpu::Collateral::default();
        for entry in files.iter().flat_map(Collateral::entries) {
            let list = match entry.label() {
                Label::NvidiaRimDriver | Label::NvidiaRimFirmware => &mut collateral.manifests,
                _ => &mut collateral.revocation_answers,
            };
            if !list.contains(&entry.content()) {
                list.push(entry.content());
            }
        }
        let encoded = encode_for_bundle(&collateral);
        encoded
            .map(Some)
            .map_err(|reason| unusable(first, kind, reason))
    }
}

/// Says what is too much for a bundle.
fn encode_for_bundle(collateral: &gpu::Collateral<'_>) -> Result<Vec<u8>, &'static str> {
    if collateral.manifests.len() > gpu::MAX_MANIFESTS {
        return Err("together the files hold too many manifests");
    }
    if collateral.revocation_answers.len() > gpu::MAX_ANSWERS {
        return Err("together the files hold too many answers about revocation");
    }
    let bytes = gpu::encode_collateral(collateral);
    if bytes.len() > Part::GpuCollateral.max_len() {
        return Err("together the files are too long");
    }
    Ok(bytes)
}

fn load(path: &Path, kind: Kind, now: UnixSeconds) -> Result<Collateral, CollectError> {
    let limit = u64::try_from(Collateral::MAX_LEN).unwrap_or(u64::MAX);
    let collateral = Collateral::parse(&file::read(path, limit)?)
        .map_err(|error| unusable(path, kind, &error.to_string()))?;
    if collateral.kind() != kind {
        let got = format!("it is for {}", collateral.kind().as_str());
        return Err(unusable(path, kind, &got));
    }
    let expired_at = expiry(&collateral);
    if now > expired_at {
        return Err(CollectError::CollateralExpired {
            path: path.to_owned(),
            expired_at,
        });
    }
    Ok(collateral)
}

/// When the node has to have a newer file. NVIDIA goes on publishing manifests
/// whose certificates have expired, so of its files only the answers about
/// revocation count.
fn expiry(collateral: &Collateral) -> UnixSeconds {
    if collateral.kind() != Kind::NvidiaReport {
        return collateral.expires_at();
    }
    let entries = collateral.entries().iter();
    entries
        .filter(|entry| matches!(entry.label(), Label::NvidiaOcsp(_)))
        .filter_map(Entry::expires_at)
        .min()
        .unwrap_or(UnixSeconds::new(u64::MAX))
}

/// The members of Intel's `sgx_ql_qve_collateral_t`: chains as they are, lists and
/// signatures in hexadecimal.
fn dcap_json(collateral: &Collateral) -> Option<Vec<u8>> {
    let text = |label| core::str::from_utf8(collateral.get(label)?).ok();
    let hexadecimal = |label| Some(hex::encode(collateral.get(label)?));
    let signed = |label| {
        let (content, signature) = split_signed_json(label, collateral.get(label)?)?;
        Some((core::str::from_utf8(content).ok()?, hex::encode(signature)))
    };
    let (tcb_info, tcb_info_signature) = signed(Label::DcapTcbInfo)?;
    let (qe_identity, qe_identity_signature) = signed(Label::DcapQeIdentity)?;
    let document = json!({
        "pck_crl": hexadecimal(Label::DcapPckCrl)?,
        "root_ca_crl": hexadecimal(Label::DcapRootCrl)?,
        "tcb_info_issuer_chain": text(Label::DcapTcbInfoIssuers)?,
        "tcb_info": tcb_info,
        "tcb_info_signature": tcb_info_signature,
        "qe_identity_issuer_chain": text(Label::DcapQeIdentityIssuers)?,
        "qe_identity": qe_identity,
        "qe_identity_signature": qe_identity_signature,
    });
    Some(document.to_string().into_bytes())
}

fn unusable(path: &Path, kind: Kind, reason: &str) -> CollectError {
    CollectError::CollateralUnusable {
        path: path.to_owned(),
        expected: kind.as_str(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests;
