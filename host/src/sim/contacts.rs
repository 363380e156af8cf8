//! `sim contacts`: an AddressBook folder as Contacts keeps it, one card at a time.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rusqlite::{Connection, named_params};
use uuid::Uuid;

use super::database;

/// `ABCDContact` in `Z_PRIMARYKEY`.
const CONTACT: i64 = 22;

/// Seconds from the epoch of Unix to that of Core Data.
const EPOCH: i64 = 978_307_200;

#[derive(clap::Args)]
pub struct Args {
    /// AddressBook folder; made if new. `messages.contacts` names it to imsgd
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    card: Card,
}

/// One card of an address book.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Card {
    /// Given and family name
    #[arg(long, value_name = "NAME", required_unless_present_any = ["nickname", "organization"])]
    pub name: Option<String>,
    /// Shown instead of the name
    #[arg(long, value_name = "NAME")]
    pub nickname: Option<String>,
    /// Shown where there is no name of a person
    #[arg(long, value_name = "NAME")]
    pub organization: Option<String>,
    /// Number or e-mail address, as somebody would type it; can be repeated
    #[arg(long = "handle", value_name = "ADDRESS", required = true)]
    pub handles: Vec<String>,
    /// Account that the card belongs to, below Sources [default: On My Mac]
    #[arg(long, value_name = "ID")]
    pub source: Option<String>,
}

impl Card {
    pub fn new(name: &str, handles: &[&str]) -> Card {
        let handles = handles.iter().map(|handle| (*handle).to_owned()).collect();
        Card { name: Some(name.to_owned()), handles, ..Card::default() }
    }
}

pub fn run(args: &Args) -> Result<()> {
    add(&args.dir, &args.card)
}

/// Adds `card` to the address book in `folder`, which is made if it is not there.
pub fn add(folder: &Path, card: &Card) -> Result<()> {
    let main = path(folder, None);
    if main.exists() {
        // Nobody's real contacts get a card from us, in no account.
        database::open(&main)?;
    }
    let path = path(folder, card.source.as_deref());
    let mut connection = if path.exists() { database::open(&path)? } else { create(&path)? };
    let transaction = connection.transaction()?;
    insert(&transaction, card).with_context(|| format!("could not write to {}", path.display()))?;
    transaction.commit()?;
    Ok(())
}

/// The database of the account with this id, or of the cards that are on this Mac only.
pub fn path(folder: &Path, source: Option<&str>) -> PathBuf {
    let folder = source.map_or_else(|| folder.to_owned(), |source| folder.join("Sources").join(source));
    folder.join("AddressBook-v22.abcddb")
}

fn create(path: &Path) -> Result<Connection> {
    let folder = path.parent().context("a database needs a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("could not create {}", folder.display()))?;
    let connection = Connection::open(path).with_context(|| format!("could not create {}", path.display()))?;
    database::set_up(&connection)?;
    let sql = include_str!("contacts.sql");
    connection.execute_batch(&format!("BEGIN; PRAGMA application_id = {}; {sql} COMMIT;", database::MARK))?;
    Ok(connection)
}

fn insert(connection: &Connection, card: &Card) -> Result<()> {
    let (given, family) = match card.name.as_deref().map(|name| name.rsplit_once(' ').unwrap_or((name, ""))) {
        Some((given, family)) => (Some(given), Some(family).filter(|family| !family.is_empty())),
        None => (None, None),
    };
    let is_company = given.is_none() && card.nickname.is_none();
    ensure!(!is_company || card.organization.is_some(), "a card needs a name, a nickname or an organization");
    connection.execute(
        "INSERT INTO ZABCDRECORD (Z_ENT, Z_OPT, ZDISPLAYFLAGS, ZCREATIONDATE, ZMODIFICATIONDATE, ZFIRSTNAME, ZLASTNAME,
             ZNICKNAME, ZORGANIZATION, ZUNIQUEID)
         VALUES (:entity, 1, :company, :now, :now, :given, :family, :nickname, :organization, :id)",
        named_params! {
            ":entity": CONTACT, ":company": is_company, ":now": jiff::Timestamp::now().as_second() - EPOCH,
            ":given": given, ":family": family, ":nickname": card.nickname, ":organization": card.organization,
            ":id": format!("{}:ABPerson", unique_id()),
        },
    )?;
    let owner = connection.last_insert_rowid();
    for (index, handle) in card.handles.iter().enumerate() {
        let index = i64::try_from(index)?;
        match handle.contains('@') {
            true => insert_email(connection, owner, index, handle)?,
            false => insert_phone(connection, owner, index, handle)?,
        }
    }
    Ok(())
}

