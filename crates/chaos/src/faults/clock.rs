//! The service's clock jumps, and nobody else's: nothing that decides may ask it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::Victim;
use crate::Failure;
use crate::scene::{FOLDER, Scene};

/// Where the distributions put the library.
const PLACES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

fn library() -> Option<&'static str> {
    PLACES.into_iter().find(|place| Path::new(place).exists())
}

/// Why clocks cannot be faked here.
pub fn obstacle() -> Option<String> {
    match library() {
        Some(_) => None,
        None => {
            Some("it fakes clocks with libfaketime (Debian: apt-get install libfaketime)".into())
        }
    }
}

fn dial(scene: &Scene) -> PathBuf {
    scene.folder.path().join("clock")
}

/// What makes an instance read its clock through the library.
pub fn settings() -> Vec<(String, String)> {
    let library = library().unwrap_or_default().to_owned();
    let set = |name: &str, value: String| (name.to_owned(), value);
    vec![
        set("LD_PRELOAD", library),
        set("FAKETIME_TIMESTAMP_FILE", format!("{FOLDER}/clock")),
        set("FAKETIME_NO_CACHE", "1".to_owned()),
        // The runtime would stand still without it.
        set("DONT_FAKE_MONOTONIC", "1".to_owned()),
    ]
}

/// Sets the clock back and forth by up to days.
pub async fn jump(victim: &Victim<'_>, random: &mut StdRng) -> Result<(), Failure> {
    for _ in 0..victim.size.faults {
        let from = victim.scene.timeline.now();
        let seconds = match random.random_range(0..4) {
            0 => random.random_range(-3_600..3_600),
            1 => random.random_range(-5..5),
            2 => random.random_range(-86_400 * 30..86_400 * 30),
            _ => random.random_range(-86_400..86_400),
        };
        std::fs::write(dial(victim.scene), format!("{seconds:+}s\n"))?;
        sleep(Duration::from_millis(random.random_range(200..1_200))).await;
        victim.scene.timeline.fault("set the clock", "all instances", from);
    }
    std::fs::write(dial(victim.scene), "+0s\n")?;
    Ok(())
}
