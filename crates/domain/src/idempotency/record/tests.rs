use super::*;
use crate::idempotency::{Field, KeySpace};
use crate::payment::PaymentId;
use time::macros::datetime;
use uuid::Uuid;

const NOW: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);
const LEASE: Duration = Duration::from_secs(20);
const DAY: Duration = Duration::from_secs(86_400);

fn fingerprint(amount: &str) -> Fingerprint {
    Fingerprint::of(&[Field::with("amount", amount)])
}

fn running() -> IdempotencyRecord {
    IdempotencyRecord {
        id: RecordId {
            account: "default".parse().expect("valid"),
            space: KeySpace::Key,
            key: "k".parse().expect("valid"),
        },
        generation: Generation::FIRST,
        subject: Subject::Payment,
        payment_id: PaymentId(Uuid::from_u128(1)),
        fingerprint: fingerprint("1"),
        request_id: "first".parse().expect("valid"),
        fence: Fence::FIRST,
        opening_fence: Fence::FIRST,
        state: RecordState::Running { lease_until: NOW + LEASE },
        open_until: None,
        is_awaited: false,
        first_seen_at: NOW,
        last_seen_at: NOW,
    }
}

fn answer(body: &str) -> StoredAnswer {
    StoredAnswer {
        status: 201,
        content_type: "application/json".to_owned(),
        location: None,
        body: body.to_owned().into(),
    }
}

fn settled() -> IdempotencyRecord {
    let mut record = running();
    record.settle(Fence::FIRST, answer("paid"), DAY, NOW).expect("the owner settles");
    record
}

struct Request {
    fingerprint: Fingerprint,
    request_id: RequestId,
    after_expiry: AfterExpiry,
    may_take_over: bool,
}

fn request(amount: &str) -> Request {
    Request {
        fingerprint: fingerprint(amount),
        request_id: "second".parse().expect("valid"),
        after_expiry: AfterExpiry::Refuse,
        may_take_over: true,
    }
}

impl Request {
    fn claim(&self, record: &mut IdempotencyRecord, at: OffsetDateTime) -> Claim {
        self.claim_as(record, at, 2)
    }

    fn claim_as(&self, record: &mut IdempotencyRecord, at: OffsetDateTime, id: u128) -> Claim {
        let terms = ClaimTerms {
            fingerprint: &self.fingerprint,
            subject: Subject::Payment,
            candidate: PaymentId(Uuid::from_u128(id)),
            request_id: &self.request_id,
            lease: LEASE,
            after_expiry: self.after_expiry,
            may_take_over: self.may_take_over,
        };
        record.claim_again(&terms, at)
    }
}

#[test]
fn a_live_lease_is_in_use_and_a_dead_one_is_taken_over_under_the_next_fence() {
    let mut record = running();
    let half = NOW + LEASE / 2;
    assert_eq!(request("1").claim(&mut record, half), Claim::InUse { lease_left: LEASE / 2 });
    assert_eq!(record.fence, Fence(1));

    let end = NOW + LEASE;
    assert_eq!(request("1").claim(&mut record, end), Claim::TakenOver);
    assert_eq!(record.fence, Fence(2));
    assert_eq!(record.state, RecordState::Running { lease_until: end + LEASE });
    assert_eq!(record.payment_id, PaymentId(Uuid::from_u128(1)), "the same payment");
}

#[test]
fn the_opening_request_finds_its_own_record_again_after_a_lost_commit() {
    let mut record = running();
    assert_eq!(request("1").claim_as(&mut record, NOW, 1), Claim::AlreadyOurs);
    record.fence = Fence(2);
    assert!(matches!(request("1").claim_as(&mut record, NOW, 1), Claim::InUse { .. }));
}

#[test]
fn a_payment_at_another_gateway_is_never_taken_over() {
    let mut record = running();
    let elsewhere = Request { may_take_over: false, ..request("1") };
    assert_eq!(elsewhere.claim(&mut record, NOW + DAY), Claim::Pending);
    assert_eq!(record.fence, Fence(1));
}

#[test]
fn another_request_is_a_mismatch_while_running_and_after() {
    for mut record in [running(), settled()] {
        assert_eq!(request("2").claim(&mut record, NOW), Claim::Mismatch);
    }
}

#[test]
fn an_unknown_fingerprint_rule_is_never_called_a_mismatch() {
    let mut record = running();
    record.fingerprint.version = Fingerprint::CURRENT_VERSION + 1;
    assert_eq!(request("1").claim(&mut record, NOW), Claim::UnknownFingerprintVersion);
}

#[test]
fn a_settled_answer_is_replayed_until_it_expires_and_then_refused() {
    let mut record = settled();
    let replay = request("1").claim(&mut record, NOW + DAY / 2);
    let Claim::Replay(settled) = replay else { panic!("{replay:?}") };
    assert_eq!(settled.answer, answer("paid"));
    assert_eq!(settled.request_id.as_str(), "first");
    assert_eq!(request("1").claim(&mut record, NOW + DAY), Claim::Expired);
    assert_eq!(request("2").claim(&mut record, NOW + DAY), Claim::Expired, "before mismatch");
}

#[test]
fn an_expired_key_is_a_new_request_only_where_reuse_is_configured() {
    let reuse = Request { after_expiry: AfterExpiry::Reuse, ..request("2") };
    let mut record = settled();
    assert_eq!(reuse.claim(&mut record, NOW + DAY), Claim::NextGeneration);
    assert_eq!(record.generation, Generation(2));
    assert_eq!(record.fence, Fence(2));
    assert_eq!(record.payment_id, PaymentId(Uuid::from_u128(2)));
    assert_eq!(record.request_id.as_str(), "second");

    let again = reuse.claim(&mut record, NOW + DAY);
    assert_eq!(again, Claim::AlreadyOurs, "the first answer may have been lost");
    assert_eq!(record.fence, Fence(2));

    let mut purged = running();
    purged.state = RecordState::Purged { settled_at: NOW, expired_at: NOW };
    assert_eq!(reuse.claim(&mut purged, NOW), Claim::NextGeneration);
}

