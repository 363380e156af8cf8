//! `imsgd demo`: a scripted conversation on a simulated Messages, with a real daemon, real plugins and a real socket.
//! Every step checks what it shows, and the exit code says whether all of it held.

mod background;
mod client;
mod stage;

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::sim::Incoming;
use client::Client;
use stage::Stage;

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    /// Leave the daemon running afterwards, and print where it listens
    #[arg(long)]
    keep: bool,
    #[command(subcommand)]
    action: Option<background::Action>,
}

const FRIEND: &str = "+15550001111";
const FRIEND_NAME: &str = "Ann Example";
const STRANGER: &str = "+15559990000";
const GROUP: &str = "chat5550123";

pub fn run(args: Args) -> Result<ExitCode> {
    if let Some(action) = args.action {
        action.run()?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut stage = Stage::set().context("the stage could not be set")?;
    let mut gateway = stage.connect()?;
    gateway.call("watch.subscribe", json!({"attachments": true}))?;
    stage::say("A gateway is connected and has subscribed.");

    friend(&mut stage, &mut gateway).context("an allowlisted sender")?;
    stranger(&mut stage, &mut gateway).context("a stranger")?;
    group(&mut stage, &mut gateway).context("a group")?;
    long_answer(&mut stage, &mut gateway).context("a long answer")?;
    replaced_plugin(&mut stage, &mut gateway).context("a plugin that is replaced")?;
    looping_plugin(&mut stage, &mut gateway).context("a plugin that loops")?;
    over_stdio(&mut stage).context("the same over stdio")?;

    stage::title("Done");
    stage::say("Everything above was checked as it was shown.");
    if args.keep {
        stage.keep()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn friend(stage: &mut Stage, gateway: &mut Client) -> Result<()> {
    stage::title("Someone on the allowlist writes");
    stage.receive(&Incoming::new(FRIEND, "Are we still on for lunch?"))?;
    let message = gateway.message()?;
    ensure!(message["text"] == "Are we still on for lunch?", "another message arrived: {message}");
    ensure!(message["policy"]["decided_by"] == "allowlist", "not decided by the allowlist: {message}");
    ensure!(message["sender_name"] == FRIEND_NAME, "not named as in Contacts: {message}");
    stage::arrives(&message);
    Ok(())
}

fn stranger(stage: &mut Stage, gateway: &mut Client) -> Result<()> {
    stage::title("A stranger writes");
    stage.receive(&Incoming::new(STRANGER, "Hi, I am Kim's brother."))?;
    let reply = gateway.message()?;
    ensure!(reply["is_from_me"] == true, "the stranger's message was not held: {reply}");
    // Which the gateway may not ask.
    let pending = stage.connect_as_owner()?.call("pairing.list", json!({}))?;
    let code = pending["pending"][0]["code"].as_str().context("no request waits")?.to_owned();
    ensure!(reply["text"].as_str().is_some_and(|text| text.contains(&code)), "the answer has no code: {reply}");
    stage::say("The message is held. The stranger is answered:");
    stage::sent(&reply);
    stage::say(&format!("The owner runs `imsgd pairing approve {code}`:"));
    stage::indented(&stage.imsgd(&["pairing", "approve", &code])?);
    let message = gateway.message()?;
    ensure!(message["text"] == "Hi, I am Kim's brother.", "another message arrived: {message}");
    ensure!(message["policy"]["held"] == true, "not marked as held: {message}");
    stage::arrives(&message);
    stage.receive(&Incoming::new(STRANGER, "Thanks!"))?;
    let message = gateway.message()?;
    ensure!(message["text"] == "Thanks!" && message["policy"]["decided_by"] == "pairing", "{message}");
    stage::arrives(&message);
    Ok(())
}

fn group(stage: &mut Stage, gateway: &mut Client) -> Result<()> {
    stage::title("A group talks");
    let in_group = |text: &str, mentions: &[&str]| Incoming {
        group: Some(GROUP.to_owned()),
        group_name: Some("Trip".to_owned()),
        participants: vec![STRANGER.to_owned()],
        mentions: mentions.iter().map(|mention| (*mention).to_owned()).collect(),
        ..Incoming::new(FRIEND, text)
    };
    stage.receive(&in_group("The ferry leaves at nine.", &[]))?;
    stage::say("Nobody mentioned us: \"The ferry leaves at nine.\" is kept as context.");
    stage.receive(&in_group("@owner when should we be there?", &[crate::sim::OWNER]))?;
    let message = gateway.message()?;
    ensure!(message["text"] == "@owner when should we be there?", "another message arrived: {message}");
    let context = &message["policy"]["context"];
    ensure!(context[0]["text"] == "The ferry leaves at nine.", "the context is missing: {message}");
    ensure!(context.as_array().is_some_and(|context| context.len() == 1), "more context than one: {message}");
    stage::arrives(&message);
    stage::say("  with the context: \"The ferry leaves at nine.\"");
    Ok(())
}

fn long_answer(stage: &mut Stage, gateway: &mut Client) -> Result<()> {
    stage::title("The gateway answers with 9,000 characters");
    let text = stage::essay();
    let answer = gateway.call("send", json!({"to": FRIEND, "text": text}))?;
    let parts = answer["parts"].as_array().context("no parts")?.len();
    ensure!(parts == 3, "left in {parts} pieces");
    for number in 1..=parts {
        let piece = gateway.message()?;
        let text = piece["text"].as_str().unwrap_or_default();
        let fences = text.lines().filter(|line| line.starts_with("```")).count();
        ensure!(fences % 2 == 0, "piece {number} has an open code fence");
        let units = text.encode_utf16().count();
        ensure!(units <= 4000, "piece {number} is {units} UTF-16 units long");
        stage::say(&format!("  piece {number}: {units} UTF-16 units, {fences} fence lines: every fence closed"));
    }
    let sent = stage.sent_count(FRIEND)?;
    ensure!(sent == 3, "osascript was called {sent} times");
    Ok(())
}

fn replaced_plugin(stage: &mut Stage, gateway: &mut Client) -> Result<()> {
    stage::title("A plugin is replaced while messages flow");
    let before = version(gateway)?;
    let injector = stage.inject_in_the_background(FRIEND, "flow", 60)?;
    let mut labels = receive_flow(gateway, 0..20)?;
    stage.replace_counter()?;
    labels.extend(receive_flow(gateway, 20..60)?);
    injector.finish()?;
    let after = stage.wait_for_plugin(gateway, "counter", |plugin| plugin["version"] != *before)?;
    stage.receive(&Incoming::new(FRIEND, "and one more"))?;
    let message = gateway.message()?;
    labels.push(message["policy"]["labels"][0].as_str().unwrap_or_default().to_owned());
    let expected: Vec<String> = (first_count(&labels)?..).take(61).map(|count| count.to_string()).collect();
    ensure!(labels == expected, "the count is {labels:?}");
    let counter = plugin(gateway, "counter")?;
    ensure!(counter["version"] == after["version"] && counter["calls"] != 0, "not judged by the new one: {counter}");
    let version = counter["version"].as_str().unwrap_or_default();
    stage::say(&format!("  60 messages arrived once and in order while version {before} became {version}."));
    stage::say(&format!("  The next one was judged by {version}, which went on counting: {}.", expected[60]));
    Ok(())
}

fn receive_flow(gateway: &mut Client, numbers: std::ops::Range<u64>) -> Result<Vec<String>> {
    let mut labels = Vec::new();
    for number in numbers {
        let message = gateway.message()?;
        ensure!(message["text"] == format!("flow {number}"), "instead of number {number}: {message}");
        labels.push(message["policy"]["labels"][0].as_str().unwrap_or_default().to_owned());
    }
    Ok(labels)
}

fn first_count(labels: &[String]) -> Result<u64> {
    labels.first().context("no labels")?.parse().context("the counter's label is no number")
}

fn looping_plugin(stage: &mut Stage, gateway: &mut Client) -> Result<()> {
    stage::title("A plugin loops");
    stage.receive(&Incoming::new(FRIEND, "spin, please"))?;
    stage.receive(&Incoming::new(FRIEND, "this one is ordinary"))?;
    let message = gateway.message()?;
    ensure!(message["text"] == "this one is ordinary", "the looping plugin let its message through: {message}");
    stage::arrives(&message);
    let status = gateway.call("status", json!({}))?;
    let looper = plugin(gateway, "looper")?;
    let failure = looper["last_failure"].as_str().context("the plugin was not cut off")?.to_owned();
    ensure!(failure.contains("time limit"), "cut off for another reason: {failure}");
    ensure!(status["imsgd"]["held"] == 1, "not held: {}", status["imsgd"]);
    stage::say(&format!("  \"spin, please\" is held, because the plugin failed: {failure}"));
    stage.mend_looper()?;
    let message = gateway.message()?;
    ensure!(message["text"] == "spin, please" && message["policy"]["held"] == true, "{message}");
    stage::say("The plugin is mended, and what it held is judged again:");
    stage::arrives(&message);
    Ok(())
}

fn over_stdio(stage: &mut Stage) -> Result<()> {
    stage::title("The same over stdio");
    let (mut child, mut client) = stage.rpc_child()?;
    client.call("watch.subscribe", json!({}))?;
    stage.receive(&Incoming::new(FRIEND, "hello, child"))?;
    let message = client.message()?;
    ensure!(message["text"] == "hello, child", "another message arrived: {message}");
    stage::arrives(&message);
    drop(client);
    let status = stage.wait_for_end(&mut child)?;
    ensure!(status.success(), "imsgd rpc ended with {status}");
    stage::say("`imsgd rpc` relayed to the running daemon and ended with its client.");
    Ok(())
}

fn plugin(gateway: &mut Client, name: &str) -> Result<Value> {
    let list = gateway.call("plugins.list", json!({}))?;
    let plugins = list["plugins"].as_array().context("no plugins")?;
    plugins.iter().find(|plugin| plugin["name"] == name).cloned().with_context(|| format!("no plugin {name}"))
}

fn version(gateway: &mut Client) -> Result<String> {
    Ok(plugin(gateway, "counter")?["version"].as_str().context("the counter has no version")?.to_owned())
}
