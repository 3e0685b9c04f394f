//! Redis, which makes things faster or lets instances share them, and is never needed.
//!
//! [`RedisLink`] is the connection that everything here shares; what it cannot do in time is done
//! without it. Nothing here may be the only copy of anything.

mod answer_encoding;
mod answers;
mod link;
mod lookups;
mod rate_limiter;

pub use answers::AnswersInRedis;
pub use link::{RedisLink, RedisOptions};
pub use rate_limiter::RedisRateLimiter;
