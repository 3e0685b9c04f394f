//! The interface's own documentation, held against the real binary: by a validator and by
//! requests that are drawn from the document.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod document;
mod service;
