//! `plugins.list` and `plugins.reload`.

use super::error::RpcError;
use super::wire::plugins::{Plugin, Plugins, RefusedPlugin, Reloaded};
use super::{Answer, Service, answer};
use crate::judge::Request;

pub async fn list(service: &Service) -> Answer {
    let reports = service.ask(Request::Plugins).await?;
    answer(&Plugins { plugins: reports.iter().map(Plugin::new).collect() })
}

/// Reads configuration and plugins anew, now.
pub async fn reload(service: &Service) -> Answer {
    let installed = service.reloader.reload().await.map_err(RpcError::internal)?;
    let refused: Vec<_> = installed.refused.iter().map(|(name, reason)| RefusedPlugin { name, reason }).collect();
    answer(&Reloaded { ok: refused.is_empty(), changed: &installed.changed, removed: &installed.removed, refused })
}
