//! The schema's history, embedded in the binary.
//!
//! A migration runs under a lock, so that any number of instances may start at once.

use std::fmt;

use diesel::connection::SimpleConnection;
use diesel::dsl::{exists, select};
use diesel::migration::MigrationSource;
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use payonce_domain::ports::BoxedError;

const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// Names Payonce among the advisory locks of a PostgreSQL database.
const POSTGRES_LOCK: i64 = 7_229_946_003_014_337_024;

/// Whether one migration is in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationState {
    /// Its folder's name.
    pub name: String,
    /// Whether it was run.
    pub is_applied: bool,
}

impl fmt::Display for MigrationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.is_applied { "applied" } else { "pending" };
        write!(f, "{mark}  {}", self.name)
    }
}

/// A schema that can be brought forward and back.
pub trait Migrate {
    /// Runs what is pending; returns the names of what it ran.
    fn migrate_up(&mut self) -> Result<Vec<String>, BoxedError>;

    /// Reverts the newest; returns its name, or `None` when none is applied.
    fn migrate_down(&mut self) -> Result<Option<String>, BoxedError>;

    /// Every known migration, oldest first. Only reads: a replica can be asked too.
    fn migration_states(&mut self) -> Result<Vec<MigrationState>, BoxedError>;
}

/// Tables that the databases and the library keep.
mod bookkeeping {
    diesel::table! {
        sqlite_master (name) {
            name -> Text,
        }
    }

    diesel::table! {
        __diesel_schema_migrations (version) {
            version -> VarChar,
        }
    }
}
use bookkeeping::{__diesel_schema_migrations, sqlite_master};

#[diesel::declare_sql_function]
extern "SQL" {
    /// The table of a name on the search path, as text; NULL when there is none.
    #[sql_name = "to_regclass"]
    fn regclass(name: Text) -> Nullable<diesel::sql_types::Oid>;
}

impl Migrate for PgConnection {
    fn migrate_up(&mut self) -> Result<Vec<String>, BoxedError> {
        under_advisory_lock(self, |conn| up(conn, POSTGRES))
    }

    fn migrate_down(&mut self) -> Result<Option<String>, BoxedError> {
        under_advisory_lock(self, |conn| down(conn, POSTGRES))
    }

    fn migration_states(&mut self) -> Result<Vec<MigrationState>, BoxedError> {
        let is_there = select(regclass("__diesel_schema_migrations").is_not_null()).first(self)?;
        let versions =
            __diesel_schema_migrations::table.select(__diesel_schema_migrations::version);
        let applied = if is_there { versions.load(self)? } else { Vec::new() };
        states::<Pg>(&POSTGRES, &applied)
    }
}

impl Migrate for SqliteConnection {
    fn migrate_up(&mut self) -> Result<Vec<String>, BoxedError> {
        self.immediate_transaction(|conn| up(conn, SQLITE).map_err(Aborted)).map_err(Aborted::into)
    }

    fn migrate_down(&mut self) -> Result<Option<String>, BoxedError> {
        self.immediate_transaction(|conn| down(conn, SQLITE).map_err(Aborted))
            .map_err(Aborted::into)
    }

    fn migration_states(&mut self) -> Result<Vec<MigrationState>, BoxedError> {
        let tables =
            sqlite_master::table.filter(sqlite_master::name.eq("__diesel_schema_migrations"));
        let is_there = select(exists(tables)).first(self)?;
        let versions =
            __diesel_schema_migrations::table.select(__diesel_schema_migrations::version);
        let applied = if is_there { versions.load(self)? } else { Vec::new() };
        states::<Sqlite>(&SQLITE, &applied)
    }
}

/// Lets any error roll a transaction back.
struct Aborted(BoxedError);

impl From<diesel::result::Error> for Aborted {
    fn from(error: diesel::result::Error) -> Self {
        Self(error.into())
    }
}

impl From<Aborted> for BoxedError {
    fn from(Aborted(error): Aborted) -> Self {
        error
    }
}

fn under_advisory_lock<T>(
    conn: &mut PgConnection,
    work: impl FnOnce(&mut PgConnection) -> Result<T, BoxedError>,
) -> Result<T, BoxedError> {
    // A migration may take longer than any statement of the service may.
    conn.batch_execute("SET statement_timeout = 0; SET lock_timeout = 0;")?;
    conn.batch_execute(&format!("SELECT pg_advisory_lock({POSTGRES_LOCK})"))?;
    let done = work(conn);
    conn.batch_execute(&format!("SELECT pg_advisory_unlock({POSTGRES_LOCK})"))?;
    done
}

fn up<DB, C>(conn: &mut C, source: EmbeddedMigrations) -> Result<Vec<String>, BoxedError>
where
    DB: diesel::backend::Backend,
    C: MigrationHarness<DB>,
    EmbeddedMigrations: MigrationSource<DB>,
{
    let versions = conn.run_pending_migrations(source)?;
    Ok(versions.iter().map(ToString::to_string).collect())
}

fn down<DB, C>(conn: &mut C, source: EmbeddedMigrations) -> Result<Option<String>, BoxedError>
where
    DB: diesel::backend::Backend,
    C: MigrationHarness<DB>,
    EmbeddedMigrations: MigrationSource<DB>,
{
    if conn.applied_migrations()?.is_empty() {
        return Ok(None);
    }
    Ok(Some(conn.revert_last_migration(source)?.to_string()))
}

fn states<DB>(
    source: &EmbeddedMigrations,
    applied: &[String],
) -> Result<Vec<MigrationState>, BoxedError>
where
    DB: diesel::backend::Backend,
    EmbeddedMigrations: MigrationSource<DB>,
{
    let known = source.migrations()?;
    let mut states: Vec<_> = known
        .iter()
        .map(|migration| MigrationState {
            name: migration.name().to_string(),
            is_applied: applied.contains(&migration.name().version().to_string()),
        })
        .collect();
    states.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(states)
}
