//! What becomes of the cards of an address book, on real files of the shape that macOS writes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tempfile::TempDir;

use super::catalog::Catalog;
use super::{Contacts, Settings};
use crate::address::Normalizer;
use crate::sim::contacts::{Card, add, path};

struct Book {
    folder: TempDir,
}

impl Book {
    fn new(cards: &[Card]) -> Book {
        let book = Book { folder: tempfile::tempdir().unwrap() };
        cards.iter().for_each(|card| book.add(card));
        book
    }

    fn folder(&self) -> PathBuf {
        self.folder.path().join("AddressBook")
    }

    fn add(&self, card: &Card) {
        add(&self.folder(), card).unwrap();
    }

    fn main(&self) -> PathBuf {
        path(&self.folder(), None)
    }

    fn settings(&self) -> Settings {
        settings(&self.folder(), "US")
    }

    fn catalog(&self) -> Arc<Catalog> {
        Contacts::at_first_use(self.settings()).catalog()
    }
}

fn settings(folder: &Path, region: &str) -> Settings {
    Settings::new(Some(folder.to_owned()), region).unwrap()
}

/// Looks again and again, without asking for another look at the files.
fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn found(catalog: &Catalog, text: &str) -> Vec<String> {
    let normalizer = Normalizer::new("US").unwrap();
    catalog.find(text, &normalizer).into_iter().map(|found| format!("{}: {}", found.name, found.handle)).collect()
}

#[test]
fn an_address_finds_its_name_however_either_is_spelled() {
    let book = Book::new(&[
        Card::new("Ann Example", &["\u{202a}(650)\u{a0}253\u{2011}0000\u{202c}", "Ann@Example.COM"]),
        Card::new("Voting", &["262-966"]),
        Card::new("Kai", &["\u{ff0b}\u{ff11}415\u{ff15}550199"]),
    ]);
    let catalog = book.catalog();
    for address in [
        "+16502530000",
        "650-253-0000",
        "tel:+1 (650) 253-0000",
        "iMessage;-;+16502530000",
        "any;-;+16502530000",
        "SMS;+;+16502530000",
        "ann@example.com",
        " ANN@example.com ",
        "imessage:ann@example.com",
    ] {
        assert_eq!(catalog.name(address), Some("Ann Example"), "{address}");
    }
    assert_eq!(catalog.name("262966"), Some("Voting"));
    assert_eq!(catalog.name("+14155550199"), Some("Kai"));
    for address in ["", "+16502530001", "+446502530000", "ann", "chat123", "any;-;"] {
        assert_eq!(catalog.name(address), None, "{address}");
    }
}

#[test]
fn a_national_number_is_of_the_region_that_the_configuration_names() {
    let book = Book::new(&[Card::new("Kim", &["07700 900000"])]);
    let british = Contacts::at_first_use(settings(&book.folder(), "GB")).catalog();
    assert_eq!(british.name("+447700900000"), Some("Kim"));
    assert_eq!(book.catalog().name("+447700900000"), None);
}

#[test]
fn a_nickname_is_shown_before_the_name_and_an_organization_for_want_of_both() {
    let book = Book::new(&[
        Card { nickname: Some("Annie".into()), ..Card::new("Ann Example", &["+14155550101"]) },
        Card { organization: Some("Acme".into()), ..Card::new("Bob", &["+14155550102"]) },
        Card { organization: Some("Acme".into()), name: None, ..Card::new("", &["+14155550103"]) },
        Card::new("Two\nlines\u{7}", &["+14155550104"]),
    ]);
    let catalog = book.catalog();
    let names: Vec<_> = (1..=4).map(|number| catalog.name(&format!("+1415555010{number}")).unwrap()).collect();
    assert_eq!(names, ["Annie", "Bob", "Acme", "Two lines"]);
}

