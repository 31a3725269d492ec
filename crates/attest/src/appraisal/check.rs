//! The checks, in the order in which they run, and what came of them.

use super::{Code, Gap};
use crate::time::UnixSeconds;

macro_rules! checks {
    ($($group:ident {
        $($name:ident = $text:literal, $need:ident, $question:literal;)*
    })*) => {
        /// One check of an appraisal.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub(crate) enum Check {
            $($($name,)*)*
        }

        impl Check {
            /// Every check, in order.
            pub(crate) const ALL: &[Self] = &[$($(Self::$name,)*)*];

            /// Stable name.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $($(Self::$name => $text,)*)*
                }
            }

            /// What the check asks; a pass answers yes.
            pub(crate) const fn question(self) -> &'static str {
                match self {
                    $($(Self::$name => $question,)*)*
                }
            }

            /// What the check is about.
            pub(crate) const fn group(self) -> Group {
                match self {
                    $($(Self::$name => Group::$group,)*)*
                }
            }

            pub(crate) const fn need(self) -> Need {
                match self {
                    $($(Self::$name => Need::$need,)*)*
                }
            }
        }
    };
}

/// What a check is about. An appraisal has the checks of the groups it expects;
/// those of other groups play no part in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Group {
    /// Azure confidential VMs.
    Azure,
    /// What a TPM saw start.
    Boot,
    /// A bundle as a whole.
    Bundle,
    /// Arm CCA.
    Cca,
    /// What Intel TDX and SGX share: quotes and Intel's collateral.
    Dcap,
    /// What the log says about a bundle, where the policy names a log.
    Log,
    /// AWS Nitro Enclaves.
    Nitro,
    /// NVIDIA GPUs and switches.
    Nvidia,
    /// The certificates of NVIDIA devices.
    NvidiaCertificates,
    /// NVIDIA's reference manifests.
    NvidiaManifests,
    /// Arm PSA.
    Psa,
    /// Intel SGX.
    Sgx,
    /// AMD SEV-SNP.
    Snp,
    /// Intel TDX.
    Tdx,
    /// Quotes of a TPM 2.0.
    Tpm,
    /// The certificates of a TPM's attestation key.
    TpmCertificates,
}

/// What may become of a check that does not run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Need {
    /// It must run and pass.
    Required,
    /// It may be replaced by a named gap.
    GapAllowed,
    /// It runs only if the policy asks for it.
    WhenAsked,
}

