//! MySQL and MariaDB.

use super::database::Database;
use crate::contract::Access;
use crate::error::{Error, Result};
use std::sync::Arc;

/// Connects.
pub(super) async fn open(_location: &str, _access: &Access) -> Result<Arc<dyn Database>> {
    Err(Error::bug("not there yet"))
}