#[test]
fn an_unsettled_record_never_expires() {
    for state in [
        RecordState::Running { lease_until: NOW },
        RecordState::Open { due_at: NOW },
        RecordState::Queued { due_at: NOW },
        RecordState::Unknown { due_at: NOW },
        RecordState::InReview,
    ] {
        let record = IdempotencyRecord { state, ..running() };
        assert!(!record.is_expired(NOW + DAY * 4_000), "{record:?}");
    }
}

#[test]
fn what_nobody_works_on_is_pending_unless_it_was_left_open_for_its_client() {
    for state in [
        RecordState::Queued { due_at: NOW },
        RecordState::Unknown { due_at: NOW },
        RecordState::InReview,
    ] {
        let mut record = IdempotencyRecord { state, ..running() };
        assert_eq!(request("1").claim(&mut record, NOW), Claim::Pending);
        assert_eq!(record.fence, Fence(1));
    }
    let mut open = running();
    open.leave_open(Fence::FIRST, NOW, NOW + DAY).expect("ours");
    assert_eq!(request("1").claim(&mut open, NOW), Claim::TakenOver);
    assert_eq!(open.open_until, None, "its client is back");
}

#[test]
fn what_recovery_looked_at_is_left_open_no_longer_than_before() {
    let mut open = running();
    open.leave_open(Fence::FIRST, NOW, NOW + DAY).expect("ours");
    assert!(open.take_due(LEASE, NOW));
    assert_eq!(open.open_until, Some(NOW + DAY), "whoever goes on must know");
    open.leave_open(Fence(2), NOW + DAY, NOW + DAY * 2).expect("ours");
    assert_eq!(open.open_until, Some(NOW + DAY));
    assert_eq!(open.state, RecordState::Open { due_at: NOW + DAY });
    assert_eq!(open.leave_open(Fence(1), NOW, NOW), Err(FenceLost));
}

#[test]
fn a_stale_fence_writes_nothing() {
    let mut record = running();
    record.fence = Fence(2);
    let before = record.clone();
    assert_eq!(record.settle(Fence(1), answer("late"), DAY, NOW), Err(FenceLost));
    assert_eq!(record.renew(Fence(1), LEASE, NOW), Err(FenceLost));
    assert_eq!(record.hand_over(Fence(1), RecordState::InReview), Err(FenceLost));
    assert_eq!(record, before);
}

#[test]
fn only_a_running_record_can_be_settled_by_its_owner() {
    for state in [
        RecordState::Queued { due_at: NOW },
        RecordState::Unknown { due_at: NOW },
        RecordState::InReview,
        RecordState::Purged { settled_at: NOW, expired_at: NOW },
    ] {
        let mut record = IdempotencyRecord { state, ..running() };
        assert_eq!(record.settle(Fence::FIRST, answer("x"), DAY, NOW), Err(FenceLost));
    }
}

#[test]
fn settling_or_handing_over_twice_under_one_fence_changes_nothing() {
    let mut record = settled();
    let again = record.settle(Fence::FIRST, answer("other"), DAY, NOW + DAY).expect("ours");
    assert_eq!(again.answer, answer("paid"));
    assert_eq!(again.expires_at, NOW + DAY);

    let mut handed = running();
    handed.hand_over(Fence::FIRST, RecordState::Unknown { due_at: NOW }).expect("ours");
    handed.hand_over(Fence::FIRST, RecordState::Unknown { due_at: NOW + DAY }).expect("ours");
    assert_eq!(handed.state, RecordState::Unknown { due_at: NOW });
}

/// A record as a store finds it without its lock, where it is settled.
fn found(record: &IdempotencyRecord, at: OffsetDateTime) -> Option<FoundAnswer> {
    let RecordState::Settled(settlement) = &record.state else {
        return None;
    };
    Some(FoundAnswer {
        fingerprint: record.fingerprint.clone(),
        last_seen_at: record.last_seen_at,
        answer: settlement.clone().told(record.request_id.clone(), at),
    })
}

#[test]
fn what_is_replayed_without_a_lock_is_what_a_claim_would_replay_and_write_nothing_for() {
    let unknown_rule = {
        let mut record = settled();
        record.fingerprint.version = i16::MAX;
        record
    };
    let reviewed = IdempotencyRecord { state: RecordState::InReview, ..running() };
    let purged = RecordState::Purged { settled_at: NOW, expired_at: NOW };
    let purged = IdempotencyRecord { state: purged, ..running() };
    let mut brief = running();
    brief.settle(Fence::FIRST, answer("paid"), DAY / 288, NOW).expect("the owner settles");
    let mut replayed = 0;
    for record in [settled(), brief, running(), unknown_rule, reviewed, purged] {
        for amount in ["1", "2"] {
            for minutes in [0, 4, 5, 9, 10, 1_440] {
                let (at, request) = (NOW + time::Duration::minutes(minutes), request(amount));
                let mut claimed = record.clone();
                let expected = match request.claim(&mut claimed, at) {
                    Claim::Replay(answer) if claimed == record => Some(answer),
                    _ => None,
                };
                let found = found(&record, at).and_then(|it| it.replay(&request.fingerprint));
                assert_eq!(found, expected, "{record:?} {at}");
                replayed += usize::from(expected.is_some());
            }
        }
    }
    assert_eq!(replayed, 6, "what is settled, while it lives and was seen within ten minutes");
}
