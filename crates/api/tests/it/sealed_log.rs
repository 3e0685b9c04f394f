//! What the services in this process log, down to the last detail, with no secret in it.

use std::io::{self, Write};
use std::sync::{Mutex, Once, PoisonError};

use payonce_testing::secret_in;
use tracing_subscriber::EnvFilter;

static FOUND: Mutex<Vec<String>> = Mutex::new(Vec::new());
static WATCHED: Once = Once::new();

/// From now on every line is looked at.
pub fn watch() {
    WATCHED.call_once(|| {
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new("debug,payonce=trace,hyper=off,reqwest=off"))
            .with_writer(|| Look)
            .with_ansi(false)
            .init();
    });
}

/// Fails once a line has shown a secret.
pub fn showed_no_secret() {
    let found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(found.is_empty(), "the log shows secrets: {found:?}");
}

/// Is given each line whole.
struct Look;

impl Write for Look {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        if secret_in(&text).is_some() {
            FOUND.lock().unwrap_or_else(PoisonError::into_inner).push(text.into_owned());
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
