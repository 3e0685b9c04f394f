//! Each rule finds what breaks it, and nothing else.

use uuid::Uuid;

use super::*;
use crate::books::TransactionRow;
use crate::referee::Contents;

const ID: &str = "019a0000000070008000000000000001";
const BODY: &[u8] = b"{\"status\":\"COMPLETED\"}";

struct World {
    executions: Vec<Execution>,
    books: Books,
    payments: Vec<Payment>,
    webhooks: Vec<Webhook>,
}

fn execution(id: &str) -> Execution {
    let contents = Contents { amount: "1.50".into(), currency: "USD".into(), payment_method: None };
    let reference = Uuid::parse_str(ID).expect("it is one").to_string();
    Execution { key: Uuid::nil(), id: id.to_owned(), contents, reference, approved: true }
}

fn answer(body: &[u8]) -> Final {
    Final { status: 201, content_type: String::new(), location: String::new(), body: body.to_vec() }
}

fn sound() -> World {
    let mut payment = Payment::new(Format::Canonical, "k".into(), 150);
    payment.ended(answer(BODY));
    let row = PaymentRow {
        key_space: "key".into(),
        key: "k".into(),
        id: ID.into(),
        status: "COMPLETED".into(),
        amount_minor: 150,
        currency: "USD".into(),
        gateway_reference: Some("ch_1".into()),
        fence: Some(1),
        state: Some("settled".into()),
        answer_status: Some(201),
        answer_body: Some(BODY.to_vec()),
    };
    let transaction =
        TransactionRow { transaction_id: "t".into(), amount_minor: 7, state: "processed".into() };
    World {
        executions: vec![execution("ch_1")],
        books: Books { payments: vec![row], transactions: vec![transaction] },
        payments: vec![payment],
        webhooks: vec![Webhook { id: "t".into(), minor: 7, is_accepted: true, strange: vec![] }],
    }
}

fn broken(world: &World) -> Vec<Rule> {
    let findings = check(&Evidence {
        executions: &world.executions,
        books: &world.books,
        payments: &world.payments,
        webhooks: &world.webhooks,
        unexcused: &[],
        leaks: &[],
    });
    findings.broken.into_iter().filter(|(_, times)| *times > 0).map(|(rule, _)| rule).collect()
}

#[test]
fn a_sound_world_breaks_no_rule() {
    assert_eq!(broken(&sound()), []);
}

#[test]
fn a_second_charge_is_found() {
    let mut world = sound();
    world.executions.push(execution("ch_2"));
    assert_eq!(broken(&world), [Rule::DoubleCharges, Rule::SumsDiffer]);
}

#[test]
fn a_charge_of_a_failed_payment_is_found() {
    let mut world = sound();
    world.books.payments[0].status = "FAILED".into();
    assert_eq!(broken(&world), [Rule::BooksDiffer, Rule::SumsDiffer]);
}

#[test]
fn a_completed_payment_without_its_charge_is_found() {
    let mut world = sound();
    world.executions.clear();
    assert_eq!(broken(&world), [Rule::BooksDiffer, Rule::SumsDiffer]);
}

#[test]
fn an_answer_that_differs_from_the_first_or_from_the_stored_one_is_found() {
    let mut world = sound();
    world.payments[0].ended(answer(b"other"));
    assert_eq!(broken(&world), [Rule::DifferingAnswers]);
    let mut world = sound();
    world.books.payments[0].answer_body = Some(b"other".to_vec());
    assert_eq!(broken(&world), [Rule::DifferingAnswers]);
}

#[test]
fn a_known_payment_that_is_gone_is_found() {
    let mut world = sound();
    world.books.payments.clear();
    world.executions.clear();
    assert_eq!(broken(&world), [Rule::LostPayments]);
}

#[test]
fn an_answer_to_another_request_is_found() {
    let mut world = sound();
    world.payments[0].leaked.push("201".into());
    assert_eq!(broken(&world), [Rule::CrossPayload]);
}

#[test]
fn an_unsettled_key_is_found() {
    let mut world = sound();
    world.books.payments[0].state = Some("running".into());
    assert_eq!(broken(&world), [Rule::Unresolved]);
}

#[test]
fn an_accepted_webhook_that_is_gone_unprocessed_or_changed_is_found() {
    let mut world = sound();
    world.books.transactions.clear();
    assert_eq!(broken(&world), [Rule::WebhooksLost]);
    let mut world = sound();
    world.books.transactions[0].state = "waiting".into();
    assert_eq!(broken(&world), [Rule::WebhooksLost]);
    let mut world = sound();
    world.books.transactions[0].amount_minor = 8;
    assert_eq!(broken(&world), [Rule::WebhooksLost]);
}
