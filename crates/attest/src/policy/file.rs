//! The policy file as it is written, and its way to a [`Policy`].

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    Boot, KeyConfigurationExpectations, NamedDigest, Platform, Policy, PolicyError, ReferenceValue,
    RequiredPart, WeakenedRule, Weakening, defaults, log,
};
use crate::identifiers::{BlockId, KeyDigest, Measurement, Sha256Digest};
use crate::snp::rules::{self, GuestRestriction, PlatformFeature, RevocationRule, Rules};
use crate::snp::{FirmwareVersion, Part, Product, Tcb};
use crate::{dcap, nitro, nvidia, tdx};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    version: u64,
    name: String,
    platforms: Vec<Platform>,
    #[serde(default)]
    measurements: Vec<MeasurementEntry>,
    #[serde(default)]
    boots: Vec<BootEntry>,
    #[serde(default)]
    weights: Vec<DigestEntry>,
    #[serde(default)]
    configurations: Vec<DigestEntry>,
    #[serde(default)]
    releases: Vec<DigestEntry>,
    #[serde(default)]
    machines: Vec<DigestEntry>,
    #[serde(default)]
    required: Vec<RequiredPart>,
    max_key_lifetime_seconds: Option<u64>,
    max_collateral_age_seconds: Option<u64>,
    #[serde(default)]
    sev_snp: SevSnp,
    #[serde(default)]
    aws_nitro: AwsNitro,
    #[serde(default)]
    intel_tdx: IntelTdx,
    #[serde(default)]
    nvidia: Nvidia,
    log: Option<log::Section>,
    #[serde(default)]
    weakened: Vec<Weakening>,
}

/// What is demanded of AWS Nitro documents beyond the defaults, which are strict.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct AwsNitro {
    maximum_age_seconds: Option<u64>,
}

impl AwsNitro {
    fn rules(&self) -> Result<nitro::Rules, PolicyError> {
        let age = self
            .maximum_age_seconds
            .unwrap_or(nitro::Rules::MAXIMUM_AGE);
        let what = "aws-nitro.maximum-age-seconds";
        check_range(what, age, 1, nitro::Rules::MAXIMUM_AGE)?;
        Ok(nitro::Rules::strict().maximum_age(Some(age)))
    }
}

/// What is demanded of Intel TDX quotes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the file")]
struct IntelTdx {
    #[serde(default)]
    accepted_advisories: Vec<AdvisoryEntry>,
    minimum_evaluation_number: Option<u32>,
    modules: Option<Vec<Measurement>>,
    #[serde(default)]
    require_event_log: bool,
    #[serde(default)]
    forbid_smt: bool,
    #[serde(default)]
    forbid_dynamic_platform: bool,
    #[serde(default)]
    forbid_cached_keys: bool,
}

impl IntelTdx {
    fn into_rules(self, loosened: &mut Vec<WeakenedRule>) -> Result<tdx::Rules, PolicyError> {
        let advisories: Vec<_> = self
            .accepted_advisories
            .iter()
            .map(|entry| entry.id.as_str())
            .collect();
        check_unique(&advisories)?;
        for entry in &self.accepted_advisories {
            check_text("advisory", &entry.id)?;
            check_text("reason", &entry.reason)?;
        }
        let least = dcap::TcbRules::EVALUATION_NUMBER;
        let number = self.minimum_evaluation_number.unwrap_or(least);
        loosened.extend((!advisories.is_empty()).then_some(WeakenedRule::Advisories));
        loosened.extend((number < least).then_some(WeakenedRule::TcbEvaluation));
        let mut tcb = dcap::TcbRules::strict()
            .accept_advisories(&advisories)
            .minimum_evaluation_number(number);
        if self.forbid_smt {
            tcb = tcb.forbid_smt();
        }
        if self.forbid_dynamic_platform {
            tcb = tcb.forbid_dynamic_platform();
        }
        if self.forbid_cached_keys {
            tcb = tcb.forbid_cached_keys();
        }
        let mut rules = tdx::Rules::strict().tcb(tcb);
        if self.require_event_log {
            rules = rules.event_log_required();
        }
        match self.modules {
            Some(modules) if modules.is_empty() => Err(PolicyError::Empty {
                list: "intel-tdx.modules",
            }),
            Some(modules) => Ok(rules.modules(modules)),
            None => Ok(rules),
        }
    }
}

/// An advisory that may concern the firmware, and why it is lived with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AdvisoryEntry {
    id: String,
    reason: String,
}

