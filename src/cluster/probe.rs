//! Whether a node serves, asked as an operator would: the four-letter word `srvr` on its client port.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long one answer may take.
const ANSWER_DEADLINE: Duration = Duration::from_millis(500);

/// The mode in which a node serves, such as "leader".
///
/// # Errors
/// What was answered instead, in a few words.
pub(super) async fn serving_mode(address: SocketAddr) -> Result<String, String> {
    let answer = match tokio::time::timeout(ANSWER_DEADLINE, ask(address)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_elapsed) => return Err(format!("no answer within {ANSWER_DEADLINE:?}")),
    };
    match answer.lines().find_map(|line| line.strip_prefix("Mode: ")) {
        Some(mode) => Ok(mode.trim().to_owned()),
        None => Err(format!("'{}'", answer.lines().next().unwrap_or("an empty answer"))),
    }
}

async fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"srvr").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
