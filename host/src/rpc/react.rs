//! `react`: checks what the client asked for and hands it to the outbox. Not a method of `imsg`, which only has it on
//! the command line.

use tokio::sync::oneshot;

use super::error::RpcError;
use super::failure::Disposition;
use super::param::{CHAT_ID, Param};
use super::params::Params;
use super::{Answer, Service, answer};
use crate::outbox::react::{self, React};
use crate::outbox::{Job, Task};

pub const REACT: &[Param] = &[
    CHAT_ID.required().about("The chat's row. The reaction goes to its newest message."),
    Param::text("reaction")
        .required()
        .about("`love`, `like`, `dislike`, `laugh`, `emphasis`, `question`, or their emoji."),
];

pub async fn react(service: &Service, params: &Params) -> Answer {
    let chat = params.required_chat_id()?;
    let kind = react::parse(&params.required_text("reaction")?).map_err(RpcError::params)?;
    let (reply, result) = oneshot::channel();
    let not_taken = |_| RpcError::automation(Disposition::NotStarted, "react", "imsgd is stopping; nothing was done");
    let task = Task::React(React { chat, kind });
    service.outbox.send(Job { task, reply }).await.map_err(not_taken)?;
    let lost = |_| RpcError::automation(Disposition::MayHaveCompleted, "react", "imsgd stopped while this was done");
    answer(&result.await.map_err(lost)??)
}
