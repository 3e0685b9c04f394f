//! Measures and traces the protocol's transactions, whichever store runs them, and says in the log
//! which payments this process has completed.
//!
//! It sees every write that an owner attempts, so it is where a lost fence shows. Keys are neither
//! measured nor traced nor logged.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use metrics::{Counter, counter, describe_counter, describe_histogram, histogram};
use payonce_domain::idempotency::{Fingerprint, RecordId, SettledAnswer};
use payonce_domain::payment::{Failure, PaymentState, PaymentStatus};
use payonce_domain::ports::{
    HandOver, HandOverTo, LeaseRenewal, OpenPayment, Opened, Owned, OwnedBy, PaymentRepository,
    Renewed, RepositoryError, Settle, Settled, TakeDue, TakeReviewed,
};
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

use crate::measurements::{Durations, Measurements};

const DURATION: &str = "payonce_store_call_duration_seconds";
const FENCED: &str = "payonce_fenced_writes_total";
const TAKE_OVERS: &str = "payonce_lease_take_overs_total";
const RETRIES: &str = "payonce_gateway_retries_total";
const SETTLED: &str = "payonce_payments_settled_total";
const UNKNOWN: &str = "payonce_unknown_outcomes_total";
const LEFT_OPEN: &str = "payonce_left_open_total";
const REVIEWS: &str = "payonce_reviews_total";

/// A repository whose transactions are measured.
pub struct MeasuredRepository {
    repository: Arc<dyn PaymentRepository>,
    durations: Durations,
    counters: Counters,
}

/// Counters that stand at zero until something happens.
struct Counters {
    fenced_renewals: Counter,
    fenced_hand_overs: Counter,
    fenced_settles: Counter,
    taken_by_retry: Counter,
    taken_by_recovery: Counter,
    taken_by_operator: Counter,
    retries: Counter,
    completed: Counter,
    declined: Counter,
    failed: Counter,
    unknown: Counter,
    left_open: Counter,
    reviews: Counter,
}

impl Counters {
    /// `gateway` is the kind of gateway that this service speaks to.
    fn new(gateway: &str) -> Self {
        describe_histogram!(
            DURATION,
            "How long a transaction of the protocol took, its connection's queue included."
        );
        describe_counter!(
            FENCED,
            "Writes refused because another owner had taken the payment over meanwhile."
        );
        describe_counter!(
            TAKE_OVERS,
            "Payments taken over from an owner that died or gave them up, by who took them."
        );
        describe_counter!(RETRIES, "Sends of a charge beyond the payment's first.");
        describe_counter!(SETTLED, "Payments that this process has brought to their end.");
        describe_counter!(UNKNOWN, "Payments left to recovery because nothing was proved.");
        describe_counter!(LEFT_OPEN, "Times a payment was left for its client's next try.");
        describe_counter!(REVIEWS, "Payments left to an operator.");
        let fenced = |operation: &'static str| counter!(FENCED, "operation" => operation);
        let taken = |by: &'static str| counter!(TAKE_OVERS, "by" => by);
        let settled = |outcome: &'static str| counter!(SETTLED, "outcome" => outcome, "gateway" => gateway.to_owned());
        Self {
            fenced_renewals: fenced("renew"),
            fenced_hand_overs: fenced("hand_over"),
            fenced_settles: fenced("settle"),
            taken_by_retry: taken("retry"),
            taken_by_recovery: taken("recovery"),
            taken_by_operator: taken("operator"),
            retries: counter!(RETRIES, "gateway" => gateway.to_owned()),
            completed: settled("completed"),
            declined: settled("payment_declined"),
            failed: settled("gateway_error"),
            unknown: counter!(UNKNOWN, "gateway" => gateway.to_owned()),
            left_open: counter!(LEFT_OPEN, "gateway" => gateway.to_owned()),
            reviews: counter!(REVIEWS, "gateway" => gateway.to_owned()),
        }
    }

    fn taken(&self, owned: &Owned) {
        match owned.by {
            OwnedBy::TakeOver => self.taken_by_retry.increment(1),
            // What was only accepted had no owner before.
            OwnedBy::Recovery if owned.payment.attempts > 0 => self.taken_by_recovery.increment(1),
            OwnedBy::Operator => self.taken_by_operator.increment(1),
            OwnedBy::Opening | OwnedBy::Recovery => {}
        }
    }

    /// Counts payments that end so.
    fn of(&self, state: &PaymentState) -> Option<&Counter> {
        match state {
            PaymentState::Completed { .. } => Some(&self.completed),
            PaymentState::Failed { failure: Failure::Declined { .. }, .. } => Some(&self.declined),
            PaymentState::Failed { failure: Failure::GatewayError, .. } => Some(&self.failed),
            PaymentState::Processing | PaymentState::NeedsReview => None,
        }
    }
}

impl MeasuredRepository {
    /// Measures the transactions of a repository, for a service that speaks to this kind of
    /// gateway.
    pub fn new(
        repository: Arc<dyn PaymentRepository>,
        gateway: &str,
        measurements: Measurements,
    ) -> Self {
        let counters = measurements.record(|| Counters::new(gateway));
        let durations = Durations::new(
            measurements,
            |(call, outcome)| histogram!(DURATION, "call" => call, "outcome" => outcome),
        );
        Self { repository, durations, counters }
    }

    async fn run<T>(
        &self,
        call: &'static str,
        span: Span,
        work: impl Future<Output = Result<T, RepositoryError>> + Send,
        outcome: impl FnOnce(&T) -> &'static str,
    ) -> Result<T, RepositoryError> {
        let began = Instant::now();
        let done = work.instrument(span.clone()).await;
        let outcome = match &done {
            Ok(done) => outcome(done),
            Err(error) => {
                span.record("otel.status_code", "ERROR");
                match error {
                    RepositoryError::Unavailable(_) => "unavailable",
                    RepositoryError::Inconsistent { .. } => "inconsistent",
                    RepositoryError::Refused(_) => "refused",
                }
            }
        };
        span.record("outcome", outcome);
        self.durations.record((call, outcome), began.elapsed());
        done
    }
}

