//! Messages to be sent later.

use super::Fixture;
use super::fixture::second;
use crate::decode::writer;

#[test]
fn scheduled_messages_come_soonest_first() {
    let fixture = Fixture::new();
    fixture.message(1).own().set("schedule_type", 2).text("past").at(5).write();
    fixture
        .message(2)
        .own()
        .set("schedule_type", 2)
        .set("schedule_state", 1)
        .set("attributedBody", writer::plain("later"))
        .at(30)
        .write();
    fixture.message(3).own().set("schedule_state", 3).text("soon").at(20).write();
    fixture.message(4).own().text("sent").at(25).write();
    fixture.message(5).set("schedule_type", 2).text("inbound").at(25).write();
    let db = fixture.open();
    let scheduled = db.scheduled(second(10), 9).unwrap();
    let summary: Vec<_> = scheduled
        .iter()
        .map(|entry| (entry.message.id.0, entry.message.text.as_str(), entry.schedule_type, entry.schedule_state))
        .collect();
    assert_eq!(summary, [(3, "soon", 0, 3), (2, "later", 2, 1)]);
    assert_eq!(db.scheduled(second(10), 1).unwrap().len(), 1);
}

#[test]
fn an_old_database_has_none() {
    assert!(Fixture::with_schema(super::open::OLD).open().scheduled(second(0), 9).unwrap().is_empty());
}
