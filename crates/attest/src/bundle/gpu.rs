//! The devices of a node and the collateral for them, as a bundle carries them:
//! `spec/evidence-bundle.md`, section "Graphics processors".

use minicbor::{Decoder, Encoder};

use crate::nvidia::{Device, DeviceKind};

/// Most devices of one node: eight GPUs with four switches are usual.
pub const MAX_DEVICES: usize = 32;
/// Most reference manifests; devices of one kind share them.
pub const MAX_MANIFESTS: usize = 16;
/// Most answers about revocation.
pub const MAX_ANSWERS: usize = 64;

/// What is needed to verify devices besides themselves. Its vendor signed it, and
/// the node's report is not bound to it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is a new format"
)]
pub struct Collateral<'a> {
    /// Reference manifests, as NVIDIA publishes them.
    pub manifests: Vec<&'a [u8]>,
    /// OCSP responses, DER.
    pub revocation_answers: Vec<&'a [u8]>,
}

/// Writes the devices of a node. The result is bound by the platform's report.
#[must_use]
pub fn encode_devices(devices: &[Device<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to a vector cannot fail.
    let _infallible = write_devices(&mut Encoder::new(&mut bytes), devices);
    bytes
}

/// Reads the devices of a node. `None` if the bytes are not the one encoding of
/// 1 to [`MAX_DEVICES`] devices.
#[must_use]
pub fn parse_devices(bytes: &[u8]) -> Option<Vec<Device<'_>>> {
    let mut decoder = Decoder::new(bytes);
    let count = length(&mut decoder, MAX_DEVICES).filter(|&count| count > 0)?;
    let mut devices = Vec::with_capacity(count);
    for _ in 0..count {
        devices.push(read_device(&mut decoder)?);
    }
    (encode_devices(&devices) == bytes).then_some(devices)
}

/// Writes collateral.
#[must_use]
pub fn encode_collateral(collateral: &Collateral<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _infallible = write_collateral(&mut Encoder::new(&mut bytes), collateral);
    bytes
}

/// Reads collateral. `None` if the bytes are not the one encoding of at most
/// [`MAX_MANIFESTS`] manifests and [`MAX_ANSWERS`] answers.
#[must_use]
pub fn parse_collateral(bytes: &[u8]) -> Option<Collateral<'_>> {
    let mut decoder = Decoder::new(bytes);
    if decoder.array().ok()?? != 2 {
        return None;
    }
    let collateral = Collateral {
        manifests: read_strings(&mut decoder, MAX_MANIFESTS)?,
        revocation_answers: read_strings(&mut decoder, MAX_ANSWERS)?,
    };
    (encode_collateral(&collateral) == bytes).then_some(collateral)
}

fn read_strings<'a>(decoder: &mut Decoder<'a>, most: usize) -> Option<Vec<&'a [u8]>> {
    let count = length(decoder, most)?;
    (0..count).map(|_| decoder.bytes().ok()).collect()
}

fn length(decoder: &mut Decoder<'_>, most: usize) -> Option<usize> {
    let count = usize::try_from(decoder.array().ok()??).ok()?;
    (count <= most).then_some(count)
}

fn read_device<'a>(decoder: &mut Decoder<'a>) -> Option<Device<'a>> {
    if decoder.array().ok()?? != 3 {
        return None;
    }
    let kind = match decoder.u8().ok()? {
        0 => DeviceKind::Gpu,
        1 => DeviceKind::Switch,
        _ => return None,
    };
    Some(Device {
        kind,
        report: decoder.bytes().ok()?,
        certificates: decoder.bytes().ok()?,
    })
}

type Written = Result<(), minicbor::encode::Error<core::convert::Infallible>>;

