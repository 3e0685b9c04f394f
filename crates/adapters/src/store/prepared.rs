//! Statements that every payment makes, prepared once. Diesel spells its own inserts out each time to find
//! them in its cache, and prepares its updates anew each time.

use diesel::RunQueryDsl;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Binary, Bool, Integer, Nullable, SmallInt, Text};
use diesel::sqlite::Sqlite;

use super::ending::Ending;
use super::rows::{PaymentRow, RecordRow};
use super::settled_row::SettledRow;
use super::timeline::EventRow;
use super::values::{Document, Id, Instant};

/// Makes a struct a statement of both stores that Diesel prepares once: words, and behind each of them
/// a value.
macro_rules! prepared {
    ($name:ident, $this:ident: $($words:expr, $value:expr => $sql:ty;)+ => $end:literal) => {
        prepared!(@on Pg, $name, $this: $($words, $value => $sql;)+ => $end);
        prepared!(@on Sqlite, $name, $this: $($words, $value => $sql;)+ => $end);

        impl QueryId for $name<'_> {
            type QueryId = $name<'static>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl<C> RunQueryDsl<C> for $name<'_> {}
    };
    (@on $store:ty, $name:ident, $this:ident: $($words:expr, $value:expr => $sql:ty;)+ => $end:literal) => {
        impl QueryFragment<$store> for $name<'_> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, $store>) -> QueryResult<()> {
                let $this = self;
                $(
                    out.push_sql($words);
                    out.push_bind_param::<$sql, _>($value)?;
                )+
                out.push_sql($end);
                Ok(())
            }
        }
    };
}

