//! Which server and database a connection is made to.

use redis::cmd;

use crate::error::Result;
use crate::store::redis::connection::Connection;
use crate::store::redis::reply;

/// The server's run ID and the number of the database; `None`: the user may not ask for it.
pub(crate) async fn instance(connection: &Connection) -> Result<Option<String>> {
    let answer = connection.execute("INFO", cmd("INFO").arg("server")).await?;
    let text = answer.ok().and_then(reply::text).unwrap_or_default();
    let run_id = text.lines().find_map(|line| line.trim_end().strip_prefix("run_id:"));
    Ok(run_id.map(|run_id| format!("{run_id}/{}", connection.database())))
}
