//! Whether the process lives, and whether it takes requests.

mod live;
mod ready;

pub use live::live;
pub use ready::ready;
