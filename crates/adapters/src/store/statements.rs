//! The statements that the protocol's transactions are made of, each on an open transaction.
//!
//! Both stores spell most of them alike; what they do not is the clock, the locks and what SQLite
//! has no words for.

use diesel::QueryResult;
use payonce_domain::account::AccountId;
use payonce_domain::idempotency::RecordId;
use payonce_domain::payment::PaymentId;
use payonce_domain::ports::{LeaseRenewal, TakeDue};
pub(crate) use payonce_domain::sabotage::{Rule, is_broken};
use time::OffsetDateTime;

use super::ending::Ending;
use super::rows::{PaymentRow, RecordRow};
use super::timeline::EventRow;
use super::values::SqlTime;

/// The statements that the transactions are made of, on an open transaction of one store.
pub trait Statements {
    /// The store's clock.
    fn now(&mut self) -> QueryResult<OffsetDateTime>;

    /// Inserts a record; false when its key is there already. Waits for a racing insert.
    fn insert_record_if_absent(&mut self, row: &RecordRow) -> QueryResult<bool>;

    /// Reads a record and keeps every other transaction from deciding about it.
    fn lock_record(&mut self, id: &RecordId) -> QueryResult<Option<RecordRow<'static>>>;

    /// Writes a locked record back.
    fn save_record(&mut self, row: &RecordRow) -> QueryResult<usize>;

    /// Inserts a payment; 0 when its id or its key's generation is taken.
    fn insert_payment(&mut self, row: &PaymentRow) -> QueryResult<usize>;

    /// Reads a payment.
    fn payment(
        &mut self,
        account: &AccountId,
        id: PaymentId,
    ) -> QueryResult<Option<PaymentRow<'static>>>;

    /// Counts a send, and notes when the first one was made.
    fn note_send(
        &mut self,
        renewal: &LeaseRenewal,
        attempts: i32,
        now: SqlTime,
    ) -> QueryResult<usize>;

    /// Shuts the one-way door, unless it is shut already.
    fn note_void_intention(&mut self, renewal: &LeaseRenewal, now: SqlTime) -> QueryResult<usize>;

    /// Reads records that are due, oldest first, and keeps others from deciding about them; passes
    /// over those that somebody else holds.
    fn lock_due_records(
        &mut self,
        call: &TakeDue,
        now: SqlTime,
    ) -> QueryResult<Vec<RecordRow<'static>>>;

    /// Marks a payment under way as one that an operator decides.
    fn send_to_review(&mut self, account: &AccountId, id: PaymentId) -> QueryResult<usize>;

    /// Inserts how a payment ended; 0 when it has ended before.
    fn insert_outcome(&mut self, ending: &Ending) -> QueryResult<usize>;

    /// Tells other instances, once this transaction commits, that somebody gave the payment up.
    fn announce(&mut self, payment: PaymentId) -> QueryResult<()>;

    /// The payment of a key's newest generation.
    fn newest_payment(&mut self, id: &RecordId) -> QueryResult<Option<PaymentRow<'static>>>;

    /// Lets the transaction's commit return before it is on disk: what a crash undoes is done again.
    fn need_not_last(&mut self) -> QueryResult<()>;

    /// Drops up to `limit` stored answers that have expired.
    fn purge_expired(&mut self, now: SqlTime, limit: u32) -> QueryResult<usize>;

    /// Forgets up to `limit` purged keys whose answers were stored by then.
    fn forget_purged(&mut self, settled_until: SqlTime, limit: u32) -> QueryResult<usize>;

    /// Stores a check value if there is none, and reads the one that is there.
    fn pin_setting(&mut self, name: &str, check_value: &str) -> QueryResult<String>;

    /// Appends to the timeline; what is there already stays.
    fn insert_events(&mut self, rows: &[EventRow]) -> QueryResult<usize>;
}

