//! A contact is erased, and its messages are delivered again before the worker comes.

use super::scene::Scene;
use crate::deployed::now_ms;

const CONTACT: &str = "7001";

//= R8.3
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn what_is_redelivered_before_the_worker_comes_is_counted_and_what_is_newer_stays() {
    let mut scene = Scene::set("a redelivery").await;
    let older = scene.dice.within(20..=40);
    let body = scene.texts(CONTACT, 0, older);
    scene.store(&body);
    let changes = scene.changes(CONTACT, 0, older);
    if !changes.is_empty() {
        scene.store(&changes);
    }
    let [conversation] = &*scene.conversations() else { panic!("there is one") };
    let worker = scene.stop_worker();
    let code = scene.erase(conversation);
    let there = scene.held().await;
    let newer = u64::from(scene.dice.heads());
    if newer == 1 {
        scene.store(&[scene.account.text(CONTACT, now_ms(), "m_newer", "hello again")]);
    }
    scene.store(&body);
    worker.go_on();
    let counted = scene.counted(&code).await;
    let left = scene.held().await;
    scene.store(&body);
    let left_later = scene.held().await;
    // A tombstone from before keeps its message out, whatever else comes.
    let is_right = (left.rows, left.tombstones) == (newer, there.tombstones)
        && left_later == left
        && counted == there.rows;
    scene.judge(
        is_right,
        &format!(
            "of {older} stored there were {there} when it was asked for, and {newer} came later; \
             the worker counted {counted} and left {left}; after a redelivery {left_later}"
        ),
    );
}
