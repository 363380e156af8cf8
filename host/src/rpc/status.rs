//! `initialize` and `status`: what this program is, what it can do now, and how it has been doing.

use serde_json::{Value, json};

use super::error::RpcError;
use super::param::Param;
use super::params::Params;
use super::{Answer, METHODS, Method, Service, answer, plugins, supported_methods};
use crate::chatdb::Features;
use crate::journal;
use crate::judge::Request;

/// The version of the protocol, not of the program.
const PROTOCOL_VERSION: i64 = 1;

pub const INITIALIZE: &[Param] =
    &[Param::integer("protocol_version").default(PROTOCOL_VERSION).about("The version that the client speaks.")];

pub async fn initialize(service: &Service, params: &Params) -> Answer {
    match params.integer("protocol_version")? {
        None | Some(PROTOCOL_VERSION) => status(service).await,
        Some(other) => Err(RpcError::params(format!(
            "unsupported protocol_version {other}; supported version is {PROTOCOL_VERSION}"
        ))),
    }
}

pub async fn status(service: &Service) -> Answer {
    let probe = service.readers.with(|reader| {
        let held = journal::held_count(reader.state()?.connection()).unwrap_or(0);
        Ok::<_, RpcError>((reader.chatdb.schema().features(), held))
    });
    let probed = probe.await;
    let path = service.readers.chatdb_path().display().to_string();
    let database = match &probed {
        Ok((features, _)) => json!({"path": path, "ready": true, "features": features_object(features)}),
        Err(error) => json!({"path": path, "ready": false, "error": database_error(error)}),
    };
    let is_ready = probed.is_ok();
    let has_schedule = probed.as_ref().is_ok_and(|(features, _)| features.scheduled_messages);
    let is_usable = |method: &Method| match method.name {
        "messages.scheduled" => has_schedule,
        _ => is_ready || !method.needs_database,
    };
    let methods: Vec<_> = METHODS.iter().filter(|method| is_usable(method)).map(|method| method.name).collect();
    answer(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "protocol_version": PROTOCOL_VERSION,
        "database": database,
        "bridge": {"ready": false, "error": "imsgd has no private bridge into Messages"},
        "contacts": {"available": false},
        "methods": methods,
        "supported_methods": supported_methods().collect::<Vec<_>>(),
        "capabilities": {"engine": {"version": env!("CARGO_PKG_VERSION")}, "features": {}},
        "imsgd": own_state(service, probed.map_or(0, |(_, held)| held)).await?,
    }))
}

/// What `imsg` has not: how the daemon itself is doing.
async fn own_state(service: &Service, held: i64) -> Result<Value, RpcError> {
    let reports = service.ask(Request::Plugins).await?;
    let stats = service.stats.snapshot();
    let config = service.config.load();
    Ok(json!({
        "pid": std::process::id(),
        "config": {
            "path": config.path.display().to_string(),
            "error": service.reloader.config_error(),
        },
        "state_dir": config.state_dir().display().to_string(),
        "head": service.hub.head().map(|head| head.0),
        "subscriptions": service.hub.subscriber_count(),
        "held": held,
        "verdicts": stats.verdicts,
        "last_error": stats.last_error,
        "plugins": reports.iter().map(plugins::report).collect::<Vec<_>>(),
    }))
}

fn features_object(features: &Features) -> Value {
    json!({
        "unread_state": features.unread_state,
        "scheduled_messages": features.scheduled_messages,
        "reactions": features.reactions,
        "reply_context": features.reply_context,
        "routing_metadata": features.routing_metadata,
        "balloon_payloads": features.balloon_payloads,
    })
}

fn database_error(error: &RpcError) -> String {
    let detail = error.data.get("detail").unwrap_or(&error.data);
    detail.as_str().map_or_else(|| detail.to_string(), str::to_owned)
}
