//! The values of the template as a stack with the longest names has them.

use serde_json::{Map, Value};
use serde_norway::Value as Yaml;

use crate::reader::Template;

/// As long as `docs/deploy.md` allows. The name of the bucket of exports is this name, `-exports-`
/// and the account's number: 63 characters, the most that S3 allows.
pub(crate) const STACK: &str = "numib-production-europe-of-the-long-name-1";

const REGION: &str = "ap-northeast-1";
const ACCOUNT: &str = "123456789012";
/// What CloudFormation adds to a name that it makes.
const SUFFIX: &str = "ABCDEFGHIJKL";
/// IAM's limit on a role's name; CloudFormation cuts what it makes.
const ROLE_NAME_MAX: usize = 64;
/// Parameters that the owner of the stack fills in, with a long domain and an address of it.
const TEXTS: [(&str, &str); 2] = [
    ("PublicUrl", "https://privacy.messages.question-service.example-of-a-long-domain.com"),
    ("SenderAddress", "no-reply@privacy.messages.question-service.example-of-a-long-domain.com"),
];

impl Template {
    /// A value with its calls carried out. Of `!If`, the longer side.
    pub(crate) fn deployed(&self, value: &Yaml) -> Value {
        match value {
            Yaml::Tagged(call) => self.call(&call.tag.to_string(), &call.value),
            Yaml::Sequence(items) => items.iter().map(|item| self.deployed(item)).collect(),
            Yaml::Mapping(entries) => {
                let entries = entries.iter();
                let entries =
                    entries.map(|(key, it)| (key.as_str().unwrap().to_owned(), self.deployed(it)));
                entries.collect::<Map<_, _>>().into()
            }
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::String(_) => {
                serde_json::to_value(value).unwrap()
            }
        }
    }

    /// A value that is a text.
    pub(crate) fn text(&self, value: &Yaml) -> String {
        self.deployed(value).as_str().unwrap().to_owned()
    }

    fn call(&self, name: &str, argument: &Yaml) -> Value {
        match (name, argument) {
            ("!Ref", Yaml::String(name)) => self.reference(name).into(),
            ("!GetAtt", Yaml::String(path)) => self.attribute(path).into(),
            ("!Sub", Yaml::String(text)) => self.substitute(text).into(),
            ("!If", Yaml::Sequence(sides)) => {
                let sides = sides.iter().skip(1).map(|side| self.deployed(side));
                sides.max_by_key(|side| side.to_string().len()).unwrap()
            }
            _ => panic!("{name} is not read here yet"),
        }
    }

    fn substitute(&self, text: &str) -> String {
        let mut parts = text.split("${");
        let mut substituted = parts.next().unwrap().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap();
            let is_attribute = name.contains('.');
            substituted += &if is_attribute { self.attribute(name) } else { self.reference(name) };
            substituted += rest;
        }
        substituted
    }

    fn reference(&self, name: &str) -> String {
        let of_the_stack = match name {
            "AWS::StackName" => STACK,
            "AWS::Region" => REGION,
            "AWS::AccountId" => ACCOUNT,
            "AWS::Partition" => "aws",
            "AWS::URLSuffix" => "amazonaws.com",
            "AWS::NoValue" => "",
            _ => return self.parameter(name).unwrap_or_else(|| self.physical(name)),
        };
        of_the_stack.to_owned()
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let default = &self.yaml()["Parameters"].get(name)?["Default"];
        let given = TEXTS.iter().find(|(text, _)| *text == name).map(|(_, given)| *given);
        let number = default.as_u64().map(|number| number.to_string());
        Some(given.or(default.as_str()).map(str::to_owned).or(number).unwrap_or_default())
    }

    /// What `!Ref` makes of a resource.
    fn physical(&self, name: &str) -> String {
        let resource = &self.yaml()["Resources"][name];
        let given = |property: &str| self.text(&resource["Properties"][property]);
        let made = format!("{STACK}-{name}-{SUFFIX}");
        match resource["Type"].as_str().unwrap_or_else(|| panic!("there is no {name}")) {
            "AWS::DynamoDB::Table" => made,
            "AWS::IAM::Role" => made.chars().take(ROLE_NAME_MAX).collect(),
            "AWS::IAM::ManagedPolicy" => format!("arn:aws:iam::{ACCOUNT}:policy/{made}"),
            "AWS::S3::Bucket" if resource["Properties"]["BucketName"].is_null() => {
                made.to_lowercase().chars().take(63).collect()
            }
            "AWS::S3::Bucket" => given("BucketName"),
            "AWS::Serverless::Function" => given("FunctionName"),
            "AWS::Logs::LogGroup" => given("LogGroupName"),
            "AWS::SQS::Queue" => {
                format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{}", given("QueueName"))
            }
            "AWS::Cognito::UserPool" => format!("{REGION}_123456789"),
            "AWS::Serverless::HttpApi" => "a123456789".to_owned(),
            "AWS::KMS::Key" => "12345678-1234-1234-1234-123456789012".to_owned(),
            kind => panic!("the reference of a {kind} is not read here yet"),
        }
    }

    /// What `!GetAtt` makes of `Resource.Attribute`.
    fn attribute(&self, path: &str) -> String {
        let (name, attribute) = path.split_once('.').unwrap();
        let kind = self.yaml()["Resources"][name]["Type"].as_str();
        let kind = kind.unwrap_or_else(|| panic!("there is no {name}"));
        let arn =
            |service: &str, rest: String| format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}");
        let of_stack = || self.physical(name);
        match (kind, attribute) {
            ("AWS::DynamoDB::Table", "Arn") => arn("dynamodb", format!("table/{}", of_stack())),
            ("AWS::DynamoDB::Table", "StreamArn") => {
                arn("dynamodb", format!("table/{}/stream/2026-11-29T00:00:00.000", of_stack()))
            }
            ("AWS::Serverless::Function", "Arn") => {
                arn("lambda", format!("function:{}", of_stack()))
            }
            ("AWS::Logs::LogGroup", "Arn") => arn("logs", format!("log-group:{}:*", of_stack())),
            ("AWS::SQS::Queue", "Arn") => arn("sqs", self.attribute(&format!("{name}.QueueName"))),
            ("AWS::SQS::Queue", "QueueName") => {
                self.text(&self.yaml()["Resources"][name]["Properties"]["QueueName"])
            }
            ("AWS::Cognito::UserPool", "Arn") => {
                arn("cognito-idp", format!("userpool/{}", of_stack()))
            }
            ("AWS::KMS::Key", "Arn") => arn("kms", format!("key/{}", of_stack())),
            ("AWS::SecretsManager::Secret", "Id") => {
                arn("secretsmanager", format!("secret:{name}-{SUFFIX}-123456"))
            }
            ("AWS::IAM::Role", "Arn") => format!("arn:aws:iam::{ACCOUNT}:role/{}", of_stack()),
            ("AWS::S3::Bucket", "Arn") => format!("arn:aws:s3:::{}", of_stack()),
            _ => panic!("{attribute} of a {kind} is not read here yet"),
        }
    }
}
