//! What a queue takes, and what happens when it is full.

use super::*;
use crate::chatdb::ChatDb;
use crate::sim::{self, Incoming};

const ANN: &str = "+14155550101";
const BOB: &str = "+14155550102";

/// One message of each sender, in order.
fn published(senders: &[&str]) -> Vec<Arc<Published>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    sim::init(&path, &sim::Options { chats: 0, messages: 0, ..sim::Options::default() }).unwrap();
    for sender in senders {
        sim::receive(&path, &Incoming::new(*sender, "x")).unwrap();
    }
    let rows = ChatDb::open(&path).unwrap().rows_after(RowId(0), senders.len()).unwrap();
    let publish = |message: Message| {
        let cursor = message.id;
        Arc::new(Published::new(Arc::new(message), None, cursor))
    };
    rows.into_iter().map(|row| publish(row.message)).collect()
}

fn from(sender: &str) -> Filter {
    Filter { participants: vec![sender.to_owned()], ..Filter::default() }
}

/// What waits in the queue, and why there is no more.
fn drain(mut live: Live) -> (Vec<i64>, Option<End>) {
    let mut ids = Vec::new();
    while let Ok(event) = live.queue.try_recv() {
        ids.push(event.message.id.0);
    }
    (ids, live.end.get().cloned())
}

#[test]
fn what_a_filter_leaves_out_takes_no_room() {
    let hub = Hub::default();
    let live = hub.attach(None, from(BOB), 2).unwrap();
    hub.publish(&published(&[ANN, BOB, BOB, BOB]), RowId(4));
    assert_eq!(drain(live), (vec![2, 3], Some(End::Overflow(RowId(3)))));
    assert_eq!(hub.subscriber_count(), 0);
}

#[test]
fn each_overflows_on_its_own() {
    let hub = Hub::default();
    let buffers = [1, 2, 3].map(|buffer| hub.attach(None, Filter::default(), buffer).unwrap());
    hub.publish(&published(&[ANN, BOB, ANN]), RowId(3));
    let [one, two, all] = buffers.map(drain);
    assert_eq!(one, (vec![1], Some(End::Overflow(RowId(1)))));
    assert_eq!(two, (vec![1, 2], Some(End::Overflow(RowId(2)))));
    assert_eq!(all, (vec![1, 2, 3], None));
}

#[test]
fn who_had_no_room_from_the_start_resumes_where_it_began() {
    let hub = Hub::default();
    hub.start_at(RowId(7));
    let live = hub.attach(Some(RowId(7)), from(BOB), 1).unwrap();
    let events = published(&[BOB, BOB]);
    hub.publish(&events, RowId(9));
    // Rows of the test begin at 1, which is before the cursor.
    assert_eq!(drain(live), (vec![1], Some(End::Overflow(RowId(7)))));
    assert_eq!(hub.attach(Some(RowId(8)), Filter::default(), 1).err(), Some(Some(RowId(9))));
}
