//! CloudWatch's requests.

use serde::Deserialize;

use crate::cloud::cloudwatch::{
    Datum, Dimensions, MetricId, MetricQuery, Resolution, Scan, Statistic, Summary, Values, Window,
};
use crate::cloud::{ApiError, ApiResult, Time};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutMetricData {
    #[serde(default)]
    pub(super) namespace: String,
    #[serde(default)]
    pub(super) metric_data: Vec<MetricDatum>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MetricDatum {
    #[serde(default)]
    metric_name: String,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    timestamp: Option<f64>,
    value: Option<f64>,
    statistic_values: Option<StatisticSet>,
    #[serde(default)]
    values: Vec<f64>,
    #[serde(default)]
    counts: Vec<f64>,
    unit: Option<String>,
    storage_resolution: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Dimension {
    #[serde(default)]
    name: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StatisticSet {
    sample_count: f64,
    sum: f64,
    minimum: f64,
    maximum: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetMetricData {
    #[serde(default)]
    pub(super) metric_data_queries: Vec<MetricDataQuery>,
    pub(super) start_time: f64,
    pub(super) end_time: f64,
    pub(super) scan_by: Option<String>,
    pub(super) max_datapoints: Option<usize>,
    pub(super) next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MetricDataQuery {
    #[serde(default)]
    pub(super) id: String,
    metric_stat: Option<MetricStat>,
    expression: Option<String>,
    pub(super) label: Option<String>,
    pub(super) return_data: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricStat {
    metric: Metric,
    period: u64,
    stat: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    #[serde(default)]
    namespace: String,
    #[serde(default, rename = "MetricName")]
    name: String,
    #[serde(default)]
    dimensions: Vec<Dimension>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetMetricStatistics {
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    pub(super) metric_name: String,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    start_time: f64,
    end_time: f64,
    period: u64,
    #[serde(default)]
    pub(super) statistics: Vec<String>,
    #[serde(default)]
    pub(super) extended_statistics: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListMetrics {
    pub(super) namespace: Option<String>,
    pub(super) metric_name: Option<String>,
    #[serde(default)]
    dimensions: Vec<DimensionFilter>,
    pub(super) next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DimensionFilter {
    #[serde(default)]
    name: String,
    value: Option<String>,
}

impl MetricDatum {
    pub(super) fn into_datum(self, namespace: &str) -> ApiResult<Datum> {
        let values = values(
            self.value,
            self.statistic_values,
            (self.values, self.counts),
        );
        let values = values.map_err(|why| {
            ApiError::new(
                "InvalidParameterCombination",
                format!("The metric {}: {why}", self.metric_name),
            )
        })?;
        let resolution = match self.storage_resolution {
            None | Some(60) => Resolution::Standard,
            Some(1) => Resolution::High,
            Some(other) => {
                return Err(ApiError::new(
                    "InvalidParameterValue",
                    format!("StorageResolution must be 1 or 60; found {other}."),
                ));
            }
        };
        Ok(Datum {
            metric: MetricId {
                namespace: namespace.to_owned(),
                name: self.metric_name,
                dimensions: dimensions(self.dimensions),
            },
            at: self.timestamp.map(Time::from_secs_f64),
            values,
            unit: self.unit,
            resolution,
        })
    }
}

fn values(
    value: Option<f64>,
    summary: Option<StatisticSet>,
    (values, counts): (Vec<f64>, Vec<f64>),
) -> Result<Values, &'static str> {
    match (value, summary, values.is_empty()) {
        (Some(value), None, true) => Ok(Values::Each(vec![(value, 1.0)])),
        (None, Some(set), true) => Ok(Values::Summary(Summary {
            count: set.sample_count,
            sum: set.sum,
            min: set.minimum,
            max: set.maximum,
        })),
        (None, None, false) if counts.is_empty() => Ok(Values::Each(
            values.into_iter().map(|value| (value, 1.0)).collect(),
        )),
        (None, None, false) if counts.len() == values.len() => {
            Ok(Values::Each(values.into_iter().zip(counts).collect()))
        }
        (None, None, false) => Err("Values and Counts must be of the same length."),
        _ => Err("exactly one of Value, StatisticValues and Values is needed."),
    }
}

fn dimensions(dimensions: Vec<Dimension>) -> Dimensions {
    dimensions.into_iter().map(|d| (d.name, d.value)).collect()
}

impl MetricDataQuery {
    pub(super) fn into_query(self, start: f64, end: f64) -> ApiResult<MetricQuery> {
        let Some(wanted) = self.metric_stat else {
            return Err(ApiError::new(
                "ValidationError",
                format!(
                    "The query '{}' is metric math ({}), which is not played here.",
                    self.id,
                    self.expression.unwrap_or_default()
                ),
            ));
        };
        Ok(MetricQuery {
            metric: MetricId {
                namespace: wanted.metric.namespace,
                name: wanted.metric.name,
                dimensions: dimensions(wanted.metric.dimensions),
            },
            window: window(start, end, wanted.period),
            statistic: Statistic::parse(&wanted.stat)?,
        })
    }

    /// What the answer calls the query: its label, or the metric's name.
    pub(super) fn shown_label(&self) -> String {
        let name = self.metric_stat.as_ref().map(|stat| &stat.metric.name);
        self.label.as_ref().or(name).cloned().unwrap_or_default()
    }
}

impl GetMetricStatistics {
    pub(super) fn queries(&self) -> ApiResult<Vec<(String, MetricQuery)>> {
        let dimensions: Dimensions = self
            .dimensions
            .iter()
            .map(|d| (d.name.clone(), d.value.clone()))
            .collect();
        let query = |name: &String| {
            let query = MetricQuery {
                metric: MetricId {
                    namespace: self.namespace.clone(),
                    name: self.metric_name.clone(),
                    dimensions: dimensions.clone(),
                },
                window: window(self.start_time, self.end_time, self.period),
                statistic: Statistic::parse(name)?,
            };
            Ok((name.clone(), query))
        };
        self.statistics
            .iter()
            .chain(&self.extended_statistics)
            .map(query)
            .collect()
    }
}

impl ListMetrics {
    pub(super) fn dimensions(&self) -> Vec<(String, Option<String>)> {
        let dimensions = self.dimensions.iter();
        dimensions
            .map(|d| (d.name.clone(), d.value.clone()))
            .collect()
    }
}

fn window(start: f64, end: f64, period: u64) -> Window {
    Window {
        start: Time::from_secs_f64(start),
        end: Time::from_secs_f64(end),
        period: std::time::Duration::from_secs(period),
    }
}

pub(super) fn scan(text: Option<&str>) -> ApiResult<Scan> {
    match text {
        None | Some("TimestampDescending") => Ok(Scan::NewestFirst),
        Some("TimestampAscending") => Ok(Scan::OldestFirst),
        Some(other) => Err(ApiError::new(
            "ValidationError",
            format!("ScanBy is TimestampAscending or TimestampDescending; found '{other}'."),
        )),
    }
}
