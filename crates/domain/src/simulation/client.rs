//! One who asks: sends its request to any instance, again and again until it has a final answer,
//! leaves when it takes too long, and checks what it is told.

use std::sync::Arc;
use std::time::Duration;

use super::history::Asked;
use super::instance::{Instance, Service};
use super::world::{Act, Shared, World, lock};
use crate::idempotency::{Field, Fingerprint, IdempotencyKey, KeySpace, RecordId, SettledAnswer};
use crate::money::Money;
use crate::payment::{Metadata, Operation, PaymentRequest};
use crate::ports::{Ingested, RepositoryError};
use crate::sabotage::{Rule, is_broken};
use crate::text::Text;
use crate::transaction::{TransactionContents, TransactionId, TransactionKey};
use crate::use_cases::{
    CreatePaymentCommand, CreatePaymentError, CreatePaymentOutcome, StoreOpaqueCommand,
    StoreOpaqueError,
};

/// What it asks for.
#[derive(Debug, Clone)]
enum Wish {
    Payment(CreatePaymentCommand),
    Opaque(StoreOpaqueCommand),
    Transaction(TransactionKey, TransactionContents),
}

pub(super) struct Client {
    name: String,
    wish: Wish,
    asked: Asked,
    /// The instance and the task that has its request, with the number of the request.
    pub(super) at: Option<(usize, u64)>,
    pub(super) requests: u64,
    tries_left: u64,
    /// Whether it has a final answer from after the faults.
    pub(super) is_content: bool,
}

fn money(major: u64) -> Money {
    Money::parse(&major.to_string(), "USD".parse().expect("known")).expect("valid")
}

/// Everybody who will ask on this day, and when they begin.
pub(super) fn clients(world: &mut World) -> Vec<Client> {
    let mut clients = Vec::new();
    let account: crate::account::AccountId = "default".parse().expect("valid");
    for key in 0..world.terms.keys {
        let operation = world.chance.pick(&[
            Some(Operation::CreatePayment),
            Some(Operation::CreatePayment),
            Some(Operation::Pay),
            Some(Operation::StartPayment),
            None,
        ]);
        let is_order = operation == Some(Operation::StartPayment);
        let space = if is_order { KeySpace::Order } else { KeySpace::Key };
        let name: IdempotencyKey = format!("key-{key}").parse().expect("valid");
        let record = RecordId { account: account.clone(), space, key: name };
        let begins = world.chance.below(world.terms.faults_until / 3);
        let most = world.terms.requests;
        let requests = world.chance.between(1, most);
        for number in 0..requests {
            let is_other = world.chance.happens(world.terms.others);
            let amount = if is_other { 200 + number } else { 100 };
            let request_id = format!("r-{key}-{number}").parse().expect("valid");
            let (wish, fingerprint) = match operation {
                Some(operation) => {
                    let request = PaymentRequest {
                        operation,
                        money: money(amount),
                        payment_method: None,
                        reference: None,
                        description: None,
                        metadata: Metadata::default(),
                    };
                    let fingerprint = request.fingerprint();
                    let command = CreatePaymentCommand {
                        record: record.clone(),
                        request_id,
                        request,
                        wait: Duration::from_millis(world.chance.pick(&[0, 300, 2_000])),
                        respond_async: world.chance.happens(world.terms.queued),
                    };
                    (Wish::Payment(command), fingerprint)
                }
                None => opaque(&record, request_id, amount),
            };
            let name = format!("client {key}.{number}");
            let asked = Asked { record: record.clone(), fingerprint };
            clients.push(Client::new(name, wish, asked, world));
            let after = begins + world.chance.pick(&[0, 0, 5, 50, 400, 1_500]);
            let after = after + world.chance.below(20);
            world.schedule(after, None, Act::Send { client: clients.len() - 1 });
        }
        for number in 0..world.terms.transactions {
            let id = TransactionId::parse(format!("t-{}", number % 2)).expect("valid");
            let contents = TransactionContents {
                source_account: Text::parse("a").expect("valid"),
                destination_account: Text::parse("b").expect("valid"),
                money: money(if world.chance.happens(200) { 2 } else { 1 }),
            };
            let wish = Wish::Transaction(TransactionKey { account: account.clone(), id }, contents);
            let asked = Asked { record: record.clone(), fingerprint: Fingerprint::of(&[]) };
            clients.push(Client::new(format!("sender {number}"), wish, asked, world));
            let after = world.chance.below(world.terms.faults_until / 2);
            world.schedule(after, None, Act::Send { client: clients.len() - 1 });
        }
    }
    clients
}

fn opaque(
    record: &RecordId,
    request_id: crate::account::RequestId,
    data: u64,
) -> (Wish, Fingerprint) {
    let payload = data.to_string();
    let sent = payload.clone();
    let fields = [Field::with("operation", "opaque"), Field::with("request_data", sent)];
    let answer = crate::idempotency::StoredAnswer {
        status: 201,
        content_type: "text/plain".to_owned(),
        location: None,
        body: format!("{payload} for {}", request_id.as_str()).into(),
    };
    let command = StoreOpaqueCommand { record: record.clone(), request_id, payload, answer };
    (Wish::Opaque(command), Fingerprint::of(&fields))
}

