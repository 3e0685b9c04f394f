//! Values and stand-ins for tests of the domain.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use mockall::Sequence;
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{PayPayment, PayTerms, RecoveryTerms, Replays, Waiters};
use crate::gateway::{
    Charge, ChargeOutcome, Decline, GatewayIdentity, GatewayKey, GatewayKeySecret, LookUpOutcome,
    VoidOutcome,
};
use crate::idempotency::{
    AfterExpiry, Fence, Fingerprint, Generation, KeySpace, RecordId, SettledAnswer, StoredAnswer,
};
use crate::money::Money;
use crate::payment::{Metadata, NewEvent, Operation, Payment, PaymentId, PaymentRequest};
use crate::ports::{
    BoxedError, Clock, HandOver, LeaseRenewal, MockAnswerFormat, MockPaymentGateway,
    MockPaymentRepository, MockReplayCache, OpenPayment, Opened, Owned, OwnedBy, PaymentGateway,
    PaymentRepository, Random, Renewed, ReplayCache, RepositoryError, Settle, Settled, TakeDue,
    TakeReviewed,
};
use crate::retry::RetryPolicy;
use crate::text::Text;
use crate::transaction::{Transaction, TransactionContents, TransactionId, TransactionKey};

pub(crate) const LEASE: Duration = Duration::from_secs(20);

pub(crate) fn record() -> RecordId {
    RecordId {
        account: "default".parse().expect("valid"),
        space: KeySpace::Key,
        key: "order-1".parse().expect("valid"),
    }
}

pub(crate) fn request() -> PaymentRequest {
    PaymentRequest {
        operation: Operation::CreatePayment,
        money: Money::parse("100.00", "USD".parse().expect("known")).expect("valid"),
        payment_method: None,
        reference: None,
        description: None,
        metadata: Metadata::default(),
    }
}

pub(crate) fn identity() -> GatewayIdentity {
    GatewayIdentity { kind: "mock".into(), ..GatewayIdentity::default() }
}

pub(crate) fn open() -> OpenPayment {
    OpenPayment {
        record: record(),
        request: request().into(),
        request_id: "req-1".parse().expect("valid"),
        candidate: PaymentId(Uuid::from_u128(1)),
        gateway: identity(),
        gateway_request: b"charge".to_vec(),
        key_secret: GatewayKeySecret::new(b"secret"),
        lease: LEASE,
        after_expiry: AfterExpiry::Refuse,
        queued: false,
    }
}

pub(crate) fn transaction(id: &str, now: OffsetDateTime) -> Transaction {
    let account = "default".parse().expect("valid");
    let key = TransactionKey { account, id: TransactionId::parse(id).expect("valid") };
    let contents = TransactionContents {
        source_account: Text::parse("acc_user_1").expect("valid"),
        destination_account: Text::parse("acc_merchant_1").expect("valid"),
        money: Money::parse("1500", "INR".parse().expect("known")).expect("valid"),
    };
    Transaction::accepted(key, contents, Duration::ZERO, now)
}

pub(crate) fn payment() -> Payment {
    open().payment(Generation::FIRST, datetime!(2026-01-01 12:00 UTC))
}

pub(crate) fn owned(by: OwnedBy) -> Owned {
    let fence = match by {
        OwnedBy::Opening => Fence::FIRST,
        OwnedBy::TakeOver | OwnedBy::Recovery | OwnedBy::Operator => Fence(2),
    };
    let payment = payment();
    let now = payment.created_at;
    let request_id = "req-1".parse().expect("valid");
    let fingerprint = payment.request.fingerprint();
    Owned { payment, fence, request_id, fingerprint, by, open_until: None, now }
}

pub(crate) fn settled(body: &str) -> SettledAnswer {
    SettledAnswer {
        answer: StoredAnswer {
            status: 201,
            content_type: "application/json".to_owned(),
            location: None,
            body: body.to_owned().into(),
        },
        expires_at: datetime!(2026-01-02 12:00 UTC),
        told_at: datetime!(2026-01-01 12:00 UTC),
        request_id: "req-1".parse().expect("valid"),
    }
}

