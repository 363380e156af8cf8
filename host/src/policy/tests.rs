//! What the chain makes of each answer, with policies that answer from a list.

use super::*;
use crate::message::{Chat, ChatId, RowId};

/// A policy that offers one interface and gives one answer.
#[derive(Clone)]
struct Fixed {
    name: &'static str,
    answer: Answer,
}

#[derive(Clone)]
enum Answer {
    Admission(Result<Admission, Failure>),
    Introduction(Result<Introduction, Failure>),
    Group(Result<GroupDecision, Failure>),
    Filter(Result<FilterVerdict, Failure>),
}

impl Policy for Fixed {
    fn name(&self) -> &str {
        self.name
    }

    fn version(&self) -> &str {
        "1"
    }

    fn offers(&self, interface: Interface) -> bool {
        interface
            == match self.answer {
                Answer::Admission(_) => Interface::Allowlist,
                Answer::Introduction(_) => Interface::Pairing,
                Answer::Group(_) => Interface::Group,
                Answer::Filter(_) => Interface::Filter,
            }
    }

    fn admit(&mut self, _: &Arc<Inbound>) -> Result<Admission, Failure> {
        let Answer::Admission(answer) = self.answer.clone() else { panic!("asked for what it does not offer") };
        answer
    }

    fn screen(&mut self, _: &Arc<Inbound>) -> Result<Introduction, Failure> {
        let Answer::Introduction(answer) = self.answer.clone() else { panic!("asked for what it does not offer") };
        answer
    }

    fn decide(&mut self, _: &Arc<Inbound>) -> Result<GroupDecision, Failure> {
        let Answer::Group(answer) = self.answer.clone() else { panic!("asked for what it does not offer") };
        answer
    }

    fn filter(&mut self, _: &Arc<Inbound>) -> Result<FilterVerdict, Failure> {
        let Answer::Filter(answer) = self.answer.clone() else { panic!("asked for what it does not offer") };
        answer
    }
}

fn admission(name: &'static str, answer: Admission) -> Fixed {
    Fixed { name, answer: Answer::Admission(Ok(answer)) }
}

fn filter(name: &'static str, answer: FilterVerdict) -> Fixed {
    Fixed { name, answer: Answer::Filter(Ok(answer)) }
}

pub(crate) fn inbound(as_group: bool) -> Arc<Inbound> {
    let chat = Chat {
        id: ChatId(7),
        guid: "any;-;+15550001111".into(),
        identifier: "+15550001111".into(),
        display_name: None,
        service: "iMessage".into(),
        is_group: as_group,
        participants: vec!["+15550001111".into()],
        account_id: None,
        account_login: None,
        last_addressed_handle: None,
    };
    let message = Message {
        id: RowId(1),
        guid: "G1".into(),
        chat: Some(Arc::new(chat)),
        sender: "+15550001111".into(),
        is_from_me: false,
        text: "hello".into(),
        sent_at: Timestamp::UNIX_EPOCH,
        service: "iMessage".into(),
        event: None,
        attachments: vec![],
        reactions: vec![],
        mentions: vec![],
        tapback: None,
        reply_to_guid: None,
        thread_originator_guid: None,
        thread_originator_part: None,
        quoted: None,
        destination_caller_id: None,
        balloon_bundle_id: None,
        url_preview: None,
        preview_of: None,
        is_read: None,
        read_at: None,
        edits: None,
        poll: None,
    };
    Arc::new(Inbound {
        message: Arc::new(message),
        arrival: Arrival::Live,
        as_group,
        sender: "+15550001111".into(),
        direct_route: "main".into(),
        now: Timestamp::UNIX_EPOCH,
    })
}

fn verdict(mut chain: Vec<Fixed>, as_group: bool) -> (Verdict, Option<String>) {
    let decision = judge(&mut chain, &inbound(as_group));
    (decision.verdict, decision.decided_by.map(|(name, _)| name))
}

fn delivered(route: &str, labels: &[&str]) -> Verdict {
    Verdict::Deliver { route: route.into(), labels: labels.iter().map(|label| (*label).into()).collect() }
}

#[test]
fn nobody_decided_is_a_rejection() {
    let out = Verdict::Reject { reason: NOBODY_DECIDED.into() };
    assert_eq!(verdict(vec![], false), (out.clone(), None));
    assert_eq!(verdict(vec![], true), (out.clone(), None));
    assert_eq!(verdict(vec![admission("a", Admission::Abstain)], false), (out, None));
}

