//! Servers that a run needs and nobody else uses; gone when they are dropped.

mod ports;
pub mod postgres;
pub mod proxy;
pub mod redis;

pub use ports::free_port;
