//! AWS for exports, besides the tables, in this process: a bucket, a key that unwraps (nothing is
//! wrapped here), a key that signs, and a user pool in which everyone has an address.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::config::http::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::http::{
    HttpClient as _, HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::elliptic_curve::Generate as _;
use p256::pkcs8::EncodePublicKey as _;
use serde_json::{Value, json};

/// Everything but the database.
#[derive(Clone)]
pub(crate) struct Cloud(Arc<Mutex<State>>);

struct State {
    key: SigningKey,
    /// The keys that were unwrapped, one entry for each time.
    unwrapped: Vec<String>,
    objects: BTreeMap<String, Vec<u8>>,
    /// Uploads by their names, each with its object and its parts.
    uploads: BTreeMap<String, (String, BTreeMap<u32, Vec<u8>>)>,
    uploads_begun: u32,
}

impl State {
    /// A list of the uploads, or of the objects, under a prefix.
    fn listed(&self, is_uploads: bool, prefix: &str) -> String {
        if is_uploads {
            let of = self.uploads.iter().filter(|(_, (key, _))| key.starts_with(prefix));
            let upload = |(id, (key, _)): (&String, &(String, _))| {
                format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId></Upload>")
            };
            let listed: String = of.map(upload).collect();
            return format!("<ListMultipartUploadsResult>{listed}</ListMultipartUploadsResult>");
        }
        let of = self.objects.keys().filter(|key| key.starts_with(prefix));
        let listed: Vec<String> =
            of.map(|key| format!("<Contents><Key>{key}</Key></Contents>")).collect();
        format!("<ListBucketResult>{}</ListBucketResult>", listed.concat())
    }
}

impl Cloud {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            key: SigningKey::generate(),
            unwrapped: Vec::new(),
            objects: BTreeMap::new(),
            uploads: BTreeMap::new(),
            uploads_begun: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The archive of this name.
    pub(crate) fn object(&self, key: &str) -> Option<Vec<u8>> {
        self.state().objects.get(key).cloned()
    }

    /// The names of all archives, and of those that are being uploaded.
    pub(crate) fn names(&self) -> Vec<String> {
        let state = self.state();
        let uploads = state.uploads.values().map(|(key, _)| format!("upload of {key}"));
        state.objects.keys().cloned().chain(uploads).collect()
    }

    /// The keys that were unwrapped since this was last called.
    pub(crate) fn unwrapped(&self) -> Vec<String> {
        std::mem::take(&mut self.state().unwrapped)
    }

    /// Loses all uploads under way, as the bucket does after a day.
    pub(crate) fn lose_uploads(&self) {
        self.state().uploads.clear();
    }

