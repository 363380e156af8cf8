//! The worker on a simulated Mac, where what it meets cannot be brought about from outside.

use std::path::Path;

use super::*;
use crate::config::Config;

fn outbox(folder: &Path, stop: watch::Receiver<bool>) -> Outbox {
    let (path, chatdb) = (folder.join("state.db"), folder.join("chat.db"));
    crate::sim::init(&chatdb, &crate::sim::Options { chats: 0, messages: 0, ..Default::default() }).unwrap();
    let state = StateDb::open(&path).unwrap();
    let switch = Arc::new(Switch::load(&path, state.connection()).unwrap());
    Outbox::new(Parts {
        state,
        chatdb,
        judge: mpsc::channel(1).0,
        hub: Arc::default(),
        config: Arc::new(arc_swap::ArcSwap::from_pointee(Config::default())),
        switch,
        unseen: Arc::default(),
        wake: Arc::default(),
        answers_strangers: true,
        stop,
    })
}

fn request(text: &str) -> Task {
    Task::Send(SendRequest {
        target: Target::Recipient("+14155550101".to_owned()),
        named: None,
        service: Service::Auto,
        text: text.to_owned(),
        file: None,
        region: None,
        allow_sms_fallback: false,
        idempotency_key: None,
    })
}

#[tokio::test]
async fn after_a_send_that_is_still_in_flight_everything_is_refused_until_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (_stop, stopping) = watch::channel(false);
    let outbox = outbox(folder.path(), stopping);
    let detail = "osascript did not end within 1 seconds, and not when it was killed";
    let failure = RpcError::automation(Disposition::StillInFlight, "send", detail);
    assert_eq!((failure.code, &failure.data["retry_safe"]), (-32001, &json!(false)));
    outbox.blocked.set(failure).unwrap();
    let (jobs, queue) = mpsc::channel(4);
    let mut replies = Vec::new();
    for task in [
        request("one"),
        Task::React(react::React { chat: crate::message::ChatId(1), kind: crate::message::TapbackKind::Like }),
    ] {
        let (reply, answer) = oneshot::channel();
        assert!(jobs.send(Job { task, reply }).await.is_ok());
        replies.push(answer);
    }
    drop(jobs);
    outbox.run(queue).await;
    for reply in replies {
        let refusal = reply.await.unwrap().unwrap_err();
        assert_eq!((refusal.code, refusal.message), (-32004, "Mutation lane blocked"));
        assert_eq!(refusal.data["disposition"], "still_in_flight");
        let said = refusal.data["detail"].as_str().unwrap();
        assert!(said.contains("earlier send") && said.contains("restart imsgd"), "{said}");
    }
}

#[tokio::test]
async fn an_answer_whose_end_cannot_be_written_down_is_not_fetched_again() {
    let folder = tempfile::tempdir().unwrap();
    let (_stop, stopping) = watch::channel(false);
    let outbox = outbox(folder.path(), stopping);
    let connection = outbox.parts.state.connection();
    let reply = record::Reply { chat_guid: "any;-;+14155550199".to_owned(), text: "code".to_owned() };
    let target = reply.chat_guid.clone();
    let draft =
        Draft { kind: Kind::Answer, target, idempotency_key: None, request: "reply".to_owned(), reply: Some(reply) };
    record::insert(connection, &draft).unwrap();
    connection.pragma_update(None, "query_only", true).unwrap();
    let mut queue = Queue::default();
    outbox.fetch_answers(&mut queue);
    let Next::Go(entry) = queue.next(&mut Pace::default(), outbox.limits(), Timestamp::now()) else {
        panic!("an answer waits")
    };
    // There is no judge that could cut it, so that it fails.
    outbox.carry_out(&entry.task, entry.id).await.unwrap_err();
    outbox.fetch_answers(&mut queue);
    assert_eq!(queue.len(), 0);
}
