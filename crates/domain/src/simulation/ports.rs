//! The domain's ports over one instance's line to the store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::line::{Line, reply};
use super::world::{Life, Shared, lock};
use crate::account::{AccountId, RequestId};
use crate::idempotency::{Fingerprint, RecordId, SettledAnswer, StoredAnswer};
use crate::payment::{Payment, PaymentEvent, PaymentId};
use crate::ports::{
    AnnouncedTransaction, AnswerFormat, BoxedError, CachedAnswer, Clock, ConcludedTransaction,
    HandOver, IdempotencyRepository, Ingested, KnownKey, LeaseRenewal, OpaqueRepository,
    OpaqueStored, OpenPayment, Opened, Owned, PageCursor, PaymentFilter, PaymentPage,
    PaymentQueries, PaymentRepository, Renewed, ReplayCache, RepositoryError, Settle, Settled,
    StoreOpaque, Sweep, Swept, TakeDue, TakeReviewed, TakenTransactions, TransactionBacklog,
    TransactionConflict, TransactionProcessor, TransactionRepository,
};
use crate::transaction::{Transaction, TransactionKey, TransactionState};
use std::time::Duration;

type Answered<T> = Result<T, RepositoryError>;

#[async_trait]
impl PaymentRepository for Line {
    async fn open(&self, open: Arc<OpenPayment>) -> Answered<Opened> {
        self.ask("open", move |store| store.open(&open)).await
    }

    fn expects_repeats(&self) -> bool {
        true
    }

    async fn replay(
        &self,
        record: &RecordId,
        fingerprint: &Fingerprint,
    ) -> Answered<Option<SettledAnswer>> {
        let (record, fingerprint) = (record.clone(), fingerprint.clone());
        self.ask("replay", move |store| Ok(store.replay(&record, &fingerprint))).await
    }

    async fn renew(&self, renewal: LeaseRenewal) -> Answered<Renewed> {
        self.ask("renew", move |store| store.renew(&renewal)).await
    }

    async fn take_due(&self, take: TakeDue) -> Answered<Vec<Owned>> {
        self.ask("take due", move |store| store.take_due(&take)).await
    }

    async fn take_reviewed(&self, take: TakeReviewed) -> Answered<Option<Owned>> {
        self.ask("take reviewed", move |store| store.take_reviewed(&take)).await
    }

    async fn hand_over(&self, hand_over: HandOver) -> Answered<Renewed> {
        self.ask("hand over", move |store| store.hand_over(&hand_over)).await
    }

    async fn settle(&self, settle: Box<Settle>) -> Answered<Settled> {
        self.ask("settle", move |store| store.settle(&settle)).await
    }
}

#[async_trait]
impl IdempotencyRepository for Line {
    async fn find(&self, id: &RecordId) -> Answered<Option<KnownKey>> {
        let id = id.clone();
        self.ask("find a key", move |store| {
            let record = store.records.get(&id).cloned();
            Ok(record.map(|record| KnownKey { record, now: store.now }))
        })
        .await
    }

    async fn sweep(&self, sweep: Sweep) -> Answered<Swept> {
        self.ask("sweep", move |store| store.sweep(&sweep)).await
    }
}

#[async_trait]
impl OpaqueRepository for Line {
    async fn store(&self, call: StoreOpaque) -> Answered<OpaqueStored> {
        self.ask("store opaque", move |store| store.store_opaque(&call)).await
    }
}

fn not_asked<T>() -> Answered<T> {
    Err(RepositoryError::Refused(BoxedError::from("no use case asks for it here")))
}

#[async_trait]
impl PaymentQueries for Line {
    async fn find(&self, _: &AccountId, id: PaymentId) -> Answered<Option<Payment>> {
        self.ask("find a payment", move |store| Ok(store.payments.get(&id).cloned())).await
    }

    async fn list(
        &self,
        _: &AccountId,
        _: &PaymentFilter,
        _: Option<PageCursor>,
        _: u32,
    ) -> Answered<PaymentPage> {
        not_asked()
    }

    async fn events(&self, _: &AccountId, _: PaymentId) -> Answered<Option<Vec<PaymentEvent>>> {
        not_asked()
    }

    async fn check(&self) -> Answered<()> {
        not_asked()
    }
}

