//! What the pages of one request come to, and whether that is all there is.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::operation::get_metric_data::GetMetricDataOutput;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{MetricDataResult, StatusCode};

use crate::backtest::history::{Metric, Points};

/// Points by metric.
pub(super) type Found = BTreeMap<Metric, Points>;

/// What the pages of one request come to.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) found: Found,
    /// Each metric's latest status: of several pages, the last one's counts.
    statuses: BTreeMap<Metric, Option<StatusCode>>,
    pub(super) messages: Vec<String>,
}

impl Answer {
    pub(super) fn add(&mut self, page: &GetMetricDataOutput) {
        for result in page.metric_data_results() {
            let Some(metric) = result.id().and_then(metric_of) else {
                continue;
            };
            let points = self.found.entry(metric).or_default();
            points.extend(points_of(result));
            // Something that failed on one page is not mended by the next.
            let status = self.statuses.entry(metric).or_default();
            if !matches!(
                status,
                Some(StatusCode::InternalError | StatusCode::Forbidden)
            ) {
                *status = result.status_code().cloned();
            }
        }
        for message in page.messages() {
            let parts = [message.code(), message.value()];
            let parts: Vec<&str> = parts.into_iter().flatten().collect();
            let said = format!("CloudWatch says: {}", parts.join(": "));
            // Each page says it again.
            if !self.messages.contains(&said) {
                self.messages.push(said);
            }
        }
    }

    pub(super) fn is_forbidden(&self) -> bool {
        let mut statuses = self.statuses.values();
        statuses.any(|status| *status == Some(StatusCode::Forbidden))
    }

    pub(super) fn is_complete(&self) -> bool {
        let bad = [StatusCode::InternalError, StatusCode::PartialData];
        let is_bad = |status: &StatusCode| bad.contains(status);
        !self.statuses.values().flatten().any(is_bad)
    }
}

fn points_of(result: &MetricDataResult) -> impl Iterator<Item = (i64, f64)> {
    let times = result.timestamps().iter().map(DateTime::secs);
    times.zip(result.values().iter().copied())
}

/// Ids begin with a lower-case letter (CloudWatch API reference, `MetricDataQuery`).
pub(super) fn id_of(nth: usize) -> String {
    format!("m{nth}")
}

fn metric_of(id: &str) -> Option<Metric> {
    let nth: usize = id.strip_prefix('m')?.parse().ok()?;
    Metric::ALL.get(nth).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_cloudwatch::types::MessageData;

    fn page(status: StatusCode, points: &[(i64, f64)]) -> GetMetricDataOutput {
        let result = MetricDataResult::builder()
            .id("m0")
            .status_code(status)
            .set_timestamps(Some(
                points
                    .iter()
                    .map(|(at, _)| DateTime::from_secs(*at))
                    .collect(),
            ))
            .set_values(Some(points.iter().map(|(_, value)| *value).collect()));
        GetMetricDataOutput::builder()
            .metric_data_results(result.build())
            .build()
    }

    fn answer(pages: &[GetMetricDataOutput]) -> Answer {
        let mut answer = Answer::default();
        for page in pages {
            answer.add(page);
        }
        answer
    }

    #[test]
    fn pages_add_up_and_the_last_one_tells_whether_that_is_all() {
        let both = answer(&[
            page(StatusCode::PartialData, &[(0, 1.0)]),
            page(StatusCode::Complete, &[(60, 2.0)]),
        ]);
        assert!(both.is_complete());
        assert_eq!(
            both.found[&Metric::Sent],
            Points::from([(0, 1.0), (60, 2.0)])
        );
        assert!(!answer(&[page(StatusCode::PartialData, &[(0, 1.0)])]).is_complete());
    }

    #[test]
    fn a_page_that_failed_is_not_mended_by_the_next() {
        let failed = answer(&[
            page(StatusCode::InternalError, &[]),
            page(StatusCode::Complete, &[(60, 2.0)]),
        ]);
        assert!(!failed.is_complete());
        let forbidden = answer(&[page(StatusCode::Forbidden, &[])]);
        assert!(forbidden.is_forbidden());
    }

    #[test]
    fn what_cloudwatch_says_is_passed_on() {
        let said = MessageData::builder()
            .code("MaxMetricsExceeded")
            .value("too many");
        let page = GetMetricDataOutput::builder()
            .messages(said.build())
            .build();
        assert_eq!(
            answer(&[page]).messages,
            ["CloudWatch says: MaxMetricsExceeded: too many"]
        );
    }

    #[test]
    fn each_query_finds_its_metric_again() {
        for (nth, metric) in Metric::ALL.into_iter().enumerate() {
            assert_eq!(metric_of(&id_of(nth)), Some(metric));
        }
        assert_eq!(metric_of("m13"), None);
        assert_eq!(metric_of("x"), None);
    }
}
