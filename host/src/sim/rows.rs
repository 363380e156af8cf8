//! Every INSERT of the simulation, each beside the struct that it writes. Columns not named here keep their defaults.

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, named_params};

use crate::message::{ChatId, RowId};

/// The simulated Mac's owner, as the address that others write to.
pub const OWNER: &str = "+14155550100";
const OWNER_LOGIN: &str = "E:owner@example.com";

/// `chat.style`.
pub const GROUP: i64 = 43;
pub const DIRECT: i64 = 45;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Service {
    #[default]
    #[value(name = "iMessage")]
    IMessage,
    #[value(name = "SMS")]
    Sms,
    #[value(name = "RCS")]
    Rcs,
}

impl Service {
    /// As the `service` columns spell it.
    pub fn name(self) -> &'static str {
        match self {
            Service::IMessage => "iMessage",
            Service::Sms => "SMS",
            Service::Rcs => "RCS",
        }
    }

    pub fn from_name(name: &str) -> Option<Service> {
        [Service::IMessage, Service::Sms, Service::Rcs].into_iter().find(|service| service.name() == name)
    }

    /// `account_id`: the owner has an account of its own with each service.
    fn account_id(self) -> &'static str {
        match self {
            Service::IMessage => "5A1B0C2D-0000-4000-8000-000000000001",
            Service::Sms => "5A1B0C2D-0000-4000-8000-000000000002",
            Service::Rcs => "5A1B0C2D-0000-4000-8000-000000000003",
        }
    }
}

/// `message.date` and its like: nanoseconds since 2001-01-01.
pub fn apple_date(time: Timestamp) -> i64 {
    const APPLE_EPOCH: i128 = 978_307_200_000_000_000;
    // An i64 of nanoseconds reaches from 1708 to 2293.
    (time.as_nanosecond() - APPLE_EPOCH) as i64
}

#[derive(Clone, Debug)]
pub struct Chat {
    pub id: ChatId,
    pub guid: String,
    pub identifier: String,
    pub style: i64,
    pub service: Service,
}

impl Chat {
    pub fn is_group(&self) -> bool {
        self.style == GROUP
    }
}

pub fn chat_by_guid(connection: &Connection, guid: &str) -> Result<Option<Chat>> {
    let sql = "SELECT ROWID, guid, chat_identifier, style, service_name FROM chat WHERE guid = ?";
    Ok(connection.prepare_cached(sql)?.query_row([guid], chat_from_row).optional()?)
}

/// The newest chat that is not this one.
pub fn chat_other_than(connection: &Connection, chat: &Chat) -> Result<Option<Chat>> {
    let sql = "SELECT ROWID, guid, chat_identifier, style, service_name FROM chat WHERE ROWID != ?
               ORDER BY ROWID DESC LIMIT 1";
    Ok(connection.prepare_cached(sql)?.query_row([chat.id.0], chat_from_row).optional()?)
}

/// Guid and text of the newest message of a chat that is no tapback.
pub fn newest_in(connection: &Connection, chat: &Chat) -> Result<Option<(String, String)>> {
    let sql = "SELECT m.guid, COALESCE(m.text, '') FROM chat_message_join j JOIN message m ON m.ROWID = j.message_id
               WHERE j.chat_id = ? AND m.associated_message_type NOT BETWEEN 2000 AND 3999
               ORDER BY j.message_date DESC, j.message_id DESC LIMIT 1";
    let found = connection.prepare_cached(sql)?.query_row([chat.id.0], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(found.optional()?)
}

fn chat_from_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Chat> {
    Ok(Chat {
        id: ChatId(row.get(0)?),
        guid: row.get(1)?,
        identifier: row.get(2)?,
        style: row.get(3)?,
        service: Service::from_name(&row.get::<_, String>(4)?).unwrap_or_default(),
    })
}

/// Writes the chat `any;-;address`, `iMessage;+;chat…` or the like. Style and identifier follow from the guid, and
/// so does the one member of a direct chat.
pub fn insert_chat(connection: &Connection, guid: &str, name: Option<&str>, service: Service) -> Result<Chat> {
    let parts: Vec<&str> = guid.splitn(3, ';').collect();
    let &[_, polarity @ ("-" | "+"), identifier] = parts.as_slice() else {
        anyhow::bail!("{guid:?} is not a chat guid; one looks like any;-;+14155550101 or any;+;chat123");
    };
    let style = if polarity == "+" { GROUP } else { DIRECT };
    let room = (style == GROUP).then_some(identifier);
    connection
        .prepare_cached(
            "INSERT INTO chat (guid, style, state, account_id, chat_identifier, service_name, room_name, account_login,
                 last_addressed_handle, display_name, group_id, original_group_id)
             VALUES (:guid, :style, 3, :account, :identifier, :service, :room, :login, :owner, :name, :group, :group)",
        )?
        .execute(named_params! {
            ":guid": guid, ":style": style, ":account": service.account_id(), ":identifier": identifier,
            ":service": service.name(), ":room": room, ":login": OWNER_LOGIN, ":owner": OWNER,
            ":name": name.unwrap_or_default(), ":group": room,
        })?;
    let id = ChatId(connection.last_insert_rowid());
    if style == DIRECT {
        join_handle(connection, id, handle(connection, identifier, service)?)?;
    }
    connection
        .prepare_cached("INSERT INTO chat_service (service, chat) VALUES (?, ?)")?
        .execute((service.name(), id.0))?;
    connection
        .prepare_cached("INSERT OR IGNORE INTO chat_lookup (identifier, domain, chat) VALUES (?, ?, ?)")?
        .execute((identifier, service.name(), id.0))?;
    Ok(Chat { id, guid: guid.to_owned(), identifier: identifier.to_owned(), style, service })
}