/// What an answer means to whoever gets it.
enum Told {
    Final,
    Retry,
}

impl Client {
    fn new(name: String, wish: Wish, asked: Asked, world: &mut World) -> Self {
        let tries_left = world.chance.between(1, 6);
        Self { name, wish, asked, at: None, requests: 0, tries_left, is_content: false }
    }

    /// Sends its request to an instance.
    pub(super) fn send(&mut self, number: usize, place: usize, to: &mut Instance, world: &Shared) {
        self.requests += 1;
        let request = self.requests;
        {
            let world = &mut *lock(world);
            let (name, life) = (&self.name, to.life);
            world.note(|| format!("{name} asks {life}"));
            if !world.is_quiet && world.chance.happens(world.terms.leavers) {
                let patience = world.chance.below(600);
                world.schedule(patience, None, Act::Leave { client: number, request });
            }
        }
        let (wish, asked, name) = (self.wish.clone(), self.asked.clone(), self.name.clone());
        let (service, world) = (Arc::clone(&to.service), Arc::clone(world));
        let task = to.spawn(async move {
            let told = fulfil(&service, wish, &asked, &name, &world).await;
            let world = &mut *lock(&world);
            // Whoever is told something final asks again at times, and once all is quiet.
            if world.is_quiet && matches!(told, Told::Final) {
                return world.schedule(0, None, Act::Leave { client: number, request: 0 });
            }
            let pause = match told {
                Told::Final => world.chance.between(100, 3_000),
                Told::Retry => world.chance.between(10, 500),
            };
            world.schedule(pause, None, Act::Send { client: number });
        });
        self.at = Some((place, task));
    }

    /// Whether it asks once more: as often as it likes at first, and until it is told something
    /// final once all is quiet.
    pub(super) fn asks_again(&mut self, is_quiet: bool) -> bool {
        self.at = None;
        if is_quiet {
            return !self.is_content;
        }
        self.tries_left = self.tries_left.saturating_sub(1);
        self.tries_left > 0
    }
}

async fn fulfil(service: &Service, wish: Wish, asked: &Asked, name: &str, world: &Shared) -> Told {
    match wish {
        Wish::Payment(command) => {
            let told = service.create.execute(command).await;
            let world = &mut *lock(world);
            world.note(|| format!("{name} is told {told:?}"));
            payment_told(world, asked, told)
        }
        Wish::Opaque(command) => {
            let told = service.opaque.execute(command).await;
            let world = &mut *lock(world);
            world.note(|| format!("{name} is told {told:?}"));
            match told {
                Ok(told) => {
                    world.told_opaque(asked, &told.answer);
                    Told::Final
                }
                Err(StoreOpaqueError::KeyReused | StoreOpaqueError::Expired) => Told::Final,
                Err(_) => Told::Retry,
            }
        }
        Wish::Transaction(key, contents) => {
            let told = service.ingest.execute(key.clone(), contents.clone()).await;
            let world = &mut *lock(world);
            world.note(|| format!("{name} is told {told:?}"));
            match told {
                Ok(Ingested::New | Ingested::Duplicate) => {
                    world.accepted(&key, &contents);
                    Told::Final
                }
                Ok(Ingested::Conflict { .. }) => Told::Final,
                Err(_) => Told::Retry,
            }
        }
    }
}

fn payment_told(
    world: &mut World,
    asked: &Asked,
    told: Result<CreatePaymentOutcome, CreatePaymentError>,
) -> Told {
    match told {
        Ok(CreatePaymentOutcome::Settled { answer, is_replay }) => {
            let answer = if is_replay && is_broken(Rule::Verbatim) {
                let mut anew = SettledAnswer::clone(&answer);
                anew.answer.body = [&answer.answer.body[..], b" "].concat().into();
                Arc::new(anew)
            } else {
                answer
            };
            world.told_final(asked, &answer);
            Told::Final
        }
        Ok(
            CreatePaymentOutcome::LeftOpen(payment) | CreatePaymentOutcome::Pending { payment, .. },
        ) => {
            world.told_of(asked, payment.id);
            Told::Retry
        }
        Err(CreatePaymentError::InUse { payment, .. }) => {
            world.told_of(asked, payment);
            Told::Retry
        }
        Err(CreatePaymentError::KeyReused { .. } | CreatePaymentError::Expired { .. }) => {
            Told::Final
        }
        Err(CreatePaymentError::Store(RepositoryError::Unavailable(_))) => Told::Retry,
        Err(CreatePaymentError::GatewayUnavailable) => Told::Retry,
        Err(strange) => {
            world.violated(format!("told what the contract has no word for: {strange:?}"));
            Told::Final
        }
    }
}
