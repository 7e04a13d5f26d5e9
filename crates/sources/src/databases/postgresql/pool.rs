//! Sessions that share one snapshot, so that all of them see the same rows.

use super::select::DIALECT;
use super::session::{Connector, Session};
use perennial_core::error::{Error, Kind, Result};
use std::sync::{Mutex, PoisonError};

/// Sessions that see the same snapshot.
pub(super) struct Pool {
    connector: Connector,
    /// The name of the snapshot that all share.
    snapshot: String,
    idle: Mutex<Vec<Session>>,
    /// The session that keeps the snapshot alive.
    _keeper: Mutex<Session>,
}

impl Pool {
    /// Shares the snapshot of a session, which keeps it alive.
    pub(super) fn new(connector: Connector, snapshot: String, keeper: Session) -> Pool {
        Pool { connector, snapshot, idle: Mutex::new(Vec::new()), _keeper: Mutex::new(keeper) }
    }

    /// What is needed for new sessions.
    pub(super) fn connector(&self) -> &Connector {
        &self.connector
    }

    /// An idle session, or a new one.
    pub(super) async fn take(&self) -> Result<Session> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(session) = idle {
            return Ok(session);
        }
        let mut session = self.connector.connect().await?;
        let join = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {}",
            DIALECT.literal(&self.snapshot)
        );
        session.execute(&join).await.map_err(|e| match e.kind() {
            // The snapshot has ended with the session that kept it.
            Kind::Data | Kind::Project => Error::unreachable(format!(
                "{} lost the connection that holds the snapshot: {}",
                self.connector.label,
                e.message()
            ))
            .hint("try again"),
            _ => e,
        })?;
        Ok(session)
    }

    /// Keeps a session for later use. Only for one whose last query succeeded.
    pub(super) fn give_back(&self, session: Session) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
    }
}
