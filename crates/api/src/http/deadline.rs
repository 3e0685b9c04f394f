//! Ends requests in time.

use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use tokio::time::timeout;

use super::problem::{Code, Problem};

/// The longest time that a request may take.
#[derive(Debug, Clone, Copy)]
pub struct RequestDeadline(pub Duration);

/// Answers for a request that takes longer than the service allows. A payment that has begun
/// runs in a task of its own and goes on.
///
/// Goes around a route, not around the router: that one wants the only handle of a request.
pub async fn end_in_time(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(limit) = request.app_data::<web::Data<RequestDeadline>>().map(|data| data.0) else {
        return next.call(request).await;
    };
    let handle = request.request().clone();
    match timeout(limit, next.call(request)).await {
        Ok(response) => response,
        Err(_late) => {
            let problem = Problem::new(Code::RequestTimeout).retry_after(Duration::from_secs(1));
            Ok(ServiceResponse::from_err(problem, handle))
        }
    }
}
