//! What is demanded of a trust domain.

use crate::dcap::TcbRules;
use crate::identifiers::{Measurement, ReportData};

/// What is demanded of a trust domain beyond a genuine platform.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a rule of its own, named as its setter"
)]
pub struct Rules {
    pub(super) tcb: TcbRules,
    pub(super) accept_memory_faults: bool,
    pub(super) accept_service_td: bool,
    pub(super) accept_key_locker: bool,
    pub(super) accept_performance_monitoring: bool,
    pub(super) modules: Option<Vec<Measurement>>,
    pub(super) measurements: Option<Vec<Measurement>>,
    pub(super) registers: [Option<Measurement>; 4],
    pub(super) event_log_required: bool,
    pub(super) configuration_id: Option<Measurement>,
    pub(super) owner: Option<Measurement>,
    pub(super) owner_configuration: Option<Measurement>,
    pub(super) report_data: Option<ReportData>,
}

impl Rules {
    /// Up-to-date firmware, no debugging, no migration, no other weakening
    /// attribute. What may run is not limited: see [`Rules::measurements`].
    #[must_use]
    pub fn strict() -> Self {
        Self::default()
    }

    /// What is demanded of the firmware.
    #[must_use]
    pub fn tcb(mut self, rules: TcbRules) -> Self {
        self.tcb = rules;
        self
    }

    /// Accepts a trust domain in which the host may raise faults about memory
    /// (`SEPT_VE_DISABLE` not set), and names the gap.
    #[must_use]
    pub fn accept_memory_faults(mut self) -> Self {
        self.accept_memory_faults = true;
        self
    }

    /// Accepts a trust domain to which service trust domains are bound
    /// (`MRSERVICETD` not zero), and names the gap.
    #[must_use]
    pub fn accept_service_td(mut self) -> Self {
        self.accept_service_td = true;
        self
    }

    /// Accepts the attribute `KL`: the guest may use Key Locker.
    #[must_use]
    pub fn accept_key_locker(mut self) -> Self {
        self.accept_key_locker = true;
        self
    }

    /// Accepts the attribute `PERFMON`: the guest may use performance counters.
    #[must_use]
    pub fn accept_performance_monitoring(mut self) -> Self {
        self.accept_performance_monitoring = true;
        self
    }

    /// The TDX module must be one of these (`MRSEAM`); none of an empty list.
    #[must_use]
    pub fn modules(mut self, allowed: Vec<Measurement>) -> Self {
        self.modules = Some(allowed);
        self
    }

    /// The program must be one of these (`MRTD`); none of an empty list.
    #[must_use]
    pub fn measurements(mut self, allowed: Vec<Measurement>) -> Self {
        self.measurements = Some(allowed);
        self
    }

    /// A run-time register, 0 to 3, must have this value; any other register
    /// does not exist, so nothing is demanded of it.
    #[must_use]
    pub fn register(mut self, register: usize, value: Measurement) -> Self {
        if let Some(demanded) = self.registers.get_mut(register) {
            *demanded = Some(value);
        }
        self
    }

    /// An event log must be there; one that is there must fit in any case.
    #[must_use]
    pub fn event_log_required(mut self) -> Self {
        self.event_log_required = true;
        self
    }

    /// `MRCONFIGID` must have this value.
    #[must_use]
    pub fn configuration_id(mut self, value: Measurement) -> Self {
        self.configuration_id = Some(value);
        self
    }

    /// `MROWNER` must have this value.
    #[must_use]
    pub fn owner(mut self, value: Measurement) -> Self {
        self.owner = Some(value);
        self
    }

    /// `MROWNERCONFIG` must have this value.
    #[must_use]
    pub fn owner_configuration(mut self, value: Measurement) -> Self {
        self.owner_configuration = Some(value);
        self
    }

    /// The quote must carry these 64 bytes.
    #[must_use]
    pub fn report_data(mut self, expected: ReportData) -> Self {
        self.report_data = Some(expected);
        self
    }
}
