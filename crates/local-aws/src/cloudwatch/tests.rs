//! The alarms of a template, from values to notifications, and the operations on them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{CloudWatch, Metrics};
use crate::clock::Clock;
use crate::faults::Faults;
use crate::sns::Sns;
use sam_template::{LoadOptions, Template};

const TEMPLATE: &str = "
Resources:
  Topic: { Type: AWS::SNS::Topic, Properties: { TopicName: alarms } }
  Mail:
    Type: AWS::SNS::Subscription
    Properties: { TopicArn: !Ref Topic, Protocol: email, Endpoint: ops@example.com }
  Failures:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: failures
      AlarmDescription: Something fails.
      Namespace: N
      MetricName: M
      Dimensions: [{ Name: Environment, Value: dev }]
      Statistic: Maximum
      Period: 60
      EvaluationPeriods: 1
      Threshold: 5
      ComparisonOperator: GreaterThanThreshold
      TreatMissingData: notBreaching
      AlarmActions: [!Ref Topic, 'arn:aws:sns:us-east-1:000000000000:other']
      OKActions: [!Ref Topic]
  Both:
    Type: AWS::CloudWatch::CompositeAlarm
    Properties: { AlarmName: any, AlarmRule: !Sub 'ALARM(\"${Failures}\")', AlarmActions: [!Ref Topic] }
  Shown:
    Type: AWS::CloudWatch::Dashboard
    Properties: { DashboardName: shown, DashboardBody: !Sub '{\"widgets\": []}' }
";

struct Alarms {
    cloudwatch: Arc<CloudWatch>,
    sns: Arc<Sns>,
    now: i64,
}

impl Alarms {
    fn open() -> Self {
        let template = Template::load(TEMPLATE, &LoadOptions::default()).unwrap();
        let clock = Clock::new(1.0);
        let (metrics, sns) = (Metrics::new(clock.clone()), Sns::new(&template.topics));
        let now = clock.now_ms() - clock.now_ms().rem_euclid(60_000);
        let faults = Faults::default();
        let cloudwatch = CloudWatch::new(clock, faults, metrics, &template, Arc::clone(&sns));
        Self { cloudwatch: cloudwatch.unwrap(), sns, now }
    }

    fn call(&self, operation: &str, input: Value) -> Result<Value, String> {
        let answer = self.cloudwatch.run_operation(operation, &input);
        answer.map_err(|error| error.code.into_owned())
    }

    fn put(&self, minute: i64, values: &[f64]) {
        let datum = json!({
            "MetricName": "M", "Values": values, "Timestamp": (self.now / 1000) + 60 * minute,
            "Dimensions": [{"Name": "Environment", "Value": "dev"}], "Unit": "Count",
        });
        self.call("PutMetricData", json!({"Namespace": "N", "MetricData": [datum]})).unwrap();
    }

    fn state(&self, alarm: &str) -> String {
        self.cloudwatch.state()["alarms"][alarm].as_str().unwrap().to_owned()
    }
}

