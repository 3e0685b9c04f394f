//! Errors as the document describes them: those of one status together, each with its example.

use std::collections::BTreeMap;

use payonce_domain::account::RequestId;
use payonce_domain::payment::PaymentId;
use utoipa::openapi::example::{Example, ExampleBuilder};
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use super::shape::{DetailBody, ErrorBody};
use super::{Body, Code, FieldError, Problem, Shape};
use crate::http::openapi::headers::{self, AnswerHeader};
use crate::http::openapi::{Answer, values};

impl Code {
    /// What every route answers while the service starts and while it goes down.
    pub const WHILE_NOT_READY: [Self; 2] = [Self::StoreUnavailable, Self::ShuttingDown];
    /// What a route answers whose store or whose time may fail it.
    pub const OF_THE_STORE: [Self; 4] =
        [Self::StoreUnavailable, Self::ShuttingDown, Self::RequestTimeout, Self::InternalError];
    /// What a route answers that cannot read a body.
    pub const OF_A_BODY: [Self; 4] =
        [Self::MalformedBody, Self::BodyTooLarge, Self::BodyTimeout, Self::UnsupportedMediaType];
}

/// A problem as an endpoint answers it.
pub struct ProblemAnswer {
    sample: Problem,
    headers: Vec<AnswerHeader>,
}

impl ProblemAnswer {
    /// With the headers that it has beside those of every problem.
    pub fn new(sample: Problem, headers: &[AnswerHeader]) -> Self {
        Self { sample, headers: headers.to_vec() }
    }

    /// One of that code, as most routes would answer it.
    pub fn of(code: Code, headers: &[AnswerHeader]) -> Self {
        Self::new(sample(code), headers)
    }

    fn code(&self) -> Code {
        self.sample.0.code
    }

    /// Whether it is of that code.
    pub fn is_of(&self, code: Code) -> bool {
        self.code() == code
    }

    fn all_headers(&self) -> Vec<AnswerHeader> {
        let mut all = vec![headers::CACHE_CONTROL];
        if is_passing(self.code()) {
            all.push(headers::RETRY_AFTER);
        }
        all.extend_from_slice(&self.headers);
        all
    }
}

/// One answer for each status of these problems, in the shape of their route; and the schemas
/// that they refer to.
pub fn problem_answers(
    shape: Shape,
    problems: &[ProblemAnswer],
) -> (Vec<Answer>, Vec<(String, RefOr<Schema>)>) {
    let mut by_status = BTreeMap::<u16, Vec<_>>::new();
    for problem in problems {
        let status = shape.status(&problem.sample).as_u16();
        by_status.entry(status).or_default().push(problem);
    }
    let (name, mut schemas) = match shape {
        Shape::Problem { .. } => schemas_of::<Body<'_>>(),
        Shape::Error => schemas_of::<ErrorBody<'_>>(),
        Shape::Detail => schemas_of::<DetailBody<'_>>(),
    };
    if by_status.is_empty() {
        schemas.clear();
    }
    let answer = |(status, problems): (u16, Vec<&ProblemAnswer>)| {
        let codes: Vec<_> = problems.iter().map(|problem| problem.code()).collect();
        let headers = problems.iter().map(|problem| problem.all_headers());
        let examples = problems.iter().map(|it| (it.code().as_str(), example(shape, it)));
        let schema = Ref::from_schema_name(&name).into();
        let schema = match shape {
            Shape::Problem { .. } => narrowed(schema, status, &codes),
            Shape::Error | Shape::Detail => schema,
        };
        Answer {
            status,
            description: describe(&codes),
            headers: headers::shared(&headers.collect::<Vec<_>>()),
            media_type: shape.media_type(),
            content: ContentBuilder::new()
                .schema(Some(schema))
                .examples_from_iter(examples)
                .build(),
        }
    };
    (by_status.into_iter().map(answer).collect(), schemas)
}

fn schemas_of<T: ToSchema>() -> (String, Vec<(String, RefOr<Schema>)>) {
    let name = T::name().into_owned();
    let mut schemas = vec![(name.clone(), <T as PartialSchema>::schema())];
    T::schemas(&mut schemas);
    (name, schemas)
}

/// A problem with this status and one of these codes.
fn narrowed(schema: RefOr<Schema>, status: u16, codes: &[Code]) -> RefOr<Schema> {
    let codes = values::names(codes.iter().map(|code| code.as_str()));
    let status = ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some([status]));
    let these = ObjectBuilder::new().property("status", status).property("code", codes);
    AllOfBuilder::new().item(schema).item(these).into()
}

fn describe(codes: &[Code]) -> String {
    let lines = codes.iter().map(|code| format!("`{}`: {}.", code.as_str(), code.title()));
    lines.collect::<Vec<_>>().join("\n\n")
}

/// Whether the answer says when a repeat makes sense.
fn is_passing(code: Code) -> bool {
    use Code::{AttemptsFailed, IdempotencyKeyInUse, PaymentPending, RateLimited};
    matches!(code, AttemptsFailed | IdempotencyKeyInUse | PaymentPending | RateLimited)
        || code.status().as_u16() == 503
}

/// The real body of such a problem.
fn example(shape: Shape, problem: &ProblemAnswer) -> RefOr<Example> {
    let code = problem.code();
    let body = REQUEST.parse::<RequestId>().ok().and_then(|request_id| {
        let body = match shape {
            Shape::Problem { is_keyed } => {
                let is_final = matches!(code, Code::PaymentDeclined | Code::GatewayError);
                problem.sample.body(&request_id, is_keyed.then_some(is_final))
            }
            Shape::Error | Shape::Detail => shape.body(&problem.sample, &request_id),
        };
        serde_json::from_slice(&body).ok()
    });
    ExampleBuilder::new().summary(code.title()).value(body).into()
}

const REQUEST: &str = "01a1fdeb-6164-7700-8874-1b48ca4b8df4";
const PAYMENT: PaymentId = PaymentId(Uuid::from_u128(0x01a1_fdeb_6164_7700_8874_1b49_e96a_d766));

fn sample(code: Code) -> Problem {
    let problem = Problem::new(code);
    match code {
        Code::ValidationFailed => Problem::invalid_fields(vec![FieldError {
            field: "amount".to_owned(),
            code: "not_positive",
            detail: "must be greater than zero".to_owned(),
        }]),
        Code::IdempotencyKeyReused => {
            problem.payment(PAYMENT).differing_fields(vec!["amount", "currency"])
        }
        Code::IdempotencyKeyInUse | Code::IdempotencyKeyExpired | Code::GatewayError => {
            problem.payment(PAYMENT)
        }
        Code::PaymentDeclined => {
            problem.payment(PAYMENT).decline_code(Some("card_declined".to_owned()))
        }
        _ => problem,
    }
}
