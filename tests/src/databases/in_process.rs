//! DynamoDB as a function call: this process answers the requests of an SDK client, without a
//! socket in between. So only the code under test takes time, and a test whose clock stands still
//! knows when everything has come to rest.

use aws_sdk_dynamodb::config::http::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use dynoxide::Database;

/// A client of this database.
pub(crate) fn client(dynoxide: Database) -> SharedHttpClient {
    http_client_fn(move |_, _| SharedHttpConnector::new(InProcess(dynoxide.clone())))
}

#[derive(Clone)]
struct InProcess(Database);

impl std::fmt::Debug for InProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InProcess")
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").expect("a call of DynamoDB");
        let operation = target.rsplit('.').next().expect("a last part");
        let body = request.body().bytes().expect("a body in memory");
        let (status, answer) = match answer(&self.0, operation, body) {
            Ok(answer) => (200, answer),
            Err(error) => (error.status_code(), error.to_json().into_bytes()),
        };
        let mut response = HttpResponse::new(status.try_into().expect("a status"), answer.into());
        response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
        HttpConnectorFuture::ready(Ok(response))
    }
}

fn answer(db: &Database, operation: &str, body: &[u8]) -> dynoxide::Result<Vec<u8>> {
    macro_rules! answer {
        ($act:ident) => {{
            let asked = serde_json::from_slice(body).expect("what the SDK writes");
            Ok(serde_json::to_vec(&db.$act(asked)?).expect("an answer in JSON"))
        }};
    }
    match operation {
        "BatchGetItem" => answer!(batch_get_item),
        "BatchWriteItem" => answer!(batch_write_item),
        "CreateTable" => answer!(create_table),
        "DeleteItem" => answer!(delete_item),
        "DescribeTable" => answer!(describe_table),
        "GetItem" => answer!(get_item),
        "PutItem" => answer!(put_item),
        "Query" => answer!(query),
        "Scan" => answer!(scan),
        "TransactWriteItems" => answer!(transact_write_items),
        "UpdateItem" => answer!(update_item),
        _ => panic!("nobody asks for {operation}"),
    }
}
