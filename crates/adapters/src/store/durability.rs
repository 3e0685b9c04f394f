//! Whether commits last, and what else of a server's settings matters.

use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_types::{Integer, Text};
use payonce_domain::ports::{Durability, RepositoryError};

use super::connections::Connections;
use super::sql_store::SqlStore;

/// Reads what a store says of its commits, and of its patience.
pub trait DurabilityStatements {
    /// Each setting under which a commit may be lost, with its value.
    fn durability_risks(&mut self) -> QueryResult<Vec<String>>;

    /// Each setting under which trouble lasts longer than it must, with advice; `connections` is how
    /// many this instance may open.
    fn weaknesses(&mut self, connections: usize) -> QueryResult<Vec<String>>;
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

    fn weaknesses(&mut self, connections: usize) -> QueryResult<Vec<String>> {
        let settings = diesel::sql_query(
            "SELECT name, setting FROM pg_settings \
             WHERE name IN ('client_connection_check_interval', 'max_connections') ORDER BY name",
        );
        let settings = settings.load::<Setting>(self)?;
        let weak = |Setting { name, setting }: Setting| match name.as_str() {
            "client_connection_check_interval" if setting == "0" => Some(
                "client_connection_check_interval = 0: statements of an instance that is gone run \
                 on and hold their locks; set it to 1s"
                    .to_owned(),
            ),
            "max_connections" if setting.parse().is_ok_and(|most: usize| most < connections) => {
                Some(format!(
                    "max_connections = {setting}: this instance alone may open {connections}; lower \
                     database.pool_size or raise it"
                ))
            }
            _ => None,
        };
        Ok(settings.into_iter().filter_map(weak).collect())
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

    fn weaknesses(&mut self, _: usize) -> QueryResult<Vec<String>> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl<C: Connections> Durability for SqlStore<C> {
    async fn risks(&self) -> Result<Vec<String>, RepositoryError> {
        self.connections.read(|conn: &mut C::Connection| Ok(conn.durability_risks()?)).await
    }
}
