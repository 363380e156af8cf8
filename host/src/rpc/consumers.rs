//! `consumers.list` and `consumers.remove`.

use super::param::Param;
use super::params::Params;
use super::wire::consumers::{Consumer, Consumers, Removed};
use super::{Answer, Service, answer};

pub const REMOVE: &[Param] =
    &[Param::text("consumer").required().selector().about("The name that `watch.subscribe` was given.")];

pub async fn list(service: &Service) -> Answer {
    let (reports, head) = (service.consumers.list().await?, service.hub.head());
    answer(&Consumers { consumers: reports.iter().map(|report| Consumer::new(report, head)).collect() })
}

pub async fn remove(service: &Service, params: &Params) -> Answer {
    service.consumers.remove(params.text("consumer")?.unwrap_or_default()).await?;
    answer(&Removed { ok: true })
}
