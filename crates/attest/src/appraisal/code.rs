//! Why evidence was refused, as stable codes: `spec/verdicts.md`.

use core::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Reason for a refusal. Programs may depend on the text of a code; a
        /// code never changes its meaning.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// Every code, in alphabetical order.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code as it is written.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

codes! {
    /// An advisory concerns the firmware that the policy does not allow.
    AdvisoryNotAllowed = "advisory-not-allowed",
    /// The host has not finished checking memory for aliases.
    AliasCheckIncomplete = "alias-check-incomplete",
    /// The attestation key is not the one that is certified or named.
    AttestationKeyMismatch = "attestation-key-mismatch",
    /// The platform did not endorse the key that signed the quote.
    AttestationKeyNotEndorsed = "attestation-key-not-endorsed",
    /// The attestation key may leave its TPM, or sign what no TPM made.
    AttestationKeyNotRestricted = "attestation-key-not-restricted",
    /// The digest of the author key is not one the policy lists.
    AuthorKeyNotAllowed = "author-key-not-allowed",
    /// The bytes are not an evidence bundle.
    BundleMalformed = "bundle-malformed",
    /// A certificate is past its validity.
    CertificateExpired = "certificate-expired",
    /// A certificate does not have the form the vendor specifies.
    CertificateMalformed = "certificate-malformed",
    /// A certificate is not valid yet.
    CertificateNotYetValid = "certificate-not-yet-valid",
    /// A certificate does not come from the certificate above it.
    CertificateSignature = "certificate-signature",
    /// A checkpoint of the log was cosigned later than now.
    CheckpointFromFuture = "checkpoint-from-future",
    /// A checkpoint of the log does not have the form of one.
    CheckpointMalformed = "checkpoint-malformed",
    /// A checkpoint is of another log than the policy names.
    CheckpointOtherLog = "checkpoint-other-log",
    /// A signature of a checkpoint is missing or does not verify.
    CheckpointSignature = "checkpoint-signature",
    /// A checkpoint of the log is older than it may be.
    CheckpointStale = "checkpoint-stale",
    /// The report hides which chip it comes from, its certificate does not.
    ChipIdMasked = "chip-id-masked",
    /// The report comes from another chip than its certificate.
    ChipIdMismatch = "chip-id-mismatch",
    /// Collateral does not have the form the vendor specifies.
    CollateralMalformed = "collateral-malformed",
    /// Collateral is for another platform, or of two issues.
    CollateralMismatch = "collateral-mismatch",
    /// Collateral's signature does not verify.
    CollateralSignature = "collateral-signature",
    /// Collateral is too old, or from the future.
    CollateralStale = "collateral-stale",
    /// Configuration or owner is not the one in the policy.
    ConfigurationIdMismatch = "configuration-id-mismatch",
    /// The device's firmware is in a debug or insecure state.
    DeviceNotSecure = "device-not-secure",
    /// The log has two directories of one epoch.
    DirectoryChanged = "directory-changed",
    /// The directory, or this node in it, is not in the log.
    DirectoryNotLogged = "directory-not-logged",
    /// Collateral is of an older issue than the policy allows.
    EvaluationNumberBelowMinimum = "evaluation-number-below-minimum",
    /// The event log does not have the form its standard specifies.
    EventLogMalformed = "event-log-malformed",
    /// The event log does not give the registers in the report.
    EventLogMismatch = "event-log-mismatch",
    /// A part the policy insists on is missing.
    EvidenceMissing = "evidence-missing",
    /// GPUs and switches do not name each other, or one is there twice.
    FabricMismatch = "fabric-mismatch",
    /// The family id is not the one in the policy.
    FamilyIdMismatch = "family-id-mismatch",
    /// The firmware is older than the policy allows.
    FirmwareBelowMinimum = "firmware-below-minimum",
    /// The device's report and certificate name different firmware.
    FirmwareIdMismatch = "firmware-id-mismatch",
    /// The firmware image does not have the form its makers specify.
    FirmwareMalformed = "firmware-malformed",
    /// The running firmware is not committed: the host may still go back.
    FirmwareProvisional = "firmware-provisional",
    /// The GPU is in another mode than demanded, or contradicts itself about it.
    GpuModeNotAllowed = "gpu-mode-not-allowed",
    /// The guest accepts older firmware interfaces than the policy allows.
    GuestAbiBelowMinimum = "guest-abi-below-minimum",
    /// The guest has an attribute that the policy does not allow.
    GuestAttributeNotAllowed = "guest-attribute-not-allowed",
    /// The guest may use CXL memory.
    GuestCxlAllowed = "guest-cxl-allowed",
    /// The host may debug the guest, which shows it everything.
    GuestDebugAllowed = "guest-debug-allowed",
    /// The guest may be migrated by an agent, which sees everything.
    GuestMigrationAllowed = "guest-migration-allowed",
    /// The guest policy has reserved bits that are wrong.
    GuestPolicyMalformed = "guest-policy-malformed",
    /// The guest policy lacks a restriction that the policy insists on.
    GuestRestrictionMissing = "guest-restriction-missing",
    /// The guest's security version is below the policy's minimum.
    GuestSvnBelowMinimum = "guest-svn-below-minimum",
    /// The host data is not what the policy says.
    HostDataMismatch = "host-data-mismatch",
    /// The evidence does not exclude the operator of the host.
    HostNotExcluded = "host-not-excluded",
    /// An identity block, or what authenticates it, does not have the form the
    /// vendor specifies.
    IdBlockMalformed = "id-block-malformed",
    /// A signature of an identity block or its key does not verify.
    IdBlockSignature = "id-block-signature",
    /// The digest of the id key is not one the policy lists.
    IdKeyNotAllowed = "id-key-not-allowed",
    /// The image id is not the one in the policy.
    ImageIdMismatch = "image-id-mismatch",
    /// The intermediate key is not one of the vendor's.
    IntermediateNotPinned = "intermediate-not-pinned",
    /// The predicted launch measurement is not the one that is given.
    LaunchDigestMismatch = "launch-digest-mismatch",
    /// The platform is not in its secured state.
    LifecycleNotSecured = "lifecycle-not-secured",
    /// A release, roster or directory is past its time.
    LogEntryExpired = "log-entry-expired",
    /// An entry of the log is not what it should be.
    LogEntryMalformed = "log-entry-malformed",
    /// The time of a release, roster or directory has not come.
    LogEntryNotYetValid = "log-entry-not-yet-valid",
    /// Too few of the keys that the policy names have signed an entry.
    LogEntrySignature = "log-entry-signature",
    /// The log shows another history than it did before.
    LogForked = "log-forked",
    /// An entry is not in the log that it is said to be in.
    LogInclusion = "log-inclusion",
    /// Nothing proves that the log continues what was seen of it.
    LogNotContinued = "log-not-continued",
    /// A proof about the log does not have the form of one.
    LogProofMalformed = "log-proof-malformed",
    /// The log is shorter than it was.
    LogRolledBack = "log-rolled-back",
    /// The roster of admitted machines does not admit this one.
    MachineNotAdmitted = "machine-not-admitted",
    /// The machine is not one the policy lists.
    MachineNotAllowed = "machine-not-allowed",
    /// The evidence does not say which machine it comes from.
    MachineNotIdentified = "machine-not-identified",
    /// Two reference manifests speak for the same measurement.
    ManifestConflict = "manifest-conflict",
    /// A reference manifest does not have the form the vendor specifies.
    ManifestMalformed = "manifest-malformed",
    /// A reference manifest is for another device, driver or firmware.
    ManifestMismatch = "manifest-mismatch",
    /// A reference manifest's signature does not verify.
    ManifestSignature = "manifest-signature",
    /// The measured program is not one the policy lists.
    MeasurementNotAllowed = "measurement-not-allowed",
    /// A mitigation that the policy insists on is not active.
    MitigationMissing = "mitigation-missing",
    /// The TDX module is not the vendor's, or its collateral is missing.
    ModuleMismatch = "module-mismatch",
    /// The evidence was made for another nonce.
    NonceMismatch = "nonce-mismatch",
    /// The quote covers another bank of registers than is accepted, or several.
    PcrBankNotAllowed = "pcr-bank-not-allowed",
    /// The registers' values are not those that were quoted.
    PcrDigestMismatch = "pcr-digest-mismatch",
    /// The quote does not cover the registers it must.
    PcrSelectionIncomplete = "pcr-selection-incomplete",
    /// A register holds another value than is accepted.
    PcrValueNotAllowed = "pcr-value-not-allowed",
    /// The host lacks a feature that the policy insists on.
    PlatformFeatureMissing = "platform-feature-missing",
    /// The policy does not allow the platform.
    PlatformNotAllowed = "platform-not-allowed",
    /// Report, certificate and root disagree about the processor, or it is unknown.
    ProductMismatch = "product-mismatch",
    /// The policy does not allow the processor generation.
    ProductNotAllowed = "product-not-allowed",
    /// The token has a profile that is unknown or not accepted.
    ProfileNotAllowed = "profile-not-allowed",
    /// The quoting enclave is not the vendor's.
    QuotingEnclaveMismatch = "quoting-enclave-mismatch",
    /// The platform vouches for another realm key.
    RealmKeyMismatch = "realm-key-mismatch",
    /// The policy lists no value that evidence could be compared with.
    ReferenceValuesEmpty = "reference-values-empty",
    /// A run-time register does not have the value in the policy.
    RegisterMismatch = "register-mismatch",
    /// The release is one of another service.
    ReleaseServiceMismatch = "release-service-mismatch",
    /// The release is below the minimum that the service has logged.
    ReleaseSuperseded = "release-superseded",
    /// The report is bound to another key configuration, checkpoint or GPU evidence.
    ReportDataMismatch = "report-data-mismatch",
    /// The report was made later than now.
    ReportFromFuture = "report-from-future",
    /// The report does not have the form the vendor specifies.
    ReportMalformed = "report-malformed",
    /// The report's signature does not verify.
    ReportSignature = "report-signature",
    /// The report is older than it may be.
    ReportTooOld = "report-too-old",
    /// A check that may not be left out did not run.
    RequiredCheckNotRun = "required-check-not-run",
    /// An answer about revocation is none, not the issuer's, or about nothing here.
    RevocationAnswerInvalid = "revocation-answer-invalid",
    /// An answer about revocation is too old, or from the future.
    RevocationAnswerStale = "revocation-answer-stale",
    /// The revocation list is not the root's, or not a list.
    RevocationListInvalid = "revocation-list-invalid",
    /// The revocation list is too old, or from the future.
    RevocationListStale = "revocation-list-stale",
    /// A certificate is revoked.
    Revoked = "revoked",
    /// The root key is not one of the vendor's.
    RootNotPinned = "root-not-pinned",
    /// The roster of machines is older than one that was seen.
    RosterSuperseded = "roster-superseded",
    /// Another guest may act on this one, such as one that migrates it.
    ServiceGuestBound = "service-guest-bound",
    /// A signature is made with an algorithm that is not accepted, or not with the key's.
    SignatureAlgorithmNotAllowed = "signature-algorithm-not-allowed",
    /// The program is signed by a key that the policy does not list.
    SignerNotAllowed = "signer-not-allowed",
    /// The report says that another kind of key signed it, or none.
    SigningKeyMismatch = "signing-key-mismatch",
    /// A firmware component is below the policy's floor.
    TcbBelowFloor = "tcb-below-floor",
    /// The firmware levels in the report contradict each other.
    TcbInconsistent = "tcb-inconsistent",
    /// The firmware is below every level the vendor names.
    TcbLevelMissing = "tcb-level-missing",
    /// The report's firmware level is not the one its certificate is for.
    TcbMismatch = "tcb-mismatch",
    /// The firmware is known to be vulnerable, and newer firmware is there.
    TcbOutOfDate = "tcb-out-of-date",
    /// The firmware is compromised.
    TcbRevoked = "tcb-revoked",
    /// The policy does not allow the status of the firmware.
    TcbStatusNotAllowed = "tcb-status-not-allowed",
    /// The evidence is of a platform that this version cannot verify.
    UnsupportedPlatform = "unsupported-platform",
    /// The host asked for the report, not the guest.
    VmplHostRequested = "vmpl-host-requested",
    /// The report was asked for at another privilege level than the policy says.
    VmplMismatch = "vmpl-mismatch",
    /// Too few witnesses have cosigned a checkpoint.
    WitnessQuorum = "witness-quorum",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
