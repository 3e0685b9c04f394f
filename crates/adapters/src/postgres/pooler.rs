//! Finds out whether two connections are two sessions of the server, or a pooler hands sessions
//! around.

use diesel::connection::CacheSize;
use diesel::dsl::sql;
use diesel::pg::PgConnection;
use diesel::sql_types::Integer;
use diesel::{Connection, QueryResult, RunQueryDsl, select};
use payonce_domain::ports::BoxedError;

/// How often it looks: others may have taken the session that the second connection waits for.
const LOOKS: usize = 5;

/// Whether transactions of one connection may run in several sessions. With a connection of its own
/// for each session nobody else has the same process at the server, and it stays the same.
pub fn hands_sessions_around(url: &str) -> Result<bool, BoxedError> {
    let connect = || {
        let mut conn = PgConnection::establish(url)?;
        conn.set_prepared_statement_cache_size(CacheSize::Disabled);
        Ok::<_, BoxedError>(conn)
    };
    let (mut one, mut other) = (connect()?, connect()?);
    for _ in 0..LOOKS {
        let before = process(&mut one)?;
        let has_moved = other.transaction(|other| {
            // Most poolers give the session that was free last.
            let held = process(other)?;
            Ok::<_, diesel::result::Error>(held == before || process(&mut one)? != before)
        })?;
        if has_moved {
            return Ok(true);
        }
    }
    Ok(false)
}

fn process(conn: &mut PgConnection) -> QueryResult<i32> {
    select(sql::<Integer>("pg_backend_pid()")).get_result(conn)
}
