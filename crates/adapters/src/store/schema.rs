//! The tables, as the migrations of both stores make them.

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Bool, Integer, Nullable, SmallInt, Text};
    use crate::store::values::{Id, Instant};

    idempotency_records (account_id, key_space, key) {
        account_id -> Text,
        key_space -> Text,
        key -> Text,
        generation -> Integer,
        subject -> Text,
        payment_id -> Id,
        fingerprint_version -> SmallInt,
        fingerprint -> Binary,
        request_id -> Text,
        fence -> BigInt,
        opening_fence -> BigInt,
        state -> Text,
        due_at -> Nullable<Instant>,
        open_until -> Nullable<Instant>,
        is_awaited -> Bool,
        first_seen_at -> Instant,
        last_seen_at -> Instant,
        settled_at -> Nullable<Instant>,
        expires_at -> Nullable<Instant>,
        answer_status -> Nullable<SmallInt>,
        answer_content_type -> Nullable<Text>,
        answer_location -> Nullable<Text>,
        answer_body -> Nullable<Binary>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Integer, Nullable, Text};
    use crate::store::values::{Document, Id, Instant};

    payments (account_id, id) {
        account_id -> Text,
        id -> Id,
        key_space -> Text,
        key -> Text,
        generation -> Integer,
        operation -> Text,
        status -> Text,
        amount_minor -> BigInt,
        currency -> Text,
        payment_method -> Nullable<Text>,
        reference -> Nullable<Text>,
        description -> Nullable<Text>,
        metadata -> Document,
        gateway_kind -> Text,
        gateway_base_url -> Text,
        gateway_account -> Text,
        gateway_key -> Id,
        gateway_request -> Binary,
        gateway_reference -> Nullable<Text>,
        attempts -> Integer,
        first_sent_at -> Nullable<Instant>,
        void_intended_at -> Nullable<Instant>,
        failure_code -> Nullable<Text>,
        decline_code -> Nullable<Text>,
        created_at -> Instant,
        completed_at -> Nullable<Instant>,
        opening_fence -> Nullable<BigInt>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Integer, Nullable, Text};
    use crate::store::values::{Document, Id, Instant};

    payment_states (account_id, id) {
        account_id -> Text,
        id -> Id,
        key_space -> Text,
        key -> Text,
        generation -> Integer,
        operation -> Text,
        status -> Text,
        amount_minor -> BigInt,
        currency -> Text,
        payment_method -> Nullable<Text>,
        reference -> Nullable<Text>,
        description -> Nullable<Text>,
        metadata -> Document,
        gateway_kind -> Text,
        gateway_base_url -> Text,
        gateway_account -> Text,
        gateway_key -> Id,
        gateway_request -> Binary,
        gateway_reference -> Nullable<Text>,
        attempts -> Integer,
        first_sent_at -> Nullable<Instant>,
        void_intended_at -> Nullable<Instant>,
        failure_code -> Nullable<Text>,
        decline_code -> Nullable<Text>,
        created_at -> Instant,
        completed_at -> Nullable<Instant>,
        opening_fence -> Nullable<BigInt>,
    }
}

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use crate::store::values::{Id, Instant};

    // What lists are made by; each store writes the whole of it by a statement of its own.
    payment_outcomes (payment_id, account_id) {
        account_id -> Text,
        payment_id -> Id,
        created_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::Text;

    pinned_settings (name) {
        name -> Text,
        check_value -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    idempotency_records,
    payments,
    payment_states,
    payment_outcomes
);

diesel::table! {
    use diesel::sql_types::{BigInt, Integer, Nullable, Text};
    use crate::store::values::{Id, Instant};

    payment_events (account_id, payment_id, fence, step) {
        account_id -> Text,
        payment_id -> Id,
        fence -> BigInt,
        step -> Integer,
        at -> Instant,
        actor -> Text,
        kind -> Text,
        attempt -> Nullable<Integer>,
        detail -> Nullable<Text>,
        followed_by -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Integer, Nullable, Text};
    use crate::store::values::{Id, Instant};

    payment_timeline (account_id, payment_id, fence, step) {
        account_id -> Text,
        payment_id -> Id,
        fence -> BigInt,
        step -> Integer,
        at -> Instant,
        actor -> Text,
        kind -> Text,
        attempt -> Nullable<Integer>,
        detail -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use crate::store::values::{Id, Instant};

    gateway_charges (key) {
        key -> Id,
        status -> Text,
        charge_id -> Nullable<Text>,
        amount -> Nullable<Text>,
        currency -> Nullable<Text>,
        payment_method -> Nullable<Text>,
        reference -> Nullable<Text>,
        decline_code -> Nullable<Text>,
        executed_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Integer, Nullable, Text};
    use crate::store::values::Instant;

    transactions (account_id, transaction_id) {
        account_id -> Text,
        transaction_id -> Text,
        source_account -> Text,
        destination_account -> Text,
        amount_minor -> BigInt,
        currency -> Text,
        state -> Text,
        fence -> BigInt,
        attempts -> Integer,
        due_at -> Nullable<Instant>,
        last_failure -> Nullable<Text>,
        created_at -> Instant,
        processed_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};
    use crate::store::values::Instant;

    transaction_conflicts (account_id, transaction_id) {
        account_id -> Text,
        transaction_id -> Text,
        times -> BigInt,
        source_account -> Text,
        destination_account -> Text,
        amount_minor -> BigInt,
        currency -> Text,
        first_seen_at -> Instant,
        last_seen_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Nullable, Text};
    use crate::store::values::Instant;

    api_keys (prefix) {
        prefix -> Text,
        secret_hash -> Binary,
        account_id -> Text,
        scope -> Text,
        name -> Nullable<Text>,
        created_at -> Instant,
        revoked_at -> Nullable<Instant>,
    }
}
