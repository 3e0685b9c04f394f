//! Text that a client may store: bounded, and free of what no store or log can hold.

use std::sync::Arc;

/// Why a text is refused; the words are meant for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// Fewer or more characters than allowed.
    #[error("must have {min} to {max} characters")]
    Length {
        /// Fewest characters.
        min: usize,
        /// Most characters.
        max: usize,
    },
    /// A control character, the NUL character included.
    #[error("must not contain control characters")]
    Control,
}

/// A text of `MIN` to `MAX` characters without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text<const MIN: usize, const MAX: usize>(Arc<str>);

impl<const MIN: usize, const MAX: usize> Text<MIN, MAX> {
    /// Checks length and characters.
    pub fn parse(raw: impl AsRef<str>) -> Result<Self, InvalidText> {
        let raw = raw.as_ref();
        if !(MIN..=MAX).contains(&raw.chars().count()) {
            return Err(InvalidText::Length { min: MIN, max: MAX });
        }
        if raw.chars().any(char::is_control) {
            return Err(InvalidText::Control);
        }
        Ok(Self(raw.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
