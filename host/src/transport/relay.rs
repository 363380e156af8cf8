//! `imsgd rpc` beside a running daemon: passes bytes between stdio and the daemon's socket, and needs no permission
//! for anything else (D11).

use std::io;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy};
use tokio::net::UnixStream;

/// How a relay ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// The client closed its side, and the daemon has said all that was left to say.
    Client,
    /// The daemon went away while the client was still there.
    Daemon,
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
