//! Why each check is made, in plain words. Kept beside the list of the checks: a check without words does not compile.

use super::Row;
use super::check::Check;

impl Row {
    /// Why the check is made: what somebody could do if it were not.
    #[must_use]
    pub const fn explanation(&self) -> &'static str {
        explanation(self.check)
    }
}

#[expect(
    clippy::match_same_arms,
    clippy::too_many_lines,
    reason = "a table in the order of the checks"
)]
pub(crate) const fn explanation(check: Check) -> &'static str {
    match check {
        Check::PlatformAllowed => {
            "Kinds of hardware protect in different ways. A policy says which of them you trust; evidence of another kind would be judged by rules nobody chose."
        }
        Check::ReferenceValues => {
            "Evidence says what runs. Without a list of programs that may run, any program at all would pass."
        }
        Check::ReportFormat => {
            "A report that does not have exactly the form that AMD specifies could mean different things to different readers."
        }
        Check::CertificateChain => {
            "Anybody can make a key and sign with it. Only certificates that lead to AMD's root, which is built into this program, show that the key is in a processor."
        }
        Check::Revocation => {
            "AMD can withdraw a key that was stolen. Without its list a withdrawn key looks like a good one."
        }
        Check::ReportSignature => {
            "The signature is what makes the report the processor's: without it everything in it could be made up."
        }
        Check::SigningKey => {
            "A report names the kind of key that signed it. If the certificate is of another kind, the two do not belong together."
        }
        Check::Product => {
            "Rules about firmware differ between processors. A report under another model's certificate would be judged by the wrong rules."
        }
        Check::ProductAllowed => {
            "Some generations have weaknesses that firmware cannot close, so a policy names those it accepts."
        }
        Check::ChipIdentity => {
            "The certificate names one chip. A report that hides or differs in it could come from another machine."
        }
        Check::EndorsedTcb => {
            "The key is derived from the firmware level. If report and certificate differ in it, the certificate vouches for other firmware than what runs."
        }
        Check::TcbOrder => {
            "Firmware that is running cannot be older than what is committed: levels that contradict each other mean that something lies."
        }
        Check::TcbReported => {
            "Old firmware has known holes. The level that the report vouches for must be recent enough."
        }
        Check::TcbCommitted => {
            "Below the committed level the host can go back without asking. It must not be able to load firmware with known holes later."
        }
        Check::TcbCurrent => {
            "What runs now protects the memory now, so it must have the fixes that the policy asks for."
        }
        Check::TcbLaunch => {
            "A guest that was started on old firmware could have been opened then; updating later does not close that."
        }
        Check::FirmwareCommitted => {
            "Firmware that is not committed can be taken back by the host at any time."
        }
        Check::MinimumFirmware => "The policy asks for a firmware version; older ones miss fixes.",
        Check::Mitigations => {
            "The policy asks that certain protections are switched on, not only present."
        }
        Check::MemoryAliases => {
            "Memory modules that answer at two addresses let the host read and change a guest's memory. The firmware can look for it and say so."
        }
        Check::PlatformFeatures => {
            "The policy asks for features of the host, such as memory encryption of every page."
        }
        Check::GuestPolicyFormat => {
            "Bits that must be zero or one and are not could switch on what this program does not know of."
        }
        Check::GuestDebug => {
            "A guest that may be debugged can be read by its host: everything else would be pointless."
        }
        Check::GuestMigration => {
            "A migration agent can move the guest, keys and all, to another machine."
        }
        Check::GuestCxl => {
            "Memory on a CXL device is outside of the processor, where others can reach it."
        }
        Check::GuestAbi => {
            "An old interface between guest and firmware lacks protections that later ones have."
        }
        Check::GuestRestrictions => {
            "The policy asks that the guest itself forbids things, such as a single-socket rule."
        }
        Check::Vmpl => {
            "A report for the host's sake, or from a less trusted level of the guest, does not speak for the program that holds the keys."
        }
        Check::GuestSvn => {
            "The guest's author counts versions; an old one may have a hole that a later one closed."
        }
        Check::FamilyId => "The policy asks for a product family, as its author named it.",
        Check::ImageId => "The policy asks for an image, as its author named it.",
        Check::IdKey => "The policy asks that a certain key has signed what the guest is.",
        Check::AuthorKey => {
            "The policy asks that a certain author stands behind the key that signed."
        }
        Check::HostData => {
            "The host may put 32 bytes into the report when it starts a guest; where something depends on them they must be the expected ones."
        }
        Check::GpuReportFormat => {
            "A device's report that does not have exactly the specified form could mean different things to different readers."
        }
        Check::GpuCertificateChain => {
            "Only certificates that lead to NVIDIA's root, which is built into this program, show that the key is in a device of theirs."
        }
        Check::GpuRevocation => {
            "NVIDIA can withdraw keys of devices and of reference manifests. Without an answer about them a withdrawn key looks like a good one."
        }
        Check::GpuReportSignature => {
            "Without the device's signature everything in the report could be made up."
        }
        Check::GpuNonce => {
            "The nonce ties the report to this machine and this time. An old report, or one of another machine's device, has another one."
        }
        Check::GpuArchitecture => {
            "Rules differ between kinds of devices: a switch is not a GPU, and one generation not the next."
        }
        Check::GpuFirmwareId => {
            "The certificate names the firmware that held the key. Another one in the report means that they do not belong together."
        }
        Check::GpuMode => {
            "In development modes a device answers questions about itself but protects nothing."
        }
        Check::GpuManifest => {
            "Measurements are compared with manifests. One that NVIDIA has not signed could list anything."
        }
        Check::GpuManifestMatch => "A manifest of other firmware says nothing about this device.",
        Check::GpuMeasurements => {
            "Measurements that differ from NVIDIA's mean that other firmware runs, or the same with other settings."
        }
        Check::GpuFabric => {
            "Data go between GPUs over switches. A device among them that was not verified sees them."
        }
        Check::CcaFormat => {
            "A token that does not have exactly the specified form could mean different things to different readers."
        }
        Check::CcaProfile => {
            "The profile says how to read a token. One that is not known cannot be judged."
        }
        Check::CcaPlatformKey => {
            "Anybody can sign a token. The key must be one that the platform's maker endorses."
        }
        Check::CcaPlatformSignature => {
            "Without the signature everything about the platform could be made up."
        }
        Check::CcaLifecycle => {
            "A platform that is not secured, or is being debugged, can be read from outside."
        }
        Check::CcaComponents => {
            "Firmware below the realm can read it. What runs there must be known."
        }
        Check::CcaRealmKey => {
            "The realm's key must be the one that the platform vouches for; else one machine's platform could be shown with another's realm."
        }
        Check::CcaRealmSignature => {
            "Without the signature everything about the realm could be made up."
        }
        Check::CcaChallenge => "The challenge shows that the token was made for you, now.",
        Check::CcaInitialMeasurement => {
            "It says what the realm was started with: another value is another program."
        }
        Check::CcaExtensibleMeasurements => "They say what was loaded after the start.",
        Check::CcaPersonalization => "It tells realms of one program apart.",
        Check::PsaFormat => {
            "A token that does not have exactly the specified form could mean different things to different readers."
        }
        Check::PsaProfile => {
            "The profile says how to read a token. One that is not known cannot be judged."
        }
        Check::PsaKey => {
            "Anybody can sign a token. The key must be one that the device's maker endorses."
        }
        Check::PsaSignature => "Without the signature everything in the token could be made up.",
        Check::PsaLifecycle => {
            "A device that is not secured, or is being debugged, can be read from outside."
        }
        Check::PsaComponents => "The firmware that was started must be known.",
        Check::PsaHost => {
            "TrustZone protects a device against its software, not against its owner."
        }
        Check::PsaNonce => "The nonce shows that the token was made for you, now.",
        Check::PsaBootSeed => "It tells one start of the device from another.",
        Check::NitroFormat => {
            "A document that does not have exactly the form that AWS specifies could mean different things to different readers."
        }
        Check::NitroChain => {
            "Only certificates that lead to AWS's root, which is built into this program, show that the key is in a Nitro system."
        }
        Check::NitroSignature => {
            "Without the signature everything in the document could be made up."
        }
        Check::NitroTime => "An old document says what ran then, not what runs now.",
        Check::NitroDebug => {
            "In debug mode the parent instance reads the enclave's console, and all registers are zero."
        }
        Check::NitroMachine => {
            "A document that does not name the machine cannot be compared with a list of machines that somebody looks after."
        }
        Check::NitroRegisters => {
            "They say which image, kernel and application run: other values are another program."
        }
        Check::NitroNonce => "The nonce shows that the document was made for you, now.",
        Check::NitroUserData => {
            "What the enclave put in binds the document to something, such as a key."
        }
        Check::NitroPublicKey => "It is the key that the enclave says is its own.",
        Check::NitroModule => "It names one enclave on one instance.",
        Check::AzureReportFormat => {
            "A report that does not have exactly the paravisor's form could mean different things to different readers."
        }
        Check::AzureRuntimeData => {
            "It must name exactly one attestation key: with two, the wrong one could be believed."
        }
        Check::AzureBinding => {
            "The hardware signs a digest of what the paravisor says. If it is another one, the paravisor never said it."
        }
        Check::AzureHardware => {
            "Without the processor's own certificates the report could come from any machine."
        }
        Check::AzureParavisor => {
            "The paravisor speaks for the guest. An unknown one could say anything."
        }
        Check::AzureQuote => {
            "The quote says what the guest started. Without one only the paravisor is known."
        }
        Check::AzureUserData => {
            "What the guest asked to be bound ties the evidence to something, such as a key."
        }
        Check::AzureSecureBoot => "With Secure Boot the firmware starts only what is signed.",
        Check::TpmQuoteFormat => {
            "A quote that does not have exactly the specified form could mean different things to different readers."
        }
        Check::TpmKeyFormat => {
            "A key that is not well formed may verify signatures that nobody made."
        }
        Check::TpmSignature => "Without the signature everything in the quote could be made up.",
        Check::TpmKeyAttributes => {
            "A key that may leave its TPM, or sign what others write, can sign quotes of registers that never were."
        }
        Check::TpmKeyCertificate => {
            "Without a certificate the key may be in a program and not in a TPM."
        }
        Check::TpmKeyRevocation => "A certificate that was withdrawn must not count.",
        Check::TpmNonce => "The nonce shows that the quote was made for you, now.",
        Check::TpmPcrBank => {
            "Registers exist in several banks. An old one uses a hash for which collisions are known."
        }
        Check::TpmPcrSelection => "A register that the quote leaves out can hold anything.",
        Check::TpmPcrDigest => {
            "The quote holds a digest of the registers: values that do not give it are not the quoted ones."
        }
        Check::TpmPcrValues => "They say what was started: other values are another program.",
        Check::TpmEventLog => {
            "The log explains the registers. One that does not give them explains something else."
        }
        Check::QuoteFormat => {
            "A quote that does not have exactly the form that Intel specifies could mean different things to different readers."
        }
        Check::QuoteCertificates => {
            "Only certificates that lead to Intel's root, which is built into this program, show that the key is in a processor."
        }
        Check::AttestationKey => {
            "The quote is signed by a key that an enclave made. The processor's own key must endorse it, or anybody could have made it."
        }
        Check::QuoteSignature => "Without the signature everything in the quote could be made up.",
        Check::TcbInfo => {
            "It says which firmware is good. If it is not Intel's, out of date or of another platform, it says nothing about this one."
        }
        Check::QeIdentity => "It says what the enclave that signs quotes must look like.",
        Check::PlatformRevocation => "Intel can withdraw the key of a platform that was opened.",
        Check::TcbEvaluation => {
            "Intel issues these lists together. Parts of two issues, or of an old one, can hide a hole that is known."
        }
        Check::QuotingEnclave => {
            "Quotes must be signed by Intel's own enclave: another one could sign what it likes."
        }
        Check::QuotedTd => "A quote about an enclave says nothing about a trust domain.",
        Check::TdxModule => {
            "The module keeps the host out of the trust domain. Another module might not."
        }
        Check::QuotedEnclave => "A quote about a trust domain says nothing about an enclave.",
        Check::TcbStatus => "Firmware that is out of date has holes that are public.",
        Check::TcbAdvisories => {
            "Each advisory is a known weakness. Which of them you live with is for you to say, by name."
        }
        Check::PlatformConfiguration => {
            "The policy asks for settings of the machine, such as no sharing of cores."
        }
        Check::TdAttributes => {
            "Bits that must be zero and are not could switch on what this program does not know of."
        }
        Check::TdDebug => {
            "A trust domain that may be debugged can be read by its host: everything else would be pointless."
        }
        Check::TdMigration => {
            "A trust domain that may be migrated can be moved, keys and all, to another machine."
        }
        Check::TdSeptVe => {
            "The host can provoke faults at addresses it chooses; a guest that handles them can be misled."
        }
        Check::TdXfam => {
            "Features that the processor does not have, or that must be on, show that the quote is not what it says."
        }
        Check::TdService => "A service trust domain that is bound has rights over this one.",
        Check::TdModuleMeasurement => "The policy asks for a certain TDX module.",
        Check::TdRegisters => {
            "They say which kernel, command line and image run: other values are another program."
        }
        Check::TdEventLog => {
            "The log explains the registers. One that does not give them explains something else."
        }
        Check::TdIdentity => {
            "Owner and configuration are set when the trust domain is made; the policy asks for certain ones."
        }
        Check::EnclaveDebug => {
            "An enclave that may be debugged can be read by its host: everything else would be pointless."
        }
        Check::EnclaveAttributes => {
            "Bits that must be zero and are not could switch on what this program does not know of."
        }
        Check::EnclaveProvisionKey => {
            "With this key an enclave can recognise a machine whoever owns it."
        }
        Check::EnclaveMeasurement => {
            "It says which program the enclave runs: another value is another program."
        }
        Check::EnclaveSigner => "It says who stands behind the enclave.",
        Check::EnclaveProduct => {
            "One signer has several products; the policy asks for one of them."
        }
        Check::EnclaveSvn => {
            "The enclave's author counts versions; an old one may have a hole that a later one closed."
        }
        Check::EnclaveConfiguration => {
            "Configuration and family are set when the enclave is loaded; the policy asks for certain ones."
        }
        Check::Measurement => {
            "It says which program runs. Only one that you, or somebody you trust, has looked at keeps what it is told to itself."
        }
        Check::BootMeasurement => {
            "A TPM holds digests of what the machine started, one after the other. Only an image that you, or somebody you trust, has looked at keeps what it is told to itself."
        }
        Check::TpmEvidence => {
            "The policy wants a TPM beside the processor: it saw the firmware and the image start. It must have signed for this very key."
        }
        Check::CollateralAge => {
            "A list of what is revoked says nothing about what was found since it was made, and a vendor may promise the next one for next year."
        }
        Check::MachineAllowed => {
            "Whoever has a machine in his hands can open it. A list of machines that you know excludes all others."
        }
        Check::ReportData => {
            "The evidence must name the very key that your message is sealed to. Else somebody shows good evidence of one machine and reads along with a key of his own."
        }
        Check::Checkpoint => {
            "A checkpoint of a public log shows that evidence is not older than it, and that everybody is shown the same log."
        }
        Check::GpuEvidence => {
            "A GPU sees every message in the clear. If it is used it must be verified as the processor is."
        }
        Check::ReleaseLogged => {
            "A public log of releases makes it impossible to show you a program that nobody else can see."
        }
        Check::MachineAdmitted => {
            "Somebody who has a machine in his hands can open it. A list of machines that others look after excludes one that nobody knows."
        }
        Check::DirectoryLogged => {
            "The log holds one directory for everybody, so nobody can be led to a node of his own."
        }
        Check::LogHistory => {
            "A log that goes back, or that contradicts what it showed before, shows you something that others do not see."
        }
        Check::ExcludesHost => {
            "The point of it all: whoever runs the machine must be kept out. Evidence that does not show it is good for other purposes only."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_is_explained_in_one_or_two_sentences_of_its_own() {
        for check in Check::ALL {
            let words = explanation(*check);
            assert!(words.ends_with('.') && words.len() > 30, "{}", check.name());
            assert!(words.matches(". ").count() < 2, "{}", check.name());
        }
    }
}
