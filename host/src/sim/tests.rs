//! What the simulation wrote, read back with SQL from real files.

use std::io::Cursor;
use std::path::PathBuf;

use jiff::Timestamp;
use rusqlite::Connection;
use serde_json::Value;

use super::osascript::{self, Settings};
use super::*;

struct Simulation {
    folder: tempfile::TempDir,
}

impl Simulation {
    fn new(options: &Options) -> Self {
        let simulation = Simulation { folder: tempfile::tempdir().unwrap() };
        init(&simulation.db(), options).unwrap();
        simulation
    }

    fn empty() -> Self {
        Self::new(&Options { chats: 0, messages: 0, ..Options::default() })
    }

    fn db(&self) -> PathBuf {
        self.folder.path().join("chat.db")
    }

    fn receive(&self, incoming: &Incoming) -> Received {
        receive(&self.db(), incoming).unwrap()
    }

    /// The rows of a query, one line each, with `|` between columns.
    fn query(&self, sql: &str) -> Vec<String> {
        let connection = Connection::open(self.db()).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let values = (0..columns).map(|column| {
                Ok(match row.get_ref(column)? {
                    rusqlite::types::ValueRef::Null => "NULL".to_owned(),
                    rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                    rusqlite::types::ValueRef::Real(number) => number.to_string(),
                    rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                    rusqlite::types::ValueRef::Blob(bytes) => format!("{} bytes", bytes.len()),
                })
            });
            Ok(values.collect::<rusqlite::Result<Vec<_>>>()?.join("|"))
        });
        rows.unwrap().collect::<rusqlite::Result<_>>().unwrap()
    }

    fn settings(&self, behavior: &str) -> Settings {
        let file = self.folder.path().join("behavior.json");
        std::fs::write(&file, behavior).unwrap();
        Settings { db: self.db(), behavior: Some(file), sent: Some(self.folder.path().join("sent")) }
    }

    /// What a send prints; `arguments` are recipient, text, file, chat and recovery recipient.
    fn send(&self, behavior: &str, arguments: [&str; 5]) -> String {
        let [recipient, text, file, chat, recovery] = arguments;
        let flag = |value: &str| if value.is_empty() { "0" } else { "1" };
        let account = if recovery.is_empty() { "" } else { "5A1B0C2D" };
        let service = if recovery.is_empty() { "" } else { "imessage" };
        let arguments = ["-l", "AppleScript", "-", recipient, text, "auto", file, flag(file), chat, flag(chat)];
        let arguments = arguments.into_iter().chain([account, recovery, service]).map(str::to_owned).collect();
        let args = osascript::Args { settings: self.settings(behavior), arguments };
        let mut output = Vec::new();
        osascript::run(&args, Cursor::new("on run argv\nend run"), &mut output).unwrap();
        String::from_utf8(output).unwrap()
    }
}

#[test]
fn a_new_database_is_sound_and_in_wal_mode() {
    let simulation = Simulation::new(&Options { messages: 1000, ..Options::default() });
    assert_eq!(simulation.query("PRAGMA integrity_check"), ["ok"]);
    assert!(simulation.query("PRAGMA foreign_key_check").is_empty());
    assert_eq!(simulation.query("PRAGMA journal_mode"), ["wal"]);
    assert_eq!(simulation.query("SELECT count(*) FROM message"), ["1000"]);
    assert_eq!(simulation.query("SELECT count(*) FROM chat"), ["8"]);
}

#[test]
fn a_database_of_default_size_has_every_kind_of_row() {
    let simulation = Simulation::new(&Options::default());
    for condition in [
        "text IS NULL AND attributedBody IS NOT NULL",
        "text IS NOT NULL",
        "is_from_me = 1",
        "is_from_me = 0 AND is_read = 0",
        "is_read = 1 AND date_read > date",
        "associated_message_type BETWEEN 2000 AND 2005",
        "associated_message_type BETWEEN 3000 AND 3006",
        "thread_originator_guid IS NOT NULL",
        "date_edited > 0 AND date_retracted = 0 AND message_summary_info IS NOT NULL",
        "date_retracted > 0 AND attributedBody IS NULL",
        "item_type IN (1, 2, 3)",
        "is_audio_message = 1 AND cache_has_attachments = 1",
        "balloon_bundle_id = 'com.apple.messages.URLBalloonProvider' AND payload_data IS NOT NULL",
        "service = 'SMS'",
        "service = 'RCS'",
        "cache_roomnames IS NOT NULL",
    ] {
        let count = simulation.query(&format!("SELECT count(*) FROM message WHERE {condition}"));
        assert_ne!(count, ["0"], "{condition}");
    }
    assert_ne!(simulation.query("SELECT count(*) FROM attachment WHERE user_info IS NOT NULL"), ["0"]);
}

