//! The `payonce` binary.

use std::process::ExitCode;

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // With huge pages each corner that the allocator has touched is resident as 2 MiB. Where this
    // cannot be chosen it costs memory and nothing else.
    #[cfg(target_os = "linux")]
    let _chosen = rustix::thread::disable_transparent_huge_pages(true);
    payonce_api::cli::run()
}
