//! The one form of XML signature that reference manifests have (W3C XML Signature Syntax and Processing 1.1):
//! enveloped, over the whole document, Canonical XML 1.1, SHA-384, ECDSA P-384, and the certificates in `KeyInfo`.
//!
//! Nothing in the document chooses: any other algorithm, transform or reference is refused. The reader gets back the
//! very tree that was written canonically and hashed, so it cannot see other bytes than were signed.

use sha2::{Digest, Sha384};

use super::canonical::{self, Scope};
use super::xml::Element;
use crate::signature::{Hash, PublicKey, Scheme};
use crate::x509::pem::base64_lines;

/// A signature whose form is known and of which nothing is verified.
#[derive(Clone, Debug)]
pub(super) struct Signature {
    /// What the signature covers, canonical.
    content: String,
    /// What is signed: algorithms and digest, canonical.
    signed_info: String,
    digest: Vec<u8>,
    value: Vec<u8>,
    /// In DER, leaf first.
    pub(super) certificates: Vec<Vec<u8>>,
}

impl Signature {
    /// Finds the signature of a document, which must be a child of its root and the only one.
    pub(super) fn read(root: &Element) -> Option<Self> {
        let element = only_signature(root)?;
        let [signed_info, value, key_info] = exactly(element)?;
        named(signed_info, "SignedInfo")?;
        named(value, "SignatureValue")?;
        named(key_info, "KeyInfo")?;
        let around_signature = canonical::scope_in(root, &Scope::new());
        let around_signed_info = canonical::scope_in(element, &around_signature);
        Some(Self {
            content: canonical::write(root, &Scope::new(), Some(element)),
            digest: read_signed_info(signed_info)?,
            signed_info: canonical::write(signed_info, &around_signed_info, None),
            value: base64_lines(value.text()?)?,
            certificates: read_key_info(key_info)?,
        })
    }

    /// Whether the digest is that of the document and `key` signed it.
    pub(super) fn verifies(&self, key: &PublicKey) -> bool {
        let digest = Sha384::digest(self.content.as_bytes());
        let scheme = Scheme::EcdsaFixed(Hash::Sha384);
        digest.as_slice() == self.digest
            && key.verifies(scheme, self.signed_info.as_bytes(), &self.value)
    }
}

/// The signature among the children of the root. Elements of the signature's namespace anywhere else are refused.
fn only_signature(root: &Element) -> Option<&Element> {
    let children = root.elements()?;
    let (signatures, others): (Vec<&Element>, Vec<_>) = children
        .into_iter()
        .partition(|child| child.is(DSIG, "Signature"));
    let is_elsewhere = others.into_iter().any(contains_signature_elements);
    match signatures.as_slice() {
        [only] if !is_elsewhere => Some(only),
        _ => None,
    }
}

/// The depth is that of a parsed document, which is bounded.
fn contains_signature_elements(element: &Element) -> bool {
    element.namespace == DSIG
        || element
            .elements()
            .into_iter()
            .flatten()
            .any(contains_signature_elements)
}

/// Reads `SignedInfo` into the digest it gives.
fn read_signed_info(element: &Element) -> Option<Vec<u8>> {
    let [canonicalization, method, reference] = exactly(element)?;
    algorithm(canonicalization, "CanonicalizationMethod", C14N_1_1)?;
    algorithm(method, "SignatureMethod", ECDSA_SHA384)?;
    if !reference.is(DSIG, "Reference") || reference.attributes.len() != 1 {
        return None;
    }
    // The empty reference is the document that holds the signature.
    reference
        .attribute("", "URI")
        .filter(|uri| uri.is_empty())?;
    let [transforms, method, value] = exactly(reference)?;
    named(transforms, "Transforms")?;
    let [enveloped, canonical] = exactly(transforms)?;
    algorithm(enveloped, "Transform", ENVELOPED)?;
    algorithm(canonical, "Transform", C14N_1_1)?;
    algorithm(method, "DigestMethod", SHA384)?;
    named(value, "DigestValue")?;
    base64_lines(value.text()?)
}

/// Reads the certificates: one `X509Data` with nothing else in it.
fn read_key_info(element: &Element) -> Option<Vec<Vec<u8>>> {
    let [data] = exactly(element)?;
    named(data, "X509Data")?;
    let certificates = data.elements()?;
    if certificates.len() > MAX_CERTIFICATES {
        return None;
    }
    let read = |certificate: &Element| {
        named(certificate, "X509Certificate")?;
        base64_lines(certificate.text()?)
    };
    certificates.into_iter().map(read).collect()
}

/// The children, which must be `N` elements.
fn exactly<const N: usize>(element: &Element) -> Option<[&Element; N]> {
    element.elements()?.try_into().ok()
}

fn named(element: &Element, local: &str) -> Option<()> {
    element.is(DSIG, local).then_some(())
}

/// An element that says nothing but an algorithm.
fn algorithm(element: &Element, local: &str, uri: &str) -> Option<()> {
    named(element, local)?;
    let is_alone = element.attributes.len() == 1 && element.children.is_empty();
    (is_alone && element.attribute("", "Algorithm") == Some(uri)).then_some(())
}

const MAX_CERTIFICATES: usize = 8;

// XML Signature 1.1, section 6; RFC 6931, sections 2.1.3 and 2.3.6.
const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
const C14N_1_1: &str = "http://www.w3.org/2006/12/xml-c14n11";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const ECDSA_SHA384: &str = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384";
const SHA384: &str = "http://www.w3.org/2001/04/xmldsig-more#sha384";

#[cfg(test)]
mod tests;
