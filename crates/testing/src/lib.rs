//! Private databases and a private Redis for the tests of the other crates, what runs a test on
//! both stores, and a reader of metrics.
//!
//! PostgreSQL is a real server, named by `TEST_DATABASE_URL`; each test gets a schema of its own
//! in it, dropped with everything in it at the end, or a database of its own behind the PgBouncer of
//! `TEST_POOLER_URL`. SQLite is a file in a folder of its own. Redis
//! is a corner of the server that `TEST_REDIS_URL` names, or a process of the test's own.
//! A missing server is a failure that says what to do, never a skipped test.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot start must fail")]

pub mod metrics;
mod redis;
mod secrets;

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::pg::PgConnection;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, RunQueryDsl};
use tempfile::TempDir;
use url::Url;
use uuid::Uuid;

pub use redis::{Contents, Garbage, RedisCorner, RedisServer};
pub use secrets::{secret_in, shows_no_secret};

/// Runs each promise against each store, as `postgres::promise` and `sqlite::promise`: `by` is
/// what runs it, given how to make its database. With `and pooled`, also against PostgreSQL behind a
/// pooler.
#[macro_export]
macro_rules! promises {
    (by $keep:path, and pooled; $($promises:tt)+) => {
        $crate::promises! { by $keep; $($promises)+ }
        $crate::kept_by! { pooled $keep; $($promises)+ }
    };
    (by $keep:path; $($promises:tt)+) => {
        $crate::kept_by! { postgres $keep; $($promises)+ }
        $crate::kept_by! { sqlite $keep; $($promises)+ }
    };
}

/// Runs each promise against one store; a part of [`promises`].
#[macro_export]
macro_rules! kept_by {
    ($store:ident $keep:path; $($module:ident { $($promise:ident,)+ })+) => {
        mod $store {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $promise() {
                    $keep($crate::TestDatabase::$store, super::$module::$promise).await;
                }
            )+)+
        }
    };
}

/// A database that nobody else uses, gone when it is dropped; a secret in it fails the test then.
#[derive(Debug)]
pub struct TestDatabase {
    url: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Postgres { server: String, schema: String },
    Pooled { server: String, database: String, pooler: String },
    Sqlite { _folder: TempDir },
}

impl TestDatabase {
    /// An empty schema on the PostgreSQL server that `TEST_DATABASE_URL` names.
    pub fn postgres() -> Self {
        let Ok(server) = std::env::var("TEST_DATABASE_URL") else {
            panic!(
                "TEST_DATABASE_URL is not set: run the tests by `make test`, which starts a server"
            );
        };
        let schema = format!("test_{}", Uuid::new_v4().simple());
        run(&server, &format!("CREATE SCHEMA {schema}"));
        let mut url = Url::parse(&server).expect("TEST_DATABASE_URL is a URL");
        url.query_pairs_mut().append_pair("options", &format!("-csearch_path={schema}"));
        Self { url: url.into(), kind: Kind::Postgres { server, schema } }
    }

    /// An empty database on that server, to be reached through the PgBouncer that
    /// `TEST_POOLER_URL` names: it knows no schema of a session's own.
    pub fn pooled() -> Self {
        let var = |name: &str| {
            std::env::var(name).unwrap_or_else(|_| {
                panic!("{name} is not set: run the tests by `make test`, which starts a server")
            })
        };
        let (server, pooler) = (var("TEST_DATABASE_URL"), var("TEST_POOLER_URL"));
        let database = format!("test_{}", Uuid::new_v4().simple());
        run(&server, &format!("CREATE DATABASE {database}"));
        let of_database = |url: &str| {
            let mut url = Url::parse(url).expect("it is a URL");
            url.set_path(&database);
            String::from(url)
        };
        let (url, pooler) = (of_database(&server), of_database(&pooler));
        Self { url, kind: Kind::Pooled { server, database, pooler } }
    }

    /// A file that does not exist yet.
    pub fn sqlite() -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let url = format!("sqlite://{}", folder.path().join("payonce.db").display());
        Self { url, kind: Kind::Sqlite { _folder: folder } }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it is behind a pooler, if it is to be reached so.
    pub fn pooler_url(&self) -> Option<&str> {
        match &self.kind {
            Kind::Pooled { pooler, .. } => Some(pooler),
            Kind::Postgres { .. } | Kind::Sqlite { .. } => None,
        }
    }

    /// The settings by which a service reaches it, as environment variables.
    pub fn variables(&self) -> Vec<(&'static str, &str)> {
        match self.pooler_url() {
            None => vec![("DATABASE_URL", &self.url)],
            Some(pooler) => vec![
                ("DATABASE_URL", pooler),
                ("PAYONCE__DATABASE__POOLED", "true"),
                ("PAYONCE__DATABASE__DIRECT_URL", &self.url),
            ],
        }
    }

    /// Runs plain SQL on a connection of its own.
    pub fn execute(&self, statements: &str) {
        match &self.kind {
            Kind::Postgres { .. } | Kind::Pooled { .. } => run(&self.url, statements),
            Kind::Sqlite { .. } => {
                self.file().batch_execute(statements).expect("the statements run");
            }
        }
    }

