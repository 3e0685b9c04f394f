//! Time and chance, as the operating system gives them.

use std::time::Duration;

use payonce_domain::payment::PaymentId;
use payonce_domain::ports::{Clock, Random};
use rand::RngExt;
use rustix::time::{ClockId, clock_gettime};
use uuid::Uuid;

/// Elapsed time since boot, suspension included (`CLOCK_BOOTTIME`).
#[derive(Debug, Clone, Copy, Default)]
pub struct BootClock;

impl Clock for BootClock {
    fn elapsed(&self) -> Duration {
        clock_gettime(ClockId::Boottime).try_into().unwrap_or_default()
    }
}

/// Random numbers of the thread's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThreadRandom;

impl Random for ThreadRandom {
    #[expect(clippy::disallowed_methods, reason = "this is the port's implementation")]
    fn payment_id(&self) -> PaymentId {
        PaymentId(Uuid::now_v7())
    }

    /// The thread's generator is fit for secrets, and seeded by the operating system.
    fn secret(&self) -> [u8; 32] {
        rand::rng().random()
    }

    fn up_to(&self, bound: Duration) -> Duration {
        let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(rand::rng().random_range(0..=nanos))
    }
}
