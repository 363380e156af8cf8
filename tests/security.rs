//! `SECURITY.md`: each promise names tests that exist.

use std::path::Path;

use crate::compatibility::check_shown;

#[test]
fn each_promise_of_the_document_names_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = std::fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let (_, promises) = document.split_once("| Promise | Shown by |").unwrap();
    let (promises, _) = promises.split_once("\n## ").unwrap();
    let mut count = 0;
    for row in promises.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [promise, shown] = cells[..] else { panic!("{row}") };
        assert!(!promise.is_empty(), "{row}");
        check_shown(root, row, shown);
        count += 1;
    }
    assert!(count > 20, "{count} rows");
}
