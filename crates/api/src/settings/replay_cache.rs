//! Stored answers that are kept near at hand.

use bytesize::ByteSize;
use serde::Deserialize;

/// More than a machine has.
const MOST: ByteSize = ByteSize::gib(1024);

/// Stored answers that are kept near at hand.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayCacheSettings {
    /// How much of them is kept in this process; nothing is none.
    pub memory: ByteSize,
    /// Whether they are kept in Redis too, where there is one.
    pub redis: bool,
}

impl ReplayCacheSettings {
    pub(super) fn check(&self, problems: &mut Vec<String>) {
        if self.memory > MOST {
            problems.push("replay_cache.memory must not be more than 1TiB".to_owned());
        }
    }
}
