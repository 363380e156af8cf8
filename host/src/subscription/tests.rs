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
        let place = at(message.id.0);
        Arc::new(Published::new(Arc::new(message), None, place))
    };
    rows.into_iter().map(|row| publish(row.message)).collect()
}

fn at(row: i64) -> Place {
    Place { row: RowId(row), ..Place::default() }
}

/// A stream that begins before everything.
fn hub() -> Hub {
    let hub = Hub::default();
    hub.start_at(Place::default(), None);
    hub
}

fn from(sender: &str) -> Filter {
    Filter { participants: vec![sender.to_owned()], ..Filter::default() }
}

/// What waits in the queue, and why there is no more.
fn drain(mut live: Live) -> (Vec<i64>, Option<End>) {
    let mut ids = Vec::new();
    while let Ok(event) = live.queue.try_recv() {
        match event {
            Item::Message(event) => ids.push(event.message.id.0),
            Item::Reset(reset, _) => ids.push(-reset.place.row.0),
        }
    }
    (ids, live.end.get().cloned())
}

#[test]
fn what_a_filter_leaves_out_takes_no_room() {
    let hub = hub();
    let live = hub.attach(None, from(BOB), 2).unwrap();
    hub.publish(&published(&[ANN, BOB, BOB, BOB]), &at(4));
    assert_eq!(drain(live), (vec![2, 3], Some(End::Overflow(at(3)))));
    assert_eq!(hub.subscriber_count(), 0);
}

#[test]
fn each_overflows_on_its_own() {
    let hub = hub();
    let buffers = [1, 2, 3].map(|buffer| hub.attach(None, Filter::default(), buffer).unwrap());
    hub.publish(&published(&[ANN, BOB, ANN]), &at(3));
    let [one, two, all] = buffers.map(drain);
    assert_eq!(one, (vec![1], Some(End::Overflow(at(1)))));
    assert_eq!(two, (vec![1, 2], Some(End::Overflow(at(2)))));
    assert_eq!(all, (vec![1, 2, 3], None));
}

#[test]
fn who_had_no_room_from_the_start_resumes_where_it_began() {
    let hub = Hub::default();
    assert_eq!(hub.attach(None, from(BOB), 1).err(), Some(Elsewhere::Nowhere));
    hub.start_at(at(7), None);
    let live = hub.attach(Some(&at(7)), from(ANN), 1).unwrap();
    hub.publish(&published(&[BOB, BOB]), &at(9));
    assert_eq!(drain(live), (vec![], None));
    let live = hub.attach(Some(&at(9)), from(BOB), 1).unwrap();
    hub.publish(&published(&[BOB, BOB]), &at(11));
    assert_eq!(drain(live), (vec![1], Some(End::Overflow(at(1)))));
    assert_eq!(hub.attach(Some(&at(8)), Filter::default(), 1).err(), Some(Elsewhere::At(at(11))));
}

#[test]
fn what_was_delivered_late_is_behind_who_has_not_had_it() {
    let hub = hub();
    let late = Place { released: 1, ..at(5) };
    hub.publish(&[], &late);
    assert_eq!(hub.attach(Some(&at(5)), Filter::default(), 1).err(), Some(Elsewhere::At(late.clone())));
    assert!(hub.attach(Some(&late), Filter::default(), 1).is_ok());
}

#[test]
fn rows_with_other_numbers_are_told_in_their_turn_and_no_place_is_good_until_the_stream_goes_on() {
    let hub = hub();
    let live = hub.attach(None, Filter::default(), 8).unwrap();
    hub.suspend();
    hub.publish(&published(&[ANN]), &at(1));
    assert_eq!((hub.place(), hub.attach(None, Filter::default(), 1).err()), ((None, 1), Some(Elsewhere::Nowhere)));
    let reset = Reset { kind: crate::place::ResetKind::Renumbered, detail: String::new(), place: at(40) };
    hub.start_at(at(40), Some(reset));
    hub.publish(&published(&[ANN, BOB]), &at(42));
    assert_eq!((hub.place(), hub.drained(&live)), ((Some(at(42)), 1), None));
    assert_eq!(drain(live), (vec![1, -40, 1, 2], None));
}

#[test]
fn who_has_nothing_waiting_has_had_all_that_there_is() {
    let hub = hub();
    let live = hub.attach(None, from(ANN), 8).unwrap();
    hub.publish(&published(&[BOB, BOB]), &at(2));
    assert_eq!(hub.drained(&live), Some(at(2)));
    hub.publish(&published(&[ANN]), &at(3));
    assert_eq!(hub.drained(&live), None);
}

#[test]
fn who_has_no_room_for_more_is_counted_with_what_waits_for_it() {
    let hub = hub();
    let roomy = hub.attach(None, Filter::default(), 9).unwrap();
    let small = hub.attach(None, Filter::default(), 3).unwrap();
    assert_eq!(hub.waiting_without_room(5), 0, "nothing waits, also where it would not fit");
    hub.publish(&published(&[ANN, BOB]), &at(2));
    assert_eq!((hub.waiting_without_room(1), hub.waiting_without_room(2), hub.waiting_without_room(8)), (0, 2, 4));
    drain(small);
    assert_eq!((hub.waiting_without_room(7), hub.waiting_without_room(8)), (0, 2));
    drain(roomy);
    assert_eq!(hub.waiting_without_room(8), 0);
}