/// The statements that both stores spell alike; a store adds its clock, how it locks a row, and
/// how it locks rows that nobody else holds.
///
/// A row that its key names is asked for without a limit: SQLite plans a statement anew each time
/// that a limit is bound.
macro_rules! shared_statements {
    (lock: [$($lock:tt)*], lock_free: [$($lock_free:tt)*]) => {
        /// A statement of its own behind the insert: it then sees the row that won the race.
        fn lock_record(&mut self, id: &RecordId) -> QueryResult<Option<RecordRow<'static>>> {
            if $crate::store::statements::is_broken($crate::store::statements::Rule::RowLock) {
                return idempotency_records::table
                    .find((id.account.as_str(), id.space.as_str(), id.key.as_str()))
                    .select(RecordRow::as_select())
                    .get_result(self)
                    .optional();
            }
            idempotency_records::table
                .find((id.account.as_str(), id.space.as_str(), id.key.as_str()))
                .select(RecordRow::as_select())
                $($lock)*
                .get_result(self)
                .optional()
        }

        fn lock_due_records(&mut self, call: &TakeDue, now: SqlTime) -> QueryResult<Vec<RecordRow<'static>>> {
            // No gateway's kind is empty.
            let nobody = GatewayIdentity::default();
            let gateway = call.gateway.as_ref().unwrap_or(&nobody);
            let ours = payments::gateway_kind
                .eq(gateway.kind.as_ref())
                .and(payments::gateway_base_url.eq(gateway.base_url.as_ref()))
                .and(payments::gateway_account.eq(gateway.account.as_ref()));
            let long_ago = SqlTime::truncated(now.0 - call.review_after);
            idempotency_records::table
                .inner_join(
                    payments::table.on(payments::account_id
                        .eq(idempotency_records::account_id)
                        .and(payments::id.eq(idempotency_records::payment_id))),
                )
                .filter(idempotency_records::due_at.le(now))
                .filter(ours.or(payments::created_at.le(long_ago)))
                .order(idempotency_records::due_at)
                .limit(call.limit.into())
                .select(RecordRow::as_select())
                $($lock_free)*
                .load(self)
        }

        fn insert_record_if_absent(&mut self, row: &RecordRow) -> QueryResult<bool> {
            Ok($crate::store::prepared::InsertRecord(row).execute(self)? == 1)
        }

        fn save_record(&mut self, row: &RecordRow) -> QueryResult<usize> {
            $crate::store::prepared::SaveRecord(row).execute(self)
        }

        fn pin_setting(&mut self, name: &str, check_value: &str) -> QueryResult<String> {
            let pin =
                (pinned_settings::name.eq(name), pinned_settings::check_value.eq(check_value));
            diesel::insert_into(pinned_settings::table)
                .values(pin)
                .on_conflict_do_nothing()
                .execute(self)?;
            let pinned = pinned_settings::table.find(name);
            pinned.select(pinned_settings::check_value).get_result(self)
        }

        fn insert_payment(&mut self, row: &PaymentRow) -> QueryResult<usize> {
            $crate::store::prepared::InsertPayment(row).execute(self)
        }

        fn newest_payment(&mut self, id: &RecordId) -> QueryResult<Option<PaymentRow<'static>>> {
            payment_states::table
                .filter(payment_states::account_id.eq(id.account.as_str()))
                .filter(payment_states::key_space.eq(id.space.as_str()))
                .filter(payment_states::key.eq(id.key.as_str()))
                .order(payment_states::generation.desc())
                .select(PaymentRow::as_select())
                .first(self)
                .optional()
        }

        fn payment(
            &mut self,
            account: &AccountId,
            id: PaymentId,
        ) -> QueryResult<Option<PaymentRow<'static>>> {
            payment_states::table
                .find((account.as_str(), SqlUuid(id.0)))
                .select(PaymentRow::as_select())
                .get_result(self)
                .optional()
        }

        fn note_send(
            &mut self,
            renewal: &LeaseRenewal,
            attempts: i32,
            now: SqlTime,
        ) -> QueryResult<usize> {
            let key = (renewal.record.account.as_str(), SqlUuid(renewal.payment.0));
            let first_sent_at = payments::first_sent_at;
            let sent = payments::table.find(key);
            // A void alone is no send of a charge.
            let first =
                sent.filter(first_sent_at.is_null()).filter(payments::attempts.lt(attempts));
            diesel::update(first)
                .set((payments::attempts.eq(attempts), first_sent_at.eq(now)))
                .execute(self)?;
            diesel::update(sent).set(payments::attempts.eq(attempts)).execute(self)
        }

        fn note_void_intention(
            &mut self,
            renewal: &LeaseRenewal,
            now: SqlTime,
        ) -> QueryResult<usize> {
            let key = (renewal.record.account.as_str(), SqlUuid(renewal.payment.0));
            let open_door = payments::table.find(key).filter(payments::void_intended_at.is_null());
            diesel::update(open_door).set(payments::void_intended_at.eq(now)).execute(self)
        }

        fn send_to_review(&mut self, account: &AccountId, id: PaymentId) -> QueryResult<usize> {
            let under_way = payments::table
                .find((account.as_str(), SqlUuid(id.0)))
                .filter(payments::status.eq("PROCESSING"));
            diesel::update(under_way).set(payments::status.eq("NEEDS_REVIEW")).execute(self)
        }

        fn insert_outcome(&mut self, ending: &Ending) -> QueryResult<usize> {
            $crate::store::prepared::InsertOutcome(ending).execute(self)
        }
    };
}
pub(crate) use shared_statements;
