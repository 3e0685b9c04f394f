//! What a request asks for, in words from a closed set: fit for metrics, spans and logs.

use actix_web::HttpRequest;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;

/// A method and the pattern of a route; never a raw path.
#[derive(Debug, Default, Clone, PartialEq, Eq, Hash)]
pub struct RouteLabel {
    /// The method, or `other`.
    pub method: &'static str,
    /// The route's pattern, or `unmatched`.
    pub route: String,
}

/// Where payments are created, in every wire format.
pub const PAYMENT_ROUTES: [&str; 5] =
    ["/v1/payments", "/payments", "/pay", "/payments/start", "/api/payment/v1/payments"];

impl RouteLabel {
    /// Names a request, which need not have been routed yet.
    pub fn of(request: &ServiceRequest) -> Self {
        let route = pattern(request.request()).unwrap_or_else(|| "unmatched".to_owned());
        Self { method: known(request.method()), route }
    }

    /// Whether it asks for a payment.
    pub fn creates_payment(&self) -> bool {
        self.method == "POST" && PAYMENT_ROUTES.contains(&self.route.as_str())
    }
}

/// The pattern of a request's route, without a slash at its end.
pub fn pattern(request: &HttpRequest) -> Option<String> {
    let mut pattern = request.match_pattern()?;
    if pattern.len() > 1 && pattern.ends_with('/') {
        pattern.pop();
    }
    Some(pattern)
}

fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