    /// The one number that a query of plain SQL selects.
    pub fn number(&self, query: &str) -> i64 {
        let number = match &self.kind {
            Kind::Postgres { .. } | Kind::Pooled { .. } => {
                let mut conn = PgConnection::establish(&self.url).expect("the server is there");
                sql::<BigInt>(query).get_result(&mut conn)
            }
            Kind::Sqlite { .. } => sql::<BigInt>(query).get_result(&mut self.file()),
        };
        number.expect("the query selects a number")
    }

    /// A secret that is stored in it, in whatever table.
    pub fn secret(&self) -> Option<String> {
        match &self.kind {
            Kind::Postgres { .. } | Kind::Pooled { .. } => {
                let mut conn = PgConnection::establish(&self.url).expect("the server is there");
                let tables = sql::<Text>(
                    "SELECT quote_ident(tablename) FROM pg_tables \
                     WHERE schemaname = current_schema()",
                );
                let tables: Vec<String> = tables.load(&mut conn).expect("tables are listed");
                tables.iter().find_map(|table| {
                    let rows = format!(
                        "SELECT coalesce(string_agg(t::text, E'\n'), '') FROM {table} AS t"
                    );
                    let rows: String =
                        sql::<Text>(&rows).get_result(&mut conn).expect("rows are read");
                    secret_in(&rows).map(|secret| format!("{secret} in {table}"))
                })
            }
            Kind::Sqlite { .. } => ["", "-wal"].iter().find_map(|end| {
                let path = self.url.strip_prefix("sqlite://").unwrap_or(&self.url);
                let bytes = std::fs::read(format!("{path}{end}")).unwrap_or_default();
                secret_in(&String::from_utf8_lossy(&bytes)).map(str::to_owned)
            }),
        }
    }

    fn file(&self) -> SqliteConnection {
        let path = self.url.strip_prefix("sqlite://").unwrap_or(&self.url);
        let mut conn = SqliteConnection::establish(path).expect("the file is there");
        conn.batch_execute("PRAGMA busy_timeout = 5000").expect("the file is a database");
        conn
    }

    /// Whether this is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        !matches!(self.kind, Kind::Sqlite { .. })
    }

    /// Keeps every other session from writing to a table, until it is dropped.
    pub fn hold(&self, table: &str) -> Held {
        match &self.kind {
            Kind::Postgres { .. } | Kind::Pooled { .. } => {
                let mut conn = PgConnection::establish(&self.url).expect("the server is there");
                let hold = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
                conn.batch_execute(&hold).expect("nobody else holds it");
                Held::Postgres { _session: conn }
            }
            Kind::Sqlite { .. } => {
                let mut conn = self.file();
                conn.batch_execute("BEGIN EXCLUSIVE").expect("nobody else holds it");
                Held::Sqlite { _session: conn }
            }
        }
    }

    /// From now on that operation (`INSERT`, `UPDATE`) on a table fails where the condition holds.
    pub fn refuse(&self, operation: &str, table: &str, condition: &str) {
        let name = format!("refuse_{operation}_{table}");
        self.execute(&match &self.kind {
            Kind::Postgres { .. } | Kind::Pooled { .. } => format!(
                "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN RAISE EXCEPTION 'refused by a test'; END $$; \
                 CREATE TRIGGER {name} BEFORE {operation} ON {table} \
                 FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION {name}()"
            ),
            Kind::Sqlite { .. } => format!(
                "CREATE TRIGGER {name} BEFORE {operation} ON {table} WHEN {condition} \
                 BEGIN SELECT RAISE(ABORT, 'refused by a test'); END"
            ),
        });
    }

    /// It succeeds again.
    pub fn allow(&self, operation: &str, table: &str) {
        let name = format!("refuse_{operation}_{table}");
        self.execute(&match &self.kind {
            Kind::Postgres { .. } | Kind::Pooled { .. } => {
                format!("DROP FUNCTION {name} CASCADE")
            }
            Kind::Sqlite { .. } => format!("DROP TRIGGER {name}"),
        });
    }
}

/// A session that holds a table; its end lets go.
pub enum Held {
    /// On PostgreSQL.
    Postgres {
        /// Ends with this.
        _session: PgConnection,
    },
    /// On SQLite, where one writer holds the whole file.
    Sqlite {
        /// Ends with this.
        _session: SqliteConnection,
    },
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let secret = if std::thread::panicking() { None } else { self.secret() };
        match &self.kind {
            Kind::Postgres { server, schema } => {
                run(server, &format!("DROP SCHEMA {schema} CASCADE"));
            }
            // The pooler keeps sessions of it.
            Kind::Pooled { server, database, .. } => {
                run(server, &format!("DROP DATABASE {database} WITH (FORCE)"));
            }
            Kind::Sqlite { .. } => {}
        }
        assert_eq!(secret, None, "the database kept a secret");
    }
}

fn run(server: &str, statement: &str) {
    let mut conn = PgConnection::establish(server)
        .unwrap_or_else(|error| panic!("the server of TEST_DATABASE_URL is not there: {error}"));
    conn.batch_execute(statement).expect("the statements run");
}
