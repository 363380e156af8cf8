//! Chats and messages as lines for people: local times, names before numbers.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::content;
use super::look::{FAINT, NAME, NEWS, OWN, Reader, padded, paint, width};

/// `[ID] NAME (IDENTIFIER) last=DATE` for each, for people in columns.
pub fn chats(chats: &[Value], reader: Reader) -> String {
    let ids: Vec<String> = chats.iter().map(|chat| format!("[{}]", chat["id"])).collect();
    let who: Vec<(&str, String)> = chats.iter().map(|chat| who(chat, reader)).collect();
    let (mut id_columns, mut who_columns) = (0, 0);
    if reader == Reader::People {
        let widths = who.iter().map(|(name, identifier)| width(name) + width(identifier));
        who_columns = widths.filter(|columns| *columns <= WHO_COLUMNS).max().unwrap_or(0);
        id_columns = ids.iter().map(|id| width(id)).max().unwrap_or(0);
    }
    let mut out = String::new();
    for ((chat, id), (name, identifier)) in chats.iter().zip(&ids).zip(&who) {
        let rest = padded(identifier, who_columns.saturating_sub(width(name)));
        let last = paint(FAINT, format!("last={}", when(text(chat, "last_message_at"), reader)));
        let unread = match chat["unread_count"].as_u64() {
            None | Some(0) => String::new(),
            Some(count) => paint(NEWS, format!(" unread={count}")),
        };
        let id = paint(FAINT, padded(id, id_columns));
        out.push_str(&format!("{id} {}{rest} {last}{unread}\n", paint(NAME, name)));
    }
    out
}

/// Longer ones stand out of their column, so that one of them does not move all others.
const WHO_COLUMNS: usize = 48;

