//! The body of a charge request, and what it says about the charge that answers it.

use std::borrow::Cow;

use payonce_domain::payment::{PaymentId, PaymentRequest};
use serde::{Deserialize, Serialize};

/// A charge, as the gateway protocol asks for it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ChargeRequest<'a> {
    #[serde(borrow)]
    pub amount: Cow<'a, str>,
    #[serde(borrow)]
    pub currency: Cow<'a, str>,
    #[serde(borrow)]
    pub reference: Cow<'a, str>,
    #[serde(borrow)]
    pub payment_method: Option<Cow<'a, str>>,
}

impl<'a> ChargeRequest<'a> {
    /// The bytes that are stored, and sent on every attempt.
    pub(super) fn bytes(id: PaymentId, request: &'a PaymentRequest) -> Vec<u8> {
        let body = Self {
            amount: request.money.to_string().into(),
            currency: request.money.currency().code().into(),
            reference: id.to_string().into(),
            payment_method: request.payment_method.as_ref().map(|one| one.as_str().into()),
        };
        // Strings and nulls always serialise.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// Reads stored bytes; `None` when this build did not write them.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
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
        assert_eq!((read.amount.as_ref(), read.currency.as_ref()), ("100.00", "USD"));
        assert_eq!(read.payment_method.as_deref(), Some("tok_\"visa\""));

        let plain = PaymentRequest { payment_method: None, ..request };
        assert!(ChargeRequest::bytes(id, &plain).ends_with(br#""payment_method":null}"#));
        assert!(ChargeRequest::read(b"charge").is_none());
    }
}
