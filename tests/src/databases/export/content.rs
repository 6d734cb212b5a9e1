//! What is in an archive: all of the account, nothing of another, as of the asking.

use data_export::{Ended, work};
use numib::domain::export::State;
use numib::domain::ids::{Channel, MemberId};
use numib::domain::role::Role;
use numib::edge::clock::Clock;
use numib::seal::receipt::{Jwk, ReceiptError, verify_file};
use numib::store::accounts::Member;
use serde_json::json;

use super::Desk;
use crate::database::Database;
use crate::shop::{Shop, ago, now};

on_both_databases!(
    an_archive_has_all_of_its_account_and_nothing_of_another,
    the_manifest_is_signed_and_has_the_digest_of_every_file,
    what_is_sent_after_the_asking_is_not_in_the_archive,
    what_is_erased_before_it_is_read_is_not_in_the_archive,
    a_key_is_unwrapped_once,
    an_account_without_anything_has_an_archive_too,
    a_closed_account_gets_no_archive,
    python_and_unzip_open_it,
);

//= R5.1, R5.4
async fn an_archive_has_all_of_its_account_and_nothing_of_another(db: &Database) {
    let desk = Desk::open(db).await;
    let also = desk.shop.connect_also(db, Channel::Instagram).await;
    also.make_keys(db, numib::domain::key_window::days(numib::domain::time::Day::of(now()))).await;
    let other = Shop::open(db).await;
    let member = MemberId::parse("member-1").unwrap();
    let account = desk.shop.connection.account.clone();
    db.store.put_member(&member, &Member { account, role: Role::Owner }).await.unwrap();
    desk.receive(&[
        desk.shop.text("7001", ago(9000), "m_1", "=1+1 \"ñ\" 🎉"),
        desk.shop.text("7001", ago(8000), "m_2", "two"),
        desk.shop.edit("7001", ago(7000), "m_2", (1, "two, <b>edited</b>")),
        desk.shop.text("7001", ago(6000), "m_3", "regretted"),
        desk.shop.unsend("7001", ago(5000), "m_3"),
        desk.shop.text("7002", ago(4000), "m_4", "four"),
    ])
    .await;
    desk.receive_at(&also, &[also.text("8001", ago(3000), "m_5", "five")]).await;
    desk.receive_at(&other, &[other.text("9001", ago(3000), "m_6", "another's")]).await;
    let archive = desk.export().await;

    let mut texts = archive.each("messages", "text");
    texts.sort();
    assert_eq!(texts, ["=1+1 \"ñ\" 🎉", "five", "four", "two, <b>edited</b>"]);
    let edited = archive.records("messages");
    let edited = edited.iter().find(|one| one["edited"] == true).unwrap();
    assert_eq!(edited["text_before_edits"], "two");
    assert_eq!(
        (&edited["meta_message_id"], &edited["meta_contact_id"]),
        (&json!("m_2"), &json!("7001"))
    );
    assert_eq!(archive.records("contacts").len(), 3);
    assert_eq!(archive.records("connections").len(), 2);
    assert_eq!(archive.records("account").len(), 1);
    assert_eq!(archive.each("members", "email"), ["member-1@example.com"]);
    let all: String = archive.files.values().cloned().collect();
    for absent in ["another's", "regretted", "9001", other.connection.id.as_str()] {
        assert!(!all.contains(absent), "{absent}");
    }

    let table = archive.all("csv/");
    assert!(table.contains("\"'=1+1 \"\"ñ\"\" 🎉\""), "{table}");
    let pages = archive.all("pages/");
    assert!(pages.contains("two, &#60;b&#62;edited&#60;/b&#62;"), "{pages}");
    let linked: serde_json::Value = serde_json::from_str(&archive.all("schema.org/")).unwrap();
    let of = |kind: &str| {
        let graph = linked["@graph"].as_array().unwrap();
        graph.iter().filter(|node| node["@type"] == kind).count()
    };
    assert_eq!([of("Message"), of("Person"), of("Conversation")], [4, 3, 3]);
    let href = archive.all("contents/");
    assert!(href.contains("../pages/00001.html#c1"), "{href}");
}

//= R5.4
async fn the_manifest_is_signed_and_has_the_digest_of_every_file(db: &Database) {
    let desk = Desk::open(db).await;
    desk.receive(&[desk.shop.text("7001", ago(9000), "m_1", "one")]).await;
    let archive = desk.export().await;
    let key: Jwk = desk.app.receipts.public().await.unwrap();
    let (text, jws) = (&archive.files["manifest.json"], &archive.files["manifest.jws"]);
    assert_eq!(verify_file(jws, text.as_bytes(), std::slice::from_ref(&key)), Ok(()));
    let altered = text.replace("\"records\": 1", "\"records\": 2");
    let altered = verify_file(jws, altered.as_bytes(), &[key]);
    assert_eq!(altered, Err(ReceiptError::BadSignature));

    let manifest = archive.manifest();
    let files = manifest["files"].as_array().unwrap();
    assert_eq!(files.len() + 2, archive.files.len(), "all but the manifest and its signature");
    for file in files {
        let text = &archive.files[file["name"].as_str().unwrap()];
        assert_eq!(file["size"], text.len());
        assert_eq!(file["sha256"].as_str().unwrap(), super::archive::sha256(text.as_bytes()));
    }
    assert_eq!(manifest["kinds"]["message"]["records"], 1);
    assert_eq!(manifest["snapshot"]["high_water_mark"], now().to_string());
}

