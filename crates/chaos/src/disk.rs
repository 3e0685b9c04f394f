//! A disk that is soon full: a small file system in memory, which only root may mount.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::Failure;

/// Mounted until it is dropped.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Whether this process may mount at all; else why not.
    pub fn obstacle() -> Option<String> {
        let probe = tempfile::TempDir::with_prefix("payonce-chaos.").ok()?;
        match Self::mount(probe.path(), "1m") {
            Ok(_unmounted) => None,
            Err(error) => Some(format!("it mounts a small tmpfs, which needs root: {error}")),
        }
    }

    /// Mounts one of that size below the folder.
    pub fn mount(folder: &Path, size: &str) -> Result<Self, Failure> {
        let place = folder.join("disk");
        std::fs::create_dir_all(&place)?;
        let options = std::ffi::CString::new(format!("size={size},mode=0711"))?;
        mount("tmpfs", &place, "tmpfs", MountFlags::empty(), Some(options.as_c_str()))?;
        Ok(Self(place))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Fills it to the last byte, but for so many.
    pub fn fill(&self, but: u64) -> Result<(), Failure> {
        let mut file = File::create(self.ballast())?;
        let block = [1_u8; 64 * 1024];
        while file.write_all(&block).is_ok() {}
        let size = file.metadata()?.len();
        file.set_len(size.saturating_sub(but))?;
        Ok(())
    }

    /// Makes room again.
    pub fn free(&self) -> Result<(), Failure> {
        Ok(std::fs::remove_file(self.ballast())?)
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Also while somebody is still in it.
        let _unmounted = unmount(&self.0, UnmountFlags::DETACH);
    }
}