pub(crate) const TERMS: PayTerms = PayTerms {
    retry: RetryPolicy {
        attempts: 3,
        attempt_timeout: Duration::from_secs(3),
        deadline: Duration::from_secs(10),
        backoff_base: Duration::from_millis(100),
        backoff_max: Duration::from_secs(1),
    },
    lease: LEASE,
    retention: Duration::from_secs(24 * 3600),
    dedupe_window: Duration::from_secs(23 * 3600),
    open_for: Duration::from_secs(900),
    recovery: RecoveryTerms {
        first_delay: Duration::from_secs(5),
        longest_delay: Duration::from_secs(60),
        review_after: Duration::from_secs(86_400),
    },
    sends_tests: true,
};

pub(crate) fn charged() -> Charge {
    Charge { reference: "ch_1".to_owned() }
}

pub(crate) fn decline() -> Decline {
    Decline { reference: Some("ch_2".to_owned()), code: Some("no_funds".to_owned()) }
}

pub(crate) fn unavailable() -> RepositoryError {
    RepositoryError::Unavailable(BoxedError::from("the store went away"))
}

/// Answers with the name of the payment's state as the body.
pub(crate) fn format() -> MockAnswerFormat {
    let mut format = MockAnswerFormat::new();
    format.expect_final_answer().returning(|payment, _| settled(payment.status().as_str()).answer);
    format
}

/// Runs with tokio's (paused) time, and can jump as if the machine had slept.
pub(crate) struct TestClock {
    start: Instant,
    asleep: Mutex<Duration>,
}

impl TestClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), asleep: Mutex::default() })
    }

    pub(crate) fn jump(&self, by: Duration) {
        *lock(&self.asleep) += by;
    }
}

impl Clock for TestClock {
    fn elapsed(&self) -> Duration {
        self.start.elapsed() + *lock(&self.asleep)
    }
}

/// Always draws the longest pause.
pub(crate) struct LongestPauses;

impl Random for LongestPauses {
    fn payment_id(&self) -> PaymentId {
        PaymentId(Uuid::from_u128(7))
    }

    fn secret(&self) -> [u8; 32] {
        [7; 32]
    }

    fn up_to(&self, bound: Duration) -> Duration {
        bound
    }
}

/// Takes that long for every answer.
pub(crate) struct SlowGateway {
    pub(crate) answers: MockPaymentGateway,
    pub(crate) takes: Duration,
    pub(crate) is_away: bool,
}

#[async_trait]
impl PaymentGateway for SlowGateway {
    fn identity(&self) -> GatewayIdentity {
        identity()
    }

    fn is_available(&self) -> bool {
        !self.is_away
    }

    fn charge_request(&self, id: PaymentId, request: &PaymentRequest) -> Vec<u8> {
        self.answers.charge_request(id, request)
    }

    async fn charge(&self, key: GatewayKey, request: &[u8]) -> ChargeOutcome {
        let outcome = self.answers.charge(key, request).await;
        sleep(self.takes).await;
        outcome
    }

    async fn look_up(&self, key: GatewayKey, request: &[u8]) -> LookUpOutcome {
        let outcome = self.answers.look_up(key, request).await;
        sleep(self.takes).await;
        outcome
    }

    async fn void(&self, key: GatewayKey, request: &[u8]) -> VoidOutcome {
        let outcome = self.answers.void(key, request).await;
        sleep(self.takes).await;
        outcome
    }
}

/// Takes that long to look for an answer.
struct SlowLooks {
    answers: MockPaymentRepository,
    takes: Duration,
}

#[async_trait]
impl PaymentRepository for SlowLooks {
    async fn open(&self, open: Arc<OpenPayment>) -> Result<Opened, RepositoryError> {
        self.answers.open(open).await
    }

