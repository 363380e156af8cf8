//! Writes into a case file what was given where something else was expected. Comments, order and all that was right
//! stay as they are.

use toml::Value;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, TableLike};

use super::run::{Mismatch, What};
use super::{answer, stored};

/// What is to be written down of a mismatch: not that a policy failed, unless the case is about that.
pub fn is_wanted(mismatch: &Mismatch) -> bool {
    let expects = mismatch.expected.as_ref().and_then(answer::tag);
    !answer::is_failure(&mismatch.given) || expects == answer::tag(&mismatch.given)
}

/// The file with `changes`, each with the number of its case.
pub fn updated<'a>(text: &str, changes: impl IntoIterator<Item = (usize, &'a Mismatch)>) -> anyhow::Result<String> {
    let mut document: DocumentMut = text.parse()?;
    for (case, mismatch) in changes {
        let table = document.get_mut("case").and_then(|cases| nth(cases, case));
        let table = match mismatch.step {
            Some(step) => table.and_then(|table| table.get_mut("step").and_then(|steps| nth(steps, step))),
            None => table,
        };
        let Some(table) = table else { anyhow::bail!("case {} is not where it was", case + 1) };
        let given = match mismatch.what {
            What::Answer => answer::narrowed(&mismatch.given, mismatch.expected.as_ref()),
            What::StateAfter => mismatch.given.clone(),
        };
        write(table, mismatch.what.name(), &given)?;
    }
    Ok(document.to_string())
}

/// One of `[[case]]` tables, or of tables in a list.
fn nth(item: &mut Item, number: usize) -> Option<&mut dyn TableLike> {
    match item {
        Item::ArrayOfTables(tables) => {
            let tables: &mut ArrayOfTables = tables;
            tables.get_mut(number).map(|table| table as &mut dyn TableLike)
        }
        Item::Value(toml_edit::Value::Array(list)) => {
            let table = list.get_mut(number)?.as_inline_table_mut()?;
            Some(table as &mut dyn TableLike)
        }
        _ => None,
    }
}

fn write(table: &mut dyn TableLike, key: &str, value: &Value) -> anyhow::Result<()> {
    if let (Some(Item::Table(written)), Value::Table(given)) = (table.get_mut(key), value) {
        return write_table(written, given);
    }
    let mut value: toml_edit::Value = stored::spelled_on_a_line(value).parse()?;
    match table.get_mut(key) {
        Some(Item::Value(old)) => {
            // What stands around a value: blanks, and a comment behind it.
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        _ => {
            table.insert(key, Item::Value(value));
        }
    }
    Ok(())
}

/// `[case.state_after]`, a table with lines of its own.
fn write_table(written: &mut Table, given: &toml::Table) -> anyhow::Result<()> {
    let gone: Vec<String> =
        written.iter().map(|(key, _)| key.to_owned()).filter(|key| !given.contains_key(key)).collect();
    for key in gone {
        written.remove(&key);
    }
    for (key, value) in given {
        write(written, key, value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(step: Option<usize>, what: What, expected: Option<&str>, given: &str) -> Mismatch {
        let value =
            |text: &str| toml::from_str::<toml::Table>(&format!("value = {text}")).unwrap().remove("value").unwrap();
        Mismatch { step, what, expected: expected.map(value), given: value(given) }
    }

    #[test]
    fn an_answer_is_replaced_and_all_else_stays_as_it_was_written() {
        let text =
            "# About quiet.\n\n[[case]]\nname   = \"one\" # first\nanswer = \"pass\"  # why\nmessage = { text='a' }\n";
        let change = change(None, What::Answer, Some("'pass'"), "{ drop = 'muted' }");
        assert_eq!(
            updated(text, [(0, &change)]).unwrap(),
            text.replace("\"pass\"  # why", "{ drop = \"muted\" }  # why")
        );
    }

    #[test]
    fn a_missing_answer_is_added_to_its_own_case_or_step() {
        let text = "[[case]]\nname = 'one'\n\n[[case]]\nname = 'two'\n[[case.step]]\napprove = 'A'\n[[case.step]]\ndeny = 'B'\n";
        let first = change(None, What::Answer, None, "'pass'");
        let second = change(Some(1), What::Answer, None, "'unknown_code'");
        assert_eq!(
            updated(text, [(0, &first), (1, &second)]).unwrap(),
            "[[case]]\nname = 'one'\nanswer = \"pass\"\n\n[[case]]\nname = 'two'\n[[case.step]]\napprove = 'A'\n\
            [[case.step]]\ndeny = 'B'\nanswer = \"unknown_code\"\n"
        );
    }

    #[test]
    fn what_is_kept_is_written_into_a_value_or_a_table() {
        let given = "{ new = 1, seen = 4 }";
        let change = change(None, What::StateAfter, Some("{ seen = 3, old = 1 }"), given);
        let inline = updated("[[case]]\nstate_after = { seen = 3, old = 1 } # all\n", [(0, &change)]).unwrap();
        assert_eq!(inline, "[[case]]\nstate_after = { new = 1, seen = 4 } # all\n");
        let table = updated("[[case]]\n[case.state_after]\n# how many\nseen = 3\nold = 1\n", [(0, &change)]).unwrap();
        assert_eq!(table, "[[case]]\n[case.state_after]\n# how many\nseen = 4\nnew = 1\n");
    }

    #[test]
    fn cases_in_a_list_are_found_as_well() {
        let change = change(None, What::Answer, Some("'pass'"), "'abstain'");
        let text = "case = [\n  { name = 'a', answer = 'pass' },\n]\n";
        assert_eq!(updated(text, [(0, &change)]).unwrap(), text.replace("'pass'", "\"abstain\""));
    }

    #[test]
    fn a_failure_is_written_down_only_where_one_was_expected() {
        let failed = |expected: Option<&str>| change(None, What::Answer, expected, "{ fails = 'time limit' }");
        assert!(!is_wanted(&failed(None)));
        assert!(!is_wanted(&failed(Some("'pass'"))));
        assert!(is_wanted(&failed(Some("{ fails = 'memory limit' }"))));
        assert!(is_wanted(&change(None, What::Answer, Some("'pass'"), "'abstain'")));
    }
}
