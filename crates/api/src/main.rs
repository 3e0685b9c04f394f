//! The `payonce` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    payonce_api::cli::run()
}
