//! What judges now, and what might instead.

use std::sync::Arc;

use super::Error;
use crate::address::Normalizer;
use crate::chain::{Candidate, Entrant};
use crate::config::{BUNDLED, Config, Position};
use crate::judge::Settings;
use crate::plugin::{self, Compiled, Plugin, PluginEngine, Setup};
use crate::policy::Interface;
use crate::reload;
use crate::roster::Roster;

/// The policies of one side, in their order.
pub struct Side {
    pub entrants: Vec<Entrant>,
    pub settings: Settings,
}

/// A plugin to try, which nobody has configured yet.
pub struct Component {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// What `config` puts in force, where there is no daemon to ask.
pub fn present(engine: &PluginEngine, config: &Config) -> Result<Side, Error> {
    let normalizer = normalizer(config)?;
    let found = Roster::new(engine.clone()).survey(config);
    let mut entrants = entrants(found);
    // A daemon does not put in force what nobody asked for and what cannot be configured.
    entrants.retain(|entrant| is_named(config, &entrant.name) || starts(engine, entrant, &normalizer));
    Ok(Side { entrants, settings: reload::settings(config, normalizer) })
}

/// What would judge with `wanted` in place of `config`, which is in force, and with `component` in the place of the
/// plugin of its name, or where a file is that was dropped into the folder.
pub fn candidate(
    engine: &PluginEngine,
    present: &Side,
    config: &Config,
    wanted: Option<&Config>,
    component: Option<Component>,
) -> Result<Side, Error> {
    let mut side = match wanted {
        None => Side { entrants: present.entrants.clone(), settings: present.settings.clone() },
        Some(wanted) => {
            let known = present.entrants.iter().filter_map(|entrant| entrant.component.as_ref().ok().cloned());
            let found = Roster::knowing(engine.clone(), known).survey(wanted);
            let is_same_region = config.messages.region == wanted.messages.region;
            let known = is_same_region.then(|| present.settings.normalizer.clone());
            let normalizer = known.map_or_else(|| normalizer(wanted), Ok)?;
            let mut entrants = entrants(found);
            // Where a daemon ignores a file, or keeps what it had before it.
            let is_usable = |entrant: &Entrant| is_named(wanted, &entrant.name) || starts(engine, entrant, &normalizer);
            for entrant in entrants.iter_mut().filter(|entrant| !is_usable(entrant)) {
                if let Some(before) = present.entrants.iter().find(|before| before.name == entrant.name) {
                    *entrant = before.clone();
                }
            }
            let is_kept = |entrant: &Entrant| present.entrants.iter().any(|before| before.name == entrant.name);
            entrants.retain(|entrant| is_kept(entrant) || is_usable(entrant));
            Side { entrants, settings: reload::settings(wanted, normalizer) }
        }
    };
    if let Some(Component { name, bytes }) = component {
        let compiled = compile(engine, &name, &bytes)?;
        match side.entrants.iter_mut().find(|entrant| entrant.name == name) {
            Some(entrant) => entrant.component = Ok(compiled),
            None => {
                let at = place_of_dropped(&side.entrants, wanted.unwrap_or(config), &name);
                side.entrants.insert(at, Entrant { name, config: "{}".to_owned(), component: Ok(compiled) });
            }
        }
    }
    Ok(side)
}

fn compile(engine: &PluginEngine, name: &str, bytes: &[u8]) -> Result<Compiled, Error> {
    let compiled = plugin::compile(engine, bytes).map_err(|refusal| Error::Candidate(format!("{name}: {refusal}")))?;
    if compiled.interfaces() == [Interface::Chunking] {
        let why = "it only splits what is sent, and a replay is about what was received";
        return Err(Error::Candidate(format!("{name}: {why}")));
    }
    Ok(compiled)
}

fn normalizer(config: &Config) -> Result<Arc<Normalizer>, Error> {
    let region = &config.messages.region;
    Normalizer::new(region)
        .map(Arc::new)
        .ok_or_else(|| Error::Candidate(format!("messages.region: `{region}` is not the code of a region")))
}

fn entrants(found: Vec<Candidate>) -> Vec<Entrant> {
    let entrant = |Candidate { name, config, component, is_listed, .. }: Candidate| match component {
        Ok(compiled) => Some(Entrant { name, config, component: Ok(compiled) }),
        Err(why) if is_listed => Some(Entrant { name, config, component: Err((Interface::ALL.to_vec(), why)) }),
        Err(_) => None,
    };
    found.into_iter().filter_map(entrant).collect()
}

fn is_named(config: &Config, name: &str) -> bool {
    BUNDLED.contains(&name) || config.plugin.iter().any(|plugin| plugin.name == name)
}

fn starts(engine: &PluginEngine, entrant: &Entrant, normalizer: &Arc<Normalizer>) -> bool {
    let Ok(compiled) = &entrant.component else { return false };
    let setup = Setup {
        name: entrant.name.clone(),
        config: entrant.config.clone(),
        state: Default::default(),
        normalizer: normalizer.clone(),
    };
    Plugin::start(engine, compiled.clone(), setup).is_ok()
}

/// Behind those that the configuration wants to be asked first, among the dropped ones by name, before the bundled ones.
fn place_of_dropped(entrants: &[Entrant], config: &Config, name: &str) -> usize {
    let is_before = |entrant: &Entrant| {
        let listed = config.plugin.iter().find(|plugin| plugin.name == entrant.name);
        let is_first = listed.is_some_and(|plugin| plugin.position == Position::Before);
        let is_dropped = listed.is_none() && entrant.name.as_str() < name;
        !BUNDLED.contains(&entrant.name.as_str()) && (is_first || is_dropped)
    };
    entrants.iter().rposition(is_before).map_or(0, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_plugin_is_asked_where_a_dropped_one_would_be() {
        let config = toml::from_str(
            "[[plugin]]\nname = 'first'\npath = 'f'\n[[plugin]]\nname = 'last'\npath = 'l'\nposition = 'after'\n\
             [[plugin]]\nname = 'group'\npath = 'g'\n",
        )
        .unwrap();
        let entrants = |names: &[&str]| -> Vec<Entrant> {
            let entrant = |name: &&str| Entrant {
                name: (*name).to_owned(),
                config: String::new(),
                component: Err((Vec::new(), String::new())),
            };
            names.iter().map(entrant).collect()
        };
        for (names, place) in [
            (&["first", "a", "z", "allowlist", "group", "last"][..], 2),
            (&["a", "z", "allowlist"], 1),
            (&["first", "allowlist", "last"], 1),
            (&["allowlist", "last"], 0),
            (&["last"], 0),
            (&[], 0),
        ] {
            assert_eq!(place_of_dropped(&entrants(names), &config, "new"), place, "{names:?}");
        }
    }
}
