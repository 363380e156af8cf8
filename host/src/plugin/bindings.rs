//! The host's side of `wit/policy.wit`, generated. One world that exports everything gives one set of types;
//! what a component really exports is found per interface by `load.rs`.

wasmtime::component::bindgen!({
    path: "wit",
    inline: r#"
        package imsgd:host-side@0.1.0;
        world everything {
            import imsgd:policy/host@0.1.0;
            import imsgd:policy/store@0.1.0;
            export imsgd:policy/policy@0.1.0;
            export imsgd:policy/allowlist@0.1.0;
            export imsgd:policy/pairing@0.1.0;
            export imsgd:policy/group@0.1.0;
            export imsgd:policy/filter@0.1.0;
            export imsgd:policy/chunking@0.1.0;
        }
    "#,
    world: "imsgd:host-side/everything",
    imports: { default: trappable },
    with: {
        "imsgd:policy/message.message": super::guest::MessageRep,
        "imsgd:policy/message.chat": super::guest::ChatRep,
        "imsgd:policy/message.person": super::guest::PersonRep,
        "imsgd:policy/message.attachment": super::guest::AttachmentRep,
    },
});
