//! Reads the template.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use serde_norway::Value as Yaml;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

pub(crate) struct Template(Yaml);

impl Template {
    pub(crate) fn read() -> Self {
        Self(serde_norway::from_str(&read("template.yaml")).unwrap())
    }

    pub(crate) const fn yaml(&self) -> &Yaml {
        &self.0
    }

    /// The resources of a type: name and properties.
    pub(crate) fn resources(&self, kind: &str) -> BTreeMap<&str, &Yaml> {
        let all = self.0["Resources"].as_mapping().unwrap().iter();
        let of_kind = all.filter(|(_, resource)| resource["Type"] == kind);
        of_kind.map(|(name, resource)| (name.as_str().unwrap(), &resource["Properties"])).collect()
    }

    /// The folders of the functions, by their names in the template: a function's code is
    /// `{folder}.zip`.
    pub(crate) fn functions(&self) -> BTreeMap<&str, &str> {
        let functions = self.resources("AWS::Serverless::Function").into_iter();
        functions.map(|(name, function)| (name, folder_of(function))).collect()
    }

    /// The body of the dashboard as it is deployed, but that `${Name}` stands for what it names.
    pub(crate) fn dashboard(&self) -> Value {
        let dashboards = self.resources("AWS::CloudWatch::Dashboard");
        let [body] = dashboards.values().copied().collect::<Vec<_>>()[..] else {
            panic!("one dashboard")
        };
        let Yaml::Tagged(body) = &body["DashboardBody"] else { panic!("!Sub") };
        let mut text = body.value[0].as_str().unwrap().to_owned();
        for (name, value) in body.value[1].as_mapping().unwrap() {
            let name = format!("${{{}}}", name.as_str().unwrap());
            assert!(text.contains(&name), "{name} is used nowhere");
            text = text.replace(&name, value.as_str().unwrap());
        }
        serde_json::from_str(&text).expect("the dashboard's body is no JSON")
    }
}

/// The folder of a function, by the zip that it is deployed from.
fn folder_of(function: &Yaml) -> &str {
    let Yaml::Tagged(key) = &function["CodeUri"]["Key"] else { panic!("!Sub") };
    let file = key.value.as_str().unwrap().strip_prefix("${ArtifactPrefix}").unwrap();
    file.strip_suffix(".zip").unwrap()
}
