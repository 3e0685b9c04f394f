//! Reads how a charge is to break.

use actix_web::HttpRequest;
use payonce_domain::use_cases::fake_gateway::FakeGatewayMode;
use utoipa::openapi::path::{Parameter, ParameterBuilder};

use super::refusal::Refusal;
use crate::http::openapi::{parameters, values};

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

/// How the document describes it.
pub fn header() -> Parameter {
    let modes = values::names(FakeGatewayMode::ALL.map(FakeGatewayMode::as_str));
    let header = parameters::header(MODE, "What goes wrong with this charge.");
    ParameterBuilder::from(header).schema(Some(modes)).build()
}
