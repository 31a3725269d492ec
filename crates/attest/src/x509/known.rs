//! Signatures in certificates of vendors that are known to verify.
//!
//! A vendor's authorities are few and last for decades; the same certificates come with every piece of evidence. Whether
//! one key signed one certificate never changes, so it is computed once for all, by the tests, and not again on every
//! device. Only the arithmetic is spared: that the root is pinned, names, dates, usage, path lengths and revocation are
//! checked each time. A certificate that differs in one bit is another one, and verified in full.

use crate::identifiers::Sha256Digest;

/// Whether `link` ([`super::Certificate::link_to`]) stands for a signature that is known to verify.
pub(crate) fn contains(link: &Sha256Digest) -> bool {
    LINKS.contains(link)
}

/// Links to their issuers of authorities below a pinned root that live longer than a year, and of Intel's signer of
/// collateral; not of devices. The comments are the subjects' common names.
const LINKS: [Sha256Digest; 32] = [
    // ARK-Genoa
    Sha256Digest::of_hex(b"cedd2ec432b948af6bc52c80175308846d9a7635185d5ade5eeb47f5acd3e481"),
    // ARK-Milan
    Sha256Digest::of_hex(b"7e29dcc4572cea161ebd9f6cad831ed80c449bf94d9eeac22a6148f2dc0b6aab"),
    // ARK-Turin
    Sha256Digest::of_hex(b"be5911d784ab2c28eac8b2ff4dfa972aa23a8dd197c84a900e2899528e85746c"),
    // Azure Virtual TPM Root Certificate Authority 2023
    Sha256Digest::of_hex(b"0ae3efe4b41e18e11c79c1dd97da5fa33dd92a201ee29be2a6629636b397363e"),
    // Global Virtual TPM CA - 01
    Sha256Digest::of_hex(b"32831e952a693621ddef105c5ff071e40339a112bd3d0790ff9ff1c2beb44869"),
    // Global Virtual TPM CA - 03
    Sha256Digest::of_hex(b"2a9fa719afd9c231960822e2dc09a12def1a22afe0dd90fece21e5808f50dcf8"),
    // Intel SGX PCK Platform CA
    Sha256Digest::of_hex(b"b628640c5b21219a873bad27a58854a1da870a10352ded3c7c9618ff9842468e"),
    // Intel SGX PCK Processor CA
    Sha256Digest::of_hex(b"4463373c8bf626c78262d7fbe2a550b1d15ea06ac12d0457d76adaba6fc26d24"),
    // Intel SGX PCK Processor CA
    Sha256Digest::of_hex(b"934e8eecb972bf37cb795ad1a4c5efb4492d61c5689b27ea138f15401873a9ea"),
    // Intel SGX Root CA
    Sha256Digest::of_hex(b"5298742f8ba6a21b9ad7d419d8efe973ec828d8e6c057f5b584546f29d3af334"),
    // Intel SGX Root CA
    Sha256Digest::of_hex(b"78d543fd7728b1eead3783864c3161f50129feec9bebaa43f2f69e7e0a947e1a"),
    // Intel SGX TCB Signing
    Sha256Digest::of_hex(b"4e93a46f7b9482fa5697fc9ed3b107a4c61be7e16f02cbbcf8148b2fdc18f4ea"),
    // Intel SGX TCB Signing
    Sha256Digest::of_hex(b"c5253ce6b8b7d4870bee84c21fb6a334bbc73e1f9ea8b27c5663057071a7bb16"),
    // NVIDIA CoRIM signing Root CA
    Sha256Digest::of_hex(b"ec26ca7abc1de1034a2ba8018b41fecd3076e2f7152a709ae1cc23c10f123c89"),
    // NVIDIA Device Identity CA
    Sha256Digest::of_hex(b"64e5576982478d6e7d959d04fd74d718c7349325feb4610e034823dfc5e13211"),
    // NVIDIA GB100 Identity
    Sha256Digest::of_hex(b"d7ac485fa1d34f6dd040ad0f12229444dcf46c699264d80bf2c2602720dfc2bb"),
    // NVIDIA GB100 Provisioner ICA 00000
    Sha256Digest::of_hex(b"eb201f031e10259b5ac9abc6d91fec5d18860015bc7f222001394eca821f6f63"),
    // NVIDIA GH100 Identity
    Sha256Digest::of_hex(b"3180d396da85229f9a1b551c1e7c24bbf952f4a9caedfac3c18bc26c26ceca2e"),
    // NVIDIA GH100 Provisioner ICA 1
    Sha256Digest::of_hex(b"86fdfd4e1ebfb37c3882a3a93743dfbb01ce24de602c746735cf882f566444c5"),
    // NVIDIA LS_10 Provisioner ICA 1
    Sha256Digest::of_hex(b"4f7d961d3043637547dd85d9e07fc7af3dbd96855b5a5379fe153fc49109189d"),
    // NVIDIA Reference Value GB1XX CA 001
    Sha256Digest::of_hex(b"aa6e51060ea0b7105514a24b5480d13c7aafc10e1554dc47c6d74973e7476e2d"),
    // NVIDIA Reference Value GH100 CA
    Sha256Digest::of_hex(b"55cca75617a7ba160b9a557824331c59613499f61b79bcab438b3f2530761e97"),
    // NVIDIA Reference Value L3 GB100-CC 001
    Sha256Digest::of_hex(b"984600da055240f2968cf97390bd77f1440ab1a51e6163641f9937627a95d8a9"),
    // NVIDIA Reference Value L3 GH100 001
    Sha256Digest::of_hex(b"5cc4e7419bb284837e22df4d4c2b2a80f5db001b0dea4bc99b856a68f6ef05ba"),
    // NVIDIA Reference Value L3 GH100 002
    Sha256Digest::of_hex(b"14159255cc3b2ae407b248b5678a26f50e63ca7a45079db04a5e60eb893be5e0"),
    // NVIDIA Reference Value L3 LS10 001
    Sha256Digest::of_hex(b"8446e1f84262d4234ec16849fd09e3145db813e64d39450ab66eef4870a5dbac"),
    // NVIDIA Reference Value LS10 CA
    Sha256Digest::of_hex(b"3bf1e547e2ffdb8f9589ad7e776e898b560849806016d97ddcc4f1876ebf7351"),
    // SEV-Genoa
    Sha256Digest::of_hex(b"f62474cdfef637b912132988554099e8638194fd07df428dc3166d5925fe0bcb"),
    // SEV-Milan
    Sha256Digest::of_hex(b"4d98179f6d3da2274df69a100b25694256bb9e5b447f236a1df3070c59620d3e"),
    // SEV-Turin
    Sha256Digest::of_hex(b"6b923d7b2164e63f66b8ab5353a79a278ee25730a3698abb57fcccc75e83b759"),
    // SEV-VLEK-Milan
    Sha256Digest::of_hex(b"66df4231b91d4a088dba06a60d503484fd86d5c2bda60c6087a9a8842b24952c"),
    // aws.nitro-enclaves
    Sha256Digest::of_hex(b"64b0486ca747b19c4d38a7ca7d2af611ab6e4b6a0f018a2dd96f0d8c7e080ea2"),
];

#[cfg(test)]
mod tests;
