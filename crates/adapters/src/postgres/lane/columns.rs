//! Rows as columns: an array for each column makes one statement, prepared once, of any number of
//! rows.

/// A struct of columns that are gathered from rows of one kind, in this order.
macro_rules! columns {
    (
        $(#[$meta:meta])*
        $name:ident of $row:ty { $($column:ident: $rust:ty => $sql:ty),+ $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Debug)]
        pub struct $name<'a> { $($column: Vec<&'a $rust>),+ }

        impl<'a> $name<'a> {
            /// The columns, as a list in a statement.
            const LIST: &'static str = columns!(@list $($column)+);

            /// Gathers the columns of these rows.
            pub fn of(rows: &'a [$row]) -> Self {
                Self { $($column: rows.iter().map(|row| &row.$column).collect()),+ }
            }

            /// Writes `SELECT * FROM unnest(…) AS row (…)`.
            fn rows<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
                let mut before = "SELECT * FROM unnest(";
                $(
                    out.push_sql(before);
                    out.push_bind_param::<Array<$sql>, _>(&self.$column)?;
                    before = ", ";
                )+
                let _ = before;
                out.push_sql(") AS row (");
                out.push_sql(Self::LIST);
                out.push_sql(")");
                Ok(())
            }
        }
    };
    (@list $first:ident $($column:ident)*) => {
        concat!(stringify!($first) $(, ", ", stringify!($column))*)
    };
}
pub(super) use columns;

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
