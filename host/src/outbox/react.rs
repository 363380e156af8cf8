//! Reactions through Messages' own windows: AppleScript has no word for a tapback, so the script opens the chat and
//! presses the button. What it did is looked for in chat.db afterwards, and it is never done twice.

use std::path::Path;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::applescript::{self, Outcome};
use super::target::Place;
use super::trace::Trace;
use super::{Outbox, allow, record};
use crate::address::Normalizer;
use crate::chatdb::{ChatDb, OwnTapback};
use crate::decode::tapback;
use crate::message::{Chat, ChatId, RowId, TapbackKind};
use crate::rpc::error::RpcError;
use crate::rpc::failure::Disposition;
use crate::rpc::wire;
use crate::rpc::wire::send::Reacted;
use crate::state::notice;
use crate::transport::is_set;

/// How long the row of a tapback is waited for.
const CONFIRM: Duration = Duration::from_secs(5);

/// How often it is looked for where no new row wakes us.
const CONFIRM_STEP: Duration = Duration::from_millis(200);

/// A reaction to the newest message of a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct React {
    pub chat: ChatId,
    /// Not a custom one.
    pub kind: TapbackKind,
}

/// The kinds that can be sent: their spellings, the first of which is the one that is shown, and their buttons.
const KINDS: [(TapbackKind, &[&str], &str); 6] = [
    (TapbackKind::Love, &["love", "heart", "❤️", "❤"], "heart"),
    (TapbackKind::Like, &["like", "thumbsup", "thumbs-up", "👍"], "thumbsUp"),
    (TapbackKind::Dislike, &["dislike", "thumbsdown", "thumbs-down", "👎"], "thumbsDown"),
    (TapbackKind::Laugh, &["laugh", "haha", "lol", "😂"], "ha"),
    (TapbackKind::Emphasis, &["emphasis", "emphasize", "exclaim", "exclamation", "‼️", "‼"], "exclamation"),
    (TapbackKind::Question, &["question", "questionmark", "question-mark", "❓", "?"], "questionMark"),
];

/// Which reaction a text means; else why it means none that can be sent.
pub fn parse(reaction: &str) -> Result<TapbackKind, String> {
    let wanted = reaction.trim().to_lowercase();
    if let Some((kind, ..)) = KINDS.iter().find(|(_, spellings, _)| spellings.contains(&wanted.as_str())) {
        return Ok(kind.clone());
    }
    let names = KINDS.map(|(_, spellings, _)| spellings[0]).join(", ");
    if tapback::is_emoji(&wanted) {
        return Err(format!(
            "Unsupported reaction: custom emoji tapback '{wanted}' cannot be sent by Messages.app AppleScript \
             automation; use one of {names}"
        ));
    }
    Err(format!("Invalid reaction: {reaction}\nValid values: {names}"))
}

fn button(kind: &TapbackKind) -> &'static str {
    KINDS.iter().find(|(known, ..)| known == kind).map_or("", |(.., button)| button)
}

/// Everything but letters, digits and what RFC 3986 leaves alone everywhere.
const IN_A_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What opens a chat in Messages: its identifier as the one value of the query.
fn url(identifier: &str) -> String {
    format!("sms://open?groupid={}", utf8_percent_encode(identifier, IN_A_VALUE))
}

/// Answers as the script of a send does. Until the button is pressed nothing has happened that could not be repeated.
const SCRIPT: &str = r#"on run argv
    set {theChat, theURL, theButton} to items 1 thru 3 of argv
    set phase to "before"
    try
        tell application "Messages"
            get id of chat id theChat
            activate
        end tell
        tell application "System Events" to tell process "Messages"
            set frontmost to true
            -- To the search field: when the focus is in a composer afterwards, the chat has been opened.
            keystroke "f" using command down
        end tell
        open location theURL
        my waitForFocus("messageBodyField")
        -- The picker for the newest message.
        tell application "System Events" to tell process "Messages" to keystroke "t" using command down
        set theTapback to my waitForElement(theButton)
        set phase to "after"
        tell application "System Events" to click theTapback
        return "ok"
    on error errorMessage number errorNumber
        return "error" & tab & phase & tab & errorNumber & tab & errorMessage
    end try
