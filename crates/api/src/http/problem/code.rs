//! Every error code: its name, status, title and what the client does next.

use actix_web::http::StatusCode;

/// Names a kind of problem, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// A keyed route without a key.
    IdempotencyKeyMissing,
    /// A key that breaks the rules.
    IdempotencyKeyInvalid,
    /// A key that was used for another request.
    IdempotencyKeyReused,
    /// A key whose request still runs.
    IdempotencyKeyInUse,
    /// A key whose answer is gone.
    IdempotencyKeyExpired,
    /// A key that was not seen yet.
    IdempotencyKeyNotFound,
    /// A body that is no JSON object.
    MalformedBody,
    /// Fields that break rules.
    ValidationFailed,
    /// A body over the limit.
    BodyTooLarge,
    /// A body that did not arrive in time.
    BodyTimeout,
    /// A body that is not JSON.
    UnsupportedMediaType,
    /// A path that there is none of.
    RouteNotFound,
    /// A method that the path does not have.
    MethodNotAllowed,
    /// Too many requests.
    RateLimited,
    /// A payment that there is none of.
    PaymentNotFound,
    /// A transaction that there is none of.
    TransactionNotFound,
    /// A webhook without a signature that proves its sender.
    WebhookNotSigned,
    /// A request without a key that is good.
    Unauthenticated,
    /// A key that may only read, and a request that changes something.
    KeyOnlyReads,
    /// A key of the mode that the gateway does not serve.
    KeyOfOtherMode,
    /// A payment that the gateway declined.
    PaymentDeclined,
    /// A payment that failed for good at the gateway.
    GatewayError,
    /// The gateway cannot be reached.
    GatewayUnavailable,
    /// Every attempt of this call failed, and the payment stays open.
    AttemptsFailed,
    /// A payment whose outcome is not known yet, and that nobody may try again.
    PaymentPending,
    /// A key of an operation that was done, whose answer is gone.
    ResourceExists,
    /// An order that there is none of.
    OrderNotFound,
    /// The database cannot be reached.
    StoreUnavailable,
    /// A record of a newer version.
    VersionNotSupported,
    /// The service is going down.
    ShuttingDown,
    /// The request took too long.
    RequestTimeout,
    /// A fault of the service.
    InternalError,
}