#[test]
fn the_first_card_names_an_address_and_those_of_the_mac_come_before_those_of_accounts() {
    let of = |source: &str, name: &str| Card { source: Some(source.into()), ..Card::new(name, &["+14155550101"]) };
    let book = Book::new(&[of("B", "in B"), of("A", "in A"), of("A", "later in A")]);
    assert_eq!(book.catalog().name("+14155550101"), Some("in A"));
    book.add(&Card::new("on the Mac", &["(415) 555-0101"]));
    assert_eq!(book.catalog().name("+14155550101"), Some("on the Mac"));
}

#[test]
fn people_are_found_by_part_of_a_name_in_any_case_also_behind_a_nickname() {
    let book = Book::new(&[
        Card { nickname: Some("Sunny".into()), ..Card::new("Ann Example", &["ann@example.com", "+14155550101"]) },
        Card::new("JOANNA Öst", &["jo@example.com"]),
    ]);
    let catalog = book.catalog();
    assert_eq!(found(&catalog, " ann "), ["Ann Example: +14155550101", "JOANNA Öst: jo@example.com"]);
    assert_eq!(found(&catalog, "sunny"), ["Sunny: +14155550101"]);
    assert_eq!(found(&catalog, "o\u{308}st"), ["JOANNA Öst: jo@example.com"]);
    assert_eq!(found(&catalog, "nobody"), [""; 0]);
    assert_eq!(found(&catalog, "  "), [""; 0]);
}

#[test]
fn two_cards_with_the_same_number_are_one_person_to_write_to() {
    let book = Book::new(&[
        Card::new("Ann", &["+1 415 555 0101"]),
        Card { source: Some("ICLOUD".into()), ..Card::new("Ann Example", &["(415) 555-0101", "ann@example.com"]) },
    ]);
    assert_eq!(found(&book.catalog(), "ann"), ["Ann: +1 415 555 0101"]);
}

#[test]
fn numbers_keep_the_order_that_they_have_on_the_card() {
    let book = Book::new(&[Card::new("Ann", &["+14155550101", "+14155550102"])]);
    let connection = Connection::open(book.main()).unwrap();
    connection.execute("UPDATE ZABCDPHONENUMBER SET ZORDERINGINDEX = 1 - ZORDERINGINDEX", []).unwrap();
    assert_eq!(found(&book.catalog(), "ann"), ["Ann: +14155550102"]);
}

#[test]
fn what_a_database_lacks_costs_only_itself() {
    let check = |sql: &str, name: Option<&str>| {
        let book =
            Book::new(&[Card { nickname: Some("Annie".into()), ..Card::new("Ann", &["+14155550101", "a@b.de"]) }]);
        Connection::open(book.main()).unwrap().execute_batch(sql).unwrap();
        let catalog = book.catalog();
        assert_eq!(catalog.problem(), None, "{sql}");
        assert_eq!(catalog.name("+14155550101"), name, "{sql}");
        catalog.name("a@b.de").map(str::to_owned)
    };
    for column in
        ["ZABCDRECORD DROP ZORGANIZATION", "ZABCDRECORD DROP ZLASTNAME", "ZABCDPHONENUMBER DROP ZORDERINGINDEX"]
    {
        assert_eq!(check(&format!("ALTER TABLE {column}"), Some("Annie")).as_deref(), Some("Annie"));
    }
    check("ALTER TABLE ZABCDRECORD DROP ZNICKNAME", Some("Ann"));
    let by_mail = check("DROP TABLE ZABCDPHONENUMBER", None);
    assert_eq!(by_mail.as_deref(), Some("Annie"));
    assert_eq!(check("ALTER TABLE ZABCDEMAILADDRESS DROP ZADDRESS", Some("Annie")).as_deref(), Some("Annie"));
    assert_eq!(check("DROP TABLE ZABCDEMAILADDRESS", Some("Annie")), None);
    assert_eq!(check("UPDATE ZABCDRECORD SET ZNICKNAME = x'ff', ZFIRSTNAME = x'00'", None), None);
    assert_eq!(check("DROP TABLE ZABCDRECORD", None), None);
}

