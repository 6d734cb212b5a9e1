//! The template keeps well below AWS's limits, in a stack with the longest names. A deployment that
//! exceeds a limit fails half-way.

use serde_json::{Value, json};
use serde_norway::{Mapping, Value as Yaml};

use crate::deployed::STACK;
use crate::reader::{Template, read};

/// How much of a limit is used at most, in percent: the rest is for what comes next.
const USED_MAX: usize = 80;

// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>: characters, without
// white space; the inline policies of a role count together.
const INLINE_POLICIES_MAX: usize = 10_240;
const MANAGED_POLICY_MAX: usize = 6_144;
const MANAGED_POLICIES_OF_A_ROLE_MAX: usize = 10;

// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>: bytes.
const RESOURCE_POLICY_MAX: usize = 20_480;
const ENVIRONMENT_MAX: usize = 4_096;

// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>: the
// sizes are bytes, of a template in the request and of one in S3.
const RESOURCES_MAX: usize = 500;
const OUTPUTS_MAX: usize = 200;
const PARAMETERS_MAX: usize = 200;
const TEMPLATE_IN_REQUEST_MAX: usize = 51_200;
const TEMPLATE_MAX: usize = 1_000_000;

// <https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html>: bytes.
const KEY_POLICY_MAX: usize = 32_768;
// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html>: 20 KB.
const BUCKET_POLICY_MAX: usize = 20_480;

/// Names that contain the stack's name, and how many characters they may have by the API reference:
/// S3 `CreateBucket`, Scheduler `CreateSchedule`, Lambda `CreateFunction`, SQS `CreateQueue`,
/// Cognito `CreateUserPool`, KMS `CreateAlias`, CloudWatch `PutDashboard`, Logs `CreateLogGroup`.
const NAMES: [(&str, &str, usize); 7] = [
    ("AWS::S3::Bucket", "BucketName", 63),
    ("AWS::Serverless::Function", "FunctionName", 64),
    ("AWS::SQS::Queue", "QueueName", 80),
    ("AWS::Cognito::UserPool", "UserPoolName", 128),
    ("AWS::KMS::Alias", "AliasName", 256),
    ("AWS::CloudWatch::Dashboard", "DashboardName", 255),
    ("AWS::Logs::LogGroup", "LogGroupName", 512),
];
const SCHEDULE_NAME_MAX: usize = 64;

fn assert_used(what: &str, used: usize, max: usize, instead: &str) {
    let used_max = max * USED_MAX / 100;
    assert!(used <= used_max, "{what}: {used} of {max}, and {used_max} is the bar. {instead}");
}

/// How long a document is without white space.
fn size(template: &Template, document: &Yaml) -> usize {
    template.deployed(document).to_string().len()
}

/// The events of a function that are of this type: name and properties.
fn events<'a>(function: &'a Yaml, kind: &str) -> Vec<(&'a str, &'a Yaml)> {
    let events = function["Events"].as_mapping().into_iter().flatten();
    let of_kind = events.filter(|(_, event)| event["Type"] == kind);
    of_kind.map(|(name, event)| (name.as_str().unwrap(), &event["Properties"])).collect()
}

#[test]
fn the_policies_of_roles_have_room() {
    let template = Template::read();
    for (name, role) in template.resources("AWS::IAM::Role") {
        let inline = role["Policies"].as_sequence().into_iter().flatten();
        let used = inline.map(|policy| size(&template, &policy["PolicyDocument"])).sum();
        let instead = "Move statements that belong together into an AWS::IAM::ManagedPolicy beside \
                       the role, as WorkerRole has one.";
        assert_used(&format!("inline policies of {name}"), used, INLINE_POLICIES_MAX, instead);
        let managed = role["ManagedPolicyArns"].as_sequence().map_or(0, Vec::len);
        assert!(managed <= MANAGED_POLICIES_OF_A_ROLE_MAX, "{name} has {managed}");
    }
    for (name, policy) in template.resources("AWS::IAM::ManagedPolicy") {
        let used = size(&template, &policy["PolicyDocument"]);
        assert_used(name, used, MANAGED_POLICY_MAX, "Make two policies of it.");
    }
}

#[test]
fn the_policies_of_keys_and_buckets_have_room() {
    let template = Template::read();
    let keys = template.resources("AWS::KMS::Key").into_iter();
    for (name, key) in keys {
        let used = size(&template, &key["KeyPolicy"]);
        assert_used(name, used, KEY_POLICY_MAX, "Put roles of one purpose into one statement.");
    }
    for (name, bucket) in template.resources("AWS::S3::BucketPolicy") {
        let used = size(&template, &bucket["PolicyDocument"]);
        assert_used(name, used, BUCKET_POLICY_MAX, "Put rules of one effect into one statement.");
    }
}

