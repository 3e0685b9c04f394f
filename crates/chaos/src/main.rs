//! Faults against real processes of the service, closed-loop clients, a gateway that keeps the
//! books, and the checker of what is left when it is quiet again.
//!
//! It is a client: it knows the wire, the gateway's protocol and the tables, and must know nothing
//! of the service's code.
#![expect(clippy::print_stdout, reason = "its verdict is what it is for")]

mod books;
mod checker;
mod clients;
mod disk;
mod faults;
mod history;
mod instance;
mod options;
mod page;
mod referee;
mod report;
mod run;
mod scene;
mod servers;
mod timeline;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;

use crate::options::Options;

/// Why a run came to nothing.
type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    // A client wants one even where it never meets TLS; who installs a second one is refused.
    drop(rustls::crypto::ring::default_provider().install_default());
    let ran = tokio::select! {
        ran = run::run(options) => ran,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    match ran {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("chaos: {failure}");
            ExitCode::FAILURE
        }
    }
}
