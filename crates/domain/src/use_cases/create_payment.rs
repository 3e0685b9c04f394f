//! Creates a payment, or gives a repeat the answer that its key already has.
//!
//! Opening and paying run in a task of their own: a client that goes away does not stop a
//! payment that has begun. Waiting for somebody else's payment stays with the caller.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::running::{Joined, OpeningEnd, RunningGuard};
use super::{Paid, PayPayment, RunningPayments, Waiters};
use crate::account::RequestId;
use crate::failpoints::reach;
use crate::gateway::GatewayKeySecret;
use crate::idempotency::{AfterExpiry, Fingerprint, RecordId, SettledAnswer};
use crate::payment::{FingerprintedRequest, Payment, PaymentId, PaymentRequest};
use crate::ports::{IdempotencyRepository, OpenPayment, Opened, RepositoryError};
use crate::use_cases::pay::PayError;

/// What the service grants to every request.
#[derive(Debug, Clone)]
pub struct CreateTerms {
    /// Derives gateway keys.
    pub key_secret: GatewayKeySecret,
    /// What an expired key does.
    pub after_expiry: AfterExpiry,
}

/// The use case.
pub struct CreatePayment {
    /// Pays what this opens or takes over.
    pub pay: Arc<PayPayment>,
    /// Known keys, which are answered also while the gateway is out of reach.
    pub keys: Arc<dyn IdempotencyRepository>,
    /// Duplicates in this process.
    pub waiters: Arc<Waiters>,
    /// What this process is at: its duplicates wait without asking the store.
    pub running: Arc<RunningPayments>,
    /// Tasks that a shutdown waits for, before it ends the threads on which requests, and so these
    /// tasks, run.
    pub tasks: TaskTracker,
    /// Tells the recovery worker of accepted payments.
    pub bell: Arc<Notify>,
    /// What the service grants.
    pub terms: CreateTerms,
}

/// One request.
#[derive(Debug, Clone)]
pub struct CreatePaymentCommand {
    /// The key, with its account and key space.
    pub record: RecordId,
    /// Who asks.
    pub request_id: RequestId,
    /// What is asked for.
    pub request: PaymentRequest,
    /// How long a duplicate of a running request waits for its answer.
    pub wait: Duration,
    /// Answer at once, and leave the paying to the recovery worker.
    pub respond_async: bool,
}

/// What a request is told.
#[derive(Debug)]
pub enum CreatePaymentOutcome {
    /// The final answer.
    Settled {
        /// The answer.
        answer: Arc<SettledAnswer>,
        /// Whether somebody else, or an earlier request, settled it.
        is_replay: bool,
    },
    /// Every attempt of this request failed: nothing is final, and a repeat tries again.
    LeftOpen(Box<Payment>),
    /// Not final: the payment as it is now.
    Pending {
        /// The payment.
        payment: Box<Payment>,
        /// Why it could not be written down, where that is so.
        cause: Option<PayError>,
    },
}

