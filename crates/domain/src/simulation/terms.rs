//! What kind of day a seed has: how many take part, what goes wrong, and how often.
//!
//! Each seed draws its own mixture, so that some runs have one fault and many of it, some all of
//! them, and some none. Times are a few thousandths of the real ones, in the same proportions.

use std::time::Duration;

use super::chance::Chance;
use crate::idempotency::AfterExpiry;
use crate::retry::RetryPolicy;
use crate::use_cases::{PayTerms, ProcessingTerms, RecoveryTerms};

/// Where answers are kept at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cache {
    Off,
    OfEach,
    Shared,
}

/// How often one kind of call to the gateway fares badly, and in which of the ways: some days know
/// one way only.
#[derive(Debug, Clone, Copy)]
pub(super) struct Faults {
    pub(super) share: u64,
    ways: u64,
}

impl Faults {
    /// Calls are heard and nobody answers, by the places of these ways among all.
    const UNANSWERED: Self = Self { share: 950, ways: 0b11000 };

    fn draw(chance: &mut Chance) -> Self {
        let share = if chance.happens(300) { 0 } else { chance.below(900) };
        let ways = if chance.happens(500) { 1 << chance.below(6) } else { chance.draw() };
        Self { share, ways }
    }

    /// Whether this way is one of the day's.
    pub(super) fn has(self, way: usize) -> bool {
        self.ways & (1 << way) != 0
    }
}

/// Times are in milliseconds, shares per mille.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) instances: u64,
    pub(super) keys: u64,
    pub(super) requests: u64,
    pub(super) transactions: u64,
    /// When faults end.
    pub(super) faults_until: u64,
    pub(super) crashes: u64,
    pub(super) pauses: u64,
    pub(super) outages: u64,
    pub(super) absences: u64,
    pub(super) jumps: u64,
    pub(super) flushes: u64,
    pub(super) store_faults: u64,
    pub(super) charge_faults: Faults,
    pub(super) look_up_faults: Faults,
    pub(super) void_faults: Faults,
    pub(super) processing_faults: u64,
    pub(super) declines: u64,
    pub(super) others: u64,
    pub(super) queued: u64,
    pub(super) leavers: u64,
    /// How much later than its caller gave up a request may land.
    pub(super) lateness: u64,
    /// How far the store's clock is off at most.
    pub(super) jump: u64,
    /// How long the gateway knows a key.
    pub(super) gateway_window: u64,
    /// How long after a charge the gateway can still void it.
    pub(super) voidable: u64,
    pub(super) cache: Cache,
    pub(super) after_expiry: AfterExpiry,
    pub(super) memory: u64,
    pub(super) pay: PayTerms,
    pub(super) processing: ProcessingTerms,
}

pub(super) const LEASE: u64 = 800;

impl Terms {
    pub(super) fn draw(chance: &mut Chance) -> Self {
        let many =
            |chance: &mut Chance, most| if chance.happens(400) { 0 } else { chance.below(most) };
        let is_mute = chance.happens(80);
        let faults = |chance: &mut Chance| {
            let drawn = Faults::draw(chance);
            if is_mute { Faults::UNANSWERED } else { drawn }
        };
        let lateness = chance.pick(&[200, 1_000, 3_000]);
        let jump = chance.pick(&[0, 0, 500, 1_500]);
        let dedupe_window = chance.pick(&[2_000, 6_000]);
        let retention = chance.pick(&[600_000, 600_000, 1_500]);
        let time = Duration::from_millis;
        let pay = PayTerms {
            retry: RetryPolicy {
                attempts: chance.pick(&[1, 2, 3]),
                attempt_timeout: time(200),
                deadline: time(600),
                backoff_base: time(20),
                backoff_max: time(80),
            },
            lease: time(LEASE),
            retention: time(retention),
            dedupe_window: time(dedupe_window),
            open_for: time(chance.pick(&[500, 2_000])),
            recovery: RecoveryTerms {
                first_delay: time(100),
                longest_delay: time(600),
                review_after: time(chance.pick(&[1_500, 5_000, 8_000])),
            },
            sends_tests: true,
        };
        let processing = ProcessingTerms {
            attempts: 1_000,
            timeout: time(200),
            lease: time(LEASE),
            first_delay: time(50),
            longest_delay: time(300),
            at_a_time: 2,
        };
        Self {
            instances: chance.between(2, 3),
            keys: chance.between(1, 3),
            requests: chance.between(1, 4),
            transactions: chance.below(3),
            faults_until: chance.pick(&[2_000, 4_000, 9_000]),
            crashes: many(chance, 4),
            pauses: many(chance, 4),
            outages: many(chance, 3),
            absences: many(chance, 3),
            jumps: many(chance, 4),
            flushes: many(chance, 3),
            store_faults: many(chance, 250),
            charge_faults: faults(chance),
            look_up_faults: faults(chance),
            void_faults: faults(chance),
            processing_faults: many(chance, 600),
            declines: many(chance, 300),
            others: many(chance, 300),
            queued: many(chance, 300),
            leavers: many(chance, 300),
            lateness,
            jump,
            // As the real one's day is longer than the service's 23 hours: a request may be late,
            // and the clock that decides may be off either way.
            gateway_window: dedupe_window + lateness + 2 * jump + 500,
            voidable: chance.pick(&[0, 300, 100_000]),
            cache: chance.pick(&[Cache::Off, Cache::OfEach, Cache::Shared]),
            after_expiry: chance.pick(&[AfterExpiry::Refuse, AfterExpiry::Reuse]),
            memory: chance.pick(&[600_000, 600_000, 3_000]),
            pay,
            processing,
        }
    }
}