    /// The same clients, of this cloud and the database.
    pub(crate) fn around(&self, sdk: &SdkConfig) -> SdkConfig {
        let (database, cloud) = (sdk.http_client().unwrap(), self.clone());
        let client = http_client_fn(move |settings, components| {
            let database = database.http_connector(settings, components);
            SharedHttpConnector::new(Connector { database, cloud: cloud.clone() })
        });
        sdk.to_builder().http_client(client).build()
    }

    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let body = request.body().bytes().expect("a body in memory");
        if target.is_empty() {
            return self.s3(request.method(), request.uri(), body);
        }
        let body: Value = serde_json::from_slice(body).unwrap();
        let operation = target.rsplit('.').next().unwrap();
        let answer = self.json(operation, &body);
        response(200, answer.to_string().into_bytes())
    }

    fn json(&self, operation: &str, body: &Value) -> Value {
        let mut state = self.state();
        match operation {
            "Decrypt" => {
                state.unwrapped.push(body["CiphertextBlob"].to_string());
                json!({ "Plaintext": body["CiphertextBlob"] })
            }
            "GetPublicKey" => {
                let key = p256::PublicKey::from(state.key.verifying_key());
                let key = key.to_public_key_der().unwrap();
                json!({ "PublicKey": STANDARD.encode(key.as_bytes()) })
            }
            "Sign" => {
                let digest = STANDARD.decode(body["Message"].as_str().unwrap()).unwrap();
                let signature: p256::ecdsa::Signature = state.key.sign_prehash(&digest).unwrap();
                json!({ "Signature": STANDARD.encode(signature.to_der().as_bytes()) })
            }
            "AdminGetUser" => {
                let email = format!("{}@example.com", body["Username"].as_str().unwrap());
                json!({
                    "Username": body["Username"],
                    "UserAttributes": [
                        {"Name": "email", "Value": email},
                        {"Name": "email_verified", "Value": "true"},
                    ],
                })
            }
            "AdminDeleteUser" | "AdminUserGlobalSignOut" => json!({}),
            "SendMessage" => json!({ "MessageId": "1" }),
            _ => panic!("nobody asks for {operation}"),
        }
    }

    fn s3(&self, method: &str, uri: &str, body: &[u8]) -> HttpResponse {
        let path = uri.split_once("://").unwrap().1.split_once('/').unwrap().1;
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let key = path.split_once('/').map_or("", |(_, key)| key).to_owned();
        let argument = |name: &str| {
            let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
            pairs.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned())
        };
        let mut state = self.state();
        match (method, argument("uploadId"), argument("partNumber")) {
            ("POST", None, _) => {
                state.uploads_begun += 1;
                let id = format!("u{}", state.uploads_begun);
                state.uploads.insert(id.clone(), (key, BTreeMap::new()));
                let id = format!("<UploadId>{id}</UploadId>");
                xml(&format!("<InitiateMultipartUploadResult>{id}</InitiateMultipartUploadResult>"))
            }
            ("PUT", Some(id), Some(number)) => {
                let Some((_, parts)) = state.uploads.get_mut(&id) else { return no_upload() };
                parts.insert(number.parse().unwrap(), body.to_vec());
                let mut response = response(200, Vec::new());
                response.headers_mut().insert("etag", format!("\"{}\"", mark(body)));
                response
            }
            ("POST", Some(id), _) => {
                let Some((key, parts)) = state.uploads.get(&id).cloned() else {
                    return no_upload();
                };
                let asked = String::from_utf8(body.to_vec()).unwrap();
                let is_whole = parts.values().all(|part| asked.contains(&mark(part)));
                if !is_whole || asked.matches("<PartNumber>").count() != parts.len() {
                    return error(400, "InvalidPart");
                }
                state.uploads.remove(&id);
                state.objects.insert(key, parts.into_values().flatten().collect());
                xml("<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")
            }
            ("DELETE", Some(id), _) => match state.uploads.remove(&id) {
                Some(_) => response(204, Vec::new()),
                None => no_upload(),
            },
            ("DELETE", None, _) => {
                state.objects.remove(&key);
                response(204, Vec::new())
            }
            ("HEAD", ..) => match state.objects.get(&key) {
                Some(object) => {
                    let mut response = response(200, Vec::new());
                    response.headers_mut().insert("content-length", object.len().to_string());
                    response
                }
                None => response(404, Vec::new()),
            },
            ("GET", ..) => {
                let prefix = argument("prefix").unwrap().replace("%2F", "/");
                xml(&state.listed(argument("uploads").is_some(), &prefix))
            }
            _ => panic!("nobody asks for {method} {uri}"),
        }
    }
}

/// The tag of a part. As with S3 under SSE-KMS, other bytes have another tag.
fn mark(bytes: &[u8]) -> String {
    let sum = bytes.iter().fold(7_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte));
    format!("{sum:016x}")
}

fn no_upload() -> HttpResponse {
    error(404, "NoSuchUpload")
}

fn error(status: u16, code: &str) -> HttpResponse {
    response(status, format!("<Error><Code>{code}</Code></Error>").into_bytes())
}

fn xml(text: &str) -> HttpResponse {
    response(200, text.as_bytes().to_vec())
}

fn response(status: u16, body: Vec<u8>) -> HttpResponse {
    HttpResponse::new(status.try_into().unwrap(), body.into())
}

#[derive(Clone)]
struct Connector {
    database: SharedHttpConnector,
    cloud: Cloud,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        if target.starts_with("DynamoDB") {
            return self.database.call(request);
        }
        HttpConnectorFuture::ready(Ok(self.cloud.answer(&request)))
    }
}
