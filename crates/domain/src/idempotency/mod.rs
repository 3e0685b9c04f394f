//! Keys, fingerprints and the record that remembers what a key has come to.

mod answer;
mod fingerprint;
mod key;
mod record;

pub use answer::{SettledAnswer, StoredAnswer};
pub use fingerprint::{Field, Fingerprint, differing_fields};
pub use key::{IdempotencyKey, InvalidIdempotencyKey, KeySpace, RecordId};
pub use record::{
    AfterExpiry, Claim, ClaimTerms, Fence, FenceLost, FoundAnswer, Generation, IdempotencyRecord,
    RecordState, Settlement, Subject,
};
