//! `plugins.list` and `plugins.reload`.

use serde_json::{Value, json};

use super::error::RpcError;
use super::{Answer, Service, answer, wire};
use crate::chain::{PluginReport, Source};
use crate::judge::Request;

pub async fn list(service: &Service) -> Answer {
    let reports = service.ask(Request::Plugins).await?;
    answer(&json!({"plugins": reports.iter().map(report).collect::<Vec<_>>()}))
}

/// Reads configuration and plugins anew, now. `{ok, changed, removed, refused: [{name, reason}]}`.
pub async fn reload(service: &Service) -> Answer {
    let installed = service.reloader.reload().await.map_err(RpcError::internal)?;
    let refused: Vec<_> =
        installed.refused.iter().map(|(name, reason)| json!({"name": name, "reason": reason})).collect();
    answer(&json!({
        "ok": refused.is_empty(),
        "changed": installed.changed,
        "removed": installed.removed,
        "refused": refused,
    }))
}

pub fn report(report: &PluginReport) -> Value {
    let mean = report.stats.time.checked_div(u32::try_from(report.stats.calls).unwrap_or(u32::MAX));
    let log: Vec<_> = report
        .log
        .iter()
        .map(|line| json!({"at": wire::date(line.at), "level": line.level, "text": line.text}))
        .collect();
    let mut object = json!({
        "name": report.name,
        "source": match &report.source { Source::Bundled => "bundled".into(), Source::File(path) => path.display().to_string() },
        "interfaces": report.interfaces.iter().map(|interface| interface.name()).collect::<Vec<_>>(),
        "state": if report.broken.is_some() { "broken" } else if report.version.is_some() { "ready" } else { "refused" },
        "calls": report.stats.calls,
        "failures": report.stats.failures,
        "mean_us": mean.map_or(0, |mean| u64::try_from(mean.as_micros()).unwrap_or(u64::MAX)),
        "log": log,
    });
    let optional = [
        ("version", report.version.clone()),
        ("loaded_at", report.loaded_at.map(wire::date)),
        ("broken", report.broken.clone()),
        ("refused", report.refused.clone()),
        ("last_failure", report.stats.last_failure.clone()),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            object[key] = Value::String(value);
        }
    }
    object
}