checks! {
    Bundle {
        PlatformAllowed = "platform-allowed", Required, "does the policy allow this platform?";
        ReferenceValues = "reference-values", Required, "does the policy say what to compare with?";
    }

    Snp {
        ReportFormat = "report-format", Required, "is the report well formed?";
        CertificateChain = "certificate-chain", Required, "do the certificates lead to a pinned root?";
        Revocation = "revocation", GapAllowed, "is no certificate revoked?";
        ReportSignature = "report-signature", Required, "did the endorsed key sign the report?";
        SigningKey = "signing-key", Required, "is it the kind of key the report names?";
        Product = "product", Required, "do report and certificate name the same processor?";
        ProductAllowed = "product-allowed", Required, "does the policy allow this processor?";
        ChipIdentity = "chip-identity", GapAllowed, "is it the chip the certificate names?";
        EndorsedTcb = "endorsed-tcb", Required, "is it the firmware level the certificate names?";
        TcbOrder = "tcb-order", Required, "are the firmware levels consistent?";
        TcbReported = "tcb-floor-reported", Required, "is the reported firmware recent enough?";
        TcbCommitted = "tcb-floor-committed", Required, "can the host not go back to older firmware?";
        TcbCurrent = "tcb-floor-current", Required, "is the running firmware recent enough?";
        TcbLaunch = "tcb-floor-launch", Required, "was the guest started on recent firmware?";
        FirmwareCommitted = "firmware-committed", GapAllowed, "is the running firmware committed?";
        MinimumFirmware = "minimum-firmware", WhenAsked, "is the firmware version high enough?";
        Mitigations = "mitigations", WhenAsked, "are the demanded mitigations active?";
        MemoryAliases = "alias-check", GapAllowed, "has the host checked memory for aliases?";
        PlatformFeatures = "platform-features", WhenAsked, "does the host have the demanded features?";
        GuestPolicyFormat = "guest-policy-format", Required, "is the guest policy well formed?";
        GuestDebug = "guest-debug", Required, "is debugging forbidden?";
        GuestMigration = "guest-migration", Required, "is there no migration agent?";
        GuestCxl = "guest-cxl", GapAllowed, "is CXL memory forbidden?";
        GuestAbi = "guest-abi", Required, "is the firmware interface recent enough?";
        GuestRestrictions = "guest-restrictions", WhenAsked, "does the guest policy have the demanded restrictions?";
        Vmpl = "vmpl", Required, "did the guest ask for the report, at the right level?";
        GuestSvn = "guest-svn", WhenAsked, "is the guest's security version high enough?";
        FamilyId = "family-id", WhenAsked, "is it the demanded family?";
        ImageId = "image-id", WhenAsked, "is it the demanded image?";
        IdKey = "id-key", WhenAsked, "did an allowed key sign the identity block?";
        AuthorKey = "author-key", WhenAsked, "did an allowed key certify the identity key?";
        HostData = "host-data", WhenAsked, "is it the demanded host data?";
    }

    Nvidia {
        GpuReportFormat = "gpu-report-format", Required, "is the device's report well formed?";
    }

    NvidiaCertificates {
        GpuCertificateChain = "gpu-certificate-chain", Required, "do the device's certificates lead to a pinned root?";
    }

    Nvidia {
        GpuRevocation = "gpu-revocation", GapAllowed, "is no certificate of the device or its manifests revoked?";
        GpuReportSignature = "gpu-report-signature", Required, "did the endorsed key sign the device's report?";
        GpuNonce = "gpu-nonce", GapAllowed, "did the device sign the expected nonce?";
        GpuArchitecture = "gpu-architecture", Required, "is it the kind of device it is presented as?";
        GpuFirmwareId = "gpu-firmware-id", GapAllowed, "is it the firmware the certificate names?";
        GpuMode = "gpu-mode", Required, "is the device in an accepted mode?";
    }

    NvidiaManifests {
        GpuManifest = "gpu-manifest", GapAllowed, "are the reference manifests NVIDIA's?";
    }

    Nvidia {
        GpuManifestMatch = "gpu-manifest-match", GapAllowed, "are the manifests for this driver and firmware?";
        GpuMeasurements = "gpu-measurements", GapAllowed, "are the measurements those of the manifests?";
        GpuFabric = "gpu-fabric", GapAllowed, "do GPUs and switches belong together?";
    }

    Cca {
        CcaFormat = "cca-format", Required, "is the token well formed?";
        CcaProfile = "cca-profile", Required, "are the token's profiles accepted?";
        CcaPlatformKey = "cca-platform-key", Required, "is a key endorsed for this platform?";
        CcaPlatformSignature = "cca-platform-signature", Required, "did that key sign the platform token?";
        CcaLifecycle = "cca-lifecycle", Required, "is the platform in its secured state?";
        CcaComponents = "cca-components", GapAllowed, "is the platform's software among the accepted?";
        CcaRealmKey = "cca-realm-key", Required, "does the platform vouch for the realm's key?";
        CcaRealmSignature = "cca-realm-signature", Required, "did that key sign the realm token?";
        CcaChallenge = "cca-challenge", WhenAsked, "is it the demanded challenge?";
        CcaInitialMeasurement = "cca-initial-measurement", WhenAsked, "is it a demanded realm?";
        CcaExtensibleMeasurements = "cca-extensible-measurements", WhenAsked, "are they the demanded measurements?";
        CcaPersonalization = "cca-personalization", WhenAsked, "is it the demanded personalization value?";
    }

    Psa {
        PsaFormat = "psa-format", Required, "is the token well formed?";
        PsaProfile = "psa-profile", Required, "is the token's profile accepted?";
        PsaKey = "psa-key", Required, "is a key endorsed for this device?";
        PsaSignature = "psa-signature", Required, "did that key sign the token?";
        PsaLifecycle = "psa-lifecycle", Required, "is the device in its secured state?";
        PsaComponents = "psa-components", GapAllowed, "is the device's software among the accepted?";
        PsaHost = "psa-host", GapAllowed, "does the token exclude the device's owner?";
        PsaNonce = "psa-nonce", WhenAsked, "is it the demanded nonce?";
        PsaBootSeed = "psa-boot-seed", WhenAsked, "is it the demanded start of the device?";
    }

    Nitro {
        NitroFormat = "nitro-format", Required, "is the document well formed?";
        NitroChain = "nitro-certificate-chain", Required, "do the certificates lead to the pinned root?";
        NitroSignature = "nitro-signature", Required, "did the certified key sign the document?";
        NitroTime = "nitro-time", Required, "was the document made just now?";
        NitroDebug = "nitro-debug", Required, "is debug mode off?";
        NitroMachine = "nitro-machine", GapAllowed, "does the document name the machine?";
        NitroRegisters = "nitro-registers", WhenAsked, "do the registers hold demanded values?";
        NitroNonce = "nitro-nonce", WhenAsked, "is it the demanded nonce?";
        NitroUserData = "nitro-user-data", WhenAsked, "is it the demanded user data?";
        NitroPublicKey = "nitro-public-key", WhenAsked, "is it the demanded public key?";
        NitroModule = "nitro-module", WhenAsked, "is it the demanded enclave?";
    }

    Azure {
        AzureReportFormat = "azure-report-format", Required, "is the paravisor's report well formed?";
        AzureRuntimeData = "azure-runtime-data", Required, "does the paravisor name one attestation key?";
        AzureBinding = "azure-binding", Required, "is the hardware report bound to what the paravisor says?";
        AzureHardware = "azure-hardware", GapAllowed, "is the hardware report verified?";
        AzureParavisor = "azure-paravisor", GapAllowed, "is it a paravisor that is accepted?";
        AzureQuote = "azure-quote", GapAllowed, "did the virtual TPM that the paravisor names make a quote?";
        AzureUserData = "azure-user-data", WhenAsked, "is it the demanded user data?";
        AzureSecureBoot = "azure-secure-boot", WhenAsked, "does the paravisor say that Secure Boot is on?";
    }

    Tpm {
        TpmQuoteFormat = "tpm-quote-format", Required, "is the quote well formed?";
        TpmKeyFormat = "tpm-key-format", Required, "is the attestation key well formed?";
        TpmSignature = "tpm-signature", Required, "did the attestation key sign the quote?";
        TpmKeyAttributes = "tpm-key-attributes", GapAllowed, "does the attestation key sign only what its TPM made?";
    }

    TpmCertificates {
        TpmKeyCertificate = "tpm-key-certificate", GapAllowed, "does a pinned root certify the attestation key?";
        TpmKeyRevocation = "tpm-key-revocation", GapAllowed, "is none of its certificates revoked?";
    }

    Tpm {
        TpmNonce = "tpm-nonce", GapAllowed, "was the quote made for the expected nonce?";
        TpmPcrBank = "tpm-pcr-bank", Required, "does the quote cover one accepted bank of registers?";
        TpmPcrSelection = "tpm-pcr-selection", Required, "does the quote cover the registers it must?";
        TpmPcrDigest = "tpm-pcr-digest", GapAllowed, "are the registers' values those that were quoted?";
        TpmPcrValues = "tpm-pcr-values", WhenAsked, "do the registers hold accepted values?";
        TpmEventLog = "tpm-event-log", WhenAsked, "does the event log give the quoted registers?";
    }

    Dcap {
        QuoteFormat = "quote-format", Required, "is the quote well formed?";
        QuoteCertificates = "quote-certificates", Required, "do the platform's certificates lead to a pinned root?";
        AttestationKey = "attestation-key", Required, "did the platform's key endorse the attestation key?";
        QuoteSignature = "quote-signature", Required, "did the attestation key sign the quote?";
        TcbInfo = "tcb-info", Required, "is the TCB info the vendor's, in date and for this platform?";
        QeIdentity = "qe-identity", Required, "is the quoting enclave's identity the vendor's and in date?";
        PlatformRevocation = "platform-revocation", Required, "is no certificate of platform or collateral revoked?";
        TcbEvaluation = "tcb-evaluation", Required, "is the collateral of one issue, and recent enough?";
        QuotingEnclave = "quoting-enclave", Required, "is it the vendor's quoting enclave?";
    }

    Tdx {
        QuotedTd = "quoted-td", Required, "is the quote about a trust domain?";
        TdxModule = "tdx-module", Required, "is it the vendor's TDX module?";
    }

    Sgx {
        QuotedEnclave = "quoted-enclave", Required, "is the quote about an enclave?";
    }

    Dcap {
        TcbStatus = "tcb-status", GapAllowed, "is the firmware up to date?";
        TcbAdvisories = "tcb-advisories", Required, "does no advisory concern the firmware but allowed ones?";
        PlatformConfiguration = "platform-configuration", WhenAsked, "is the platform configured as demanded?";
    }

    Tdx {
        TdAttributes = "td-attributes", Required, "are the attributes of the trust domain well formed and allowed?";
        TdDebug = "td-debug", Required, "is debugging of the trust domain forbidden?";
        TdMigration = "td-migration", Required, "can the trust domain not be migrated?";
        TdSeptVe = "td-sept-ve", GapAllowed, "are faults about memory kept from the guest?";
        TdXfam = "td-xfam", Required, "are the processor features of the trust domain well formed?";
        TdService = "td-service", GapAllowed, "is no service trust domain bound?";
        TdModuleMeasurement = "td-module-measurement", WhenAsked, "is it an allowed TDX module?";
        TdRegisters = "td-registers", WhenAsked, "do the run-time registers have the demanded values?";
        TdEventLog = "td-event-log", WhenAsked, "does the event log give the run-time registers?";
        TdIdentity = "td-identity", WhenAsked, "are configuration and owner the demanded ones?";
    }

    Sgx {
        EnclaveDebug = "enclave-debug", Required, "is debugging of the enclave forbidden?";
        EnclaveAttributes = "enclave-attributes", Required, "are the attributes of the enclave well formed and allowed?";
        EnclaveProvisionKey = "enclave-provision-key", GapAllowed, "is the provisioning key kept from the enclave?";
        EnclaveMeasurement = "enclave-measurement", WhenAsked, "is it an allowed enclave?";
        EnclaveSigner = "enclave-signer", WhenAsked, "did an allowed key sign the enclave?";
        EnclaveProduct = "enclave-product", WhenAsked, "is it the demanded product?";
        EnclaveSvn = "enclave-svn", WhenAsked, "is the enclave's security version high enough?";
        EnclaveConfiguration = "enclave-configuration", WhenAsked, "are configuration and family the demanded ones?";
    }

    Boot {
        BootMeasurement = "boot-measurement", GapAllowed, "did the TPM see an image start that the policy lists?";
    }

    Bundle {
        Measurement = "measurement", Required, "is it a program the policy lists?";
        CollateralAge = "collateral-age", WhenAsked, "is all collateral younger than the policy asks?";
        MachineAllowed = "machine-allowed", WhenAsked, "is it a machine the policy lists?";
        ReportData = "report-data", Required, "is the report bound to this key configuration?";
        Checkpoint = "checkpoint", GapAllowed, "is the report bound to a verified log checkpoint?";
        TpmEvidence = "tpm-evidence", WhenAsked, "is the TPM beside the processor verified?";
        GpuEvidence = "gpu-evidence", GapAllowed, "are the graphics processors verified?";
        ReleaseLogged = "release-logged", GapAllowed, "does the public log hold the release?";
        MachineAdmitted = "machine-admitted", GapAllowed, "does the public log admit the machine?";
    }

    Log {
        DirectoryLogged = "directory-logged", GapAllowed, "does the public log hold the directory with this node?";
        LogHistory = "log-history", GapAllowed, "does the log continue what this device has seen of it?";
    }

    Bundle {
        ExcludesHost = "excludes-host", Required, "does the evidence exclude the operator of the host?";
    }
}