end run

on waitForFocus(theIdentifier)
    repeat 50 times
        try
            tell application "System Events" to tell process "Messages"
                set theElement to value of attribute "AXFocusedUIElement"
                if value of attribute "AXIdentifier" of theElement is theIdentifier then return
            end tell
        end try
        delay 0.1
    end repeat
    error "Messages did not open the chat" number -2700
end waitForFocus

on waitForElement(theIdentifier)
    repeat 50 times
        tell application "System Events" to tell process "Messages"
            repeat with theElement in (entire contents of window 1)
                try
                    if value of attribute "AXIdentifier" of theElement is theIdentifier then return contents of theElement
                end try
            end repeat
        end tell
        delay 0.1
    end repeat
    error "Messages did not show its reactions" number -2700
end waitForElement
"#;

impl Outbox {
    pub(super) async fn react(&self, react: &React, id: i64) -> Result<Value, RpcError> {
        let config = self.parts.config.load_full();
        let db = ChatDb::open(&self.parts.chatdb)?;
        let chat = chat_of(&db, react.chat)?;
        self.permit(&chat, &db)?;
        let before = db.max_rowid()?;
        let limit = Duration::from_secs(config.send.timeout_seconds);
        let failed = |disposition, detail: &str| Err(RpcError::automation(disposition, "react", detail));
        if let Some(paused) = self.parts.switch.paused() {
            return failed(Disposition::NotStarted, &paused.refusal());
        }
        if let Err(error) = record::hand_over(self.parts.state.connection(), id, &Trace::default()).inspect_err(notice)
        {
            return failed(Disposition::NotStarted, &format!("the reaction could not be written down: {error}"));
        }
        self.note_pace(&chat.guid);
        let outcome = self.unless_stopped(press(&config.messages.osascript, &chat, &react.kind, limit)).await;
        let found = match &outcome {
            Outcome::NotStarted(detail) => return failed(Disposition::NotStarted, detail),
            Outcome::StillRunning(detail) => return failed(Disposition::StillInFlight, detail),
            Outcome::Accepted => self.confirm(&db, before, react).await,
            // It may have been pressed all the same: a row says so.
            Outcome::Uncertain(_) => pressed(&db, before, react),
        };
        match (found, outcome) {
            (Some(found), _) => Ok(answer(react, &found)),
            (None, Outcome::Uncertain(detail)) => failed(Disposition::MayHaveCompleted, &detail),
            (None, _) => {
                let name = react.kind.name();
                let text = format!(
                    "osascript succeeded, but no new {name} reaction of ours was observed in the chat within {} seconds",
                    CONFIRM.as_secs()
                );
                failed(Disposition::MayHaveCompleted, &text)
            }
        }
    }

    /// As for a send: a reaction, too, tells somebody something.
    pub(super) fn permit(&self, chat: &std::sync::Arc<Chat>, db: &ChatDb) -> Result<(), RpcError> {
        let config = self.parts.config.load();
        let normalizer =
            Normalizer::new(&config.messages.region).ok_or_else(|| RpcError::internal("unknown region"))?;
        let permitted = allow::permit(&config.send.allow_to, &Place::of(chat.clone()), &normalizer, Ok(db));
        permitted.map_err(|error| match error.data.get("detail").and_then(Value::as_str) {
            Some(detail) => RpcError::automation(Disposition::NotStarted, "react", detail),
            None => error,
        })
    }

    /// Waits for the row that Messages writes, and for its chat.
    async fn confirm(&self, db: &ChatDb, before: RowId, react: &React) -> Option<OwnTapback> {
        let mut head = self.parts.hub.watch_head();
        let mut stop = self.parts.stop.clone();
        let deadline = tokio::time::Instant::now() + CONFIRM;
        loop {
            head.mark_unchanged();
            if let Some(found) = pressed(db, before, react) {
                return Some(found);
            }
            tokio::select! {
                _ = head.changed() => {}
                () = tokio::time::sleep(CONFIRM_STEP) => {}
                () = tokio::time::sleep_until(deadline) => return None,
                () = is_set(&mut stop) => return None,
            }
        }
    }
}

