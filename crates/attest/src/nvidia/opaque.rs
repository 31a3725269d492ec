//! What NVIDIA puts into the opaque data of a `MEASUREMENTS` message: fields of a 2-byte type, a 2-byte length and a
//! value, little-endian. Names and numbers are those of NVIDIA's nvtrust (`OPAQUE_FIELD_ID_*`).

use super::cursor::Cursor;

/// The fields, each type at most once.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Opaque(Vec<(u16, Vec<u8>)>);

impl Opaque {
    /// `None` if a field is cut or occurs twice. The caller has bounded the length.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let mut fields: Vec<(u16, Vec<u8>)> = Vec::new();
        while !cursor.rest().is_empty() {
            let kind = cursor.u16()?;
            let length = cursor.u16()?;
            let value = cursor.take(usize::from(length))?;
            if fields.iter().any(|(known, _)| *known == kind) {
                return None;
            }
            fields.push((kind, value.to_vec()));
        }
        Some(Self(fields))
    }

    /// The bytes of a field.
    pub(super) fn get(&self, kind: u16) -> Option<&[u8]> {
        let (_, value) = self.0.iter().find(|(known, _)| *known == kind)?;
        Some(value)
    }

    /// A field of one byte.
    pub(super) fn byte(&self, kind: u16) -> Option<u8> {
        match self.get(kind)? {
            [byte] => Some(*byte),
            _ => None,
        }
    }

    /// A field of two bytes.
    pub(super) fn u16(&self, kind: u16) -> Option<u16> {
        let bytes = self.get(kind)?.try_into().ok()?;
        Some(u16::from_le_bytes(bytes))
    }

    /// A field that holds printable ASCII, padded with zero bytes. `None` also if it is empty.
    pub(super) fn text(&self, kind: u16) -> Option<&str> {
        let text = core::str::from_utf8(self.get(kind)?).ok()?;
        let text = text.trim_end_matches('\0');
        let is_printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        (is_printable && !text.is_empty()).then_some(text)
    }

    /// A field that is a list of 8-byte device identifiers (PDI).
    pub(super) fn pdis(&self, kind: u16) -> Option<Vec<[u8; 8]>> {
        let (pdis, rest) = self.get(kind)?.as_chunks::<8>();
        rest.is_empty().then(|| pdis.to_vec())
    }

    /// The version of a GPU's VBIOS as people write it: `96.00.5E.00.01` for the bytes `00 5E 00 96 01 00 00 00`, a
    /// little-endian number followed by one more byte (nvtrust, `get_vbios_version`).
    pub(super) fn gpu_vbios_version(&self) -> Option<String> {
        let [n0, n1, n2, n3, last, 0, 0, 0] =
            *<&[u8; 8]>::try_from(self.get(VBIOS_VERSION)?).ok()?
        else {
            return None;
        };
        Some(format!("{n3:02X}.{n2:02X}.{n1:02X}.{n0:02X}.{last:02X}"))
    }
}

pub(super) const DRIVER_VERSION: u16 = 3;
pub(super) const VBIOS_VERSION: u16 = 6;
pub(super) const NVDEC0_STATUS: u16 = 11;
pub(super) const BOARD_ID: u16 = 14;
pub(super) const CHIP_SKU: u16 = 15;
pub(super) const PROJECT: u16 = 17;
pub(super) const PROJECT_SKU: u16 = 18;
pub(super) const FIRMWARE_ID: u16 = 20;
pub(super) const PROTECTED_PCIE_STATUS: u16 = 21;
/// On a GPU the identifiers of the switches behind its links; on a switch its own.
pub(super) const SWITCH_PDIS: u16 = 22;
/// On a switch: eight identifiers of GPUs, then a map of ports.
pub(super) const SWITCH_GPU_PDIS: u16 = 26;
pub(super) const OPAQUE_DATA_VERSION: u16 = 34;
pub(super) const FEATURE_FLAG: u16 = 36;

#[cfg(test)]
mod tests;
