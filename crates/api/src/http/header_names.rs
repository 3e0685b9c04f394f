//! Names of headers that no standard crate knows: parsed once.

use actix_web::http::header::HeaderName;

/// The key, as the client sent it.
pub static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Until when the answer is replayed.
pub static IDEMPOTENCY_EXPIRES: HeaderName = HeaderName::from_static("idempotency-expires");
/// Whether somebody else, or an earlier request, settled it.
pub static IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// The request that settled it.
pub static ORIGINAL_REQUEST_ID: HeaderName = HeaderName::from_static("original-request-id");
/// Which preference was honoured (RFC 7240).
pub static PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