/// What came of one check.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    pub(super) check: Check,
    pub(super) outcome: Outcome,
    pub(super) expected: Option<String>,
    pub(super) actual: Option<String>,
}

impl Row {
    /// Stable name of the check.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.check.name()
    }

    /// What the check asked.
    #[must_use]
    pub fn question(&self) -> &'static str {
        self.check.question()
    }

    /// What came of it.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// What would have passed, where that can be said.
    #[must_use]
    pub fn expected(&self) -> Option<&str> {
        self.expected.as_deref()
    }

    /// What was found.
    #[must_use]
    pub fn actual(&self) -> Option<&str> {
        self.actual.as_deref()
    }
}

/// Outcome of a check.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// The check ran, and the answer is no.
    Fail {
        /// Why.
        code: Code,
    },
    /// The check did not run. This is never a pass.
    NotRun {
        /// Why not.
        why: NotRun,
    },
    /// The check ran, and the answer is yes.
    Pass,
}

/// Why a check did not run.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum NotRun {
    /// Something is missing; the verdict names it.
    Gap(Gap),
    /// An earlier check failed, so there was nothing to look at.
    NotReached,
    /// The platform is simulated, so the question has no answer.
    Simulated,
}

/// Collects rows while the checks run.
#[derive(Debug)]
pub(crate) struct Recorder {
    groups: Vec<Group>,
    rows: Vec<Row>,
    oldest_collateral: Option<UnixSeconds>,
}

