//! The body of a charge request, and what it says about the charge that answers it.

use payonce_domain::payment::{PaymentId, PaymentRequest};
use serde::{Deserialize, Serialize};

/// A charge, as the gateway protocol asks for it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ChargeRequest {
    pub amount: String,
    pub currency: String,
    pub reference: String,
    pub payment_method: Option<String>,
}

impl ChargeRequest {
    /// The bytes that are stored, and sent on every attempt.
    pub(super) fn bytes(id: PaymentId, request: &PaymentRequest) -> Vec<u8> {
        let body = Self {
            amount: request.money.to_string(),
            currency: request.money.currency().code().to_owned(),
            reference: id.to_string(),
            payment_method: request.payment_method.as_ref().map(|one| one.as_str().to_owned()),
        };
        // Strings and nulls always serialise.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// Reads stored bytes; `None` when this build did not write them.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use payonce_domain::money::Money;
    use payonce_domain::payment::{Metadata, Operation};
    use payonce_domain::text::Text;
    use uuid::Uuid;

    #[test]
    fn a_request_is_spelled_as_the_protocol_wants_it_and_reads_back() {
        let request = PaymentRequest {
            operation: Operation::CreatePayment,
            money: Money::parse("1e2", "USD".parse().expect("known")).expect("valid"),
            payment_method: Text::parse("tok_\"visa\"").ok(),
            reference: Text::parse("not the gateway's business").ok(),
            description: None,
            metadata: Metadata::default(),
        };
        let id = PaymentId(Uuid::from_u128(7));
        let bytes = ChargeRequest::bytes(id, &request);
        let spelled = r#"{"amount":"100.00","currency":"USD","reference":"00000000-0000-0000-0000-000000000007","payment_method":"tok_\"visa\""}"#;
        assert_eq!(String::from_utf8_lossy(&bytes), spelled);
        let read = ChargeRequest::read(&bytes).expect("readable");
        assert_eq!((read.amount.as_str(), read.currency.as_str()), ("100.00", "USD"));
        assert_eq!(read.payment_method.as_deref(), Some("tok_\"visa\""));

        let plain = PaymentRequest { payment_method: None, ..request };
        assert!(ChargeRequest::bytes(id, &plain).ends_with(br#""payment_method":null}"#));
        assert!(ChargeRequest::read(b"charge").is_none());
    }
}