/// `handle.ROWID` of an address on a service; a new row where there is none.
pub fn handle(connection: &Connection, address: &str, service: Service) -> Result<i64> {
    let known = connection
        .prepare_cached("SELECT ROWID FROM handle WHERE id = ? AND service = ?")?
        .query_row((address, service.name()), |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    connection
        .prepare_cached("INSERT INTO handle (id, country, service, uncanonicalized_id) VALUES (?, 'us', ?, NULL)")?
        .execute((address, service.name()))?;
    Ok(connection.last_insert_rowid())
}

pub fn join_handle(connection: &Connection, chat: ChatId, handle: i64) -> Result<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO chat_handle_join (chat_id, handle_id) VALUES (?, ?)")?
        .execute((chat.0, handle))?;
    Ok(())
}

/// What Messages does a moment after it has written a row of ours, at times.
pub fn mark_as_own(connection: &Connection, rowid: RowId) -> Result<()> {
    connection.execute("UPDATE message SET is_from_me = 1 WHERE ROWID = ?1", [rowid.0])?;
    Ok(())
}

pub fn join_message(connection: &Connection, chat: ChatId, message: RowId, date: i64) -> Result<()> {
    connection
        .prepare_cached("INSERT INTO chat_message_join (chat_id, message_id, message_date) VALUES (?, ?, ?)")?
        .execute((chat.0, message.0, date))?;
    Ok(())
}

/// What is known of a message when its row appears; the content may follow in a second write.
#[derive(Clone, Debug, Default)]
pub struct Message {
    pub guid: String,
    pub handle_id: i64,
    pub service: Service,
    pub date: i64,
    pub date_read: i64,
    pub is_read: bool,
    pub is_from_me: bool,
    /// `chat_identifier` of a group.
    pub room: Option<String>,
    pub item_type: i64,
    pub other_handle: i64,
    pub group_title: Option<String>,
    pub group_action_type: i64,
    pub share_status: i64,
    pub associated_guid: Option<String>,
    pub associated_type: i64,
    pub associated_length: i64,
    pub associated_emoji: Option<String>,
    pub balloon_bundle_id: Option<&'static str>,
    pub payload_data: Option<Vec<u8>>,
    pub summary_info: Option<Vec<u8>>,
    pub reply_to_guid: Option<String>,
    pub thread_originator_guid: Option<String>,
    pub thread_originator_part: Option<String>,
    pub date_edited: i64,
    pub date_retracted: i64,
    pub is_audio_message: bool,
    pub content: Content,
}

/// What Messages may write a moment after the row.
#[derive(Clone, Debug, Default)]
pub struct Content {
    pub text: Option<String>,
    pub attributed_body: Option<Vec<u8>>,
    pub part_count: i64,
    pub has_attachments: bool,
}

