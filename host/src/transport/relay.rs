//! `imsgd rpc` beside a running daemon: passes bytes between stdio and the daemon's socket, and needs no permission
//! for anything else (D11).

use std::io;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy};
use tokio::net::UnixStream;

use crate::config::Scopes;
use crate::rpc::scope;

/// What the daemon answers before anything is passed on is short.
const ANSWER_BYTES: usize = 16 << 10;

/// How a relay ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// The client closed its side, and the daemon has said all that was left to say.
    Client,
    /// The daemon went away while the client was still there.
    Daemon,
}

/// Has the daemon take from this connection all scopes but these, before the client can say anything. Where it does not
/// do so, as an older one, nothing may be passed on.
pub async fn give_up(stream: &mut UnixStream, kept: Scopes) -> anyhow::Result<()> {
    let request = json!({"jsonrpc": "2.0", "id": 0, "method": scope::METHOD, "params": {"scopes": kept.names()}});
    stream.write_all(format!("{request}\n").as_bytes()).await.context("could not ask the daemon")?;
    let mut line = Vec::new();
    loop {
        // One at a time, so that nothing of what follows is taken.
        match stream.read_u8().await.context("the daemon did not answer")? {
            b'\n' => break,
            _ if line.len() == ANSWER_BYTES => bail!("the daemon gave an answer without end"),
            byte => line.push(byte),
        }
    }
    let answer: Value = serde_json::from_slice(&line).context("the daemon gave no JSON")?;
    match answer.get("error") {
        Some(error) => bail!("the daemon did not take scopes from this connection: {}", error["data"]),
        None => Ok(()),
    }
}

/// Passes everything on, both ways, until both sides are done.
pub async fn relay(
    stream: UnixStream,
    mut input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> io::Result<Ended> {
    let (mut from_daemon, mut to_daemon) = stream.into_split();
    let inward = async {
        copy(&mut input, &mut to_daemon).await?;
        // The daemon finishes what it accepted, and closes its side then.
        to_daemon.shutdown().await
    };
    let outward = async {
        let copied = copy(&mut from_daemon, &mut output).await;
        output.flush().await?;
        copied
    };
    tokio::pin!(inward, outward);
    tokio::select! {
        said = &mut inward => {
            said?;
            outward.await?;
            Ok(Ended::Client)
        }
        heard = &mut outward => {
            heard?;
            Ok(Ended::Daemon)
        }
    }
}
