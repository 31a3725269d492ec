//! An executable image without its signature.
//!
//! Debian signs its kernels for Secure Boot. In a unified image the signature is
//! checked by nobody, and what the firmware measures leaves it out (Microsoft,
//! "Windows Authenticode Portable Executable Signature Format", "Calculating the PE
//! Image Hash"): without it there is one reading less.

use crate::uki::UkiError;

/// Takes the signature off the end of an image, if it has one.
///
/// # Errors
///
/// [`UkiError::Malformed`] for what is no image for a 64-bit machine, or has its
/// signature in another place.
pub fn unsigned(mut image: Vec<u8>) -> Result<Vec<u8>, UkiError> {
    let header = size(&image, 0x3c)?;
    let optional = header.checked_add(24).ok_or(UkiError::Malformed)?;
    if image.get(optional..).and_then(<[u8]>::first_chunk) != Some(&[0x0b, 0x02]) {
        return Err(UkiError::Malformed);
    }
    let entry = optional.saturating_add(CERTIFICATES);
    let (at, length) = (size(&image, entry)?, size(&image, entry.saturating_add(4))?);
    if (at, length) == (0, 0) {
        return Ok(image);
    }
    let is_at_end = at.checked_add(length) == Some(image.len());
    if !is_at_end || at <= entry || !at.is_multiple_of(8) {
        return Err(UkiError::Malformed);
    }
    image.truncate(at);
    let entry = image.get_mut(entry..entry.saturating_add(8));
    entry.ok_or(UkiError::Malformed)?.fill(0);
    Ok(image)
}

fn size(image: &[u8], at: usize) -> Result<usize, UkiError> {
    let field = image.get(at..).and_then(<[u8]>::first_chunk);
    let field = field.ok_or(UkiError::Malformed)?;
    usize::try_from(u32::from_le_bytes(*field)).map_err(|_| UkiError::Malformed)
}

/// The directory entry of the certificate table, from the optional header.
const CERTIFICATES: usize = 144;

#[cfg(test)]
mod tests {
    #![allow(
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "tests"
    )]

    use subrosa_measure::Bank;
    use subrosa_measure::uefi::PeImage;

    use super::*;
    use crate::uki::stub_for_tests;

    /// The directory entry in the test's image.
    const ENTRY: usize = 0x98 + CERTIFICATES;

    fn signed(at: u32, length: u32) -> Vec<u8> {
        let mut image = stub_for_tests();
        image[ENTRY..ENTRY + 4].copy_from_slice(&at.to_le_bytes());
        image[ENTRY + 4..ENTRY + 8].copy_from_slice(&length.to_le_bytes());
        image.extend([0x5a; 16]);
        image
    }

    #[test]
    fn the_signature_is_gone_and_the_rest_is_there() {
        let image = unsigned(signed(0x600, 16)).unwrap();
        assert_eq!(image, stub_for_tests());
        let digest = PeImage::parse(&image).unwrap().authenticode(Bank::Sha256);
        assert_eq!(digest.len(), 32);
    }

    #[test]
    fn an_image_without_signature_stays_as_it_is() {
        assert_eq!(unsigned(stub_for_tests()).unwrap(), stub_for_tests());
    }

    #[test]
    fn a_signature_in_another_place_is_refused() {
        for (at, length) in [(0x600, 8), (0x5f8, 16), (0x40, 0x5d0), (0x604, 12), (0, 16)] {
            let found = unsigned(signed(at, length));
            assert_eq!(found.err(), Some(UkiError::Malformed), "{at:#x}");
        }
        assert_eq!(unsigned(b"MZ".to_vec()).err(), Some(UkiError::Malformed));
    }
}
