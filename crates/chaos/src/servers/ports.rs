//! Ports that stay ours from one start of a server to the next.

use std::net::TcpListener;

use rand::RngExt;

use crate::Failure;

/// A port below the range from which the kernel serves outgoing connections.
pub fn free_port() -> Result<u16, Failure> {
    for _ in 0..200 {
        let port = rand::rng().random_range(20_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no port is free".into())
}