impl Recorder {
    /// For an appraisal with the checks of these groups.
    pub(crate) fn new(groups: &[Group]) -> Self {
        Self {
            groups: groups.to_vec(),
            rows: Vec::new(),
            oldest_collateral: None,
        }
    }

    /// Notes when a piece of collateral was issued that counts in this appraisal.
    pub(crate) fn collateral_issued(&mut self, at: UnixSeconds) {
        let oldest = self.oldest_collateral.map_or(at, |oldest| oldest.min(at));
        self.oldest_collateral = Some(oldest);
    }

    /// When the oldest piece of collateral was issued, if one with a date counts.
    pub(crate) fn oldest_collateral(&self) -> Option<UnixSeconds> {
        self.oldest_collateral
    }

    /// Adds the checks of further groups to the appraisal.
    pub(crate) fn expect(&mut self, groups: &[Group]) {
        for group in groups {
            if !self.groups.contains(group) {
                self.groups.push(*group);
            }
        }
    }

    /// Whether a check of one of these groups has failed.
    pub(crate) fn any_failed(&self, groups: &[Group]) -> bool {
        self.rows.iter().any(|row| {
            groups.contains(&row.check.group()) && matches!(row.outcome, Outcome::Fail { .. })
        })
    }

    pub(crate) fn pass(&mut self, check: Check, actual: impl Into<String>) {
        self.push(check, Outcome::Pass, None, Some(actual.into()));
    }

