//! What is going to be done with each payment, drawn from the seed before the first request: the same
//! seed plans the same, whatever the service does. It must know nothing of answers.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use uuid::Uuid;

use crate::Options;

/// What all payments of a run have in common.
#[derive(Debug, Clone)]
pub struct Plans {
    /// Share that is sent again.
    pub duplicates: f64,
    /// Share that does not wait.
    pub asynchronous: f64,
    /// Share whose first request is broken off.
    pub impatient: f64,
    /// What everything is drawn from.
    pub seed: u64,
    run: String,
}

/// One payment.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Its idempotency key.
    pub key: String,
    /// By what means it is paid: no other payment's, so the gateway's books tell whose charge is whose.
    pub token: String,
    /// The request.
    pub body: String,
    /// Another request, which must never be executed under the key.
    pub other_body: String,
    /// Whether it does not wait.
    pub is_asynchronous: bool,
    /// When its first request is broken off, if it is.
    pub broken_off_after: Option<Duration>,
    /// How it is repeated.
    pub again: Again,
    /// What its pauses are drawn from.
    pub jitter: u64,
}

/// How a payment is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Not at all, but where it is retried.
    Never,
    /// By so many requests more at the same time.
    AtOnce(u32),
    /// After its answer.
    Afterwards,
    /// By another request under the same key, and then after its answer.
    WithOtherBody,
}

impl Plans {
    /// Of a run that has keys of its own.
    pub fn new(options: &Options, seed: u64) -> Self {
        // Letters alone: nothing in it could be taken for the number of a card.
        let letters = Uuid::new_v4().into_bytes().into_iter().take(12);
        let run = letters.map(|byte| char::from(b'a'.saturating_add(byte % 26))).collect();
        let Options { duplicates, asynchronous, impatient, .. } = *options;
        Self { duplicates, asynchronous, impatient, seed, run }
    }

    /// What the tokens of this run begin with.
    pub fn token_prefix(&self) -> String {
        format!("tok_sim_{}_", self.run)
    }

    /// The payment of that number.
    pub fn draw(&self, number: u32) -> Plan {
        let mut random = StdRng::seed_from_u64(self.seed.wrapping_add(u64::from(number) << 32));
        let cents: u64 = random.random_range(100..1_000_000);
        let token = format!("{}{number}", self.token_prefix());
        let body = |cents: u64| {
            let amount = format!("{}.{:02}", cents / 100, cents % 100);
            let reference = format!("simulated payment {number}");
            json!({"amount": amount, "payment_method": token, "reference": reference}).to_string()
        };
        let again = match random.random_bool(self.duplicates) {
            false => Again::Never,
            true => match random.random_range(0..10) {
                0..4 => Again::AtOnce(random.random_range(1..=3)),
                4..8 => Again::Afterwards,
                _ => Again::WithOtherBody,
            },
        };
        let broken_off = random.random_bool(self.impatient);
        let after = Duration::from_millis(random.random_range(1..150));
        Plan {
            key: format!("sim-{}-{number}", self.run),
            body: body(cents),
            other_body: body(cents.saturating_add(1)),
            token,
            is_asynchronous: random.random_bool(self.asynchronous),
            broken_off_after: broken_off.then_some(after),
            again,
            jitter: random.random(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn plans(share: f64, seed: u64) -> Vec<Plan> {
        let mut options = Line::parse_from(["simulate"]).options;
        (options.duplicates, options.asynchronous, options.impatient) = (share, share, share);
        let plans = Plans::new(&options, seed);
        (0..1_000).map(|number| plans.draw(number)).collect()
    }

    #[test]
    fn a_seed_plans_the_same_under_other_keys() {
        let chosen =
            |plan: &Plan| (plan.again, plan.is_asynchronous, plan.broken_off_after, plan.jitter);
        let [one, other, third] =
            [(0.3, 7), (0.3, 7), (0.3, 8)].map(|(share, seed)| plans(share, seed));
        assert!(one.iter().zip(&other).all(|(one, other)| chosen(one) == chosen(other)));
        assert!(one.iter().zip(&other).all(|(one, other)| one.key != other.key));
        assert!(one.iter().zip(&third).any(|(one, third)| chosen(one) != chosen(third)));
    }

    #[test]
    fn as_many_are_repeated_as_was_asked_for_and_in_every_way() {
        let is_plain = |plan: &Plan| {
            plan.again == Again::Never && !plan.is_asynchronous && plan.broken_off_after.is_none()
        };
        let is_rich = |plan: &Plan| {
            plan.again != Again::Never && plan.is_asynchronous && plan.broken_off_after.is_some()
        };
        assert!(plans(0.0, 1).iter().all(is_plain));
        assert!(plans(1.0, 1).iter().all(is_rich));
        let some = plans(0.3, 1);
        let count = |is: fn(&Again) -> bool| some.iter().filter(|plan| is(&plan.again)).count();
        assert!((600..800).contains(&count(|again| *again == Again::Never)));
        assert!(count(|again| matches!(again, Again::AtOnce(_))) > 50);
        assert!(count(|again| *again == Again::Afterwards) > 50);
        assert!(count(|again| *again == Again::WithOtherBody) > 20);
    }

    #[test]
    fn no_two_payments_share_a_key_or_a_token() {
        let all = [plans(0.3, 1), plans(0.3, 1)].concat();
        let distinct = |of: fn(&Plan) -> &str| all.iter().map(of).collect::<HashSet<_>>().len();
        assert_eq!((distinct(|plan| &plan.key), distinct(|plan| &plan.token)), (2_000, 2_000));
        assert!(all.iter().all(|plan| plan.body != plan.other_body));
    }
}
