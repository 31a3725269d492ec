//! Claims of the realm token (RMM, section A7.2.3.1).

use serde::{Serialize, Serializer};
use serde_json::json;

use crate::arm::{Claim, ClaimError, by_label, hex_value, read_claims, required};
use crate::cose::cbor::{Key, Lengths, Reader};
use crate::identifiers::ReportData;
use crate::signature::{Hash, PublicKey};

/// What the realm management monitor says about a realm.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RealmClaims {
    pub(super) profile: Option<String>,
    pub(super) challenge: ReportData,
    pub(super) personalization: [u8; 64],
    pub(super) initial_measurement: Vec<u8>,
    pub(super) extensible_measurements: [Vec<u8>; 4],
    pub(super) hash_algorithm: String,
    /// The key in the encoding whose hash the platform signs.
    pub(super) public_key: Vec<u8>,
    pub(super) public_key_hash: Hash,
    instance_id: Option<[u8; 33]>,
    encryption_policy: Option<String>,
}

impl RealmClaims {
    pub(super) fn parse(payload: &[u8]) -> Result<Self, ClaimError> {
        let (mut profile, mut challenge, mut personalization, mut initial) =
            (None, None, None, None);
        let (mut extensible, mut algorithm, mut public_key, mut public_key_hash) =
            (None, None, None, None);
        let (mut instance_id, mut encryption_policy) = (None, None);
        read_claims(payload, |claim| {
            match claim.label {
                PROFILE => profile = Some(claim.text()?),
                CHALLENGE => challenge = Some(claim.fixed()?),
                PERSONALIZATION => personalization = Some(claim.fixed()?),
                INITIAL_MEASUREMENT => initial = Some(claim.digest()?.to_vec()),
                EXTENSIBLE_MEASUREMENTS => extensible = Some(read_measurements(claim)?),
                HASH_ALGORITHM => algorithm = Some(claim.text()?),
                PUBLIC_KEY => public_key = Some(claim.bytes()?),
                PUBLIC_KEY_HASH => public_key_hash = Some(read_hash(claim)?),
                INSTANCE_ID => instance_id = Some(claim.instance_id()?),
                ENCRYPTION_POLICY => encryption_policy = Some(read_policy(claim)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self {
            profile,
            challenge: required(challenge, CHALLENGE).map(ReportData::new)?,
            personalization: required(personalization, PERSONALIZATION)?,
            initial_measurement: required(initial, INITIAL_MEASUREMENT)?,
            extensible_measurements: required(extensible, EXTENSIBLE_MEASUREMENTS)?,
            hash_algorithm: required(algorithm, HASH_ALGORITHM)?,
            public_key: required(public_key, PUBLIC_KEY)?,
            public_key_hash: required(public_key_hash, PUBLIC_KEY_HASH)?,
            instance_id,
            encryption_policy,
        })
    }

    /// The 64 bytes the realm asked with.
    #[must_use]
    pub fn challenge(&self) -> &ReportData {
        &self.challenge
    }

    /// Digest of the realm's first memory and parameters (RIM).
    #[must_use]
    pub fn initial_measurement(&self) -> &[u8] {
        &self.initial_measurement
    }

    /// The measurements the realm itself extends (REM).
    #[must_use]
    pub fn extensible_measurements(&self) -> &[Vec<u8>; 4] {
        &self.extensible_measurements
    }

    /// The bytes whoever started the realm gave it (RPV).
    #[must_use]
    pub fn personalization(&self) -> &[u8; 64] {
        &self.personalization
    }

    /// The realm's key: a `COSE_Key`, or before profiles had names a bare point.
    pub(super) fn key(&self) -> Option<PublicKey> {
        if self.profile.is_some() {
            return read_cose_key(&self.public_key);
        }
        match self.public_key.len() {
            P256_POINT => PublicKey::p256(&self.public_key),
            P384_POINT => PublicKey::p384(&self.public_key),
            _ => None,
        }
    }

    pub(super) fn public_key_hash_name(&self) -> &'static str {
        match self.public_key_hash {
            Hash::Sha256 => "sha-256",
            Hash::Sha384 => "sha-384",
            Hash::Sha512 => "sha-512",
        }
    }
}

/// By label, as in the token; bytes in hexadecimal.
impl Serialize for RealmClaims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let measurements = self.extensible_measurements.iter().map(hex::encode);
        by_label(vec![
            (PROFILE, json!(self.profile)),
            (CHALLENGE, json!(self.challenge)),
            (PERSONALIZATION, hex_value(&self.personalization)),
            (INITIAL_MEASUREMENT, hex_value(&self.initial_measurement)),
            (
                EXTENSIBLE_MEASUREMENTS,
                json!(measurements.collect::<Vec<_>>()),
            ),
            (HASH_ALGORITHM, json!(self.hash_algorithm)),
            (PUBLIC_KEY, hex_value(&self.public_key)),
            (PUBLIC_KEY_HASH, json!(self.public_key_hash_name())),
            (INSTANCE_ID, json!(self.instance_id.map(hex::encode))),
            (ENCRYPTION_POLICY, json!(self.encryption_policy)),
        ])
        .serialize(serializer)
    }
}

