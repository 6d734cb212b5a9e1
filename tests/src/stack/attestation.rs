//! The attestation of a day, filed by the deployed function in its bucket.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use jiff::SignedDuration;
use numib::archive::attestations::Form;
use numib::domain::time::Day;
use numib::edge::clients;
use serde_json::{Value, json};
use xtask::{account, meta, receipt};

use crate::deployed::deployed;

/// A day long ago that no other run of these tests has attested.
fn some_day() -> Day {
    let number = u64::from_str_radix(&account::random_id().unwrap(), 16).unwrap();
    Day::parse("1970-01-01").unwrap().plus(i32::try_from(number % 10_000).unwrap())
}

//= R6.2, R8.5
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn a_day_is_attested_once_in_three_forms_that_say_the_same() {
    let deployed = deployed().await;
    let day = some_day();
    let at = (day.plus(1).start() + SignedDuration::from_mins(30)).to_string();
    let ran = deployed.stack.run_task("attest", &at).unwrap();
    assert_eq!(ran, json!({"task": "attest", "day": day, "violations": 0, "new": true}));
    let filed = deployed.stack.attestations();
    let report = filed.filed(day, Form::Report).await.unwrap();
    let value: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!((&value["day"], &value["violations"]), (&json!(day), &json!(0)));

    let signed = String::from_utf8(filed.filed(day, Form::Signed).await.unwrap()).unwrap();
    let keys = meta::get_json(&deployed.stack.deployed, "/.well-known/jwks.json").unwrap().body;
    let claims = receipt::verify(&signed, &keys).unwrap();
    assert_eq!(claims["report"], value);
    assert_eq!(
        (&claims["iss"], &claims["sub"]),
        (&json!("tag:numib.app,2026:attestation"), &json!(day))
    );

    let page = String::from_utf8(filed.filed(day, Form::Page).await.unwrap()).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains(&day.to_string()));

    let again = deployed.stack.run_task("attest", &at).unwrap();
    assert_eq!(again["new"], false);
    assert_eq!(filed.filed(day, Form::Report).await.unwrap(), report, "it stays as it was filed");
}

/// Whether IAM let the call through. The object need not be there.
fn allowed<T, E: ProvideErrorMetadata, R>(result: &Result<T, SdkError<E, R>>) -> bool {
    match result {
        Ok(_) => true,
        Err(error) => match error.code() {
            Some("AccessDenied" | "AccessDeniedException") => false,
            Some("NoSuchKey") => true,
            other => panic!("neither allowed nor denied: {other:?}"),
        },
    }
}

//= R4.5
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn only_retention_files_attestations_and_not_even_it_deletes_or_lists_them() {
    let deployed = deployed().await;
    let outputs = &deployed.stack.deployed.outputs;
    for (role, files) in [
        (&outputs.retention_role, true),
        (&outputs.inbox_api_role, false),
        (&outputs.meta_webhook_role, false),
        (&outputs.privacy_api_role, false),
        (&outputs.operator_api_role, false),
        (&outputs.data_deletion_role, false),
        (&outputs.worker_role, false),
    ] {
        let credentials = deployed.stack.assume(role).unwrap();
        let s3 = clients::s3(&deployed.stack.sdk_of(&credentials));
        let bucket = &outputs.attestation_bucket;
        let key = format!("attestations/{}", account::random_id().unwrap());
        let body = ByteStream::from_static(b"x");
        let put = s3.put_object().bucket(bucket).key(&key).body(body).send().await;
        assert_eq!(allowed(&put), files, "{role} puts");
        let get = s3.get_object().bucket(bucket).key(&key).send().await;
        assert_eq!(allowed(&get), files, "{role} gets");
        let elsewhere = s3.put_object().bucket(bucket).key("elsewhere").send().await;
        assert!(!allowed(&elsewhere), "{role} puts elsewhere");
        let delete = s3.delete_object().bucket(bucket).key(&key).send().await;
        assert!(!allowed(&delete), "{role} deletes");
        let list = s3.list_objects_v2().bucket(bucket).send().await;
        assert!(!allowed(&list), "{role} lists");
    }
}