#[test]
fn the_first_allowlist_with_an_opinion_decides() {
    let chain = vec![
        admission("a", Admission::Abstain),
        admission("b", Admission::Reject("denied".into())),
        admission("c", Admission::Admit(None)),
    ];
    assert_eq!(verdict(chain, false), (Verdict::Reject { reason: "denied".into() }, Some("b".into())));
}

#[test]
fn pairing_is_asked_only_where_every_allowlist_abstained() {
    let waiting = Fixed { name: "p", answer: Answer::Introduction(Ok(Introduction::Waiting)) };
    let chain = vec![waiting.clone(), admission("a", Admission::Admit(None))];
    assert_eq!(verdict(chain, false), (delivered("main", &[]), Some("a".into())));
    let chain = vec![waiting, admission("a", Admission::Abstain)];
    assert_eq!(verdict(chain, false), (Verdict::Hold(Hold::Introduction(None)), Some("p".into())));
}

#[test]
fn a_group_message_is_not_admitted_by_an_allowlist() {
    let chain = vec![admission("a", Admission::Admit(None))];
    assert_eq!(verdict(chain, true).0, Verdict::Reject { reason: NOBODY_DECIDED.into() });
}

#[test]
fn a_group_message_goes_to_the_route_of_its_chat() {
    let chain = vec![Fixed { name: "g", answer: Answer::Group(Ok(GroupDecision::Deliver(None))) }];
    assert_eq!(verdict(chain, true), (delivered("group:7", &[]), Some("g".into())));
}

#[test]
fn every_filter_is_asked_in_order_and_labels_add_up() {
    let chain = vec![
        admission("a", Admission::Admit(None)),
        filter("f", FilterVerdict::Label(vec!["x".into(), "y".into()])),
        filter("g", FilterVerdict::Route("sales".into())),
        filter("h", FilterVerdict::Label(vec!["y".into(), "z".into()])),
    ];
    assert_eq!(verdict(chain, false), (delivered("sales", &["x", "y", "z"]), Some("g".into())));
}

#[test]
fn a_dropped_message_is_dropped_by_name() {
    let chain = vec![
        admission("a", Admission::Admit(None)),
        filter("f", FilterVerdict::Drop("quiet_hours".into())),
        filter("g", FilterVerdict::Pass),
    ];
    assert_eq!(verdict(chain, false), (Verdict::Drop { reason: "quiet_hours".into() }, Some("f".into())));
}

#[test]
fn a_failure_at_any_stage_holds_the_message() {
    let failure = Failure("time limit".into());
    let held = Verdict::Hold(Hold::Failure(failure.clone()));
    let admit = admission("a", Admission::Admit(None));
    let abstain = admission("a", Admission::Abstain);
    let broken = |answer| Fixed { name: "broken", answer };
    let cases = [
        (vec![broken(Answer::Admission(Err(failure.clone()))), admit.clone()], false),
        (vec![abstain, broken(Answer::Introduction(Err(failure.clone())))], false),
        (vec![broken(Answer::Group(Err(failure.clone())))], true),
        (vec![admit, broken(Answer::Filter(Err(failure)))], false),
    ];
    for (chain, as_group) in cases {
        assert_eq!(verdict(chain, as_group), (held.clone(), Some("broken".into())));
    }
}

#[test]
fn what_was_delivered_is_judged_again_without_a_mention_but_with_every_filter() {
    let again = |chain: Vec<Fixed>| judge_again(&mut { chain }, &inbound(true), "before").verdict;
    let group = |answer| Fixed { name: "group", answer: Answer::Group(Ok(answer)) };
    assert_eq!(again(vec![group(GroupDecision::Observe)]), delivered("before", &[]));
    assert_eq!(again(vec![group(GroupDecision::Deliver(None))]), delivered("group:7", &[]));
    let dropped = filter("filter", FilterVerdict::Drop("spam".into()));
    assert_eq!(again(vec![group(GroupDecision::Observe), dropped]), Verdict::Drop { reason: "spam".into() });
    let rejected = Verdict::Reject { reason: "left".into() };
    assert_eq!(again(vec![group(GroupDecision::Reject("left".into()))]), rejected);
    assert_eq!(again(vec![]), Verdict::Reject { reason: NOBODY_DECIDED.into() });
    let failing = Fixed { name: "group", answer: Answer::Group(Err(Failure("trap".into()))) };
    assert_eq!(again(vec![failing]), Verdict::Hold(Hold::Failure(Failure("trap".into()))));
}
