//! The answers of one endpoint, gathered by status.

use std::collections::BTreeMap;

use utoipa::openapi::{Content, Header, RefOr, Response, Responses};

use super::headers::{self, AnswerHeader};

/// One kind of answer; several may share a status.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// When it comes.
    pub description: String,
    /// The headers that it has beside those of every answer of its endpoint.
    pub headers: Vec<AnswerHeader>,
    /// The type of its body.
    pub media_type: &'static str,
    /// Its body.
    pub content: Content,
}

/// Gathers answers by status, with the headers that they refer to and those that each of them has.
pub fn gather(
    answers: Vec<Answer>,
    everywhere: &[AnswerHeader],
) -> (Responses, BTreeMap<String, RefOr<Header>>) {
    let mut by_status = BTreeMap::<u16, Vec<Answer>>::new();
    for answer in answers {
        by_status.entry(answer.status).or_default().push(answer);
    }
    let mut used = BTreeMap::new();
    let mut responses = Responses::new();
    for (status, answers) in by_status {
        let descriptions: Vec<_> =
            answers.iter().map(|answer| answer.description.as_str()).collect();
        let mut response = Response::new(descriptions.join(" "));
        let headers: Vec<_> =
            answers.iter().map(|answer| [everywhere, &answer.headers].concat()).collect();
        for header in headers::shared(&headers) {
            response.headers.insert(header.name.to_owned(), RefOr::Ref(header.reference()));
            used.insert(header.component(), header.described().into());
        }
        for answer in answers {
            response.content.insert(answer.media_type.to_owned(), answer.content.into());
        }
        responses.responses.insert(status.to_string(), response.into());
    }
    (responses, used)
}
