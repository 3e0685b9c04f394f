//! Checks the members of a body or query one by one, and collects everything that is wrong.

use std::borrow::Cow;

use super::json_object::shortened;
use super::problem::{FieldError, Problem};

/// Why one field is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which rule, for programs.
    pub code: &'static str,
    /// Which rule, for people.
    pub detail: String,
}

impl Fault {
    /// A fault in the words of a rule.
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

/// Named values of which each may stand once, and no other than the known ones.
#[derive(Debug)]
pub struct Fields<V> {
    /// Few: looking through them is quicker than a hash.
    values: Vec<(&'static str, V)>,
    errors: Vec<FieldError>,
}

impl<V> Fields<V> {
    /// Sorts values by the known names.
    pub fn new<'a>(
        known: &'static [&'static str],
        values: impl IntoIterator<Item = (Cow<'a, str>, V)>,
    ) -> Self {
        let mut fields = Self { values: Vec::with_capacity(known.len()), errors: Vec::new() };
        for (name, value) in values {
            let Some(&known) = known.iter().find(|known| **known == name) else {
                let detail = format!("is unknown; the fields are {}", known.join(", "));
                fields.refuse(&shortened(&name), Fault::new("unknown_field", detail));
                continue;
            };
            if fields.values.iter().any(|(name, _)| *name == known) {
                fields.refuse(known, Fault::new("duplicate_field", "must stand only once"));
            } else {
                fields.values.push((known, value));
            }
        }
        fields
    }

    /// The value of a field that may be left out.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(V) -> Result<Option<T>, Fault>,
    ) -> Option<T> {
        let place = self.values.iter().position(|(known, _)| *known == name)?;
        let (_, value) = self.values.swap_remove(place);
        match read(value) {
            Ok(value) => value,
            Err(fault) => {
                self.refuse(name, fault);
                None
            }
        }
    }

    /// The value of a field that must be there.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(V) -> Result<Option<T>, Fault>,
    ) -> Option<T> {
        let known_errors = self.errors.len();
        let value = self.optional(name, read);
        if value.is_none() && self.errors.len() == known_errors {
            self.refuse(name, Fault::new("required", "is required"));
        }
        value
    }

    /// Adds an error.
    pub fn refuse(&mut self, field: &str, Fault { code, detail }: Fault) {
        self.errors.push(FieldError { field: field.to_owned(), code, detail });
    }

    /// Fails with everything that was refused.
    pub fn finish(self) -> Result<(), Problem> {
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::invalid_fields(self.errors)) }
    }
}
