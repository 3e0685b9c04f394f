//! What the replay cache promises, in memory and on Redis.
#![expect(clippy::expect_used, reason = "a promise that is not kept must fail its test")]

mod fixtures;
mod in_memory;
mod in_redis;
