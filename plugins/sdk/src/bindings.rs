//! What wit-bindgen makes of `wit/`: the imports once, and one world for each interface that a policy may
//! export. Apart, because a component exports only some of them, and wit-component joins the worlds that
//! the export macros leave in the module.
#![allow(unsafe_code, unreachable_pub, reason = "generated")]
#![allow(clippy::unwrap_used, reason = "generated")]

pub mod imports {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package imsgd:plugin;
            world imports {
                import imsgd:policy/message@0.1.0;
                import imsgd:policy/host@0.1.0;
                import imsgd:policy/store@0.1.0;
            }",
        world: "imsgd:plugin/imports",
        generate_all,
    });
}

pub mod policy {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package imsgd:plugin; world exports-policy { export imsgd:policy/policy@0.1.0; }",
        world: "imsgd:plugin/exports-policy",
        pub_export_macro: true,
        additional_derives: [PartialEq, Eq],
        export_macro_name: "export_policy",
    });
}

pub mod allowlist {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package imsgd:plugin; world exports-allowlist { export imsgd:policy/allowlist@0.1.0; }",
        world: "imsgd:plugin/exports-allowlist",
        with: { "imsgd:policy/message@0.1.0": crate::bindings::imports::imsgd::policy::message },
        pub_export_macro: true,
        additional_derives: [PartialEq, Eq],
        export_macro_name: "export_allowlist",
    });
}

pub mod pairing {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package imsgd:plugin; world exports-pairing { export imsgd:policy/pairing@0.1.0; }",
        world: "imsgd:plugin/exports-pairing",
        with: { "imsgd:policy/message@0.1.0": crate::bindings::imports::imsgd::policy::message },
        pub_export_macro: true,
        additional_derives: [PartialEq, Eq],
        export_macro_name: "export_pairing",
    });
}

pub mod group {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package imsgd:plugin; world exports-group { export imsgd:policy/group@0.1.0; }",
        world: "imsgd:plugin/exports-group",
        with: { "imsgd:policy/message@0.1.0": crate::bindings::imports::imsgd::policy::message },
        pub_export_macro: true,
        additional_derives: [PartialEq, Eq],
        export_macro_name: "export_group",
    });
}

pub mod filter {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package imsgd:plugin; world exports-filter { export imsgd:policy/filter@0.1.0; }",
        world: "imsgd:plugin/exports-filter",
        with: { "imsgd:policy/message@0.1.0": crate::bindings::imports::imsgd::policy::message },
        pub_export_macro: true,
        additional_derives: [PartialEq, Eq],
        export_macro_name: "export_filter",
    });
}

pub mod chunking {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package imsgd:plugin; world exports-chunking { export imsgd:policy/chunking@0.1.0; }",
        world: "imsgd:plugin/exports-chunking",
        pub_export_macro: true,
        additional_derives: [PartialEq, Eq],
        export_macro_name: "export_chunking",
    });
}
