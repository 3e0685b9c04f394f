//! Whether the process lives, and whether it takes requests.

mod live;
mod overview;
mod ready;

use serde::Serialize;
use utoipa::ToSchema;

use super::openapi::Endpoint;

pub use live::live;
pub use overview::overview;
pub use ready::ready;

/// How the service is.
#[derive(Serialize, ToSchema)]
struct Health {
    status: &'static str,
}

/// How the document describes these paths.
pub fn documents() -> Vec<Endpoint> {
    vec![overview::document(), live::document(), ready::document()]
}
