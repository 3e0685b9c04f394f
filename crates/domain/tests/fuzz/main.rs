//! What the domain reads of texts that anybody may send, tried on every kind of text.
//!
//! A corpus is in `__fuzz__/NAME/corpus`; `payonce_fuzzing` says what is made of it.

mod keys;
mod money;
