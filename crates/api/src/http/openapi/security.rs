//! How requests prove who asks.

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, RefOr};

/// By a key of an account.
pub const API_KEY: &str = "ApiKey";
/// By the token for metrics.
pub const METRICS_TOKEN: &str = "MetricsToken";

/// Both ways.
pub fn describe(components: &mut Components) {
    for (name, description) in [
        (API_KEY, "A key of an account: `po_live_…`, or `po_test_…` for its test side."),
        (METRICS_TOKEN, "The token that the service was given for this: `auth.metrics_token`."),
    ] {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
        let scheme = scheme.description(Some(description)).build();
        let scheme = RefOr::T(SecurityScheme::Http(scheme));
        components.security_schemes.insert(name.to_owned(), scheme);
    }
}