/// For each event of the HTTP API, SAM gives the API the right to invoke the function, in a
/// statement of the function's resource policy.
#[test]
fn the_resource_policies_of_functions_have_room() {
    let template = Template::read();
    for (name, function) in template.resources("AWS::Serverless::Function") {
        let statements: Vec<Value> = events(function, "HttpApi")
            .into_iter()
            .map(|(event, route)| invocation(&template, name, event, route))
            .collect();
        let policy = json!({"Version": "2012-10-17", "Id": "default", "Statement": statements});
        let instead = "Let another function answer some of its routes.";
        assert_used(name, policy.to_string().len(), RESOURCE_POLICY_MAX, instead);
    }
}

fn invocation(template: &Template, function: &str, event: &str, route: &Yaml) -> Value {
    let api = template.text(&route["ApiId"]);
    // A parameter of the path is a star there.
    let path = route["Path"].as_str().unwrap().split('/');
    let path = path.map(|part| if part.starts_with('{') { "*" } else { part });
    let path = path.collect::<Vec<_>>().join("/");
    let method = route["Method"].as_str().unwrap();
    let source = format!("arn:aws:execute-api:ap-northeast-1:123456789012:{api}/*/{method}{path}");
    let arn = template.text(&serde_norway::from_str(&format!("!GetAtt {function}.Arn")).unwrap());
    json!({
        "Sid": format!("{STACK}-{function}{event}Permission-ABCDEFGHIJKL"),
        "Effect": "Allow",
        "Principal": {"Service": "apigateway.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": arn,
        "Condition": {"ArnLike": {"AWS:SourceArn": source}},
    })
}

#[test]
fn the_environments_of_functions_have_room() {
    let template = Template::read();
    let of_each = &template.yaml()["Globals"]["Function"]["Environment"]["Variables"];
    for (name, function) in template.resources("AWS::Serverless::Function") {
        let own = &function["Environment"]["Variables"];
        let used = size(&template, of_each) + size(&template, own);
        assert_used(name, used, ENVIRONMENT_MAX, "Shorten the names of its variables.");
    }
}

/// SAM makes a resource of each event, and a stage of the API.
#[test]
fn the_template_has_room() {
    let template = Template::read();
    let count = |section: &str| template.yaml()[section].as_mapping().unwrap().len();
    let functions = template.resources("AWS::Serverless::Function").into_values();
    let events = functions.map(|function| function["Events"].as_mapping().map_or(0, Mapping::len));
    let stages = template.resources("AWS::Serverless::HttpApi").len();
    let resources = count("Resources") + events.sum::<usize>() + stages;
    assert_used("resources", resources, RESOURCES_MAX, "Move some to a stack of their own.");
    assert_used("outputs", count("Outputs"), OUTPUTS_MAX, "Leave out what nobody reads.");
    assert_used("parameters", count("Parameters"), PARAMETERS_MAX, "Leave out what nobody sets.");
    let text = read("template.yaml");
    assert_used("template.yaml, in bytes", text.len(), TEMPLATE_MAX, "Shorten the comments.");
    // So a deployment goes by S3.
    assert!(text.len() > TEMPLATE_IN_REQUEST_MAX);
    assert!(read("docs/deploy.md").contains("--template-file template.yaml --s3-bucket $BUCKET"));
}

#[test]
fn names_that_contain_the_stacks_name_are_short_enough() {
    let template = Template::read();
    let said = format!("at most {} characters", STACK.len());
    assert!(
        read("docs/deploy.md").contains(&said),
        "nobody is told how long a stack's name may be"
    );
    let mut named = 0;
    for (kind, property, max) in NAMES {
        for (name, resource) in template.resources(kind) {
            if !resource[property].is_null() {
                let given = template.text(&resource[property]);
                assert!(given.len() <= max, "{name}: {given} has over {max} characters");
                named += 1;
            }
        }
    }
    for function in template.resources("AWS::Serverless::Function").into_values() {
        for (name, schedule) in events(function, "ScheduleV2") {
            let given = template.text(&schedule["Name"]);
            assert!(given.len() <= SCHEDULE_NAME_MAX, "{name}: {given} is too long");
            named += 1;
        }
    }
    assert!(named > 30, "the names are not where they were");
}