/// What is demanded of NVIDIA devices beyond the defaults, which are strict.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Nvidia {
    #[serde(default)]
    revocation: NvidiaRevocation,
    mode: Option<NvidiaMode>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum NvidiaRevocation {
    #[default]
    IfPresent,
    Required,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum NvidiaMode {
    MultiplePassthrough,
    ProtectedPcie,
    SinglePassthrough,
}

impl Nvidia {
    fn rules(&self) -> nvidia::Rules {
        let rules = nvidia::Rules::default().revocation(match self.revocation {
            NvidiaRevocation::IfPresent => nvidia::RevocationRule::IfPresent,
            NvidiaRevocation::Required => nvidia::RevocationRule::Required,
        });
        match self.mode {
            None => rules,
            Some(NvidiaMode::MultiplePassthrough) => rules.mode(nvidia::Mode::MultiplePassthrough),
            Some(NvidiaMode::ProtectedPcie) => rules.mode(nvidia::Mode::ProtectedPcie),
            Some(NvidiaMode::SinglePassthrough) => rules.mode(nvidia::Mode::SinglePassthrough),
        }
    }
}

/// Everything but name and platform is a register.
#[derive(Debug, Deserialize)]
struct MeasurementEntry {
    name: String,
    platform: Platform,
    #[serde(flatten)]
    registers: BTreeMap<String, Measurement>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BootEntry {
    name: String,
    pcr4: Sha256Digest,
    pcr9: Sha256Digest,
    pcr11: Sha256Digest,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct DigestEntry {
    name: String,
    sha256: Sha256Digest,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct SevSnp {
    products: Option<Vec<Product>>,
    vmpl: Option<u32>,
    #[serde(default)]
    revocation: RevocationRule,
    #[serde(default)]
    allow_provisional_firmware: bool,
    #[serde(default)]
    allow_cxl: bool,
    require_alias_check: Option<bool>,
    #[serde(default)]
    require_machine_identity: bool,
    #[serde(default)]
    guest_restrictions: Vec<GuestRestriction>,
    #[serde(default)]
    platform_features: Vec<PlatformFeature>,
    minimum_abi: Option<[u8; 2]>,
    minimum_firmware: Option<[u8; 3]>,
    minimum_guest_svn: Option<u32>,
    family_id: Option<BlockId>,
    image_id: Option<BlockId>,
    host_data: Option<Sha256Digest>,
    id_key_digests: Option<Vec<KeyDigest>>,
    author_key_digests: Option<Vec<KeyDigest>>,
    mitigations: Option<u32>,
    #[serde(default)]
    tcb_floors: Vec<Floor>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Floor {
    part: Part,
    /// Date of the value, for people; it is not compared with anything.
    as_of: String,
    fmc: Option<u8>,
    bootloader: u8,
    tee: u8,
    snp: u8,
    microcode: u8,
}

impl Floor {
    fn tcb(&self) -> Result<Tcb, PolicyError> {
        let needs_fmc = self.part.product() == Product::Turin;
        if self.fmc.is_some() != needs_fmc {
            return Err(PolicyError::FloorComponents { part: self.part });
        }
        check_text("as-of", &self.as_of)?;
        Ok(Tcb {
            fmc: self.fmc,
            bootloader: self.bootloader,
            tee: self.tee,
            snp: self.snp,
            microcode: self.microcode,
        })
    }
}

impl File {
    pub(super) fn into_policy(self) -> Result<Policy, PolicyError> {
        if self.version != defaults::VERSION {
            return Err(PolicyError::Version { got: self.version });
        }
        check_text("name", &self.name)?;
        if self.platforms.is_empty() {
            return Err(PolicyError::Empty { list: "platforms" });
        }
        let mut loosened = Vec::new();
        let max_lifetime_seconds = max_key_lifetime(self.max_key_lifetime_seconds)?;
        if let Some(age) = self.max_collateral_age_seconds {
            let most = defaults::LONGEST_COLLATERAL_AGE_SECONDS;
            check_range("max-collateral-age-seconds", age, 1, most)?;
        }
        let snp = self.sev_snp.into_rules(&mut loosened)?;
        let tdx = self.intel_tdx.into_rules(&mut loosened)?;
        check_statements(&loosened, &self.weakened)?;
        if self.log.is_some() && !self.releases.is_empty() {
            return Err(PolicyError::ReleasesBesideLog);
        }
        Ok(Policy {
            name: self.name,
            platforms: self.platforms,
            measurements: measurements(self.measurements)?,
            boots: boots(self.boots)?,
            expectations: KeyConfigurationExpectations {
                weights: named_digests(self.weights)?,
                configurations: named_digests(self.configurations)?,
                releases: named_digests(self.releases)?,
                max_lifetime_seconds,
            },
            machines: named_digests(self.machines)?,
            required_parts: self.required,
            max_collateral_age: self.max_collateral_age_seconds,
            snp,
            nitro: self.aws_nitro.rules()?,
            nvidia: self.nvidia.rules(),
            log: self.log.map(log::Section::into_rules).transpose()?,
            tdx,
            weakened: self.weakened,
        })
    }
}

impl SevSnp {
    /// Fills in the defaults and notes in `loosened` what is below them.
    fn into_rules(self, loosened: &mut Vec<WeakenedRule>) -> Result<Rules, PolicyError> {
        let floors = floors(&self.tcb_floors, loosened)?;
        let products = products(self.products, loosened)?;
        let vmpl = self.vmpl.unwrap_or(defaults::VMPL);
        check_range("vmpl", vmpl.into(), 0, defaults::HIGHEST_VMPL.into())?;
        let require_alias_check = self.require_alias_check.unwrap_or(true);
        for (rule, is_loosened) in [
            (WeakenedRule::AliasCheck, !require_alias_check),
            (WeakenedRule::Cxl, self.allow_cxl),
            (
                WeakenedRule::ProvisionalFirmware,
                self.allow_provisional_firmware,
            ),
            (
                WeakenedRule::StaleRevocation,
                self.revocation == RevocationRule::StaleTolerated,
            ),
            (WeakenedRule::Vmpl, vmpl != defaults::VMPL),
        ] {
            loosened.extend(is_loosened.then_some(rule));
        }
        Ok(Rules {
            products,
            floors,
            vmpl: vmpl..=vmpl,
            revocation: self.revocation,
            allow_provisional_firmware: self.allow_provisional_firmware,
            allow_cxl: self.allow_cxl,
            require_alias_check,
            require_machine_identity: self.require_machine_identity,
            guest_restrictions: self.guest_restrictions,
            platform_features: self.platform_features,
            minimum_abi: self
                .minimum_abi
                .map_or((0, 0), |[major, minor]| (major, minor)),
            minimum_firmware: self
                .minimum_firmware
                .map(|[major, minor, build]| FirmwareVersion {
                    major,
                    minor,
                    build,
                }),
            minimum_guest_svn: self.minimum_guest_svn,
            family_id: self.family_id,
            image_id: self.image_id,
            host_data: self.host_data,
            id_key_digests: key_digests("id-key-digests", self.id_key_digests)?,
            author_key_digests: key_digests("author-key-digests", self.author_key_digests)?,
            mitigations: self.mitigations.map(u64::from),
        })
    }
}

/// No key lives longer than the default (spec/channel.md, section 1), so a policy
/// can only ask for less.
fn max_key_lifetime(seconds: Option<u64>) -> Result<u64, PolicyError> {
    let longest = defaults::MAX_KEY_LIFETIME_SECONDS;
    let seconds = seconds.unwrap_or(longest);
    check_range("max-key-lifetime-seconds", seconds, 1, longest)?;
    Ok(seconds)
}

fn products(
    listed: Option<Vec<Product>>,
    loosened: &mut Vec<WeakenedRule>,
) -> Result<Vec<Product>, PolicyError> {
    let products = listed.unwrap_or_else(|| defaults::PRODUCTS.to_vec());
    if products.is_empty() {
        return Err(PolicyError::Empty {
            list: "sev-snp.products",
        });
    }
    check_unique(&products)?;
    let is_loosened = products.contains(&Product::Milan);
    loosened.extend(is_loosened.then_some(WeakenedRule::ProductMilan));
    Ok(products)
}

/// The defaults, each replaced by the file's value if there is one.
fn floors(
    listed: &[Floor],
    loosened: &mut Vec<WeakenedRule>,
) -> Result<Vec<rules::Floor>, PolicyError> {
    check_unique(&listed.iter().map(|floor| floor.part).collect::<Vec<_>>())?;
    let mut is_loosened = false;
    let mut floors = defaults::floors();
    for listed in listed {
        let tcb = listed.tcb()?;
        for floor in floors.iter_mut().filter(|floor| floor.part == listed.part) {
            is_loosened |= !tcb.is_at_least(&floor.tcb);
            floor.tcb = tcb;
            floor.as_of.clone_from(&listed.as_of);
        }
    }
    loosened.extend(is_loosened.then_some(WeakenedRule::TcbFloor));
    Ok(floors)
}

/// Every loosened rule must be stated, and nothing else.
fn check_statements(loosened: &[WeakenedRule], stated: &[Weakening]) -> Result<(), PolicyError> {
    let rules: Vec<_> = stated.iter().map(Weakening::rule).collect();
    check_unique(&rules)?;
    for weakening in stated {
        check_text("reason", weakening.reason())?;
    }
    if let Some(&rule) = loosened.iter().find(|rule| !rules.contains(rule)) {
        return Err(PolicyError::NotStated { rule });
    }
    if let Some(&rule) = rules.iter().find(|rule| !loosened.contains(rule)) {
        return Err(PolicyError::StatedInVain { rule });
    }
    Ok(())
}

fn measurements(entries: Vec<MeasurementEntry>) -> Result<Vec<ReferenceValue>, PolicyError> {
    let references: Vec<ReferenceValue> = entries
        .into_iter()
        .map(MeasurementEntry::into_reference)
        .collect::<Result<_, _>>()?;
    let values: Vec<_> = references
        .iter()
        .map(|reference| (reference.platform, &reference.registers))
        .collect();
    check_unique(&values)?;
    Ok(references)
}

impl MeasurementEntry {
    fn into_reference(self) -> Result<ReferenceValue, PolicyError> {
        check_text("name", &self.name)?;
        ReferenceValue::of_registers(self.name, self.platform, self.registers)
    }
}

impl ReferenceValue {
    /// A reference value with exactly the registers of its platform.
    pub(super) fn of_registers(
        name: String,
        platform: Platform,
        mut values: BTreeMap<String, Measurement>,
    ) -> Result<Self, PolicyError> {
        let got: Vec<String> = values.keys().cloned().collect();
        let expected = platform.registers();
        let registers: Vec<Measurement> = expected
            .iter()
            .filter_map(|&name| values.remove(name))
            .collect();
        // What a TPM alone saw start is listed under `[[boots]]`.
        let is_listed_here = !expected.is_empty();
        if !is_listed_here || registers.len() != expected.len() || !values.is_empty() {
            return Err(PolicyError::Registers { platform, got });
        }
        // A run-time register that nothing was measured into is zero.
        let measured_at_launch = expected
            .iter()
            .zip(&registers)
            .filter(|(name, _)| !name.starts_with("rtmr"));
        if measured_at_launch
            .into_iter()
            .any(|(_, value)| value.is_zero())
        {
            return Err(PolicyError::ZeroMeasurement);
        }
        Ok(Self {
            name,
            platform,
            registers,
        })
    }
}

fn boots(entries: Vec<BootEntry>) -> Result<Vec<Boot>, PolicyError> {
    let mut boots = Vec::new();
    for entry in entries {
        check_text("name", &entry.name)?;
        let registers = [entry.pcr4, entry.pcr9, entry.pcr11];
        if registers.iter().any(Sha256Digest::is_zero) {
            return Err(PolicyError::ZeroMeasurement);
        }
        boots.push(Boot {
            name: entry.name,
            registers,
        });
    }
    check_unique(&boots.iter().map(|boot| boot.registers).collect::<Vec<_>>())?;
    Ok(boots)
}

fn named_digests(entries: Vec<DigestEntry>) -> Result<Vec<NamedDigest>, PolicyError> {
    check_unique(&entries.iter().map(|entry| entry.sha256).collect::<Vec<_>>())?;
    for entry in &entries {
        check_text("name", &entry.name)?;
    }
    Ok(entries
        .into_iter()
        .map(|entry| NamedDigest {
            name: entry.name,
            digest: entry.sha256,
        })
        .collect())
}

/// A list of keys may be left out, not left empty: empty could be read as "any".
/// Zero is what a report says where no key signed anything (AMD 56860, `ID_KEY_DIGEST`).
fn key_digests(
    list: &'static str,
    digests: Option<Vec<KeyDigest>>,
) -> Result<Vec<KeyDigest>, PolicyError> {
    match digests {
        Some(digests) if digests.is_empty() => Err(PolicyError::Empty { list }),
        Some(digests) if digests.iter().any(KeyDigest::is_zero) => {
            Err(PolicyError::ZeroKeyDigest { list })
        }
        Some(digests) => check_unique(&digests).map(|()| digests),
        None => Ok(Vec::new()),
    }
}

fn check_unique<T: PartialEq + core::fmt::Debug>(values: &[T]) -> Result<(), PolicyError> {
    for (at, value) in values.iter().enumerate() {
        if values.iter().take(at).any(|other| other == value) {
            return Err(PolicyError::Duplicate {
                what: format!("{value:?}"),
            });
        }
    }
    Ok(())
}

fn check_text(what: &'static str, text: &str) -> Result<(), PolicyError> {
    let right = !text.trim().is_empty() && text.chars().count() <= defaults::MAX_TEXT_CHARS;
    right.then_some(()).ok_or(PolicyError::Text { what })
}

pub(super) fn check_range(
    what: &'static str,
    got: u64,
    least: u64,
    most: u64,
) -> Result<(), PolicyError> {
    if (least..=most).contains(&got) {
        Ok(())
    } else {
        Err(PolicyError::Range {
            what,
            got,
            least,
            most,
        })
    }
}
