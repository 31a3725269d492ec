//! What a VCEK or VLEK certificate says about the chip (AMD 57230, section
//! "VCEK Certificate Extensions"; AMD 58369 for the VLEK).

use der::Decode;
use der::asn1::Ia5StringRef;
use der::oid::ObjectIdentifier;

use super::{KeyKind, Product, Tcb};
use crate::x509::Certificate;

/// The chip that a leaf certificate endorses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct EndorsedChip {
    pub(super) product: Product,
    pub(super) tcb: Tcb,
    /// The chip identifier, as a report carries it; a VLEK has none.
    pub(super) chip_id: Option<[u8; 64]>,
}

impl EndorsedChip {
    pub(super) fn read(leaf: &Certificate, kind: KeyKind) -> Result<Self, ExtensionError> {
        let extensions = Extensions(leaf);
        let name = "structVersion";
        if !STRUCT_VERSIONS.contains(&extensions.byte(name, STRUCT_VERSION)?) {
            return Err(ExtensionError::Value { name });
        }
        let product = extensions.product()?;
        let tcb = extensions.tcb(product)?;
        let chip_id = match kind {
            KeyKind::Vcek => Some(extensions.hardware_id(product)?),
            KeyKind::Vlek => {
                extensions.value("cspID", CSP_ID)?;
                None
            }
        };
        Ok(Self {
            product,
            tcb,
            chip_id,
        })
    }
}

struct Extensions<'a>(&'a Certificate);

impl Extensions<'_> {
    fn find(&self, oid: &str) -> Option<&[u8]> {
        let oid = ObjectIdentifier::new(oid).ok()?;
        self.0
            .extensions()
            .iter()
            .find(|extension| extension.extn_id == oid)
            .map(|extension| extension.extn_value.as_bytes())
    }

    fn value(&self, name: &'static str, oid: &str) -> Result<&[u8], ExtensionError> {
        self.find(oid).ok_or(ExtensionError::Missing { name })
    }

    fn byte(&self, name: &'static str, oid: &str) -> Result<u8, ExtensionError> {
        u8::from_der(self.value(name, oid)?).map_err(|_| ExtensionError::Value { name })
    }

    fn product(&self) -> Result<Product, ExtensionError> {
        let name = "productName";
        let text = Ia5StringRef::from_der(self.value(name, PRODUCT_NAME)?)
            .map_err(|_| ExtensionError::Value { name })?;
        Product::from_certificate_name(text.as_str()).ok_or(ExtensionError::Value { name })
    }

    fn tcb(&self, product: Product) -> Result<Tcb, ExtensionError> {
        // Components without a meaning must be absent or zero, as in the report.
        for (name, oid) in RESERVED_SPLS {
            if self.find(oid).is_some() && self.byte(name, oid)? != 0 {
                return Err(ExtensionError::Value { name });
            }
        }
        let fmc = match (product, self.find(FMC)) {
            (Product::Turin, _) => Some(self.byte("fmcSPL", FMC)?),
            (Product::Genoa | Product::Milan, None) => None,
            (Product::Genoa | Product::Milan, Some(_)) => {
                return Err(ExtensionError::Value { name: "fmcSPL" });
            }
        };
        Ok(Tcb {
            fmc,
            bootloader: self.byte("blSPL", BOOTLOADER)?,
            tee: self.byte("teeSPL", TEE)?,
            snp: self.byte("snpSPL", SNP)?,
            microcode: self.byte("ucodeSPL", MICROCODE)?,
        })
    }

    /// The raw identifier: 64 bytes, or 8 on Turin, which reports pad with zeros.
    fn hardware_id(&self, product: Product) -> Result<[u8; 64], ExtensionError> {
        let name = "hwID";
        let value = self.value(name, HARDWARE_ID)?;
        let expected = match product {
            Product::Genoa | Product::Milan => 64,
            Product::Turin => 8,
        };
        let mut chip_id = [0; 64];
        match chip_id.get_mut(..value.len()) {
            Some(start) if value.len() == expected => start.copy_from_slice(value),
            _ => return Err(ExtensionError::Value { name }),
        }
        Ok(chip_id)
    }
}

/// Why the extensions of a VCEK or VLEK certificate were refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtensionError {
    /// A required extension is absent.
    #[error("endorsement key certificate lacks the extension {name}")]
    Missing {
        /// AMD's name for it.
        name: &'static str,
    },

    /// An extension holds a value that the standard does not allow.
    #[error("endorsement key certificate has a bad value in the extension {name}")]
    Value {
        /// AMD's name for it.
        name: &'static str,
    },
}

/// The layouts in use: 0, and 1 with the FMC level. Another one may give a level
/// another place.
const STRUCT_VERSIONS: [u8; 2] = [0, 1];
pub(crate) const STRUCT_VERSION: &str = "1.3.6.1.4.1.3704.1.1";
pub(crate) const PRODUCT_NAME: &str = "1.3.6.1.4.1.3704.1.2";
pub(crate) const BOOTLOADER: &str = "1.3.6.1.4.1.3704.1.3.1";
pub(crate) const TEE: &str = "1.3.6.1.4.1.3704.1.3.2";
pub(crate) const SNP: &str = "1.3.6.1.4.1.3704.1.3.3";
pub(crate) const MICROCODE: &str = "1.3.6.1.4.1.3704.1.3.8";
pub(crate) const FMC: &str = "1.3.6.1.4.1.3704.1.3.9";
pub(crate) const HARDWARE_ID: &str = "1.3.6.1.4.1.3704.1.4";
pub(crate) const CSP_ID: &str = "1.3.6.1.4.1.3704.1.5";
pub(crate) const RESERVED_SPLS: [(&str, &str); 4] = [
    ("spl4", "1.3.6.1.4.1.3704.1.3.4"),
    ("spl5", "1.3.6.1.4.1.3704.1.3.5"),
    ("spl6", "1.3.6.1.4.1.3704.1.3.6"),
    ("spl7", "1.3.6.1.4.1.3704.1.3.7"),
];
