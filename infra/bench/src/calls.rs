//! What a function called, what it cost, and how much of it was one after the other.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Bytes;
use serde_json::{Value, json};

/// The service that a call was meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    DynamoDb,
    SecretsManager,
    Kms,
    Sqs,
    Other,
}

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) operation: String,
    /// Since the endpoint started.
    pub(crate) began: Duration,
    pub(crate) ended: Duration,
    pub(crate) request: Bytes,
    pub(crate) answer: Bytes,
}

/// Capacity, as DynamoDB bills it on demand.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Units {
    pub(crate) read: f64,
    pub(crate) write: f64,
}

impl std::ops::Add for Units {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { read: self.read + other.read, write: self.write + other.write }
    }
}

impl std::iter::Sum for Units {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), std::ops::Add::add)
    }
}

impl Call {
    /// What it consumed.
    ///
    /// The database says so itself (`ConsumedCapacity`, whose rules its authors captured from AWS),
    /// but for a write whose condition failed: DynamoDB bills that by the item it met, a whole unit
    /// per KB, and no row of ours is larger than that.
    pub(crate) fn units(&self) -> Units {
        let Ok(answer) = serde_json::from_slice::<Value>(&self.answer) else {
            return Units::default();
        };
        let kind = answer.get("__type").and_then(Value::as_str).unwrap_or_default();
        if kind.ends_with("ConditionalCheckFailedException") {
            return Units { read: 0.0, write: 1.0 };
        }
        let units = match answer.get("ConsumedCapacity") {
            Some(Value::Array(tables)) => tables.iter().filter_map(capacity_units).sum(),
            Some(table) => capacity_units(table).unwrap_or_default(),
            None => 0.0,
        };
        match self.operation.as_str() {
            "GetItem" | "BatchGetItem" | "Query" | "Scan" => Units { read: units, write: 0.0 },
            _ => Units { read: 0.0, write: units },
        }
    }
}

fn capacity_units(consumed: &Value) -> Option<f64> {
    consumed.get("CapacityUnits")?.as_f64()
}

/// How many calls there are of each operation.
pub(crate) fn by_operation(calls: &[Call]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for call in calls {
        let count: &mut usize = counts.entry(call.operation.as_str()).or_default();
        *count = count.saturating_add(1);
    }
    counts
}

/// Round trips that had to wait for one another: the longest chain of calls in which each call
/// began after the call before it had ended.
pub(crate) fn waves<'a>(calls: impl IntoIterator<Item = &'a Call>) -> usize {
    let mut calls: Vec<_> = calls.into_iter().collect();
    calls.sort_unstable_by_key(|call| call.ended);
    let mut waves: usize = 0;
    let mut ended = None;
    for call in calls {
        if ended.is_none_or(|ended| call.began >= ended) {
            waves = waves.saturating_add(1);
            ended = Some(call.ended);
        }
    }
    waves
}

/// The hot path as the floor repeats it: a batch that finds the connection, a conditional put, a
/// batch that looks again. `None` when that is not what was called.
pub(crate) fn hot_path(calls: &[Call]) -> Option<Value> {
    let of = |operation: &str| -> Vec<Value> {
        let of_it = calls.iter().filter(|call| call.operation == operation);
        of_it.filter_map(|call| serde_json::from_slice(&call.request).ok()).collect()
    };
    let (batches, puts) = (of("BatchGetItem"), of("PutItem"));
    let ([find, look], [put], 3) = (&*batches, &*puts, calls.len()) else { return None };
    let condition = put.get("ConditionExpression")?.as_str()?;
    let sort_key = condition.strip_prefix("attribute_not_exists(")?.strip_suffix(')')?;
    Some(json!({
        "find": find.get("RequestItems")?,
        "put": {
            "TableName": put.get("TableName")?,
            "Item": put.get("Item")?,
            "sort_key": sort_key,
        },
        "look": look.get("RequestItems")?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(operation: &str, (began, ended): (u64, u64), answer: &Value) -> Call {
        Call {
            service: Service::DynamoDb,
            operation: operation.to_owned(),
            began: Duration::from_millis(began),
            ended: Duration::from_millis(ended),
            request: Bytes::new(),
            answer: Bytes::from(answer.to_string()),
        }
    }

    #[test]
    fn capacity_is_summed_over_tables_and_told_apart_by_operation() {
        let one = json!({"ConsumedCapacity": {"TableName": "a", "CapacityUnits": 2.0}});
        let many = json!({"ConsumedCapacity": [{"CapacityUnits": 0.5}, {"CapacityUnits": 1.5}]});
        let calls = [
            call("PutItem", (0, 1), &one),
            call("BatchGetItem", (0, 1), &many),
            call("GetItem", (0, 1), &json!({"Item": {}})),
        ];
        let sum: Units = calls.iter().map(Call::units).sum();
        assert_eq!(sum, Units { read: 2.0, write: 2.0 });
    }

    #[test]
    fn a_refused_write_is_billed_although_the_answer_does_not_say_so() {
        let refused = json!({
            "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
        });
        let units = call("PutItem", (0, 1), &refused).units();
        assert_eq!(units, Units { read: 0.0, write: 1.0 });
    }

    #[test]
    fn calls_that_overlap_are_one_wave_and_calls_that_follow_are_two() {
        let of = |spans: &[(u64, u64)]| {
            let calls: Vec<_> =
                spans.iter().map(|span| call("GetItem", *span, &Value::Null)).collect();
            waves(&calls)
        };
        assert_eq!(of(&[]), 0);
        assert_eq!(of(&[(0, 10), (1, 11)]), 1);
        assert_eq!(of(&[(0, 10), (10, 20)]), 2);
        assert_eq!(of(&[(0, 10), (1, 11), (12, 20), (12, 30), (31, 40)]), 3);
        assert_eq!(of(&[(0, 100), (1, 10), (11, 20), (21, 30)]), 3);
    }
}
