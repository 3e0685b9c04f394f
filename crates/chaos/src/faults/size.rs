//! How many payments and faults each mode makes.

use serde::Serialize;

use crate::options::{Mode, Options};

/// Numbers of one mode.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Size {
    /// Payments, at least.
    pub payments: u64,
    /// Faults.
    pub faults: u64,
}

impl Size {
    /// As the options say; the shares make a whole run last less than twenty minutes on two cores.
    pub fn of(mode: Mode, options: &Options) -> Self {
        let scaled = |faults: u64| faults.saturating_mul(options.size).div_ceil(100);
        let (share, faults) = match mode {
            Mode::Kill => (1, options.kills),
            Mode::Pause => (4, options.pauses),
            Mode::Sqlite => (4, options.kills / 5),
            Mode::Failpoints => (4, options.hits),
            Mode::Term => (5, scaled(24)),
            Mode::Pgcrash => (5, scaled(15)),
            Mode::Pgkill => (5, scaled(400)),
            Mode::Locks => (6, scaled(14)),
            Mode::Connections => (6, scaled(5)),
            Mode::Disk => (6, scaled(5)),
            Mode::Redis => (6, scaled(18)),
            Mode::Gateway => (5, scaled(8)),
            Mode::Clock => (6, scaled(40)),
            Mode::Cut => (6, scaled(24)),
            Mode::Herd => (8, scaled(6)),
            Mode::Hostile => (8, scaled(4)),
            Mode::Mixed => (5, scaled(40)),
        };
        Self { payments: options.payments.div_ceil(share), faults }
    }
}
