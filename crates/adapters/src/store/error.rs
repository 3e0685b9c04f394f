//! What goes wrong inside a store, and what callers are told.

use deadpool_diesel::{InteractError, PoolError};
use diesel::ConnectionError;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use payonce_domain::ports::{BoxedError, RepositoryError};

/// What PostgreSQL says of a statement that was prepared before its result's columns changed.
const OF_ANOTHER_SCHEMA: &str = "cached plan must not change result type";

/// A failure inside a transaction.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Database(#[from] DieselError),
    #[error("{place} holds what no rule allows")]
    Inconsistent {
        place: String,
        #[source]
        source: BoxedError,
    },
    #[error(transparent)]
    Connect(#[from] ConnectionError),
    #[error("no connection could be had")]
    Pool(#[source] PoolError),
    #[error("the work on a connection panicked")]
    Panicked,
    #[error("the work on a connection was cancelled")]
    Cancelled,
}

impl StoreError {
    /// A stored value that breaks a rule of the domain.
    pub fn inconsistent(place: impl Into<String>, source: impl Into<BoxedError>) -> Self {
        Self::Inconsistent { place: place.into(), source: source.into() }
    }

    /// Whether the same transaction may succeed now: it met another one, or its connection died.
    /// Where the connection died in COMMIT, the repeat also finds out what became of it.
    pub fn is_transient(&self) -> bool {
        let Self::Database(DieselError::DatabaseError(kind, information)) = self else {
            return false;
        };
        match kind {
            DatabaseErrorKind::SerializationFailure
            | DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::UnableToSendCommand => true,
            // The driver tells no SQLSTATE for these (40P01, 57P01, 0A000).
            _ => ["deadlock detected", "terminating connection", OF_ANOTHER_SCHEMA]
                .iter()
                .any(|message| information.message().contains(message)),
        }
    }

    /// Whether the statement was prepared for another shape of the tables: PostgreSQL never runs it
    /// again.
    pub fn is_of_another_schema(&self) -> bool {
        let Self::Database(DieselError::DatabaseError(_, information)) = self else {
            return false;
        };
        information.message().contains(OF_ANOTHER_SCHEMA)
    }
}

impl From<&InteractError> for StoreError {
    fn from(stopped: &InteractError) -> Self {
        match stopped {
            InteractError::Panic(_) => Self::Panicked,
            InteractError::Cancelled => Self::Cancelled,
        }
    }
}

impl From<StoreError> for RepositoryError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Inconsistent { place, source } => Self::Inconsistent { place, source },
            StoreError::Database(DieselError::DeserializationError(source)) => {
                Self::Inconsistent { place: "a stored row".to_owned(), source }
            }
            StoreError::Database(error) if is_fault_of_ours(&error) => Self::Refused(error.into()),
            StoreError::Panicked => Self::Refused(error.into()),
            StoreError::Database(_)
            | StoreError::Connect(_)
            | StoreError::Pool(_)
            | StoreError::Cancelled => Self::Unavailable(error.into()),
        }
    }
}

/// Whether the database understood the statement and refused it.
fn is_fault_of_ours(error: &DieselError) -> bool {
    match error {
        DieselError::DatabaseError(kind, _) => matches!(
            kind,
            DatabaseErrorKind::UniqueViolation
                | DatabaseErrorKind::ForeignKeyViolation
                | DatabaseErrorKind::NotNullViolation
                | DatabaseErrorKind::CheckViolation
                | DatabaseErrorKind::RestrictViolation
                | DatabaseErrorKind::ExclusionViolation
        ),
        DieselError::BrokenTransactionManager | DieselError::RollbackErrorOnCommit { .. } => false,
        _ => true,
    }
}
