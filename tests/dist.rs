//! The components that are committed are made of the source that is committed.

use std::path::Path;

use imsgd::author::{embedded_hash, source_hash};

#[test]
fn no_built_component_is_older_than_its_source() {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins");
    for (source, built) in [
        ("allowlist", "allowlist.wasm"),
        ("pairing", "pairing.wasm"),
        ("group", "group.wasm"),
        ("chunking", "chunking.wasm"),
        ("guests/hostile", "guests/hostile.wasm"),
    ] {
        let component = std::fs::read(plugins.join("dist").join(built)).unwrap();
        let of_source = source_hash(&plugins.join(source)).unwrap();
        assert_eq!(
            embedded_hash(&component).as_ref(),
            Some(&of_source),
            "{built} is stale: imsgd plugin build plugins/{source} -o plugins/dist/{built}"
        );
    }
}
