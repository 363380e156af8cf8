//! What is wrong with a row: values that Messages never writes.

use rusqlite::types::{Type, ValueRef};

use super::{Columns, Values, column};
use crate::decode;

/// What of a row could not be read, so that it is shown without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("attributedBody: {0}")]
    Body(decode::Warning),
    #[error("a value of the wrong type in the column {0}")]
    Column(&'static str),
}

/// Columns, the type of their values, and their names.
const TYPES: [(usize, Type, &str); 29] = [
    (column::GUID, Type::Text, "guid"),
    (column::TEXT, Type::Text, "text"),
    (column::BODY, Type::Blob, "attributedBody"),
    (column::DATE, Type::Integer, "date"),
    (column::IS_FROM_ME, Type::Integer, "is_from_me"),
    (column::SERVICE, Type::Text, "service"),
    (column::ITEM_TYPE, Type::Integer, "item_type"),
    (column::GROUP_ACTION_TYPE, Type::Integer, "group_action_type"),
    (column::GROUP_TITLE, Type::Text, "group_title"),
    (column::OTHER_HANDLE, Type::Integer, "other_handle"),
    (column::OTHER_ADDRESS, Type::Text, "id of other_handle"),
    (column::SHARE_STATUS, Type::Integer, "share_status"),
    (column::HANDLE_ID, Type::Integer, "handle_id"),
    (column::HANDLE, Type::Text, "id of handle_id"),
    (column::DESTINATION_CALLER_ID, Type::Text, "destination_caller_id"),
    (column::ASSOCIATED_TYPE, Type::Integer, "associated_message_type"),
    (column::ASSOCIATED_GUID, Type::Text, "associated_message_guid"),
    (column::ASSOCIATED_EMOJI, Type::Text, "associated_message_emoji"),
    (column::REPLY_TO_GUID, Type::Text, "reply_to_guid"),
    (column::THREAD_ORIGINATOR_GUID, Type::Text, "thread_originator_guid"),
    (column::THREAD_ORIGINATOR_PART, Type::Text, "thread_originator_part"),
    (column::BALLOON_BUNDLE_ID, Type::Text, "balloon_bundle_id"),
    (column::IS_READ, Type::Integer, "is_read"),
    (column::DATE_READ, Type::Integer, "date_read"),
    (column::IS_AUDIO, Type::Integer, "is_audio_message"),
    (column::CACHE_HAS_ATTACHMENTS, Type::Integer, "cache_has_attachments"),
    (column::DATE_EDITED, Type::Integer, "date_edited"),
    (column::DATE_RETRACTED, Type::Integer, "date_retracted"),
    (column::SUMMARY, Type::Blob, "message_summary_info"),
];

impl Damage {
    /// The first that is found; `body` is what decoding the body has found.
    pub(super) fn of(row: &Columns<'_>, body: Option<decode::Warning>) -> Option<Damage> {
        let is_odd = |(index, wanted, _): &&(usize, Type, &str)| {
            let value = row.value(*index);
            !matches!(value, ValueRef::Null) && value.data_type() != *wanted
        };
        let column = TYPES.iter().find(is_odd).map(|(.., name)| Damage::Column(name));
        column.or(body.map(Damage::Body))
    }
}
