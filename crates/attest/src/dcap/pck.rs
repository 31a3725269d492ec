//! What a PCK certificate says about its platform ("Intel SGX PCK Certificate and
//! CRL Profile Specification", section "SGX Extensions").

use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use der::{Decode, Reader, SliceReader};

use crate::x509::Certificate;

/// The SGX extension of a PCK certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Platform {
    pub(super) ppid: [u8; 16],
    /// Levels of the 16 components.
    pub(super) components: [u8; 16],
    pub(super) pce_svn: u16,
    pub(super) cpu_svn: [u8; 16],
    pub(super) pce_id: [u8; 2],
    pub(super) fmspc: [u8; 6],
    pub(super) flags: Option<PlatformFlags>,
}

/// Properties that only certificates of the Platform CA name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct PlatformFlags {
    pub(super) dynamic_platform: Option<bool>,
    pub(super) cached_keys: Option<bool>,
    pub(super) smt_enabled: Option<bool>,
}

impl Platform {
    /// Reads the extension; `None` if it is missing or malformed.
    pub(super) fn read(certificate: &Certificate) -> Option<Self> {
        let members = Members::read(certificate.extension(SGX_EXTENSION)?)?;
        let tcb = Members::of(members.find(TCB)?)?;
        let mut components = [0; 16];
        for (arc, component) in (1..).zip(components.iter_mut()) {
            *component = tcb.find(tcb_member(arc)?)?.decode_as().ok()?;
        }
        let flags = match members.find(CONFIGURATION) {
            None => None,
            Some(value) => Some(PlatformFlags::read(&Members::of(value)?)?),
        };
        Some(Self {
            ppid: octets(members.find(PPID)?)?,
            components,
            pce_svn: tcb.find(tcb_member(17)?)?.decode_as().ok()?,
            cpu_svn: octets(tcb.find(tcb_member(18)?)?)?,
            pce_id: octets(members.find(PCE_ID)?)?,
            fmspc: octets(members.find(FMSPC)?)?,
            flags,
        })
    }
}

impl PlatformFlags {
    fn read(members: &Members<'_>) -> Option<Self> {
        let flag = |oid| match members.find(oid) {
            None => Some(None),
            Some(value) => value.decode_as::<bool>().ok().map(Some),
        };
        Some(Self {
            dynamic_platform: flag(DYNAMIC_PLATFORM)?,
            cached_keys: flag(CACHED_KEYS)?,
            smt_enabled: flag(SMT_ENABLED)?,
        })
    }
}

/// `SEQUENCE OF SEQUENCE { identifier, value }`, each identifier once.
struct Members<'a>(Vec<(ObjectIdentifier, AnyRef<'a>)>);

impl<'a> Members<'a> {
    fn read(der: &'a [u8]) -> Option<Self> {
        Self::of(AnyRef::from_der(der).ok()?)
    }

    fn of(value: AnyRef<'a>) -> Option<Self> {
        if value.header().tag() != der::Tag::Sequence {
            return None;
        }
        let mut reader = SliceReader::new(value.value()).ok()?;
        let mut members: Vec<(ObjectIdentifier, AnyRef<'a>)> = Vec::new();
        while !reader.is_finished() {
            let member = reader
                .sequence(|inner| {
                    let oid = ObjectIdentifier::decode(inner)?;
                    Ok::<_, der::Error>((oid, AnyRef::decode(inner)?))
                })
                .ok()?;
            if members.len() == MAX_MEMBERS || members.iter().any(|(oid, _)| *oid == member.0) {
                return None;
            }
            members.push(member);
        }
        Some(Self(members))
    }

    fn find(&self, oid: ObjectIdentifier) -> Option<AnyRef<'a>> {
        let found = self.0.iter().find(|(other, _)| *other == oid)?;
        Some(found.1)
    }
}

fn octets<const N: usize>(value: AnyRef<'_>) -> Option<[u8; N]> {
    let octets: &OctetStringRef = value.decode_as().ok()?;
    octets.as_bytes().try_into().ok()
}

fn tcb_member(arc: u32) -> Option<ObjectIdentifier> {
    TCB.push_arc(arc).ok()
}

/// Far more than are specified.
const MAX_MEMBERS: usize = 32;

/// id-ce-sGXExtensions.
pub(super) const SGX_EXTENSION: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1");
const PPID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.1");
const TCB: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.2");
const PCE_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.3");
const FMSPC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.4");
const CONFIGURATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.7");
const DYNAMIC_PLATFORM: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.7.1");
const CACHED_KEYS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.7.2");
const SMT_ENABLED: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.7.3");
