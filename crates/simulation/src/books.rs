//! The gateway's own books: who was charged how often, whatever the service says of it.

use std::collections::HashMap;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use serde::Deserialize;
use url::Url;

use crate::Failure;
use crate::wire::{below, client};

const ANSWER: Duration = Duration::from_secs(10);

/// How many live charges each token of the run has.
pub type Charges = HashMap<String, u64>;

/// A gateway that shows its books.
#[derive(Debug, Clone)]
pub struct Books {
    http: reqwest::Client,
    charges: Url,
}

#[derive(Debug, Deserialize)]
struct Page {
    data: Vec<Entry>,
    next_cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    status: String,
    payment_method: Option<String>,
}

impl Books {
    /// Those of the gateway at that address.
    pub fn new(gateway: &Url) -> Result<Self, Failure> {
        Ok(Self { http: client(ANSWER)?, charges: below(gateway, "charges") })
    }

    /// Whether there are any.
    pub async fn check(&self) -> Result<(), Failure> {
        self.page("limit=1").await.map(|_| ())
    }

    /// The live charges whose token begins so.
    pub async fn live_charges(&self, prefix: &str) -> Result<Charges, Failure> {
        let mut charges = Charges::new();
        let mut cursor = None;
        loop {
            let page = match cursor {
                None => self.page("limit=1000").await?,
                Some(cursor) => self.page(&format!("limit=1000&cursor={cursor}")).await?,
            };
            enter(&mut charges, page.data, prefix);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(charges);
            }
        }
    }

    async fn page(&self, query: &str) -> Result<Page, Failure> {
        let mut url = self.charges.clone();
        url.set_query(Some(query));
        let read = || async {
            let answer = self.http.get(url.clone()).send().await?.error_for_status()?;
            answer.json().await
        };
        let may_pass =
            |error: &reqwest::Error| error.status().is_none_or(|it| it.is_server_error());
        let page: Result<Page, reqwest::Error> =
            read.retry(ExponentialBuilder::default().with_jitter()).when(may_pass).await;
        page.map_err(|error| {
            let shown = "the gateway shows no books (a payonce with fake_gateway.enabled does)";
            Failure::failed(shown, error)
        })
    }
}

fn enter(charges: &mut Charges, entries: Vec<Entry>, prefix: &str) {
    let live = entries.into_iter().filter(|entry| entry.status == "approved");
    for token in live.filter_map(|entry| entry.payment_method) {
        if token.starts_with(prefix) {
            let count = charges.entry(token).or_default();
            *count = count.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_live_charges_of_the_run_count() {
        let entry = |status: &str, token: Option<&str>| Entry {
            status: status.to_owned(),
            payment_method: token.map(str::to_owned),
        };
        let entries = vec![
            entry("approved", Some("tok_a_1")),
            entry("approved", Some("tok_a_1")),
            entry("approved", Some("tok_a_2")),
            entry("declined", Some("tok_a_2")),
            entry("approved", Some("tok_b_1")),
            entry("voided", None),
        ];
        let mut charges = Charges::new();
        enter(&mut charges, entries, "tok_a_");
        let expected = [("tok_a_1".to_owned(), 2), ("tok_a_2".to_owned(), 1)];
        assert_eq!(charges, expected.into());
    }
}