/// The reaction, once its row is seen. A database that cannot be read leaves the outcome open, and is no failure.
fn pressed(db: &ChatDb, before: RowId, react: &React) -> Option<OwnTapback> {
    db.own_tapback(before, react.chat, &react.kind)
        .inspect_err(|error| tracing::warn!(%error, "a reaction could not be looked for"))
        .ok()
        .flatten()
}

async fn press(osascript: &Path, chat: &Chat, kind: &TapbackKind, limit: Duration) -> Outcome {
    let arguments = [chat.guid.clone(), url(&chat.identifier), button(kind).to_owned()];
    applescript::run(osascript, SCRIPT, &arguments, limit).await
}

/// The chat, where it is the only one that its URL can open.
pub(super) fn chat_of(db: &ChatDb, id: ChatId) -> Result<std::sync::Arc<Chat>, RpcError> {
    if !db.schema().features().reactions {
        return Err(RpcError::params(
            "reactions are unavailable because this Messages database has no columns for them",
        ));
    }
    let chat = db.chat(id)?.ok_or_else(|| RpcError::params(format!("Chat not found: {id}")))?;
    if chat.identifier.is_empty() || chat.guid.is_empty() {
        return Err(RpcError::params("Invalid chat target: Missing chat identifier or guid"));
    }
    let namesakes = db.chats_of(&chat.identifier)?;
    if namesakes > 1 {
        let text = format!(
            "Invalid chat target: the identifier of chat {id} is ambiguous, {namesakes} chats have it, and Messages \
             might react in another one"
        );
        return Err(RpcError::params(text));
    }
    Ok(chat)
}

fn answer(react: &React, found: &OwnTapback) -> Value {
    wire::to_value(&Reacted {
        ok: true,
        chat_id: react.chat.0,
        reaction_type: react.kind.name(),
        reaction_emoji: react.kind.emoji().unwrap_or_default(),
        id: found.id.0,
        guid: &found.guid,
        reacted_to_guid: &found.target,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_many_spellings() {
        for (kind, spellings, _) in &KINDS {
            for spelling in *spellings {
                assert_eq!(parse(spelling).as_ref(), Ok(kind), "{spelling}");
                assert_eq!(parse(&format!(" {} ", spelling.to_uppercase())).as_ref(), Ok(kind), "{spelling}");
            }
            assert!(spellings.contains(&kind.emoji().unwrap()) && !button(kind).is_empty());
        }
    }

    #[test]
    fn other_emoji_are_told_from_what_means_nothing() {
        for emoji in ["🎉", "👍🏽", "👩‍👩‍👧", " 🎉 "] {
            let refused = parse(emoji).unwrap_err();
            assert!(refused.starts_with("Unsupported reaction: custom emoji tapback"), "{refused}");
            assert!(refused.contains("AppleScript automation") && refused.contains("emphasis"), "{refused}");
        }
        for text in ["", "wow", "🎉🎉", "like 👍", "8", "#"] {
            let refused = parse(text).unwrap_err();
            assert!(refused.starts_with(&format!("Invalid reaction: {text}\nValid values: love, like")), "{refused}");
        }
    }

    #[test]
    fn an_identifier_is_one_value_of_the_url() {
        for (identifier, encoded) in [
            ("+15551234567", "%2B15551234567"),
            ("chat&body=do not send?#%", "chat%26body%3Ddo%20not%20send%3F%23%25"),
            ("a\"b\\c\nd'", "a%22b%5Cc%0Ad%27"),
            ("聊天", "%E8%81%8A%E5%A4%A9"),
        ] {
            assert_eq!(url(identifier), format!("sms://open?groupid={encoded}"));
        }
    }

    #[test]
    fn the_script_types_no_names_and_no_digits_and_presses_no_return() {
        let typed: Vec<&str> = SCRIPT.lines().filter(|line| line.contains("keystroke")).map(str::trim).collect();
        assert!(typed.iter().all(|line| line.ends_with("using command down")), "{typed:?}");
        assert!(!SCRIPT.contains("key code") && !SCRIPT.contains("keystroke return"));
    }
}
