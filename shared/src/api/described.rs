//! What a route takes and answers, in the words of `OpenAPI` 3.1. No function runs this: the
//! description of the API is made of it.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// What a route takes and answers, besides what its path and its method say already.
#[derive(Debug, Default)]
pub struct Described {
    /// What is said of it besides its summary.
    pub details: &'static str,
    /// Its parameters, but for those of the path.
    pub parameters: Vec<Value>,
    /// The body that it takes.
    pub body: Option<Value>,
    /// What it answers, by status.
    pub answers: Vec<(u16, Value)>,
    /// Statuses of problems that not every such route has.
    pub problems: &'static [u16],
    /// Whether the request has to name the version that it changes.
    pub is_conditional: bool,
}

impl Described {
    /// A route that answers JSON.
    #[must_use]
    pub fn gives<T: JsonSchema>(of: &mut SchemaGenerator, status: u16, what: &str) -> Self {
        Self::default().or_gives::<T>(of, status, what)
    }

    /// The same, which also answers this.
    #[must_use]
    pub fn or_gives<T: JsonSchema>(
        self,
        of: &mut SchemaGenerator,
        status: u16,
        what: &str,
    ) -> Self {
        let schema = of.subschema_for::<T>();
        self.or_answers(status, what, &[("application/json", schema)])
    }

    /// The same, which also answers this in one of these types.
    #[must_use]
    pub fn or_answers(mut self, status: u16, what: &str, types: &[(&str, Schema)]) -> Self {
        let mut answer = json!({ "description": what });
        if let Some(answer) = answer.as_object_mut().filter(|_| !types.is_empty()) {
            answer.insert("content".to_owned(), content(types));
        }
        self.answers.push((status, answer));
        self
    }

    /// The same, which takes JSON.
    #[must_use]
    pub fn takes<T: JsonSchema>(self, of: &mut SchemaGenerator) -> Self {
        let schema = of.subschema_for::<T>();
        self.takes_one_of("", &[("application/json", schema)])
    }

    /// The same, which takes a body of one of these types.
    #[must_use]
    pub fn takes_one_of(mut self, what: &str, types: &[(&str, Schema)]) -> Self {
        let mut body = json!({"required": true, "content": content(types)});
        if let Some(body) = body.as_object_mut().filter(|_| !what.is_empty()) {
            body.insert("description".to_owned(), what.into());
        }
        self.body = Some(body);
        self
    }

    /// The same, with a parameter of the query.
    #[must_use]
    pub fn asks(self, name: &str, is_required: bool, schema: &Value) -> Self {
        let parameter =
            json!({"name": name, "in": "query", "required": is_required, "schema": schema});
        self.with_parameter(parameter)
    }

    /// The same, with a parameter as `OpenAPI` writes it.
    #[must_use]
    pub fn with_parameter(mut self, parameter: Value) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// The same, with the number of entries: this many where the caller does not say.
    #[must_use]
    pub fn limited(self, limit: impl Into<Value>, limit_max: impl Into<Value>) -> Self {
        let (most, few): (Value, Value) = (limit_max.into(), limit.into());
        let limit = json!({"type": "integer", "minimum": 1, "maximum": most, "default": few});
        self.asks("limit", false, &limit)
    }

    /// The same, with a place in a list to go on from.
    #[must_use]
    pub fn from_cursor(self, name: &str, len_max: usize) -> Self {
        self.asks(name, false, &json!({"type": "string", "maxLength": len_max}))
    }

    /// The same, with these problems besides those that every such route has.
    #[must_use]
    pub fn refuses(mut self, problems: &'static [u16]) -> Self {
        self.problems = problems;
        self
    }

    /// The same, whose answers so far have a version.
    #[must_use]
    pub fn tagged(mut self) -> Self {
        for (_, answer) in &mut self.answers {
            let headers = json!({"ETag": {"$ref": "#/components/headers/ETag"}});
            answer.as_object_mut().map(|answer| answer.insert("headers".to_owned(), headers));
        }
        self
    }

    /// The same, for a request that has to name the version that it changes.
    #[must_use]
    pub fn conditional(mut self) -> Self {
        self.is_conditional = true;
        self
    }

    /// The same, with more to say than its summary.
    #[must_use]
    pub fn said(mut self, details: &'static str) -> Self {
        self.details = details;
        self
    }
}

fn content(types: &[(&str, Schema)]) -> Value {
    let types = types.iter().map(|(name, of)| ((*name).to_owned(), json!({ "schema": of })));
    types.collect::<Map<_, _>>().into()
}