/// The span of a transaction; its macro wants the name as it stands.
macro_rules! span_of {
    ($name:literal $(, $($field:tt)*)?) => {
        info_span!($name, outcome = Empty, otel.status_code = Empty $(, $($field)*)?)
    };
}

#[async_trait]
impl PaymentRepository for MeasuredRepository {
    async fn open(&self, open: Arc<OpenPayment>) -> Result<Opened, RepositoryError> {
        let span = span_of!("open", payment = Empty);
        let work = self.repository.open(open);
        let opened = self.run("open", span.clone(), work, opening).await?;
        if let Opened::Owned(owned) = &opened {
            span.record("payment", tracing::field::display(owned.payment.id));
            self.counters.taken(owned);
        }
        Ok(opened)
    }

    fn expects_repeats(&self) -> bool {
        self.repository.expects_repeats()
    }

    async fn replay(
        &self,
        record: &RecordId,
        fingerprint: &Fingerprint,
    ) -> Result<Option<SettledAnswer>, RepositoryError> {
        let work = self.repository.replay(record, fingerprint);
        let some = |found: &Option<_>| if found.is_none() { "none" } else { "replay" };
        self.run("replay", span_of!("replay"), work, some).await
    }

    async fn renew(&self, renewal: LeaseRenewal) -> Result<Renewed, RepositoryError> {
        let is_retry = !renewal.void_intended && renewal.attempts > 1;
        let span = span_of!("renew", payment = %renewal.payment, attempts = renewal.attempts);
        let renewed = self.run("renew", span, self.repository.renew(renewal), renewing).await?;
        match renewed {
            Renewed::Granted if is_retry => self.counters.retries.increment(1),
            Renewed::Granted => {}
            Renewed::FenceLost => self.counters.fenced_renewals.increment(1),
        }
        Ok(renewed)
    }

    /// Asked again and again, mostly for nothing: it belongs to no trace.
    async fn take_due(&self, take: TakeDue) -> Result<Vec<Owned>, RepositoryError> {
        let work = self.repository.take_due(take);
        let some = |taken: &Vec<Owned>| if taken.is_empty() { "none" } else { "taken" };
        let taken = self.run("take_due", Span::none(), work, some).await?;
        taken.iter().for_each(|owned| self.counters.taken(owned));
        Ok(taken)
    }

    async fn take_reviewed(&self, take: TakeReviewed) -> Result<Option<Owned>, RepositoryError> {
        let span = span_of!("take_reviewed", payment = %take.payment);
        let work = self.repository.take_reviewed(take);
        let some = |taken: &Option<Owned>| if taken.is_none() { "none" } else { "taken" };
        let taken = self.run("take_reviewed", span, work, some).await?;
        taken.iter().for_each(|owned| self.counters.taken(owned));
        Ok(taken)
    }

    async fn hand_over(&self, hand_over: HandOver) -> Result<Renewed, RepositoryError> {
        let to = hand_over.to;
        let span = span_of!("hand_over", payment = %hand_over.payment);
        let work = self.repository.hand_over(hand_over);
        let renewed = self.run("hand_over", span, work, renewing).await?;
        match (renewed, to) {
            (Renewed::FenceLost, _) => self.counters.fenced_hand_overs.increment(1),
            (Renewed::Granted, HandOverTo::Recovery(_)) => self.counters.unknown.increment(1),
            (Renewed::Granted, HandOverTo::Client { .. }) => self.counters.left_open.increment(1),
            (Renewed::Granted, HandOverTo::Review) => self.counters.reviews.increment(1),
        }
        Ok(renewed)
    }

    async fn settle(&self, settle: Box<Settle>) -> Result<Settled, RepositoryError> {
        let (id, account) = (settle.payment.id, settle.payment.record.account.clone());
        let (counter, status) = (self.counters.of(&settle.payment.state), settle.payment.status());
        let span = span_of!("settle", payment = %id);
        let work = self.repository.settle(settle);
        let settled = self.run("settle", span, work, settling).await?;
        match &settled {
            Settled::Stored(answer) => {
                counter.inspect(|counter| counter.increment(1));
                if status == PaymentStatus::Completed {
                    tracing::info!(
                        request_id = answer.request_id.as_str(),
                        account = account.as_str(),
                        payment = %id,
                        "Payment processed"
                    );
                }
            }
            Settled::FenceLost => self.counters.fenced_settles.increment(1),
        }
        Ok(settled)
    }
}

fn opening(opened: &Opened) -> &'static str {
    match opened {
        Opened::Owned(owned) => match owned.by {
            OwnedBy::TakeOver => "taken_over",
            OwnedBy::Opening | OwnedBy::Recovery | OwnedBy::Operator => "owned",
        },
        Opened::Pending(_) => "pending",
        Opened::Replay(_) => "replay",
        Opened::InUse { .. } => "in_use",
        Opened::Mismatch { .. } => "mismatch",
        Opened::Expired { .. } => "expired",
        Opened::UnknownFingerprintVersion => "unknown_version",
    }
}

fn renewing(renewed: &Renewed) -> &'static str {
    match renewed {
        Renewed::Granted => "granted",
        Renewed::FenceLost => "fence_lost",
    }
}

fn settling(settled: &Settled) -> &'static str {
    match settled {
        Settled::Stored(_) => "stored",
        Settled::FenceLost => "fence_lost",
    }
}