#[async_trait]
impl TransactionRepository for Line {
    async fn ingest(&self, announced: AnnouncedTransaction) -> Answered<Ingested> {
        self.ask("ingest transactions", move |store| {
            let AnnouncedTransaction { key, contents, delay } = &announced;
            let Some(known) = store.transactions.get(key) else {
                let (key, contents) = (key.clone(), contents.clone());
                let new = Transaction::accepted(key.clone(), contents, *delay, store.now);
                store.transactions.insert(key, new);
                return Ok(Ingested::New);
            };
            Ok(match known.contents == *contents {
                true => Ingested::Duplicate,
                false => Ingested::Conflict { fields: Vec::new() },
            })
        })
        .await
    }

    async fn take_due(&self, lease: Duration, limit: u32) -> Answered<TakenTransactions> {
        self.ask("take transactions", move |store| {
            let now = store.now;
            let all = store.transactions.values_mut();
            let taken = all.filter_map(|one| one.take(lease, now).then(|| one.clone()));
            let transactions = taken.take(limit.try_into().expect("few")).collect();
            Ok(TakenTransactions { transactions, next_due_in: None })
        })
        .await
    }

    async fn conclude(&self, concluded: Vec<ConcludedTransaction>) -> Answered<Vec<bool>> {
        self.ask("conclude transactions", move |store| {
            let now = store.now;
            let stood = concluded.iter().map(|one| {
                let known = store.transactions.get_mut(&one.key);
                known.is_some_and(|it| it.conclude(one.fence, &one.verdict, now).is_ok())
            });
            Ok(stood.collect())
        })
        .await
    }

    async fn revive(&self, _: &TransactionKey) -> Answered<bool> {
        not_asked()
    }

    async fn find(&self, _: &TransactionKey) -> Answered<Option<Transaction>> {
        not_asked()
    }

    async fn dead(&self, _: &AccountId, _: u32) -> Answered<Vec<Transaction>> {
        not_asked()
    }

    async fn conflict(&self, _: &TransactionKey) -> Answered<Option<TransactionConflict>> {
        not_asked()
    }

    async fn backlog(&self) -> Answered<TransactionBacklog> {
        not_asked()
    }
}

#[async_trait]
impl TransactionProcessor for Line {
    async fn process(&self, transaction: &Transaction) -> Result<(), BoxedError> {
        let (to, reply) = reply();
        {
            let world = &mut *lock(&self.world);
            let key = transaction.key.clone();
            let is_late = matches!(transaction.state, TransactionState::Processed { .. });
            if is_late {
                world.violated(format!("{:?} is processed again", key.id));
            }
            let takes = world.chance.between(0, 30);
            let is_faulty = !world.is_quiet && world.chance.happens(world.terms.processing_faults);
            world.then(takes, Some(self.life), move |world| {
                if is_faulty && world.chance.happens(500) {
                    return;
                }
                world.history.processed.insert(key);
                to.give(if is_faulty { Err(BoxedError::from("it fails")) } else { Ok(()) });
            });
        }
        reply.await
    }
}

/// Spells what matters, and when it was known: two owners never spell the same.
pub(super) struct Spelling;

impl AnswerFormat for Spelling {
    fn final_answer(&self, payment: &Payment, request_id: &RequestId) -> StoredAnswer {
        let (state, by) = (&payment.state, request_id.as_str());
        StoredAnswer {
            status: 200,
            content_type: "text/plain".to_owned(),
            location: None,
            body: format!("{} {} {state:?} {by}", payment.id, payment.request.money).into(),
        }
    }
}

/// Answers at hand: those of one instance, or those of all.
pub(super) struct Kept {
    pub(super) line: Line,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) answers: Arc<Mutex<BTreeMap<RecordId, Arc<CachedAnswer>>>>,
}

#[async_trait]
impl ReplayCache for Kept {
    async fn find(&self, record: &RecordId) -> Option<Arc<CachedAnswer>> {
        let takes = lock(&self.line.world).chance.between(0, 3);
        self.line.sleep(takes).await;
        let found = lock(&self.answers).get(record).cloned()?;
        found.is_live(self.clock.elapsed()).then_some(found)
    }

    fn remember(&self, answer: Arc<CachedAnswer>) {
        lock(&self.answers).insert(answer.record.clone(), answer);
    }
}

/// The line of one life.
pub(super) fn line(world: &Shared, life: Life) -> Arc<Line> {
    Arc::new(Line { world: Arc::clone(world), life })
}
