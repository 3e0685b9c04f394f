//! Whether the process lives, and whether it takes requests.

mod live;
mod overview;
mod ready;

pub use live::live;
pub use overview::overview;
pub use ready::ready;
