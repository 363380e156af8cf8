//! What is judged: messages of a family's group, as a host of policies in any language would hand them over.

use std::sync::Arc;

use imsgd::message::{Arrival, Attachment, Chat, ChatId, Message, Quoted, RowId};
use imsgd::policy::Inbound;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Of the same number of senders, as many are let in.
const KNOWN: usize = 100;

/// Ways to address the assistant.
const MENTIONS: [&str; 3] = ["@max", "hey max", "assistant"];

/// Words that nobody wants to read.
const WORDS: [&str; 20] = [
    "casino",
    "lottery",
    "jackpot",
    "free money",
    "wire transfer",
    "gift card",
    "crypto",
    "bitcoin",
    "act now",
    "click here",
    "limited offer",
    "winner",
    "prize",
    "unsubscribe",
    "weight loss",
    "miracle",
    "cheap meds",
    "loan approved",
    "investment",
    "double your",
];

/// All three policies are asked about each: somebody known says it, and to the assistant.
pub const SAID: [&str; 16] = [
    "Hey Max, can you put milk, eggs and bread on the shopping list?",
    "@max what time does the train to Graz leave tomorrow morning, and do we need to change anywhere on the way?",
    "Dinner at 7? I'll bring dessert 🍰 @Max please remind everybody at six",
    "assistant: move the dentist to Thursday",
    "I'm running about ten minutes late, the tram is stuck again. Hey max, tell grandma please, she does not read this chat \
     and will be waiting at the door in the cold otherwise",
    "Could the assistant look up how long a 4 kg turkey needs at 160 degrees?",
    "@Max summarize what we said about the holidays so far. I liked the idea with the lake, but Paul can only come from \
     the 14th on, and Ann wants to be back before school starts on the 2nd. Nobody has answered about the dog yet, and \
     somebody has to book the house this week or it will be gone like last year!",
    "ok thanks! @max",
    "Who took the car keys?? @max ask Dad",
    "The plumber wrote that he comes on Monday between 8 and 12, somebody has to be at home. HEY MAX put it in the \
     calendar for all of us with the address and his number from the message above",
    "hey max set a timer for the pasta, nine minutes",
    "Did anybody see https://example.com/articles/2026/11/how-to-prune-apple-trees-in-winter?ref=share before we start \
     on the garden? @max save the link for Saturday",
    "Assistant, what was the name of that Italian place we went to for Mum's birthday two years ago?",
    "@max translate: Wir sind übermorgen gegen halb vier da, könnt ihr uns vom Bahnhof abholen?",
    "Congratulations, you are a WINNER! Claim your gift card now, hey max",
    "No rush at all, but when you have a minute: hey max, how much did we spend on groceries in October compared to \
     September?",
];

pub const MEASURED: usize = 64;

/// Of which not all policies are asked.
const ASIDE: [(&str, &str); 4] = [
    ("+15559990001", "Hey Max, who am I?"),
    ("+15559990001", "free money"),
    ("+15550000007", "See you all on Sunday then, drive carefully"),
    ("+15550000008", "I won a prize at the fair!"),
];

pub fn lists() -> [Vec<String>; 3] {
    let known = (0..KNOWN).map(address).collect();
    [known, MENTIONS.map(str::to_owned).to_vec(), WORDS.map(str::to_owned).to_vec()]
}

fn address(number: usize) -> String {
    format!("+1555000{number:04}")
}

/// The first [`MEASURED`] are for measuring, all for comparing verdicts.
pub fn inbound() -> Vec<Arc<Inbound>> {
    let measured = (0..MEASURED).map(|at| (address(at * 7 % KNOWN), SAID[at % SAID.len()]));
    let aside = ASIDE.map(|(sender, text)| (sender.to_owned(), text));
    measured.chain(aside).enumerate().map(|(at, (sender, text))| Arc::new(of(at, &sender, text))).collect()
}

/// The same as written to its sender alone.
pub fn direct(inbound: &Inbound) -> Inbound {
    let mut message = (*inbound.message).clone();
    message.chat = message.chat.map(|chat| {
        let (guid, identifier) = (format!("iMessage;-;{}", inbound.sender), inbound.sender.clone());
        let participants = vec![inbound.sender.clone()];
        Arc::new(Chat { guid, identifier, participants, is_group: false, display_name: None, ..(*chat).clone() })
    });
    Inbound { message: Arc::new(message), as_group: false, ..inbound.clone() }
}

