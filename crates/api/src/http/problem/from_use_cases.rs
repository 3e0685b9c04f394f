//! The only table from what a use case or a port reports to what a client is told.

use std::time::Duration;

use payonce_domain::ports::RepositoryError;
use payonce_domain::use_cases::{CreatePaymentError, StoreOpaqueError};

use super::{Code, Problem};

/// A store that is away may be back in a moment.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// A gateway that is out of reach is tried again after a few seconds.
const GATEWAY_RETRY: Duration = Duration::from_secs(5);

impl From<CreatePaymentError> for Problem {
    fn from(error: CreatePaymentError) -> Self {
        // No `_` arm: a new variant must choose its code.
        match error {
            CreatePaymentError::KeyReused { payment, fields } => {
                Self::new(Code::IdempotencyKeyReused).payment_if(payment).differing_fields(fields)
            }
            CreatePaymentError::InUse { payment, .. } => {
                // The lease is the worst case; most payments take a moment.
                let wait = Duration::from_secs(1);
                Self::new(Code::IdempotencyKeyInUse).payment(payment).retry_after(wait)
            }
            CreatePaymentError::Expired { payment } => {
                Self::new(Code::IdempotencyKeyExpired).payment_if(payment)
            }
            CreatePaymentError::UnknownFingerprintVersion => {
                Self::new(Code::VersionNotSupported).retry_after(STORE_RETRY)
            }
            CreatePaymentError::GatewayUnavailable => {
                Self::new(Code::GatewayUnavailable).retry_after(GATEWAY_RETRY)
            }
            CreatePaymentError::Store(error) => error.into(),
            CreatePaymentError::Interrupted(error) => Self::new(Code::InternalError).cause(error),
        }
    }
}

impl From<StoreOpaqueError> for Problem {
    fn from(error: StoreOpaqueError) -> Self {
        match error {
            StoreOpaqueError::KeyReused => Self::new(Code::IdempotencyKeyReused),
            StoreOpaqueError::Expired => Self::new(Code::ResourceExists),
            StoreOpaqueError::UnknownFingerprintVersion => {
                Self::new(Code::VersionNotSupported).retry_after(STORE_RETRY)
            }
            StoreOpaqueError::Store(error) => error.into(),
        }
    }
}

impl From<RepositoryError> for Problem {
    fn from(error: RepositoryError) -> Self {
        match error {
            RepositoryError::Unavailable(_) => {
                Self::new(Code::StoreUnavailable).retry_after(STORE_RETRY).cause(error)
            }
            RepositoryError::Inconsistent { .. } | RepositoryError::Refused(_) => {
                Self::new(Code::InternalError).cause(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::ResponseError;
    use actix_web::http::header::RETRY_AFTER;

    #[test]
    fn whatever_passes_by_itself_tells_when_to_come_again() {
        let away = || RepositoryError::Unavailable("away".into());
        let problems: [Problem; 6] = [
            CreatePaymentError::UnknownFingerprintVersion.into(),
            CreatePaymentError::GatewayUnavailable.into(),
            CreatePaymentError::Store(away()).into(),
            StoreOpaqueError::UnknownFingerprintVersion.into(),
            StoreOpaqueError::Store(away()).into(),
            away().into(),
        ];
        for problem in problems {
            let answer = problem.error_response();
            assert_eq!(answer.status(), 503, "{problem}");
            assert!(answer.headers().contains_key(RETRY_AFTER), "{problem}");
        }
    }
}
