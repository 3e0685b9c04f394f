//! Fuzz targets that run as tests.
//!
//! A target is a property of all inputs. It is tried on every file of its corpus, on random bytes,
//! and on what random bytes make of the corpus ([`mutation`]): nearly right is where parsers fail.
//! A plain `cargo test` tries a bounded number; `make fuzz` goes on for as long as it is told, and
//! the targets also run under the fuzzers that `cargo bolero` drives.
//!
//! This must not know what is parsed.
#![expect(clippy::expect_used, clippy::panic, reason = "a target that cannot start must fail")]

pub mod mutation;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

pub use bolero;

/// Inputs that a plain `cargo test` tries beside the corpus.
pub const ITERATIONS: usize = 3_000;

/// The longest random input: a recipe is not made better by length.
pub const LONGEST: usize = 256;

/// Tries a property, a `Fn(&[u8])` that panics where it does not hold, on every kind of input. The
/// corpus are the files of `__fuzz__/NAME/corpus` beside the source file. A number between the two
/// is for a property that takes its time: so many inputs in place of [`ITERATIONS`].
#[macro_export]
macro_rules! every_input {
    ($name:literal, $property:expr) => {
        $crate::every_input!($name, $crate::ITERATIONS, $property)
    };
    ($name:literal, $iterations:expr, $property:expr) => {{
        let property = $property;
        let corpus = $crate::corpus(env!("CARGO_MANIFEST_DIR"), file!(), $name);
        let last = $crate::Last::default();
        $crate::bolero::check!(name = $name)
            .with_iterations($iterations)
            .with_max_len($crate::LONGEST)
            .for_each(|input: &[u8]| {
                last.tries(input, property);
                last.tries(&$crate::mutation::mutated(&corpus, input), property);
            });
    }};
}

/// The last input that broke a property. It is shown once, at the end: until then the engine looks
/// for a shorter one.
#[derive(Default)]
pub struct Last(Mutex<Option<Vec<u8>>>);

impl Last {
    /// Tries an input, and notes it where it breaks the property.
    pub fn tries(&self, input: &[u8], property: impl Fn(&[u8])) {
        let tried = Tried { last: self, input };
        property(input);
        drop(tried);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Last {
    fn drop(&mut self) {
        if let Some(input) = self.lock().take() {
            eprintln!("broken by \"{}\"", input.escape_ascii());
        }
    }
}

struct Tried<'a> {
    last: &'a Last,
    input: &'a [u8],
}

impl Drop for Tried<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            *self.last.lock() = Some(self.input.to_vec());
        }
    }
}

/// The files of a target's corpus, in the order of their names.
pub fn corpus(manifest: &str, source: &str, name: &str) -> Vec<Vec<u8>> {
    let mut sources = Path::new(manifest).ancestors().map(|folder| folder.join(source));
    let source = sources.find(|path| path.exists());
    let source = source.unwrap_or_else(|| panic!("the source of {name} is not where it was"));
    let folder = source.with_file_name("__fuzz__").join(name).join("corpus");
    let files = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{name} has no corpus in {}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
    files.sort();
    let corpus: Vec<_> = files.iter().map(|file| fs::read(file).expect("it is readable")).collect();
    assert!(!corpus.is_empty(), "the corpus of {name} is empty");
    corpus
}