#[test]
fn a_database_without_its_wal_is_read_and_nothing_is_written_beside_it() {
    let book = Book::new(&[Card::new("Ann", &["+14155550101"])]);
    let connection = Connection::open(book.main()).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(connection);
    let names = || fs::read_dir(book.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    assert_eq!(names(), ["AddressBook-v22.abcddb"]);
    assert_eq!(book.catalog().name("+14155550101"), Some("Ann"));
    assert_eq!(names(), ["AddressBook-v22.abcddb"]);
}

#[test]
fn a_folder_that_is_not_there_is_a_reason_and_no_failure() {
    let book = Book::new(&[]);
    let catalog = book.catalog();
    assert!(catalog.problem().unwrap().starts_with("there is no address book in "), "{:?}", catalog.problem());
    assert_eq!(catalog.name("+14155550101"), None);
    fs::create_dir(book.folder()).unwrap();
    assert!(book.catalog().problem().is_some());
}

#[test]
fn contacts_that_are_turned_off_say_so() {
    let off = Contacts::at_first_use(Settings::new(None, "US").unwrap());
    assert!(off.catalog().problem().unwrap().contains("messages.contacts"));
}

#[test]
fn what_is_no_database_spoils_no_other_account() {
    let book = Book::new(&[Card { source: Some("GOOD".into()), ..Card::new("Ann", &["+14155550101"]) }]);
    let beside = path(&book.folder(), Some("BAD"));
    fs::create_dir_all(beside.parent().unwrap()).unwrap();
    fs::write(&beside, "this is no database").unwrap();
    fs::write(book.folder().join("Sources/.DS_Store"), "").unwrap();
    assert_eq!(book.catalog().name("+14155550101"), Some("Ann"));
}

/// Whoever opens a pipe waits until somebody writes to it.
#[test]
fn a_pipe_in_the_place_of_a_database_is_not_waited_for() {
    let book = Book::new(&[]);
    fs::create_dir(book.folder()).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(book.main()).status().unwrap().success());
    assert!(book.catalog().problem().unwrap().ends_with("it is not a file"));
}

#[test]
fn changes_are_noticed_without_being_asked_for() {
    let book = Book::new(&[Card::new("Ann", &["+14155550101"])]);
    let contacts = Contacts::start(book.settings()).unwrap();
    let is_known = |address: &str, name: Option<&str>| contacts.catalog().name(address) == name;
    eventually("the first card is known", || is_known("+14155550101", Some("Ann")));
    book.add(&Card::new("Bob", &["+14155550102"]));
    eventually("a second card is known", || is_known("+14155550102", Some("Bob")));
    book.add(&Card { source: Some("ICLOUD".into()), ..Card::new("Eve", &["+14155550103"]) });
    eventually("a card of a new account is known", || is_known("+14155550103", Some("Eve")));
    book.add(&Card { source: Some("ICLOUD".into()), ..Card::new("Kim", &["+14155550104"]) });
    eventually("another card of that account is known", || is_known("+14155550104", Some("Kim")));
    let connection = Connection::open(book.main()).unwrap();
    connection.execute("UPDATE ZABCDRECORD SET ZNICKNAME = 'Annie' WHERE ZFIRSTNAME = 'Ann'", []).unwrap();
    eventually("a changed card is known", || is_known("+14155550101", Some("Annie")));
    connection.execute("DELETE FROM ZABCDRECORD WHERE ZFIRSTNAME = 'Bob'", []).unwrap();
    eventually("a card that is gone is forgotten", || is_known("+14155550102", None));
}

fn fresh(contacts: &Contacts) -> Arc<Catalog> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(contacts.fresh())
}

#[test]
fn who_asks_for_the_newest_gets_it() {
    let book = Book::new(&[]);
    let contacts = Contacts::start(book.settings()).unwrap();
    assert!(fresh(&contacts).problem().is_some());
    for number in 0..20 {
        let address = format!("+141555501{number:02}");
        book.add(&Card::new(&format!("Number {number}"), &[&address]));
        assert_eq!(fresh(&contacts).name(&address), Some(format!("Number {number}").as_str()));
    }
}

