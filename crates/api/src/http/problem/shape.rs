//! How an error is spelled on each route: the formats that this service subsumes keep their own.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use payonce_domain::account::RequestId;
use serde::Serialize;
use utoipa::ToSchema;

use super::{FieldError, Problem};

/// The form of a route's errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A problem document (RFC 9457); on routes that take a key it says whether a new one is safe.
    Problem {
        /// Whether the route takes a key.
        is_keyed: bool,
    },
    /// `{"error": "…"}`.
    Error,
    /// `{"detail": "…"}`, and for a body that breaks rules status 422 with one entry for each.
    Detail,
}

/// An error of the formats that say it in one sentence.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub struct ErrorBody<'a> {
    /// What happened and what to do next, for people.
    error: &'a str,
}

/// An error of the formats that list what a body breaks.
#[derive(Serialize, ToSchema)]
#[schema(as = Detail)]
pub struct DetailBody<'a> {
    detail: Detail<'a>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SentenceOrRules)]
#[serde(untagged)]
enum Detail<'a> {
    /// What happened and what to do next, for people.
    Sentence(String),
    /// Every rule that the body breaks.
    Rules(Vec<BrokenRule<'a>>),
}

/// One rule that a body breaks.
#[derive(Serialize, ToSchema)]
struct BrokenRule<'a> {
    /// Where: `body`, and the field.
    loc: Vec<&'a str>,
    /// Which rule, for people.
    msg: &'a str,
    /// Which rule, for programs.
    r#type: &'a str,
}

impl Shape {
    /// The form of a route, named by its pattern.
    pub fn of_route(is_post: bool, pattern: Option<&str>) -> Self {
        match pattern {
            Some("/pay" | "/payments/start" | "/payments/start/{order_id}") => Self::Error,
            Some(
                "/api/payment/v1/payments"
                | "/v1/webhooks/transactions"
                | "/v1/transactions/{transaction_id:.+}"
                // As the document spells it.
                | "/v1/transactions/{transaction_id}",
            ) => Self::Detail,
            Some("/v1/payments" | "/payments") => Self::Problem { is_keyed: is_post },
            _ => Self::Problem { is_keyed: false },
        }
    }

    /// The answer, for a request of the given id.
    pub fn spell(self, problem: &Problem, request_id: &RequestId) -> HttpResponse {
        let mut head = problem.head();
        head.status(self.status(problem)).content_type(self.media_type());
        head.body(self.body(problem, request_id))
    }

    /// The status.
    pub fn status(self, problem: &Problem) -> StatusCode {
        match self {
            Self::Detail if problem.broken_rules().is_some() => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Problem { .. } | Self::Error | Self::Detail => problem.status(),
        }
    }

    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Problem { .. } => super::CONTENT_TYPE,
            Self::Error | Self::Detail => "application/json",
        }
    }

    pub(super) fn body(self, problem: &Problem, request_id: &RequestId) -> Vec<u8> {
        // Strings always serialise.
        match self {
            Self::Problem { is_keyed } => problem.body(request_id, is_keyed.then_some(false)),
            Self::Error => {
                serde_json::to_vec(&ErrorBody { error: &problem.full_detail() }).unwrap_or_default()
            }
            Self::Detail => {
                let detail = match problem.broken_rules() {
                    Some(rules) => Detail::Rules(rules),
                    None => Detail::Sentence(problem.full_detail()),
                };
                serde_json::to_vec(&DetailBody { detail }).unwrap_or_default()
            }
        }
    }
}

impl Problem {
    /// The detail, with every bad field named.
    fn full_detail(&self) -> String {
        if self.0.errors.is_empty() {
            return self.0.detail.to_string();
        }
        let rules = self.0.errors.iter().map(|error| format!("{} {}", error.field, error.detail));
        format!("Correct the request: {}.", rules.collect::<Vec<_>>().join("; "))
    }

    /// What a body breaks, where that is the problem.
    fn broken_rules(&self) -> Option<Vec<BrokenRule<'_>>> {
        let code = self.0.code;
        match code {
            super::Code::ValidationFailed => {
                Some(self.0.errors.iter().map(BrokenRule::from).collect())
            }
            super::Code::MalformedBody => Some(vec![BrokenRule {
                loc: vec!["body"],
                msg: &self.0.detail,
                r#type: code.as_str(),
            }]),
            _ => None,
        }
    }
}

impl<'a> From<&'a FieldError> for BrokenRule<'a> {
    fn from(error: &'a FieldError) -> Self {
        Self { loc: vec!["body", &error.field], msg: &error.detail, r#type: error.code }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Code;
    use super::*;
    use actix_web::body::to_bytes;

    async fn spelled(shape: Shape, problem: &Problem) -> (u16, String) {
        let request_id = "r1".parse().expect("valid");
        let answer = shape.spell(problem, &request_id);
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body()).await.expect("a whole body");
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    fn bad_field() -> Problem {
        Problem::invalid_fields(vec![FieldError {
            field: "amount".to_owned(),
            code: "required",
            detail: "is required".to_owned(),
        }])
    }

    #[actix_web::test]
    async fn a_bad_field_is_named_in_every_shape() {
        let (status, body) = spelled(Shape::Error, &bad_field()).await;
        assert_eq!(status, 400);
        let expected = r#"{"error":"Correct the request: amount is required."}"#;
        assert_eq!(body, expected);
        let (status, body) = spelled(Shape::Detail, &bad_field()).await;
        assert_eq!(status, 422);
        let expected =
            r#"{"detail":[{"loc":["body","amount"],"msg":"is required","type":"required"}]}"#;
        assert_eq!(body, expected);
    }

    #[actix_web::test]
    async fn what_is_no_fault_of_the_body_keeps_its_status() {
        let problem = Problem::new(Code::StoreUnavailable).detail("Away.");
        let expected = (503, r#"{"detail":"Away."}"#.to_owned());
        assert_eq!(spelled(Shape::Detail, &problem).await, expected);
        let expected = (503, r#"{"error":"Away."}"#.to_owned());
        assert_eq!(spelled(Shape::Error, &problem).await, expected);
    }
}
