//! Whether commits last.

use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_types::{Integer, Text};
use payonce_domain::ports::{Durability, RepositoryError};

use super::connections::Connections;
use super::sql_store::SqlStore;

/// Reads what a store says of its commits.
pub trait DurabilityStatements {
    /// Each setting under which a commit may be lost, with its value.
    fn durability_risks(&mut self) -> QueryResult<Vec<String>>;
}

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    setting: String,
}

impl DurabilityStatements for PgConnection {
    fn durability_risks(&mut self) -> QueryResult<Vec<String>> {
        let risky = diesel::sql_query(
            "SELECT name, setting FROM pg_settings WHERE setting = 'off' \
             AND name IN ('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY name",
        );
        let risky = risky.load::<Setting>(self)?;
        Ok(risky.iter().map(|risk| format!("{} = {}", risk.name, risk.setting)).collect())
    }
}

#[derive(QueryableByName)]
struct Synchronous {
    #[diesel(sql_type = Integer)]
    synchronous: i32,
}

/// `PRAGMA synchronous`: a commit is on disk when it returns.
const FULL: i32 = 2;

impl DurabilityStatements for SqliteConnection {
    fn durability_risks(&mut self) -> QueryResult<Vec<String>> {
        let Synchronous { synchronous } =
            diesel::sql_query("PRAGMA synchronous").get_result(self)?;
        let is_risky = synchronous < FULL;
        Ok(is_risky.then(|| format!("synchronous = {synchronous}")).into_iter().collect())
    }
}

#[async_trait]
impl<C: Connections> Durability for SqlStore<C> {
    async fn risks(&self) -> Result<Vec<String>, RepositoryError> {
        self.connections.read(|conn: &mut C::Connection| Ok(conn.durability_risks()?)).await
    }
}
