//! What a connection may do, and `connection.scopes`, with which it gives up a part of that.

use serde_json::{Map, Value};

use super::error::RpcError;
use super::param::Param;
use super::params::Params;
use super::wire::scope::ConnectionScopes;
use super::{Answer, answer};
use crate::config::{Config, Peer, Scope, Scopes};

/// The method with which a connection gives scopes up.
pub const METHOD: &str = "connection.scopes";
pub const SCOPES: &[Param] = &[Param::texts("scopes").about(
    "Of `read`, `send` and `policy`, all that this connection is to keep. What it does not have it cannot get.",
)];

/// Not permitted to this connection, whatever the parameters are.
const NOT_PERMITTED: i64 = -32006;
pub const NOT_PERMITTED_TEXT: &str = "Not permitted";

impl RpcError {
    pub fn not_permitted(detail: impl Into<String>) -> RpcError {
        RpcError { code: NOT_PERMITTED, message: NOT_PERMITTED_TEXT, data: Value::String(detail.into()) }
    }
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The owner of the Mac, at a command of this program.
    Owner,
    /// Any other program, over the socket.
    Client,
    /// Whoever started us to be served on stdio.
    Stdio,
}

/// What a connection may do.
#[derive(Clone, Debug)]
pub struct Access {
    who: Who,
    /// Which of `server.peers` let it in.
    peer: Option<Peer>,
    /// Its program was looked at, or is this one.
    is_known: bool,
    /// What it has not given up.
    kept: Scopes,
}

impl Access {
    pub fn of(who: Who) -> Access {
        Access { who, peer: None, is_known: true, kept: Scopes::ALL }
    }

    /// Of a connection that was looked at with these peers in the configuration, and is let in by `peer` of them.
    pub fn of_peer(who: Who, peer: Option<Peer>, peers: &[Peer]) -> Access {
        Access { peer, is_known: !peers.is_empty(), ..Access::of(who) }
    }

    /// By the configuration as it is now, so that a scope that is taken away is gone at once.
    pub fn scopes(&self, config: &Config) -> Scopes {
        let granted = match self.who {
            // Who came before there were peers, and so was not looked at, may be anybody.
            Who::Owner if !self.is_known && !config.server.peers.is_empty() => Scopes::NONE,
            Who::Owner => Scopes::ALL,
            Who::Stdio => of_all(config),
            Who::Client if config.server.peers.is_empty() => of_all(config),
            Who::Client => self.listed(config).map_or(Scopes::NONE, |peer| match &peer.scopes {
                Some(scopes) => scopes.iter().copied().collect(),
                None => of_all(config),
            }),
        };
        granted.and(self.kept)
    }

    /// The entry that let it in, as the configuration has it now.
    fn listed<'a>(&self, config: &'a Config) -> Option<&'a Peer> {
        let own = self.peer.as_ref()?;
        config.server.peers.iter().find(|peer| peer.is_same_program(own))
    }

    /// May it call this method? One that nobody knows is answered as such.
    pub fn check(&self, method: &str, config: &Config) -> Result<Scopes, RpcError> {
        let scopes = self.scopes(config);
        let Some(needed) = super::method(method).and_then(|method| method.scope) else { return Ok(scopes) };
        if scopes.has(needed) {
            return Ok(scopes);
        }
        let way = match self.kept.has(needed) {
            false => "This connection gave it up, or was opened without it (`imsgd rpc --scopes`).",
            true if self.who != Who::Stdio && !config.server.peers.is_empty() => {
                "The owner of this Mac may add it to this program's entry in server.peers; who was connected before \
                 there were any has to connect again."
            }
            true => {
                "The owner of this Mac may add it to server.scopes in the configuration, or use the command of imsgd \
                 for it."
            }
        };
        let detail = format!("{method} needs the scope `{needed}`, which this connection does not have. {way}");
        Err(RpcError::not_permitted(detail))
    }

    /// Keeps none but these.
    pub fn keep(&mut self, scopes: Scopes) {
        self.kept = self.kept.and(scopes);
    }

    /// What `connection.scopes` asks for, and the answer to it.
    pub fn asked(&mut self, map: Map<String, Value>, config: &Config) -> Answer {
        let params = Params::new(METHOD, map, SCOPES)?;
        if params.has("scopes") {
            let named = params.texts("scopes")?;
            let scopes: Option<Scopes> = named.iter().map(|name| Scope::named(name)).collect();
            self.keep(scopes.ok_or_else(|| RpcError::params("scopes may be read, send and policy"))?);
        }
        answer(&ConnectionScopes { ok: true, scopes: self.scopes(config).names() })
    }
}

