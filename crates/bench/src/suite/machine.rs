//! What the figures depend on besides the code: the machine, its disk, and how busy it is.

use std::fs::{File, read_to_string};
use std::io::{Seek, Write};
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::Failure;

/// How long the disk is asked.
const PROBE: Duration = Duration::from_secs(1);

/// The facts that stand beside every result.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Processor cores.
    pub cores: usize,
    /// The processor's name.
    pub processor: String,
    /// Memory in GB.
    pub memory_gb: u64,
    /// The kernel's release.
    pub kernel: String,
    /// PostgreSQL's version and settings.
    pub postgres: String,
    /// How often a second 8 KiB reach the disk, one after the other.
    pub syncs_per_second: f64,
    /// The load average of the minute before.
    pub load_before: f64,
    /// Which code was measured.
    pub commit: String,
    /// When it began.
    pub began_at: String,
}

impl Machine {
    /// Asks; the folder is on the disk that is measured.
    pub fn look(folder: &Path, postgres: String) -> Result<Self, Failure> {
        let information = read_to_string("/proc/cpuinfo")?;
        let memory = read_to_string("/proc/meminfo")?;
        let kernel = read_to_string("/proc/sys/kernel/osrelease")?;
        Ok(Self {
            cores: available_parallelism()?.get(),
            processor: field(&information, "model name").unwrap_or("unknown").to_owned(),
            memory_gb: kilobytes(&memory, "MemTotal").unwrap_or_default() / 1_000_000,
            kernel: kernel.trim().to_owned(),
            postgres,
            syncs_per_second: syncs_per_second(folder)?,
            load_before: load()?,
            commit: commit(),
            began_at: now()?,
        })
    }

    /// Whether something else kept it busy.
    pub fn was_busy(&self) -> bool {
        self.load_before > 0.3 * self.cores as f64
    }
}

/// The value behind a name and a colon, as the files in /proc have it.
pub fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then(|| value.trim())
    })
}

/// The same, where it is a number of kilobytes.
pub fn kilobytes(text: &str, name: &str) -> Option<u64> {
    field(text, name)?.strip_suffix(" kB")?.trim().parse().ok()
}

/// How many processes want to run, over the last minute.
pub fn load() -> Result<f64, Failure> {
    let load = read_to_string("/proc/loadavg")?;
    Ok(load.split(' ').next().unwrap_or_default().parse()?)
}

fn syncs_per_second(folder: &Path) -> Result<f64, Failure> {
    let mut file = tempfile::tempfile_in(folder)?;
    let page = [1; 8192];
    // What is overwritten needs no new place, as in a log that is reused.
    put(&mut file, &page)?;
    let began = Instant::now();
    let mut syncs = 0_u32;
    while began.elapsed() < PROBE {
        put(&mut file, &page)?;
        syncs += 1;
    }
    Ok(f64::from(syncs) / began.elapsed().as_secs_f64())
}

fn put(file: &mut File, page: &[u8]) -> Result<(), Failure> {
    file.rewind()?;
    file.write_all(page)?;
    Ok(file.sync_data()?)
}

/// The commit, marked where files differ from it; the results stand without it, too.
fn commit() -> String {
    let described = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    let described = described.ok().filter(|it| it.status.success());
    let described = described.and_then(|it| String::from_utf8(it.stdout).ok());
    described.map_or_else(|| "unknown".to_owned(), |it| it.trim().to_owned())
}

#[expect(clippy::disallowed_methods, reason = "a label for people; it decides nothing")]
fn now() -> Result<String, Failure> {
    Ok(OffsetDateTime::now_utc().replace_nanosecond(0)?.format(&Rfc3339)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tpayonce\nVmHWM:\t   36864 kB\nVmRSS:\t   32768 kB\nThreads:\t12\n";

    #[test]
    fn kilobytes_are_read_by_their_whole_name() {
        assert_eq!(kilobytes(STATUS, "VmRSS"), Some(32_768));
        assert_eq!(kilobytes(STATUS, "VmHWM"), Some(36_864));
        assert_eq!(kilobytes(STATUS, "RSS"), None);
        assert_eq!(kilobytes(STATUS, "Threads"), None);
    }
}
