//! What authors of policies run before a daemon sees anything: `imsgd plugin new` and `imsgd plugin check`. Building is
//! tried by `make tutorial`, as it needs a compiler for WebAssembly.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{HOSTILE, Home, wrong_components};

#[test]
fn new_makes_a_crate_and_says_what_comes_next() {
    let home = Home::without_database("");
    let made = home.run_bare(&["plugin", "new", "quiet", "--kind", "filter"]);
    assert!(made.status.success(), "{made:?}");
    assert!(made.stdout.ends_with("Next:\n  cd quiet\n  imsgd plugin build\n"), "{}", made.stdout);
    for file in ["Cargo.toml", "src/lib.rs", "cases.toml", "README.md", ".gitignore", "vendor/imsgd-plugin/Cargo.toml"]
    {
        assert!(home.path("quiet").join(file).is_file(), "{file}");
    }
    let elsewhere = home.run_bare(&["plugin", "new", "quiet", "--kind", "group", "--dir", "deep/er", "--json"]);
    let told: Value = serde_json::from_str(&elsewhere.stdout).unwrap();
    assert_eq!((&told["kind"], &told["folder"]), (&json!("group"), &json!("deep/er")));
    assert!(home.path("deep/er/src/lib.rs").is_file());
    let sdk = home.run_bare(&["plugin", "sdk", "quiet"]);
    assert!(sdk.stdout.contains("is the SDK of this imsgd"), "{sdk:?}");
    let sdk = home.run_bare(&["plugin", "sdk", "quiet", "--json"]);
    assert_eq!(sdk.stdout, "{\"folder\":\"quiet/vendor/imsgd-plugin\",\"replaced\":false}\n");
}

#[test]
fn new_refuses_what_it_cannot_make_and_leaves_nothing_behind() {
    let home = Home::without_database("");
    fs::create_dir(home.path("there")).unwrap();
    let before = fs::read_dir(home.path("")).unwrap().count();
    for (arguments, said) in [
        (&["there", "--kind", "filter"][..], "there is there already"),
        (&["Quiet", "--kind", "filter"], "may have small letters"),
        (&["pairing", "--kind", "pairing"], "try `my-pairing`"),
        (&["quiet", "--kind", "filtr"], "it is one of allowlist, pairing, group, filter, chunking"),
        (&["quiet"], "Missing required option: --kind"),
        (&["quiet", "--kind", "filter", "--sdk", "nowhere"], "find the SDK in nowhere"),
    ] {
        let refused = home.run_bare(&[&["plugin", "new"], arguments].concat());
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}");
        assert!(refused.stderr.contains(said), "{arguments:?}: {}", refused.stderr);
        assert_eq!(refused.stdout, "", "{arguments:?}");
    }
    assert_eq!(fs::read_dir(home.path("")).unwrap().count(), before);
    assert_eq!(fs::read_dir(home.path("there")).unwrap().count(), 0);
}

#[test]
fn check_tells_what_a_component_is_and_may_do() {
    let home = Home::without_database("");
    fs::write(home.path("hostile.wasm"), HOSTILE).unwrap();
    let checked = home.run_bare(&["plugin", "check", "hostile.wasm"]);
    assert!(checked.status.success(), "{checked:?}");
    for words in [
        "is        allowlist and filter, version",
        "built for imsgd:policy@0.1.0; this imsgd has 0.1.0",
        "of source ",
        "wit-component 0.",
        "read of a message that it judges: text",
        "keep state of its own",
        "ask for random bytes",
        "at most 50 ms for a call",
        "loads     compiled in ",
    ] {
        assert!(checked.stdout.contains(words), "{words}: {}", checked.stdout);
    }
    assert!(!checked.stdout.contains("ask the time"), "{}", checked.stdout);
    let told = home.run_bare(&["plugin", "check", "hostile.wasm", "--json"]);
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!((&told["ok"], &told["interfaces"]), (&json!(true), &json!(["allowlist", "filter"])));
    assert_eq!((&told["abi"], &told["bytes"]), (&json!("0.1.0"), &json!(HOSTILE.len())));
    let imports = told["imports"].as_array().unwrap();
    assert!(imports.iter().any(|import| import["name"] == "imsgd:policy/store@0.1.0"), "{told}");
}

#[test]
fn check_says_of_every_wrong_file_why_it_would_be_refused() {
    let home = Home::without_database("");
    for (name, bytes, reason) in wrong_components() {
        fs::write(home.path("it.wasm"), bytes).unwrap();
        let checked = home.run_bare(&["plugin", "check", "it.wasm"]);
        assert_eq!(checked.status.code(), Some(1), "{name}");
        assert!(checked.stdout.contains("REFUSED") && checked.stdout.contains(reason), "{name}: {}", checked.stdout);
        let told = home.run_bare(&["plugin", "check", "it.wasm", "--json"]);
        assert_eq!(told.status.code(), Some(1), "{name}");
        let told: Value = serde_json::from_str(&told.stdout).unwrap();
        assert_eq!(told["ok"], false, "{name}");
        assert!(told["refused"].as_str().unwrap().contains(reason), "{name}: {told}");
    }
    let gone = home.run_bare(&["plugin", "check", "gone.wasm"]);
    assert!(gone.status.code() == Some(1) && gone.stderr.contains("could not read gone.wasm"), "{gone:?}");
}

#[test]
fn build_says_what_is_wrong_with_a_crate_before_it_compiles_anything() {
    let home = Home::without_database("");
    let build = |home: &Home| {
        let built = home.run_bare(&["plugin", "build", "mine"]);
        assert_eq!(built.status.code(), Some(1), "{built:?}");
        built.stderr
    };
    fs::create_dir_all(home.path("mine")).unwrap();
    assert!(build(&home).contains("has no Cargo.toml"));
    fs::write(home.path("mine/Cargo.toml"), "[package]\nname = 'mine'\n").unwrap();
    assert!(build(&home).contains("has no src/lib.rs: a policy is a library"));
    fs::create_dir_all(home.path("mine/src")).unwrap();
    fs::write(home.path("mine/src/lib.rs"), "").unwrap();
    assert!(build(&home).contains("crate-type = [\"cdylib\"]"));
}