#[test]
fn a_locked_database_keeps_the_names_that_were_read_and_others_come_when_it_can_be_read() {
    let book = Book::new(&[Card::new("Ann", &["+14155550101"])]);
    let contacts = Contacts::start(book.settings()).unwrap();
    assert_eq!(fresh(&contacts).name("+14155550101"), Some("Ann"));
    let writer = Connection::open(book.main()).unwrap();
    writer
        .execute_batch(
            "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; UPDATE ZABCDRECORD SET ZFIRSTNAME = 'Eve'; COMMIT",
        )
        .unwrap();
    let catalog = fresh(&contacts);
    assert_eq!((catalog.problem(), catalog.name("+14155550101")), (None, Some("Ann")));
    drop(writer);
    eventually("the new name is known", || contacts.catalog().name("+14155550101") == Some("Eve"));
}

#[test]
fn a_database_that_is_locked_at_the_start_is_read_when_it_can_be() {
    let book = Book::new(&[Card::new("Ann", &["+14155550101"])]);
    let writer = Connection::open(book.main()).unwrap();
    writer.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    let contacts = Contacts::start(book.settings()).unwrap();
    let catalog = fresh(&contacts);
    assert!(catalog.problem().unwrap().contains("cannot be read now"), "{:?}", catalog.problem());
    drop(writer);
    eventually("the name is known", || contacts.catalog().name("+14155550101") == Some("Ann"));
}

#[test]
fn a_folder_that_may_not_be_read_any_more_is_forgotten() {
    let book = Book::new(&[Card::new("Ann", &["+14155550101"])]);
    let contacts = Contacts::start(book.settings()).unwrap();
    assert_eq!(fresh(&contacts).name("+14155550101"), Some("Ann"));
    let away = book.folder.path().join("away");
    fs::rename(book.folder(), &away).unwrap();
    let catalog = fresh(&contacts);
    assert!(catalog.problem().is_some() && catalog.name("+14155550101").is_none());
    fs::rename(&away, book.folder()).unwrap();
    assert_eq!(fresh(&contacts).name("+14155550101"), Some("Ann"));

    fs::set_permissions(book.folder(), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read_dir(book.folder()).is_ok() {
        eprintln!("the rest is skipped: root may read everything");
        return;
    }
    let catalog = fresh(&contacts);
    assert!(catalog.problem().unwrap().contains("Full Disk Access"), "{:?}", catalog.problem());
    assert_eq!(catalog.name("+14155550101"), None);
    fs::set_permissions(book.folder(), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(fresh(&contacts).name("+14155550101"), Some("Ann"));
}

#[test]
fn a_missing_right_is_told_from_a_failure_that_may_pass() {
    use super::book::Failure;
    let of = |code: rustix::io::Errno| Failure::from(std::io::Error::from(code));
    for code in [rustix::io::Errno::PERM, rustix::io::Errno::ACCESS] {
        assert!(matches!(of(code), Failure::Denied), "{code}");
    }
    for code in [rustix::io::Errno::NOENT, rustix::io::Errno::NOTDIR] {
        assert!(matches!(of(code), Failure::Gone), "{code}");
    }
    for code in [rustix::io::Errno::MFILE, rustix::io::Errno::IO] {
        assert!(matches!(of(code), Failure::Passing(_)), "{code}");
    }
}

#[test]
fn another_folder_or_region_takes_effect_at_once() {
    let (one, other) =
        (Book::new(&[Card::new("One", &["07700 900000"])]), Book::new(&[Card::new("Other", &["07700 900000"])]));
    let contacts = Contacts::start(settings(&one.folder(), "GB")).unwrap();
    assert_eq!(fresh(&contacts).name("+447700900000"), Some("One"));
    contacts.configure(settings(&other.folder(), "GB"));
    eventually("the other folder is read", || contacts.catalog().name("+447700900000") == Some("Other"));
    contacts.configure(settings(&other.folder(), "US"));
    eventually("numbers are read in the other region", || contacts.catalog().name("+447700900000").is_none());
    contacts.configure(Settings::new(None, "US").unwrap());
    eventually("they are turned off", || contacts.catalog().problem().is_some());
}
