//! A client that pays: one payment after another, each until it has ended or patience has, with
//! duplicates before, during and after, and other requests under the same key.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::load::Shared;
use super::wire::{self, Seen};
use crate::history::{Format, Payment};

/// How long one answer is waited for.
const ANSWER: Duration = Duration::from_secs(8);

/// Pays until it is told to stop.
pub async fn pay(shared: Arc<Shared>, number: usize, mut random: StdRng) {
    let mut made = 0_u64;
    while !shared.is_over() {
        made = made.saturating_add(1);
        let format = match random.random_range(0..10) {
            0 => Format::Pay,
            1 => Format::Order,
            _ => Format::Canonical,
        };
        let key = format!("{}-{number}-{made}", shared.terms.key_prefix);
        let cents = random.random_range(100..1_000_000);
        let mut payment = Payment::new(format, key, cents);
        one(&shared, &mut payment, &mut random).await;
        shared.history.payments().push(payment);
        shared.ended();
        shared.rest(&mut random).await;
    }
}

async fn one(shared: &Shared, payment: &mut Payment, random: &mut StdRng) {
    let began = Instant::now();
    let mut is_first = true;
    loop {
        let count = match is_first && random.random_range(0..1_000) < shared.terms.duplicates {
            true => shared.terms.crowd.max(2),
            false => 1,
        };
        is_first = false;
        let asked = (0..count).map(|_| ask(shared, payment, &body_of(shared, payment), random));
        // Drawn before any of them is sent.
        let asked: Vec<_> = asked.collect();
        for seen in futures_util::future::join_all(asked).await {
            note(shared, payment, seen);
        }
        let is_mutated = random.random_range(0..1_000) < shared.terms.mutations;
        if payment.is_known && is_mutated {
            mutated(shared, payment, random).await;
        }
        if payment.first.is_some() {
            break;
        }
        if began.elapsed() > shared.terms.patience || shared.is_over() {
            return;
        }
        sleep(Duration::from_millis(random.random_range(10..120))).await;
    }
    while random.random_range(0..1_000) < shared.terms.repeats {
        let seen = ask(shared, payment, &body_of(shared, payment), random).await;
        note(shared, payment, seen);
    }
}

/// The body of its request.
pub fn body_of(shared: &Shared, payment: &Payment) -> String {
    wire::body(payment.format, &payment.key, payment.cents, &shared.terms.token)
}

/// Asks an instance drawn by chance.
pub fn ask(
    shared: &Shared,
    payment: &Payment,
    body: &str,
    random: &mut StdRng,
) -> impl Future<Output = Seen> + Send + use<> {
    let request =
        wire::request(&shared.client, shared.any(random), payment.format, &payment.key, body);
    let format = payment.format;
    let timeline = Arc::clone(&shared.timeline);
    async move {
        let asked = Instant::now();
        let seen = wire::send(request, format, ANSWER).await;
        timeline.waited(asked.elapsed());
        timeline.saw(seen.kind());
        if let Some(failure) = seen.failure() {
            timeline.failed(failure);
        }
        seen
    }
}

/// Asks for another amount under its key: it must be refused whatever happens.
pub async fn mutated(shared: &Shared, payment: &mut Payment, random: &mut StdRng) {
    let other = Payment { cents: payment.cents.saturating_add(1), ..payment.clone() };
    let seen = ask(shared, payment, &body_of(shared, &other), random).await;
    payment.requests = payment.requests.saturating_add(1);
    match seen {
        Seen::Final(answer) => payment.leaked.push(format!("{} for another amount", answer.status)),
        Seen::Pending | Seen::LeftOpen => payment.leaked.push("accepted another amount".to_owned()),
        Seen::Strange(what) => payment.strange.push(what),
        _ => {}
    }
}

/// Writes down what one request saw.
pub fn note(shared: &Shared, payment: &mut Payment, seen: Seen) {
    payment.requests = payment.requests.saturating_add(1);
    match seen {
        Seen::Final(answer) => {
            payment.ended(answer);
            shared.finals.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        Seen::Pending | Seen::InUse => payment.is_known = true,
        Seen::Mismatch => payment.strange.push("422 for its own request".to_owned()),
        Seen::Strange(what) => payment.strange.push(what),
        Seen::LeftOpen | Seen::GatewayAway | Seen::Refused | Seen::Failed(_) | Seen::Nothing(_) => {
        }
    }
}