fn write_devices(encoder: &mut Encoder<&mut Vec<u8>>, devices: &[Device<'_>]) -> Written {
    encoder.array(u64::try_from(devices.len()).unwrap_or(u64::MAX))?;
    for device in devices {
        let kind = match device.kind {
            DeviceKind::Gpu => 0,
            DeviceKind::Switch => 1,
        };
        encoder
            .array(3)?
            .u8(kind)?
            .bytes(device.report)?
            .bytes(device.certificates)?;
    }
    Ok(())
}

fn write_collateral(encoder: &mut Encoder<&mut Vec<u8>>, collateral: &Collateral<'_>) -> Written {
    encoder.array(2)?;
    for strings in [&collateral.manifests, &collateral.revocation_answers] {
        encoder.array(u64::try_from(strings.len()).unwrap_or(u64::MAX))?;
        for string in strings {
            encoder.bytes(string)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DEVICES: [Device<'static>; 2] = [
        Device {
            kind: DeviceKind::Gpu,
            report: b"report",
            certificates: b"certificates",
        },
        Device {
            kind: DeviceKind::Switch,
            report: b"",
            certificates: b"c",
        },
    ];

    fn collateral() -> Collateral<'static> {
        Collateral {
            manifests: vec![b"one", b"two"],
            revocation_answers: vec![b"three"],
        }
    }

    #[test]
    fn devices_and_collateral_are_read_as_they_were_written() {
        let bytes = encode_devices(&DEVICES);
        let read = parse_devices(&bytes).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].report, b"report");
        assert_eq!(read[0].certificates, b"certificates");
        assert_eq!(read[1].kind, DeviceKind::Switch);
        for collateral in [collateral(), Collateral::default()] {
            let bytes = encode_collateral(&collateral);
            assert_eq!(parse_collateral(&bytes).unwrap(), collateral);
        }
    }

    #[test]
    fn no_other_encoding_is_read() {
        let good = encode_devices(&DEVICES);
        for cut in 0..good.len() {
            assert!(parse_devices(&good[..cut]).is_none(), "{cut}");
        }
        let long_count = [&[0x98, 2], &good[1..]].concat();
        let indefinite = [&[0x9F], &good[1..], &[0xFF]].concat();
        let longer = [good.as_slice(), &[0]].concat();
        let other_kind = [&[0x81, 0x83, 2, 0x40, 0x40][..]].concat();
        let four = [&[0x81, 0x84, 0, 0x40, 0x40, 0x40][..]].concat();
        for bytes in [&long_count, &indefinite, &longer, &other_kind, &four] {
            assert!(parse_devices(bytes).is_none(), "{bytes:02x?}");
        }
        assert!(parse_devices(&[0x81, 0x83, 0, 0x40, 0x40]).is_some());
        let good = encode_collateral(&collateral());
        for cut in 0..good.len() {
            assert!(parse_collateral(&good[..cut]).is_none(), "{cut}");
        }
        assert!(parse_collateral(&[good.as_slice(), &[0]].concat()).is_none());
        assert!(parse_collateral(&[&[0x98, 2], &good[1..]].concat()).is_none());
    }

    #[test]
    fn none_and_too_many_are_refused() {
        assert!(parse_devices(&encode_devices(&[])).is_none());
        assert!(parse_devices(&encode_devices(&[DEVICES[0]; MAX_DEVICES])).is_some());
        assert!(parse_devices(&encode_devices(&[DEVICES[0]; MAX_DEVICES + 1])).is_none());
        for (manifests, answers, reads) in [
            (MAX_MANIFESTS, MAX_ANSWERS, true),
            (MAX_MANIFESTS + 1, 0, false),
            (0, MAX_ANSWERS + 1, false),
        ] {
            let bytes = encode_collateral(&Collateral {
                manifests: vec![b"m"; manifests],
                revocation_answers: vec![b"a"; answers],
            });
            assert_eq!(parse_collateral(&bytes).is_some(), reads);
        }
        // A count of 2⁶⁴ − 1 reserves nothing.
        assert!(parse_devices(&[0x9B, 255, 255, 255, 255, 255, 255, 255, 255]).is_none());
    }

    proptest! {
        #[test]
        fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = parse_devices(&bytes);
            let _ = parse_collateral(&bytes);
        }
    }
}
