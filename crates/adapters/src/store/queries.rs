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
            match filter.status {
                None => {}
                // Failures may be few among many, and have indexes of their own, which hold of a word that
                // stands in the query.
                Some(PaymentStatus::Failed) if !has_own_index => {
                    let mut outcomes = payment_outcomes::table
                        .filter(payment_outcomes::account_id.eq(account.as_str()))
                        .filter(sql::<Bool>("payment_outcomes.status = 'FAILED'"))
                        .select(payment_outcomes::payment_id)
                        .into_boxed();
                    one_page!(outcomes, payment_outcomes::payment_id, payment_outcomes, call);
                    let mut before_outcomes = payments::table
                        .filter(payments::account_id.eq(account.as_str()))
                        .filter(sql::<Bool>("payments.status = 'FAILED'"))
                        .select(payments::id)
                        .into_boxed();
                    one_page!(before_outcomes, payments::id, payments, call);
                    let failed = outcomes.union_all(before_outcomes);
                    query = query.filter(payment_states::id.eq_any(failed));
                }
                Some(status @ (PaymentStatus::Completed | PaymentStatus::Failed)) => {
                    query = query.filter(payment_states::status.eq(status.as_str()));
                }
                // Few are under way; their records are found by indexes of their own.
                Some(status @ (PaymentStatus::Processing | PaymentStatus::NeedsReview)) => {
                    let records = idempotency_records::table
                        .filter(idempotency_records::account_id.eq(account.as_str()))
                        .select(idempotency_records::payment_id);
                    let due = records.filter(idempotency_records::due_at.is_not_null());
                    let in_review =
                        records.filter(sql::<Bool>("idempotency_records.state = 'in_review'"));
                    let under_way = due.union_all(in_review);
                    query = query
                        .filter(payment_states::id.eq_any(under_way))
                        .filter(payment_states::status.eq(status.as_str()));
                }
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
