//! What Intel says about the levels of platforms, TDX modules and quoting
//! enclaves (PCS API version 4, "Get TCB info" and "Get Quoting Enclave
//! identity").

use serde::Deserialize;
use serde_json::Value;

use super::TcbStatus;
use super::signed::{Hex, SignedError, Time, Window};
use crate::time::UnixSeconds;

/// Levels of the platforms of one kind (`tcbInfo`).
#[derive(Clone, Debug)]
pub(crate) struct TcbInfo {
    pub(super) id: &'static str,
    pub(super) window: Window,
    pub(super) fmspc: [u8; 6],
    pub(super) pce_id: [u8; 2],
    pub(super) evaluation_number: u32,
    /// For a TDX module of the first generation, which has no levels of its own.
    pub(super) module: Option<ModuleIdentity>,
    pub(super) modules: Vec<ModuleIdentity>,
    pub(super) levels: Vec<PlatformLevel>,
}

/// One level of a platform.
#[derive(Clone, Debug)]
pub(super) struct PlatformLevel {
    pub(super) components: [u8; 16],
    pub(super) pce_svn: u16,
    pub(super) tdx_components: Option<[u8; 16]>,
    pub(super) verdict: LevelVerdict,
}

/// What Intel says about a level.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct LevelVerdict {
    pub(crate) status: TcbStatus,
    pub(crate) date: UnixSeconds,
    pub(crate) advisories: Vec<String>,
}

/// Who makes a TDX module, and its levels.
#[derive(Clone, Debug)]
pub(crate) struct ModuleIdentity {
    pub(super) id: Option<String>,
    pub(crate) mr_signer: [u8; 48],
    pub(crate) attributes: [u8; 8],
    pub(crate) attributes_mask: [u8; 8],
    pub(super) levels: Vec<SvnLevel>,
}

/// A level that is one number.
#[derive(Clone, Debug)]
pub(super) struct SvnLevel {
    pub(super) isv_svn: u16,
    pub(super) verdict: LevelVerdict,
}

/// Which enclave may sign quotes, and its levels (`enclaveIdentity`).
#[derive(Clone, Debug)]
pub(super) struct QeIdentity {
    pub(super) id: String,
    pub(super) window: Window,
    pub(super) evaluation_number: u32,
    pub(super) misc_select: [u8; 4],
    pub(super) misc_select_mask: [u8; 4],
    pub(super) attributes: [u8; 16],
    pub(super) attributes_mask: [u8; 16],
    pub(super) mr_signer: [u8; 32],
    pub(super) isv_prod_id: u16,
    pub(super) levels: Vec<SvnLevel>,
}

impl TcbInfo {
    /// Reads the object, whose signature must be verified. Version 2 is what SGX
    /// had until 2023.
    pub(super) fn parse(json: &[u8]) -> Result<Self, SignedError> {
        let wire: WireTcbInfo = serde_json::from_slice(json).map_err(|_| SignedError::Format)?;
        Self::read(wire).ok_or(SignedError::Format)
    }

    fn read(wire: WireTcbInfo) -> Option<Self> {
        let id = match (wire.version, wire.id.as_deref()) {
            (2, None) | (3, Some("SGX")) => "SGX",
            (3, Some("TDX")) => "TDX",
            _ => return None,
        };
        if wire.tcb_type != 0 || wire.tcb_levels.is_empty() {
            return None;
        }
        let levels = wire
            .tcb_levels
            .into_iter()
            .map(|level| PlatformLevel::read(level, wire.version, id))
            .collect::<Option<_>>()?;
        Some(Self {
            id,
            window: Window {
                issued: wire.issue_date.0,
                next_update: wire.next_update.0,
            },
            fmspc: wire.fmspc.0,
            pce_id: wire.pce_id.0,
            evaluation_number: wire.tcb_evaluation_data_number,
            module: wire.tdx_module.map(ModuleIdentity::from),
            modules: wire
                .tdx_module_identities
                .into_iter()
                .map(ModuleIdentity::from)
                .collect(),
            levels,
        })
    }
}

