//! Rows as values of composite types of the database: one array of them makes one statement, prepared
//! once, of any number of rows, at a fraction of what an array for each column costs the server.

use diesel::data_types::PgInterval;
use diesel::pg::Pg;
use diesel::query_builder::QueryId;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::{Interval, SqlType};
use time::OffsetDateTime;

use crate::store::values::SqlTime;

/// The time of rows that are made before the database has told its own.
pub(super) const BEGINNING: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

/// A time since [`BEGINNING`], which the statement counts from its reading of the clock.
#[derive(Debug, Clone, Copy, Default, QueryId, SqlType)]
#[diesel(postgres_type(oid = 1186, array_oid = 1187))]
pub(super) struct FromNow;

impl ToSql<FromNow, Pg> for SqlTime {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let micros = (self.0 - BEGINNING).whole_microseconds().try_into()?;
        let interval = PgInterval::from_microseconds(micros);
        ToSql::<Interval, Pg>::to_sql(&interval, &mut out.reborrow())
    }
}

/// A composite type of the database, in which rows of one kind are sent.
pub(super) trait Composite {
    /// The columns, as a list in a statement.
    const COLUMNS: &'static str;

    /// Their values in a `row` of an array, beside the [`CLOCK`].
    const VALUES: &'static str;
}

/// Reads the clock, once for a statement.
pub(super) const CLOCK: &str = "clock AS MATERIALIZED (SELECT clock_timestamp() AS now)";

/// What [`CLOCK`] read.
pub(super) const NOW: &str = "(SELECT now FROM clock)";

/// A composite type, by its name, and the kind of rows that are sent in it: the account and these
/// columns in this order. Those `from now` are counted from [`CLOCK`].
macro_rules! composite {
    (
        $(#[$meta:meta])*
        $name:ident ($type:literal) of $row:ty {
            $($column:ident: $sql:ty),+ $(,)?
        } $(from now { $($dated:ident: $from_now:ty),+ $(,)? })?
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, QueryId, SqlType)]
        #[diesel(postgres_type(name = $type))]
        pub struct $name;

        impl Composite for $name {
            const COLUMNS: &'static str = concat!(
                "account_id" $(, ", ", stringify!($column))+
                $($(, ", ", stringify!($dated))+)?
            );

            const VALUES: &'static str = concat!(
                "row.account_id" $(, ", row.", stringify!($column))+
                $($(, ", (SELECT now FROM clock) + row.", stringify!($dated))+)?
            );
        }

        impl ToSql<$name, Pg> for $row {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                WriteTuple::<(Text, $($sql,)+ $($($from_now,)+)?)>::write_tuple(
                    &(&self.account_id, $(&self.$column,)+ $($(&self.$dated,)+)?),
                    &mut out.reborrow(),
                )
            }
        }
    };
}
pub(super) use composite;

/// Makes a struct a statement that Diesel prepares once, for each choice of its parts.
macro_rules! prepared_once {
    ($name:ident $(<$($part:ident),+>)?) => {
        impl<$($(const $part: bool),+)?> QueryId for $name<'_ $($(, $part)+)?> {
            type QueryId = $name<'static $($(, $part)+)?>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl<C $($(, const $part: bool)+)?> RunQueryDsl<C> for $name<'_ $($(, $part)+)?> {}
    };
}
pub(super) use prepared_once;