//= R5.4
async fn what_is_sent_after_the_asking_is_not_in_the_archive(db: &Database) {
    let desk = Desk::open(db).await;
    desk.receive(&[desk.shop.text("7001", ago(9000), "m_1", "before")]).await;
    let id = desk.ask().await;
    // A clock may be ahead of ours.
    desk.receive(&[
        desk.shop.text("7001", ago(-1), "m_2", "after"),
        desk.shop.text("7002", ago(-500), "m_3", "after"),
        desk.shop.text("7001", ago(0), "m_4", "at the moment"),
    ])
    .await;
    let archive = desk.finish(&id).await;
    assert_eq!(archive.each("messages", "text"), ["before", "at the moment"]);
}

//= R8.3, R6.2
async fn what_is_erased_before_it_is_read_is_not_in_the_archive(db: &Database) {
    let desk = Desk::open(db).await;
    desk.receive(&[
        desk.shop.text("7001", ago(9000), "m_1", "erased"),
        desk.shop.text("7001", ago(10), "m_2", "since"),
        desk.shop.text("7002", ago(31 * 24 * 3_600_000), "m_3", "expired"),
        desk.shop.text("7003", ago(9000), "m_4", "kept"),
    ])
    .await;
    let id = desk.ask().await;
    desk.shop.erase_contact(db, "7001", ago(1000)).await;
    let archive = desk.finish(&id).await;
    let mut texts = archive.each("messages", "text");
    texts.sort();
    assert_eq!(texts, ["kept", "since"]);
}

//= R2.1
async fn a_key_is_unwrapped_once(db: &Database) {
    let desk = Desk::open(db).await;
    let day = 24 * 3_600_000;
    let mut items = Vec::new();
    for n in 0..40_i64 {
        let (contact, at) = (format!("70{:02}", n % 10), ago(1000 + day * (n % 3)));
        items.push(desk.shop.text(&contact, at, &format!("m_{n}"), "x"));
    }
    desk.receive(&items).await;
    let archive = desk.export().await;
    let count = archive.records("messages").len();
    let mut unwrapped = desk.cloud.unwrapped();
    let calls = unwrapped.len();
    unwrapped.sort();
    unwrapped.dedup();
    assert_eq!((unwrapped.len(), count), (calls, 40));
    assert_eq!(calls, 3);
}

async fn an_account_without_anything_has_an_archive_too(db: &Database) {
    let desk = Desk::open(db).await;
    let archive = desk.export().await;
    assert_eq!(archive.records("messages").len(), 0);
    assert_eq!(archive.records("account").len(), 1);
    assert!(archive.files["index.html"].contains("Ninguna."));
}

//= R6.1
async fn a_closed_account_gets_no_archive(db: &Database) {
    let desk = Desk::open(db).await;
    let id = desk.ask().await;
    db.store.mark_account_erased(&desk.shop.connection.account).await.unwrap();
    assert_eq!(work(&desk.app, &id, Clock::set_to(now()), &|| true).await.unwrap(), Ended::ForGood);
    assert_eq!(desk.stored(&id).await.state, State::Failed);
    assert_eq!(desk.cloud.names(), Vec::<String>::new());
    assert_ne!(desk.ask().await, id, "another may be asked for");
}

/// Whoever gets an archive opens it with other tools than ours.
async fn python_and_unzip_open_it(db: &Database) {
    let desk = Desk::open(db).await;
    desk.receive(&[desk.shop.text("7001", ago(9000), "m_1", "ñandú 🎉")]).await;
    let archive = desk.export().await;
    let path = std::env::temp_dir().join(format!("{}.zip", desk.ask().await));
    std::fs::write(&path, &archive.bytes).unwrap();
    let script = "import sys, zipfile\n\
                  archive = zipfile.ZipFile(sys.argv[1])\n\
                  assert archive.testzip() is None\n\
                  assert 'ñandú 🎉' in archive.read('data/messages-00001.ndjson').decode()\n";
    for command in [
        vec!["python3", "-c", script, path.to_str().unwrap()],
        vec!["unzip", "-tq", path.to_str().unwrap()],
    ] {
        let done = std::process::Command::new(command[0]).args(&command[1..]).output();
        match done {
            Ok(done) => assert!(done.status.success(), "{done:?}"),
            // Not every machine has it.
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
        }
    }
    std::fs::remove_file(path).unwrap();
}
