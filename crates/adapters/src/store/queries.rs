//! Reads for clients, spelled alike for both stores.

use payonce_domain::account::AccountId;
use payonce_domain::idempotency::RecordId;
use payonce_domain::payment::{Payment, PaymentEvent, PaymentId};
use payonce_domain::ports::{KnownKey, PageCursor, PaymentFilter, PaymentPage};

use super::error::StoreError;
use super::rows::PaymentRow;

/// Turns one row more than asked for into a page and its cursor.
pub fn page(rows: Vec<PaymentRow<'_>>, limit: u32) -> Result<PaymentPage, StoreError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > limit;
    let payments: Vec<Payment> =
        rows.into_iter().take(limit).map(Payment::try_from).collect::<Result<_, _>>()?;
    let last = payments.last().filter(|_| has_more);
    let next = last.map(|payment| PageCursor { created_at: payment.created_at, id: payment.id });
    Ok(PaymentPage { payments, next })
}

/// How many records that are under way a list goes through.
pub const FEW: i64 = 10_000;

/// What the index of payments that stand apart holds of.
pub const APART: &str = "payments.status IN ('FAILED', 'NEEDS_REVIEW')";

/// What `list` selects, beside the filter.
#[derive(Debug, Clone)]
pub struct ListCall {
    pub filter: PaymentFilter,
    pub after: Option<PageCursor>,
    pub limit: u32,
}

/// The queries, on a connection of one store.
pub trait Queries {
    /// The record of a key, with the store's time.
    fn find_record(&mut self, id: &RecordId) -> Result<Option<KnownKey>, StoreError>;

    /// One payment of an account.
    fn find_payment(
        &mut self,
        account: &AccountId,
        id: PaymentId,
    ) -> Result<Option<Payment>, StoreError>;

    /// Payments of an account, newest first.
    fn list_payments(
        &mut self,
        account: &AccountId,
        call: &ListCall,
    ) -> Result<PaymentPage, StoreError>;

    /// Whether the records that are under way are so few that going through all of them is less than going
    /// through payments; else those are among the newest.
    fn few_are_due(&mut self) -> Result<bool, StoreError>;

    /// The timeline of one payment, oldest first.
    fn payment_events(
        &mut self,
        account: &AccountId,
        id: PaymentId,
    ) -> Result<Option<Vec<PaymentEvent>>, StoreError>;
}

/// What a query of payments, or of what tells when they were made, selects of one page: one row more than there is
/// room for, newest first.
macro_rules! one_page {
    ($query:ident, $id:expr, $table:ident, $call:ident) => {
        if let Some(from) = $call.filter.created_from {
            $query = $query.filter($table::created_at.ge(SqlTime(from)));
        }
        if let Some(to) = $call.filter.created_to {
            $query = $query.filter($table::created_at.lt(SqlTime(to)));
        }
        if let Some(after) = $call.after {
            let (at, id) = (SqlTime(after.created_at), SqlUuid(after.id.0));
            let same_time = $table::created_at.eq(at).and($id.lt(id));
            $query = $query.filter($table::created_at.lt(at).or(same_time));
        }
        $query =
            $query.order(($table::created_at.desc(), $id.desc())).limit(i64::from($call.limit) + 1);
    };
}
pub(crate) use one_page;

