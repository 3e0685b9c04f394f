//! What the database holds in the end, read from its tables; knows not what is right.

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, QueryableByName, RunQueryDsl, sql_query};

use crate::Failure;

/// Where the tables are.
#[derive(Debug, Clone)]
pub enum Tables {
    /// On a server, by its URL.
    Postgres(String),
    /// In a file, by its path.
    Sqlite(String),
}

/// One payment with the record of its key.
#[derive(Debug, Clone, QueryableByName)]
pub struct PaymentRow {
    /// The key space.
    #[diesel(sql_type = Text)]
    pub key_space: String,
    /// The key.
    #[diesel(sql_type = Text)]
    pub key: String,
    /// The id, in 32 digits.
    #[diesel(sql_type = Text)]
    pub id: String,
    /// The state.
    #[diesel(sql_type = Text)]
    pub status: String,
    /// The amount in cents.
    #[diesel(sql_type = BigInt)]
    pub amount_minor: i64,
    /// The currency.
    #[diesel(sql_type = Text)]
    pub currency: String,
    /// The charge.
    #[diesel(sql_type = Nullable<Text>)]
    pub gateway_reference: Option<String>,
    /// How many owners it had.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub fence: Option<i64>,
    /// The state of its record.
    #[diesel(sql_type = Nullable<Text>)]
    pub state: Option<String>,
    /// The stored answer's status.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub answer_status: Option<i64>,
    /// The stored answer.
    #[diesel(sql_type = Nullable<Binary>)]
    pub answer_body: Option<Vec<u8>>,
}

/// One announced transaction.
#[derive(Debug, Clone, QueryableByName)]
pub struct TransactionRow {
    /// The id.
    #[diesel(sql_type = Text)]
    pub transaction_id: String,
    /// The amount in the smallest unit.
    #[diesel(sql_type = BigInt)]
    pub amount_minor: i64,
    /// The state.
    #[diesel(sql_type = Text)]
    pub state: String,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// All of it.
#[derive(Debug, Default)]
pub struct Books {
    /// The payments.
    pub payments: Vec<PaymentRow>,
    /// The transactions.
    pub transactions: Vec<TransactionRow>,
}

const PAYMENTS: &str = "p.key_space, p.key, p.status, p.amount_minor, p.currency, \
     p.gateway_reference, r.state, r.answer_body";
const JOINED: &str = "FROM payment_states p LEFT JOIN idempotency_records r \
     ON r.account_id = p.account_id AND r.payment_id = p.id";
const UNSETTLED: &str = "SELECT (SELECT count(*) FROM idempotency_records \
     WHERE state IN ('running', 'open', 'queued', 'unknown')) \
     + (SELECT count(*) FROM transactions WHERE state IN ('waiting', 'running')) AS number";

impl Tables {
    /// Reads everything.
    pub async fn read(&self) -> Result<Books, Failure> {
        let transactions = "SELECT transaction_id, amount_minor, state FROM transactions";
        self.run(move |tables| {
            Ok(match tables {
                Self::Postgres(url) => {
                    let mut conn = PgConnection::establish(url)?;
                    let payments = format!(
                        "SELECT {PAYMENTS}, replace(p.id::text, '-', '') AS id, \
                         r.fence::bigint AS fence, r.answer_status::bigint AS answer_status {JOINED}"
                    );
                    Books {
                        payments: sql_query(payments).load(&mut conn)?,
                        transactions: sql_query(transactions).load(&mut conn)?,
                    }
                }
                Self::Sqlite(path) => {
                    let mut conn = file(path)?;
                    let payments = format!(
                        "SELECT {PAYMENTS}, lower(hex(p.id)) AS id, r.fence, r.answer_status {JOINED}"
                    );
                    Books {
                        payments: sql_query(payments).load(&mut conn)?,
                        transactions: sql_query(transactions).load(&mut conn)?,
                    }
                }
            })
        })
        .await
    }

    /// How much is neither final nor in an operator's hands.
    pub async fn unsettled(&self) -> Result<i64, Failure> {
        self.run(|tables| {
            Ok(match tables {
                Self::Postgres(url) => {
                    let mut conn = PgConnection::establish(url)?;
                    sql_query(UNSETTLED).get_result::<Number>(&mut conn)?.number
                }
                Self::Sqlite(path) => {
                    sql_query(UNSETTLED).get_result::<Number>(&mut file(path)?)?.number
                }
            })
        })
        .await
    }

    /// Runs statements on a connection of their own.
    pub async fn execute(&self, statements: &str) -> Result<(), Failure> {
        let statements = statements.to_owned();
        self.run(move |tables| {
            match tables {
                Self::Postgres(url) => PgConnection::establish(url)?.batch_execute(&statements)?,
                Self::Sqlite(path) => file(path)?.batch_execute(&statements)?,
            }
            Ok(())
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || work(&this)).await?
    }
}

fn file(path: &str) -> Result<SqliteConnection, Failure> {
    let mut conn = SqliteConnection::establish(path)?;
    conn.batch_execute("PRAGMA busy_timeout = 10000")?;
    Ok(conn)
}