/// Why a request gets no payment.
#[derive(Debug, thiserror::Error)]
pub enum CreatePaymentError {
    /// The key was used for another request.
    #[error("the key was used for another request")]
    KeyReused {
        /// The payment that the key belongs to, if it belongs to one.
        payment: Option<PaymentId>,
        /// The names of the fields that differ.
        fields: Vec<&'static str>,
    },
    /// The same request is still running.
    #[error("the same request is still running")]
    InUse {
        /// The payment under way.
        payment: PaymentId,
        /// When a repeat makes sense.
        retry_after: Duration,
    },
    /// The key's answer has expired.
    #[error("the key's answer has expired")]
    Expired {
        /// The payment that the key belongs to, if it belongs to one.
        payment: Option<PaymentId>,
    },
    /// The record was written by a newer version.
    #[error("the record was written by another version of this service")]
    UnknownFingerprintVersion,
    /// The gateway is out of reach; nothing was stored.
    #[error("the gateway is out of reach")]
    GatewayUnavailable,
    /// The store failed while opening.
    #[error("opening the payment failed")]
    Store(#[source] RepositoryError),
    /// The task stopped before its end.
    #[error("the task that pays stopped before its end")]
    Interrupted(#[source] tokio::task::JoinError),
}

enum Started {
    Done(CreatePaymentOutcome),
    InUse { payment: PaymentId, lease_left: Duration },
}

impl CreatePayment {
    /// Runs the request to its answer.
    pub async fn execute(
        self: &Arc<Self>,
        command: CreatePaymentCommand,
    ) -> Result<CreatePaymentOutcome, CreatePaymentError> {
        let CreatePaymentCommand { record, request_id, request, wait, respond_async } = command;
        let request = FingerprintedRequest::from(request);
        let replayed = |answer| Ok(CreatePaymentOutcome::Settled { answer, is_replay: true });
        if let Some(answer) = self.pay.replays.find(&record, request.fingerprint()).await {
            return replayed(answer);
        }
        let mut first = self.first_to_look(&record, request.fingerprint());
        if let Some(first) = &first
            && let Some(answer) = self.look(&record, request.fingerprint(), first).await?
        {
            return replayed(answer);
        }
        self.refuse_while_gateway_is_away(&record).await?;
        let mut open = Arc::new(self.open_command(record, request_id, request, respond_async));
        let deadline = Instant::now() + wait;
        let mut polls = polls();
        let mut waiting = None;
        loop {
            let (payment, lease_left) = match self.start_or_join(&open, first.take()).await? {
                Started::Done(outcome) => return Ok(outcome),
                Started::InUse { payment, lease_left } => (payment, lease_left),
            };
            // This request has seen the key unexpired: if it expires meanwhile, it is not reused.
            Arc::make_mut(&mut open).after_expiry = AfterExpiry::Refuse;
            let left = deadline.saturating_duration_since(Instant::now());
            let in_use = CreatePaymentError::InUse { payment, retry_after: lease_left };
            if left.is_zero() {
                return Err(in_use);
            }
            let listening = waiting.take().filter(|one: &super::Waiting| one.payment() == payment);
            let Some(mut listening) = listening else {
                // Look once more: it may have settled before anybody listened.
                waiting = Some(self.waiters.subscribe(payment).ok_or(in_use)?);
                continue;
            };
            // Another instance settles without a word to this one, so the store is asked again.
            let poll = polls.next().unwrap_or(wait).min(left);
            if let Some(answer) = listening.answer(poll).await {
                return replayed(answer);
            }
            waiting = Some(listening);
        }
    }

    /// Joins the requests with this key where the store expects repeats, if it is the first of them here: whoever
    /// comes meanwhile waits for what becomes of it, and asks the store nothing.
    fn first_to_look(&self, record: &RecordId, fingerprint: &Fingerprint) -> Option<RunningGuard> {
        if !self.pay.repository.expects_repeats() {
            return None;
        }
        match self.running.join(record, fingerprint) {
            Joined::First(first) => Some(first),
            Joined::Apart | Joined::Paying(_) | Joined::Opening(_) => None,
        }
    }

    /// The answer that the store has to an earlier request like this.
    async fn look(
        &self,
        record: &RecordId,
        fingerprint: &Fingerprint,
        first: &RunningGuard,
    ) -> Result<Option<Arc<SettledAnswer>>, CreatePaymentError> {
        let asked_at = self.pay.replays.now();
        let found = self.pay.repository.replay(record, fingerprint).await;
        let found = found.inspect_err(|_failure| first.failed());
        let Some(answer) = found.map_err(CreatePaymentError::Store)? else {
            return Ok(None);
        };
        first.found(|| Opened::Replay(answer.clone()));
        let answer = Arc::new(answer);
        if self.pay.replays.is_on() {
            let (record, fingerprint) = (record.clone(), fingerprint.clone());
            self.pay.replays.remember(record, fingerprint, &answer, asked_at);
        }
        Ok(Some(answer))
    }

    /// Keeps a key that nobody has used free while no payment could be made under it.
    async fn refuse_while_gateway_is_away(
        &self,
        record: &RecordId,
    ) -> Result<(), CreatePaymentError> {
        if self.pay.gateway.is_available() {
            return Ok(());
        }
        match self.keys.find(record).await.map_err(CreatePaymentError::Store)? {
            Some(_) => Ok(()),
            None => Err(CreatePaymentError::GatewayUnavailable),
        }
    }

    fn open_command(
        &self,
        record: RecordId,
        request_id: RequestId,
        request: FingerprintedRequest,
        queued: bool,
    ) -> OpenPayment {
        let candidate = self.pay.random.payment_id();
        OpenPayment {
            gateway: self.pay.gateway.identity(),
            gateway_request: self.pay.gateway.charge_request(candidate, &request),
            record,
            request,
            request_id,
            candidate,
            key_secret: self.terms.key_secret.clone(),
            lease: self.pay.terms.lease,
            after_expiry: self.terms.after_expiry,
            queued,
        }
    }

    async fn start_or_join(
        self: &Arc<Self>,
        open: &Arc<OpenPayment>,
        first: Option<RunningGuard>,
    ) -> Result<Started, CreatePaymentError> {
        let paying = |payment| Started::InUse { payment, lease_left: self.pay.terms.lease };
        let mut first = first.map(Joined::First);
        let join = || self.running.join(&open.record, open.request.fingerprint());
        loop {
            return match first.take().unwrap_or_else(join) {
                Joined::First(guard) => self.start(Arc::clone(open), Some(guard)).await,
                Joined::Apart => self.start(Arc::clone(open), None).await,
                Joined::Paying(payment) => Ok(paying(payment)),
                Joined::Opening(opening) => match opening.end().await {
                    OpeningEnd::Paying(payment) => Ok(paying(payment)),
                    OpeningEnd::Found(opened) => self.found((*opened).clone(), open.queued),
                    OpeningEnd::Failed => {
                        Err(CreatePaymentError::Store(RepositoryError::Unavailable(
                            "it failed the first of these requests".into(),
                        )))
                    }
                    OpeningEnd::Gone => continue,
                },
            };
        }
    }

    async fn start(
        self: &Arc<Self>,
        open: Arc<OpenPayment>,
        guard: Option<RunningGuard>,
    ) -> Result<Started, CreatePaymentError> {
        let this = Arc::clone(self);
        let work = async move { this.open_and_pay(open, guard.as_ref()).await }.in_current_span();
        let task = self.tasks.spawn(work);
        task.await.map_err(CreatePaymentError::Interrupted)?
    }

    async fn open_and_pay(
        &self,
        mut open: Arc<OpenPayment>,
        guard: Option<&RunningGuard>,
    ) -> Result<Started, CreatePaymentError> {
        loop {
            let leased_at = self.pay.clock.elapsed();
            let opened =
                self.pay.repository.open(Arc::clone(&open)).await.inspect_err(|_failure| {
                    guard.inspect(|guard| guard.failed());
                });
            let owned = match opened.map_err(CreatePaymentError::Store)? {
                Opened::Owned(owned) => owned,
                opened => {
                    if let Opened::Replay(answer) = &opened
                        && self.pay.replays.is_on()
                    {
                        let (record, answer) = (open.record.clone(), Arc::new(answer.clone()));
                        let fingerprint = open.request.fingerprint().clone();
                        self.pay.replays.remember(record, fingerprint, &answer, leased_at);
                    }
                    guard.inspect(|guard| guard.found(|| opened.clone()));
                    return self.found(opened, open.queued);
                }
            };
            reach("after_claim");
            guard.inspect(|guard| guard.paying(owned.payment.id));
            return Ok(Started::Done(match self.pay.execute(owned, leased_at).await {
                Paid::Settled(answer) => CreatePaymentOutcome::Settled { answer, is_replay: false },
                Paid::Unfinished { payment, cause } => {
                    CreatePaymentOutcome::Pending { payment, cause }
                }
                Paid::LeftOpen(payment) => CreatePaymentOutcome::LeftOpen(payment),
                // Somebody else won: read what they made of it, and no more than that.
                Paid::FenceLost => {
                    Arc::make_mut(&mut open).after_expiry = AfterExpiry::Refuse;
                    continue;
                }
            }));
        }
    }

    /// What a request is told of what the store found for it, or for the same request before it.
    fn found(&self, opened: Opened, queued: bool) -> Result<Started, CreatePaymentError> {
        Ok(Started::Done(match opened {
            Opened::Replay(answer) => {
                CreatePaymentOutcome::Settled { answer: Arc::new(answer), is_replay: true }
            }
            Opened::Pending(payment) => {
                if queued {
                    self.bell.notify_one();
                }
                CreatePaymentOutcome::Pending { payment, cause: None }
            }
            Opened::InUse { payment, lease_left } => {
                return Ok(Started::InUse { payment, lease_left });
            }
            Opened::Owned(owned) => {
                let (payment, lease_left) = (owned.payment.id, self.pay.terms.lease);
                return Ok(Started::InUse { payment, lease_left });
            }
            Opened::Mismatch { payment, fields } => {
                return Err(CreatePaymentError::KeyReused { payment, fields });
            }
            Opened::Expired { payment } => return Err(CreatePaymentError::Expired { payment }),
            Opened::UnknownFingerprintVersion => {
                return Err(CreatePaymentError::UnknownFingerprintVersion);
            }
        }))
    }
}

/// How long a duplicate waits between two looks at the store.
fn polls() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(2))
        .without_max_times()
        .build()
}

#[cfg(test)]
mod tests;