    fn expects_repeats(&self) -> bool {
        self.answers.expects_repeats()
    }

    async fn replay(
        &self,
        record: &RecordId,
        fingerprint: &Fingerprint,
    ) -> Result<Option<SettledAnswer>, RepositoryError> {
        let found = self.answers.replay(record, fingerprint).await;
        sleep(self.takes).await;
        found
    }

    async fn renew(&self, renewal: LeaseRenewal) -> Result<Renewed, RepositoryError> {
        self.answers.renew(renewal).await
    }

    async fn take_due(&self, take: TakeDue) -> Result<Vec<Owned>, RepositoryError> {
        self.answers.take_due(take).await
    }

    async fn take_reviewed(&self, take: TakeReviewed) -> Result<Option<Owned>, RepositoryError> {
        self.answers.take_reviewed(take).await
    }

    async fn hand_over(&self, hand_over: HandOver) -> Result<Renewed, RepositoryError> {
        self.answers.hand_over(hand_over).await
    }

    async fn settle(&self, settle: Box<Settle>) -> Result<Settled, RepositoryError> {
        self.answers.settle(settle).await
    }
}

/// What the store and the gateway were told.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) charges: Vec<(GatewayKey, Vec<u8>)>,
    pub(crate) renewals: Vec<LeaseRenewal>,
    pub(crate) settles: Vec<Settle>,
    pub(crate) hand_overs: Vec<HandOver>,
    pub(crate) expects_no_repeats: bool,
    pub(crate) looks: usize,
    /// What a look for a stored answer finds, or that it fails.
    pub(crate) looked_up: Option<Result<SettledAnswer, RepositoryError>>,
}

impl Told {
    pub(crate) fn events(&self) -> Vec<NewEvent> {
        let renewed = self.renewals.iter().map(|renewal| &renewal.events);
        let handed_over = self.hand_overs.iter().map(|hand_over| &hand_over.events);
        let settled = self.settles.iter().map(|settle| &settle.events);
        renewed.chain(handed_over).chain(settled).flatten().cloned().collect()
    }

    pub(crate) fn kinds(&self) -> Vec<&'static str> {
        self.events().iter().map(|event| event.kind.as_str()).collect()
    }
}

/// The calls of one round in their order. A call that is not told of fails the test.
pub(crate) struct Story {
    pub(crate) repository: MockPaymentRepository,
    pub(crate) gateway: MockPaymentGateway,
    pub(crate) order: Sequence,
    pub(crate) told: Arc<Mutex<Told>>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) waiters: Arc<Waiters>,
    /// `None` is no cache at all.
    pub(crate) cache: Option<MockReplayCache>,
    pub(crate) answer_takes: Duration,
    pub(crate) look_takes: Duration,
    pub(crate) asleep_before_paying: Duration,
    /// Whether calls to the gateway are held back.
    pub(crate) is_gateway_away: bool,
}

impl Story {
    pub(crate) fn new() -> Self {
        let told = Arc::<Mutex<Told>>::default();
        let mut repository = MockPaymentRepository::new();
        let expecting = Arc::clone(&told);
        repository.expect_expects_repeats().returning(move || !lock(&expecting).expects_no_repeats);
        let looking = Arc::clone(&told);
        repository.expect_replay().returning(move |_, _| {
            let mut told = lock(&looking);
            told.looks += 1;
            told.looked_up.take().transpose()
        });
        Self {
            repository,
            gateway: MockPaymentGateway::new(),
            order: Sequence::new(),
            told,
            clock: TestClock::new(),
            waiters: Waiters::new(10),
            cache: None,
            answer_takes: Duration::ZERO,
            look_takes: Duration::ZERO,
            asleep_before_paying: Duration::ZERO,
            is_gateway_away: false,
        }
    }

    pub(crate) fn charge(self, outcome: ChargeOutcome) -> Self {
        self.charge_with(move || outcome)
    }

