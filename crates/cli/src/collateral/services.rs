//! Where the vendors' services are.

use clap::Args;

use crate::download::check_address;
use crate::failure::{Exit, Failure};

/// Addresses of the services. A mirror or a caching service will do: what it sends is verified.
#[derive(Args, Clone, Debug)]
pub(crate) struct Services {
    /// AMD's key distribution service
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://kdsintf.amd.com",
        help_heading = "Services"
    )]
    pub(crate) amd_kds: String,

    /// Intel's provisioning certification service
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://api.trustedservices.intel.com",
        help_heading = "Services"
    )]
    pub(crate) intel_pcs: String,

    /// The revocation list of Intel's root
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der",
        help_heading = "Services"
    )]
    pub(crate) intel_root_crl: String,

    /// NVIDIA's service of reference manifests
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://rim.attestation.nvidia.com",
        help_heading = "Services"
    )]
    pub(crate) nvidia_rim: String,

    /// NVIDIA's OCSP responder
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://ocsp.ndis.nvidia.com",
        help_heading = "Services"
    )]
    pub(crate) nvidia_ocsp: String,
}

impl Services {
    /// Refuses addresses that would tell the network what is fetched, and those that a path cannot be added to.
    pub(crate) fn check(mut self) -> Result<Self, Failure> {
        for url in [
            &mut self.amd_kds,
            &mut self.intel_pcs,
            &mut self.intel_root_crl,
            &mut self.nvidia_rim,
            &mut self.nvidia_ocsp,
        ] {
            check_address(url)?;
            let has_more =
                url.contains(['?', '#', '@']) || !url.bytes().all(|b| b.is_ascii_graphic());
            if has_more {
                return Err(Failure::new(
                    Exit::Usage,
                    format!("{url} is not the address of a service"),
                )
                .hint(
                    "give scheme, host, and a path if there is one: https://mirror.example.org/amd",
                ));
            }
            url.truncate(url.trim_end_matches('/').len());
        }
        Ok(self)
    }
}

/// The server of an address, for messages: addresses may name a machine.
pub(super) fn server(url: &str) -> &str {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url;
    };
    let host = rest.split('/').next().unwrap_or_default();
    let end = scheme.len().saturating_add(3).saturating_add(host.len());
    url.get(..end).unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services(amd_kds: &str) -> Services {
        let https = || "https://vendor.example".to_owned();
        Services {
            amd_kds: amd_kds.to_owned(),
            intel_pcs: https(),
            intel_root_crl: https(),
            nvidia_rim: https(),
            nvidia_ocsp: https(),
        }
    }

    #[test]
    fn a_service_is_https_or_on_this_machine() {
        for good in ["https://mirror.example/amd/", "http://127.0.0.1:8080"] {
            assert!(services(good).check().is_ok(), "{good}");
        }
        for bad in [
            "http://mirror.example",
            "ftp://127.0.0.1",
            "https://mirror.example/?a=b",
            "https://mirror.example/#x",
            "https://user@mirror.example",
            "https://mirror.example/ä",
            "mirror.example",
            "",
        ] {
            assert!(services(bad).check().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_can_be_added() {
        let services = services("https://mirror.example/amd/").check().unwrap();
        assert_eq!(services.amd_kds, "https://mirror.example/amd");
    }

    #[test]
    fn messages_name_the_server_only() {
        assert_eq!(server("https://a.example:1/b/c?d"), "https://a.example:1");
        assert_eq!(server("http://[::1]:8"), "http://[::1]:8");
        assert_eq!(server("nothing"), "nothing");
    }
}
