//! The policies as Extism plugins, with a message as JSON.

use anyhow::Result;
use extism::{Manifest, Plugin, PluginBuilder, Wasm};
use serde_json::json;

use crate::message::Message;
use crate::peer::{Handing, Lists, Peer, Verdict};

/// As the plugin's functions are called.
const POLICIES: [&str; 3] = ["senders", "mentions", "words"];

pub struct ExtismPeer {
    /// Each with the name of its function.
    plugins: Vec<(&'static str, Plugin)>,
    handing: Handing,
}

impl ExtismPeer {
    pub fn start(module: &[u8], lists: &Lists, handing: Handing) -> Result<ExtismPeer> {
        let mut plugins = Vec::new();
        for (name, list) in POLICIES.into_iter().zip(lists) {
            let mut plugin = PluginBuilder::new(Manifest::new([Wasm::data(module)])).with_wasi(false).build()?;
            plugin.call::<&str, ()>("configure", &json!({ "list": list }).to_string())?;
            plugins.push((name, plugin));
        }
        Ok(ExtismPeer { plugins, handing })
    }
}

impl Peer for ExtismPeer {
    /// The JSON is written once for all three.
    fn judge(&mut self, message: &Message) -> Result<Verdict> {
        let json = match self.handing {
            Handing::OnlyRead => {
                #[derive(serde::Serialize)]
                struct Person<'a> {
                    address: &'a str,
                }
                #[derive(serde::Serialize)]
                struct Read<'a> {
                    sender: Person<'a>,
                    text: &'a str,
                }
                serde_json::to_string(&Read {
                    sender: Person { address: &message.sender.address },
                    text: &message.text,
                })?
            }
            _ => serde_json::to_string(message)?,
        };
        for (name, plugin) in &mut self.plugins {
            let answer: &str = plugin.call(*name, json.as_str())?;
            let verdict: Verdict = serde_json::from_str(answer)?;
            if verdict != Verdict::Pass {
                return Ok(verdict);
            }
        }
        Ok(Verdict::Pass)
    }
}