/// A statement that inserts a row whose key is absent.
macro_rules! insert_if_absent {
    (
        $(#[$meta:meta])*
        $name:ident of $row:ident, $table:literal { $first:ident: $first_sql:ty, $($column:ident: $sql:ty),+ $(,)? }
    ) => {
        $(#[$meta])*
        pub struct $name<'a>(pub &'a $row<'a>);

        prepared!($name, this:
            concat!(
                "INSERT INTO ", $table, " (", stringify!($first), $(", ", stringify!($column)),+,
                ") VALUES ("
            ), &this.0.$first => $first_sql;
            $(", ", &this.0.$column => $sql;)+
            => ") ON CONFLICT DO NOTHING"
        );
    };
}

insert_if_absent! {
    /// Inserts a record.
    InsertRecord of RecordRow, "idempotency_records" {
        account_id: Text,
        key_space: Text,
        key: Text,
        generation: Integer,
        subject: Text,
        payment_id: Id,
        fingerprint_version: SmallInt,
        fingerprint: Binary,
        request_id: Text,
        fence: BigInt,
        opening_fence: BigInt,
        state: Text,
        due_at: Nullable<Instant>,
        open_until: Nullable<Instant>,
        is_awaited: Bool,
        first_seen_at: Instant,
        last_seen_at: Instant,
        settled_at: Nullable<Instant>,
        expires_at: Nullable<Instant>,
        answer_status: Nullable<SmallInt>,
        answer_content_type: Nullable<Text>,
        answer_location: Nullable<Text>,
        answer_body: Nullable<Binary>,
    }
}

insert_if_absent! {
    /// Inserts a payment.
    InsertPayment of PaymentRow, "payments" {
        account_id: Text,
        id: Id,
        key_space: Text,
        key: Text,
        generation: Integer,
        operation: Text,
        status: Text,
        amount_minor: BigInt,
        currency: Text,
        payment_method: Nullable<Text>,
        reference: Nullable<Text>,
        description: Nullable<Text>,
        metadata: Document,
        gateway_kind: Text,
        gateway_base_url: Text,
        gateway_account: Text,
        gateway_key: Id,
        gateway_request: Binary,
        gateway_reference: Nullable<Text>,
        attempts: Integer,
        first_sent_at: Nullable<Instant>,
        void_intended_at: Nullable<Instant>,
        failure_code: Nullable<Text>,
        decline_code: Nullable<Text>,
        created_at: Instant,
        completed_at: Nullable<Instant>,
        opening_fence: Nullable<BigInt>,
    }
}

insert_if_absent! {
    /// Appends to a timeline.
    InsertEvent of EventRow, "payment_events" {
        account_id: Text,
        payment_id: Id,
        fence: BigInt,
        step: Integer,
        at: Instant,
        actor: Text,
        kind: Text,
        attempt: Nullable<Integer>,
        detail: Nullable<Text>,
        followed_by: Nullable<Text>,
    }
}

/// Writes a locked record back.
pub struct SaveRecord<'a>(pub &'a RecordRow<'a>);

prepared!(SaveRecord, this:
    "UPDATE idempotency_records SET generation = ", &this.0.generation => Integer;
    ", subject = ", &this.0.subject => Text;
    ", payment_id = ", &this.0.payment_id => Id;
    ", fingerprint_version = ", &this.0.fingerprint_version => SmallInt;
    ", fingerprint = ", &this.0.fingerprint => Binary;
    ", request_id = ", &this.0.request_id => Text;
    ", fence = ", &this.0.fence => BigInt;
    ", opening_fence = ", &this.0.opening_fence => BigInt;
    ", state = ", &this.0.state => Text;
    ", due_at = ", &this.0.due_at => Nullable<Instant>;
    ", open_until = ", &this.0.open_until => Nullable<Instant>;
    ", is_awaited = ", &this.0.is_awaited => Bool;
    ", first_seen_at = ", &this.0.first_seen_at => Instant;
    ", last_seen_at = ", &this.0.last_seen_at => Instant;
    ", settled_at = ", &this.0.settled_at => Nullable<Instant>;
    ", expires_at = ", &this.0.expires_at => Nullable<Instant>;
    ", answer_status = ", &this.0.answer_status => Nullable<SmallInt>;
    ", answer_content_type = ", &this.0.answer_content_type => Nullable<Text>;
    ", answer_location = ", &this.0.answer_location => Nullable<Text>;
    ", answer_body = ", &this.0.answer_body => Nullable<Binary>;
    " WHERE account_id = ", &this.0.account_id => Text;
    " AND key_space = ", &this.0.key_space => Text;
    " AND key = ", &this.0.key => Text;
    => ""
);

/// Inserts how a payment ended, where it has not ended before.
pub struct InsertOutcome<'a>(pub &'a Ending<'a>);

prepared!(InsertOutcome, this:
    "INSERT INTO payment_outcomes (account_id, payment_id, status, gateway_reference, failure_code, \
     decline_code, completed_at, created_at, fence, step, at, actor, kind, attempt, detail, followed_by) \
     VALUES (",
    this.0.last.account_id => Text;
    ", ", &this.0.last.payment_id => Id;
    ", ", this.0.status => Text;
    ", ", &this.0.gateway_reference => Nullable<Text>;
    ", ", &this.0.failure_code => Nullable<Text>;
    ", ", &this.0.decline_code => Nullable<Text>;
    ", ", &this.0.completed_at => Instant;
    ", ", &this.0.created_at => Nullable<Instant>;
    ", ", &this.0.last.fence => BigInt;
    ", ", &this.0.last.step => Integer;
    ", ", &this.0.last.at => Instant;
    ", ", this.0.last.actor => Text;
    ", ", this.0.last.kind => Text;
    ", ", &this.0.last.attempt => Nullable<Integer>;
    ", ", &this.0.last.detail => Nullable<Text>;
    ", ", &this.0.last.followed_by => Nullable<Text>;
    => ") ON CONFLICT DO NOTHING"
);

/// Settles a record that is running under its owner's fence; touches no other.
pub struct SettleOwned<'a>(pub &'a SettledRow<'a>);

prepared!(SettleOwned, this:
    "UPDATE idempotency_records SET state = 'settled', due_at = NULL, answer_status = ",
    &this.0.answer_status => SmallInt;
    ", answer_content_type = ", this.0.answer_content_type => Text;
    ", answer_location = ", &this.0.answer_location => Nullable<Text>;
    ", answer_body = ", this.0.answer_body => Binary;
    ", settled_at = ", &this.0.settled_at => Instant;
    ", expires_at = ", &this.0.expires_at => Instant;
    " WHERE account_id = ", this.0.account_id => Text;
    " AND key_space = ", this.0.key_space => Text;
    " AND key = ", this.0.key => Text;
    " AND payment_id = ", &this.0.payment_id => Id;
    " AND request_id = ", this.0.request_id => Text;
    " AND fence = ", &this.0.fence => BigInt;
    => " AND state = 'running' AND due_at IS NOT NULL"
);