fn read_measurements(claim: &mut Claim<'_, '_>) -> Result<[Vec<u8>; 4], ClaimError> {
    let label = claim.label;
    let mut measurements = Vec::new();
    claim.reader.array(Lengths::Definite, 4, |reader| {
        let digest = Claim { reader, label }.digest()?;
        measurements.push(digest.to_vec());
        Ok::<_, ClaimError>(())
    })?;
    let got = measurements.len();
    measurements
        .try_into()
        .map_err(|_| ClaimError::Length { label, got })
}

/// A hash function by its name in IANA's registry "Named Information Hash
/// Algorithms".
fn read_hash(claim: &mut Claim<'_, '_>) -> Result<Hash, ClaimError> {
    match claim.text()?.as_str() {
        "sha-256" => Ok(Hash::Sha256),
        "sha-384" => Ok(Hash::Sha384),
        "sha-512" => Ok(Hash::Sha512),
        _ => Err(ClaimError::Value { label: claim.label }),
    }
}

/// Drafts write a word, firmware a number.
fn read_policy(claim: &mut Claim<'_, '_>) -> Result<String, ClaimError> {
    if claim.reader.is_integer()? {
        Ok(claim.reader.unsigned()?.to_string())
    } else {
        claim.text()
    }
}

/// A `COSE_Key` with two coordinates (RFC 9053, section 7.1.1).
fn read_cose_key(bytes: &[u8]) -> Option<PublicKey> {
    let (mut kind, mut curve, mut x, mut y) = (None, None, None, None);
    let mut reader = Reader::new(bytes);
    reader
        .map(Lengths::Definite, 8, |reader, key| {
            match key {
                Key::Integer(1) => kind = Some(reader.integer()?),
                Key::Integer(-1) => curve = Some(reader.integer()?),
                Key::Integer(-2) => x = Some(reader.bytes(P384_COORDINATE)?),
                Key::Integer(-3) => y = Some(reader.bytes(P384_COORDINATE)?),
                _ => reader.skip()?,
            }
            Ok::<_, ClaimError>(())
        })
        .ok()?;
    reader.finish().ok()?;
    let (x, y) = (x?, y?);
    let point = [&[UNCOMPRESSED], x, y].concat();
    match (kind?, curve?, x.len(), y.len()) {
        (KEY_TYPE_EC2, CURVE_P256, P256_COORDINATE, P256_COORDINATE) => PublicKey::p256(&point),
        (KEY_TYPE_EC2, CURVE_P384, P384_COORDINATE, P384_COORDINATE) => PublicKey::p384(&point),
        _ => None,
    }
}

const CHALLENGE: i64 = 10;
const INSTANCE_ID: i64 = 256;
const PROFILE: i64 = 265;
const PERSONALIZATION: i64 = 44235;
const HASH_ALGORITHM: i64 = 44236;
const PUBLIC_KEY: i64 = 44237;
const INITIAL_MEASUREMENT: i64 = 44238;
const EXTENSIBLE_MEASUREMENTS: i64 = 44239;
const PUBLIC_KEY_HASH: i64 = 44240;
const ENCRYPTION_POLICY: i64 = 44243;

// RFC 9053, tables 17 and 18.
const KEY_TYPE_EC2: i64 = 2;
const CURVE_P256: i64 = 1;
const CURVE_P384: i64 = 2;

const P256_COORDINATE: usize = 32;
const P384_COORDINATE: usize = 48;
const P256_POINT: usize = 65;
const P384_POINT: usize = 97;
/// First byte of a point with both coordinates (SEC 1, section 2.3.3).
const UNCOMPRESSED: u8 = 4;
