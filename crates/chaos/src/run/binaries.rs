//! Which builds of the service are run.

use std::path::{Path, PathBuf};

use crate::Failure;
use crate::options::{Mode, Options};

/// Only a build that can be broken holds this word.
const BREAKABLE: &[u8] = b"PAYONCE_SABOTAGE";

/// The builds.
pub struct Binaries {
    /// The one that serves.
    pub real: PathBuf,
    /// The one with failpoints and breaks, where it was built.
    pub breakable: Option<PathBuf>,
}

impl Binaries {
    /// Finds them beside this binary, and makes sure that each is what it is taken for.
    pub fn find(options: &Options) -> Result<Self, Failure> {
        let beside = |name: &str| Ok::<_, Failure>(std::env::current_exe()?.with_file_name(name));
        let real = beside("payonce")?;
        if !real.exists() {
            return Err("build the service first: make chaos does".into());
        }
        if is_breakable(&real)? {
            return Err(
                "the binary beside this one can be broken: build it without features".into()
            );
        }
        let breakable = Some(beside("payonce-breakable")?).filter(|path| path.exists());
        let wants = |mode| options.modes.is_empty() || options.modes.contains(&mode);
        if breakable.is_none() && (options.prove || wants(Mode::Failpoints)) {
            return Err("build the breakable service too: make chaos does".into());
        }
        if let Some(path) = &breakable
            && !is_breakable(path)?
        {
            return Err("payonce-breakable cannot be broken: build it with its features".into());
        }
        Ok(Self { real, breakable })
    }
}

fn is_breakable(binary: &Path) -> Result<bool, Failure> {
    let bytes = std::fs::read(binary)?;
    Ok(bytes.windows(BREAKABLE.len()).any(|window| window == BREAKABLE))
}