fn insert_phone(connection: &Connection, owner: i64, index: i64, number: &str) -> Result<()> {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    let last: String = digits[digits.len().saturating_sub(4)..].iter().collect();
    connection.execute(
        "INSERT INTO ZABCDPHONENUMBER (Z_OPT, ZISPRIMARY, ZORDERINGINDEX, ZOWNER, Z22_OWNER, ZFULLNUMBER, ZLABEL,
             ZLASTFOURDIGITS, ZUNIQUEID)
         VALUES (1, :primary, :index, :owner, :entity, :number, '_$!<Mobile>!$_', :last, :id)",
        named_params! {
            ":primary": index == 0, ":index": index, ":owner": owner, ":entity": CONTACT, ":number": number,
            ":last": last, ":id": unique_id(),
        },
    )?;
    Ok(())
}

fn insert_email(connection: &Connection, owner: i64, index: i64, address: &str) -> Result<()> {
    connection.execute(
        "INSERT INTO ZABCDEMAILADDRESS (Z_OPT, ZISPRIMARY, ZORDERINGINDEX, ZOWNER, Z22_OWNER, ZADDRESS,
             ZADDRESSNORMALIZED, ZLABEL, ZUNIQUEID)
         VALUES (1, :primary, :index, :owner, :entity, :address, :normalized, '_$!<Home>!$_', :id)",
        named_params! {
            ":primary": index == 0, ":index": index, ":owner": owner, ":entity": CONTACT, ":address": address,
            ":normalized": address.to_lowercase(), ":id": unique_id(),
        },
    )?;
    Ok(())
}

fn unique_id() -> String {
    Uuid::new_v4().to_string().to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cards(path: &Path) -> Vec<(Option<String>, Option<String>, String)> {
        let connection = Connection::open(path).unwrap();
        let sql = "SELECT r.ZFIRSTNAME, r.ZLASTNAME, p.ZFULLNUMBER FROM ZABCDPHONENUMBER p
                   JOIN ZABCDRECORD r ON r.Z_PK = p.ZOWNER ORDER BY r.Z_PK, p.ZORDERINGINDEX";
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.collect::<rusqlite::Result<_>>().unwrap()
    }

    #[test]
    fn each_account_has_a_database_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        add(folder.path(), &Card::new("Ann Lee Example", &["(415) 555-0101", "ann@example.com"])).unwrap();
        add(folder.path(), &Card { source: Some("ICLOUD".into()), ..Card::new("Bob", &["+14155550102"]) }).unwrap();
        let own = |text: &str| Some(text.to_owned());
        let main = cards(&folder.path().join("AddressBook-v22.abcddb"));
        assert_eq!(main, [(own("Ann Lee"), own("Example"), "(415) 555-0101".to_owned())]);
        let source = cards(&folder.path().join("Sources/ICLOUD/AddressBook-v22.abcddb"));
        assert_eq!(source, [(own("Bob"), None, "+14155550102".to_owned())]);
    }

    #[test]
    fn contacts_that_the_simulation_did_not_make_are_refused_in_every_account() {
        let folder = tempfile::tempdir().unwrap();
        let real = path(folder.path(), None);
        Connection::open(&real).unwrap().execute_batch("CREATE TABLE ZABCDRECORD (Z_PK INTEGER)").unwrap();
        for source in [None, Some("NEW".to_owned())] {
            let card = Card { source, ..Card::new("Ann", &["+14155550101"]) };
            let error = add(folder.path(), &card).unwrap_err();
            assert!(error.to_string().contains("not a simulated database"), "{error}");
        }
        assert!(!path(folder.path(), Some("NEW")).exists());
    }
}
