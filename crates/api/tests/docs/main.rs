//! The interface's own documentation, held against the real binary: by a validator, by requests
//! that are drawn from the document, and in a browser.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod browser;
mod document;
mod page;
mod service;
