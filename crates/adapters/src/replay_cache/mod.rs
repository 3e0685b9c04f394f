//! Settled answers, kept near at hand: in this process, and in Redis for all instances.
//!
//! Must not know who asks, nor what is asked for: the domain compares.

mod in_memory;
mod tiers;

pub use in_memory::AnswersInMemory;
pub use tiers::ReplayTiers;
