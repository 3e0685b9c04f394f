//! The last part of a path that may hold anything, slashes included.

use actix_web::HttpRequest;

/// The part without a slash of the path's own end; one that belongs to the part is sent as `%2F`.
pub fn without_own_slash<'a>(request: &HttpRequest, rest: &'a str) -> &'a str {
    match request.path().ends_with('/') {
        true => rest.strip_suffix('/').unwrap_or(rest),
        false => rest,
    }
}
