//! The accounts that chats were had with.

use std::cmp::Reverse;

use super::row::{integer, string};
use super::schema::Table;
use super::{ChatDb, Error};

/// One of the owner's accounts, as chats name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// For example `E:me@example.com`; empty where chats name the id only.
    pub login: String,
    /// Empty where chats name the login only.
    pub id: String,
    pub chat_count: u64,
}

impl ChatDb {
    /// Most chats first. None where the database does not tell of accounts.
    pub fn accounts(&self) -> Result<Vec<Account>, Error> {
        if !self.schema.has_table(Table::Chat) {
            return Ok(Vec::new());
        }
        let column = |name| self.schema.column(Table::Chat, "c", name);
        let sql =
            format!("SELECT {}, {}, COUNT(*) FROM chat c GROUP BY 1, 2", column("account_login"), column("account_id"));
        self.read("list the accounts", || {
            let mut statement = self.prepare(&sql)?;
            let mut rows = statement.query([])?;
            let mut accounts: Vec<Account> = Vec::new();
            while let Some(row) = rows.next()? {
                let (login, id) = (string(row, 0).unwrap_or_default(), string(row, 1).unwrap_or_default());
                let count = integer(row, 2).and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
                // NULL and an empty text are two groups and one account.
                match accounts.iter_mut().find(|account| account.login == login && account.id == id) {
                    Some(account) => account.chat_count += count,
                    None if login.is_empty() && id.is_empty() => {}
                    None => accounts.push(Account { login, id, chat_count: count }),
                }
            }
            accounts.sort_by(|a, b| {
                (Reverse(a.chat_count), &a.login, &a.id).cmp(&(Reverse(b.chat_count), &b.login, &b.id))
            });
            Ok(accounts)
        })
    }
}