#[test]
fn sms_chats_have_nothing_that_only_imessage_can() {
    let simulation = Simulation::new(&Options { messages: 2000, ..Options::default() });
    let count = "SELECT count(*) FROM message WHERE service = 'SMS' AND (associated_message_type > 0 OR date_edited > 0
                 OR item_type > 0 OR thread_originator_guid IS NOT NULL OR is_audio_message = 1)";
    assert_eq!(simulation.query(count), ["0"]);
}

#[test]
fn dates_rise_with_row_ids_up_to_now() {
    let until: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    let simulation = Simulation::new(&Options { messages: 500, until, ..Options::default() });
    let falling = "SELECT count(*) FROM message a JOIN message b ON b.ROWID = a.ROWID + 1 WHERE b.date <= a.date";
    assert_eq!(simulation.query(falling), ["0"]);
    let last = "SELECT datetime(max(date) / 1000000000 + 978307200, 'unixepoch') BETWEEN '2026-01-02 02:30:00' AND
                '2026-01-02 03:04:05' FROM message";
    assert_eq!(simulation.query(last), ["1"]);
    assert_eq!(
        simulation.query(
            "SELECT count(*) FROM chat_message_join j JOIN message m ON m.ROWID = j.message_id
        WHERE j.message_date != m.date"
        ),
        ["0"]
    );
}

#[test]
fn the_same_seed_writes_the_same_rows() {
    let options = Options { until: "2026-01-02T03:04:05Z".parse().unwrap(), ..Options::default() };
    let dump = "SELECT guid, hex(attributedBody), date FROM message";
    let first = Simulation::new(&options).query(dump);
    assert_eq!(first, Simulation::new(&options).query(dump));
    assert_ne!(first, Simulation::new(&Options { seed: 2, ..options }).query(dump));
}

#[test]
fn a_message_from_a_stranger_makes_a_chat_and_a_handle() {
    let simulation = Simulation::empty();
    let received = simulation.receive(&Incoming::new("+14155550123", "hello"));
    let rows = "SELECT c.guid, c.style, h.id, m.text, m.is_from_me, m.is_read, m.service
                FROM message m JOIN chat_message_join j ON j.message_id = m.ROWID JOIN chat c ON c.ROWID = j.chat_id
                JOIN handle h ON h.ROWID = m.handle_id JOIN chat_handle_join USING (chat_id, handle_id)";
    assert_eq!(simulation.query(rows), ["any;-;+14155550123|45|+14155550123|NULL|0|0|iMessage"]);
    assert_eq!(simulation.query("SELECT guid FROM message"), [received.guid.as_str()]);
    let again = simulation.receive(&Incoming::new("+14155550123", "hello again"));
    assert_eq!(again.chat_id, received.chat_id);
}

#[test]
fn a_new_group_has_its_name_and_members() {
    let simulation = Simulation::empty();
    simulation.receive(&Incoming {
        group: Some("chat42".into()),
        group_name: Some("Pals".into()),
        participants: vec!["+14155550124".into()],
        ..Incoming::new("+14155550123", "hello all")
    });
    assert_eq!(simulation.query("SELECT guid, style, display_name FROM chat"), ["any;+;chat42|43|Pals"]);
    assert_eq!(simulation.query("SELECT count(*) FROM chat_handle_join"), ["2"]);
    assert_eq!(simulation.query("SELECT cache_roomnames FROM message"), ["chat42"]);
}

#[test]
fn split_steps_end_in_the_same_rows_as_one_transaction() {
    let rows = "SELECT length(attributedBody), cache_has_attachments, chat_id, transfer_name
                FROM message m JOIN chat_message_join j ON j.message_id = m.ROWID
                JOIN message_attachment_join USING (message_id) JOIN attachment a ON a.ROWID = attachment_id";
    let [together, split] = [Steps::Together, Steps::Split].map(|steps| {
        let simulation = Simulation::empty();
        let attachments = vec!["/tmp/photo.jpeg".into()];
        simulation.receive(&Incoming { steps, attachments, ..Incoming::new("a@example.com", "look") });
        simulation.query(rows)
    });
    assert_eq!(together, split);
    assert_eq!(together.len(), 1);
}

