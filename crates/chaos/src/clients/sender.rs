//! A sender of webhooks: each again and again until it is accepted, and then sometimes once more.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::json;
use tokio::time::sleep;

use super::load::Shared;
use crate::history::Webhook;

/// Announces until it is told to stop.
pub async fn announce(shared: Arc<Shared>, number: usize, mut random: StdRng) {
    let mut made = 0_u64;
    while !shared.is_over() {
        made = made.saturating_add(1);
        let id = format!("txn-{number}-{made}");
        let units: u64 = random.random_range(1..1_000_000);
        // Announced in units, kept in hundredths.
        let minor = units.saturating_mul(100);
        let mut webhook = Webhook { id, minor, is_accepted: false, strange: Vec::new() };
        while !webhook.is_accepted && !shared.is_over() {
            webhook.is_accepted = once(&shared, &mut webhook, units, &mut random).await;
            if !webhook.is_accepted {
                sleep(Duration::from_millis(random.random_range(10..100))).await;
            }
        }
        if webhook.is_accepted {
            // A duplicate, and the same id with other contents: the first stays.
            let other = match random.random_range(0..10) {
                0..2 => Some(units),
                2 => Some(units.saturating_add(1)),
                _ => None,
            };
            if let Some(other) = other {
                once(&shared, &mut webhook, other, &mut random).await;
            }
        }
        shared.history.webhooks().push(webhook);
        sleep(Duration::from_millis(random.random_range(0..60))).await;
    }
}

async fn once(shared: &Shared, webhook: &mut Webhook, units: u64, random: &mut StdRng) -> bool {
    let body = json!({
        "transaction_id": webhook.id, "source_account": "acc_chaos",
        "destination_account": "acc_other", "amount": units, "currency": "INR",
    });
    let url = format!("{}/v1/webhooks/transactions", shared.any(random));
    let request = shared.client.post(url).header("Content-Type", "application/json");
    let sent = request.timeout(Duration::from_secs(8)).body(body.to_string()).send().await;
    let status = match sent {
        Ok(answer) => answer.status().as_u16(),
        Err(_) => {
            shared.timeline.saw("no answer");
            shared.timeline.failed("webhook: no answer");
            return false;
        }
    };
    match status {
        202 => {
            shared.timeline.saw("accepted");
            true
        }
        500..=599 | 408 => {
            shared.timeline.saw("refused");
            shared.timeline.failed(format!("webhook: {status}"));
            false
        }
        _ => {
            webhook.strange.push(format!("{status} for a webhook"));
            false
        }
    }
}
