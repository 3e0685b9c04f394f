//! The keys of accounts.
//!
//! A key is found by its beginning before its account is known, so that its primary key does not
//! begin with an account.

use async_trait::async_trait;
use diesel::prelude::*;
use payonce_domain::account::{AccountId, Mode};
use payonce_domain::api_key::{ApiKey, KeyHash, KeyName, KeyPrefix, KeyScope};
use payonce_domain::ports::{ApiKeyRepository, BoxedError, NewApiKey, RepositoryError};

use super::connections::Connections;
use super::error::StoreError;
use super::schema::api_keys;
use super::sql_store::SqlStore;
use super::statements::Statements;
use super::values::SqlTime;

/// A row of `api_keys`.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = api_keys, treat_none_as_default_value = false)]
pub struct ApiKeyRow {
    prefix: String,
    secret_hash: Vec<u8>,
    account_id: String,
    scope: String,
    name: Option<String>,
    created_at: SqlTime,
    revoked_at: Option<SqlTime>,
}

impl ApiKeyRow {
    fn new(key: &NewApiKey, created_at: SqlTime) -> Self {
        Self {
            prefix: key.prefix.as_str().to_owned(),
            secret_hash: key.hash.0.to_vec(),
            account_id: key.account.as_str().to_owned(),
            scope: key.scope.as_str().to_owned(),
            name: key.name.as_ref().map(|name| name.as_str().to_owned()),
            created_at,
            revoked_at: None,
        }
    }
}

impl TryFrom<ApiKeyRow> for ApiKey {
    type Error = StoreError;

    fn try_from(row: ApiKeyRow) -> Result<Self, Self::Error> {
        fn checked<T, E: Into<BoxedError>>(
            key: &str,
            column: &str,
            value: Result<T, E>,
        ) -> Result<T, StoreError> {
            let place = || format!("api_keys.{column} of key {key}");
            value.map_err(|error| StoreError::inconsistent(place(), error))
        }
        let key = row.prefix.as_str();
        let hash = <[u8; 32]>::try_from(row.secret_hash.as_slice());
        let scope = KeyScope::from_stored(&row.scope).ok_or("the scope is unknown");
        let name = row.name.map(KeyName::parse).transpose();
        Ok(Self {
            prefix: checked(key, "prefix", KeyPrefix::parse(key))?,
            hash: KeyHash(checked(key, "secret_hash", hash)?),
            account: checked(key, "account_id", row.account_id.parse::<AccountId>())?,
            scope: checked(key, "scope", scope)?,
            name: checked(key, "name", name)?,
            created_at: row.created_at.0,
            revoked_at: row.revoked_at.map(|at| at.0),
        })
    }
}

/// The statements that keys are kept by.
pub trait ApiKeyStatements: Statements {
    /// Inserts a key; false when another one begins alike.
    fn insert_api_key_if_absent(&mut self, row: &ApiKeyRow) -> QueryResult<bool>;

    /// The key that begins so.
    fn api_key(&mut self, prefix: &str) -> QueryResult<Option<ApiKeyRow>>;

    /// The keys of these accounts, or of all.
    fn api_keys(&mut self, accounts: Option<&[String]>) -> QueryResult<Vec<ApiKeyRow>>;

    /// Ends a key that is still good.
    fn revoke_api_key(&mut self, prefix: &str, at: SqlTime) -> QueryResult<usize>;
}

/// The statements, which both stores spell alike.
macro_rules! shared_api_key_statements {
    () => {
        fn insert_api_key_if_absent(&mut self, row: &ApiKeyRow) -> QueryResult<bool> {
            let inserted = diesel::insert_into(api_keys::table)
                .values(row)
                .on_conflict(api_keys::prefix)
                .do_nothing()
                .execute(self)?;
            Ok(inserted == 1)
        }

        fn api_key(&mut self, prefix: &str) -> QueryResult<Option<ApiKeyRow>> {
            let row = api_keys::table.find(prefix).select(ApiKeyRow::as_select());
            row.get_result(self).optional()
        }

        fn api_keys(&mut self, accounts: Option<&[String]>) -> QueryResult<Vec<ApiKeyRow>> {
            let mut rows = api_keys::table.select(ApiKeyRow::as_select()).into_boxed();
            if let Some(accounts) = accounts {
                rows = rows.filter(api_keys::account_id.eq_any(accounts.to_vec()));
            }
            let order = (api_keys::account_id, api_keys::created_at, api_keys::prefix);
            rows.order(order).load(self)
        }

        fn revoke_api_key(&mut self, prefix: &str, at: SqlTime) -> QueryResult<usize> {
            diesel::update(api_keys::table.find(prefix))
                .filter(api_keys::revoked_at.is_null())
                .set(api_keys::revoked_at.eq(at))
                .execute(self)
        }
    };
}
pub(crate) use shared_api_key_statements;

#[async_trait]
impl<C: Connections> ApiKeyRepository for SqlStore<C> {
    async fn insert(&self, key: NewApiKey) -> Result<bool, RepositoryError> {
        let insert = move |conn: &mut C::Connection| {
            let now = SqlTime::truncated(conn.now()?);
            Ok(conn.insert_api_key_if_absent(&ApiKeyRow::new(&key, now))?)
        };
        self.connections.write(insert).await
    }

    async fn find(&self, prefix: &KeyPrefix) -> Result<Option<ApiKey>, RepositoryError> {
        let prefix = prefix.clone();
        let find = move |conn: &mut C::Connection| {
            conn.api_key(prefix.as_str())?.map(ApiKey::try_from).transpose()
        };
        self.connections.read(find).await
    }

    async fn list(&self, account: Option<AccountId>) -> Result<Vec<ApiKey>, RepositoryError> {
        let sides = account.map(|account| {
            [Mode::Live, Mode::Test].map(|mode| account.in_mode(mode).as_str().to_owned())
        });
        let list = move |conn: &mut C::Connection| {
            let rows = conn.api_keys(sides.as_ref().map(<[String; 2]>::as_slice))?;
            rows.into_iter().map(ApiKey::try_from).collect()
        };
        self.connections.read(list).await
    }

    async fn revoke(&self, prefix: &KeyPrefix) -> Result<Option<ApiKey>, RepositoryError> {
        let prefix = prefix.clone();
        let revoke = move |conn: &mut C::Connection| {
            let now = SqlTime::truncated(conn.now()?);
            let was_good = conn.revoke_api_key(prefix.as_str(), now)? == 1;
            let row = conn.api_key(prefix.as_str())?;
            let before = row.map(|row| match was_good {
                true => ApiKeyRow { revoked_at: None, ..row },
                false => row,
            });
            before.map(ApiKey::try_from).transpose()
        };
        self.connections.write(revoke).await
    }
}
