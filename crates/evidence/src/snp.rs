//! The certificates of an SEV-SNP report: from the host's table, or from files.
//!
//! The table is that of AMD publication 56421 (GHCB), section "SNP Extended
//! Guest Request". It comes from the host and is only passed on; devices check
//! it.

use std::path::PathBuf;

use subrosa_attest::bundle::SnpEvidence;
use subrosa_attest::collateral::{Collateral, Label};
use subrosa_attest::snp::KeyKind;

use crate::error::CollectError;
use crate::file;
use crate::settings::SnpSettings;

/// The certificates that go with a report.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Certificates {
    kind: KeyKind,
    leaf: Vec<u8>,
    intermediate: Vec<u8>,
    root: Vec<u8>,
    revocation_list: Option<Vec<u8>>,
}

impl Certificates {
    /// The same with the report, in the form that a bundle takes.
    pub(crate) fn with_report<'a>(&'a self, report: &'a [u8]) -> SnpEvidence<'a> {
        SnpEvidence {
            report,
            kind: self.kind,
            leaf: &self.leaf,
            intermediate: &self.intermediate,
            root: &self.root,
            revocation_list: self.revocation_list.as_deref(),
        }
    }
}

/// The entries of a certificate table that are of use.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Table {
    vcek: Option<Vec<u8>>,
    vlek: Option<Vec<u8>>,
    intermediate: Option<Vec<u8>>,
    root: Option<Vec<u8>>,
    revocation_list: Option<Vec<u8>>,
}

impl Table {
    /// Reads a table; an empty one says that the host has none.
    ///
    /// # Errors
    ///
    /// [`CollectError::CertificateTable`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CollectError> {
        let mut table = Self::default();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (entry, after) = Entry::read(rest).ok_or(CollectError::CertificateTable)?;
            if entry.guid == [0; 16] {
                break;
            }
            let end = entry.offset.checked_add(entry.length);
            let certificate = end.and_then(|end| bytes.get(entry.offset..end));
            let certificate = certificate.ok_or(CollectError::CertificateTable)?;
            if let Some(place) = table.place(&entry.guid) {
                *place = Some(certificate.to_vec());
            }
            rest = after;
        }
        Ok(table)
    }

    /// A table with the certificates of this evidence.
    #[must_use]
    pub fn of(evidence: &SnpEvidence<'_>) -> Self {
        let leaf = |kind| (evidence.kind == kind).then(|| evidence.leaf.to_vec());
        Self {
            vcek: leaf(KeyKind::Vcek),
            vlek: leaf(KeyKind::Vlek),
            intermediate: Some(evidence.intermediate.to_vec()),
            root: Some(evidence.root.to_vec()),
            revocation_list: evidence.revocation_list.map(<[u8]>::to_vec),
        }
    }

    /// The certificates in a file of collateral. A VLEK goes with an ASVK, a VCEK
    /// with an ASK: the file's reader has made sure.
    pub(crate) fn of_collateral(collateral: &Collateral) -> Self {
        let part = |label| collateral.get(label).map(<[u8]>::to_vec);
        Self {
            vcek: part(Label::SnpVcek),
            vlek: part(Label::SnpVlek),
            intermediate: part(Label::SnpAsk).or_else(|| part(Label::SnpAsvk)),
            root: part(Label::SnpArk),
            revocation_list: part(Label::SnpCrl),
        }
    }

    /// The certificates in the configured files.
    pub(crate) fn of_files(settings: &SnpSettings) -> Result<Self, CollectError> {
        let mut table = Self::default();
        let read = |path: &PathBuf| file::read(path, MAX_FILE);
        if let Some(files) = &settings.certificates {
            table.vcek = files.vcek.as_ref().map(read).transpose()?;
            table.vlek = files.vlek.as_ref().map(read).transpose()?;
            table.intermediate = Some(read(&files.intermediate)?);
            table.root = Some(read(&files.root)?);
        }
        table.revocation_list = settings.revocation_list.as_ref().map(read).transpose()?;
        Ok(table)
    }

    /// The certificates of the first of these tables that has each.
    pub(crate) fn choose(tables: &[&Self]) -> Result<Certificates, CollectError> {
        let missing = |what| CollectError::CertificateMissing { what };
        let first = |part: fn(&Self) -> &Option<Vec<u8>>| {
            tables.iter().find_map(|table| part(table).clone())
        };
        let (kind, leaf) = tables
            .iter()
            .find_map(|table| table.leaf())
            .ok_or(missing("VCEK or VLEK"))?;
        Ok(Certificates {
            kind,
            leaf,
            intermediate: first(|table| &table.intermediate).ok_or(missing("ASK"))?,
            root: first(|table| &table.root).ok_or(missing("ARK"))?,
            revocation_list: first(|table| &table.revocation_list),
        })
    }

    /// The certificate of the key that signs reports. A provider that loaded a
    /// key of its own uses that one.
    fn leaf(&self) -> Option<(KeyKind, Vec<u8>)> {
        let vlek = self.vlek.clone().map(|vlek| (KeyKind::Vlek, vlek));
        vlek.or_else(|| self.vcek.clone().map(|vcek| (KeyKind::Vcek, vcek)))
    }

    fn place(&mut self, guid: &[u8; 16]) -> Option<&mut Option<Vec<u8>>> {
        let is = |known: &[u8; 16]| guid == known || *guid == mixed_endian(*known);
        if is(&VCEK) {
            Some(&mut self.vcek)
        } else if is(&VLEK) {
            Some(&mut self.vlek)
        } else if is(&ASK) {
            Some(&mut self.intermediate)
        } else if is(&ARK) {
            Some(&mut self.root)
        } else if is(&CRL) {
            Some(&mut self.revocation_list)
        } else {
            None
        }
    }
}

