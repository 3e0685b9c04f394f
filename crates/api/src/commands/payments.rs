//! `payonce payments show|resolve`.

use payonce_domain::account::AccountId;
use payonce_domain::payment::{Payment, PaymentEvent, PaymentId};
use payonce_domain::use_cases::{Decision, Resolution, Resolved};

use super::{chain, print, runtime};
use crate::cli::{CommandError, PaymentsAction, Resolve, Sources, WhichPayment};
use crate::http::{payment_json, rfc3339};
use crate::settings::Layers;
use crate::wiring::Service;

/// Prints a payment, or settles one in the operator's name.
pub(crate) fn payments(sources: &Sources, action: PaymentsAction) -> Result<(), CommandError> {
    let settings = Layers::load(&sources.files)?.settings()?;
    let lines = runtime()?.block_on(async {
        let service =
            Service::new(&settings).map_err(|error| CommandError::failed("database.url", error))?;
        let lines = match action {
            PaymentsAction::Show(which) => show(&service, &which).await,
            PaymentsAction::Resolve(resolve) => settle(&service, resolve).await,
        };
        service.store.upkeep.close();
        lines
    })?;
    print(lines)
}

async fn show(service: &Service, which: &WhichPayment) -> Result<Vec<String>, CommandError> {
    let (account, id) = named(which)?;
    let failed = |error| CommandError::failed("reading the payment", chain(error));
    let none = || CommandError::Failed(format!("account {} has no payment {id}", account.as_str()));
    let payment = service.store.queries.find(&account, id).await.map_err(failed)?;
    let events = service.store.queries.events(&account, id).await.map_err(failed)?;
    let mut lines = facts(&payment.ok_or_else(none)?);
    lines.extend(events.ok_or_else(none)?.iter().map(event_line));
    Ok(lines)
}

async fn settle(service: &Service, resolve: Resolve) -> Result<Vec<String>, CommandError> {
    let (account, payment) = named(&resolve.which)?;
    let wrong = |option: &str, rule: String| CommandError::Failed(format!("{option} {rule}"));
    let resolution = Resolution {
        account,
        payment,
        operator: payonce_domain::text::Text::parse(resolve.operator)
            .map_err(|error| wrong("--operator", error.to_string()))?,
        reason: payonce_domain::text::Text::parse(resolve.reason)
            .map_err(|error| wrong("--reason", error.to_string()))?,
        decision: if resolve.completed {
            Decision::Completed { reference: resolve.gateway_reference }
        } else {
            Decision::Failed { without_void: resolve.without_void }
        },
    };
    let failed = |error| CommandError::failed("resolving the payment", chain(error));
    match service.resolve.execute(&resolution).await.map_err(failed)? {
        Resolved::Settled(status) => Ok(vec![format!("{payment} is {}", status.as_str())]),
        Resolved::InReview(reason) => {
            Err(CommandError::Failed(format!("{payment} stays NEEDS_REVIEW: {reason}")))
        }
    }
}

fn named(which: &WhichPayment) -> Result<(AccountId, PaymentId), CommandError> {
    let account = which.account.parse();
    let account = account.map_err(|error| CommandError::failed("--account", error))?;
    Ok((account, PaymentId(which.id)))
}

fn facts(payment: &Payment) -> Vec<String> {
    let key = &payment.record.key;
    vec![
        payment_json(payment),
        format!("key          {} (generation {})", key.as_str(), payment.generation.0),
        format!("gateway key  {}", payment.gateway_key),
        format!("gateway      {} {}", payment.gateway.kind, payment.gateway.base_url),
    ]
}

fn event_line(stored: &PaymentEvent) -> String {
    let event = &stored.event;
    let detail = event.detail.as_deref().unwrap_or_default();
    let (kind, actor) = (event.kind.as_str(), event.actor.as_str());
    format!("{}  owner {}  {actor:<8}  {kind:<13}  {detail}", rfc3339(stored.at), event.fence.0)
        .trim_end()
        .to_owned()
}