    pub(crate) fn fail(&mut self, check: Check, code: Code, actual: impl Into<String>) {
        self.push(check, Outcome::Fail { code }, None, Some(actual.into()));
    }

    pub(crate) fn gap(&mut self, check: Check, gap: Gap) {
        let why = NotRun::Gap(gap);
        self.push(check, Outcome::NotRun { why }, None, None);
    }

    pub(crate) fn simulated(&mut self, check: Check) {
        let why = NotRun::Simulated;
        self.push(check, Outcome::NotRun { why }, None, None);
    }

    /// Records a pass if `holds`, else a failure with `code`.
    pub(crate) fn compare(
        &mut self,
        check: Check,
        holds: bool,
        code: Code,
        expected: impl Into<String>,
        actual: impl Into<String>,
    ) {
        let outcome = if holds {
            Outcome::Pass
        } else {
            Outcome::Fail { code }
        };
        self.push(check, outcome, Some(expected.into()), Some(actual.into()));
    }

    pub(crate) fn passed(&self, check: Check) -> bool {
        self.rows
            .iter()
            .any(|row| row.check == check && row.outcome == Outcome::Pass)
    }

    /// The groups and the rows in order. A check of one of the groups that has no
    /// row was not reached, unless nobody asked for it.
    pub(crate) fn finish(mut self) -> (Vec<Group>, Vec<Row>) {
        let mut rows = Vec::new();
        for &check in Check::ALL {
            let before = rows.len();
            let (of_check, others) = self.rows.into_iter().partition(|row| row.check == check);
            self.rows = others;
            rows.extend::<Vec<Row>>(of_check);
            let is_expected =
                self.groups.contains(&check.group()) && check.need() != Need::WhenAsked;
            if rows.len() == before && is_expected {
                rows.push(Row {
                    check,
                    outcome: Outcome::NotRun {
                        why: NotRun::NotReached,
                    },
                    expected: None,
                    actual: None,
                });
            }
        }
        (self.groups, rows)
    }

    fn push(
        &mut self,
        check: Check,
        outcome: Outcome,
        expected: Option<String>,
        actual: Option<String>,
    ) {
        self.rows.push(Row {
            check,
            outcome,
            expected,
            actual,
        });
    }
}