impl Code {
    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IdempotencyKeyMissing => "idempotency_key_missing",
            Self::IdempotencyKeyInvalid => "idempotency_key_invalid",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::IdempotencyKeyInUse => "idempotency_key_in_use",
            Self::IdempotencyKeyExpired => "idempotency_key_expired",
            Self::IdempotencyKeyNotFound => "idempotency_key_not_found",
            Self::MalformedBody => "malformed_body",
            Self::ValidationFailed => "validation_failed",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyTimeout => "body_timeout",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::RouteNotFound => "route_not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RateLimited => "rate_limited",
            Self::PaymentNotFound => "payment_not_found",
            Self::TransactionNotFound => "transaction_not_found",
            Self::WebhookNotSigned => "webhook_not_signed",
            Self::Unauthenticated => "unauthenticated",
            Self::KeyOnlyReads => "key_only_reads",
            Self::KeyOfOtherMode => "key_of_other_mode",
            Self::PaymentDeclined => "payment_declined",
            Self::GatewayError => "gateway_error",
            Self::GatewayUnavailable => "gateway_unavailable",
            Self::AttemptsFailed => "attempts_failed",
            Self::PaymentPending => "payment_pending",
            Self::ResourceExists => "resource_exists",
            Self::OrderNotFound => "order_not_found",
            Self::StoreUnavailable => "store_unavailable",
            Self::VersionNotSupported => "version_not_supported",
            Self::ShuttingDown => "shutting_down",
            Self::RequestTimeout => "request_timeout",
            Self::InternalError => "internal_error",
        }
    }

    /// The HTTP status.
    pub fn status(self) -> StatusCode {
        match self {
            Self::IdempotencyKeyMissing
            | Self::IdempotencyKeyInvalid
            | Self::MalformedBody
            | Self::ValidationFailed => StatusCode::BAD_REQUEST,
            Self::PaymentDeclined => StatusCode::PAYMENT_REQUIRED,
            Self::WebhookNotSigned | Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::KeyOnlyReads | Self::KeyOfOtherMode => StatusCode::FORBIDDEN,
            Self::IdempotencyKeyNotFound
            | Self::RouteNotFound
            | Self::PaymentNotFound
            | Self::OrderNotFound
            | Self::TransactionNotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::IdempotencyKeyInUse | Self::PaymentPending | Self::ResourceExists => {
                StatusCode::CONFLICT
            }
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::IdempotencyKeyReused | Self::IdempotencyKeyExpired => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::InternalError | Self::AttemptsFailed => StatusCode::INTERNAL_SERVER_ERROR,
            Self::GatewayError => StatusCode::BAD_GATEWAY,
            Self::GatewayUnavailable
            | Self::StoreUnavailable
            | Self::VersionNotSupported
            | Self::ShuttingDown
            | Self::RequestTimeout => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// A short name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::IdempotencyKeyMissing => "Idempotency key missing",
            Self::IdempotencyKeyInvalid => "Idempotency key invalid",
            Self::IdempotencyKeyReused => "Idempotency key reused for another request",
            Self::IdempotencyKeyInUse => "Request still running",
            Self::IdempotencyKeyExpired => "Idempotency key expired",
            Self::IdempotencyKeyNotFound => "Idempotency key not seen yet",
            Self::MalformedBody => "Malformed body",
            Self::ValidationFailed => "Validation failed",
            Self::BodyTooLarge => "Body too large",
            Self::BodyTimeout => "Body did not arrive",
            Self::UnsupportedMediaType => "Unsupported media type",
            Self::RouteNotFound => "No such route",
            Self::MethodNotAllowed => "Method not allowed",
            Self::RateLimited => "Too many requests",
            Self::PaymentNotFound => "No such payment",
            Self::TransactionNotFound => "No such transaction",
            Self::WebhookNotSigned => "Webhook not signed",
            Self::Unauthenticated => "Not authenticated",
            Self::KeyOnlyReads => "Key only reads",
            Self::KeyOfOtherMode => "Key of the other mode",
            Self::PaymentDeclined => "Payment declined",
            Self::GatewayError => "Gateway error",
            Self::GatewayUnavailable => "Gateway unavailable",
            Self::AttemptsFailed => "Attempts failed",
            Self::PaymentPending => "Payment pending",
            Self::ResourceExists => "Resource exists",
            Self::OrderNotFound => "No such order",
            Self::StoreUnavailable => "Store unavailable",
            Self::VersionNotSupported => "Record of another version",
            Self::ShuttingDown => "Shutting down",
            Self::RequestTimeout => "Request timed out",
            Self::InternalError => "Internal error",
        }
    }

    /// What happened and what the client does next, where nothing more is known.
    pub fn advice(self) -> &'static str {
        match self {
            Self::IdempotencyKeyMissing => {
                "Send an Idempotency-Key header of 1 to 255 visible ASCII characters, the same on \
                 every retry of this payment."
            }
            Self::IdempotencyKeyInvalid => "Correct the Idempotency-Key header.",
            Self::IdempotencyKeyReused => {
                "This key was used for another request, which stands. Send this request under a \
                 key of its own if it is meant as another payment."
            }
            Self::IdempotencyKeyInUse => {
                "The first request with this key still runs. Repeat this one with the same key."
            }
            Self::IdempotencyKeyExpired => {
                "This key was used and its stored answer has expired; nothing was executed. Read \
                 the payment to see what became of it."
            }
            Self::IdempotencyKeyNotFound => {
                "This key was not seen yet. A request on its way may still arrive, so repeat the \
                 same key."
            }
            Self::MalformedBody => "Send one JSON object.",
            Self::ValidationFailed => "Correct the fields listed in errors.",
            Self::BodyTooLarge => "Send a smaller body.",
            Self::BodyTimeout => "Send the whole body without delay.",
            Self::UnsupportedMediaType => {
                "Send Content-Type: application/json, in UTF-8, without content encoding."
            }
            Self::RouteNotFound => "Check the path.",
            Self::MethodNotAllowed => "Use one of the methods named by the Allow header.",
            Self::RateLimited => {
                "Too many requests in too short a time; nothing was done for this one. Repeat it, \
                 with the same key, after the seconds in Retry-After."
            }
            Self::PaymentNotFound => "Check the payment's id.",
            Self::TransactionNotFound => "Transaction not found",
            Self::WebhookNotSigned => {
                "Sign the webhook by the Standard Webhooks scheme, with a secret that is active."
            }
            Self::Unauthenticated => {
                "Send Authorization: Bearer and a key that is good. Nothing was done for this \
                 request; with such a key, repeat it with the same idempotency key."
            }
            Self::KeyOnlyReads => "This key may only read. Use one that may write.",
            Self::KeyOfOtherMode => {
                "Test keys are refused where payments move money, and live keys where they do not. \
                 Use a key of the other mode, or the service for this one."
            }
            Self::PaymentDeclined => {
                "The gateway declined the payment; no money moved. Send a new key for another \
                 try."
            }
            Self::GatewayError => {
                "Every attempt failed, and the gateway confirmed that no money moved or will \
                 move. Send a new key for another try."
            }
            Self::GatewayUnavailable => {
                "The payment gateway cannot be reached; nothing was stored. Repeat the request \
                 with the same key."
            }
            Self::AttemptsFailed => {
                "The payment failed for now and nothing is final. Repeat the request with the same \
                 key: it resumes the same payment."
            }
            Self::PaymentPending => {
                "The outcome of this payment is being settled. Repeat the request with the same \
                 key later."
            }
            Self::ResourceExists => "Resource already exists",
            Self::OrderNotFound => "There is no such order.",
            Self::StoreUnavailable => {
                "The service cannot reach its database. Repeat the request with the same key."
            }
            Self::VersionNotSupported => {
                "This key's record was written by a newer version of the service. Repeat the \
                 request with the same key."
            }
            Self::ShuttingDown => {
                "This instance is shutting down. Repeat the request with the same key on a new \
                 connection."
            }
            Self::RequestTimeout => {
                "The request took too long; a payment that had begun goes on. Repeat the request \
                 with the same key."
            }
            Self::InternalError => {
                "The service failed. Repeat the request with the same key, and give the request \
                 id when you ask for help."
            }
        }
    }
}
