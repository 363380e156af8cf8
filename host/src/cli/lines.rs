//! Chats and messages as lines for people: local times, names before numbers.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::content;

pub fn chat(chat: &Value) -> String {
    let (id, identifier) = (&chat["id"], text(chat, "identifier"));
    let name = chat["contact_name"].as_str().unwrap_or_else(|| text(chat, "name"));
    let who = if name == identifier { name.to_owned() } else { format!("{name} ({identifier})") };
    let unread = match chat["unread_count"].as_u64() {
        None | Some(0) => String::new(),
        Some(count) => format!("  {count} unread"),
    };
    format!("[{id}] {who}  last {}{unread}\n", local_time(text(chat, "last_message_at")))
}

pub fn group(group: &Value) -> String {
    let mut out = String::new();
    let keys = ["id", "identifier", "guid", "name", "service", "account_id", "account_login", "last_addressed_handle"];
    for key in keys.into_iter().chain(["is_group"]).filter(|key| !group[*key].is_null()) {
        out.push_str(&format!("{key}: {}\n", plain(&group[key])));
    }
    let participants = group["participants"].as_array().cloned().unwrap_or_default();
    if participants.is_empty() {
        out.push_str("participants: (none)\n");
    } else {
        out.push_str("participants:\n");
    }
    for participant in &participants {
        out.push_str(&format!("  - {}\n", plain(participant)));
    }
    out
}

/// `attachments`: none to say nothing of them, false to count them, true to name them.
pub fn message(message: &Value, attachments: Option<bool>) -> String {
    let is_own = message["is_from_me"] == true;
    let direction = if is_own { "sent" } else { "recv" };
    let at = local_time(text(message, "created_at"));
    let sender = message["sender_name"].as_str().unwrap_or_else(|| text(message, "sender"));
    if message["is_reaction"] == true {
        return format!("{at} [{direction}] {sender} {}\n", reaction(message));
    }
    let mut out = format!("{at} [{direction}] {sender}: {}\n", content::shown(message));
    let attached = message["attachments"].as_array().cloned().unwrap_or_default();
    match attachments {
        Some(true) => attached.iter().for_each(|attachment| out.push_str(&attachment_line(attachment))),
        Some(false) if !attached.is_empty() => {
            let plural = if attached.len() == 1 { "" } else { "s" };
            out.push_str(&format!("  ({} attachment{plural})\n", attached.len()));
        }
        _ => {}
    }
    out
}

fn reaction(message: &Value) -> String {
    let deed = if message["is_reaction_add"] == false { "removed" } else { "added" };
    let emoji = Some(text(message, "reaction_emoji")).filter(|emoji| !emoji.is_empty()).unwrap_or("unknown");
    let target = Some(text(message, "reacted_to_guid")).filter(|guid| !guid.is_empty()).unwrap_or("unknown");
    format!("{deed} {emoji} reaction to {target}")
}

fn attachment_line(attachment: &Value) -> String {
    let names = [text(attachment, "transfer_name"), text(attachment, "filename"), "(unknown)"];
    let name = names.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    let (mime, missing) = (text(attachment, "mime_type"), &attachment["missing"]);
    let converted = match text(attachment, "converted_path") {
        "" => String::new(),
        path => format!(" converted_mime={} converted_path={path}", text(attachment, "converted_mime_type")),
    };
    let path = text(attachment, "original_path");
    format!("  attachment: name={name} mime={mime} missing={missing} path={path}{converted}\n")
}

pub fn background(background: &Value) -> String {
    let state = if background["background_set"] == true { "set" } else { "none" };
    let mut out = format!("chat-background: {state}\n");
    let always = ["chat_id", "chat_guid"];
    let with_channel = ["background_channel_guid", "cache_exists", "watch_background_exists"];
    for key in always.into_iter().chain(with_channel).filter(|key| !background[*key].is_null()) {
        out.push_str(&format!("{key}: {}\n", plain(&background[key])));
    }
    let event = &background["latest_event"];
    if !event.is_null() {
        out.push_str(&format!("latest_event: {} row={}\n", text(event, "action"), event["row_id"]));
    }
    out
}

pub fn scheduled(message: &Value) -> String {
    let at = local_time(text(message, "scheduled_at"));
    format!("{at} {} [{}] {}\n", text(message, "guid"), message["chat_id"], text(message, "text"))
}

pub fn stats(stats: &Value) -> String {
    let mut out = format!(
        "Messages: {} ({} sent, {} received)\nTime zone: {}\n",
        stats["total_messages"],
        stats["sent_messages"],
        stats["received_messages"],
        text(stats, "time_zone")
    );
    let mut section = |title: &str, of: &Value, key: &str, line: &dyn Fn(&Value) -> String| {
        let items = of[key].as_array().cloned().unwrap_or_default();
        if !items.is_empty() {
            out.push_str(&format!("{title}:\n"));
        }
        items.iter().for_each(|item| out.push_str(&format!("  {}\n", line(item))));
    };
    let count = |item: &Value| item["message_count"].to_string();
    let in_chat = |item: &Value| {
        format!("{} {}: {} ({})", item["chat_id"], text(item, "name"), count(item), text(item, "service"))
    };
    section("By chat", stats, "chats", &in_chat);
    section("By sender", stats, "senders", &|item| format!("{}: {}", text(item, "handle"), count(item)));
    section("By service", stats, "services", &|item| format!("{}: {}", text(item, "service"), count(item)));
    section("By date", stats, "dates", &|item| format!("{}: {}", text(item, "date"), count(item)));
    let media = &stats["media"];
    if !media.is_null() {
        let amount = |item: &Value| format!("{}, {} bytes", item["attachment_count"], item["total_bytes"]);
        let kind = |item: &Value| format!("{} {}: {}", text(item, "uti"), text(item, "mime_type"), amount(item));
        section("By media type", media, "types", &kind);
        let place = |item: &Value| format!("{} {}: {}", item["chat_id"], text(item, "name"), amount(item));
        section("Media by chat", media, "chats", &place);
        out.push_str(&format!("Media: {} attachments, {} bytes\n", media["total_attachments"], media["total_bytes"]));
    }
    out
}

/// A date of the wire as the clock on the wall has it; as it is where it is none.
pub fn local_time(date: &str) -> String {
    let at = date.parse::<Timestamp>().map(|at| at.to_zoned(TimeZone::system()));
    at.map_or_else(|_| date.to_owned(), |at| at.strftime("%Y-%m-%d %H:%M").to_string())
}

pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
