//! The operations on metric data.

use std::collections::BTreeMap;

use super::super::SharedCloud;
use super::super::query::page;
use super::super::request::Call;
use super::out::Out;
use super::read;
use super::shapes::{GetMetricData, GetMetricStatistics, ListMetrics, PutMetricData, scan};
use crate::cloud::cloudwatch::{MetricId, Points, Scan};
use crate::cloud::{ApiError, ApiResult, Time};

/// The most of a request's `MaxDatapoints`, and what holds without (`GetMetricData`).
const DATAPOINTS_MAX: usize = 100_800;
/// The most queries of a request (`GetMetricData`).
const QUERIES_MAX: usize = 500;

pub(super) fn put(cloud: &SharedCloud, call: &Call) -> ApiResult<Out> {
    let request: PutMetricData = read(call)?;
    let data = request.metric_data.into_iter();
    let data: ApiResult<Vec<_>> = data
        .map(|datum| datum.into_datum(&request.namespace))
        .collect();
    let data = data?;
    if data.is_empty() {
        return Err(ApiError::new(
            "MissingParameter",
            "The parameter MetricData is required.",
        ));
    }
    cloud.quietly(|cloud, now| cloud.cloudwatch.put(now, data))?;
    Ok(Out::map([]))
}

pub(super) fn get(cloud: &SharedCloud, call: &Call) -> ApiResult<Out> {
    let request: GetMetricData = read(call)?;
    cloud.quietly(|cloud, _| cloud.cloudwatch.admit_read())?;
    let size = checked_size(&request)?;
    let scan = scan(request.scan_by.as_deref())?;
    let (start, end) = (request.start_time, request.end_time);
    let mut results = Vec::new();
    for query in request.metric_data_queries {
        if query.return_data == Some(false) {
            continue;
        }
        let (id, label) = (query.id.clone(), query.shown_label());
        let query = query.into_query(start, end)?;
        let points = cloud.quietly(|cloud, now| {
            cloud.advance(now);
            cloud.cloudwatch.points(now, &query)
        })?;
        let points = match scan {
            Scan::OldestFirst => points,
            Scan::NewestFirst => points.into_iter().rev().collect(),
        };
        results.push((id, label, points));
    }
    cloud.wake_driver();
    paged(results, request.next_token.as_deref(), size)
}

/// Points on a page, of a request that does not ask for too much.
fn checked_size(request: &GetMetricData) -> ApiResult<usize> {
    let queries = request.metric_data_queries.len();
    if queries == 0 || queries > QUERIES_MAX {
        return Err(ApiError::new(
            "ValidationError",
            format!("MetricDataQueries must have 1 to {QUERIES_MAX} members; found {queries}."),
        ));
    }
    let size = request.max_datapoints.unwrap_or(DATAPOINTS_MAX);
    if size == 0 || size > DATAPOINTS_MAX {
        return Err(ApiError::new(
            "ValidationError",
            format!("MaxDatapoints must be 1 to {DATAPOINTS_MAX}; found {size}."),
        ));
    }
    Ok(size)
}

/// Pages cut through all queries' points; a query without points on a page shows up with none.
fn paged(
    results: Vec<(String, String, Points)>,
    token: Option<&str>,
    size: usize,
) -> ApiResult<Out> {
    let all = results.iter().enumerate();
    let all: Vec<(usize, (Time, f64))> = all
        .flat_map(|(query, (_, _, points))| points.iter().map(move |point| (query, *point)))
        .collect();
    let page = page(all, token, size)?;
    let complete = page.next.is_none();
    let mut by_query: BTreeMap<usize, Points> = BTreeMap::new();
    for (query, point) in page.items {
        by_query.entry(query).or_default().push(point);
    }
    let result = |(query, (id, label, _)): (usize, (String, String, Points))| {
        let points = by_query.remove(&query).unwrap_or_default();
        let status = if complete { "Complete" } else { "PartialData" };
        Out::map([
            ("Id", Out::Text(id)),
            ("Label", Out::Text(label)),
            (
                "Timestamps",
                Out::list(points.iter().map(|(at, _)| Out::At(*at))),
            ),
            (
                "Values",
                Out::list(points.iter().map(|(_, value)| Out::Number(*value))),
            ),
            ("StatusCode", Out::text(status)),
        ])
    };
    let mut fields = vec![
        (
            "MetricDataResults",
            Out::list(results.into_iter().enumerate().map(result)),
        ),
        ("Messages", Out::list([])),
    ];
    fields.extend(page.next.map(|token| ("NextToken", Out::Text(token))));
    Ok(Out::Map(fields))
}

pub(super) fn statistics(cloud: &SharedCloud, call: &Call) -> ApiResult<Out> {
    let request: GetMetricStatistics = read(call)?;
    let queries = request.queries()?;
    if queries.is_empty() {
        return Err(ApiError::new(
            "InvalidParameterCombination",
            "At least one of the parameters Statistics and ExtendedStatistics must be specified.",
        ));
    }
    let mut by_moment: BTreeMap<Time, Vec<(String, f64)>> = BTreeMap::new();
    for (name, query) in queries {
        let points = cloud.quietly(|cloud, now| {
            cloud.advance(now);
            cloud.cloudwatch.points(now, &query)
        })?;
        for (at, value) in points {
            by_moment.entry(at).or_default().push((name.clone(), value));
        }
    }
    cloud.wake_driver();
    let datapoints = by_moment.into_iter().map(datapoint);
    Ok(Out::map([
        ("Label", Out::text(&request.metric_name)),
        ("Datapoints", Out::list(datapoints)),
    ]))
}

fn datapoint((at, values): (Time, Vec<(String, f64)>)) -> Out {
    const PLAIN: [&str; 5] = ["SampleCount", "Sum", "Average", "Minimum", "Maximum"];
    let mut fields = vec![("Timestamp", Out::At(at)), ("Unit", Out::text("None"))];
    let mut extended = Vec::new();
    for (name, value) in values {
        match PLAIN.into_iter().find(|plain| *plain == name) {
            Some(plain) => fields.push((plain, Out::Number(value))),
            None => extended.push((name, value)),
        }
    }
    if !extended.is_empty() {
        fields.push(("ExtendedStatistics", Out::Named(extended)));
    }
    Out::Map(fields)
}

/// Metrics on a page of `ListMetrics`.
const METRICS_MAX: usize = 500;

pub(super) fn list(cloud: &SharedCloud, call: &Call) -> ApiResult<Out> {
    let request: ListMetrics = read(call)?;
    let dimensions = request.dimensions();
    let found: Vec<MetricId> = cloud.quietly(|cloud, now| {
        cloud.advance(now);
        let (namespace, name) = (request.namespace.as_deref(), request.metric_name.as_deref());
        cloud
            .cloudwatch
            .list(namespace, name, &dimensions)
            .cloned()
            .collect()
    });
    cloud.wake_driver();
    let page = page(found, request.next_token.as_deref(), METRICS_MAX)?;
    let mut fields = vec![("Metrics", Out::list(page.items.into_iter().map(metric)))];
    fields.extend(page.next.map(|token| ("NextToken", Out::Text(token))));
    Ok(Out::Map(fields))
}

fn metric(metric: MetricId) -> Out {
    let dimension = |(name, value): (String, String)| {
        Out::map([("Name", Out::Text(name)), ("Value", Out::Text(value))])
    };
    Out::map([
        ("Namespace", Out::Text(metric.namespace)),
        ("MetricName", Out::Text(metric.name)),
        (
            "Dimensions",
            Out::list(metric.dimensions.into_iter().map(dimension)),
        ),
    ])
}