#[test]
fn a_file_that_arrives_is_put_beside_the_database_and_an_announced_one_is_not() {
    let simulation = Simulation::empty();
    let sent = simulation.folder.path().join("wave.GIF");
    std::fs::write(&sent, b"GIF89a").unwrap();
    let (attach, announce) = (vec![sent.clone()], vec!["later.heic".to_owned()]);
    simulation.receive(&Incoming { attach, announce, guid: Some("G".into()), ..Incoming::new("a@example.com", "") });
    std::fs::remove_file(sent).unwrap();
    let query =
        "SELECT guid, transfer_name, uti, mime_type, total_bytes, transfer_state FROM attachment ORDER BY ROWID";
    assert_eq!(
        simulation.query(query),
        ["at_0_G|wave.GIF|com.compuserve.gif|image/gif|6|5", "at_1_G|later.heic|public.heic|image/heic|12345|0"]
    );
    let paths = simulation.query("SELECT filename FROM attachment ORDER BY ROWID");
    assert!(paths.iter().all(|path| path.starts_with(simulation.folder.path().join("Attachments").to_str().unwrap())));
    assert_eq!(std::fs::read(&paths[0]).unwrap(), b"GIF89a");
    assert!(!PathBuf::from(&paths[1]).exists());
}

#[test]
fn a_message_that_is_never_joined_has_no_chat() {
    let simulation = Simulation::empty();
    let received = simulation.receive(&Incoming { no_join: true, ..Incoming::new("a@example.com", "lost") });
    assert_eq!(received.chat_id, None);
    assert_eq!(simulation.query("SELECT count(*) FROM chat_message_join"), ["0"]);
}

#[test]
fn a_tapback_points_at_its_target() {
    let simulation = Simulation::empty();
    let target = simulation.receive(&Incoming::new("a@example.com", "lunch?")).guid;
    let tapback = Incoming { target: Some(target.clone()), ..Incoming::new("a@example.com", "lunch?") };
    simulation.receive(&Incoming { tapback: Some("love".parse().unwrap()), ..tapback.clone() });
    simulation.receive(&Incoming { tapback: Some("🎉".parse().unwrap()), remove: true, ..tapback });
    let rows =
        "SELECT associated_message_guid, associated_message_type, associated_message_emoji FROM message ORDER BY ROWID";
    let expected = [format!("p:0/{target}|2000|NULL"), format!("p:0/{target}|3006|🎉")];
    assert_eq!(simulation.query(rows)[1..], expected);
}

#[test]
fn each_line_of_a_stream_is_committed_and_answered() {
    let simulation = Simulation::empty();
    let lines = concat!(
        r#"{"from": "+14155550123", "text": "--one"}"#,
        "\n\n",
        r#"{"from": "+14155550123", "text": "@Ada", "group": "chat7", "mentions": ["+14155550100"], "no_join": false}"#,
    );
    let mut output = Vec::new();
    let mut session = Session::open(&simulation.db()).unwrap();
    inject::stream(&mut session, Cursor::new(lines), &mut output).unwrap();
    let answers: Vec<Value> = output
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[1]["rowid"], 2);
    assert_eq!(answers[1]["chat_id"], 2);
    assert!(answers[1]["committed_at_ns"].as_i64() > answers[0]["committed_at_ns"].as_i64());
}

#[test]
fn a_stream_names_the_line_that_is_wrong() {
    let simulation = Simulation::empty();
    let mut session = Session::open(&simulation.db()).unwrap();
    let lines = "{\"from\": \"a@example.com\"}\n{\"form\": \"a@example.com\"}";
    let error = inject::stream(&mut session, Cursor::new(lines), Vec::new()).unwrap_err();
    let error = format!("{error:#}");
    assert!(error.contains("line 2") && error.contains("--from"), "{error}");
}

#[test]
fn what_is_sent_appears_as_a_row_of_the_owner() {
    let simulation = Simulation::empty();
    assert_eq!(simulation.send("{}", ["+14155550123", "hi", "", "", ""]), "ok\n");
    let rows = "SELECT is_from_me, is_sent, is_delivered, m.service, c.guid FROM message m
                JOIN chat_message_join j ON j.message_id = m.ROWID JOIN chat c ON c.ROWID = j.chat_id";
    assert_eq!(simulation.query(rows), ["1|1|1|iMessage|any;-;+14155550123"]);
}

