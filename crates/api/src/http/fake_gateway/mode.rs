//! Reads how a charge is to break.

use actix_web::HttpRequest;
use payonce_domain::use_cases::fake_gateway::FakeGatewayMode;

use super::refusal::Refusal;

const MODE: &str = "X-Fake-Gateway-Mode";

/// The mode that a request names, if it names one.
pub fn read(request: &HttpRequest) -> Result<Option<FakeGatewayMode>, Refusal> {
    let Some(name) = request.headers().get(MODE) else {
        return Ok(None);
    };
    let mode = name.to_str().unwrap_or_default().parse();
    mode.map(Some)
        .map_err(|error| Refusal::new("invalid_request", format!("Correct {MODE}: it {error}.")))
}