    pub(crate) fn charge_with(
        mut self,
        outcome: impl FnOnce() -> ChargeOutcome + Send + 'static,
    ) -> Self {
        let told = Arc::clone(&self.told);
        let call = self.gateway.expect_charge().once().in_sequence(&mut self.order);
        call.return_once(move |key, request| {
            lock(&told).charges.push((key, request.to_vec()));
            outcome()
        });
        self
    }

    pub(crate) fn look_up(mut self, outcome: LookUpOutcome) -> Self {
        let call = self.gateway.expect_look_up().once().in_sequence(&mut self.order);
        call.return_once(|_, _| outcome);
        self
    }

    pub(crate) fn void(mut self, outcome: VoidOutcome) -> Self {
        let call = self.gateway.expect_void().once().in_sequence(&mut self.order);
        call.return_once(|_, _| outcome);
        self
    }

    pub(crate) fn renew(self) -> Self {
        self.renew_with(|| Ok(Renewed::Granted))
    }

    pub(crate) fn renew_with(
        mut self,
        answer: impl FnOnce() -> Result<Renewed, RepositoryError> + Send + 'static,
    ) -> Self {
        let told = Arc::clone(&self.told);
        let call = self.repository.expect_renew().once().in_sequence(&mut self.order);
        call.return_once(move |renewal| {
            lock(&told).renewals.push(renewal);
            answer()
        });
        self
    }

    pub(crate) fn settle(self) -> Self {
        self.settle_with(|_| Ok(Settled::Stored(settled("stored"))))
    }

    pub(crate) fn settle_with(
        mut self,
        answer: impl FnOnce(&Settle) -> Result<Settled, RepositoryError> + Send + 'static,
    ) -> Self {
        let told = Arc::clone(&self.told);
        let call = self.repository.expect_settle().once().in_sequence(&mut self.order);
        call.return_once(move |settle| {
            let answer = answer(&settle);
            lock(&told).settles.push(*settle);
            answer
        });
        self
    }

    pub(crate) fn hand_over(self) -> Self {
        self.hand_over_with(|| Ok(Renewed::Granted))
    }

    pub(crate) fn hand_over_with(
        mut self,
        answer: impl FnOnce() -> Result<Renewed, RepositoryError> + Send + 'static,
    ) -> Self {
        let told = Arc::clone(&self.told);
        let call = self.repository.expect_hand_over().once().in_sequence(&mut self.order);
        call.return_once(move |hand_over| {
            lock(&told).hand_overs.push(hand_over);
            answer()
        });
        self
    }

    /// No charge beyond those told so far.
    pub(crate) fn never_charges(mut self) -> Self {
        self.gateway.expect_charge().never();
        self
    }

    pub(crate) fn never_looks_up(mut self) -> Self {
        self.gateway.expect_look_up().never();
        self
    }

    pub(crate) fn never_voids(mut self) -> Self {
        self.gateway.expect_void().never();
        self
    }

    pub(crate) fn never_renews(mut self) -> Self {
        self.repository.expect_renew().never();
        self
    }

    pub(crate) fn never_settles(mut self) -> Self {
        self.repository.expect_settle().never();
        self
    }

    /// The use case over this story; dropping it counts what was told and did not happen.
    pub(crate) fn pay(self) -> PayPayment {
        PayPayment {
            repository: Arc::new(SlowLooks { answers: self.repository, takes: self.look_takes }),
            gateway: Arc::new(SlowGateway {
                answers: self.gateway,
                takes: self.answer_takes,
                is_away: self.is_gateway_away,
            }),
            format: Arc::new(format()),
            replays: Arc::new(Replays {
                cache: self.cache.map(|cache| Arc::new(cache) as Arc<dyn ReplayCache>),
                clock: self.clock.clone(),
            }),
            clock: self.clock,
            random: Arc::new(LongestPauses),
            waiters: self.waiters,
            terms: TERMS,
        }
    }
}

pub(crate) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().expect("no panic under the lock")
}