impl PlatformLevel {
    fn read(wire: WireLevel<Value>, version: u32, id: &str) -> Option<Self> {
        let (components, pce_svn, tdx_components) = if version == 2 {
            let number = |name: &str| wire.tcb.get(name)?.as_u64();
            let mut components = [0; 16];
            for (at, component) in (1..).zip(components.iter_mut()) {
                *component = number(&format!("sgxtcbcomp{at:02}svn"))?.try_into().ok()?;
            }
            (components, number("pcesvn")?.try_into().ok()?, None)
        } else {
            let tcb = WireTcb::deserialize(&wire.tcb).ok()?;
            let svns = |components: [WireComponent; 16]| components.map(|one| one.svn);
            (
                svns(tcb.sgxtcbcomponents),
                tcb.pcesvn,
                tcb.tdxtcbcomponents.map(svns),
            )
        };
        // For TDX a level without TDX components would judge half of a platform.
        (tdx_components.is_some() == (id == "TDX")).then_some(Self {
            components,
            pce_svn,
            tdx_components,
            verdict: LevelVerdict {
                status: wire.tcb_status,
                date: wire.tcb_date.0,
                advisories: wire.advisory_ids,
            },
        })
    }
}

impl From<WireModule> for ModuleIdentity {
    fn from(wire: WireModule) -> Self {
        Self {
            id: wire.id,
            mr_signer: wire.mrsigner.0,
            attributes: wire.attributes.0,
            attributes_mask: wire.attributes_mask.0,
            levels: wire.tcb_levels.into_iter().map(SvnLevel::from).collect(),
        }
    }
}

impl From<WireLevel<WireSvn>> for SvnLevel {
    fn from(wire: WireLevel<WireSvn>) -> Self {
        Self {
            isv_svn: wire.tcb.isvsvn,
            verdict: LevelVerdict {
                status: wire.tcb_status,
                date: wire.tcb_date.0,
                advisories: wire.advisory_ids,
            },
        }
    }
}

impl QeIdentity {
    /// Reads the object, whose signature must be verified.
    pub(super) fn parse(json: &[u8]) -> Result<Self, SignedError> {
        let wire: WireIdentity = serde_json::from_slice(json).map_err(|_| SignedError::Format)?;
        if wire.version != 2 {
            return Err(SignedError::Format);
        }
        Ok(Self {
            id: wire.id,
            window: Window {
                issued: wire.issue_date.0,
                next_update: wire.next_update.0,
            },
            evaluation_number: wire.tcb_evaluation_data_number,
            misc_select: wire.miscselect.0,
            misc_select_mask: wire.miscselect_mask.0,
            attributes: wire.attributes.0,
            attributes_mask: wire.attributes_mask.0,
            mr_signer: wire.mrsigner.0,
            isv_prod_id: wire.isvprodid,
            levels: wire.tcb_levels.into_iter().map(SvnLevel::from).collect(),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireTcbInfo {
    id: Option<String>,
    version: u32,
    issue_date: Time,
    next_update: Time,
    fmspc: Hex<6>,
    pce_id: Hex<2>,
    tcb_type: u32,
    tcb_evaluation_data_number: u32,
    tdx_module: Option<WireModule>,
    #[serde(default)]
    tdx_module_identities: Vec<WireModule>,
    tcb_levels: Vec<WireLevel<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireModule {
    id: Option<String>,
    mrsigner: Hex<48>,
    attributes: Hex<8>,
    attributes_mask: Hex<8>,
    #[serde(default)]
    tcb_levels: Vec<WireLevel<WireSvn>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireLevel<T> {
    tcb: T,
    tcb_date: Time,
    tcb_status: TcbStatus,
    #[serde(default, rename = "advisoryIDs")]
    advisory_ids: Vec<String>,
}

#[derive(Deserialize)]
struct WireTcb {
    sgxtcbcomponents: [WireComponent; 16],
    pcesvn: u16,
    tdxtcbcomponents: Option<[WireComponent; 16]>,
}

#[derive(Deserialize)]
struct WireComponent {
    svn: u8,
}

#[derive(Deserialize)]
struct WireSvn {
    isvsvn: u16,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireIdentity {
    id: String,
    version: u32,
    issue_date: Time,
    next_update: Time,
    tcb_evaluation_data_number: u32,
    miscselect: Hex<4>,
    miscselect_mask: Hex<4>,
    attributes: Hex<16>,
    attributes_mask: Hex<16>,
    mrsigner: Hex<32>,
    isvprodid: u16,
    tcb_levels: Vec<WireLevel<WireSvn>>,
}
