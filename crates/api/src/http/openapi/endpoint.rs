//! One method of one path, as it describes itself.

use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::path::{Operation, Parameter};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{Components, SchemaType};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{
    Content, ContentBuilder, HttpMethod, ObjectBuilder, PathItem, Ref, RefOr, Required, Schema,
};

use super::answer::{self, Answer};
use super::headers::{AnswerHeader, RATE_LIMIT, RATE_LIMIT_POLICY, REQUEST_ID, WWW_AUTHENTICATE};
use super::security::{API_KEY, METRICS_TOKEN};
use crate::http::problem::{Code, Problem, ProblemAnswer, Shape, problem_answers};
use crate::http::rate_limit;

/// What a client may send to one method of one path, and everything that may come back.
pub struct Endpoint {
    path: &'static str,
    method: HttpMethod,
    operation: Operation,
    shape: Shape,
    answers: Vec<Answer>,
    problems: Vec<ProblemAnswer>,
    schemas: Vec<(String, RefOr<Schema>)>,
}

impl Endpoint {
    /// `GET` of a path.
    pub fn get(path: &'static str, id: &str, summary: &str) -> Self {
        Self::new(HttpMethod::Get, path, id, summary)
    }

    /// `POST` to a path.
    pub fn post(path: &'static str, id: &str, summary: &str) -> Self {
        Self::new(HttpMethod::Post, path, id, summary)
    }

    fn new(method: HttpMethod, path: &'static str, id: &str, summary: &str) -> Self {
        let mut operation = Operation::new();
        operation.operation_id = Some(id.to_owned());
        operation.summary = Some(summary.to_owned());
        let shape = Shape::of_route(method == HttpMethod::Post, Some(path));
        let (answers, problems, schemas) = (Vec::new(), Vec::new(), Vec::new());
        Self { path, method, operation, shape, answers, problems, schemas }
    }

    /// Under which heading it stands.
    #[must_use]
    pub fn tag(mut self, tag: &str) -> Self {
        self.operation.tags = Some(vec![tag.to_owned()]);
        self
    }

    /// What its summary leaves open.
    #[must_use]
    pub fn description(mut self, description: &str) -> Self {
        self.operation.description = Some(description.to_owned());
        self
    }

    /// Something to send beside the body.
    #[must_use]
    pub fn parameter(mut self, parameter: Parameter) -> Self {
        self.operation.parameters.get_or_insert_default().push(parameter.into());
        self
    }

    /// The JSON body to send, with named examples.
    #[must_use]
    pub fn body<T: ToSchema>(mut self, examples: &[(&str, Value)]) -> Self {
        let examples = examples.iter().map(|(name, value)| {
            (*name, RefOr::T(ExampleBuilder::new().value(Some(value.clone())).build()))
        });
        let content = ContentBuilder::new()
            .schema(Some(self.reference::<T>()))
            .examples_from_iter(examples)
            .build();
        let body = RequestBodyBuilder::new().content(mime::APPLICATION_JSON.as_ref(), content);
        let body = body.required(Some(Required::True)).build();
        self.operation.request_body = Some(RefOr::T(body));
        self
    }

    /// A body that may be anything, or left out.
    #[must_use]
    pub fn any_body(mut self, description: &str, example: Value) -> Self {
        let anything = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
        let mut content = Content::new(Some(anything));
        content.example = Some(example);
        let body = RequestBodyBuilder::new().content(mime::APPLICATION_JSON.as_ref(), content);
        let body = body.description(Some(description)).required(Some(Required::False)).build();
        self.operation.request_body = Some(RefOr::T(body));
        self
    }

    /// An answer in JSON.
    #[must_use]
    pub fn answer<T: ToSchema>(
        mut self,
        status: u16,
        description: &str,
        headers: &[AnswerHeader],
        example: Value,
    ) -> Self {
        let mut content = Content::new(Some(self.reference::<T>()));
        content.example = Some(example);
        let (description, headers) = (description.to_owned(), headers.to_vec());
        let media_type = "application/json";
        self.answers.push(Answer { status, description, headers, media_type, content });
        self
    }

    /// A successful answer of another type.
    #[must_use]
    pub fn file(
        mut self,
        media_type: &'static str,
        schema: ObjectBuilder,
        description: &str,
        headers: &[AnswerHeader],
    ) -> Self {
        let content = Content::new(Some(schema));
        let (description, headers) = (description.to_owned(), headers.to_vec());
        self.answers.push(Answer { status: 200, description, headers, media_type, content });
        self
    }

    /// The errors that may come back.
    #[must_use]
    pub fn problems(self, codes: &[Code]) -> Self {
        self.problems_with(&[], codes)
    }

    /// The errors that may come back with these headers.
    #[must_use]
    pub fn problems_with(mut self, headers: &[AnswerHeader], codes: &[Code]) -> Self {
        self.problems.extend(codes.iter().map(|code| ProblemAnswer::of(*code, headers)));
        self
    }

    /// An error that may come back with these headers, as only this route answers it.
    #[must_use]
    pub fn problem(mut self, headers: &[AnswerHeader], sample: Problem) -> Self {
        self.problems.push(ProblemAnswer::new(sample, headers));
        self
    }

    /// The path, and what stands under it.
    pub fn finish(mut self, asks_for_keys: bool) -> (&'static str, PathItem, Components) {
        let mut everywhere = vec![REQUEST_ID];
        if asks_for_keys {
            self.ask_for_key();
        }
        if !rate_limit::is_exempt(self.path) {
            let fields = [RATE_LIMIT, RATE_LIMIT_POLICY];
            everywhere.extend(fields.map(AnswerHeader::sometimes));
            self.problems.push(ProblemAnswer::of(Code::RateLimited, &fields));
        }
        let (problems, schemas) = problem_answers(self.shape, &self.problems);
        self.answers.extend(problems);
        self.schemas.extend(schemas);
        let request_id = Ref::new("#/components/parameters/X-Request-Id");
        self.operation.parameters.get_or_insert_default().push(RefOr::Ref(request_id));
        let (responses, headers) = answer::gather(self.answers, &everywhere);
        self.operation.responses = responses;
        let mut components = Components::new();
        components.schemas.extend(self.schemas);
        components.headers = headers;
        (self.path, PathItem::new(self.method, self.operation), components)
    }

    fn ask_for_key(&mut self) {
        let scheme = match self.path {
            "/metrics" => METRICS_TOKEN,
            path if rate_limit::is_exempt(path) => return,
            _ => API_KEY,
        };
        let no_scopes = <[String; 0]>::default();
        self.operation.security = Some(vec![SecurityRequirement::new(scheme, no_scopes)]);
        let challenge = ProblemAnswer::of(Code::Unauthenticated, &[WWW_AUTHENTICATE]);
        self.problems.push(challenge);
        if scheme == API_KEY {
            self.problems.push(ProblemAnswer::of(Code::KeyOfOtherMode, &[]));
            // Whether a key is good is for the store to say.
            let has_one = self.problems.iter().any(|it| it.is_of(Code::StoreUnavailable));
            if !has_one {
                self.problems.push(ProblemAnswer::of(Code::StoreUnavailable, &[]));
            }
        }
        if scheme == API_KEY && self.method == HttpMethod::Post {
            self.problems.push(ProblemAnswer::of(Code::KeyOnlyReads, &[]));
        }
    }

    fn reference<T: ToSchema>(&mut self) -> Ref {
        self.schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut self.schemas);
        Ref::from_schema_name(T::name())
    }
}
