//! What the gateway answers in each mode, and what its books then say.

use std::collections::HashMap;

use async_trait::async_trait;
use tokio::time::Instant;
use uuid::Uuid;

use super::*;
use crate::payment::PaymentId;
use crate::ports::Entered;
use crate::use_cases::fixtures::lock;

const KEY: GatewayKey = GatewayKey(Uuid::from_u128(1));
const TENTH: Duration = Duration::from_millis(100);

/// Books without a store.
#[derive(Default)]
struct Books(Mutex<HashMap<GatewayKey, LedgerEntry>>);

impl Books {
    fn enter(&self, key: GatewayKey, entry: LedgerEntry) -> Entered {
        let mut entries = lock(&self.0);
        let is_new = !entries.contains_key(&key);
        Entered { entry: entries.entry(key).or_insert(entry).clone(), is_new }
    }
}

#[async_trait]
impl ChargeLedger for Books {
    async fn execute(
        &self,
        key: GatewayKey,
        charge: Arc<LedgerCharge>,
    ) -> Result<Entered, RepositoryError> {
        Ok(self.enter(key, LedgerEntry::Charge(charge)))
    }

    async fn find(&self, key: GatewayKey) -> Result<Option<LedgerEntry>, RepositoryError> {
        Ok(lock(&self.0).get(&key).cloned())
    }

    async fn void(&self, key: GatewayKey) -> Result<LedgerEntry, RepositoryError> {
        Ok(self.enter(key, LedgerEntry::Voided).entry)
    }

    async fn entries(
        &self,
        _after: Option<GatewayKey>,
        _limit: u32,
    ) -> Result<Vec<(GatewayKey, LedgerEntry)>, RepositoryError> {
        unreachable!("no charge leafs through the books")
    }

    async fn live_charges(&self) -> Result<u64, RepositoryError> {
        unreachable!("the gateway does not count")
    }
}

/// Always draws the same part of the bound.
struct Drawn(f64);

impl Random for Drawn {
    fn payment_id(&self) -> PaymentId {
        unreachable!("the gateway makes no payments")
    }

    fn secret(&self) -> [u8; 32] {
        unreachable!("the gateway makes no keys")
    }

    fn up_to(&self, bound: Duration) -> Duration {
        bound.mul_f64(self.0)
    }
}

fn gateway(failure_rate: f64, draw: f64) -> Arc<FakeGateway> {
    let terms = FakeGatewayTerms { failure_rate, latency: TENTH..=2 * TENTH, mode: None };
    Arc::new(FakeGateway::new(Arc::new(Books::default()), Arc::new(Drawn(draw)), terms))
}

fn command(mode: Option<FakeGatewayMode>) -> ChargeCommand {
    ChargeCommand {
        key: KEY,
        contents: ChargeContents {
            amount: "100.00".to_owned(),
            currency: "USD".to_owned(),
            payment_method: Some("tok_visa".to_owned()),
        },
        reference: Some("payment-1".to_owned()),
        mode,
    }
}

fn executed(decline_code: Option<&str>) -> Arc<LedgerCharge> {
    Arc::new(LedgerCharge {
        id: "ch_00000000000000000000000000000001".to_owned(),
        contents: command(None).contents,
        reference: command(None).reference,
        decline_code: decline_code.map(str::to_owned),
    })
}

async fn charge(gateway: &FakeGateway, command: ChargeCommand) -> ChargeAnswer {
    gateway.charge(command).await.expect("the books answer")
}

async fn found(gateway: &FakeGateway) -> LookUpReply {
    gateway.look_up(KEY).await.expect("the books answer")
}

#[tokio::test(start_paused = true)]
async fn a_charge_is_executed_once_and_then_replayed_under_its_first_label() {
    let gateway = gateway(0.0, 1.0);
    let began = Instant::now();
    let first = charge(&gateway, command(None)).await;
    assert_eq!(began.elapsed(), 2 * TENTH);
    let charge_of = |is_replay| ChargeReply::Charge { charge: executed(None), is_replay }.whole();
    assert_eq!(first, charge_of(false));
    let relabelled = ChargeCommand { reference: Some("payment-2".to_owned()), ..command(None) };
    assert_eq!(charge(&gateway, relabelled).await, charge_of(true));
    assert_eq!(found(&gateway).await, LookUpReply::Found(LedgerEntry::Charge(executed(None))));
}

#[tokio::test(start_paused = true)]
async fn other_contents_under_a_known_key_do_nothing() {
    let gateway = gateway(0.0, 0.0);
    charge(&gateway, command(None)).await;
    let original = command(None).contents;
    for contents in [
        ChargeContents { amount: "100.0".to_owned(), ..original.clone() },
        ChargeContents { currency: "EUR".to_owned(), ..original.clone() },
        ChargeContents { payment_method: None, ..original },
    ] {
        let other = ChargeCommand { contents, ..command(None) };
        assert_eq!(charge(&gateway, other).await, ChargeReply::KeyReused.whole());
    }
    assert_eq!(found(&gateway).await, LookUpReply::Found(LedgerEntry::Charge(executed(None))));
}