fn of_all(config: &Config) -> Scopes {
    config.server.scopes.iter().copied().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rpc::{Lane, METHODS};

    fn asked(access: &mut Access, config: &Config, scopes: Value) -> Result<Value, RpcError> {
        let Value::Object(map) = json!({"scopes": scopes}) else { panic!() };
        let answer = access.asked(map, config)?;
        Ok(serde_json::from_str::<Value>(answer.get()).unwrap()["scopes"].take())
    }

    #[test]
    fn what_changes_something_is_never_open_to_those_who_may_only_read() {
        for method in METHODS.iter().filter(|method| method.lane == Lane::Mutation) {
            assert!(matches!(method.scope, Some(Scope::Send | Scope::Policy)), "{}", method.name);
        }
        let open = METHODS.iter().filter(|method| method.scope.is_none()).map(|method| method.name);
        let open: Vec<&str> = open.collect();
        assert_eq!(
            open,
            ["initialize", "status", "watch.unsubscribe", "connection.compat", "connection.scopes", "rpc.discover"]
        );
    }

    #[test]
    fn who_decides_about_people_and_policies_needs_the_scope_for_it() {
        let policy: Vec<&str> = METHODS
            .iter()
            .filter(|method| method.scope == Some(Scope::Policy))
            .map(|method| method.name.split('.').next().unwrap_or_default())
            .collect();
        for family in ["pairing", "held", "plugins", "policy", "config"] {
            assert!(policy.contains(&family), "{family}");
        }
        for method in METHODS
            .iter()
            .filter(|method| ["pairing", "policy", "config"].iter().any(|family| method.name.starts_with(family)))
        {
            assert_eq!(method.scope, Some(Scope::Policy), "{}", method.name);
        }
    }

    #[test]
    fn a_connection_can_only_give_scopes_up() {
        let config = Config::default();
        let mut client = Access::of(Who::Client);
        assert_eq!(client.scopes(&config).names(), ["read", "send"]);
        assert_eq!(asked(&mut client, &config, json!(["read", "policy"])), Ok(json!(["read"])));
        assert_eq!(asked(&mut client, &config, json!(["read", "send"])), Ok(json!(["read"])));
        assert!(asked(&mut client, &config, json!(["all"])).is_err());
        assert_eq!(client.scopes(&config).names(), ["read"]);
        let said = client.check("send", &config).unwrap_err();
        assert!(said.code == -32006 && said.data.as_str().unwrap().contains("gave it up"), "{said:?}");
        let mut owner = Access::of(Who::Owner);
        assert_eq!(asked(&mut owner, &config, json!([])), Ok(json!([])));
    }

    #[test]
    fn a_scope_that_the_configuration_takes_away_is_gone_at_once() {
        let mut config = Config::default();
        let client = Access::of(Who::Client);
        assert!(client.check("send", &config).is_ok());
        config.server.scopes = vec![Scope::Read];
        let said = client.check("send", &config).unwrap_err();
        assert!(said.data.as_str().unwrap().contains("server.scopes"), "{said:?}");
        assert!(client.check("no.such.method", &config).is_ok(), "it is answered as one that nobody knows");
        assert!(Access::of(Who::Owner).check("send", &config).is_ok());
    }

    #[test]
    fn who_came_to_the_owners_socket_before_there_were_peers_has_no_scope_once_there_are() {
        let mut config = Config::default();
        let owner = Access::of_peer(Who::Owner, None, &[]);
        assert_eq!(owner.scopes(&config), Scopes::ALL);
        config = Config::parse("[[server.peers]]\npath = \"/usr/bin/nc\"", std::path::Path::new("x.toml")).unwrap();
        assert_eq!(owner.scopes(&config), Scopes::NONE);
        assert_eq!(Access::of_peer(Who::Owner, None, &config.server.peers).scopes(&config), Scopes::ALL);
        assert_eq!(Access::of(Who::Owner).scopes(&config), Scopes::ALL);
    }
}
