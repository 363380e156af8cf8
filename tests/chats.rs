//! The list of chats.

use imsgd::sim::{Incoming, Service};
use serde_json::json;

use crate::harness::{FRIEND, FRIENDS, OTHER_FRIEND, TestDaemon};

#[test]
fn chats_of_one_person_on_several_services_name_each_other() {
    let daemon = TestDaemon::new(FRIENDS);
    let by = |service: Service| Incoming {
        chat: Some(format!("{};-;{FRIEND}", service.name())),
        service,
        ..Incoming::new(FRIEND, "hello")
    };
    let [imessage, sms] =
        [Service::IMessage, Service::Sms].map(|service| daemon.receive(&by(service)).chat_id.unwrap().0);
    let other = daemon.receive_from(OTHER_FRIEND, "hello").chat_id.unwrap().0;
    let mut client = daemon.connect();
    let listed = client.ok("chats.list", json!({}));
    let linked = |id: i64| {
        let chat = listed["chats"].as_array().unwrap().iter().find(|chat| chat["id"] == id).unwrap();
        chat.get("linked_chat_ids").cloned()
    };
    assert_eq!((linked(imessage), linked(sms), linked(other)), (Some(json!([sms])), Some(json!([imessage])), None));
    assert_eq!(client.ok("chats.get", json!({"chat_id": sms}))["linked_chat_ids"], json!([imessage]));
    assert_eq!(client.ok("chats.get", json!({"chat_id": other})).get("linked_chat_ids"), None);
}
