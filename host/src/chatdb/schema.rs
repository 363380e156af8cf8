//! Which tables and columns this chat.db has: they differ between versions of macOS.

use std::collections::BTreeSet;

use rusqlite::Connection;

/// Without these nothing can be read.
const REQUIRED: &[(Table, &[&str])] = &[
    (Table::Message, &["handle_id", "text", "date", "is_from_me", "service"]),
    (Table::Handle, &["id"]),
    (Table::ChatMessageJoin, &["chat_id", "message_id"]),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    Message,
    Chat,
    Handle,
    ChatMessageJoin,
    ChatHandleJoin,
    Attachment,
    MessageAttachmentJoin,
}

impl Table {
    const ALL: [Table; 7] = [
        Table::Message,
        Table::Chat,
        Table::Handle,
        Table::ChatMessageJoin,
        Table::ChatHandleJoin,
        Table::Attachment,
        Table::MessageAttachmentJoin,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Table::Message => "message",
            Table::Chat => "chat",
            Table::Handle => "handle",
            Table::ChatMessageJoin => "chat_message_join",
            Table::ChatHandleJoin => "chat_handle_join",
            Table::Attachment => "attachment",
            Table::MessageAttachmentJoin => "message_attachment_join",
        }
    }
}

/// The columns found when the database was opened.
#[derive(Clone, Debug)]
pub struct Schema {
    columns: BTreeSet<(Table, String)>,
}

/// What this database can tell, as `status` reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    pub unread_state: bool,
    pub scheduled_messages: bool,
    pub reactions: bool,
    pub reply_context: bool,
    pub routing_metadata: bool,
    pub balloon_payloads: bool,
}

impl Schema {
    /// Fails only where SQLite does; see [`Schema::missing`] for whether it is a Messages database at all.
    pub(super) fn probe(connection: &Connection) -> rusqlite::Result<Schema> {
        let mut columns = BTreeSet::new();
        let mut statement = connection.prepare("SELECT lower(name) FROM pragma_table_info(?1)")?;
        for table in Table::ALL {
            let mut rows = statement.query([table.name()])?;
            while let Some(row) = rows.next()? {
                columns.insert((table, row.get(0)?));
            }
        }
        Ok(Schema { columns })
    }

    /// The first thing without which this is not a Messages database.
    pub(super) fn missing(&self) -> Option<String> {
        REQUIRED.iter().find_map(|&(table, columns)| {
            if !self.has_table(table) {
                return Some(format!("it has no table `{}`", table.name()));
            }
            let column = columns.iter().find(|column| !self.has(table, column))?;
            Some(format!("its table `{}` has no column `{column}`", table.name()))
        })
    }

    /// `column` in lower case.
    pub fn has(&self, table: Table, column: &str) -> bool {
        self.columns.contains(&(table, column.to_owned()))
    }

    pub fn has_table(&self, table: Table) -> bool {
        self.columns.iter().any(|(known, _)| *known == table)
    }

    pub fn has_attachments(&self) -> bool {
        self.has_table(Table::Attachment) && self.has_table(Table::MessageAttachmentJoin)
    }

    pub fn features(&self) -> Features {
        let message = |column| self.has(Table::Message, column);
        let account = |column| self.has(Table::Chat, column);
        Features {
            unread_state: message("is_read"),
            scheduled_messages: message("schedule_type") || message("schedule_state"),
            reactions: message("guid") && message("associated_message_guid") && message("associated_message_type"),
            reply_context: message("reply_to_guid") || message("thread_originator_guid"),
            routing_metadata: message("destination_caller_id")
                || ["account_id", "account_login", "last_addressed_handle"].into_iter().any(account),
            balloon_payloads: message("balloon_bundle_id")
                && (message("payload_data") || message("message_summary_info")),
        }
    }

    /// `prefix.column` where the column exists, else SQL that reads as if it were there and NULL.
    pub(super) fn column(&self, table: Table, prefix: &str, column: &str) -> String {
        if self.has(table, &column.to_ascii_lowercase()) { format!("{prefix}.{column}") } else { "NULL".to_owned() }
    }
}
