//! Accounts of chats.

use super::Fixture;

fn accounts(fixture: &Fixture) -> Vec<(String, String, u64)> {
    let accounts = fixture.open().accounts().unwrap();
    accounts.into_iter().map(|account| (account.login, account.id, account.chat_count)).collect()
}

#[test]
fn accounts_come_by_their_number_of_chats_whatever_else_chats_lack() {
    let fixture = Fixture::new();
    fixture.run("DELETE FROM chat");
    assert_eq!(accounts(&fixture), []);
    fixture.run(
        "INSERT INTO chat (guid, account_login, account_id) VALUES ('1', NULL, 'only an id'), ('2', 'E:a', 'A'),
             ('3', 'P:b', NULL), ('4', NULL, NULL), ('5', '', ''), ('6', 'P:b', ''), ('7', 'E:a', 'other')",
    );
    let expected = [("P:b", "", 2), ("", "only an id", 1), ("E:a", "A", 1), ("E:a", "other", 1)];
    assert_eq!(accounts(&fixture), expected.map(|(login, id, count)| (login.to_owned(), id.to_owned(), count)));
}

#[test]
fn a_database_without_accounts_has_none() {
    let fixture = Fixture::new();
    fixture.run("ALTER TABLE chat DROP account_login; ALTER TABLE chat DROP account_id");
    assert_eq!(accounts(&fixture), []);
}