#[test]
fn a_value_raises_an_alarm_and_those_that_combine_it_and_notifies_the_topic() {
    let alarms = Alarms::open();
    assert_eq!(alarms.state("failures"), "INSUFFICIENT_DATA");
    alarms.cloudwatch.evaluate(alarms.now);
    assert_eq!((alarms.state("failures"), alarms.state("any")), ("OK".into(), "OK".into()));
    alarms.put(0, &[3.0, 6.0]);
    alarms.cloudwatch.evaluate(alarms.now + 60_000);
    assert_eq!((alarms.state("failures"), alarms.state("any")), ("ALARM".into(), "ALARM".into()));
    alarms.put(1, &[2.0]);
    alarms.cloudwatch.evaluate(alarms.now + 120_000);
    assert_eq!((alarms.state("failures"), alarms.state("any")), ("OK".into(), "OK".into()));

    let published = alarms.sns.published();
    let subjects: Vec<_> = published["notifications"].as_array().unwrap().iter().collect();
    let subject = |name: &str, state: &str| format!("{state}: \"{name}\" in US East (N. Virginia)");
    let expected =
        [("failures", "OK"), ("failures", "ALARM"), ("any", "ALARM"), ("failures", "OK")];
    let expected = expected.map(|(name, state)| subject(name, state));
    let shown: Vec<_> = subjects.iter().map(|it| it["subject"].as_str().unwrap()).collect();
    assert_eq!(shown, expected);
    assert_eq!(subjects[1]["subscriptions"][0]["endpoint"], "ops@example.com");
    let message: Value = serde_json::from_str(subjects[1]["message"].as_str().unwrap()).unwrap();
    assert_eq!(message["NewStateValue"], "ALARM");
    assert_eq!(message["Trigger"]["Dimensions"], json!([{"name": "Environment", "value": "dev"}]));
    assert_eq!(message["Trigger"]["Statistic"], "MAXIMUM");

    let history = |kind: &str| {
        let wanted = json!({"AlarmName": "failures", "HistoryItemType": kind});
        let items = alarms.call("DescribeAlarmHistory", wanted).unwrap();
        let items = items["AlarmHistoryItems"].as_array().unwrap().clone();
        items.iter().map(|it| it["HistorySummary"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let updates = ["ALARM to OK", "OK to ALARM", "INSUFFICIENT_DATA to OK"];
    assert_eq!(history("StateUpdate"), updates.map(|it| format!("Alarm updated from {it}")));
    let topic = "arn:aws:sns:us-east-1:000000000000";
    let failed = format!("Failed to execute action {topic}:other");
    assert_eq!(history("Action").iter().filter(|it| **it == failed).count(), 1);
}

#[test]
fn alarms_are_described() {
    let alarms = Alarms::open();
    alarms.cloudwatch.evaluate(alarms.now);
    let names = |input: Value| {
        let found = alarms.call("DescribeAlarms", input)?;
        let lists = ["MetricAlarms", "CompositeAlarms"].map(|kind| found[kind].clone());
        let all = lists.iter().flat_map(|list| list.as_array().unwrap());
        Ok::<_, String>(
            all.map(|it| it["AlarmName"].as_str().unwrap().to_owned()).collect::<Vec<_>>(),
        )
    };
    assert_eq!(names(json!({})).unwrap(), ["failures"]);
    let both = json!(["MetricAlarm", "CompositeAlarm"]);
    assert_eq!(names(json!({"AlarmTypes": both})).unwrap(), ["failures", "any"]);
    assert!(names(json!({"StateValue": "ALARM"})).unwrap().is_empty());
    assert_eq!(names(json!({"ActionPrefix": "arn:aws:sns"})).unwrap(), ["failures"]);
    let page = alarms.call("DescribeAlarms", json!({"AlarmTypes": both, "MaxRecords": 1})).unwrap();
    assert_eq!(page["NextToken"], "1");
    for wrong in [
        json!({"AlarmNames": ["a"], "AlarmNamePrefix": "a"}),
        json!({"AlarmNames": vec!["a"; 101]}),
        json!({"MaxRecords": 101}),
        json!({"StateValue": "ok"}),
        json!({"Unknown": 1}),
    ] {
        assert_eq!(names(wrong.clone()), Err("ValidationError".into()), "{wrong}");
    }
    assert_eq!(names(json!({"NextToken": "x"})), Err("InvalidNextToken".into()));
    let set = |name: &str| {
        let input = json!({"AlarmName": name, "StateValue": "ALARM", "StateReason": "test"});
        alarms.call("SetAlarmState", input)
    };
    assert_eq!(set("none"), Err("ResourceNotFound".into()));
    set("failures").unwrap();
    assert_eq!(alarms.state("failures"), "ALARM");
    assert_eq!(
        alarms.call("GetDashboard", json!({"DashboardName": "x"})),
        Err("ResourceNotFound".into())
    );
    let shown = alarms.call("GetDashboard", json!({"DashboardName": "shown"})).unwrap();
    assert_eq!(shown["DashboardBody"], "{\"widgets\": []}");
    assert_eq!(alarms.call("PutMetricAlarm", json!({})), Err("NotImplemented".into()));
}

#[test]
fn metrics_are_listed_and_read() {
    let alarms = Alarms::open();
    alarms.put(-2, &[1.0, 3.0]);
    alarms.put(-1, &[10.0]);
    let listed = alarms.call("ListMetrics", json!({"Namespace": "N"})).unwrap();
    let dimensions = json!([{"Name": "Environment", "Value": "dev"}]);
    let metric = json!({"Namespace": "N", "MetricName": "M", "Dimensions": dimensions});
    assert_eq!(listed, json!({"Metrics": [metric]}));
    for nothing in [
        json!({"MetricName": "X"}),
        json!({"Dimensions": [{"Name": "Environment", "Value": "prod"}]}),
        json!({"Dimensions": [{"Name": "Other"}]}),
    ] {
        assert_eq!(
            alarms.call("ListMetrics", nothing.clone()).unwrap()["Metrics"],
            json!([]),
            "{nothing}"
        );
    }

    let (start, end) = (alarms.now / 1000 - 120, alarms.now / 1000);
    let mut input = json!({
        "Namespace": "N", "MetricName": "M", "Dimensions": dimensions, "Period": 60,
        "StartTime": start, "EndTime": end, "Statistics": ["Sum", "Maximum"],
        "ExtendedStatistics": ["p50"],
    });
    let read = alarms.call("GetMetricStatistics", input.clone()).unwrap();
    let first = json!({
        "Timestamp": start as f64, "Unit": "Count", "Sum": 4.0, "Maximum": 3.0,
        "ExtendedStatistics": {"p50": 1.0},
    });
    assert_eq!((&read["Datapoints"][0], read["Datapoints"].as_array().unwrap().len()), (&first, 2));
    let mut wrong = |name: &str, value: Value| {
        let right = std::mem::replace(&mut input[name], value);
        let code = alarms.call("GetMetricStatistics", input.clone()).unwrap_err();
        input[name] = right;
        code
    };
    assert_eq!(wrong("StartTime", json!(0)), "InvalidParameterValue");
    assert_eq!(wrong("StartTime", json!(start - 90_000)), "InvalidParameterCombination");
    assert_eq!(wrong("EndTime", json!(start)), "InvalidParameterValue");
    assert_eq!(wrong("Period", json!(50)), "InvalidParameterValue");
    assert_eq!(wrong("Statistics", json!(["Sum", "Sum"])), "InvalidParameterValue");
    assert_eq!(wrong("Statistics", json!(["p50"])), "InvalidParameterValue");

    let stat = json!({"Metric": metric, "Period": 60, "Stat": "Sum"});
    let queries = json!([
        {"Id": "m", "MetricStat": stat, "ReturnData": false},
        {"Id": "e", "Expression": "m / 2", "Label": "half"},
    ]);
    let data = |change: Value| {
        let mut input = json!({"MetricDataQueries": queries, "StartTime": start, "EndTime": end});
        input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        alarms.call("GetMetricData", input)
    };
    let results = data(json!({})).unwrap()["MetricDataResults"].clone();
    assert_eq!((&results[0]["Id"], &results[0]["Label"]), (&json!("e"), &json!("half")));
    assert_eq!(results[0]["Values"], json!([5.0, 2.0]));
    let page = data(json!({"MaxDatapoints": 1, "ScanBy": "TimestampAscending"})).unwrap();
    assert_eq!(page["MetricDataResults"][0]["Values"], json!([2.0]));
    assert_eq!(
        (&page["MetricDataResults"][0]["StatusCode"], &page["NextToken"]),
        (&json!("PartialData"), &json!("1"))
    );
    for wrong in
        [json!({"MetricDataQueries": []}), json!({"MaxDatapoints": 0}), json!({"ScanBy": "x"})]
    {
        assert_eq!(data(wrong.clone()), Err("ValidationError".into()), "{wrong}");
    }
    let reserved = json!({"Namespace": "AWS/Lambda", "MetricData": []});
    assert_eq!(alarms.call("PutMetricData", reserved), Err("InvalidParameterValue".into()));
    let old =
        json!({"Namespace": "N", "MetricData": [{"MetricName": "M", "Value": 1, "Timestamp": 1}]});
    assert_eq!(alarms.call("PutMetricData", old), Err("InvalidParameterValue".into()));
}