#[tokio::test(start_paused = true)]
async fn a_burnt_key_is_never_charged_and_a_charge_is_beyond_voiding() {
    let burnt = gateway(0.0, 0.0);
    for _ in 0..2 {
        assert_eq!(burnt.void(KEY).await.expect("it voids"), VoidReply::Voided);
    }
    assert_eq!(charge(&burnt, command(None)).await, ChargeReply::KeyVoided.whole());
    assert_eq!(found(&burnt).await, LookUpReply::Found(LedgerEntry::Voided));

    let charged = gateway(0.0, 0.0);
    charge(&charged, command(None)).await;
    let settled = charged.void(KEY).await.expect("it answers");
    assert_eq!(settled, VoidReply::Settled(executed(None)));

    let declined = gateway(0.0, 0.0);
    charge(&declined, command(Some(FakeGatewayMode::Decline))).await;
    let stays = declined.void(KEY).await.expect("it answers");
    assert_eq!(stays, VoidReply::Declined(executed(Some("card_declined"))));
}

#[tokio::test(start_paused = true)]
async fn while_a_key_is_in_flight_everything_else_waits_its_turn() {
    let gateway = gateway(0.0, 0.0);
    let first = tokio::spawn({
        let gateway = Arc::clone(&gateway);
        async move { charge(&gateway, command(Some(FakeGatewayMode::Slow))).await }
    });
    sleep(TENTH).await;
    assert_eq!(charge(&gateway, command(None)).await, ChargeReply::InFlight.whole());
    assert_eq!(found(&gateway).await, LookUpReply::InFlight);
    assert_eq!(gateway.void(KEY).await.expect("it answers"), VoidReply::InFlight);
    let another = ChargeCommand { key: GatewayKey(Uuid::from_u128(2)), ..command(None) };
    let unhindered = charge(&gateway, another).await.reply;
    assert!(matches!(unhindered, ChargeReply::Charge { .. }), "{unhindered:?}");
    first.await.expect("it ends");
    assert_eq!(found(&gateway).await, LookUpReply::Found(LedgerEntry::Charge(executed(None))));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_frees_its_key() {
    let gateway = gateway(0.0, 0.0);
    let call = charge(&gateway, command(Some(FakeGatewayMode::Slow)));
    tokio::time::timeout(TENTH, call).await.expect_err("it is slow");
    assert_eq!(found(&gateway).await, LookUpReply::NotFound);
}

#[tokio::test(start_paused = true)]
async fn failures_come_as_often_as_they_are_asked_for_and_charge_nothing() {
    for (rate, draw, fails) in
        [(0.0, 0.0, false), (0.3, 0.29, true), (0.3, 0.31, false), (1.0, 1.0, true)]
    {
        let gateway = gateway(rate, draw);
        let is_failed = charge(&gateway, command(None)).await == ChargeReply::Failed.whole();
        assert_eq!(is_failed, fails, "{rate} {draw}");
        assert_eq!(found(&gateway).await == LookUpReply::NotFound, fails, "{rate} {draw}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_mode_breaks_in_its_own_way() {
    use FakeGatewayMode as Mode;
    let replied = |decline_code, delivery| {
        let charge = executed(decline_code);
        let reply = ChargeReply::Charge { charge, is_replay: false };
        (ChargeAnswer { reply, delivery }, true)
    };
    for mode in Mode::ALL {
        let (answer, is_charged) = match mode {
            Mode::FailBefore => (ChargeReply::Failed.whole(), false),
            Mode::NotExecuted429 => (ChargeReply::TooManyRequests.whole(), false),
            Mode::ErrorAfterCharge => (ChargeReply::Failed.whole(), true),
            Mode::ChargeThenTimeout => replied(None, Delivery::Never),
            Mode::ChargeThenReset => replied(None, Delivery::Reset),
            Mode::Malformed => replied(None, Delivery::Garbled),
            Mode::Slow => replied(None, Delivery::Whole),
            Mode::Decline => replied(Some("card_declined"), Delivery::Whole),
            Mode::WrongAmount => {
                let mut charge = executed(None);
                Arc::make_mut(&mut charge).contents.amount = "1100.00".to_owned();
                (ChargeReply::Charge { charge, is_replay: false }.whole(), true)
            }
        };
        // A mode leaves nothing to chance.
        let gateway = gateway(1.0, 0.0);
        assert_eq!(charge(&gateway, command(Some(mode))).await, answer, "{mode:?}");
        let decline_code = (mode == Mode::Decline).then_some("card_declined");
        let books = match is_charged {
            true => LookUpReply::Found(LedgerEntry::Charge(executed(decline_code))),
            false => LookUpReply::NotFound,
        };
        assert_eq!(found(&gateway).await, books, "{mode:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_may_ask_for_another_mode_than_the_settings() {
    let terms = FakeGatewayTerms {
        failure_rate: 0.0,
        latency: Duration::ZERO..=Duration::ZERO,
        mode: Some(FakeGatewayMode::FailBefore),
    };
    let gateway = FakeGateway::new(Arc::new(Books::default()), Arc::new(Drawn(0.0)), terms);
    assert_eq!(charge(&gateway, command(None)).await, ChargeReply::Failed.whole());
    let declined = charge(&gateway, command(Some(FakeGatewayMode::Decline))).await.reply;
    assert!(matches!(declined, ChargeReply::Charge { .. }), "{declined:?}");
}