pub fn insert_message(connection: &Connection, message: &Message) -> Result<RowId> {
    // Only what others' servers confirm is delivered: an SMS never is.
    let is_delivered = !message.is_from_me || message.service != Service::Sms;
    let date_delivered = if message.is_from_me && is_delivered { message.date + 900_000_000 } else { 0 };
    connection
        .prepare_cached(
            "INSERT INTO message (guid, text, handle_id, attributedBody, version, service, account, date, date_read,
                 date_delivered, is_delivered, is_finished, is_from_me, is_read, is_sent, cache_has_attachments,
                 cache_roomnames, is_audio_message, item_type, other_handle, group_title, group_action_type, share_status,
                 associated_message_guid, associated_message_type, associated_message_range_length,
                 associated_message_emoji, balloon_bundle_id, payload_data, message_summary_info,
                 destination_caller_id, reply_to_guid, thread_originator_guid, thread_originator_part,
                 date_retracted, date_edited, part_count)
             VALUES (:guid, :text, :handle, :body, 10, :service, :account, :date, :date_read,
                 :date_delivered, :is_delivered, 1, :from_me, :is_read, :from_me, :has_attachments,
                 :room, :is_audio, :item_type, :other_handle, :group_title, :group_action, :share_status,
                 :associated_guid, :associated_type, :associated_length,
                 :associated_emoji, :balloon, :payload, :summary,
                 :owner, :reply_to, :originator, :originator_part,
                 :date_retracted, :date_edited, :parts)",
        )?
        .execute(named_params! {
            ":guid": message.guid, ":text": message.content.text, ":handle": message.handle_id,
            ":body": message.content.attributed_body, ":service": message.service.name(), ":account": OWNER_LOGIN,
            ":date": message.date, ":date_read": message.date_read, ":date_delivered": date_delivered,
            ":is_delivered": is_delivered, ":from_me": message.is_from_me, ":is_read": message.is_read,
            ":has_attachments": message.content.has_attachments, ":room": message.room,
            ":is_audio": message.is_audio_message, ":item_type": message.item_type,
            ":other_handle": message.other_handle, ":group_title": message.group_title,
            ":group_action": message.group_action_type, ":share_status": message.share_status, ":associated_guid": message.associated_guid,
            ":associated_type": message.associated_type, ":associated_length": message.associated_length,
            ":associated_emoji": message.associated_emoji, ":balloon": message.balloon_bundle_id,
            ":payload": message.payload_data, ":summary": message.summary_info, ":owner": OWNER,
            ":reply_to": message.reply_to_guid, ":originator": message.thread_originator_guid,
            ":originator_part": message.thread_originator_part, ":date_retracted": message.date_retracted,
            ":date_edited": message.date_edited, ":parts": message.content.part_count,
        })?;
    Ok(RowId(connection.last_insert_rowid()))
}

pub fn update_content(connection: &Connection, message: RowId, content: &Content) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE message SET text = ?, attributedBody = ?, part_count = ?, cache_has_attachments = ? WHERE ROWID = ?",
        )?
        .execute((
            &content.text,
            &content.attributed_body,
            content.part_count,
            content.has_attachments,
            message.0,
        ))?;
    Ok(())
}

#[derive(Clone, Debug, Default)]
pub struct Attachment {
    pub guid: String,
    pub filename: String,
    pub transfer_name: String,
    pub uti: &'static str,
    pub mime_type: &'static str,
    pub total_bytes: u64,
    pub transfer_state: i64,
    pub is_sticker: bool,
    pub user_info: Option<Vec<u8>>,
}

pub fn insert_attachment(
    connection: &Connection,
    rowid: RowId,
    message: &Message,
    attachment: &Attachment,
) -> Result<()> {
    // Unlike the dates of messages, an attachment's are in seconds.
    connection
        .prepare_cached(
            "INSERT INTO attachment (guid, original_guid, created_date, start_date, filename, uti, mime_type,
                 transfer_state, is_outgoing, user_info, transfer_name, total_bytes, is_sticker)
             VALUES (:guid, :guid, :date, :date, :filename, :uti, :mime_type, :state, :outgoing, :info, :name, :bytes,
                 :sticker)",
        )?
        .execute(named_params! {
            ":guid": attachment.guid, ":date": message.date / 1_000_000_000, ":filename": attachment.filename,
            ":uti": attachment.uti, ":mime_type": attachment.mime_type, ":state": attachment.transfer_state, ":outgoing": message.is_from_me,
            ":info": attachment.user_info, ":name": attachment.transfer_name,
            ":bytes": attachment.total_bytes as i64, ":sticker": attachment.is_sticker,
        })?;
    let id = connection.last_insert_rowid();
    connection
        .prepare_cached("INSERT INTO message_attachment_join (message_id, attachment_id) VALUES (?, ?)")?
        .execute((rowid.0, id))?;
    Ok(())
}