struct Entry {
    guid: [u8; 16],
    offset: usize,
    length: usize,
}

impl Entry {
    fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (guid, rest) = bytes.split_first_chunk()?;
        let (offset, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let entry = Self {
            guid: *guid,
            offset: usize::try_from(u32::from_le_bytes(*offset)).ok()?,
            length: usize::try_from(u32::from_le_bytes(*length)).ok()?,
        };
        Some((entry, rest))
    }
}

/// Some hosts write the first three fields of a GUID with their bytes swapped.
fn mixed_endian(mut guid: [u8; 16]) -> [u8; 16] {
    for field in [0..4, 4..6, 6..8] {
        if let Some(bytes) = guid.get_mut(field) {
            bytes.reverse();
        }
    }
    guid
}

// 63da758d-e664-4564-adc5-f4b93be8accd
const VCEK: [u8; 16] = 0x63da_758d_e664_4564_adc5_f4b9_3be8_accd_u128.to_be_bytes();
// a8074bc2-a25a-483e-aae6-39c045a0b8a1
const VLEK: [u8; 16] = 0xa807_4bc2_a25a_483e_aae6_39c0_45a0_b8a1_u128.to_be_bytes();
// 4ab7b379-bbac-4fe4-a02f-05aef327c782
const ASK: [u8; 16] = 0x4ab7_b379_bbac_4fe4_a02f_05ae_f327_c782_u128.to_be_bytes();
// c0b406a4-a803-4952-9743-3fb6014cd0ae
const ARK: [u8; 16] = 0xc0b4_06a4_a803_4952_9743_3fb6_014c_d0ae_u128.to_be_bytes();
// 92f81bc3-5811-4d3d-97ff-d19f88dc67ea
const CRL: [u8; 16] = 0x92f8_1bc3_5811_4d3d_97ff_d19f_88dc_67ea_u128.to_be_bytes();

/// Largest part of an evidence bundle that a certificate or list may fill.
const MAX_FILE: u64 = 32 * 1024;

#[cfg(test)]
mod tests;