/// The queries, which both stores spell alike.
macro_rules! shared_queries {
    () => {
        fn find_record(&mut self, id: &RecordId) -> Result<Option<KnownKey>, StoreError> {
            let now = self.now()?;
            let row = idempotency_records::table
                .find((id.account.as_str(), id.space.as_str(), id.key.as_str()))
                .select(RecordRow::as_select())
                .get_result(self)
                .optional()?;
            row.map(|row| Ok(KnownKey { record: row.try_into()?, now })).transpose()
        }

        fn find_payment(
            &mut self,
            account: &AccountId,
            id: PaymentId,
        ) -> Result<Option<Payment>, StoreError> {
            self.payment(account, id)?.map(Payment::try_from).transpose()
        }

        fn list_payments(
            &mut self,
            account: &AccountId,
            call: &ListCall,
        ) -> Result<PaymentPage, StoreError> {
            let mut query = payment_states::table
                .filter(payment_states::account_id.eq(account.as_str()))
                .select(PaymentRow::as_select())
                .into_boxed();
            let filter = &call.filter;
            let has_own_index = filter.reference.is_some() || filter.idempotency_key.is_some();
            // Whose payments are few among many is found by an index that holds of words which stand in the
            // query.
            match filter.status {
                Some(PaymentStatus::Failed) if !has_own_index => {
                    let mut outcomes = payment_outcomes::table
                        .filter(payment_outcomes::account_id.eq(account.as_str()))
                        .filter(sql::<Bool>("payment_outcomes.status = 'FAILED'"))
                        .select(payment_outcomes::payment_id)
                        .into_boxed();
                    one_page!(outcomes, payment_outcomes::payment_id, payment_outcomes, call);
                    let mut before_outcomes = payments::table
                        .filter(payments::account_id.eq(account.as_str()))
                        .filter(sql::<Bool>(APART))
                        .filter(payments::status.eq("FAILED"))
                        .select(payments::id)
                        .into_boxed();
                    one_page!(before_outcomes, payments::id, payments, call);
                    let failed = outcomes.union_all(before_outcomes);
                    query = query.filter(payment_states::id.eq_any(failed));
                }
                Some(PaymentStatus::NeedsReview) if !has_own_index => {
                    let end = payment_outcomes::table
                        .filter(payment_outcomes::payment_id.eq(payments::id))
                        .filter(payment_outcomes::account_id.eq(payments::account_id));
                    let mut in_review = payments::table
                        .filter(payments::account_id.eq(account.as_str()))
                        .filter(sql::<Bool>(APART))
                        .filter(payments::status.eq("NEEDS_REVIEW"))
                        .filter(not(exists(end)))
                        .select(payments::id)
                        .into_boxed();
                    one_page!(in_review, payments::id, payments, call);
                    query = query.filter(payment_states::id.eq_any(in_review));
                }
                Some(status) => {
                    query = query.filter(payment_states::status.eq(status.as_str()));
                    if status == PaymentStatus::Processing && self.few_are_due()? {
                        let due = idempotency_records::table
                            .filter(idempotency_records::account_id.eq(account.as_str()))
                            .filter(idempotency_records::due_at.is_not_null())
                            .select(idempotency_records::payment_id);
                        query = query.filter(payment_states::id.eq_any(due));
                    }
                }
                None => {}
            }
            if let Some(reference) = &filter.reference {
                query = query.filter(payment_states::reference.eq(reference.as_str()));
            }
            if let Some(key) = &filter.idempotency_key {
                query = query
                    .filter(payment_states::key_space.eq("key"))
                    .filter(payment_states::key.eq(key.as_str()));
            }
            one_page!(query, payment_states::id, payment_states, call);
            page(query.load(self)?, call.limit)
        }

        fn few_are_due(&mut self) -> Result<bool, StoreError> {
            let more_than_few = idempotency_records::table
                .filter(idempotency_records::due_at.is_not_null())
                .select(idempotency_records::payment_id)
                .offset(FEW)
                .limit(1)
                .get_result::<SqlUuid>(self)
                .optional()?;
            Ok(more_than_few.is_none())
        }

        fn payment_events(
            &mut self,
            account: &AccountId,
            id: PaymentId,
        ) -> Result<Option<Vec<PaymentEvent>>, StoreError> {
            if self.payment(account, id)?.is_none() {
                return Ok(None);
            }
            let rows: Vec<TimelineRow> = payment_timeline::table
                .filter(payment_timeline::account_id.eq(account.as_str()))
                .filter(payment_timeline::payment_id.eq(SqlUuid(id.0)))
                .select(TimelineRow::as_select())
                .order((payment_timeline::fence, payment_timeline::step))
                .load(self)?;
            rows.into_iter().map(PaymentEvent::try_from).collect::<Result<_, _>>().map(Some)
        }
    };
}
pub(crate) use shared_queries;
