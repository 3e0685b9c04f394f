//! Wrong settings.

use std::fmt;

/// One line for each wrong setting, each naming its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError(Vec<String>);

impl SettingsError {
    /// Takes the lines.
    pub fn new(problems: Vec<String>) -> Self {
        Self(problems)
    }

    /// The lines.
    pub fn problems(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for SettingsError {}
