//! How long an Intel DCAP quote is (Intel TDX DCAP Quoting Library API, appendix
//! A.3 and A.4; SGX ECDSA Quote Library API, appendix A.4).

use crate::error::CollectError;

/// Cuts off the zeros with which some hosts fill up their buffer: nothing may
/// follow a quote in a bundle. Anything else behind it is an error.
pub(crate) fn without_padding(mut quote: Vec<u8>) -> Result<Vec<u8>, CollectError> {
    let malformed = CollectError::Malformed { what: "quote" };
    let Some(length) = length(&quote) else {
        return Err(malformed);
    };
    match quote.get(length..) {
        Some(rest) if rest.iter().all(|&byte| byte == 0) => {
            quote.truncate(length);
            Ok(quote)
        }
        _ => Err(malformed),
    }
}

/// The length that a quote says it has.
fn length(quote: &[u8]) -> Option<usize> {
    let version = u16::from_le_bytes(array(quote, 0)?);
    let tee = u32::from_le_bytes(array(quote, 4)?);
    let (body_at, body) = match (version, tee) {
        (3, _) | (4, SGX) => (HEADER, ENCLAVE_REPORT),
        (4, TDX) => (HEADER, TD_REPORT),
        (5, _) => {
            let size = u32::from_le_bytes(array(quote, HEADER.checked_add(2)?)?);
            (HEADER.checked_add(6)?, usize::try_from(size).ok()?)
        }
        _ => return None,
    };
    let size_at = body_at.checked_add(body)?;
    let size = usize::try_from(u32::from_le_bytes(array(quote, size_at)?)).ok()?;
    size_at.checked_add(4)?.checked_add(size)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

const HEADER: usize = 48;
const ENCLAVE_REPORT: usize = 384;
const TD_REPORT: usize = 584;
/// `tee_type`.
const SGX: u32 = 0;
const TDX: u32 = 0x81;

#[cfg(test)]
mod tests {
    #![allow(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::unwrap_used,
        reason = "tests"
    )]

    use proptest::prelude::*;

    use super::*;

    fn quote(version: u16, tee: u32, body: usize) -> Vec<u8> {
        let mut quote = vec![0; HEADER];
        quote[..2].copy_from_slice(&version.to_le_bytes());
        quote[4..8].copy_from_slice(&tee.to_le_bytes());
        if version == 5 {
            quote.extend([2, 0]);
            quote.extend(u32::try_from(body).unwrap().to_le_bytes());
        }
        quote.extend(vec![1; body]);
        quote.extend(7_u32.to_le_bytes());
        quote.extend([2; 7]);
        quote
    }

    #[test]
    fn padding_is_cut_off_quotes_of_every_version() {
        for (version, tee, body) in [(3, SGX, 384), (4, SGX, 384), (4, TDX, 584), (5, TDX, 648)] {
            let quote = quote(version, tee, body);
            assert_eq!(without_padding(quote.clone()).unwrap(), quote);
            let padded = [quote.as_slice(), &[0; 3000]].concat();
            assert_eq!(without_padding(padded).unwrap(), quote);
        }
    }

    #[test]
    fn anything_else_behind_or_missing_is_refused() {
        let good = quote(4, TDX, 584);
        for cut in 0..good.len() {
            assert!(without_padding(good[..cut].to_vec()).is_err(), "{cut}");
        }
        assert!(without_padding([good.as_slice(), &[0, 1, 0]].concat()).is_err());
        assert!(without_padding(quote(2, TDX, 584)).is_err());
        assert!(without_padding(quote(4, 0x82, 584)).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..700), version in 0_u16..7) {
            let mut bytes = bytes;
            if let Some(head) = bytes.first_chunk_mut() {
                *head = version.to_le_bytes();
            }
            let _ = without_padding(bytes);
        }
    }
}