#[test]
fn text_and_file_are_two_messages() {
    let simulation = Simulation::empty();
    simulation.send("{}", ["+14155550123", "look", "/tmp/a.png", "", ""]);
    let rows = "SELECT cache_has_attachments, filename FROM message m
                LEFT JOIN message_attachment_join ON message_id = m.ROWID LEFT JOIN attachment a ON a.ROWID = attachment_id ORDER BY m.ROWID";
    assert_eq!(simulation.query(rows), ["0|NULL", "1|/tmp/a.png"]);
}

#[test]
fn an_unknown_chat_is_not_found_unless_there_is_a_recovery_target() {
    let simulation = Simulation::empty();
    let chat = "iMessage;-;+14155550123";
    let answer = simulation.send("{}", ["", "hi", "", chat, ""]);
    assert!(answer.starts_with("error\tbefore\t-1728\t"), "{answer}");
    assert_eq!(simulation.query("SELECT count(*) FROM message"), ["0"]);
    assert_eq!(simulation.send("{}", ["", "hi", "", chat, "+14155550123"]), "ok\n");
    assert_eq!(simulation.query("SELECT count(*) FROM message"), ["1"]);
}

#[test]
fn each_failure_leaves_the_rows_that_it_promises() {
    for (mode, answer, rows) in [
        ("fail-before", "error\tbefore\t", "0|0"),
        ("fail-after", "error\tafter\t", "0|0"),
        ("accept-without-writing", "ok\n", "0|0"),
        ("ghost", "ok\n", "1|0"),
        ("not-found", "error\tbefore\t-1728\t", "0|0"),
    ] {
        let simulation = Simulation::empty();
        let printed = simulation.send(&format!(r#"{{"mode": "{mode}"}}"#), ["+14155550123", "hi", "", "", ""]);
        assert!(printed.starts_with(answer), "{mode}: {printed}");
        let counts = "SELECT (SELECT count(*) FROM message), (SELECT count(*) FROM chat_message_join)";
        assert_eq!(simulation.query(counts), [rows], "{mode}");
    }
}

#[test]
fn a_failure_after_the_text_keeps_the_text() {
    let simulation = Simulation::empty();
    simulation.send(r#"{"mode": "fail-after"}"#, ["+14155550123", "look", "/tmp/a.png", "", ""]);
    assert_eq!(simulation.query("SELECT cache_has_attachments FROM message"), ["0"]);
}

#[test]
fn a_send_can_land_in_the_wrong_chat() {
    let simulation = Simulation::empty();
    simulation.receive(&Incoming::new("bystander@example.com", "hello"));
    simulation.send(r#"{"mode": "wrong-chat"}"#, ["+14155550123", "secret", "", "", ""]);
    let rows = "SELECT guid FROM chat WHERE ROWID = (SELECT chat_id FROM chat_message_join WHERE message_id = 2)";
    assert_eq!(simulation.query(rows), ["any;-;bystander@example.com"]);
}

#[test]
fn a_note_to_self_comes_back() {
    let simulation = Simulation::empty();
    simulation.send("{}", [OWNER, "buy milk", "", "", ""]);
    assert_eq!(simulation.query("SELECT is_from_me FROM message ORDER BY ROWID"), ["1", "0"]);
}

#[test]
fn every_call_is_logged() {
    let simulation = Simulation::empty();
    simulation.send(r#"{"mode": "fail-before", "times": 1}"#, ["+14155550123", "hi", "", "", ""]);
    simulation.send("{}", ["+14155550123", "hi", "", "", ""]);
    let log = std::fs::read_to_string(simulation.folder.path().join("sent")).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().map(|line| line["dispatched"] == true).collect::<Vec<_>>(), [false, true]);
    assert_eq!(lines[1]["recipient"], "+14155550123");
    assert_eq!(lines[1]["service"], "auto");
}

#[test]
fn the_wrapper_hands_its_arguments_on() {
    let simulation = Simulation::empty();
    let wrapper = simulation.folder.path().join("osa script");
    let settings = Settings { db: "/tmp/it's.db".into(), behavior: None, sent: None };
    osascript::write_wrapper(&wrapper, "/bin/echo".as_ref(), &settings).unwrap();
    let output = std::process::Command::new(&wrapper).args(["-l", "a b"]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "sim osascript --db /tmp/it's.db -l a b\n");
}