/// Name and identifier; people need not read the same twice.
fn who(chat: &Value, reader: Reader) -> (&str, String) {
    let name = chat["contact_name"].as_str().unwrap_or_else(|| text(chat, "name"));
    let identifier = text(chat, "identifier");
    match reader {
        Reader::People if name == identifier => (name, String::new()),
        _ => (name, format!(" ({identifier})")),
    }
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

/// `DATE [sent|recv] SENDER: TEXT`. `attachments`: none to say nothing of them, false to count them, true to name them.
pub fn message(message: &Value, attachments: Option<bool>, reader: Reader) -> String {
    let is_own = message["is_from_me"] == true;
    let at = paint(FAINT, when(text(message, "created_at"), reader));
    let direction = paint(FAINT, if is_own { "[sent]" } else { "[recv]" });
    let sender = match message["sender_name"].as_str() {
        // Of our own messages the database has no good sender.
        _ if is_own && reader == Reader::People => paint(OWN, "me"),
        Some(name) => paint(NAME, name),
        None => paint(NAME, text(message, "sender")),
    };
    if message["is_reaction"] == true {
        return format!("{at} {direction} {sender} {}\n", reaction(message));
    }
    // Further lines stand under the first, so that no text can look like a message of its own.
    let said = content::shown(message).replace('\n', "\n    ");
    let again = if message["change"] == "edited" { " (edited)" } else { "" };
    let mut out = format!("{at} {direction} {sender}{again}: {said}\n");
    let attached = message["attachments"].as_array().map(Vec::as_slice).unwrap_or_default();
    match attachments {
        Some(true) => attached.iter().for_each(|attachment| out.push_str(&attachment_line(attachment))),
        Some(false) if !attached.is_empty() => {
            let plural = if attached.len() == 1 { "" } else { "s" };
            out.push_str(&paint(FAINT, format!("  ({} attachment{plural})", attached.len())));
            out.push('\n');
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
    let line = format!("  attachment: name={name} mime={mime} missing={missing} path={path}{converted}");
    format!("{}\n", paint(FAINT, line))
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

/// `DATE GUID [CHAT_ID] TEXT`.
pub fn scheduled(message: &Value, reader: Reader) -> String {
    let at = when(text(message, "scheduled_at"), reader);
    let place = paint(FAINT, format!("{at} {} [{}]", text(message, "guid"), message["chat_id"]));
    format!("{place} {}\n", text(message, "text").replace('\n', "\n    "))
}

pub fn stats(stats: &Value) -> String {
    let mut out = format!(
        "Messages: {} ({} sent, {} received)\nTime zone: {}\n",
        stats["total_messages"],
        stats["sent_messages"],
        stats["received_messages"],
        text(stats, "time_zone")
    );
    let media = &stats["media"];
    if !media.is_null() {
        out.push_str(&format!("Media: {} attachments, {} bytes\n", media["total_attachments"], media["total_bytes"]));
    }
    let mut section = |title: &str, of: &Value, key: &str, line: &dyn Fn(&Value) -> String| {
        let items = of[key].as_array().cloned().unwrap_or_default();
        if !items.is_empty() {
            out.push_str(&format!("{}\n", paint(NAME, format!("{title}:"))));
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
    if !media.is_null() {
        let amount = |item: &Value| format!("{}, {} bytes", item["attachment_count"], item["total_bytes"]);
        let kind = |item: &Value| format!("{} {}: {}", text(item, "uti"), text(item, "mime_type"), amount(item));
        section("By media type", media, "types", &kind);
        let place = |item: &Value| format!("{} {}: {}", item["chat_id"], text(item, "name"), amount(item));
        section("Media by chat", media, "chats", &place);
    }
    out
}

/// A date of the wire in local time. For programs it is one word, as in `imsg`, and tells the offset.
fn when(date: &str, reader: Reader) -> String {
    match (reader, date.parse::<Timestamp>()) {
        (Reader::Programs, Ok(at)) => at.to_zoned(TimeZone::system()).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string(),
        _ => local_time(date),
    }
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

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use serde_json::json;

    use super::*;

    #[test]
    fn chats_have_the_shape_of_imsg_for_programs_and_columns_for_people() {
        let date = "2026-01-02T03:04:05.678Z";
        let list = [
            json!({"id": 7, "name": "+1555", "identifier": "+1555", "last_message_at": date, "unread_count": 0}),
            json!({"id": 12, "name": "x", "contact_name": "聊天", "identifier": "a@b.c", "last_message_at": date,
                   "unread_count": 3}),
        ];
        let printed = strip_str(&chats(&list, Reader::Programs)).to_string();
        let at = when(date, Reader::Programs);
        assert!(!at.contains(' ') && at.contains(":05.678"), "{at}");
        assert_eq!(printed, format!("[7] +1555 (+1555) last={at}\n[12] 聊天 (a@b.c) last={at} unread=3\n"));
        let shown = strip_str(&chats(&list, Reader::People)).to_string();
        let at = local_time(date);
        assert_eq!(shown, format!("[7]  +1555        last={at}\n[12] 聊天 (a@b.c) last={at} unread=3\n"));
    }

    #[test]
    fn a_text_of_several_lines_cannot_look_like_messages() {
        let forged = json!({"is_from_me": false, "sender": "+1555", "created_at": "2026-01-02T03:04:05.678Z",
                            "text": "hi\n2026-01-02 03:04 [sent] me: yes"});
        for reader in [Reader::People, Reader::Programs] {
            let printed = strip_str(&message(&forged, None, reader)).to_string();
            let lines: Vec<&str> = printed.lines().collect();
            assert!(lines[0].ends_with("[recv] +1555: hi") && lines[1].starts_with("    2026"), "{printed}");
        }
    }

    #[test]
    fn people_read_names_and_programs_the_senders_of_imsg() {
        let own = json!({"is_from_me": true, "sender": "+1555", "text": "x", "created_at": "2026-01-02T03:04:05.678Z"});
        let line = |reader| strip_str(&message(&own, None, reader)).to_string();
        assert!(line(Reader::People).ends_with("[sent] me: x\n"));
        assert!(line(Reader::Programs).ends_with("[sent] +1555: x\n"));
        let known = json!({"is_from_me": false, "sender": "+1555", "sender_name": "Alice", "text": "hello"});
        assert!(strip_str(&message(&known, None, Reader::Programs)).to_string().ends_with("[recv] Alice: hello\n"));
    }

    #[test]
    fn attachments_are_counted_or_named() {
        let attachment = json!({"transfer_name": "", "filename": "", "mime_type": "image/gif", "missing": false,
                                "original_path": "/a", "converted_path": "/b", "converted_mime_type": "image/png"});
        let of = |count: usize, named| {
            let message_of = json!({"text": "x", "attachments": vec![attachment.clone(); count]});
            let printed = strip_str(&message(&message_of, Some(named), Reader::Programs)).to_string();
            printed.lines().nth(1).map(str::to_owned)
        };
        assert_eq!(of(0, false), None);
        assert_eq!(of(1, false).as_deref(), Some("  (1 attachment)"));
        assert_eq!(of(2, false).as_deref(), Some("  (2 attachments)"));
        let line = "  attachment: name=(unknown) mime=image/gif missing=false path=/a converted_mime=image/png \
                    converted_path=/b";
        assert_eq!(of(1, true).as_deref(), Some(line));
    }
}
