//! Save areas: the registers with which a processor starts.
//!
//! Offsets: AMD 24593 (APM volume 2), table B-4. Values: what KVM and the VMM set,
//! which is part of what they measure.

use super::ProcessorSignature;
use super::chain::PAGE_LEN;
use crate::field;

/// Who starts a guest. They differ in the registers and pages they start with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Vmm {
    /// QEMU with KVM.
    Qemu,
    /// Amazon EC2.
    Ec2,
    /// Google Compute Engine.
    GoogleCompute,
}

/// The page of a processor that starts at `start` in real mode.
pub(super) fn save_area(
    vmm: Vmm,
    start: u32,
    signature: ProcessorSignature,
    features: u64,
) -> [u8; PAGE_LEN] {
    let (code, stack, task) = match vmm {
        Vmm::Ec2 if start == RESET => (0x9a, 0x92, 0x83),
        Vmm::Ec2 => (0x9b, 0x92, 0x83),
        _ => (0x9b, 0x93, 0x8b),
    };
    let base = start & 0xffff_0000;
    let mut page = segments([
        Segment::new(0, 0x93, 0xffff, 0),
        Segment::new(0xf000, code, 0xffff, base),
        Segment::new(0, stack, 0xffff, 0),
        Segment::new(0, 0x93, 0xffff, 0),
        Segment::new(0, 0x93, 0xffff, 0),
        Segment::new(0, 0x93, 0xffff, 0),
        Segment::new(0, 0, 0xffff, 0),
        Segment::new(0, 0x82, 0xffff, 0),
        Segment::new(0, 0, 0xffff, 0),
        Segment::new(0, task, 0xffff, 0),
    ]);
    common(&mut page, features);
    put_u64(&mut page, CR0, 0x10);
    put_u64(&mut page, RIP, u64::from(start & 0xffff));
    if vmm == Vmm::GoogleCompute {
        put_u64(&mut page, G_PAT, 0x0007_0106);
    }
    if vmm == Vmm::Qemu {
        put_u64(&mut page, RDX, u64::from(signature.eax()));
        field::put(&mut page, MXCSR, &0x1f80_u32.to_le_bytes());
        field::put(&mut page, X87_FCW, &0x037f_u16.to_le_bytes());
    } else {
        put_u64(&mut page, RDX, 0x600);
    }
    page
}

/// The page of a processor that starts in an SVSM, in protected mode.
pub(super) fn svsm_save_area(entry: u64, signature: ProcessorSignature) -> [u8; PAGE_LEN] {
    let data = Segment::new(16, 0xc93, 0xffff_ffff, 0);
    let mut page = segments([
        data,
        Segment::new(8, 0xc9b, 0xffff_ffff, 0),
        data,
        data,
        data,
        Segment::new(0, 0x93, 0xffff, 0),
        Segment::new(0, 0, 0xffff, 0),
        Segment::new(0, 0x82, 0xffff, 0),
        Segment::new(0, 0, 0xffff, 0),
        Segment::new(0, 0x8b, 0xffff, 0),
    ]);
    common(&mut page, SNP_ACTIVE);
    put_u64(&mut page, CR0, 0x11);
    put_u64(&mut page, RIP, entry);
    put_u64(&mut page, RDX, u64::from(signature.eax()));
    field::put(&mut page, MXCSR, &0x1f80_u32.to_le_bytes());
    page
}

#[derive(Clone, Copy)]
struct Segment {
    selector: u16,
    attributes: u16,
    limit: u32,
    base: u32,
}

impl Segment {
    const fn new(selector: u16, attributes: u16, limit: u32, base: u32) -> Self {
        Self {
            selector,
            attributes,
            limit,
            base,
        }
    }
}

/// ES, CS, SS, DS, FS, GS, GDTR, LDTR, IDTR, TR, 16 bytes each.
fn segments(segments: [Segment; 10]) -> [u8; PAGE_LEN] {
    let mut page = [0; PAGE_LEN];
    for (place, segment) in page.chunks_exact_mut(16).zip(segments) {
        field::put(place, 0, &segment.selector.to_le_bytes());
        field::put(place, 2, &segment.attributes.to_le_bytes());
        field::put(place, 4, &segment.limit.to_le_bytes());
        field::put(place, 8, &u64::from(segment.base).to_le_bytes());
    }
    page
}

fn common(page: &mut [u8; PAGE_LEN], features: u64) {
    // KVM sets EFER.SVME and CR4.MCE; the others are their values at reset.
    for (at, value) in [
        (EFER, 0x1000),
        (CR4, 0x40),
        (DR7, 0x400),
        (DR6, 0xffff_0ff0),
        (RFLAGS, 2),
        (G_PAT, 0x0007_0406_0007_0406),
        (SEV_FEATURES, features),
        (XCR0, 1),
    ] {
        put_u64(page, at, value);
    }
}

fn put_u64(page: &mut [u8; PAGE_LEN], at: usize, value: u64) {
    field::put(page, at, &value.to_le_bytes());
}

/// Where a first processor starts.
pub(super) const RESET: u32 = 0xffff_fff0;
const SNP_ACTIVE: u64 = 1;
const EFER: usize = 0xd0;
const CR4: usize = 0x148;
const CR0: usize = 0x158;
const DR7: usize = 0x160;
const DR6: usize = 0x168;
const RFLAGS: usize = 0x170;
const RIP: usize = 0x178;
const G_PAT: usize = 0x268;
const RDX: usize = 0x310;
const SEV_FEATURES: usize = 0x3b0;
const XCR0: usize = 0x3e8;
const MXCSR: usize = 0x408;
const X87_FCW: usize = 0x410;