fn of(at: usize, sender: &str, text: &str) -> Inbound {
    let row = 812_000 + at as i64;
    let chat = Chat {
        id: ChatId(42),
        guid: "iMessage;+;chat831415926535897932".to_owned(),
        identifier: "chat831415926535897932".to_owned(),
        display_name: Some("Family 🏡".to_owned()),
        service: "iMessage".to_owned(),
        is_group: true,
        participants: (0..5).map(address).collect(),
        account_id: Some("6F3C9D50-7C1B-4B53-9E0F-1B8E2A1D2C3B".to_owned()),
        account_login: Some("E:max@example.com".to_owned()),
        last_addressed_handle: Some("+15550001111".to_owned()),
    };
    let guid = |number: usize| format!("7B9F5D3A-4C61-4E0B-9A57-{number:012X}");
    let quoted = (at % 4 == 1).then(|| Quoted {
        guid: guid(at + 1000),
        sender: Some(address(3)),
        text: Some("Does anybody know when we have to leave?".to_owned()),
    });
    let attachment = Attachment {
        guid: guid(at + 2000),
        filename: "~/Library/Messages/Attachments/3a/10/IMG_4711.HEIC".to_owned(),
        transfer_name: "IMG_4711.HEIC".to_owned(),
        uti: "public.heic".to_owned(),
        mime_type: "image/heic".to_owned(),
        total_bytes: 1_843_201,
        is_sticker: false,
        transfer_state: None,
    };
    let sent_at = Timestamp::from_millisecond(1_795_430_000_000 + row * 1000).unwrap_or_default();
    let message = Message {
        id: RowId(row),
        guid: guid(at),
        chat: Some(Arc::new(chat)),
        sender: sender.to_owned(),
        is_from_me: false,
        text: text.to_owned(),
        sent_at,
        service: "iMessage".to_owned(),
        event: None,
        attachments: if at % 8 == 5 { vec![attachment] } else { Vec::new() },
        reactions: Vec::new(),
        mentions: Vec::new(),
        tapback: None,
        reply_to_guid: quoted.as_ref().map(|quoted: &Quoted| quoted.guid.clone()),
        thread_originator_guid: None,
        thread_originator_part: None,
        quoted,
        destination_caller_id: Some("+15550001111".to_owned()),
        balloon_bundle_id: None,
        url_preview: None,
        preview_of: None,
        is_read: Some(false),
        read_at: None,
        edits: None,
        poll: None,
    };
    Inbound {
        message: Arc::new(message),
        arrival: Arrival::Live,
        as_group: true,
        sender: sender.to_owned(),
        direct_route: "main".to_owned(),
        now: sent_at,
    }
}

/// All that `wit/policy.wit` tells of it. Addresses are normalized already.
pub fn as_json(inbound: &Inbound) -> Value {
    let message = &inbound.message;
    let chat = message.chat.as_deref().map(|chat| {
        json!({
            "id": chat.id.0,
            "guid": chat.guid,
            "identifier": chat.identifier,
            "name": chat.display_name,
            "service": "imessage",
            "is_group": chat.is_group,
            "participants": chat.participants,
            "own_addresses": ["+15550001111", "max@example.com"],
        })
    });
    let attachment = |file: &Attachment| json!({"name": file.transfer_name, "mime_type": file.mime_type, "size": file.total_bytes, "is_sticker": false});
    let attachments: Vec<Value> = message.attachments.iter().map(attachment).collect();
    json!({
        "id": message.id.0,
        "guid": message.guid,
        "chat": chat,
        "sender": {"address": inbound.sender, "raw": message.sender, "name": null},
        "text": message.text,
        "mentions": message.mentions,
        "sent_at": message.sent_at.as_millisecond(),
        "arrival": "live",
        "reply_to": message.quoted.as_ref().map(|quoted| {
            json!({"guid": quoted.guid, "sender": quoted.sender, "text": quoted.text})
        }),
        "attachments": attachments,
    })
}
